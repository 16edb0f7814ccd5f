"""Exact distances between straight segments and meshes, with both closest points.

"Exact" means float64 arithmetic on the mesh's own triangles, no sampling and no grid.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from geometry import _kernels
from geometry.arrays import Point, Points, frozen
from geometry.mesh import TriangleMesh

# Inside a mesh the deepest point of the axis is found by bisection to this accuracy, mm.
DEPTH_TOLERANCE_MM = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDistance:
    """How near a segment comes to a surface.

    Attributes:
        distance_mm: Smallest signed distance from a point of the segment to the surface: negative
            inside a closed mesh (minus the depth of the deepest point), never negative for an
            open one.
        fraction: Where on the segment, 0 at its start, 1 at its end.
        on_segment_mm: That point of the segment.
        on_mesh_mm: The closest point of the surface to it.
    """

    distance_mm: float
    fraction: float
    on_segment_mm: Point
    on_mesh_mm: Point


def triangle_tree(
    corners: Float[np.ndarray, "m 3 3"],
    offset_mm: Float[np.ndarray, " m"],
    owner: np.ndarray,
) -> _kernels.Tree:
    """Build a tree over triangles with an offset (mm) and an owner each."""
    order = _kernels.build_order(np.ascontiguousarray(corners, dtype=np.float64))
    ordered = np.ascontiguousarray(corners[order], dtype=np.float64)
    offset = np.ascontiguousarray(offset_mm[order], dtype=np.float64)
    lanes, boxes, first, count = _kernels.build_nodes(ordered)
    return _kernels.Tree(
        lanes, boxes, _kernels.node_slack(first, count, offset), first, count,
        ordered, offset, owner[order].astype(np.int32), order.astype(np.int64),
    )  # fmt: skip


class MeshDistance:
    """Distance queries on one mesh, in the mesh's frame."""

    def __init__(self, mesh: TriangleMesh) -> None:
        count = len(mesh.faces)
        self._mesh = mesh
        self._low, self._high = mesh.bounds
        self._tree = triangle_tree(mesh.corners, np.zeros(count), np.zeros(count, dtype=np.int32))

    @property
    def mesh(self) -> TriangleMesh:
        """The mesh that is measured."""
        return self._mesh

    @property
    def tree(self) -> _kernels.Tree:
        """The triangle tree behind the queries, for compiled callers."""
        return self._tree

    def contains(self, point: Point) -> bool:
        """Whether a point lies inside; an open mesh contains nothing (winding number > 1/2)."""
        outside = np.any(point < self._low) or np.any(point > self._high)
        if outside or not self._mesh.is_closed:
            return False
        x, y, z = (float(c) for c in point)
        return bool(_kernels.contains(self._tree, x, y, z))

    def point(self, point: Point) -> tuple[float, Point]:
        """Return the signed distance of a point (mm) and the closest point of the surface."""
        x, y, z = (float(c) for c in point)
        value, _, qx, qy, qz = _kernels.point_query(self._tree, x, y, z, _kernels.FAR)
        sign = -1.0 if self.contains(point) else 1.0
        return sign * value, frozen([qx, qy, qz])

    def crossings(self, start: Point, end: Point) -> Float[np.ndarray, " k"]:
        """Return the sorted fractions at which a segment pierces the surface."""
        return _kernels.segment_crossings(self._tree, _writable(start), _writable(end))

    def pierced_by(
        self, starts: Float[np.ndarray, "n 3"], ends: Float[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, " n"]:
        """Tell of each of many segments whether it pierces the surface."""
        return _kernels.pierced_by(
            self._tree, np.ascontiguousarray(starts), np.ascontiguousarray(ends)
        )

    def segment(self, start: Point, end: Point) -> SegmentDistance:
        """Return the smallest signed distance between a segment and the surface."""
        start, end = _writable(start), _writable(end)
        inside = self._inside_intervals(start, end)
        if not inside:
            value, _, s, qx, qy, qz = _kernels.segment_query(self._tree, start, end, _kernels.FAR)
            return SegmentDistance(
                distance_mm=float(value), fraction=float(s),
                on_segment_mm=frozen(start + s * (end - start)), on_mesh_mm=frozen([qx, qy, qz]),
            )  # fmt: skip
        return self._deepest(start, end, inside)

    def path(self, points: Points) -> tuple[SegmentDistance, int]:
        """Return the smallest signed distance along a polyline and the index of its piece."""
        pieces = [self.segment(a, b) for a, b in pairwise(points)]
        best = min(range(len(pieces)), key=lambda i: pieces[i].distance_mm)
        return pieces[best], best

    def _inside_intervals(self, start: Point, end: Point) -> list[tuple[float, float]]:
        """List the stretches (fractions) of a segment that lie inside the closed mesh."""
        if not self._mesh.is_closed:
            return []
        crossings = self.crossings(start, end)
        cuts = np.unique(np.concatenate([[0.0], crossings, [1.0]]))
        return [
            (float(a), float(b))
            for a, b in pairwise(cuts)
            if self.contains(start + 0.5 * (a + b) * (end - start))
        ]

    def _deepest(
        self, start: Point, end: Point, inside: list[tuple[float, float]]
    ) -> SegmentDistance:
        best, at = max(
            _kernels.farthest_on_segment(self._tree, start, end, a, b, DEPTH_TOLERANCE_MM)
            for a, b in inside
        )
        point = start + at * (end - start)
        x, y, z = (float(c) for c in point)
        _, _, qx, qy, qz = _kernels.point_query(self._tree, x, y, z, _kernels.FAR)
        return SegmentDistance(
            distance_mm=-float(best), fraction=float(at),
            on_segment_mm=frozen(point), on_mesh_mm=frozen([qx, qy, qz]),
        )  # fmt: skip


def _writable(point: Point) -> Point:
    """Return a copy that loops take as it is: read-only arrays would be compiled for once more."""
    return np.array(point, dtype=np.float64)
