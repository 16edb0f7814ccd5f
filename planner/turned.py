"""A curved needle turned in its cannula: both sides of the midline by one puncture [K9]."""

from planner.anatomy.model import Unavailable
from planner.case import Side
from planner.needles.path import Path
from planner.question import Question
from planner.search.classes import ClassSearch
from planner.search.curved import CurvedFamily, curved_family
from planner.search.family import line_family
from planner.search.turned import search_turned


def turned_paths(question: Question, search: ClassSearch) -> tuple[Path, ...]:
    """Return the paths of one cannula to the near and to the far side of the target's midline.

    Empty for a straight needle, for a target that has no two sides, and where no cannula of the
    class was found that reaches both.
    """
    region, family = question.region, search.family
    if not isinstance(family, CurvedFamily) or isinstance(region, Unavailable):
        return ()
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
    if first is None or second is None:
        return ()
    pair = search_turned((first, second))
    if pair is None:
        return ()
    paths = (first.path(pair.paths[0]), second.path(pair.paths[1]))
    return tuple(path for path in paths if path is not None)
