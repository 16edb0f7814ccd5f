"""Triangle trees: bounding-volume hierarchies whose triangles carry an offset each.

Queries minimise ``distance - offset``, so that structures with different required clearances
share one traversal.
"""

from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels.options import OPTIONS

LEAF_SIZE = 4
STACK = 128
FAR = 1e300


class Tree(NamedTuple):
    """Arrays of a triangle tree.

    ``low``/``high`` (n, 3): node boxes; ``first``/``count`` (n,): first triangle and count of a
    leaf, or first child (second follows) and 0; ``slack`` (n,): largest offset below the node;
    ``corners`` (m, 3, 3), ``offset`` (m,), ``owner`` (m,), ``face`` (m,): triangles in tree order,
    their offsets, owning structure and index in the input.
    """

    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    count: np.ndarray
    slack: np.ndarray
    corners: np.ndarray
    offset: np.ndarray
    owner: np.ndarray
    face: np.ndarray


@numba.njit(**OPTIONS)
def _partition(order, centre, start, stop, axis, split):
    i, j = start, stop - 1
    while i <= j:
        if centre[order[i], axis] < split:
            i += 1
        else:
            order[i], order[j] = order[j], order[i]
            j -= 1
    return i


@numba.njit(**OPTIONS)
def build_order(corners):
    """Return node arrays and triangle order of a tree over ``corners`` (m, 3, 3)."""
    m = corners.shape[0]
    centre = np.empty((m, 3))
    for i in range(m):
        for k in range(3):
            centre[i, k] = (corners[i, 0, k] + corners[i, 1, k] + corners[i, 2, k]) / 3.0
    order = np.arange(m)
    low = np.empty((2 * m, 3))
    high = np.empty((2 * m, 3))
    first = np.zeros(2 * m, np.int32)
    count = np.zeros(2 * m, np.int32)
    todo = np.empty((STACK, 3), np.int64)
    todo[0, 0], todo[0, 1], todo[0, 2] = 0, 0, m
    depth, nodes = 1, 1
    while depth > 0:
        depth -= 1
        node, start, stop = todo[depth, 0], todo[depth, 1], todo[depth, 2]
        for k in range(3):
            low[node, k], high[node, k] = FAR, -FAR
        axis, widest, split = 0, -1.0, 0.0
        for k in range(3):
            c_low, c_high = FAR, -FAR
            for q in range(start, stop):
                i = order[q]
                c_low, c_high = min(c_low, centre[i, k]), max(c_high, centre[i, k])
                for c in range(3):
                    low[node, k] = min(low[node, k], corners[i, c, k])
                    high[node, k] = max(high[node, k], corners[i, c, k])
            if c_high - c_low > widest:
                axis, widest, split = k, c_high - c_low, 0.5 * (c_low + c_high)
        if stop - start <= LEAF_SIZE:
            first[node], count[node] = start, stop - start
            continue
        middle = _partition(order, centre, start, stop, axis, split)
        if middle - start < (stop - start) // 16 or stop - middle < (stop - start) // 16:
            part = order[start:stop]
            part[:] = part[np.argsort(centre[part, axis], kind="mergesort")]
            middle = (start + stop) // 2
        first[node] = nodes
        todo[depth, 0], todo[depth, 1], todo[depth, 2] = nodes, start, middle
        todo[depth + 1, 0], todo[depth + 1, 1], todo[depth + 1, 2] = nodes + 1, middle, stop
        depth += 2
        nodes += 2
    return (
        low[:nodes].copy(),
        high[:nodes].copy(),
        first[:nodes].copy(),
        count[:nodes].copy(),
        order,
    )


@numba.njit(**OPTIONS)
def node_slack(first, count, offset):
    """Return the largest triangle offset below every node (children follow their parents)."""
    slack = np.empty(first.shape[0])
    for node in range(first.shape[0] - 1, -1, -1):
        best = -FAR
        if count[node] > 0:
            for q in range(first[node], first[node] + count[node]):
                best = max(best, offset[q])
        else:
            best = max(slack[first[node]], slack[first[node] + 1])
        slack[node] = best
    return slack
