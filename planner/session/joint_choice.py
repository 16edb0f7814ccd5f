"""The best joint choice, one option for each of several things, when some options exclude others.

Exact: a depth-first search that leaves a branch only where no completion can be better. What is
left of an option list can only shrink on the way down, so what it holds now bounds what it will.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Clash: TypeAlias = Callable[[tuple[int, int], tuple[int, int]], bool]
Worth: TypeAlias = tuple[int, int]  # how many are left without, then the sum of places
Left: TypeAlias = tuple[tuple[int, ...], ...]


@dataclass(slots=True, kw_only=True)
class _Best:
    worth: Worth
    choice: tuple[int | None, ...]


def joint_choice(counts: Sequence[int], clash: Clash) -> tuple[int | None, ...]:
    """Choose one option for each thing, or none, so that no two chosen ones clash.

    As few as possible go without; then the sum of the chosen places (0 is the first and best) is
    least; of equal choices the one that comes first is taken.

    Args:
        counts: How many options each thing has, best first.
        clash: Whether two options, each (thing, place), exclude each other.
    """
    excluded = {
        (i, a, j, b)
        for i, count in enumerate(counts)
        for a in range(count)
        for j in range(i)
        for b in range(counts[j])
        if clash((i, a), (j, b))
    }
    best = _Best(worth=(len(counts) + 1, 0), choice=())
    _search((), tuple(tuple(range(count)) for count in counts), (0, 0), excluded, best)
    return best.choice


def _search(
    chosen: tuple[int | None, ...],
    left: Left,
    worth: Worth,
    excluded: set[tuple[int, int, int, int]],
    best: _Best,
) -> None:
    """Complete a choice for the first few things in every way that could be better."""
    if _bound(worth, left[len(chosen) :]) >= best.worth:
        return
    thing = len(chosen)
    if thing == len(left):
        best.worth, best.choice = worth, chosen
        return
    for place in left[thing]:
        rest = tuple(
            options
            if other <= thing
            else tuple(b for b in options if (other, b, thing, place) not in excluded)
            for other, options in enumerate(left)
        )
        _search((*chosen, place), rest, (worth[0], worth[1] + place), excluded, best)
    _search((*chosen, None), left, (worth[0] + 1, worth[1]), excluded, best)


def _bound(worth: Worth, left: Left) -> Worth:
    """Return what no completion is better than."""
    without = worth[0] + sum(1 for options in left if not options)
    return without, worth[1] + sum(min(options) for options in left if options)
