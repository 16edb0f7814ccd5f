"""Obstacles that reach into bone, as segmentations of neighbours do: told by name and depth."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from geometry.arrays import Points
from geometry.exact import MeshDistance
from geometry.mesh import Problem, Severity, TriangleMesh
from planner.case import BONE, Kind, Structure

OBSTACLES = frozenset({
    Kind.CANAL, Kind.NERVE_ROOT, Kind.PLEURA, Kind.VESSEL, Kind.SEGMENTAL_VESSEL, Kind.ORGAN,
})  # fmt: skip
SHALLOW_MM = 0.5
# So many of the vertices that seem deepest are measured exactly, among those this near a face.
_MEASURED = 24
_REACH_MM = 12.0
# Long edges are looked at between their ends too.
_STEP_MM = 2.0
_MOST_POINTS = 100_000


def with_overlaps(structures: Sequence[Structure]) -> tuple[Structure, ...]:
    """Return the structures, with a problem for every bone that an obstacle reaches into."""
    bones = [_Bone(s) for s in structures if s.kind in BONE and s.mesh.is_closed]
    found = []
    for structure in structures:
        problems = _overlaps(structure, bones) if structure.kind in OBSTACLES else []
        found.append(replace(structure, problems=(*structure.problems, *problems)))
    return tuple(found)


def _overlaps(structure: Structure, bones: Sequence["_Bone"]) -> list[Problem]:
    points = _points_on(structure.mesh)
    depths = [(bone.name, bone.depth_mm(points)) for bone in bones]
    return [_overlap(name, depth) for name, depth in depths if depth >= SHALLOW_MM]


def _points_on(mesh: TriangleMesh) -> Float[np.ndarray, "k 3"]:
    """Return the vertices, and points along the edges that are long."""
    start = mesh.corners.reshape(-1, 3)
    along = np.roll(mesh.corners, -1, axis=1).reshape(-1, 3) - start
    pieces = np.linalg.norm(along, axis=1) // _STEP_MM
    pieces = np.minimum(pieces, _MOST_POINTS * pieces / max(float(pieces.sum()), 1.0)).astype(int)
    edge = np.repeat(np.arange(len(start)), pieces)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 1
    between = start[edge] + (step / (pieces[edge] + 1))[:, None] * along[edge]
    return np.concatenate([mesh.vertices, between])


class _Bone:
    """A closed bone that is asked how deep points lie in it."""

    def __init__(self, structure: Structure) -> None:
        self.name = structure.name
        self._mesh = structure.mesh
        self._low, self._high = structure.mesh.bounds

    @cached_property
    def _exact(self) -> MeshDistance:
        return MeshDistance(self._mesh)

    @cached_property
    def _centroids(self) -> Float[np.ndarray, "m 3"]:
        return self._mesh.corners.mean(axis=1)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._centroids)

    @cached_property
    def _normals(self) -> Float[np.ndarray, "m 3"]:
        corners = self._mesh.corners
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0.0)

    def depth_mm(self, points: Points) -> float:
        """Return how deep the deepest of the points lies inside, 0 if none seems to."""
        near = self._in_box(points)
        if len(near) == 0:
            return 0.0
        found = self._tree.query(near, distance_upper_bound=_REACH_MM)
        distance, face = np.asarray(found[0]), np.asarray(found[1])
        reached = distance < _REACH_MM
        near, distance, face = near[reached], distance[reached], face[reached]
        offset = near - self._centroids[face]
        behind = np.einsum("ij,ij->i", offset, self._normals[face]) < 0.0
        likely = np.flatnonzero(behind & (distance >= SHALLOW_MM))
        deepest = likely[np.argsort(-distance[likely], kind="stable")[:_MEASURED]]
        return max((-self._exact.point(near[i])[0] for i in deepest), default=0.0)

    def _in_box(self, points: Points) -> Float[np.ndarray, "k 3"]:
        inside = np.ones(len(points), dtype=bool)
        for axis in range(3):
            column = points[:, axis]
            inside &= (column > self._low[axis]) & (column < self._high[axis])
        return points[inside]


def _overlap(bone: str, depth_mm: float) -> Problem:
    return Problem(
        code="overlaps-bone",
        severity=Severity.WARNING,
        message=f"reaches about {depth_mm:.1f} mm into {bone}; both surfaces count as they are",
    )
