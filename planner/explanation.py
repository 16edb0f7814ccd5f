"""The plan in plain English: what was found, what blocks the rest, and what was not measured."""

from itertools import groupby

from planner.anatomy.model import VertebraAnatomy
from planner.case import Kind
from planner.lacking import derived_here, missing_here
from planner.question import Question
from planner.result import Certificate, Change, Outcome, Status, Trajectory
from planner.target import TargetRegion
from planner.why_not import phrase

DISCLAIMER = "Research software, not a medical device."
SURE = 0.9  # anatomy read with less confidence is named in the notes


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
            return f"No safe straight path to the {goal} with the needles asked for (proved)."
        case Outcome.TARGET_UNREACHABLE:
            return f"No needle asked for is long enough for a safe path to the {goal}."
        case Outcome.STOPPED:
            return f"No safe path to the {goal} was found; not every way was proved closed."


def _best(best: Trajectory) -> str:
    limit = f", limited by {best.limiting_structure}" if best.limiting_structure else ""
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


def notes(question: Question) -> tuple[str, ...]:
    """Return what a person should know of the case and its derived anatomy before reading on."""
    case = question.prepared.case
    said = [f"{p.message}" for p in case.warnings]
    region, anatomy = question.region, question.prepared.bone(question.bone)
    if isinstance(region, TargetRegion):
        said += region.notes
    if isinstance(anatomy, VertebraAnatomy):
        said += anatomy.warnings
        if anatomy.confidence < SURE:
            said.append(
                f"{anatomy.structure}: confidence {anatomy.confidence:.2f}, {anatomy.cause}"
            )
    said += [*derived_here(question), *missing_here(question)]
    if not case.of_kind(Kind.SKIN):
        said.append("no skin in the case: entries lie on a stated stand-off plane")
    if question.bone.level in case.landmarks:
        said.append("landmarks given in the case stand in place of what the mesh shows")
    said += _clinical(question)
    return tuple(said)


def _clinical(question: Question) -> list[str]:
    """Return what the findings of the level ask for (DOMAIN 1.4 D7-D12)."""
    findings = question.prepared.case.findings.get(question.bone.level or "", {})
    said = []
    if findings.get("suspected_infection"):
        said.append("suspected infection: biopsy and culture first [DOMAIN D9]")
    if findings.get("failure_type") == 3:
        said.append("implant breakage: augmentation does not replace revision [DOMAIN D7]")
    if findings.get("posterior_wall_broken"):
        said.append("broken posterior wall: higher leak risk, watch the canal [DOMAIN D12]")
    return said
