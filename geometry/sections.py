"""Plane sections of triangle meshes, as polygons in the coordinates of the plane.

A vertex that lies exactly in the plane counts as lying above it, everywhere. Each crossed triangle
then gives exactly one piece of outline between two crossed edges, and pieces are joined by the
edges they share, never by comparing coordinates; no tolerance is needed.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Bool, Float, Int
from shapely import MultiPolygon, Polygon

from geometry.arrays import Point, Vector, unit
from geometry.mesh import TriangleMesh


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """A plane with coordinates: ``point = origin_mm + u * x_axis + v * y_axis``.

    Attributes:
        origin_mm: Where (u, v) is (0, 0).
        x_axis: Unit axis of u.
        y_axis: Unit axis of v, orthogonal to ``x_axis``.
    """

    origin_mm: Point
    x_axis: Vector
    y_axis: Vector

    @property
    def normal(self) -> Vector:
        """Return ``x_axis`` x ``y_axis``."""
        return _cross(self.x_axis, self.y_axis)

    def lifted(self, u: float, v: float) -> Point:
        """Return the point with plane coordinates (u, v), mm."""
        return self.origin_mm + u * self.x_axis + v * self.y_axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a plane cuts out of a solid.

    Attributes:
        polygons: The pieces, largest first, in plane coordinates, mm, with their holes.
        open_chains: How many outlines did not close because the mesh is open there. Such an
            outline is closed by a straight line if it is longer than its gap, else left out.
    """

    polygons: tuple[Polygon, ...]
    open_chains: int

    @property
    def area_mm2(self) -> float:
        """Total area, mm2."""
        return float(sum(p.area for p in self.polygons))

    def at(self, u: float, v: float) -> Polygon | None:
        """Return the piece whose outer contour contains or is nearest to (u, v), if any."""
        if not self.polygons:
            return None
        point = shapely.Point(u, v)
        return min(self.polygons, key=lambda p: (p.distance(point), -p.area))


def plane_through(origin_mm: Point, normal: Vector, up: Vector) -> Plane:
    """Return the plane with this normal whose y axis is ``up`` projected into it.

    Raises:
        ValueError: If ``up`` is parallel to ``normal``.
    """
    n = unit(normal)
    y_axis = unit(up - (up @ n) * n)
    return Plane(origin_mm=np.asarray(origin_mm), x_axis=_cross(y_axis, n), y_axis=y_axis)


def _cross(a: Vector, b: Vector) -> Vector:
    """Return a x b of two vectors, several times faster than numpy's function for arrays."""
    (a0, a1, a2), (b0, b1, b2) = a.tolist(), b.tolist()
    return np.array([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0])


def section(mesh: TriangleMesh, plane: Plane) -> Section:
    """Cut a mesh with a plane.

    Args:
        mesh: Wound outward; overlapping closed parts count as their union.
        plane: In the frame of the mesh, mm.

    Returns:
        The pieces in plane coordinates; no pieces if the plane misses the mesh.
    """
    height = (mesh.vertices - plane.origin_mm) @ plane.normal
    above = height >= 0.0
    first, second, third = (above[mesh.faces[:, i]] for i in range(3))
    crossed = mesh.faces[(first != second) | (first != third)]
    if len(crossed) == 0:
        return Section(polygons=(), open_chains=0)
    starts, ends, edges = _crossings(crossed, above, len(mesh.vertices))
    low, high = edges[:, 0], edges[:, 1]
    share = (height[low] / (height[low] - height[high]))[:, None]
    points = mesh.vertices[low] * (1.0 - share) + mesh.vertices[high] * share
    axes = np.stack([plane.x_axis, plane.y_axis], axis=1)
    outline = (points - plane.origin_mm) @ axes
    loops, open_chains = _loops(starts, ends, outline)
    return Section(polygons=_polygons(loops), open_chains=open_chains)


def _crossings(
    faces: Int[np.ndarray, "m 3"], above: Bool[np.ndarray, " n"], n: int
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Int[np.ndarray, "e 2"]]:
    """Return, per crossed face, the crossed edges where its piece starts and ends.

    Walking a face counter-clockwise, the outline runs from the edge that goes down to the edge
    that goes up, which keeps the solid on its left seen against the normal.
    """
    following = np.roll(faces, -1, axis=1)
    rises = ~above[faces] & above[following]
    falls = above[faces] & ~above[following]
    keys = np.minimum(faces, following) * n + np.maximum(faces, following)
    both = np.concatenate([keys[falls], keys[rises]])
    unique, index = np.unique(both, return_inverse=True)
    m = len(faces)
    return index[:m], index[m:], np.stack([unique // n, unique % n], axis=1)


def _loops(
    starts: Int[np.ndarray, " m"], ends: Int[np.ndarray, " m"], outline: Float[np.ndarray, "e 2"]
) -> tuple[list[Float[np.ndarray, "_ 2"]], int]:
    """Join pieces that share an edge into outlines; count the ones that do not close."""
    onward: dict[int, list[int]] = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        onward.setdefault(start, []).append(end)
    loops: list[Float[np.ndarray, "_ 2"]] = []
    open_chains = 0
    heads = sorted(set(onward) - set(ends.tolist()))  # open chains first, from their beginning
    for first in [*heads, *sorted(onward)]:
        while onward.get(first):
            chain = _walk(onward, first)
            closed = chain[0] == chain[-1]
            open_chains += not closed
            loop = outline[chain[:-1] if closed else chain]
            if len(loop) >= 3 and (closed or _gap_is_short(loop)):
                loops.append(loop)
    return loops, open_chains


def _walk(onward: dict[int, list[int]], first: int) -> list[int]:
    """Follow the pieces from ``first``, using each once, until they return or end."""
    chain = [first]
    while onward.get(chain[-1]):
        chain.append(onward[chain[-1]].pop())
        if chain[-1] == first:
            break
    return chain


def _gap_is_short(chain: Float[np.ndarray, "_ 2"]) -> bool:
    """Tell whether an open outline is longer than the straight line that would close it."""
    steps = np.linalg.norm(np.diff(chain, axis=0), axis=1)
    return bool(np.linalg.norm(chain[-1] - chain[0]) < 0.5 * steps.sum())


def _polygons(loops: list[Float[np.ndarray, "_ 2"]]) -> tuple[Polygon, ...]:
    """Add counter-clockwise outlines and take clockwise ones out, from large to small."""
    areas = [_signed_area(loop) for loop in loops]
    solid = Polygon()
    for index in sorted(range(len(loops)), key=lambda i: -abs(areas[i])):
        piece = shapely.make_valid(Polygon(loops[index]), method="structure")
        solid = solid.union(piece) if areas[index] > 0.0 else solid.difference(piece)
    pieces = solid.geoms if hasattr(solid, "geoms") else (solid,)
    found = [p for p in pieces if isinstance(p, Polygon) and p.area > 0.0]
    return tuple(sorted(found, key=lambda p: -p.area))


def _signed_area(loop: Float[np.ndarray, "_ 2"]) -> float:
    """Return the area inside a closed outline, mm2, positive if counter-clockwise."""
    x, y = (loop - loop[0]).T
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def filled(polygon: Polygon) -> Polygon:
    """Return the polygon without its holes, so that a screw's hole counts as bone."""
    return Polygon(polygon.exterior)


def parts(geometry: Polygon | MultiPolygon) -> tuple[Polygon, ...]:
    """Return the polygons that a planar geometry consists of, largest first."""
    pieces = geometry.geoms if hasattr(geometry, "geoms") else (geometry,)
    found = [p for p in pieces if isinstance(p, Polygon) and not p.is_empty]
    return tuple(sorted(found, key=lambda p: -p.area))
