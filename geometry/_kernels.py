"""Compiled loops over triangle trees: arrays and scalars only, no policy, no needle.

A tree is a bounding-volume hierarchy over triangles, each with an ``offset``: queries minimise
``distance - offset``, so that structures with different required clearances share one traversal.
All arithmetic is float64 without fast-math: results enter proofs.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
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


@numba.njit(**OPTIONS)
def _closest_on_triangle(px, py, pz, t):
    """Closest point of triangle ``t`` to a point (Ericson, Real-Time Collision Detection 5.1.5)."""
    ax, ay, az = t[0, 0], t[0, 1], t[0, 2]
    bx, by, bz = t[1, 0], t[1, 1], t[1, 2]
    cx, cy, cz = t[2, 0], t[2, 1], t[2, 2]
    abx, aby, abz = bx - ax, by - ay, bz - az
    acx, acy, acz = cx - ax, cy - ay, cz - az
    apx, apy, apz = px - ax, py - ay, pz - az
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    if d1 <= 0.0 and d2 <= 0.0:
        return ax, ay, az
    bpx, bpy, bpz = px - bx, py - by, pz - bz
    d3 = abx * bpx + aby * bpy + abz * bpz
    d4 = acx * bpx + acy * bpy + acz * bpz
    if d3 >= 0.0 and d4 <= d3:
        return bx, by, bz
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v = d1 / (d1 - d3)
        return ax + v * abx, ay + v * aby, az + v * abz
    cpx, cpy, cpz = px - cx, py - cy, pz - cz
    d5 = abx * cpx + aby * cpy + abz * cpz
    d6 = acx * cpx + acy * cpy + acz * cpz
    if d6 >= 0.0 and d5 <= d6:
        return cx, cy, cz
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        w = d2 / (d2 - d6)
        return ax + w * acx, ay + w * acy, az + w * acz
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 >= d3 and d5 >= d6:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return bx + w * (cx - bx), by + w * (cy - by), bz + w * (cz - bz)
    total = va + vb + vc
    v, w = vb / total, vc / total
    return ax + v * abx + w * acx, ay + v * aby + w * acy, az + v * abz + w * acz


@numba.njit(**OPTIONS)
def _segment_edge(a, d, t, i, j):
    """Closest approach of segment ``a + s d`` (s in [0, 1]) to edge (i, j) of triangle ``t``.

    Returns squared distance, s and the point on the edge (Ericson 5.1.9).
    """
    ex, ey, ez = t[j, 0] - t[i, 0], t[j, 1] - t[i, 1], t[j, 2] - t[i, 2]
    rx, ry, rz = a[0] - t[i, 0], a[1] - t[i, 1], a[2] - t[i, 2]
    dd = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    ee = ex * ex + ey * ey + ez * ez
    er = ex * rx + ey * ry + ez * rz
    dr = d[0] * rx + d[1] * ry + d[2] * rz
    de = d[0] * ex + d[1] * ey + d[2] * ez
    if ee <= 0.0:
        w = 0.0
        s = min(max(-dr / dd, 0.0), 1.0) if dd > 0.0 else 0.0
    elif dd <= 0.0:
        s = 0.0
        w = min(max(er / ee, 0.0), 1.0)
    else:
        det = dd * ee - de * de
        s = min(max((de * er - dr * ee) / det, 0.0), 1.0) if det > 1e-14 * dd * ee else 0.0
        w = (de * s + er) / ee
        if w < 0.0:
            w = 0.0
            s = min(max(-dr / dd, 0.0), 1.0)
        elif w > 1.0:
            w = 1.0
            s = min(max((de - dr) / dd, 0.0), 1.0)
    qx, qy, qz = t[i, 0] + w * ex, t[i, 1] + w * ey, t[i, 2] + w * ez
    x, y, z = a[0] + s * d[0] - qx, a[1] + s * d[1] - qy, a[2] + s * d[2] - qz
    return x * x + y * y + z * z, s, qx, qy, qz


@numba.njit(**OPTIONS)
def _crossing(a, d, t):
    """Return s in [0, 1] where ``a + s d`` pierces triangle ``t``, or -1 (Moeller-Trumbore)."""
    e1x, e1y, e1z = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    e2x, e2y, e2z = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    hx, hy, hz = d[1] * e2z - d[2] * e2y, d[2] * e2x - d[0] * e2z, d[0] * e2y - d[1] * e2x
    det = e1x * hx + e1y * hy + e1z * hz
    if det == 0.0:
        return -1.0
    sx, sy, sz = a[0] - t[0, 0], a[1] - t[0, 1], a[2] - t[0, 2]
    u = (sx * hx + sy * hy + sz * hz) / det
    if u < 0.0 or u > 1.0:
        return -1.0
    qx, qy, qz = sy * e1z - sz * e1y, sz * e1x - sx * e1z, sx * e1y - sy * e1x
    v = (d[0] * qx + d[1] * qy + d[2] * qz) / det
    if v < 0.0 or u + v > 1.0:
        return -1.0
    s = (e2x * qx + e2y * qy + e2z * qz) / det
    return s if 0.0 <= s <= 1.0 else -1.0


@numba.njit(**OPTIONS)
def _segment_triangle(a, d, t):
    """Return distance, s and the triangle's point for segment ``a + s d`` and triangle ``t``."""
    s = _crossing(a, d, t)
    if s >= 0.0:
        return 0.0, s, a[0] + s * d[0], a[1] + s * d[1], a[2] + s * d[2]
    best, at, qx, qy, qz = _segment_edge(a, d, t, 0, 1)
    for i in range(1, 3):
        d2, s, x, y, z = _segment_edge(a, d, t, i, (i + 1) % 3)
        if d2 < best:
            best, at, qx, qy, qz = d2, s, x, y, z
    for end in range(2):
        ex, ey, ez = a[0] + end * d[0], a[1] + end * d[1], a[2] + end * d[2]
        x, y, z = _closest_on_triangle(ex, ey, ez, t)
        d2 = (ex - x) ** 2 + (ey - y) ** 2 + (ez - z) ** 2
        if d2 < best:
            best, at, qx, qy, qz = d2, float(end), x, y, z
    return math.sqrt(best), at, qx, qy, qz


@numba.njit(**OPTIONS)
def _point_box(px, py, pz, low, high, node):
    x = max(low[node, 0] - px, px - high[node, 0], 0.0)
    y = max(low[node, 1] - py, py - high[node, 1], 0.0)
    z = max(low[node, 2] - pz, pz - high[node, 2], 0.0)
    return math.sqrt(x * x + y * y + z * z)


@numba.njit(**OPTIONS)
def _segment_box(a, d, low, high, node):
    """Lower bound on the distance from a segment to a node: by its sphere, and by its box."""
    cx = 0.5 * (low[node, 0] + high[node, 0])
    cy = 0.5 * (low[node, 1] + high[node, 1])
    cz = 0.5 * (low[node, 2] + high[node, 2])
    hx, hy, hz = high[node, 0] - cx, high[node, 1] - cy, high[node, 2] - cz
    dd = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    s = 0.0
    if dd > 0.0:
        s = ((cx - a[0]) * d[0] + (cy - a[1]) * d[1] + (cz - a[2]) * d[2]) / dd
        s = min(max(s, 0.0), 1.0)
    x, y, z = a[0] + s * d[0] - cx, a[1] + s * d[1] - cy, a[2] + s * d[2] - cz
    sphere = math.sqrt(x * x + y * y + z * z) - math.sqrt(hx * hx + hy * hy + hz * hz)
    bx = max(abs(a[0] + 0.5 * d[0] - cx) - 0.5 * abs(d[0]) - hx, 0.0)
    by = max(abs(a[1] + 0.5 * d[1] - cy) - 0.5 * abs(d[1]) - hy, 0.0)
    bz = max(abs(a[2] + 0.5 * d[2] - cz) - 0.5 * abs(d[2]) - hz, 0.0)
    return max(sphere, math.sqrt(bx * bx + by * by + bz * bz)) * (1.0 - 1e-12) - 1e-12


@numba.njit(**OPTIONS)
def point_query(tree, px, py, pz, bound):
    """Minimise distance - offset from a point, looking only below ``bound``.

    Returns value, triangle (tree order, -1 if nothing is below ``bound``) and its closest point.
    """
    nodes = np.empty(STACK, np.int32)
    bounds = np.empty(STACK)
    best, found, qx, qy, qz = bound, -1, 0.0, 0.0, 0.0
    depth, nodes[0], bounds[0] = 1, 0, -FAR
    while depth > 0:
        depth -= 1
        if bounds[depth] >= best:
            continue
        node = nodes[depth]
        start = tree.first[node]
        if tree.count[node] > 0:
            for i in range(start, start + tree.count[node]):
                x, y, z = _closest_on_triangle(px, py, pz, tree.corners[i])
                value = math.sqrt((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2) - tree.offset[i]
                if value < best:
                    best, found, qx, qy, qz = value, i, x, y, z
            continue
        one = _point_box(px, py, pz, tree.low, tree.high, start) - tree.slack[start]
        two = _point_box(px, py, pz, tree.low, tree.high, start + 1) - tree.slack[start + 1]
        near = start if one <= two else start + 1
        nodes[depth], bounds[depth] = 2 * start + 1 - near, max(one, two)
        nodes[depth + 1], bounds[depth + 1] = near, min(one, two)
        depth += 2
    return best, found, qx, qy, qz


@numba.njit(**OPTIONS)
def segment_query(tree, a, b, bound):
    """Minimise distance - offset from segment a-b, looking only below ``bound``.

    Returns value, triangle (tree order, -1 if none), s in [0, 1] along a-b, and the mesh point.
    """
    nodes = np.empty(STACK, np.int32)
    bounds = np.empty(STACK)
    d = b - a
    best, found, at, qx, qy, qz = bound, -1, 0.0, 0.0, 0.0, 0.0
    depth, nodes[0], bounds[0] = 1, 0, -FAR
    while depth > 0:
        depth -= 1
        if bounds[depth] >= best:
            continue
        node = nodes[depth]
        start = tree.first[node]
        if tree.count[node] > 0:
            for i in range(start, start + tree.count[node]):
                distance, s, x, y, z = _segment_triangle(a, d, tree.corners[i])
                if distance - tree.offset[i] < best:
                    best, found, at, qx, qy, qz = distance - tree.offset[i], i, s, x, y, z
            continue
        one = _segment_box(a, d, tree.low, tree.high, start) - tree.slack[start]
        two = _segment_box(a, d, tree.low, tree.high, start + 1) - tree.slack[start + 1]
        near = start if one <= two else start + 1
        nodes[depth], bounds[depth] = 2 * start + 1 - near, max(one, two)
        nodes[depth + 1], bounds[depth + 1] = near, min(one, two)
        depth += 2
    return best, found, at, qx, qy, qz


@numba.njit(**OPTIONS)
def segment_crossings(tree, a, b):
    """Return the sorted s in [0, 1] at which segment a-b pierces triangles of the tree."""
    nodes = np.empty(STACK, np.int32)
    hits = np.empty(64)
    found = 0
    d = b - a
    depth, nodes[0] = 1, 0
    while depth > 0:
        depth -= 1
        node = nodes[depth]
        if _segment_box(a, d, tree.low, tree.high, node) > 0.0:
            continue
        start = tree.first[node]
        if tree.count[node] == 0:
            nodes[depth], nodes[depth + 1] = start, start + 1
            depth += 2
            continue
        for i in range(start, start + tree.count[node]):
            s = _crossing(a, d, tree.corners[i])
            if s >= 0.0:
                if found == hits.shape[0]:
                    hits = np.concatenate((hits, np.empty(found)))
                hits[found] = s
                found += 1
    return np.sort(hits[:found])


@numba.njit(**OPTIONS)
def winding_number(corners, px, py, pz):
    """Generalised winding number of a point: 1 inside an outward closed mesh, 0 outside.

    Sum of signed solid angles over 4 pi (van Oosterom and Strackee 1983).
    """
    total = 0.0
    for i in range(corners.shape[0]):
        ax, ay, az = corners[i, 0, 0] - px, corners[i, 0, 1] - py, corners[i, 0, 2] - pz
        bx, by, bz = corners[i, 1, 0] - px, corners[i, 1, 1] - py, corners[i, 1, 2] - pz
        cx, cy, cz = corners[i, 2, 0] - px, corners[i, 2, 1] - py, corners[i, 2, 2] - pz
        la = math.sqrt(ax * ax + ay * ay + az * az)
        lb = math.sqrt(bx * bx + by * by + bz * bz)
        lc = math.sqrt(cx * cx + cy * cy + cz * cz)
        det = ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx)
        ab = ax * bx + ay * by + az * bz
        bc = bx * cx + by * cy + bz * cz
        ca = cx * ax + cy * ay + cz * az
        total += 2.0 * math.atan2(det, la * lb * lc + ab * lc + bc * la + ca * lb)
    return total / (4.0 * math.pi)


@numba.njit(**OPTIONS)
def _distance_at(tree, a, d, s):
    value, i, x, y, z = point_query(tree, a[0] + s * d[0], a[1] + s * d[1], a[2] + s * d[2], FAR)
    return value, i


@numba.njit(**OPTIONS)
def _triangle_distance_at(tree, i, a, d, s):
    px, py, pz = a[0] + s * d[0], a[1] + s * d[1], a[2] + s * d[2]
    x, y, z = _closest_on_triangle(px, py, pz, tree.corners[i])
    return math.sqrt((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2)


@numba.njit(**OPTIONS)
def _chord_bound(low_left, low_right, high_left, high_right):
    """Largest value of the smaller of two chords over their common interval."""
    # Chord one runs low_left -> low_right, chord two high_left -> high_right.
    left, right = low_left - high_left, low_right - high_right
    ends = max(min(low_left, high_left), min(low_right, high_right))
    if left * right >= 0.0:
        return ends
    w = left / (left - right)
    return max(ends, low_left + w * (low_right - low_left))


@numba.njit(**OPTIONS)
def farthest_on_segment(tree, a, b, s0, s1, tolerance):
    """Maximise the distance to the mesh along ``a + s (b - a)``, s in [s0, s1].

    The distance to one triangle is convex along a line, so over an interval it lies below its
    chord; the smaller of the chords of the two triangles nearest to the ends bounds the interval.
    Returns the largest distance found, within ``tolerance``, and its s.
    """
    d = b - a
    heap = np.empty((4096, 7))
    v0, i0 = _distance_at(tree, a, d, s0)
    v1, i1 = _distance_at(tree, a, d, s1)
    best, at = (v0, s0) if v0 >= v1 else (v1, s1)
    heap[0, 0], heap[0, 1], heap[0, 2], heap[0, 3] = s0, s1, v0, v1
    heap[0, 4], heap[0, 5] = i0, i1
    size = 1
    while size > 0:
        size -= 1
        left, right, vl, vr = heap[size, 0], heap[size, 1], heap[size, 2], heap[size, 3]
        il, ir = int(heap[size, 4]), int(heap[size, 5])
        bound = _chord_bound(
            vl,
            _triangle_distance_at(tree, il, a, d, right),
            _triangle_distance_at(tree, ir, a, d, left),
            vr,
        )
        if bound <= best + tolerance or size + 2 >= heap.shape[0]:
            continue
        m = 0.5 * (left + right)
        vm, im = _distance_at(tree, a, d, m)
        if vm > best:
            best, at = vm, m
        heap[size, 0], heap[size, 1], heap[size, 2], heap[size, 3] = left, m, vl, vm
        heap[size, 4], heap[size, 5] = il, im
        size += 1
        heap[size, 0], heap[size, 1], heap[size, 2], heap[size, 3] = m, right, vm, vr
        heap[size, 4], heap[size, 5] = im, ir
        size += 1
    return best, at


@numba.njit(**OPTIONS)
def fill_grid(tree, origin, spacing, cap, out, start, stop):
    """Fill planes ``start:stop`` of ``out`` (nx, ny, nz) with min(distance - offset, cap).

    Walks along z: the value at one node plus the step bounds the value at the next.
    """
    for i in range(start, stop):
        x = origin[0] + i * spacing
        for j in range(out.shape[1]):
            y = origin[1] + j * spacing
            previous = cap
            for k in range(out.shape[2]):
                bound = min(cap, previous + spacing * (1.0 + 1e-12) + 1e-12)
                value, found, qx, qy, qz = point_query(tree, x, y, origin[2] + k * spacing, bound)
                out[i, j, k] = value
                previous = value


@numba.njit(**OPTIONS)
def flood_signs(tree, origin, spacing, distance, inside):
    """Mark nodes inside a closed mesh in ``inside`` (0 unknown, 1 outside, 2 inside).

    Two neighbours whose distances add up to more than the step between them see no surface
    between them and share a sign; one winding number settles each such patch.
    """
    nx, ny, nz = distance.shape
    todo = np.empty((distance.size, 3), np.int32)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if inside[i, j, k] != 0:
                    continue
                w = winding_number(
                    tree.corners,
                    origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing,
                )  # fmt: skip
                sign = 2 if w > 0.5 else 1
                inside[i, j, k] = sign
                todo[0, 0], todo[0, 1], todo[0, 2] = i, j, k
                size = 1
                while size > 0:
                    size -= 1
                    x, y, z = todo[size, 0], todo[size, 1], todo[size, 2]
                    for n in range(6):
                        p = x + (1 if n == 0 else 0) - (1 if n == 1 else 0)
                        q = y + (1 if n == 2 else 0) - (1 if n == 3 else 0)
                        r = z + (1 if n == 4 else 0) - (1 if n == 5 else 0)
                        if p < 0 or q < 0 or r < 0 or p >= nx or q >= ny or r >= nz:
                            continue
                        if inside[p, q, r] != 0:
                            continue
                        if distance[x, y, z] + distance[p, q, r] > spacing * (1.0 + 1e-9):
                            inside[p, q, r] = sign
                            todo[size, 0], todo[size, 1], todo[size, 2] = p, q, r
                            size += 1


@numba.njit(**OPTIONS)
def interpolate(values, origin, spacing, px, py, pz):
    """Trilinear value at a point and its error bound for a 1-Lipschitz field.

    Trilinear weights are a probability over the eight corners with mean p, so the error is at
    most E|X - p| <= spacing * sqrt(sum f (1 - f)) (Jensen). Outside the grid the value at the
    nearest grid point plus the distance to it is returned, with that distance in the bound.
    """
    gx, gy, gz = (px - origin[0]) / spacing, (py - origin[1]) / spacing, (pz - origin[2]) / spacing
    cx = min(max(gx, 0.0), values.shape[0] - 1.0)
    cy = min(max(gy, 0.0), values.shape[1] - 1.0)
    cz = min(max(gz, 0.0), values.shape[2] - 1.0)
    i = min(int(cx), values.shape[0] - 2)
    j = min(int(cy), values.shape[1] - 2)
    k = min(int(cz), values.shape[2] - 2)
    x, y, z = cx - i, cy - j, cz - k
    near = (values[i, j, k] * (1 - z) + values[i, j, k + 1] * z) * (1 - y) + (
        values[i, j + 1, k] * (1 - z) + values[i, j + 1, k + 1] * z
    ) * y
    far = (values[i + 1, j, k] * (1 - z) + values[i + 1, j, k + 1] * z) * (1 - y) + (
        values[i + 1, j + 1, k] * (1 - z) + values[i + 1, j + 1, k + 1] * z
    ) * y
    outside = math.sqrt((gx - cx) ** 2 + (gy - cy) ** 2 + (gz - cz) ** 2)
    bound = math.sqrt(x * (1 - x) + y * (1 - y) + z * (1 - z)) + outside
    return near * (1 - x) + far * x, spacing * bound
