"""The order of trajectories, and the reasons for it.

A path that keeps every preferred distance is comfortable, and comfortable paths come first.
Among them a target at a screw is reached from that screw's side if it can be; then the approach
that suits the level decides (DOMAIN 1.4 D1: transpedicular in the
lumbar and lower thoracic spine, extrapedicular above T9), then the margin; among the others the
margin alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.case import LEVELS, Side
from planner.policy import Policy
from planner.request import Approach
from planner.result import Trajectory

# DOMAIN 2.2, "Use": extrapedicular first at T1-T8, transpedicular first at T9-L5.
_UPPER = (Approach.EXTRAPEDICULAR, Approach.PARAPEDICULAR, Approach.TRANSPEDICULAR)
_LOWER = (Approach.TRANSPEDICULAR, Approach.PARAPEDICULAR, Approach.EXTRAPEDICULAR)
SAME_TIP_MM = 4.0
SAME_ENTRY_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What ranking needs to know beside the trajectories: level, side (if any) and policy."""

    level: str | None
    side: Side | None
    policy: Policy


def is_comfortable(trajectory: Trajectory, policy: Policy) -> bool:
    """Whether every measured structure keeps its preferred distance."""
    return all(
        c.traversed or c.distance_mm >= policy.rule(c.kind).preferred_mm
        for c in trajectory.clearances
    )


def approach_preference(approach: Approach | None, level: str | None) -> int:
    """Return 0 for the approach that suits the level best, 2 for the one that suits it least."""
    if approach is None:
        return len(_LOWER)
    upper = level in LEVELS and LEVELS.index(level) < LEVELS.index("T9")
    return (_UPPER if upper else _LOWER).index(approach)


def ranked(candidates: Sequence[Trajectory], order: Order, most: int) -> tuple[Trajectory, ...]:
    """Return up to ``most`` clearly different trajectories, best first, with ranks and reasons.

    One needle is shown for each way; the others stand in the certificates.
    """
    kept: list[Trajectory] = []
    for candidate in sorted(candidates, key=lambda t: _key(t, order)):
        if len(kept) < most and not any(_same_way(candidate, other) for other in kept):
            kept.append(candidate)
    return tuple(
        replace(t, rank=i + 1, reasons=_reasons(t, kept, order)) for i, t in enumerate(kept)
    )


def _key(t: Trajectory, order: Order) -> tuple[object, ...]:
    comfortable = is_comfortable(t, order.policy)
    preference = approach_preference(t.approach, order.level) if comfortable else 0
    across = comfortable and order.side is not None and t.side is not order.side
    side = 0 if t.side is Side.LEFT else 1
    return (not comfortable, across, preference, -t.margin_mm, -t.outer_diameter_mm, side, t.needle)


def _same_way(a: Trajectory, b: Trajectory) -> bool:
    """Whether two trajectories are the same way to a person: same side, near tips and entries."""
    if (a.approach, a.side) != (b.approach, b.side):
        return False
    tips = float(np.linalg.norm(a.tip_mm - b.tip_mm))
    entries = float(np.linalg.norm(a.entry_skin_mm - b.entry_skin_mm))
    return tips < SAME_TIP_MM and entries < SAME_ENTRY_MM


def _reasons(t: Trajectory, kept: Sequence[Trajectory], order: Order) -> tuple[str, ...]:
    reasons = []
    if t.margin_mm >= max(o.margin_mm for o in kept):
        reasons.append("safest")
    if t.length_mm <= min(o.length_mm for o in kept):
        reasons.append("shortest")
    if is_comfortable(t, order.policy):
        reasons.append("keeps every preferred distance")
    if approach_preference(t.approach, order.level) == 0:
        reasons.append("usual approach at this level")
    return tuple(reasons)
