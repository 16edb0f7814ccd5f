"""The skin: a closed trunk around everything, with the back's depth set by the spine."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point
from geometry.mesh import TriangleMesh
from phantom.implicit import evaluated
from phantom.loft import Amounts, lofted
from phantom.spine import PlacedVertebra, Spine
from planner.case import Side

MARGIN_MM = 85.0  # skin above and below the block, so that steep needles still come in through it
_HALF_WIDTH_MM = 168.0
_FRONT_MM = (172.0, 125.0)  # of the chest, of the belly
_FURROW_HALF_WIDTH_MM = 17.0
_TIP_COVER_MM = 6.0
_HEAD_COVER_MM = 16.0  # behind the heads of pelvic screws
BELOW_PELVIS_MM = 50.0


def pedicle_entry(vertebra: PlacedVertebra, side: Side) -> Point:
    """Return where the pedicle's axis leaves the bone behind, patient coordinates, mm."""
    pedicle = vertebra.shape.pedicles[side]
    back = np.linspace(4.0, 40.0, 145)
    field = vertebra.shape.distance(pedicle.centre - back[:, None] * pedicle.axis)
    return vertebra.pose.points(pedicle.centre - back[int(np.argmax(field > 0.0))] * pedicle.axis)


def _fitted(
    heights: Amounts, depths: Amounts, wanted: Float[np.ndarray, " rings"]
) -> Float[np.ndarray, " rings"]:
    """Return a straight profile through depths at heights, moved back until it covers them all."""
    slope = float(np.polyfit(heights, depths, 1)[0]) if len(heights) > 1 else 0.0
    slope = float(np.clip(slope, -0.25, 0.25))
    level = float(np.max(depths - slope * heights))
    nearest = np.clip(wanted, heights.min() - 30.0, heights.max() + 30.0)
    return level + slope * nearest


def skin_mesh(
    column: Spine, heads: Sequence[Point] = (), *, step_mm: float = 9.0, segments: int = 96
) -> TriangleMesh:
    """Return the trunk's skin, closed above and below.

    The back lies 50 mm behind lumbar pedicle entries and 38 mm behind thoracic ones; along the
    midline a furrow follows the spinous processes, a few mm behind their tips.

    Args:
        column: The spine.
        heads: Tops of pelvic screws, which lie under the skin too.
        step_mm: Distance of its rings.
        segments: Points on each ring.
    """
    vertebrae = column.vertebrae
    entries = np.array(
        [np.mean([pedicle_entry(v, side) for side in Side], axis=0) for v in vertebrae]
    )
    cover = np.array([38.0 + 12.0 * v.shape.size.lumbar_character for v in vertebrae])
    tips = np.array([_spinous_tip(v) for v in vertebrae])
    low = min(v.pose.translation_mm[2] for v in vertebrae) - MARGIN_MM
    high = max(v.pose.translation_mm[2] for v in vertebrae) + MARGIN_MM
    if heads:
        low -= BELOW_PELVIS_MM
    heights = np.linspace(low, high, int(np.ceil((high - low) / step_mm)) + 1)
    covered = np.array([*np.column_stack([entries[:, 2], entries[:, 1] + cover]),
                        *([head[2], head[1] + _HEAD_COVER_MM] for head in heads)])  # fmt: skip
    back = _fitted(covered[:, 0], covered[:, 1], heights)
    midline = _fitted(tips[:, 2], tips[:, 1] + _TIP_COVER_MM, heights)
    back = np.maximum(back, midline + 2.0)
    lumbar = float(np.mean([v.shape.size.lumbar_character for v in vertebrae]))
    front = _FRONT_MM[0] + lumbar * (_FRONT_MM[1] - _FRONT_MM[0])
    angles = 2.0 * np.pi * (np.arange(segments) + 0.5) / segments
    # Points crowd towards the back, where needles come in and the furrow bends.
    angles = angles - 0.35 * np.cos(angles)
    cosine, sine = np.cos(angles), np.sin(angles)
    x = _HALF_WIDTH_MM * np.sign(cosine) * np.abs(cosine) ** 0.87
    bow = np.sign(sine) * np.abs(sine) ** 0.87
    y = np.where(bow[None, :] > 0.0, back[:, None] * bow, front * bow)
    furrow = np.exp(-((x / _FURROW_HALF_WIDTH_MM) ** 2)) * (bow > 0.0)
    y = y - (back - midline)[:, None] * furrow
    rings = np.stack([np.broadcast_to(x, y.shape), y, np.broadcast_to(heights[:, None], y.shape)])
    return lofted(np.ascontiguousarray(np.moveaxis(rings, 0, -1)))


def _spinous_tip(vertebra: PlacedVertebra) -> Point:
    """Return the hindmost point of the spinous process, patient coordinates, mm."""
    bar = vertebra.shape.arch["spinous"]
    direction = bar.end - bar.start
    direction = direction / np.linalg.norm(direction)
    reach = np.linspace(0.0, 15.0, 61)
    line = bar.end + reach[:, None] * direction
    first = int(np.argmax(evaluated(vertebra.shape.distance, line) > 0.0))
    return vertebra.pose.points(line[first])
