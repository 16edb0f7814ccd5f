"""Queries on triangle trees: nearest to a point, nearest to a segment, pierced by a segment."""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS
from geometry._kernels.tree import FAR, STACK


@numba.njit(**OPTIONS)
def closest_on_triangle(px, py, pz, t):
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
        x, y, z = closest_on_triangle(ex, ey, ez, t)
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
def _sideways(d, axes):
    """Fill ``axes`` (3, 3) with unit vectors across ``d`` and each coordinate axis; 0 for none."""
    for k in range(3):
        u, v = d[(k + 1) % 3], d[(k + 2) % 3]
        size = math.sqrt(u * u + v * v)
        near = 1.0 / size if size > 0.0 else 0.0
        axes[k, k], axes[k, (k + 1) % 3], axes[k, (k + 2) % 3] = 0.0, -v * near, u * near


@numba.njit(**OPTIONS)
def _segment_box(a, d, axes, low, high, node):
    """Lower bound on the distance from a segment to a node.

    The largest of: the gap to the node's sphere, the gap along the coordinate axes, and the gaps
    along the directions across them and the segment (``_sideways``).
    """
    cx = 0.5 * (low[node, 0] + high[node, 0])
    cy = 0.5 * (low[node, 1] + high[node, 1])
    cz = 0.5 * (low[node, 2] + high[node, 2])
    hx, hy, hz = high[node, 0] - cx, high[node, 1] - cy, high[node, 2] - cz
    rx, ry, rz = cx - a[0], cy - a[1], cz - a[2]
    bx = max(abs(rx - 0.5 * d[0]) - 0.5 * abs(d[0]) - hx, 0.0)
    by = max(abs(ry - 0.5 * d[1]) - 0.5 * abs(d[1]) - hy, 0.0)
    bz = max(abs(rz - 0.5 * d[2]) - 0.5 * abs(d[2]) - hz, 0.0)
    best = math.sqrt(bx * bx + by * by + bz * bz)
    dd = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    s = min(max((rx * d[0] + ry * d[1] + rz * d[2]) / dd, 0.0), 1.0) if dd > 0.0 else 0.0
    x, y, z = rx - s * d[0], ry - s * d[1], rz - s * d[2]
    best = max(best, math.sqrt(x * x + y * y + z * z) - math.sqrt(hx * hx + hy * hy + hz * hz))
    for k in range(3):
        ax, ay, az = axes[k, 0], axes[k, 1], axes[k, 2]
        gap = abs(rx * ax + ry * ay + rz * az) - hx * abs(ax) - hy * abs(ay) - hz * abs(az)
        best = max(best, gap)
    return best * (1.0 - 1e-12) - 1e-12


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
                x, y, z = closest_on_triangle(px, py, pz, tree.corners[i])
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
    axes = np.empty((3, 3))
    _sideways(d, axes)
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
        one = _segment_box(a, d, axes, tree.low, tree.high, start) - tree.slack[start]
        two = _segment_box(a, d, axes, tree.low, tree.high, start + 1) - tree.slack[start + 1]
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
    axes = np.empty((3, 3))
    _sideways(d, axes)
    depth, nodes[0] = 1, 0
    while depth > 0:
        depth -= 1
        node = nodes[depth]
        if _segment_box(a, d, axes, tree.low, tree.high, node) > 0.0:
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
