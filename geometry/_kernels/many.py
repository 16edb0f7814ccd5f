"""One polyline and its many displaced copies against a mesh: its tightest spot, their distances."""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS
from geometry._kernels.query import segment_query
from geometry._kernels.tree import FAR, STACK

# Stretches of a polyline are not halved below this length, mm.
_SHORTEST = 1e-6


@numba.njit(**OPTIONS)
def _apart(p, q):
    return math.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2)


@numba.njit(**OPTIONS)
def least_ratio(tree, pivot, points, reserve, weights, best, gap):
    """Minimise (distance - reserve) / (shift + turn |p - pivot|) over a polyline's points p.

    ``weights`` is (shift, turn); ``best`` a value that some point is known to reach, or ``FAR``.
    Distances are unsigned, so the polyline must not pierce the surface, and distances below
    ``reserve`` count as ``reserve``. Branch and bound over stretches of the pieces: the weight is
    convex along a straight stretch, so the exact distance of the stretch over the larger weight
    of its ends is a lower bound of the ratio there. A stretch is dropped when that bound is at
    least ``best (1 - gap)``.

    Returns the smallest of ``best`` and the ratios met; no point's ratio is below it times
    ``1 - gap``. It may be smaller than need be where distance and weight both vanish at a point:
    stretches of 1e-6 mm around it count with their bound.
    """
    shift, turn = weights
    todo = np.empty((STACK, 2, 3))
    for piece in range(points.shape[0] - 1):
        size = 1
        todo[0, 0], todo[0, 1] = points[piece], points[piece + 1]
        while size > 0:
            size -= 1
            a, b = todo[size, 0].copy(), todo[size, 1].copy()
            heavy = shift + turn * max(_apart(a, pivot), _apart(b, pivot))
            bound = min(FAR, best * (1.0 - gap) * heavy + reserve)
            value, found, s, _, _, _ = segment_query(tree, a, b, bound)
            if found < 0:
                continue
            slack = max(value - reserve, 0.0)
            weight = shift + turn * _apart(a + s * (b - a), pivot)
            if weight > 0.0:
                best = min(best, slack / weight)
            if slack >= best * (1.0 - gap) * heavy:
                continue
            if _apart(a, b) < _SHORTEST:
                best = min(best, slack / heavy)
                continue
            middle = 0.5 * (a + b)
            todo[size, 0], todo[size, 1] = a, middle
            todo[size + 1, 0], todo[size + 1, 1] = middle, b
            size += 2
    return best


@numba.njit(**OPTIONS)
def many_distances(tree, nominal, moved, shift, cap):
    """Return the distances (n,) of displaced copies of a polyline to a mesh, none above ``cap``.

    ``nominal`` (k, 3) is the polyline, ``moved`` (n, k, 3) its copies, ``shift`` (n, k) how far
    each corner has moved. No point of a piece moves further than the farther of its ends, so a
    copy's piece that cannot come below what is known already is not measured.
    """
    count, corners = shift.shape
    near = np.empty(corners - 1)
    for j in range(corners - 1):
        farthest = 0.0
        for i in range(count):
            farthest = max(farthest, shift[i, j], shift[i, j + 1])
        value, _, _, _, _, _ = segment_query(tree, nominal[j], nominal[j + 1], cap + farthest)
        near[j] = value - 1e-9
    result = np.empty(count)
    for i in range(count):
        best = cap
        for j in range(corners - 1):
            if near[j] - max(shift[i, j], shift[i, j + 1]) < best:
                best, _, _, _, _, _ = segment_query(tree, moved[i, j], moved[i, j + 1], best)
        result[i] = best
    return result
