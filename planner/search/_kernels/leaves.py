"""The leaves of a finished search, each with what bounds it: a proof, row by row."""

import math

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS
from planner.search._kernels.boxes import ask, known_points, rule_rows
from planner.search._kernels.model import BOUNDED, POINTS, new_scratch, place
from planner.search._kernels.skin import length_row
from planner.search._kernels.weighing import weigh

MOST_ROWS = 24  # points and rules that bound one leaf at most
LEAST_WEIGHT = 1e-9


@numba.njit(**OPTIONS)
def corner_bound(faces, face, points, x, h, work, total, known):
    """Return the weighed bound of ``work`` over the box exactly: its greatest corner value.

    The sum of weighed distances to points is convex, what rules add is linear.
    """
    greatest = -FAR
    p, q, y = np.empty(3), np.empty(3), np.empty(4)
    for corner in range(16):
        for k in range(4):
            y[k] = x[k] + (h[k] if corner >> k & 1 else -h[k])
        p[0], p[1], p[2] = y[0], y[1], 0.0
        for k in range(3):
            q[k] = (
                faces.origin[face, k]
                + y[2] * faces.axes[face, 0, k]
                + y[3] * faces.axes[face, 1, k]
            )
        value = 0.0
        for i in range(total):
            weight = work.weights[i]
            if weight == 0.0:
                continue
            if i < known:
                point, t = points[work.which[i]], work.at[i]
                apart = 0.0
                for k in range(3):
                    apart += ((1.0 - t) * p[k] + t * q[k] - point[k]) ** 2
                value += weight * (math.sqrt(apart) - point[3])
            else:
                value += weight * work.rows[i, 4]
                for k in range(4):
                    value += weight * work.rows[i, k] * (y[k] - x[k])
        greatest = max(greatest, value)
    return greatest


@numba.njit(**OPTIONS)
def _clean(work, known, total):
    """Drop weights of no weight, and make those of the points add up to 1."""
    mean = 0.0
    for i in range(total):
        if work.weights[i] < LEAST_WEIGHT:
            work.weights[i] = 0.0
        if i < known:
            mean += work.weights[i]
    for i in range(known):
        work.weights[i] /= mean


@numba.njit(**OPTIONS)
def explain(family, faces, space, boxes, leaves, bound, first, which, value, at):
    """Find what bounds every leaf.

    Args:
        leaves: (n,) boxes that were not split. Points that only the grid knew of are appended to
            ``boxes``.
        bound: (n,) filled: greatest corner value, -FAR where the leaf holds no path.
        first: (n + 1,) filled: rows of each leaf in the following.
        which: (m,) filled: surface point (>= 0), rule (-2 - index) or needle length (-1).
        value: (m,) filled: weight of the row.
        at: (m,) filled: t of a surface point.
    """
    work = new_scratch()
    x, h, kept = np.empty(4), np.empty(4), np.empty(POINTS, np.int32)
    first[0] = 0
    for n in range(leaves.shape[0]):
        box = leaves[n]
        face = boxes.face[box]
        first[n + 1] = first[n]
        bound[n] = -FAR
        if boxes.why[box] != BOUNDED:
            continue
        for k in range(4):
            x[k], h[k] = boxes.shape[box, k], boxes.shape[box, 4 + k]
        for k in range(7):
            work.run[k] = boxes.run[box, k]
        speed, reach, back = place(family, faces, face, x, work), work.run[0], work.run[1]
        length_row(family, faces, face, h, speed, work)
        for k in range(POINTS):
            kept[k] = boxes.kept[box, k]
        known, total, greatest = 0, 0, FAR
        for turn in range(2):
            if turn == 1:
                t = boxes.at[box]
                if math.isnan(t) or greatest <= boxes.bound[box]:
                    break
                # The grid bounded it: ask for the point behind the grid's bound.
                found = ask(
                    space, family, boxes.points, boxes.sizes[2], boxes.info, (t, t), FAR, work
                )
                if found < 0:
                    break
                boxes.sizes[2] += 1
                for k in range(1, POINTS):
                    kept[k] = -1
                kept[0] = found
            known, _ = known_points(faces, face, boxes.points, kept, h, back, reach, work)
            if known == 0:
                continue
            if turn == 1:
                work.at[0], total = t, known
                work.weights[0] = 1.0
            else:
                total = rule_rows(faces, face, x, h, work, known)
                weigh(work.rows, known, total, h, -FAR, work.weights, work.sums)
                _clean(work, known, total)
            greatest = corner_bound(faces, face, boxes.points, x, h, work, total, known)
        bound[n] = greatest
        row = first[n]
        for i in range(total):
            if work.weights[i] > 0.0 and row < which.shape[0]:
                is_point = i < known
                which[row] = work.which[i] if is_point else -2 - work.which[i]
                if not is_point and work.which[i] < 0:
                    which[row] = -1
                value[row], at[row] = work.weights[i], work.at[i] if is_point else 0.0
                row += 1
        first[n + 1] = row
