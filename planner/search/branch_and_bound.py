"""The best path of a family, and an upper bound that no path of it exceeds."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Int

from geometry import _kernels as mesh_kernels
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers
from planner.search.leaves import Leaves, explained
from planner.search.polish import Optimum, polish, preferences, rescued

BUDGET_BOXES = 60_000
# Searched to this gap, so that what is found does not depend on where the search began; once this
# many boxes are spent the gap that was asked for is enough.
AIM_MM = 0.02
PATIENCE_BOXES = 1_000
FLOOR_GAP_MM = 1e-3
BETTER_MM = 0.02  # a line this much better is climbed from before the search goes on
# Once these, twice these, ... are spent without a path, one is looked for. Not before, because most
# classes without a safe path are refused by fewer.
LOST_BOXES = 500
MOST_MISSED = 12  # so often a path may be looked for in vain before the search gives up
SEED_STEPS, LIKELY = (8, 8, 9, 9), 100  # of a lattice, and how many of it are measured exactly
# Looked at once so many boxes are spent without a safe path: there are ways as narrow as those
# through the ala of a sacrum with a screw in it.
FINE_BOXES, FINE_STEPS, FINE_LIKELY = 15_000, (24, 24, 25, 25), 3_000
DISTINCT_MM = 4.0
STARTS = 6
KEPT_STARTS = 2  # paths of the target's last place that are climbed from
MOST_KNOWN = 2_000  # leaves; of more, the roots are split anew


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """What a search of one family found.

    Attributes:
        optima: Local optima, best first, clearly different from one another; a slack is a margin
            plus the needle's radius. None where boxes alone proved the family infeasible.
        upper_bound_mm: No line of the family has a larger slack.
        closed: Whether bound and best met to the tolerance, or nothing feasible is left.
        boxes_examined: How many boxes were examined.
        settled_by: How many boxes each structure decided, by name.
        leaves: The boxes that were not split, which cover the family, and what bounds each.
    """

    optima: tuple[Optimum, ...]
    upper_bound_mm: float
    closed: bool
    boxes_examined: int
    settled_by: dict[str, int]
    leaves: Leaves


def search_family(  # noqa: PLR0913  what is asked, and what is known already
    family: LineFamily,
    *,
    radius_mm: float,
    tolerance_mm: float,
    others_mm: tuple[float, ...] = (),
    hints: tuple[Numbers, ...] = (),
    before: SearchResult | None = None,
    budget: int = BUDGET_BOXES,
    stop: Int[np.ndarray, " 1"] | None = None,
) -> SearchResult:
    """Search one family for the line of largest slack.

    Args:
        family: The lines.
        radius_mm: Needle radius: slack below it is infeasible, and proving that is enough.
        tolerance_mm: Stop once bound and best are this close.
        others_mm: Radii of further needles that share the family; theirs are settled as well.
        hints: Lines known to be good, such as those of a thicker needle.
        before: What was found and proved of the same gate with the target elsewhere. Its paths are
            climbed from in place of the best lines of a lattice, its leaves are tried again where
            they cover the family, and the gap that was asked for is enough.
        budget: Largest number of boxes.
        stop: Set to 1 from another thread to give up; what is proved by then holds.
    """
    starts = [*hints, *(_seeds(family) if before is None else _lines(before)[:KEPT_STARTS])]
    floors = np.unique([radius_mm, *others_mm]) - FLOOR_GAP_MM
    optima: list[Optimum] = []
    if any(family.slack(x) >= floors[0] for x in starts):
        optima, starts = _optima(family, starts), []
    owners = np.zeros(max(len(family.scene.names), 1), dtype=np.int64)
    boxes = _new_boxes(family, budget, None if before is None else before.leaves)
    aim, lost = tolerance_mm if before is not None else min(AIM_MM, tolerance_mm), LOST_BOXES
    cancelled = np.zeros(1, dtype=np.int64) if stop is None else stop
    how, best = _kernels.BETTER, _best(optima)
    missed, allowed = 0, min(FINE_BOXES, budget)
    while how == _kernels.BETTER or (how == _kernels.LOST and missed < MOST_MISSED):
        incumbent = np.zeros(4)
        limits = (
            aim, tolerance_mm, float(min(PATIENCE_BOXES, budget)), float(allowed), BETTER_MM,
            float(lost),
        )  # fmt: skip
        how, found = _kernels.branch(
            family.arrays, family.face_arrays, family.scene.space, boxes, incumbent, best, limits,
            floors, owners, cancelled,
        )  # fmt: skip
        if how == _kernels.LOST:
            lost *= 2
            rescue = rescued(family, incumbent)
            fresh = [*_optima(family, starts), *([] if rescue is None else [rescue])]
            missed += _best(fresh) <= best
        elif how == _kernels.SPENT and allowed < budget:
            how, allowed = _kernels.BETTER, budget
            fine = _seeds(family, FINE_STEPS, FINE_LIKELY) if max(found, best) < floors[0] else []
            fresh = _optima(family, [*starts, *fine, *([incumbent] if found > best else [])])
        elif found > best:
            fresh = _optima(family, [*starts, incumbent])
        else:
            continue
        optima, starts = _ranked([*fresh, *optima]), []
        best = _best(optima)
    leaves = explained(family, boxes)
    return SearchResult(
        optima=tuple(optima),
        upper_bound_mm=float(leaves.bound_mm.max(initial=-mesh_kernels.FAR)),
        closed=how == _kernels.CLOSED,
        boxes_examined=int(boxes.sizes[3]),
        settled_by={n: int(c) for n, c in zip(family.scene.names, owners, strict=False) if c > 0},
        leaves=leaves,
    )


def _best(optima: list[Optimum]) -> float:
    return max((o.slack_mm for o in optima), default=-mesh_kernels.FAR)


def _lines(result: SearchResult) -> list[Numbers]:
    return [optimum.line for optimum in result.optima]


def _new_boxes(family: LineFamily, budget: int, known: Leaves | None) -> _kernels.Boxes:
    """Return room for the boxes of a search, on the heap its roots, or leaves that cover them."""
    if known is not None and known.cover(family) and len(known.box) <= MOST_KNOWN:
        first, face, kept, points, owner = known.again()
    else:
        first, face = family.roots, np.arange(len(family.faces), dtype=np.uint8)
        kept, points = np.full((len(first), _kernels.POINTS), -1, np.int32), np.empty((0, 4))
        owner = np.empty((0, 2), np.int32)
    count, most = len(first), 2 * budget + len(first) + 2
    room = 3 * most + len(points)
    boxes = _kernels.Boxes(
        np.empty((most, 8)), np.empty(most), np.empty(most, np.uint8), np.empty(most, np.uint8),
        np.empty((most, 7)), np.empty((most, _kernels.POINTS), np.int32), np.empty(most),
        np.empty(most, np.int8), np.empty(most, np.uint8), np.empty(most, np.int32),
        np.array([count, count, len(points), 0]),
        np.empty((room, 4)), np.empty((room, 2), np.int32),
    )  # fmt: skip
    boxes.shape[:count], boxes.face[:count], boxes.kept[:count] = first, face, kept
    boxes.bound[:count], boxes.why[:count], boxes.at[:count] = (
        mesh_kernels.FAR, _kernels.BOUNDED, np.nan,
    )  # fmt: skip
    boxes.axis[:count], boxes.long[:count] = -1, 1
    boxes.heap[:count] = np.arange(count)
    boxes.points[: len(points)], boxes.info[: len(points)] = points, owner
    return boxes


def _seeds(
    family: LineFamily, steps: tuple[int, ...] = SEED_STEPS, most: int = LIKELY
) -> list[Numbers]:
    """Return the best lines of a lattice over window and cone, clearly different ones."""
    box, scene = family.root_box(), family.scene
    axes = [
        box[k] + box[4 + k] * (2.0 * (np.arange(n) + 0.5) / n - 1.0) for k, n in enumerate(steps)
    ]
    edges = family.arrays.edges
    gates = [g for g in product(*axes[:2]) if _kernels.window_distance(edges, *g) <= 0.0]
    lattice = np.array([(*g, *aim) for g in gates for aim in product(*axes[2:])]).reshape(-1, 4)
    slack = np.empty(len(lattice))
    _kernels.estimate(family.arrays, scene.field.grid, scene.skin.tree, lattice, slack)
    worth = slack - preferences(family, lattice)
    likely = np.argsort(-worth, kind="stable")[:most]
    lattice, slack = lattice[likely], slack[likely]
    _kernels.sample(family.arrays, scene.space, lattice, slack)
    worth = slack - preferences(family, lattice)
    order = np.argsort(-worth, kind="stable")
    return _distinct([lattice[i] for i in order if slack[i] > -mesh_kernels.FAR / 2.0], STARTS)


def climbed(family: LineFamily, before: SearchResult | None = None) -> tuple[Optimum, ...]:
    """Return what climbing from known paths or from seeds finds, best first; nothing is proved."""
    known = [] if before is None else _optima(family, _lines(before)[:KEPT_STARTS])
    return tuple(known or _optima(family, _seeds(family)))


def _optima(family: LineFamily, starts: list[Numbers]) -> list[Optimum]:
    """Climb from every start that is a path; return clearly different optima, best first."""
    climbed = [polish(family, x) for x in starts if family.slack(x) > -mesh_kernels.FAR]
    return _ranked(climbed)


def _ranked(optima: list[Optimum]) -> list[Optimum]:
    ordered = sorted(optima, key=lambda o: -o.worth_mm)
    lines = _distinct([o.line for o in ordered], len(ordered))
    return [o for o in ordered if any(o.line is x for x in lines)]


def _distinct(ranked: list[Numbers], most: int) -> list[Numbers]:
    """Return the first lines that are not within 4 mm of a better one, at gate and aim plane."""
    kept: list[Numbers] = []
    for x in ranked:
        if len(kept) == most:
            break
        if all(np.abs(x - other).max() > DISTINCT_MM for other in kept):
            kept.append(x)
    return kept
