"""Obstacles that reach into bone, as segmentations of neighbours do: told by name and depth."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from geometry.arrays import Points
from geometry.exact import MeshDistance
from geometry.mesh import Problem, Severity
from planner.case import BONE, Kind, Structure

OBSTACLES = frozenset({
    Kind.CANAL, Kind.NERVE_ROOT, Kind.PLEURA, Kind.VESSEL, Kind.SEGMENTAL_VESSEL, Kind.ORGAN,
})  # fmt: skip
SHALLOW_MM = 0.5
# So many of the vertices that seem deepest are measured exactly, among those this near a face.
_MEASURED = 24
_REACH_MM = 12.0


def with_overlaps(structures: Sequence[Structure]) -> tuple[Structure, ...]:
    """Return the structures, with a problem for every bone that an obstacle reaches into."""
    bones = [_Bone(s) for s in structures if s.kind in BONE and s.mesh.is_closed]
    found = []
    for structure in structures:
        problems = []
        for bone in bones if structure.kind in OBSTACLES else ():
            depth = bone.depth_mm(structure.mesh.vertices)
            if depth >= SHALLOW_MM:
                problems.append(_overlap(bone.name, depth))
        found.append(replace(structure, problems=(*structure.problems, *problems)))
    return tuple(found)


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
        distance, face = self._tree.query(near, distance_upper_bound=_REACH_MM)
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
