"""Inside closed surfaces: whether a point is, and how deep a segment goes."""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS
from geometry._kernels.query import point_query, triangles_near
from geometry._kernels.tree import FAR, LANES
from geometry._kernels.triangles import closest_on_triangle

# Ways out of a surface: along none of the directions that meshes are made along. Longer than 1.
WAYS = ((0.8414, 0.5023, 0.3271), (-0.4217, 0.8932, -0.3119), (0.2713, -0.3607, -0.9431))
SLANTED = 1e-6  # sine of an angle, or of a corner, below which rounding may have its say
NEAR_EDGE = 1e-6  # of a triangle's height
UNSURE = -(2**30)


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
def _leaves_by(lanes, i, px, py, pz, dx, dy, dz):
    """Tell how the way ``p + s d``, s in [0, 1], passes triangle ``i``: 1 outwards, -1 inwards.

    0: it surely does not pass. ``UNSURE``: too near an edge, or too slanted, for rounding.
    """
    node, lane = i // LANES, i % LANES
    ax, ay, az = lanes[node, 0, lane], lanes[node, 1, lane], lanes[node, 2, lane]
    ux, uy, uz = lanes[node, 3, lane] - ax, lanes[node, 4, lane] - ay, lanes[node, 5, lane] - az
    vx, vy, vz = lanes[node, 6, lane] - ax, lanes[node, 7, lane] - ay, lanes[node, 8, lane] - az
    hx, hy, hz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    det = ux * hx + uy * hy + uz * hz
    size2 = (ux * ux + uy * uy + uz * uz) * (vx * vx + vy * vy + vz * vz)
    if det * det <= SLANTED * SLANTED * size2 * (dx * dx + dy * dy + dz * dz):
        return UNSURE
    wx, wy, wz = px - ax, py - ay, pz - az
    qx, qy, qz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    u = (wx * hx + wy * hy + wz * hz) / det
    v = (dx * qx + dy * qy + dz * qz) / det
    s = (vx * qx + vy * qy + vz * qz) / det
    least = min(min(u, v), min(1.0 - u - v, s))
    if least < -NEAR_EDGE:
        return 0
    if least < NEAR_EDGE:
        return UNSURE
    return -1 if det > 0.0 else 1


@numba.njit(**OPTIONS)
def _depth(tree, px, py, pz, dx, dy, dz):
    """Return how many surfaces a way to beyond all of them leaves, less those it enters.

    ``UNSURE`` where it passes too near an edge to say.
    """
    depth = 0
    for i in triangles_near(tree, px, py, pz, dx, dy, dz):
        passed = _leaves_by(tree.lanes, i, px, py, pz, dx, dy, dz)
        if passed == UNSURE:
            return UNSURE
        depth += passed
    return depth


@numba.njit(**OPTIONS)
def _beyond(tree, px, py, pz):
    """Return a distance from a point beyond which there is nothing of a tree."""
    far = 0.0
    if tree.boxes.shape[0] == 0:
        for i in range(tree.corners.shape[0]):
            for k in range(3):
                t = tree.corners[i, k]
                far = max(far, abs(t[0] - px) + abs(t[1] - py) + abs(t[2] - pz))
    else:
        root = tree.boxes[-1]
        for lane in range(tree.count[-1]):
            across = abs(root[0, lane] - px) + abs(root[1, lane] - py) + abs(root[2, lane] - pz)
            far = max(far, across + root[3, lane] + root[4, lane] + root[5, lane])
    return far


@numba.njit(**OPTIONS)
def contains(tree, px, py, pz):
    """Whether a point lies in closed, outward surfaces, by what a straight way out of them passes.

    That count is the winding number. Where the way passes too near an edge for rounding another
    is tried, and where all do, as on the surface itself, the solid angles are summed.
    """
    far = _beyond(tree, px, py, pz)
    for way in WAYS:
        depth = _depth(tree, px, py, pz, far * way[0], far * way[1], far * way[2])
        if depth != UNSURE:
            return depth > 0
    return winding_number(tree.corners, px, py, pz) > 0.5


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
