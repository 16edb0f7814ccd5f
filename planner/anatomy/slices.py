"""Many parallel sections of a mesh at once, by their measures only: no outline is put together.

Area and centroid follow from the pieces that a plane cuts out of the triangles, in any order
(Green's theorem), so a thousand sections cost about as much as one pass over the triangles.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from geometry.arrays import Faces, Point, Points, Vector
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.mesh_check.edges import edges_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slices:
    """Measures of sections across a line, one per station that cuts the mesh.

    Attributes:
        along: Distance of the station along the line, ascending, mm.
        areas: Area of the section, overlapping parts counted as often as they overlap, mm2.
        mean_radii: Mean distance of the outline from the line, mm.
        reaches: Largest distance of the outline from the line, mm.
        centroids: Centroids of the sections, in the frame of the mesh, mm.
    """

    along: Float[np.ndarray, " k"]
    areas: Float[np.ndarray, " k"]
    mean_radii: Float[np.ndarray, " k"]
    reaches: Float[np.ndarray, " k"]
    centroids: Points


def frame_along(axis: Vector) -> tuple[Vector, Vector]:
    """Return two unit vectors across a unit axis; with it, in this order, they are right-handed."""
    helper = np.zeros(3)
    helper[int(np.argmin(np.abs(axis)))] = 1.0
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)


def slices(mesh: TriangleMesh, origin: Point, axis: Vector, *, spacing_mm: float) -> Slices:
    """Cut across a line at even distances over the whole length of a mesh.

    Args:
        mesh: Wound outward.
        origin: A point of the line.
        axis: The line's unit direction.
        spacing_mm: About the distance between sections.
    """
    across = np.stack(frame_along(axis), axis=1)
    offset = mesh.vertices - origin
    height, flat = offset @ axis, offset @ across
    low, high = float(height.min()), float(height.max())
    count = max(1, int(np.ceil((high - low) / spacing_mm)))
    step = max((high - low) / count, 1e-9)
    start = low + 0.5 * step
    station, p, q = _pieces(height, flat, mesh.faces, start, step, count)
    length = np.linalg.norm(q - p, axis=1)
    doubled = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    radius = np.linalg.norm(p, axis=1)
    area = 0.5 * np.bincount(station, doubled, count)
    rim = np.bincount(station, length, count)
    reach = np.zeros(count)
    np.maximum.at(reach, station, radius)
    moment = np.stack(
        [np.bincount(station, (p + q)[:, i] * doubled, count) / 6.0 for i in (0, 1)], axis=1
    )
    mean = np.bincount(station, 0.5 * (radius + np.linalg.norm(q, axis=1)) * length, count)
    some = area > 1e-3
    along = (start + step * np.arange(count))[some]
    middle = moment[some] / area[some, None]
    return Slices(
        along=along,
        areas=area[some],
        mean_radii=mean[some] / rim[some],
        reaches=reach[some],
        centroids=origin + along[:, None] * axis + middle @ across.T,
    )


def _pieces(
    height: Float[np.ndarray, " n"],
    flat: Float[np.ndarray, "n 2"],
    faces: Faces,
    start: float,
    step: float,
    count: int,
) -> tuple[Int[np.ndarray, " c"], Float[np.ndarray, "c 2"], Float[np.ndarray, "c 2"]]:
    """Return each piece of outline: its station and its two ends, the solid on its left."""
    place = (height[faces] - start) / step
    order = np.argsort(place, axis=1, kind="stable")
    # the parity of sorting the corners says on which side of the piece the solid lies
    even = (order[:, 1] - order[:, 0]) % 3 == 1
    place = np.take_along_axis(place, order, axis=1)
    corners = flat[np.take_along_axis(faces, order, axis=1)]
    first = np.maximum(np.floor(place[:, 0]).astype(np.int64) + 1, 0)
    last = np.minimum(np.floor(place[:, 2]).astype(np.int64), count - 1)
    times = np.maximum(last - first + 1, 0)
    face = np.repeat(np.arange(len(faces)), times)
    station = first[face] + np.arange(len(face)) - np.repeat(np.cumsum(times) - times, times)
    (a, b, c), (pa, pb, pc) = place[face].T, np.moveaxis(corners[face], 1, 0)
    long = pa + ((station - a) / (c - a))[:, None] * (pc - pa)
    upper = station >= b
    low, high = np.where(upper, b, a), np.where(upper, c, b)
    share = (station - low) / np.where(high > low, high - low, 1.0)
    start_point, end_point = np.where(upper[:, None], pb, pa), np.where(upper[:, None], pc, pb)
    short = start_point + share[:, None] * (end_point - start_point)
    # corners in counter-clockwise order a, b, c rising: the long edge ends the piece
    turned = even[face][:, None]
    return station, np.where(turned, long, short), np.where(turned, short, long)


def part_of(mesh: TriangleMesh, chosen: Bool[np.ndarray, " m"]) -> TriangleMesh:
    """Return some of a mesh's faces as a mesh of their own."""
    used, index = np.unique(mesh.faces[chosen], return_inverse=True)
    return triangle_mesh(mesh.vertices[used], index.reshape(-1, 3))


def capped(mesh: TriangleMesh) -> TriangleMesh:
    """Return a mesh with every open rim closed by a fan about the rim's middle.

    A scan that ends in the middle of an implant leaves it open there; the fan is where it ended.
    """
    if mesh.is_closed or len(mesh.faces) == 0:
        return mesh
    edges = edges_of(mesh.faces)
    rim = edges.open
    if not rim.any():
        return mesh
    start, end = edges.start[rim], edges.end[rim]
    follows = dict(zip(start.tolist(), end.tolist(), strict=True))
    label = np.zeros(len(mesh.vertices), dtype=np.int64)
    count = 0
    while follows:
        count += 1
        at: int | None = next(iter(follows))
        while at is not None and at in follows:
            label[at] = count
            at = follows.pop(at)
    loop = label[start] - 1
    size = np.bincount(loop, minlength=count)
    middles = np.stack(
        [np.bincount(loop, mesh.vertices[start, i], count) / size for i in range(3)], axis=1
    )
    fans = np.stack([end, start, len(mesh.vertices) + loop], axis=1)
    return triangle_mesh(
        np.concatenate([mesh.vertices, middles]), np.concatenate([mesh.faces, fans])
    )
