"""Closed tubes through rings of points: the shape of what is derived rather than segmented."""

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh, triangle_mesh

SEGMENTS = 32
TURN = 2.0 * np.pi * np.arange(SEGMENTS) / SEGMENTS


def ring(
    centre_mm: Point, first: Vector, second: Vector, first_mm: float, second_mm: float
) -> Float[np.ndarray, "k 3"]:
    """Return an ellipse's circumscribed polygon, so that the tube holds the true one.

    Args:
        centre_mm: Its centre.
        first: Unit axis at which it starts.
        second: The other unit axis.
        first_mm: Half extent along ``first``.
        second_mm: Half extent along ``second``.
    """
    outside = 1.0 / np.cos(np.pi / SEGMENTS)
    along = first_mm * np.cos(TURN)[:, None] * first + second_mm * np.sin(TURN)[:, None] * second
    return centre_mm + outside * along


def tube_through(rings: Float[np.ndarray, "n k 3"]) -> TriangleMesh:
    """Return the closed surface through consecutive rings, wound outward, with flat ends.

    Args:
        rings: At least two, each with its points in the same order around the tube, mm.
    """
    count, around = rings.shape[:2]
    here = np.arange(around)
    following = np.roll(here, -1)
    wall = np.concatenate([
        np.stack([here, following, following + around], axis=1),
        np.stack([here, following + around, here + around], axis=1),
    ])  # fmt: skip
    middle, last = count * around, (count - 1) * around
    faces = np.concatenate([
        *(wall + k * around for k in range(count - 1)),
        np.stack([following, here, np.full(around, middle)], axis=1),
        np.stack([here + last, following + last, np.full(around, middle + 1)], axis=1),
    ])  # fmt: skip
    ends = rings[[0, -1]].mean(axis=1)
    mesh = triangle_mesh(np.concatenate([rings.reshape(-1, 3), ends]), faces)
    return mesh if mesh.volume_mm3 > 0.0 else triangle_mesh(mesh.vertices, faces[:, ::-1])


def round_tube(points_mm: Points, across: Vector, radius_mm: float) -> TriangleMesh:
    """Return a bar that holds the cylinders along a line with corners, without their end caps.

    Args:
        points_mm: At least two points of its middle line, which nowhere turns sharply.
        across: A direction nowhere along it, which the first point of each ring looks to.
        radius_mm: Of the cylinders.
    """
    steps = np.diff(points_mm, axis=0)
    ways = steps / np.linalg.norm(steps, axis=1)[:, None]
    rings = []
    for point, before, after in zip(points_mm, [ways[0], *ways], [*ways, ways[-1]], strict=True):
        along = unit(before + after)
        first = unit(across - (across @ along) * along)
        wide = radius_mm / float(along @ after)  # a mitre is longer than the bar is thick
        rings.append(ring(point, first, np.cross(along, first), wide, wide))
    return tube_through(np.stack(rings))
