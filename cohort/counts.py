"""What a cohort's records come to: shares, quartiles, and the targets without a safe path."""

from collections import Counter
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
        closed_by: What closes the ways of targets without a safe path, most often first.
    """

    safe: Share
    closed: Share
    undecided: Share
    closed_by: tuple[str, ...]


def by_needle(targets: Sequence[Target], approaches: Callable[[str], bool]) -> dict[str, Ends]:
    """Return, by needle, how the targets that it was tried for ended."""
    tried: dict[str, list[list[dict[str, Any]]]] = {}
    for target in targets:
        classes: dict[str, list[dict[str, Any]]] = {}
        for one in target["classes"]:
            if approaches(one["approach"]) and is_searched(one):
                classes.setdefault(one["needle"], []).append(one)
        for needle, group in classes.items():
            tried.setdefault(needle, []).append(group)
    return {needle: _ends(groups) for needle, groups in tried.items()}


def is_safe(one: dict[str, Any]) -> bool:
    """Tell whether a class has a safe path, whether or not its bounds have met."""
    margin = one["best_margin_mm"]
    return one["status"] == FOUND or (margin is not None and margin >= 0.0)


def is_searched(one: dict[str, Any]) -> bool:
    """Tell whether there was a way to search: a screw on that side, a wall to run beside."""
    return bool(one["boxes"]) or one["status"] != "stopped"


def _ends(groups: Sequence[Sequence[dict[str, Any]]]) -> Ends:
    lost = [group for group in groups if not any(map(is_safe, group))]
    closed = sum(all(one["status"] == "infeasible" for one in group) for group in lost)
    whole = len(groups)
    return Ends(
        safe=Share(part=whole - len(lost), whole=whole), closed=Share(part=closed, whole=whole),
        undecided=Share(part=len(lost) - closed, whole=whole),
        closed_by=tuple(blocking(one for group in lost for one in group)),
    )  # fmt: skip


def blocking(classes: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return how many closed classes each sort of structure blocks, the most frequent first."""
    counts: Counter[str] = Counter()
    for one in classes:
        if one["status"] == "infeasible":
            counts.update({_sort(name) for name in (*one["blocked_by"], *one["limited_by"])})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _sort(name: str) -> str:
    """Return what a structure of a drawn spine is, from its name."""
    if name in LEVELS:
        return "vertebra"
    first, *rest = name.split("_")
    return f"derived {rest[0]}" if first == "derived" and rest else first


def classes_of(targets: Sequence[Target]) -> Iterator[dict[str, Any]]:
    """Yield every class that was asked for."""
    return (one for target in targets for one in target["classes"])


def at_least(values: Sequence[float], limit: float) -> Share:
    """Return how many values are no smaller than a limit."""
    return Share(part=sum(value >= limit for value in values), whole=len(values))


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
