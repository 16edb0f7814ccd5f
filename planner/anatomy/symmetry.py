"""The plane about which a bone is its own mirror image.

Every surface point is compared with a Gaussian average of what lies near its mirror image, along
the normal there. All points weigh in smoothly, so the plane moves continuously with the mesh, and
what has no counterpart (a callus, a missing lamina) drops out instead of tilting it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh
from planner.anatomy import _kernels

SAMPLES = 600  # beyond this the plane moves by less than the asymmetry of a healthy vertebra
COARSE_SAMPLES = 200  # enough to tell the three principal planes apart
WIDTHS_MM = (10.0, 6.0, 4.0)  # of the Gaussian, from coarse to fine
LEAN = 0.4  # part of its match that a plane across patient x loses
STEPS = 40
COARSE_STEPS = 6
SETTLED = 1e-11


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MirrorPlane:
    """A plane of symmetry.

    Attributes:
        origin_mm: A point on it: the foot of the surface's centroid.
        normal: Unit normal; its sign means nothing.
        match: How much of the surface has a counterpart on the other side, 0 to 1.
    """

    origin_mm: Point
    normal: Vector
    match: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cloud:
    """Surface points with unit normals and weights that sum to one, about their centroid."""

    points: Points
    normals: Points
    weights: Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Nearby:
    """Gaussian averages of a cloud around query points: position, normal, and total weight."""

    points: Points
    normals: Points
    weights: Float[np.ndarray, " n"]


def mirror_plane(mesh: TriangleMesh) -> MirrorPlane:
    """Return the likeliest plane of mirror symmetry."""
    return next(mirror_planes(mesh))


def mirror_planes(mesh: TriangleMesh) -> Iterator[MirrorPlane]:
    """Return planes of mirror symmetry near the principal axes and patient x, the likeliest first.

    A bone without its arch is as symmetric about other planes; among nearly equal matches the
    plane wins whose normal lies nearer to the patient's left-right axis.
    """
    cloud, centroid = _cloud(mesh, SAMPLES)
    few, _ = _cloud(mesh, COARSE_SAMPLES)
    spread = (cloud.points * cloud.weights[:, None]).T @ cloud.points
    _, axes = np.linalg.eigh(spread)
    starts = [np.append(normal, 0.0) for normal in (*axes.T, np.array([1.0, 0.0, 0.0]))]
    coarse = [_climbed(few, start, WIDTHS_MM[0], COARSE_STEPS) for start in starts]
    closer = [_climbed(cloud, plane, WIDTHS_MM[1], COARSE_STEPS) for plane in coarse]
    ranked = sorted(closer, key=lambda plane: -_likely(cloud, plane))
    return (_settled(cloud, centroid, plane) for plane in ranked)


def _settled(cloud: _Cloud, centroid: Point, plane: Float[np.ndarray, "4"]) -> MirrorPlane:
    plane = _climbed(cloud, plane, WIDTHS_MM[2], STEPS)
    return MirrorPlane(
        origin_mm=centroid + plane[3] * plane[:3],
        normal=plane[:3],
        match=_match(cloud, plane, WIDTHS_MM[2]),
    )


def _likely(cloud: _Cloud, plane: Float[np.ndarray, "4"]) -> float:
    """Return the match of a plane, less the more its normal leans away from patient x."""
    return _match(cloud, plane, WIDTHS_MM[1]) * float(1.0 - LEAN + LEAN * abs(plane[0]))


def _cloud(mesh: TriangleMesh, samples: int) -> tuple[_Cloud, Point]:
    """Take triangle centroids, thinned evenly through the list of faces."""
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    cross = np.cross(b - a, c - a)
    twice = np.linalg.norm(cross, axis=1)
    kept = np.flatnonzero(twice > 0.0)
    centroid = np.average((a + b + c)[kept] / 3.0, axis=0, weights=twice[kept])
    # an irrational stride, because a regular one would resonate with the scan lines of a voxel mesh
    golden = (np.arange(len(kept)) * 0.6180339887498949) % 1.0
    chosen = kept[np.argsort(golden, kind="stable")[:samples]]
    cloud = _Cloud(
        points=(a + b + c)[chosen] / 3.0 - centroid,
        normals=cross[chosen] / twice[chosen, None],
        weights=twice[chosen] / twice[chosen].sum(),
    )
    return cloud, centroid


def _mirrored(cloud: _Cloud, plane: Float[np.ndarray, "4"]) -> tuple[Points, Points]:
    """Mirror positions and normals in the plane ``normal . x = offset``."""
    normal = plane[:3]
    height = cloud.points @ normal - plane[3]
    turned = cloud.normals - 2.0 * (cloud.normals @ normal)[:, None] * normal
    return cloud.points - 2.0 * height[:, None] * normal, turned


def _nearby(cloud: _Cloud, points: Points, normals: Points, width_mm: float) -> _Nearby:
    """Average the cloud around points, counting only surface that faces the same way."""
    sums = np.empty((len(points), 7))
    packed = np.column_stack([cloud.points, cloud.normals, cloud.weights])
    _kernels.averages(points, normals, packed, width_mm, sums)
    total = sums[:, 6] + 1e-30
    return _Nearby(
        points=sums[:, :3] / total[:, None], normals=sums[:, 3:6] / total[:, None], weights=total
    )


def _climbed(
    cloud: _Cloud, plane: Float[np.ndarray, "4"], width_mm: float, steps: int
) -> Float[np.ndarray, "4"]:
    """Improve a plane (nx, ny, nz, offset) by Gauss-Newton steps until it settles.

    Each point is averaged with its own neighbours in the same way as its mirror image is, so that
    what averaging cuts off a curved surface cancels.
    """
    own = _nearby(cloud, cloud.points, cloud.normals, width_mm)
    for _ in range(steps):
        moved = _stepped(cloud, own, plane, width_mm)
        change = np.abs(moved - plane).max()
        plane = moved
        if change < SETTLED:
            break
    return plane


def _stepped(
    cloud: _Cloud, own: _Nearby, plane: Float[np.ndarray, "4"], width_mm: float
) -> Float[np.ndarray, "4"]:
    """Take one weighted least-squares step in the plane's tilt and offset.

    With m the mirror image of x, dm = 2 n d(offset) - 2 (t.x) n - 2 (n.x - offset) t for a tilt of
    the normal by t; the residual is measured along the normal of the surface met there.
    """
    normal, offset = plane[:3], plane[3]
    met = _nearby(cloud, *_mirrored(cloud, plane), width_mm)
    x = own.points
    height = x @ normal - offset
    images = x - 2.0 * height[:, None] * normal
    residual = np.einsum("ij,ij->i", met.normals, images - met.points)
    across = np.linalg.svd(normal[None, :])[2][1:]  # two directions to tilt in
    along = met.normals @ normal
    slopes = [-2.0 * (x @ tilt) * along - 2.0 * height * (met.normals @ tilt) for tilt in across]
    design = np.stack([*slopes, 2.0 * along], axis=1)
    trust = cloud.weights * np.minimum(1.0, met.weights / own.weights)
    weighted = design * trust[:, None]
    try:
        change = np.linalg.solve(weighted.T @ design, -weighted.T @ residual)
    except np.linalg.LinAlgError:
        return plane  # too few faces to tell a tilt from a shift
    turned = unit(normal + change[:2] @ across)
    return np.append(turned, offset + change[2])


def _match(cloud: _Cloud, plane: Float[np.ndarray, "4"], width_mm: float) -> float:
    """Return the density met at the mirror images, relative to that at the points themselves."""
    own = _nearby(cloud, cloud.points, cloud.normals, width_mm)
    met = _nearby(cloud, *_mirrored(cloud, plane), width_mm)
    return float(np.minimum(1.0, met.weights / own.weights) @ cloud.weights)
