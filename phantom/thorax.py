"""Ribs, and the pleura that drapes the bodies' sides and the necks of the ribs."""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float
from scipy.spatial import cKDTree

from geometry.arrays import Point, Points, frozen
from geometry.mesh import TriangleMesh
from phantom.implicit import (
    Values,
    smooth_common,
    smooth_cut,
    superellipse_distance,
    zero_surface,
)
from phantom.loft import Course, course, tube
from phantom.morphometry import PHANTOM_LEVELS
from phantom.spine import PlacedVertebra, Spine, extended
from planner.case import Side

_HEAD_RADIUS_MM = 5.0
_ON_OWN_BODY = frozenset({"T1", "T10", "T11", "T12"})
PLEURA_GAP_MM = 1.2
_PLEURA_INSET_MM = 5.5
_PLEURA_GRID_MM = 3.2
_BOX_ROOM_MM = 12.0  # beside the lungs of a straight block
_PLEURA_BEYOND_MM = 42.0

# Shaft beyond the tubercle: outward, posterior and cranial offset from it, mm.
_SHAFT = np.array(
    [
        [15.0, 5.5, -4.0], [34.0, 5.0, -11.0], [62.0, -10.0, -24.0],
        [84.0, -42.0, -42.0], [92.0, -80.0, -60.0],
    ]
)  # fmt: skip
# Semi-axes at head, neck, tubercle and the shaft's points: tall, then thin, mm.
_RADII = np.array(
    [
        [5.0, 5.0], [4.6, 4.2], [4.2, 3.4], [4.8, 4.0],
        [5.6, 3.8], [6.2, 3.6], [6.4, 3.5], [6.2, 3.4], [5.8, 3.3],
    ]
)  # fmt: skip


def _outward(side: Side) -> Point:
    return np.array([1.0 if side is Side.LEFT else -1.0, 1.0, 1.0])


def rib_course(column: Spine, vertebra: PlacedVertebra, side: Side, *, seed: int) -> Course:
    """Return a rib's centreline and cross-sections, from head to the flank.

    The head touches the body's posterolateral corner, at the disc where the level's rib sits
    between two bodies; the tubercle lies in front of the transverse process's tip.
    """
    number = PHANTOM_LEVELS.index(vertebra.level) * 2 + (side is Side.RIGHT)
    rng = np.random.default_rng([seed, number, 4])
    mirror = _outward(side)
    head = _head(column, vertebra, mirror)
    tip = vertebra.shape.arch[f"transverse_{side.value}"]
    tubercle = tip.end + mirror * np.array([4.2, -8.4, -0.6])
    neck = head + 0.45 * (tubercle - head)
    shaft = tubercle + mirror * _SHAFT * rng.normal(1.0, 0.02, size=(len(_SHAFT), 1))
    leading = head + 0.12 * (tubercle - head)
    local = np.concatenate([[head, leading, neck, tubercle], shaft])
    return course(vertebra.pose.points(local), _RADII, side=frozen([0.0, 0.0, 1.0]), step_mm=4.0)


def _head(column: Spine, vertebra: PlacedVertebra, mirror: Point) -> Point:
    """Find where the head's sphere just touches bone, in the frame of building."""
    size = vertebra.shape.size
    share = 0.35 if vertebra.level in _ON_OWN_BODY else 0.95
    reach = np.linspace(0.2 * size.endplate_width_mm, 1.6 * size.endplate_width_mm, 281)
    line = (
        np.stack(
            [
                reach,
                np.full_like(reach, 0.5 * size.endplate_depth_mm - 2.5),
                np.full_like(reach, share * 0.5 * size.posterior_height_mm),
            ],
            axis=1,
        )
        * mirror
    )
    gaps = [bone.distance(vertebra.pose.points(line)) for bone in column.vertebrae]
    clear = np.min(gaps, axis=0) >= _HEAD_RADIUS_MM + 0.6
    return line[len(clear) - int(np.argmin(clear[::-1]))]


def rib_mesh(line: Course) -> TriangleMesh:
    """Return the surface of a rib."""
    return tube(line, segments=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class PleuraShape:
    """One lung's outer surface as a field in patient coordinates.

    Attributes:
        column: The bones it keeps off.
        centres: Centreline of the bodies, drawn out beyond the block, mm.
        outline: Axial outline relative to the centreline, before anything is cut out.
        tubes: Ribs and vessels that it keeps off.
        height: Lowest and highest patient z, mm.
    """

    column: Spine
    centres: Points
    outline: shapely.Polygon
    tubes: tuple[Course, ...]
    height: tuple[float, float]

    def _about_spine(self, points: Points) -> Float[np.ndarray, "n 2"]:
        order = np.argsort(self.centres[:, 2])
        heights = self.centres[order, 2]
        shift = [np.interp(points[:, 2], heights, self.centres[order, i]) for i in (0, 1)]
        return points[:, :2] - np.stack(shift, axis=1)

    def lean_mm(self, least: Point, most: Point) -> float:
        """Return how far the lung's ends stand beside a box around the bodies' middles, mm."""
        ends = np.array([[0.0, 0.0, height] for height in self.height])
        middles = -self._about_spine(ends)
        return float(np.maximum(least[:2] - middles, middles - most[:2]).max())

    def distance(self, points: Points) -> Values:
        """Return the field, mm."""
        flat = self._about_spine(points)
        to_edge = shapely.distance(shapely.points(flat), self.outline.exterior)
        within = shapely.contains_xy(self.outline, flat[:, 0], flat[:, 1])
        lung = np.where(within, -to_edge, to_edge)
        low, high = self.height
        lung = smooth_common(lung, np.maximum(low - points[:, 2], points[:, 2] - high), 8.0)
        lung = smooth_cut(lung, self._bodies(flat) - PLEURA_GAP_MM, 3.0)
        for bone in self.column.vertebrae:
            lung = smooth_cut(lung, bone.distance(points) - PLEURA_GAP_MM, 3.0)
        for line in self.tubes:
            lung = smooth_cut(lung, _tube_distance(line, points) - PLEURA_GAP_MM, 4.0)
        return lung

    def _bodies(self, flat: Float[np.ndarray, "n 2"]) -> Values:
        """The row of bodies as one bar, which stands for discs and absent neighbours too."""
        size = self.column.vertebrae[len(self.column.vertebrae) // 2].shape.size
        half_width = np.full(len(flat), 0.5 * size.endplate_width_mm)
        half_depth = np.full(len(flat), 0.5 * size.endplate_depth_mm)
        return superellipse_distance(flat[:, 0], flat[:, 1], half_width, half_depth, 2.2)


def _tube_distance(line: Course, points: Points) -> Values:
    gap, nearest = cKDTree(line.points).query(points)
    return gap - np.minimum(line.across, line.along)[nearest]


def pleura_mesh(
    column: Spine, ribs: list[Course], vessels: list[Course], side: Side
) -> TriangleMesh:
    """Return the pleura of one side over the block and some way beyond, closed.

    Args:
        column: The vertebrae.
        ribs: The ribs of this side, cranial first.
        vessels: What lies between the lungs.
        side: The patient's side.
    """
    middle = column.vertebrae[len(column.vertebrae) // 2]
    centres = np.array([bone.pose.translation_mm for bone in column.vertebrae])
    if len(centres) == 1:
        rise = 10.0 * middle.pose.rotation[:, 2]
        centres = np.concatenate([centres + rise, centres, centres - rise])
    low = float(centres[:, 2].min()) - _PLEURA_BEYOND_MM
    high = float(centres[:, 2].max()) + _PLEURA_BEYOND_MM
    shape = PleuraShape(
        column=column,
        centres=extended(centres, 2.0 * _PLEURA_BEYOND_MM),
        outline=_outline(middle, ribs[len(ribs) // 2], side),
        tubes=(*ribs, *vessels),
        height=(low, high),
    )
    left, front, right, back = shape.outline.bounds
    least, most = centres.min(axis=0), centres.max(axis=0)
    room = max(_BOX_ROOM_MM, shape.lean_mm(least, most) + 1.0)
    box_low = np.array([left + least[0] - room, front + least[1] - room, low - 6.0])
    box_high = np.array([right + most[0] + room, back + most[1] + room, high + 6.0])
    return zero_surface(shape.distance, box_low, box_high, _PLEURA_GRID_MM)


def _outline(middle: PlacedVertebra, rib: Course, side: Side) -> shapely.Polygon:
    """Return a lung's axial outline about the body's centre: inside the rib, outside the heart."""
    size = middle.shape.size
    mirror = _outward(side)[:2]
    shell = (rib.points[:, :2] - middle.pose.translation_mm[:2]) * mirror
    half_width, half_depth = 0.5 * size.endplate_width_mm, 0.5 * size.endplate_depth_mm
    heart = 42.0 if side is Side.LEFT else 26.0
    inner = [
        [96.0, -128.0], [82.0, -140.0], [64.0, -147.0], [46.0, -146.0], [heart - 14.0, -140.0],
        [heart - 6.0, -122.0], [heart, -100.0], [heart - 8.0, -80.0], [20.0, -60.0],
        [0.4 * half_width, -half_depth - 6.0], [0.25 * half_width, 0.0],
        [0.4 * half_width, half_depth - 3.0],
    ]  # fmt: skip
    flank = [[shell[-1, 0] - 1.0, shell[-1, 1] - 14.0], [shell[-1, 0] - 7.0, shell[-1, 1] - 30.0]]
    ring = shapely.Polygon(np.concatenate([shell[2:], flank, inner]) * mirror)
    return ring.buffer(-_PLEURA_INSET_MM - 6.0).buffer(6.0)
