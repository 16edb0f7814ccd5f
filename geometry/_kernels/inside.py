"""Inside a closed mesh: whether a point is, and how deep a segment goes."""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS
from geometry._kernels.query import point_query
from geometry._kernels.tree import FAR
from geometry._kernels.triangles import closest_on_triangle


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
    x, y, z = closest_on_triangle(tree.lanes, i, px, py, pz)
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
