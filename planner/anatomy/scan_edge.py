"""Where a bone is cut off flat, as it is at the edge of a scan.

Bone ends in rounded shapes: a plane that slides inward from its last point meets ever more of it.
A cut shows most of its area at once.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Rotation, Vector
from geometry.mesh import TriangleMesh

LEAST_MM2 = 50.0  # a smaller cut loses a tip of bone
DEPTHS_MM = (0.35, 2.2)  # inward of the last point, where the areas are compared
GROWTH = 2.2  # of the area between them that rounded bone exceeds
ALIKE = 0.02  # between unit normals of one flat surface
FLATTEST = 4
PATIENT = np.eye(3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutEdge:
    """A flat end of a bone.

    Attributes:
        outward: Unit normal, away from the bone.
        points: Points of the bone's surface on the cut, in its frame, mm.
    """

    outward: Vector
    points: Points

    def within(self, centre: Point, axes: Rotation, half: Point) -> bool:
        """Tell whether some of the cut lies in a box: centre, axes (rows), half extents, mm."""
        local = np.abs((self.points - centre) @ axes.T)
        return bool((local <= half).all(axis=1).any())


def cut_edges(mesh: TriangleMesh, axes: Rotation) -> tuple[CutEdge, ...]:
    """Find where a bone is cut off flat.

    Args:
        mesh: The bone, patient LPS, mm.
        axes: Its own axes, one per row.
    """
    found: list[CutEdge] = []
    used = np.unique(mesh.faces)
    for outward in (*PATIENT, *-PATIENT, *axes, *-axes, *_flattest(mesh)):
        if any(outward @ other.outward > 0.98 for other in found):
            continue
        height = mesh.vertices @ outward
        end = float(height[used].max())
        shallow, deep = (_area(mesh, height - (end - depth), outward) for depth in DEPTHS_MM)
        if shallow > LEAST_MM2 and deep < GROWTH * shallow:
            last = height > end - DEPTHS_MM[0]
            middles = mesh.corners[last[mesh.faces].all(axis=1)].mean(axis=1)
            points = np.concatenate([mesh.vertices[last], middles])
            found.append(CutEdge(outward=outward, points=points))
    return tuple(found)


def _flattest(mesh: TriangleMesh) -> Points:
    """Return the few directions that the most surface faces, exactly alike."""
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    cross = np.cross(b - a, c - a)
    twice = np.linalg.norm(cross, axis=1)
    normals = cross / np.maximum(twice, 1e-12)[:, None]
    cells, index = np.unique(np.round(normals / ALIKE), axis=0, return_inverse=True)
    total = np.bincount(index.ravel(), twice, len(cells))
    sums = np.stack([np.bincount(index.ravel(), column, len(cells)) for column in cross.T], axis=1)
    most = np.argsort(-total, kind="stable")[:FLATTEST]
    return sums[most] / np.linalg.norm(sums[most], axis=1, keepdims=True)


def _area(mesh: TriangleMesh, height: Float[np.ndarray, " n"], normal: Vector) -> float:
    """Return the area of all bone where ``height`` is zero, mm2, holes taken out."""
    above = height >= 0.0
    first, second, third = above[mesh.faces].T
    faces = mesh.faces[(first != second) | (first != third)]
    if len(faces) == 0:
        return 0.0
    following = np.roll(faces, -1, axis=1)
    ends = []
    for change in (above[faces] & ~above[following], ~above[faces] & above[following]):
        a, b = faces[change], following[change]
        share = (height[a] / (height[a] - height[b]))[:, None]
        ends.append(mesh.vertices[a] * (1.0 - share) + mesh.vertices[b] * share)
    middle = ends[0].mean(axis=0)
    return float(0.5 * (np.cross(ends[0] - middle, ends[1] - middle) @ normal).sum())
