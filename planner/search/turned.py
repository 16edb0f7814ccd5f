"""One puncture, two arcs: a curved needle drawn back, turned in its cannula and sent out again.

Both arcs leave the same cannula at the same stop; the first ends on one side of a plane through
the target, the second on the other (DOMAIN 1.3 K9). What is sought is the largest slack that both
have. It is offered, not proved best.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry._kernels import FAR
from planner.search import _kernels
from planner.search.curved import SEED, CurvedFamily, PathNumbers, drawn

Cannulas = Float[np.ndarray, "n 5"]
Pair = Float[np.ndarray, " 7"]  # a cannula's five numbers, then the roll of each arc
LIKELY = 60  # cannulas of either side's best paths that are tried with both
ROLLS = 24
STARTS = 6
APART_MM = 4.0
STEP_MM, ROUNDS, PATIENCE, SETTLED_MM = 3.0, 400, 12, 0.02
ROLL_PER_MM = 0.125
MOVED = 0.7  # share of the numbers that one step changes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnedPair:
    """Two paths of one cannula.

    Attributes:
        paths: The numbers of the path to either side (see ``_kernels.curved``).
        slack_mm: The smaller of their slacks.
    """

    paths: tuple[PathNumbers, PathNumbers]
    slack_mm: float


def search_turned(sides: tuple[CurvedFamily, CurvedFamily]) -> TurnedPair | None:
    """Return the best cannula found whose arc reaches both of two targets, one at a time.

    Args:
        sides: The same curved needle through the same gate to either target.
    """
    best: Pair | None = None
    slack = -FAR
    for start in _starts(sides):
        climbed, found = _climbed(sides, start)
        if found > slack:
            best, slack = climbed, found
    if best is None:
        return None
    return TurnedPair(paths=(_path(best, 0), _path(best, 1)), slack_mm=slack)


def _path(pair: Pair, side: int) -> PathNumbers:
    return np.append(pair[:5], pair[5 + side])


def _slack(sides: tuple[CurvedFamily, CurvedFamily], pair: Pair) -> float:
    return min(family.slack(_path(pair, k)) for k, family in enumerate(sides))


def _starts(sides: tuple[CurvedFamily, CurvedFamily]) -> list[Pair]:
    """Return likely pairs: cannulas that serve one side well, each with its best roll to both."""
    cannulas = np.vstack([_likely(family) for family in sides])
    if len(cannulas) == 0:
        return []
    rolls = 2.0 * math.pi * np.arange(ROLLS) / ROLLS
    paths = np.column_stack([np.repeat(cannulas, ROLLS, axis=0), np.tile(rolls, len(cannulas))])
    slack = np.stack([_sampled(family, paths).reshape(-1, ROLLS) for family in sides])
    worth = slack.max(axis=2).min(axis=0)
    best_rolls = rolls[slack.argmax(axis=2)].T
    kept: list[Pair] = []
    for i in np.argsort(-worth, kind="stable"):
        if worth[i] <= -FAR or len(kept) == STARTS:
            break
        if all(np.abs(cannulas[i] - other[:5]).max() > APART_MM for other in kept):
            kept.append(np.concatenate([cannulas[i], best_rolls[i]]))
    return kept


def _likely(family: CurvedFamily) -> Cannulas:
    paths = drawn(family)
    slack = _sampled(family, paths)
    order = np.argsort(-slack, kind="stable")[:LIKELY]
    likely: Cannulas = paths[order[slack[order] > -FAR], :5]
    return likely


def _sampled(family: CurvedFamily, paths: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, " n"]:
    slack = np.empty(len(paths))
    _kernels.curved_sample(family.lines.arrays, family.lines.scene.space, family.bend, paths, slack)
    return slack


def _climbed(sides: tuple[CurvedFamily, CurvedFamily], start: Pair) -> tuple[Pair, float]:
    """Climb by random steps that are made smaller after every dozen failures."""
    rng = np.random.default_rng(SEED)
    moves = rng.normal(size=(ROUNDS, 7)) * (rng.uniform(size=(ROUNDS, 7)) < MOVED)
    moves[:, 5:] *= ROLL_PER_MM
    pair, best, step, failed = start, _slack(sides, start), STEP_MM, 0
    for move in moves:
        tried = pair + step * move
        slack = _slack(sides, tried)
        if slack > best:
            pair, best, failed, step = tried, slack, 0, min(1.5 * step, STEP_MM)
            continue
        failed += 1
        if failed > PATIENCE:
            step, failed = 0.6 * step, 0
            if step < SETTLED_MM:
                break
    return pair, best
