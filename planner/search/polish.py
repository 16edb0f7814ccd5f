"""Local refinement of a line to the exact optimum of its neighbourhood.

The slack of a line is the smallest of many smooth functions: its distances to single surface
points less their offsets. Nearest points along the line are witnesses; in a trust region their
distances are replaced by tangents, the best line of that model is a small quadratic programme,
and it is taken if the exact slack agrees (sequential quadratic programming; Nocedal and Wright,
Numerical Optimization, ch. 18). A tiny strictly concave preference for the middle of window and
target makes the optimum unique where clearance alone leaves it open, so that the same anatomy
always gives the same path, however it lies in the scanner.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry import _kernels as mesh_kernels
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers

RESCUES = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """A path that no near one beats.

    Attributes:
        line: Its numbers: four of a line, six of a curved path.
        slack_mm: Its exact slack.
        worth_mm: Its slack less what it strays from the preferred line; decides between optima.
    """

    line: Float[np.ndarray, " n"]
    slack_mm: float
    worth_mm: float


def polish(family: LineFamily, start: Numbers) -> Optimum:
    """Climb from a line of the family to the best one near it; never to a worse one."""
    line = start.copy()
    worth = _kernels.climb(family.arrays, family.scene.space, family.preferred, line)
    return Optimum(line=line, slack_mm=family.slack(line), worth_mm=float(worth))


def preferences(family: LineFamily, lines: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Return what each line's straying from the preferred one costs, mm."""
    return _kernels.PREFERENCE * ((lines - family.preferred) ** 2).sum(axis=1)


def rescued(family: LineFamily, x: Numbers) -> Optimum | None:
    """Climb from the path nearest to a line that is none, if it can be found."""
    near = x.copy()
    _kernels.rescue(family.arrays, family.scene.skin.tree, near, RESCUES)
    return polish(family, near) if family.slack(near) > -mesh_kernels.FAR else None
