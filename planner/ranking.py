"""The order of trajectories, which of them are worth showing, and the reasons.

A path that keeps every preferred distance is comfortable, and comfortable paths come first.
Among them a target at a screw is reached from that screw's side if it can be; then the approach
that suits the level decides (DOMAIN 1.4 D1: transpedicular in the lumbar and lower thoracic
spine, extrapedicular above T9), then the margin, the best path of either side before its
alternatives; among the others the margin alone. The safest path is second at the latest, and a
cannula that serves both sides of the midline third.

Of paths that are one way to a person only the first is shown. Of two paths on one side, one that
comes no earlier by comfort and approach and is noticeably better in nothing is left out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planner.candidates import Candidate, same_way
from planner.case import LEVELS, Side
from planner.needles.path import path_chords
from planner.request import Approach

# DOMAIN 2.2, "Use": extrapedicular first at T1-T8, transpedicular first at T9-L5.
_UPPER = (Approach.EXTRAPEDICULAR, Approach.PARAPEDICULAR, Approach.TRANSPEDICULAR)
_LOWER = (Approach.TRANSPEDICULAR, Approach.PARAPEDICULAR, Approach.EXTRAPEDICULAR)


UNLIMITED = 1e6  # stands for the margin of a path that nothing limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One thing in which paths are compared.

    Attributes:
        reason: What the path that is best in it is called.
        worth: Of a candidate; more is better.
        noticeable: The smallest difference that counts.
    """

    reason: str
    worth: Callable[[Candidate], float]
    noticeable: float

    def steps(self, c: Candidate) -> int:
        """Return a candidate's worth in whole noticeable steps."""
        return math.floor(min(self.worth(c), UNLIMITED) / self.noticeable)


# The differences are engineering defaults [A].
MARGIN = Objective(reason="safest", worth=lambda c: c.margin_mm, noticeable=0.1)
OBJECTIVES = (
    MARGIN,
    Objective(
        reason="most tolerant", worth=lambda c: c.tilt_rad, noticeable=math.radians(0.1)
    ),
    Objective(reason="shortest", worth=lambda c: -c.length_mm, noticeable=2.0),
    Objective(
        reason="straightest", worth=lambda c: -c.obliquity_rad, noticeable=math.radians(2.0)
    ),
    Objective(reason="reaches furthest", worth=lambda c: c.reach_mm, noticeable=1.0),
    Objective(
        reason="both sides of the midline from one puncture",
        worth=lambda c: float(c.second is not None), noticeable=0.5,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What ranking needs to know beside the candidates: the level, and the target's side if any."""

    level: str | None
    side: Side | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """A candidate worth showing, and why."""

    candidate: Candidate
    reasons: tuple[str, ...]


def approach_preference(approach: Approach, level: str | None) -> int:
    """Return 0 for the approach that suits the level best, 2 for the one that suits it least.

    A way along the target's own screw suits every level: a loose screw is followed (DOMAIN D4).
    """
    if approach is Approach.ALONG_SCREW:
        return 0
    upper = level in LEVELS and LEVELS.index(level) < LEVELS.index("T9")
    return (_UPPER if upper else _LOWER).index(approach)


def ranked(candidates: Sequence[Candidate], order: Order, most: int) -> tuple[Choice, ...]:
    """Return up to ``most`` candidates worth showing, best first; fewer are the first of them."""
    shown = _listed(_worth_showing(candidates, order), order)[:most]
    return tuple(Choice(candidate=c, reasons=_reasons(c, shown, order)) for c in shown)


def grade(c: Candidate, order: Order) -> tuple[bool, bool, int]:
    """Return what decides before the margin does: comfort, then side and approach."""
    if not c.comfortable:
        return True, False, 0
    across = order.side is not None and c.gate.side is not order.side
    return False, across, approach_preference(c.gate.approach, order.level)


def _key(c: Candidate, order: Order) -> tuple[object, ...]:
    worths = (-o.worth(c) for o in OBJECTIVES)
    ties = (approach_preference(c.gate.approach, order.level), list(Side).index(c.gate.side))
    where = tuple(path_chords(c.path).ravel().tolist())
    needle = (-c.needle.outer_diameter_mm, c.needle.name)
    return *grade(c, order), *worths, *ties, *needle, *where


def _class(c: Candidate) -> tuple[Approach, Side]:
    return c.gate.approach, c.gate.side


def _worth_showing(candidates: Sequence[Candidate], order: Order) -> list[Candidate]:
    """Sort candidates; keep one for each way, and those that no other makes superfluous."""
    kept: list[Candidate] = []
    for c in sorted(candidates, key=lambda c: _key(c, order)):
        if not any(same_choice(c, other) for other in kept):
            kept.append(c)
    return [
        c
        for i, c in enumerate(kept)
        if not any(
            matches(other, c, order) and (j < i or not matches(c, other, order))
            for j, other in enumerate(kept)
            if j != i
        )
    ]


def same_choice(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates are one to a person: the same way, whatever their needles."""
    turned = (a.second is None) is not (b.second is None)
    return _class(a) == _class(b) and not turned and same_way(a.path, b.path)


def matches(a: Candidate, b: Candidate, order: Order) -> bool:
    """Whether one candidate is as good as another of its side in everything.

    Worths count in whole noticeable steps, which makes this transitive: what is made superfluous
    is so by something that is shown.
    """
    if a.gate.side is not b.gate.side or grade(a, order) > grade(b, order):
        return False
    return all(o.steps(a) >= o.steps(b) for o in OBJECTIVES)


def _listed(kept: Sequence[Candidate], order: Order) -> list[Candidate]:
    """List the best path of either side before its alternatives, but two of all early.

    The safest is second at the latest, what serves both sides of the midline third.

    Among paths that are not comfortable nothing but the margin counts.
    """
    turn = [
        sum(_class(other) == _class(c) for other in kept[:i]) if c.comfortable else 0
        for i, c in enumerate(kept)
    ]
    in_turn = sorted(range(len(kept)), key=lambda i: (*grade(kept[i], order), turn[i]))
    listed = [kept[i] for i in in_turn]
    safest = max(listed, key=MARGIN.worth, default=None)
    listed[1:] = sorted(listed[1:], key=lambda c: c is not safest)
    turned = next((c for c in listed if c.second is not None), None)
    return [*listed[:2], *sorted(listed[2:], key=lambda c: c is not turned)]


def _reasons(c: Candidate, shown: Sequence[Candidate], order: Order) -> tuple[str, ...]:
    """Say in what a candidate is the best of those shown, and what else speaks for it."""
    reasons = []
    for objective in OBJECTIVES:
        worths = [objective.worth(other) for other in shown]
        if max(worths) == objective.worth(c) > min(worths) + objective.noticeable:
            reasons.append(objective.reason)
    if c.comfortable:
        reasons.append("keeps every preferred distance")
    if approach_preference(c.gate.approach, order.level) == 0:
        reasons.append("usual approach at this level")
    return tuple(reasons)
