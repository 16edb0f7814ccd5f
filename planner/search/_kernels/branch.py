"""Best-first branch and bound over boxes of lines, and the leaves that prove what it found."""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS
from planner.search._kernels.boxes import examine
from planner.search._kernels.lines import line_slack, nearest_on_window, window_distance
from planner.search._kernels.model import (
    BOUNDED,
    NO_WINDOW,
    POINTS,
    SPLIT,
    aim_of,
    new_scratch,
    place,
)

GRID_MM = 1e-5
TINY_MM = 1e-4  # boxes this small are not halved
CLOSED, SPENT, BETTER, STOPPED, LOST = 0, 1, 2, 3, 4


class Boxes(NamedTuple):
    """Every box examined so far, and the heap of those that may still hold something better.

    ``shape`` (n, 8): centre and half-widths; ``bound`` (n,); ``face``, ``why`` (n,);
    ``run`` (n, 7): as ``Scratch.run``; ``kept`` (n, 8): surface points that bound it;
    ``at`` (n,): t at which the grid bounds it, else NaN; ``axis`` (n,): where to split it;
    ``long`` (n,): whether a path of it may be too long;
    ``heap`` (n,): box indices; ``sizes`` (4,): boxes, heap, points, examined;
    ``points`` (m, 4), ``info`` (m, 2): surface points, their owner and triangle.
    """

    shape: np.ndarray
    bound: np.ndarray
    face: np.ndarray
    why: np.ndarray
    run: np.ndarray
    kept: np.ndarray
    at: np.ndarray
    axis: np.ndarray
    long: np.ndarray
    heap: np.ndarray
    sizes: np.ndarray
    points: np.ndarray
    info: np.ndarray


@numba.njit(**OPTIONS)
def push(boxes, box):
    """Put a box on the heap, largest bound first."""
    heap, bound = boxes.heap, boxes.bound
    i = boxes.sizes[1]
    heap[i] = box
    boxes.sizes[1] += 1
    while i > 0 and bound[heap[i]] > bound[heap[(i - 1) // 2]]:
        parent = (i - 1) // 2
        heap[i], heap[parent] = heap[parent], heap[i]
        i = parent


@numba.njit(**OPTIONS)
def pop(boxes):
    """Take the box of largest bound off the heap."""
    heap, bound = boxes.heap, boxes.bound
    top = heap[0]
    boxes.sizes[1] -= 1
    size = boxes.sizes[1]
    heap[0] = heap[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            return top
        if child + 1 < size and bound[heap[child + 1]] > bound[heap[child]]:
            child += 1
        if bound[heap[i]] >= bound[heap[child]]:
            return top
        heap[i], heap[child] = heap[child], heap[i]
        i = child


@numba.njit(**OPTIONS)
def goal(best, gap, floors):
    """Return the bound that is low enough: a gap above the best, or below a needle's radius.

    ``floors`` (n,), rising: a bound below one of them that the best does not reach proves that
    needle's paths infeasible, which no gap may leave open.
    """
    if best < floors[0]:
        return floors[0]
    low_enough = best + gap
    for floor in floors:
        if best < floor <= low_enough:
            return floor
    return low_enough


@numba.njit(**OPTIONS)
def branch(family, faces, space, boxes, incumbent, best, limits, floors, owners, stop):
    """Split the box of highest bound until nothing can be better, or better was found.

    Args:
        boxes: The boxes so far; on the heap those to be split.
        incumbent: Best line so far (4,); overwritten when a better one is found.
        best: Its slack; a line that is too near for the thinnest needle is none.
        limits: Gap to close to; gap that is enough once ``patience`` boxes are spent; patience;
            largest number of boxes; gain at which to return; number of boxes after which to return
            if there is no line yet. Then, and where the best box is tiny, its middle line is
            returned for a path to be looked for near it.
        floors: (n,), rising: slacks below which the needles have no safe path.
        owners: (n,) counts of boxes decided by each structure; added to.
        stop: (1,) set from outside to give up.

    Returns:
        How it ended (``CLOSED``, ``SPENT``, ``BETTER``, ``STOPPED``, ``LOST``) and the best slack.
    """
    aim, gap, patience, budget, gain, lost = limits
    work = new_scratch()
    result, line, kept = np.empty(6), np.empty(4), np.empty(POINTS, np.int32)
    x, h = np.empty(4), np.empty(4)
    before = best
    while boxes.sizes[1] > 0:
        top = boxes.bound[boxes.heap[0]]
        enough = goal(best, aim, floors)
        if top <= enough:
            return CLOSED, best
        if boxes.sizes[3] >= patience and top <= goal(best, gap, floors):
            return CLOSED, best
        if boxes.sizes[3] >= budget or boxes.sizes[0] + 2 > boxes.shape.shape[0]:
            return SPENT, best
        if stop[0] != 0:
            return STOPPED, best
        if best > before + gain:
            return BETTER, best
        first = boxes.heap[0]
        tiny = max(boxes.shape[first, 4:]) < TINY_MM
        if tiny or (best == -FAR and boxes.sizes[3] >= lost):
            if tiny:
                pop(boxes)  # to halve it further would tell rounding errors apart
            place(family, faces, boxes.face[first], boxes.shape[first], work)
            if aim_of(family, boxes.shape[first], work, incumbent):
                return LOST, best
            continue
        parent = pop(boxes)
        axis, face = boxes.axis[parent], boxes.face[parent]
        whole = axis < 0  # a root is examined as it is
        boxes.why[parent] = SPLIT
        for child in range(1 if whole else 2):
            for k in range(4):
                x[k], h[k] = boxes.shape[parent, k], boxes.shape[parent, 4 + k]
            for k in range(POINTS):
                kept[k] = boxes.kept[parent, k]
            if not whole:
                h[axis] *= 0.5
                x[axis] += h[axis] if child == 1 else -h[axis]
            enough = goal(best, aim, floors)
            result[5] = float(boxes.long[parent])
            why, boxes.sizes[2] = examine(
                family, faces, space, boxes.points, boxes.info, boxes.sizes[2], face, x, h, kept,
                enough, max(best, floors[0]) + GRID_MM, result, work,
            )  # fmt: skip
            boxes.sizes[3] += 1
            box = parent if whole else boxes.sizes[0]
            if not whole:
                boxes.sizes[0] += 1
            for k in range(4):
                boxes.shape[box, k], boxes.shape[box, 4 + k] = x[k], h[k]
            for k in range(POINTS):
                boxes.kept[box, k] = kept[k]
            for k in range(7):
                boxes.run[box, k] = work.run[k] if why != NO_WINDOW else 0.0
            boxes.face[box], boxes.why[box] = face, why
            boxes.bound[box], boxes.at[box] = -FAR, result[1]
            if why != BOUNDED:
                continue
            # On a grid, so that boxes with equal bounds come in the same order in every frame.
            bound = math.ceil(result[0] / GRID_MM) * GRID_MM
            boxes.bound[box] = bound
            if result[3] >= 0.0:
                owners[int(result[3])] += 1
            if bound <= enough:
                continue
            boxes.axis[box], boxes.long[box] = int(result[4]), int(result[5])
            push(boxes, box)
            hope = max(best + GRID_MM, floors[0])
            if result[2] > hope:
                if window_distance(family.edges, x[0], x[1]) > 0.0:
                    x[0], x[1] = nearest_on_window(family.edges, x[0], x[1])
                place(family, faces, face, x, work)
                if not aim_of(family, x, work, line):
                    continue
                slack, t_tip, t_skin, other = line_slack(family, space, line, hope)
                if slack > hope:
                    best = slack
                    for k in range(4):
                        incumbent[k] = line[k]
    return CLOSED, best
