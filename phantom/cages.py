"""Interbody cages, and the bed that one has sunk into."""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Point, Points, Rotation, Vector, frozen, unit
from geometry.frames import RigidTransform
from geometry.mesh import TriangleMesh
from geometry.solids import box
from phantom.implicit import Field, Values, smooth_cut
from phantom.spine import Spine
from phantom.vertebra import endplate_planes
from planner.request import CageEnd

FOOTPRINT_MM = (26.0, 14.0)  # width and depth, as of a banana-shaped transforaminal cage
AHEAD_MM = 3.0  # of the disc's middle
_BED_MM = 0.2  # between a cage and the bone it has sunk into


@dataclass(frozen=True, slots=True, kw_only=True)
class CagePlacement:
    """A cage that a recipe asks for, sunk into one of its neighbours.

    Attributes:
        above: The level above its disc.
        into: The end that has sunk into bone.
        depth_mm: How far.
    """

    above: str
    into: CageEnd
    depth_mm: float

    @property
    def name(self) -> str:
        """Name of its structure."""
        return f"cage_{self.above}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cage:
    """A box between two bodies, patient LPS, mm: centre, extents and axes (rows)."""

    centre: Point
    size: Vector
    axes: Rotation

    def mesh(self) -> TriangleMesh:
        """Return its surface."""
        return box(self.centre, self.size, self.axes)

    def bedded(self, bone: Field, pose: RigidTransform) -> Field:
        """Return a bone's field with the cage's bed taken out; ``pose`` is patient from bone."""

        def field(points: Points) -> Values:
            local = np.abs((pose.points(points) - self.centre) @ self.axes.T)
            inside = (local - 0.5 * self.size - _BED_MM).max(axis=1)
            return smooth_cut(bone(points), inside, 0.2)

        return field


def placed_cage(column: Spine, placement: CagePlacement) -> Cage:
    """Place a cage in its disc: it reaches one endplate and lies in the other bone's end.

    Raises:
        ValueError: If the spine has no vertebra below the level named.
    """
    names = [vertebra.level for vertebra in column.vertebrae]
    at = names.index(placement.above) if placement.above in names[:-1] else -1
    if at < 0:
        raise ValueError(f"no disc below {placement.above} in {', '.join(names)}")
    upper, lower = column.vertebrae[at], column.vertebrae[at + 1]
    bottom, top = endplate_planes(upper.shape.body)[1], endplate_planes(lower.shape.body)[0]
    high, low = upper.pose.points(bottom.centre), lower.pose.points(top.centre)
    up = unit(lower.pose.vectors(top.normal) - upper.pose.vectors(bottom.normal))
    left = upper.pose.vectors(np.array([1.0, 0.0, 0.0]))
    left = unit(left - (left @ up) * up)
    back = np.cross(up, left)
    height = float((high - low) @ up) + placement.depth_mm
    sunk = 0.5 * placement.depth_mm * (1.0 if placement.into is CageEnd.CRANIAL else -1.0)
    width, depth = FOOTPRINT_MM
    scale = upper.shape.size.endplate_width_mm / 44.0
    return Cage(
        centre=frozen(0.5 * (high + low) + sunk * up - AHEAD_MM * back),
        size=frozen([scale * width, scale * depth, height]),
        axes=frozen([left, back, up]),
    )
