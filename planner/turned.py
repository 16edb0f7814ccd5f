"""A curved needle turned in its cannula: both sides of the midline by one puncture [K9]."""

from planner.anatomy.model import Unavailable
from planner.case import Side
from planner.needles.path import Path
from planner.question import Question
from planner.search.classes import ClassSearch
from planner.search.curved import CurvedFamily, curved_family
from planner.search.family import line_family
from planner.search.turned import search_turned

ONE_SIDED = (
    "No cannula was found from which it reaches both sides of the midline in turn (looked for, not "
    "proved)."
)


def both_sides(question: Question, search: ClassSearch) -> tuple[CurvedFamily, CurvedFamily] | None:
    """Return the paths of a curved needle to the near and to the far side of a target's midline.

    None for a straight needle, and for a target that has no two sides.
    """
    region, family = question.region, search.family
    if not isinstance(family, CurvedFamily) or isinstance(region, Unavailable):
        return None
    near = search.gate.side
    far = Side.RIGHT if near is Side.LEFT else Side.LEFT
    halves = [region.beside_midline(side) for side in (near, far)]
    first, second = (
        None
        if half is None
        else curved_family(
            line_family(search.gate, family.lines.scene, half, search.needle.usable_length_mm),
            search.needle,
        )
        for half in halves
    )
    return None if first is None or second is None else (first, second)


def turned_paths(sides: tuple[CurvedFamily, CurvedFamily]) -> tuple[Path, ...]:
    """Return the paths of one cannula to either side; empty where none that reaches both is found.

    Args:
        sides: The paths to either side, as ``both_sides`` returns them.
    """
    pair = search_turned(sides)
    if pair is None:
        return ()
    paths = (family.path(numbers) for family, numbers in zip(sides, pair.paths, strict=True))
    return tuple(path for path in paths if path is not None)
