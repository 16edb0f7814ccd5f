"""A fragment of the posterior wall that a burst fracture has pushed into the canal.

An intact posterior wall is flat or hollow between its upper and its lower rim. Where it stands out
behind both, or behind the rim that lies farther forward, a fragment has come loose; it is no part
of the body's depth, and no sign of which way the vertebra faces.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from planner.anatomy.body import LOOKS, BodyBox, Look, Surface, fit_face

RIM = 0.8  # height of a rim's middle, in half heights of the body
RIM_REACH = 0.25
REACH_MM = 7.0
STANDS_OUT_MM = 1.8  # behind the rims; intact walls, drawn, real and noisy: below 1.0
RIM_LOOKS: Mapping[str, Look] = MappingProxyType(
    dict(LOOKS) | {"posterior": replace(LOOKS["posterior"], reach=(0.4, 0.95))}
)


def stands_out_mm(surface: Surface, box: BodyBox) -> float:
    """Return how far the middle of the posterior wall stands behind the rim farther forward, mm.

    Negative where the wall is hollow; 0 if a rim or the wall cannot be seen.
    """
    heights = []
    for middle, reach in ((0.0, 0.6), (RIM, RIM_REACH), (-RIM, RIM_REACH)):
        look = Look(axis=1, sign=1.0, middle=(0.0, middle), reach=(0.4, reach))
        face = fit_face(surface, box, look, REACH_MM)
        if face is None:
            return 0.0
        heights.append(face.at_centre + float(face.slope[1]) * middle * float(box.half[2]))
    wall, *rims = heights
    return wall - min(rims)


def without_fragment(surface: Surface, box: BodyBox, out_mm: float) -> tuple[Surface, BodyBox]:
    """Return the surface without what stands behind the rims, and the box that ends at them.

    Args:
        surface: Of the bone.
        box: Settled on the wall with its fragment.
        out_mm: How far that stands out.
    """
    wall = float(box.half[1]) - out_mm
    x, y, _ = ((surface.points - box.centre) @ box.axes.T).T
    kept = (np.abs(x) > 0.6 * box.half[0]) | (y < wall + 0.5 * STANDS_OUT_MM)
    half = box.half - np.array([0.0, 0.5 * out_mm, 0.0])
    moved = replace(box, centre=box.centre - 0.5 * out_mm * box.axes[1], half=half)
    return Surface(points=surface.points[kept], areas=surface.areas[kept]), moved
