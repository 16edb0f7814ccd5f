"""What a cohort's records come to: shares, quartiles, and the targets without a safe path."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, TypeAlias

from planner.case import LEVELS

Target: TypeAlias = dict[str, Any]
FOUND = "found"
REGIONS = ("thoracic", "lumbar", "sacral", "iliac")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of how many."""

    part: int
    whole: int

    def __str__(self) -> str:
        """Return it as ``part/whole (percent)``."""
        if not self.whole:
            return "-"
        return f"{self.part}/{self.whole} ({100.0 * self.part / self.whole:.0f} %)"


def targets_of(records: Iterable[dict[str, Any]]) -> list[Target]:
    """Return the targets of all records, each with its spine's name."""
    return [{**t, "spine": r["spine"]} for r in records for t in r["targets"]]


def share(targets: Sequence[Target]) -> Share:
    """Return how many have a safe path."""
    return Share(part=sum(t["outcome"] == FOUND for t in targets), whole=len(targets))


def spines(targets: Sequence[Target]) -> Share:
    """Return in how many spines every target has a safe path."""
    by_spine = grouped(targets, lambda t: t["spine"])
    whole = [all(t["outcome"] == FOUND for t in group) for _, group in by_spine]
    return Share(part=sum(whole), whole=len(whole))


def grouped(
    targets: Sequence[Target], key: Callable[[Target], str]
) -> list[tuple[str, list[Target]]]:
    """Return targets by a key, levels from the head down and all else in order of letters."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(key(target), []).append(target)
    return sorted(groups.items(), key=lambda item: (_rank(item[0]), item[0]))


def _rank(name: str) -> int:
    order = (*LEVELS, "ilium", *REGIONS)
    return order.index(name) if name in order else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How the targets that something was tried for ended.

    Attributes:
        safe: A safe path was found and measured.
        closed: All that was tried is proved to have none.
        undecided: Neither.
    """

    safe: Share
    closed: Share
    undecided: Share


def by_needle(targets: Sequence[Target], approaches: Callable[[str], bool]) -> dict[str, Ends]:
    """Return, by needle, how the targets that it was tried for ended."""
    tried: dict[str, list[list[dict[str, Any]]]] = {}
    for target in targets:
        classes: dict[str, list[dict[str, Any]]] = {}
        for one in target["classes"]:
            if approaches(one["approach"]):
                classes.setdefault(one["needle"], []).append(one)
        for needle, group in classes.items():
            tried.setdefault(needle, []).append(group)
    return {needle: _ends(groups) for needle, groups in tried.items()}


def is_safe(one: dict[str, Any]) -> bool:
    """Tell whether a class has a safe path, whether or not its bounds have met."""
    margin = one["best_margin_mm"]
    return one["status"] == FOUND or (margin is not None and margin >= 0.0)


def _ends(groups: Sequence[Sequence[dict[str, Any]]]) -> Ends:
    safe = sum(any(map(is_safe, group)) for group in groups)
    closed = sum(all(one["status"] == "infeasible" for one in group) for group in groups)
    whole = len(groups)
    return Ends(
        safe=Share(part=safe, whole=whole), closed=Share(part=closed, whole=whole),
        undecided=Share(part=whole - safe - closed, whole=whole),
    )  # fmt: skip


def classes_of(targets: Sequence[Target]) -> Iterator[dict[str, Any]]:
    """Yield every class that was asked for."""
    return (one for target in targets for one in target["classes"])


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return least, quartiles and largest, or a dash for no values."""
    if not values:
        return "-"
    ends = sorted(values)
    middle = quantiles(ends, n=4, method="inclusive") if len(ends) > 1 else ends * 3
    return " / ".join(f"{value:.{digits}f}" for value in (ends[0], *middle, ends[-1]))


def blockers(target: Target) -> list[tuple[str, str]]:
    """Return each way that a target's certificates close, and what closes it.

    A way is an approach on a side; all of its needles are told together.
    """
    ways: dict[str, list[dict[str, Any]]] = {}
    for one in target["classes"]:
        ways.setdefault(f"{one['approach'].replace('_', ' ')} {one['side']}", []).append(one)
    return [(way, _closed_by(members)) for way, members in ways.items()]


def _closed_by(members: Sequence[dict[str, Any]]) -> str:
    """Say how a way ended for all its needles."""
    if all(m["upper_bound_mm"] is None and not m["boxes"] for m in members):
        return str(members[0]["statement"])
    proved = sum(m["status"] == "infeasible" for m in members)
    by = sorted({name for m in members for name in (*m["blocked_by"], *m["limited_by"])})
    said = f"proved closed for {proved} of {len(members)} needles by {', '.join(by) or 'the gate'}"
    openings = list(dict.fromkeys(o for m in members for o in m["would_open"]))
    return f"{said}; it would be safe {openings[0]}" if openings else said
