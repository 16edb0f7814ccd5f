"""Cylinders, tubes, boxes and ellipsoids as closed, outward triangle meshes, mm.

Round shapes are tessellated so that half of each facet's sagitta lies outside the true surface and
half inside: the largest error is ``radius * (1 - cos(pi/128)) / (1 + cos(pi/128))``, that is
0.00015 radius, 0.0006 mm for an 8 mm screw.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from geometry.arrays import Faces, Point, Points, Rotation, Vector, unit
from geometry.mesh import MeshError, TriangleMesh, triangle_mesh

SEGMENTS = 128
_BALANCE = 2.0 / (1.0 + np.cos(np.pi / SEGMENTS))
_LATITUDES = 64
_LARGEST_MM = 3000.0
_UPRIGHT = np.eye(3)
_BOX_FACES = np.array([
    [0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4],
    [2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5],
])  # fmt: skip


def cylinder(start_mm: Point, end_mm: Point, diameter_mm: float) -> TriangleMesh:
    """Return a straight round bar with flat ends.

    Raises:
        MeshError: ``coincident-points``, ``non-finite`` or ``implausible-size``.
    """
    return tube(np.stack([np.asarray(start_mm), np.asarray(end_mm)]), diameter_mm)


def tube(points_mm: Points, diameter_mm: float) -> TriangleMesh:
    """Return a round bar along a polyline, with mitred joints and flat ends.

    Raises:
        MeshError: ``coincident-points`` for neighbours less than 0.001 mm apart, ``sharp-bend``
            where a joint's mitre would reach past the next one, ``non-finite`` or
            ``implausible-size``.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    _require_finite(points)
    _require_size(diameter_mm, "a diameter")
    if len(points) < 2:
        raise MeshError("coincident-points", "a bar needs at least two different points")
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    if float(lengths.min()) < 1e-3:
        at = int(lengths.argmin())
        raise MeshError(
            "coincident-points",
            f"points {at} and {at + 1} of the bar are {lengths[at]:.2g} mm apart; remove one",
        )
    directions = steps / lengths[:, None]
    _require_gentle_bends(directions, lengths, diameter_mm / 2.0)
    rings = _rings(points, directions, diameter_mm / 2.0 * _BALANCE)
    vertices = np.concatenate([rings.reshape(-1, 3), points[[0, -1]]])
    return triangle_mesh(vertices, _bar_faces(len(points)))


def box(centre_mm: Point, size_mm: Vector, axes: Rotation = _UPRIGHT) -> TriangleMesh:
    """Return a box.

    Args:
        centre_mm: Its centre.
        size_mm: Its full extents along its own axes, each > 0.
        axes: Its unit axes, one per row, right-handed.

    Raises:
        MeshError: ``non-finite``, ``implausible-size`` or ``bad-axes``.
    """
    _require_placement(centre_mm, size_mm, axes)
    corners = np.array([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
    vertices = (corners * np.asarray(size_mm)) @ np.asarray(axes) + np.asarray(centre_mm)
    return triangle_mesh(vertices, _BOX_FACES)


def ellipsoid(centre_mm: Point, radii_mm: Vector, axes: Rotation = _UPRIGHT) -> TriangleMesh:
    """Return an ellipsoid as 128 meridians and 64 parallels.

    Args:
        centre_mm: Its centre.
        radii_mm: Its half extents along its own axes, each > 0.
        axes: Its unit axes, one per row, right-handed.

    Raises:
        MeshError: ``non-finite``, ``implausible-size`` or ``bad-axes``.
    """
    _require_placement(centre_mm, radii_mm, axes)
    polar = np.pi * np.arange(1, _LATITUDES) / _LATITUDES
    turn = 2.0 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    parallels = np.concatenate(
        [
            np.sin(polar)[:, None, None] * ring[None],
            np.broadcast_to(np.cos(polar)[:, None, None], (len(polar), SEGMENTS, 1)),
        ],
        axis=2,
    )
    poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    # Half way between inscribed and circumscribed, over the facet's middle in both directions.
    balance = 2.0 / (1.0 + np.cos(np.pi / SEGMENTS) * np.cos(np.pi / (2 * _LATITUDES)))
    sphere = balance * np.concatenate([parallels.reshape(-1, 3), poles])
    vertices = (sphere * np.asarray(radii_mm)) @ np.asarray(axes) + np.asarray(centre_mm)
    return triangle_mesh(vertices, _bar_faces(len(polar))[:, ::-1])


def _rings(
    points: Points, directions: Float[np.ndarray, "s 3"], radius: float
) -> Float[np.ndarray, "n r 3"]:
    """Return one ring per point; at joints it lies in the mitre plane."""
    turn = 2.0 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    across = _perpendicular(directions[0])
    beside = np.cross(directions[0], across)
    offsets = radius * (np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * beside)
    rings = [points[0] + offsets]
    for point, (before, after) in zip(points[1:-1], pairwise(directions), strict=True):
        mitre = unit(before + after)
        slide = -(offsets @ mitre) / float(before @ mitre)
        ring = offsets + slide[:, None] * before
        rings.append(point + ring)
        # The mitre is a mirror between both bars, so that the ring fits the next one too.
        offsets = ring - (ring @ after)[:, None] * after
    rings.append(points[-1] + offsets)
    return np.stack(rings)


def _bar_faces(rings: int) -> Faces:
    """Return the faces of stacked rings with a centre vertex at either end, outward."""
    here = np.arange(SEGMENTS)
    following = np.roll(here, -1)
    side = np.concatenate([
        np.stack([here, following, following + SEGMENTS], axis=1),
        np.stack([here, following + SEGMENTS, here + SEGMENTS], axis=1),
    ])  # fmt: skip
    walls = [side + SEGMENTS * ring for ring in range(rings - 1)]
    last, centre = SEGMENTS * (rings - 1), SEGMENTS * rings
    ends: list[Int[np.ndarray, "m 3"]] = [
        np.stack([following, here, np.full(SEGMENTS, centre)], axis=1),
        np.stack([here + last, following + last, np.full(SEGMENTS, centre + 1)], axis=1),
    ]
    return np.concatenate([*walls, *ends])


def _perpendicular(direction: Vector) -> Vector:
    axis = np.zeros(3)
    axis[int(np.abs(direction).argmin())] = 1.0
    return unit(np.cross(direction, axis))


def _require_gentle_bends(
    directions: Float[np.ndarray, "s 3"], lengths: Float[np.ndarray, " s"], radius: float
) -> None:
    cosines = np.clip(np.einsum("ij,ij->i", directions[:-1], directions[1:]), -1.0, 1.0)
    angles = np.arccos(cosines)
    reach = np.concatenate([[0.0], radius * np.tan(np.minimum(angles, 3.1) / 2.0), [0.0]])
    short = np.flatnonzero(reach[:-1] + reach[1:] >= lengths)
    if len(short):
        at = int(short[0])
        raise MeshError(
            "sharp-bend",
            f"the bar bends too sharply for its thickness between points {at} and {at + 1}, "
            f"{lengths[at]:.2f} mm apart; give its centreline in larger or smoother steps",
        )


def _require_placement(centre: Point, size: Vector, axes: Rotation) -> None:
    _require_finite(np.asarray(centre))
    _require_finite(np.asarray(axes))
    for extent in np.asarray(size):
        _require_size(float(extent), "an extent")
    rotation = np.asarray(axes, dtype=np.float64)
    off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if off > 1e-6 or np.linalg.det(rotation) < 0.0:
        raise MeshError("bad-axes", "axes must be three perpendicular unit rows, right-handed")


def _require_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all() or np.abs(values).max(initial=0.0) > 1e6:
        raise MeshError("non-finite", "every coordinate of a solid must be finite, at most 1e6 mm")


def _require_size(size_mm: float, what: str) -> None:
    if not 0.0 < size_mm <= _LARGEST_MM:
        raise MeshError(
            "implausible-size", f"{what} of {size_mm} mm is not between 0 and {_LARGEST_MM:.0f} mm"
        )
