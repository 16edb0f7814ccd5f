"""The best path of a family, and an upper bound that no path of it exceeds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from geometry import _kernels as mesh_kernels
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers
from planner.search.polish import Optimum, polish, preferences

BUDGET_BOXES = 30_000
TIGHTEN_SHARE = 5
# Searched to this gap, so that what is found does not depend on where the search began.
AIM_MM = 0.02
FLOOR_GAP_MM = 1e-3
SEED_STEPS = (8, 8, 9, 9)
DISTINCT_MM = 4.0
STARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """What a search of one family found.

    Attributes:
        optima: Local optima, best first, clearly different from one another; a slack is a margin
            plus the needle's radius.
        upper_bound_mm: No line of the family has a larger slack.
        closed: Whether bound and best met to the tolerance, or nothing feasible is left.
        boxes_examined: How many boxes were examined.
        settled_by: How many boxes each structure settled, by name.
    """

    optima: tuple[Optimum, ...]
    upper_bound_mm: float
    closed: bool
    boxes_examined: int
    settled_by: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Goal:
    """When a run of the compiled search may stop: gap closed, nothing feasible, boxes spent."""

    gap_mm: float
    floor_mm: float
    budget: int


def search_family(
    family: LineFamily,
    *,
    radius_mm: float,
    tolerance_mm: float,
    hints: tuple[Numbers, ...] = (),
    budget: int = BUDGET_BOXES,
) -> SearchResult:
    """Search one family for the line of largest slack.

    Args:
        family: The lines.
        radius_mm: Needle radius: slack below it is infeasible, and proving that is enough.
        tolerance_mm: Stop once bound and best are this close.
        hints: Lines known to be good, such as those of a thicker needle.
        budget: Largest number of boxes.
    """
    optima = _optima(family, [*hints, *_seeds(family)])
    owners = np.zeros(max(len(family.scene.names), 1), dtype=np.int64)
    boxes, bound, closed = 0, mesh_kernels.FAR, False
    floor = radius_mm - FLOOR_GAP_MM
    for goal in (
        _Goal(gap_mm=tolerance_mm, floor_mm=floor, budget=budget),
        _Goal(gap_mm=min(AIM_MM, tolerance_mm), floor_mm=floor, budget=budget // TIGHTEN_SHARE),
    ):
        improved = True
        while improved:
            best = max((o.slack_mm for o in optima), default=-mesh_kernels.FAR)
            incumbent = np.zeros(4)
            found, upper, examined, met = _bounded(family, incumbent, best, goal, owners)
            boxes, bound, closed = boxes + examined, min(bound, upper), closed or met
            improved = found > best + 1e-6
            if improved:
                optima = _ranked([*_optima(family, [incumbent]), *optima])
        if not closed:
            break
    return SearchResult(
        optima=tuple(optima),
        upper_bound_mm=float(bound),
        closed=bool(closed),
        boxes_examined=boxes,
        settled_by={n: int(c) for n, c in zip(family.scene.names, owners, strict=False) if c > 0},
    )


def _bounded(
    family: LineFamily,
    incumbent: Numbers,
    best: float,
    goal: _Goal,
    owners: Int[np.ndarray, " n"],
) -> tuple[float, float, int, bool]:
    """Run the compiled search; ``incumbent`` and ``owners`` are changed in place."""
    field = family.scene.field
    found, bound, boxes, closed = _kernels.search(
        family.arrays, family.scene.tree, family.scene.skin.tree, field.values, field.origin_mm,
        field.spacing_mm, field.cap_mm, family.root_box()[None, :], incumbent, best, goal.gap_mm,
        goal.floor_mm, goal.budget, owners,
    )  # fmt: skip
    return float(found), float(bound), int(boxes), bool(closed)


def _seeds(family: LineFamily) -> list[Numbers]:
    """Return the best lines of a lattice over window and cone, clearly different ones."""
    box = family.root_box()
    axes = [
        box[k] + box[4 + k] * (2.0 * (np.arange(n) + 0.5) / n - 1.0)
        for k, n in enumerate(SEED_STEPS)
    ]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 4)
    slack = np.empty(len(lattice))
    _kernels.sample(family.arrays, family.scene.tree, family.scene.skin.tree, lattice, slack)
    worth = slack - preferences(family, lattice)
    order = np.argsort(-worth, kind="stable")
    return _distinct([lattice[i] for i in order if slack[i] > -mesh_kernels.FAR / 2.0])[:STARTS]


def climbed(family: LineFamily) -> tuple[Optimum, ...]:
    """Return what climbing from the seeds finds, best first; nothing is proved of it."""
    return tuple(_optima(family, _seeds(family)))


def _optima(family: LineFamily, starts: list[Numbers]) -> list[Optimum]:
    """Climb from every start that is a path; return clearly different optima, best first."""
    climbed = [polish(family, x) for x in starts if family.slack(x) > -mesh_kernels.FAR]
    return _ranked(climbed)


def _ranked(optima: list[Optimum]) -> list[Optimum]:
    ordered = sorted(optima, key=lambda o: -o.worth_mm)
    lines = _distinct([o.line for o in ordered])
    return [o for o in ordered if any(o.line is x for x in lines)]


def _distinct(ranked: list[Numbers]) -> list[Numbers]:
    """Drop lines within 4 mm of a better one, at the gate and at the aim plane."""
    kept: list[Numbers] = []
    for x in ranked:
        if all(np.abs(x - other).max() > DISTINCT_MM for other in kept):
            kept.append(x)
    return kept
