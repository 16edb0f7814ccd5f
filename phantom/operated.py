"""Operated and broken vertebrae: a drawn one with something taken away or added.

Every function takes a drawn vertebra and returns a field in its frame of building, so that its
pedicles stay where they were drawn wherever the change leaves them alone.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from geometry.arrays import Point, Points, Vector
from phantom.implicit import Field, Values, ellipsoid_distance, smooth_cut, smooth_union
from phantom.vertebra import VertebraShape
from planner.case import Side

Region = Callable[[Points], Values]
Operation = Callable[[VertebraShape], Field]


def without(shape: VertebraShape, region: Region) -> Field:
    """Return the bone without a region, given by a field that is negative in it."""
    return lambda points: smooth_cut(shape.distance(points), region(points), 0.4)


def grown(shape: VertebraShape, region: Region) -> Field:
    """Return the bone with a region joined to it."""
    return lambda points: smooth_union(shape.distance(points), region(points), 2.0)


def ball(centre: Point, radii: Point) -> Region:
    """Return an ellipsoid along the axes of the frame of building."""

    def region(points: Points) -> Values:
        x, y, z = (points - centre).T
        a, b, c = (np.full(len(points), radius) for radius in radii)
        return ellipsoid_distance(x, y, z, (a, b, c))

    return region


def channel(start: Point, along: Vector, length_mm: float, radius_mm: float) -> Region:
    """Return a bar with flat ends, as a drill leaves it."""

    def region(points: Points) -> Values:
        offset = points - start
        travel = offset @ along
        aside = np.linalg.norm(offset - travel[:, None] * along, axis=1) - radius_mm
        return np.maximum(aside, np.maximum(-travel, travel - length_mm))

    return region


def behind(shape: VertebraShape, beyond_mm: float) -> Region:
    """Return all that lies farther back than ``beyond_mm`` behind the isthmuses."""
    start = shape.pedicles[Side.LEFT].centre[1] + beyond_mm
    return lambda points: start - points[:, 1]


def beyond(axis: int, sign: float, level_mm: float) -> Region:
    """Return the half space beyond a level along one axis, as the edge of a scan takes it."""
    return lambda points: level_mm - sign * points[:, axis]


def lamina_removed(shape: VertebraShape) -> Field:
    """Take the laminae and the spinous process between the pedicles."""
    pedicle = shape.pedicles[Side.LEFT]
    half = pedicle.centre[0] - 0.45 * pedicle.width_mm
    rear = behind(shape, 6.0)
    return without(shape, lambda p: np.maximum(np.abs(p[:, 0]) - half, rear(p)))


def facets_removed(shape: VertebraShape) -> Field:
    """Take everything from the facets backwards, on both sides."""
    return without(shape, behind(shape, 8.0))


def one_side_removed(shape: VertebraShape) -> Field:
    """Take the left half of the arch behind the pedicle."""
    rear = behind(shape, 6.0)
    return without(shape, lambda p: np.maximum(rear(p), 3.0 - p[:, 0]))


def transverse_removed(shape: VertebraShape) -> Field:
    """Take the transverse processes off, as with a costovertebral joint."""
    pedicle = shape.pedicles[Side.LEFT]
    edge = pedicle.centre[0] + 0.5 * pedicle.width_mm + 2.5
    rear = behind(shape, 0.0)
    return without(shape, lambda p: np.maximum(edge - np.abs(p[:, 0]), rear(p)))


def left_pedicle_resected(shape: VertebraShape) -> Field:
    """Take the left pedicle out, from the body to the lamina."""
    pedicle = shape.pedicles[Side.LEFT]
    radius = 0.5 * max(pedicle.width_mm, pedicle.height_mm) + 3.0
    start = pedicle.centre - 6.0 * pedicle.axis
    return without(shape, channel(start, pedicle.axis, 12.0, radius))


def both_pedicles_resected(shape: VertebraShape) -> Field:
    """Part the arch from the body."""
    wall = 0.5 * shape.body.depth_mm
    return without(shape, lambda p: np.maximum(wall + 1.5 - p[:, 1], p[:, 1] - wall - 14.0))


def fusion_mass(shape: VertebraShape) -> Field:
    """Grow bone over the left transverse process and lamina only."""
    pedicle = shape.pedicles[Side.LEFT]
    middle = pedicle.centre + np.array([8.0, 15.0, 0.0])
    return grown(shape, ball(middle, np.array([10.0, 8.0, 20.0])))


def burst_wall(shape: VertebraShape) -> Field:
    """Push a piece of the posterior wall into the canal."""
    wall = np.array([1.0, 0.5 * shape.body.depth_mm - 1.0, 0.0])
    return grown(shape, ball(wall, np.array([6.0, 5.5, 0.35 * shape.body.posterior_height_mm])))


def screw_channels(shape: VertebraShape) -> Field:
    """Leave the holes of two screws that nearly fill their pedicles."""
    regions = []
    for side, pedicle in shape.pedicles.items():
        aside = np.array([0.8 if side is Side.LEFT else -0.8, 0.0, 0.0])
        start = pedicle.centre + aside - 30.0 * pedicle.axis
        regions.append(channel(start, pedicle.axis, 56.0, 0.42 * pedicle.width_mm))
    return without(shape, lambda p: np.minimum(regions[0](p), regions[1](p)))


def cement_void(shape: VertebraShape) -> Field:
    """Leave a closed cavity in the body where cement was."""
    radii = 0.26 * np.array(
        [shape.body.width_mm, shape.body.depth_mm, shape.body.posterior_height_mm]
    )
    return without(shape, ball(np.zeros(3), radii))


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.__name__: operation
        for operation in (
            lamina_removed, facets_removed, one_side_removed, transverse_removed,
            left_pedicle_resected, both_pedicles_resected, fusion_mass, burst_wall,
            screw_channels, cement_void,
        )
    }
)  # fmt: skip
