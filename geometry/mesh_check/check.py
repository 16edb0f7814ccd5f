"""Find what is wrong with a surface, mend what can be mended safely, and report both by numbers."""

import numpy as np

from geometry.arrays import Point
from geometry.mesh import MeshError, Problem, Severity, TriangleMesh
from geometry.mesh_check.cleaning import Surface, areas, cleaned
from geometry.mesh_check.crossings import crossing_faces
from geometry.mesh_check.edges import components
from geometry.mesh_check.holes import filled
from geometry.mesh_check.winding import consistently_wound, outward
from geometry.mesh_files.raw import RawMesh

SMALLEST_MM = 0.1
LARGEST_MM = 3000.0
FARTHEST_MM = 10_000.0


def check_and_repair(raw: RawMesh) -> tuple[TriangleMesh, tuple[Problem, ...]]:
    """Return a usable surface and everything that was found in it.

    Duplicate vertices are merged, degenerate and repeated faces and unused vertices dropped, the
    winding made consistent and closed parts turned outward, small holes closed. No vertex moves.
    Open edges, edges of more than two faces, faces that cross, several parts and a place far from
    the origin are reported. The surface counts as closed when every edge is passed as often one
    way as the other, so that winding numbers are whole, even where parts touch along an edge.

    Args:
        raw: Triangles in millimetres.

    Raises:
        MeshError: ``too-small`` or ``too-large`` for an extent outside 0.1 to 3000 mm,
            ``no-triangles`` if every triangle is degenerate.
    """
    scale_problems((raw.vertices[raw.faces].min(axis=(0, 1)), raw.vertices[raw.faces].max((0, 1))))
    surface = cleaned(Surface(vertices=raw.vertices, faces=raw.faces))
    for step in (consistently_wound, filled, outward):
        surface = step(surface)
    closed = surface.edges.unbalanced == 0
    mesh = TriangleMesh(vertices=surface.vertices, faces=surface.faces, is_closed=closed)
    found = (_far_away(mesh), _open_edges(surface), _crowded_edges(surface), _parts(surface),
             _crossings(mesh))  # fmt: skip
    return mesh, (*surface.problems, *(problem for problem in found if problem is not None))


def scale_problems(bounds: tuple[Point, Point]) -> None:
    """Refuse a surface that no structure of a body can be, whatever it is.

    Args:
        bounds: Lowest and highest corner of the box around it, mm.

    Raises:
        MeshError: ``too-small`` or ``too-large``.
    """
    extent = float((bounds[1] - bounds[0]).max())
    if SMALLEST_MM <= extent <= LARGEST_MM:
        return
    raise MeshError(
        "too-small" if extent < SMALLEST_MM else "too-large",
        f"it is {extent:.4g} mm across, outside {SMALLEST_MM} to {LARGEST_MM:.0f} mm; check the "
        "unit (millimetres, centimetres or metres) that was stated for it",
    )


def _warning(code: str, count: int, message: str) -> Problem:
    return Problem(code=code, severity=Severity.WARNING, message=message, count=count)


def _far_away(mesh: TriangleMesh) -> Problem | None:
    distance = float(np.abs(mesh.vertices).max())
    if distance <= FARTHEST_MM:
        return None
    return Problem(
        code="far-from-origin",
        severity=Severity.WARNING,
        message=f"it lies {distance:.0f} mm from the origin, where 32-bit files lose precision",
    )


def _open_edges(surface: Surface) -> Problem | None:
    edges = surface.edges
    rim = edges.open
    count = int(rim.sum())
    if count == 0:
        return None
    length = float(
        np.linalg.norm(
            surface.vertices[edges.end[rim]] - surface.vertices[edges.start[rim]], axis=1
        ).sum()
    )
    return _warning(
        "open-edges",
        count,
        f"{count} open edges, {length:.1f} mm long together: the surface has no inside, "
        "so only the distance to its faces is known",
    )


def _crowded_edges(surface: Surface) -> Problem | None:
    count = int((surface.edges.uses > 2).sum())
    if count == 0:
        return None
    state = (
        "the surface is closed all the same"
        if surface.edges.unbalanced == 0
        else "the inside is uncertain"
    )
    return _warning("non-manifold-edges", count, f"{count} edges have more than two faces; {state}")


def _parts(surface: Surface) -> Problem | None:
    part = components(surface.faces)
    area = np.bincount(part, weights=areas(surface))
    if len(area) == 1:
        return None
    share = 100.0 * float(area.max() / area.sum())
    return Problem(
        code="several-parts",
        severity=Severity.NOTE,
        message=f"{len(area)} separate parts; the largest has {share:.1f} % of the area",
        count=len(area),
    )


def _crossings(mesh: TriangleMesh) -> Problem | None:
    count, complete = crossing_faces(mesh.vertices, mesh.faces)
    if count == 0:
        return None
    amount = f"{count}" if complete else f"at least {count}"
    return _warning("self-intersections", count, f"{amount} pairs of faces pass through each other")
