"""Vertices and faces that stand twice, or for nothing. No vertex is ever moved."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from geometry.arrays import Faces, Points
from geometry.mesh import MeshError, Problem, Severity
from geometry.mesh_check.edges import Edges, edges_of, joined
from geometry.mesh_files.raw import first_occurrence

# Vertices nearer than this part of the largest coordinate are one in 32-bit files.
_SAME_PLACE = 2.0**-22
_SAME_PLACE_MM = 1e-6
_FLAT = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """A triangle list on its way through the repairs, and what was found so far."""

    vertices: Points
    faces: Faces
    problems: tuple[Problem, ...] = ()

    @cached_property
    def edges(self) -> Edges:
        """The edges, found once: every step asks for them."""
        return edges_of(self.faces)

    def with_faces(self, faces: Faces, *problems: Problem) -> "Surface":
        """Return the surface with other faces over the same vertices."""
        return Surface(vertices=self.vertices, faces=faces, problems=(*self.problems, *problems))


def cleaned(surface: Surface) -> Surface:
    """Merge vertices, and drop faces and vertices that add nothing.

    Raises:
        MeshError: ``no-triangles`` if nothing is left.
    """
    given = len(surface.faces)
    for step in (_merged, _without_degenerate, _without_twins, _without_loose, _compact):
        surface = step(surface)
        if len(surface.faces) == 0:
            raise MeshError(
                "no-triangles",
                f"all {given} triangles are degenerate; segment the structure again",
            )
    return surface


def areas(surface: Surface) -> Float[np.ndarray, " m"]:
    """Return the area of every face, mm^2."""
    a, b, c = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0


def repaired(code: str, count: int, message: str) -> Problem:
    """Return the note of a repair."""
    return Problem(code=code, severity=Severity.REPAIRED, message=message, count=count)


def _merged(surface: Surface) -> Surface:
    """Merge vertices at one place, unless that would join surfaces that only touch."""
    used = np.zeros(len(surface.vertices), dtype=bool)
    used[surface.faces] = True
    first = first_occurrence(surface.vertices)
    surface = _merged_by(surface, first, used)
    if surface.edges.unbalanced == 0:
        return surface
    reach = max(float(np.abs(surface.vertices).max()) * _SAME_PLACE, _SAME_PLACE_MM)
    pairs = cKDTree(surface.vertices).query_pairs(reach, output_type="ndarray")
    label = joined(pairs[:, 0], pairs[:, 1], len(surface.vertices))
    _, leader = np.unique(label, return_index=True)
    return _merged_by(surface, leader[label], used)


def _merged_by(
    surface: Surface, leader: Int[np.ndarray, " n"], used: Bool[np.ndarray, " n"]
) -> Surface:
    count = int(((leader != np.arange(len(leader))) & used).sum())
    if count == 0:
        return surface
    faces = leader[surface.faces]
    if edges_of(_proper(faces)).unbalanced > edges_of(_proper(surface.faces)).unbalanced:
        return surface.with_faces(
            surface.faces,
            Problem(
                code="duplicate-vertices",
                severity=Severity.NOTE,
                message=f"{count} vertices lie on others; they are kept apart, because merging "
                "them would join surfaces that only touch",
                count=count,
            ),
        )
    return surface.with_faces(
        faces, repaired("duplicate-vertices", count, f"{count} duplicate vertices were merged")
    )


def _proper(faces: Faces) -> Int[np.ndarray, "k 3"]:
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]


def _without_degenerate(surface: Surface) -> Surface:
    faces = _proper(surface.faces)
    count = len(surface.faces) - len(faces)
    if count == 0:
        return surface
    message = f"{count} degenerate faces (two corners at one place) were dropped"
    return surface.with_faces(faces, repaired("degenerate-faces", count, message))


def _without_twins(surface: Surface) -> Surface:
    """Drop faces over the same three vertices; a wall between two closed parts goes altogether."""
    _, first, group = np.unique(_face_keys(surface.faces), return_index=True, return_inverse=True)
    count = len(surface.faces) - len(first)
    if count == 0:
        return surface
    single = surface.faces[np.sort(first)]
    even = np.bincount(group) % 2 == 0
    none = surface.faces[np.sort(first[~even])]
    better = len(none) > 0 and edges_of(none).unbalanced < edges_of(single).unbalanced
    message = f"{count} faces that repeat another face were dropped"
    return surface.with_faces(
        none if better else single, repaired("duplicate-faces", count, message)
    )


def _face_keys(faces: Faces) -> Int[np.ndarray, " m"]:
    """Return a number for each face that is the same for faces over the same vertices."""
    low, middle, high = np.sort(faces, axis=1).T
    size = int(faces.max()) + 1
    _, pair = np.unique(low * size + middle, return_inverse=True)
    return pair * size + high


def _without_loose(surface: Surface) -> Surface:
    """Drop flat faces that hold nothing together; the others must stay to keep edges closed."""
    corners = surface.vertices[surface.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    flat = 2.0 * areas(surface) <= _FLAT * longest**2
    if not flat.any():
        return surface
    edges = surface.edges
    holds = (edges.uses[edges.number] == 2).reshape(-1, 3).any(axis=1)
    loose, kept = int((flat & ~holds).sum()), int((flat & holds).sum())
    problems: list[Problem] = []
    if loose:
        message = f"{loose} flat, loose faces were dropped"
        problems.append(repaired("degenerate-faces", loose, message))
    if kept:
        message = f"{kept} faces have no area; they stay, because they close the surface"
        problems.append(
            Problem(code="flat-faces", severity=Severity.NOTE, message=message, count=kept)
        )
    return surface.with_faces(surface.faces[holds | ~flat], *problems)


def _compact(surface: Surface) -> Surface:
    """Drop vertices without a face; those that were merged away were reported before."""
    used = np.zeros(len(surface.vertices), dtype=bool)
    used[surface.faces] = True
    if used.all():
        return surface
    merged = sum(p.count or 0 for p in surface.problems if p.severity is Severity.REPAIRED
                 and p.code == "duplicate-vertices")  # fmt: skip
    number = np.cumsum(used) - 1
    loose = int((~used).sum()) - merged
    message = f"{loose} vertices without a face were dropped"
    notes = (repaired("unreferenced-vertices", loose, message),) if loose > 0 else ()
    return Surface(
        vertices=surface.vertices[used],
        faces=number[surface.faces],
        problems=(*surface.problems, *notes),
    )
