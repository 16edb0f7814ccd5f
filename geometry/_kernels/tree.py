"""Triangle trees: bounding-volume hierarchies whose triangles carry an offset each.

Queries minimise ``distance - offset``, so that structures with different required clearances
share one traversal. Nodes have eight children, which are looked at in one vector loop. The tree
has no pointers to speak of: triangles are put in an order in which every run of 8, 64, 512, ... of
them lies close together, and each run is a node.
"""

from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels.options import OPTIONS

LANES = 8  # children of a node
STACK = 128  # 7 nodes wait on each of at most 11 levels
FAR = 1e300


class Tree(NamedTuple):
    """Arrays of a triangle tree; nodes from the leaves up, the root last.

    ``lanes`` (leaves, 9, 8): corners of the triangles of a leaf, coordinate by coordinate;
    ``boxes`` (n - leaves, 6, 8): centres and half-widths of the children of the other nodes;
    ``slack`` (n, 8): largest offset below each child, -FAR where there is none;
    ``first``/``count`` (n,): first triangle of a leaf or first child of another, and how many;
    ``corners`` (m, 3, 3), ``offset`` (m,), ``owner`` (m,), ``face`` (m,): triangles in tree order,
    their offsets, owning structure and index in the input.
    """

    lanes: np.ndarray
    boxes: np.ndarray
    slack: np.ndarray
    first: np.ndarray
    count: np.ndarray
    corners: np.ndarray
    offset: np.ndarray
    owner: np.ndarray
    face: np.ndarray


@numba.njit(**OPTIONS)
def _part(order, value, start, stop, middle):
    """Reorder ``order[start:stop]`` so that no ``value`` before ``middle`` is above one after."""
    low, high = start, stop - 1
    while low < high:
        pivot = value[order[(low + high) // 2]]
        i, j = low, high
        while i <= j:
            while value[order[i]] < pivot:
                i += 1
            while value[order[j]] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i, j = i + 1, j - 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@numba.njit(**OPTIONS)
def build_order(corners):
    """Return the order of triangles ``corners`` (m, 3, 3): every run of 8, 64, ... is compact.

    A run is cut across its widest axis, as near the middle as whole smaller runs allow.
    """
    m = corners.shape[0]
    centre = np.empty((3, m))
    for i in range(m):
        for k in range(3):
            centre[k, i] = corners[i, 0, k] + corners[i, 1, k] + corners[i, 2, k]
    order = np.arange(m)
    todo = np.empty((STACK, 2), np.int64)
    todo[0, 0], todo[0, 1] = 0, m
    depth = 1
    while depth > 0:
        depth -= 1
        start, stop = todo[depth, 0], todo[depth, 1]
        if stop - start <= LANES:
            continue
        run = LANES
        while run * LANES < stop - start:
            run *= LANES
        middle = start + run * max((stop - start) // (2 * run), 1)
        axis, widest = 0, -1.0
        for k in range(3):
            low, high = FAR, -FAR
            for q in range(start, stop):
                low, high = min(low, centre[k, order[q]]), max(high, centre[k, order[q]])
            if high - low > widest:
                axis, widest = k, high - low
        _part(order, centre[axis], start, stop, middle)
        todo[depth, 0], todo[depth, 1] = start, middle
        todo[depth + 1, 0], todo[depth + 1, 1] = middle, stop
        depth += 2
    return order


@numba.njit(**OPTIONS)
def build_nodes(corners):
    """Return ``lanes``, ``boxes``, ``first`` and ``count`` of a tree over ordered triangles."""
    m = corners.shape[0]
    leaves = (m + LANES - 1) // LANES
    total, level = leaves, leaves
    while level > 1:
        level = (level + LANES - 1) // LANES
        total += level
    lanes = np.zeros((leaves, 9, LANES))
    boxes = np.zeros((total - leaves, 6, LANES))
    first, count = np.empty(total, np.int32), np.empty(total, np.int32)
    low, high = np.empty((total, 3)), np.empty((total, 3))
    for node in range(total):
        for k in range(3):
            low[node, k], high[node, k] = FAR, -FAR
    for node in range(leaves):
        first[node], count[node] = node * LANES, min(LANES, m - node * LANES)
        for lane in range(count[node]):
            for corner in range(3):
                for k in range(3):
                    x = corners[first[node] + lane, corner, k]
                    lanes[node, 3 * corner + k, lane] = x
                    low[node, k], high[node, k] = min(low[node, k], x), max(high[node, k], x)
    begin, end = 0, leaves  # the level below
    for node in range(leaves, total):
        if begin + (node - end) * LANES >= end:
            begin, end = end, node
        first[node] = begin + (node - end) * LANES
        count[node] = min(LANES, end - first[node])
        for lane in range(count[node]):
            child = first[node] + lane
            for k in range(3):
                x, y = low[child, k], high[child, k]
                boxes[node - leaves, k, lane] = 0.5 * (x + y)
                boxes[node - leaves, 3 + k, lane] = 0.5 * (y - x)
                low[node, k], high[node, k] = min(low[node, k], x), max(high[node, k], y)
    return lanes, boxes, first, count


@numba.njit(**OPTIONS)
def node_slack(first, count, offset):
    """Return the largest triangle offset below every child of every node, (n, 8)."""
    leaves = (offset.shape[0] + LANES - 1) // LANES
    slack, most = np.empty((first.shape[0], LANES)), np.empty(first.shape[0])
    for node in range(first.shape[0]):
        most[node] = -FAR
        for lane in range(LANES):
            slack[node, lane] = -FAR
            if lane < count[node]:
                child = first[node] + lane
                slack[node, lane] = offset[child] if node < leaves else most[child]
                most[node] = max(most[node], slack[node, lane])
    return slack
