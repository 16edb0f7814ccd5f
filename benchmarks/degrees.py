"""The slow twin of the throw-off search: every whole degree about a true view, weighed one by one.

How much is hidden in a view is asked of the caller, who draws the metal and counts pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter

from geometry.arrays import Points, Vector
from planner.case import PatientPosition
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.throw_off import (
    AROUND_DEG,
    SHORT_COST,
    SMEAR_COST,
    TILT_COST,
    WIDEST_DEG,
    Zone,
)

Count = Callable[[Points], Float[np.ndarray, " b"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighed:
    """Every view that is allowed, and what it costs.

    Attributes:
        beams: Isocentre to detector, the end that is in reach, patient LPS, shape (n, 3).
        costs: As ``throw_off`` has them, shape (n,).
    """

    beams: Points
    costs: Float[np.ndarray, " n"]

    @property
    def least(self) -> float:
        """The cost of the best view."""
        return float(self.costs.min())

    def cost_of(self, beam: Vector) -> float:
        """Return the cost of the view that is nearest to a beam."""
        return float(self.costs[np.argmax(self.beams @ beam)])


def weighed(
    zone: Zone, needle: Vector, c_arm: CArm, position: PatientPosition, count: Count
) -> Weighed:
    """Weigh every whole degree of turn and tilt within reach and within 45 degrees.

    Args:
        zone: Where to look.
        needle: Unit vector of the needle's first piece, entry to tip.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies.
        count: Returns the overall share that is hidden in each of many views.
    """
    widest = WIDEST_DEG + AROUND_DEG
    turned = np.radians(np.arange(-widest, widest + 1.0))
    tilt, turn = (grid.ravel() for grid in np.meshgrid(turned, turned, indexing="ij"))
    t, s, e = zone.axes
    level = np.outer(np.cos(turn), e) + np.outer(np.sin(turn), t)
    beams = np.cos(tilt)[:, None] * level + np.outer(np.sin(tilt), s)
    here, there = (c_arm.reaches_each(ends, position) for ends in (beams, -beams))
    ends = np.where((~here & there)[:, None], -beams, beams)
    # Nothing farther out can be next to a view that is allowed.
    matters = beams @ e >= math.cos(math.radians(widest + 1))
    hidden = np.zeros(len(beams))
    hidden[matters] = count(ends[matters])
    offsets = np.arange(-AROUND_DEG, AROUND_DEG + 1)
    disc = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= AROUND_DEG**2
    nearby = maximum_filter(hidden.reshape(len(turned), -1), footprint=disc, mode="nearest").ravel()
    costs = (
        0.5 * (hidden + nearby)
        + SHORT_COST * (1.0 - np.linalg.norm(np.cross(beams, needle), axis=1))
        + SMEAR_COST * np.abs(beams @ zone.keep_square)
        + TILT_COST * np.linalg.norm(np.cross(beams, e), axis=1)
    )
    allowed = (beams @ e >= math.cos(math.radians(WIDEST_DEG)) - 1e-9) & (here | there)
    return Weighed(beams=ends[allowed], costs=costs[allowed])
