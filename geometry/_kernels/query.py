"""Queries on triangle trees: nearest to a point, nearest to a segment, pierced by a segment.

What prunes is one bound for points and segments, boxes and triangles alike. Let p be the point of
the segment nearest to some point m of a convex body. Seen from p in the direction n of m - p, no
point of the segment lies ahead of p, so the distance is at least the least of n . (x - p) over the
body: for a triangle over its corners, m their mean; for a box, its centre less the half-widths
weighed with |n|. Eight children are bounded in one vector loop.
"""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS
from geometry._kernels.tree import FAR, LANES, STACK
from geometry._kernels.triangles import closest_on_triangle, crossing, segment_triangle

# What rounding may add to a bound, and to its numerator, which is divided by the distance to m.
PAD = 1e-9
TINY = 1e-30


@numba.njit(**OPTIONS)
def leaf_gaps(lanes, slack, node, ax, ay, az, dx, dy, dz, gaps):
    """Set ``gaps`` (8,) to lower bounds of distance - offset from ``a + s d`` to a leaf."""
    dd = dx * dx + dy * dy + dz * dz
    inverse = 1.0 / dd if dd > 0.0 else 0.0
    for lane in range(lanes.shape[2]):
        ux, uy, uz = lanes[node, 0, lane] - ax, lanes[node, 1, lane] - ay, lanes[node, 2, lane] - az
        vx, vy, vz = lanes[node, 3, lane] - ax, lanes[node, 4, lane] - ay, lanes[node, 5, lane] - az
        wx, wy, wz = lanes[node, 6, lane] - ax, lanes[node, 7, lane] - ay, lanes[node, 8, lane] - az
        x, y, z = (ux + vx + wx) / 3.0, (uy + vy + wy) / 3.0, (uz + vz + wz) / 3.0
        s = min(max((x * dx + y * dy + z * dz) * inverse, 0.0), 1.0)
        px, py, pz = s * dx, s * dy, s * dz
        x, y, z = x - px, y - py, z - pz
        one = (ux - px) * x + (uy - py) * y + (uz - pz) * z
        two = (vx - px) * x + (vy - py) * y + (vz - pz) * z
        three = (wx - px) * x + (wy - py) * y + (wz - pz) * z
        gap = (min(min(one, two), three) - PAD) / (math.sqrt(x * x + y * y + z * z) + TINY)
        gaps[lane] = max(gap - PAD, 0.0) - slack[node, lane]


@numba.njit(**OPTIONS)
def node_gaps(boxes, slack, node, ax, ay, az, dx, dy, dz, gaps):
    """Set ``gaps`` (8,) to lower bounds from segment ``a + s d`` to a node's children."""
    box = node - slack.shape[0] + boxes.shape[0]
    dd = dx * dx + dy * dy + dz * dz
    inverse = 1.0 / dd if dd > 0.0 else 0.0
    for lane in range(boxes.shape[2]):
        x, y, z = boxes[box, 0, lane] - ax, boxes[box, 1, lane] - ay, boxes[box, 2, lane] - az
        s = min(max((x * dx + y * dy + z * dz) * inverse, 0.0), 1.0)
        x, y, z = x - s * dx, y - s * dy, z - s * dz
        size = x * x + y * y + z * z
        half = boxes[box, 3, lane] * abs(x) + boxes[box, 4, lane] * abs(y)
        gap = (size - half - boxes[box, 5, lane] * abs(z) - PAD) / (math.sqrt(size) + TINY)
        gaps[lane] = max(gap - PAD, 0.0) - slack[node, lane]


@numba.njit(**OPTIONS)
def _nearest(gaps, below):
    """Return the lane of the least gap below a value, -1 if none; strike it out."""
    near = -1
    for lane in range(LANES):
        if gaps[lane] < below:
            near, below = lane, gaps[lane]
    if near >= 0:
        gaps[near] = FAR
    return near


@numba.njit(**OPTIONS)
def _push(nodes, bounds, depth, child, gaps, below):
    """Put children with gaps below a value on the stack, the nearest on top; return its depth."""
    base = depth
    for lane in range(LANES):
        if gaps[lane] < below:
            i = depth
            while i > base and bounds[i - 1] < gaps[lane]:
                nodes[i], bounds[i] = nodes[i - 1], bounds[i - 1]
                i -= 1
            nodes[i], bounds[i] = child + lane, gaps[lane]
            depth += 1
    return depth


@numba.njit(**OPTIONS)
def point_query(tree, px, py, pz, bound):
    """Minimise distance - offset from a point, looking only below ``bound``.

    Returns value, triangle (tree order, -1 if nothing is below ``bound``) and its closest point.
    """
    lanes, boxes, slack, first = tree.lanes, tree.boxes, tree.slack, tree.first
    offsets = tree.offset
    nodes, bounds, gaps = np.empty(STACK, np.int32), np.empty(STACK), np.empty(LANES)
    best, found, qx, qy, qz = bound, -1, 0.0, 0.0, 0.0
    depth, nodes[0], bounds[0] = 1, first.shape[0] - 1, -FAR
    while depth > 0:
        depth -= 1
        if bounds[depth] >= best:
            continue
        node = nodes[depth]
        start = first[node]
        if node >= lanes.shape[0]:
            node_gaps(boxes, slack, node, px, py, pz, 0.0, 0.0, 0.0, gaps)
            depth = _push(nodes, bounds, depth, start, gaps, best)
            continue
        leaf_gaps(lanes, slack, node, px, py, pz, 0.0, 0.0, 0.0, gaps)
        lane = _nearest(gaps, best)
        while lane >= 0:
            i = start + lane
            x, y, z = closest_on_triangle(lanes, i, px, py, pz)
            value = math.sqrt((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2) - offsets[i]
            if value < best:
                best, found, qx, qy, qz = value, i, x, y, z
            lane = _nearest(gaps, best)
    return best, found, qx, qy, qz


@numba.njit(**OPTIONS)
def segment_query(tree, a, b, bound):
    """Minimise distance - offset from segment a-b, looking only below ``bound``.

    Returns value, triangle (tree order, -1 if none), s in [0, 1] along a-b, and the mesh point.
    """
    lanes, boxes, slack, first = tree.lanes, tree.boxes, tree.slack, tree.first
    offsets = tree.offset
    nodes, bounds, gaps = np.empty(STACK, np.int32), np.empty(STACK), np.empty(LANES)
    ax, ay, az = a[0], a[1], a[2]
    dx, dy, dz = b[0] - ax, b[1] - ay, b[2] - az
    best, found, at, qx, qy, qz = bound, -1, 0.0, 0.0, 0.0, 0.0
    depth, nodes[0], bounds[0] = 1, first.shape[0] - 1, -FAR
    while depth > 0:
        depth -= 1
        if bounds[depth] >= best:
            continue
        node = nodes[depth]
        start = first[node]
        if node >= lanes.shape[0]:
            node_gaps(boxes, slack, node, ax, ay, az, dx, dy, dz, gaps)
            depth = _push(nodes, bounds, depth, start, gaps, best)
            continue
        leaf_gaps(lanes, slack, node, ax, ay, az, dx, dy, dz, gaps)
        lane = _nearest(gaps, best)
        while lane >= 0:
            i = start + lane
            offset = offsets[i]
            distance, s, x, y, z = segment_triangle(lanes, i, ax, ay, az, dx, dy, dz, best + offset)
            if distance - offset < best:
                best, found, at, qx, qy, qz = distance - offset, i, s, x, y, z
            lane = _nearest(gaps, best)
    return best, found, at, qx, qy, qz


@numba.njit(**OPTIONS)
def triangles_near(tree, px, py, pz, dx, dy, dz):
    """Return the triangles (tree order) that ``p + s d``, s in [0, 1], may touch, in any order."""
    lanes, boxes, slack, first = tree.lanes, tree.boxes, tree.slack, tree.first
    nodes, gaps, near = np.empty(STACK, np.int32), np.empty(LANES), np.empty(64, np.int32)
    found, depth, nodes[0] = 0, 1, first.shape[0] - 1
    while depth > 0:
        depth -= 1
        node = nodes[depth]
        leaf = node < lanes.shape[0]
        if leaf:
            leaf_gaps(lanes, slack, node, px, py, pz, dx, dy, dz, gaps)
        else:
            node_gaps(boxes, slack, node, px, py, pz, dx, dy, dz, gaps)
        for lane in range(tree.count[node]):
            if gaps[lane] > -slack[node, lane]:
                continue
            if not leaf:
                nodes[depth] = first[node] + lane
                depth += 1
                continue
            if found == near.shape[0]:
                fewer, near = near, np.empty(2 * found, np.int32)
                near[:found] = fewer
            near[found] = first[node] + lane
            found += 1
    return near[:found]


@numba.njit(**OPTIONS)
def segment_crossings(tree, a, b):
    """Return the sorted s in [0, 1] at which segment a-b pierces triangles of the tree."""
    ax, ay, az = a[0], a[1], a[2]
    dx, dy, dz = b[0] - ax, b[1] - ay, b[2] - az
    near = triangles_near(tree, ax, ay, az, dx, dy, dz)
    hits, found = np.empty(near.shape[0]), 0
    for i in near:
        s = crossing(tree.lanes, i, ax, ay, az, dx, dy, dz)
        if s >= 0.0:
            hits[found] = s
            found += 1
    return np.sort(hits[:found])


@numba.njit(**OPTIONS)
def pierced_by(tree, starts, ends):
    """Tell of each of many segments whether it pierces a triangle of the tree."""
    pierced = np.empty(starts.shape[0], dtype=np.bool_)
    for i in range(starts.shape[0]):
        pierced[i] = segment_crossings(tree, starts[i], ends[i]).shape[0] > 0
    return pierced
