"""The plan in plain English: what was found, and what blocks the rest."""

from itertools import groupby

from planner.question import Question
from planner.result import Certificate, Change, Outcome, Status, Trajectory
from planner.target import TargetRegion
from planner.why_not import phrase

DISCLAIMER = "Research software, not a medical device."


def explanation(
    question: Question,
    outcome: Outcome,
    trajectories: tuple[Trajectory, ...],
    certificates: list[Certificate],
) -> str:
    """Return a few sentences: how many paths, the best one, and why the other ways are closed."""
    region = question.region
    goal = region.label if isinstance(region, TargetRegion) else "target"
    sentences = [_headline(outcome, len(trajectories), goal)]
    if trajectories:
        sentences.append(_best(trajectories[0]))
    sentences += _closed(certificates)
    return " ".join([*sentences, DISCLAIMER])


def _headline(outcome: Outcome, count: int, goal: str) -> str:
    match outcome:
        case Outcome.FOUND:
            noun = "trajectory" if count == 1 else "trajectories"
            return f"{count} safe {noun} to the {goal}."
        case Outcome.NO_SAFE_PATH:
            return f"No safe path to the {goal} by the ways and needles asked for (proved)."
        case Outcome.TARGET_UNREACHABLE:
            return f"No needle asked for is long enough for a safe path to the {goal}."
        case Outcome.STOPPED:
            return f"No safe path to the {goal} was found; not every way was proved closed."


def _best(best: Trajectory) -> str:
    limit = f", limited by {best.limiting_structure}" if best.limiting_structure else ""
    if best.slide is not None:
        beside = f"margin {best.slide.margin_beside_mm:.1f} mm to all but the shaft it touches"
        return (
            f"The first slides along {best.slide.screw} with {best.needle}: {beside}, limited by "
            f"{best.slide.limiting_beside}, {best.length_mm:.0f} mm from skin to tip."
        )
    return (
        f"The first is {best.approach} on the {best.side} with {best.needle}: "
        f"margin {best.margin_mm:.1f} mm{limit}, {best.length_mm:.0f} mm from skin to tip."
    )


def _closed(certificates: list[Certificate]) -> list[str]:
    """Name the ways that are closed or open for every needle asked for."""
    sentences = []
    ways = sorted(certificates, key=lambda c: (c.approach, c.side))
    for (approach, side), group in groupby(ways, key=lambda c: (c.approach, c.side)):
        members = list(group)
        if all(c.status is Status.INFEASIBLE for c in members):
            by = sorted({name for c in members for name in c.blocked_by})
            blockers = f" by {', '.join(by)}" if by else ""
            way = f"{approach.value.capitalize()} {side}"
            sentences.append(f"{way} is blocked{blockers} (proved){_opened(members)}.")
        elif all(c.upper_bound_mm is None for c in members):
            sentences.append(members[0].statement)
    return sentences


def _opened(members: list[Certificate]) -> str:
    """Name the smallest change that would open a way, other than going another way."""
    openings = [
        o for c in members for o in c.openings if (o.approach, o.side) == (c.approach, c.side)
    ]
    if not openings:
        return ""
    least = min(openings, key=lambda o: list(Change).index(o.change))
    return f"; it would be safe {phrase(least)} (margin {least.margin_mm:.2f} mm)"
