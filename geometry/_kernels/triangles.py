"""One triangle of a tree: the point of it nearest to a point or a segment, where it is pierced."""

import math

import numba

from geometry._kernels.options import OPTIONS
from geometry._kernels.tree import FAR, LANES

PARALLEL = 1e-14
TOUCHING2 = 1e-18  # squared distance of two points that are one, mm^2


@numba.njit(**OPTIONS)
def closest_on_triangle(lanes, i, px, py, pz):
    """Closest point of triangle ``i`` to a point (Ericson, Real-Time Collision Detection 5.1.5)."""
    node, lane = i // LANES, i % LANES
    ax, ay, az = lanes[node, 0, lane], lanes[node, 1, lane], lanes[node, 2, lane]
    bx, by, bz = lanes[node, 3, lane], lanes[node, 4, lane], lanes[node, 5, lane]
    cx, cy, cz = lanes[node, 6, lane], lanes[node, 7, lane], lanes[node, 8, lane]
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
def _to_edge(rx, ry, rz, dx, dy, dz, dd, ex, ey, ez):
    """Closest approach of two segments, ``s d`` and ``w e - r`` with s, w in [0, 1].

    ``r``: from the start of the second to that of the first; ``dd``: d . d. Returns squared
    distance, s and w (Ericson 5.1.9).
    """
    ee = ex * ex + ey * ey + ez * ez
    er = ex * rx + ey * ry + ez * rz
    dr = dx * rx + dy * ry + dz * rz
    de = dx * ex + dy * ey + dz * ez
    det = dd * ee - de * de
    s, w = 0.0, 0.0
    if det > PARALLEL * dd * ee:
        s = min(max((de * er - dr * ee) / det, 0.0), 1.0)
    if ee > 0.0:
        w = min(max((de * s + er) / ee, 0.0), 1.0)
    if dd > 0.0:
        s = min(max((de * w - dr) / dd, 0.0), 1.0)
    x, y, z = rx + s * dx - w * ex, ry + s * dy - w * ey, rz + s * dz - w * ez
    return x * x + y * y + z * z, s, w


@numba.njit(**OPTIONS)
def crossing(lanes, i, ax, ay, az, dx, dy, dz):
    """Return s in [0, 1] where ``a + s d`` pierces triangle ``i``, or -1 (Moeller-Trumbore)."""
    node, lane = i // LANES, i % LANES
    px, py, pz = lanes[node, 0, lane], lanes[node, 1, lane], lanes[node, 2, lane]
    ux, uy, uz = lanes[node, 3, lane] - px, lanes[node, 4, lane] - py, lanes[node, 5, lane] - pz
    vx, vy, vz = lanes[node, 6, lane] - px, lanes[node, 7, lane] - py, lanes[node, 8, lane] - pz
    hx, hy, hz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    det = ux * hx + uy * hy + uz * hz
    if det == 0.0:
        return -1.0
    wx, wy, wz = ax - px, ay - py, az - pz
    u = (wx * hx + wy * hy + wz * hz) / det
    qx, qy, qz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    v = (dx * qx + dy * qy + dz * qz) / det
    s = (vx * qx + vy * qy + vz * qz) / det
    if u < 0.0 or v < 0.0 or u + v > 1.0 or s < 0.0 or s > 1.0:
        return -1.0
    # Where segment and plane are all but parallel, the numbers above may be anything.
    x = wx + s * dx - u * ux - v * vx
    y = wy + s * dy - u * uy - v * vy
    z = wz + s * dz - u * uz - v * vz
    return s if x * x + y * y + z * z <= TOUCHING2 else -1.0


@numba.njit(**OPTIONS)
def segment_triangle(lanes, i, ax, ay, az, dx, dy, dz, limit):
    """Return distance, s and the triangle's point for segment ``a + s d`` and triangle ``i``.

    Only distances below ``limit`` are told; FAR where the triangle's plane is not that near.
    """
    node, lane = i // LANES, i % LANES
    px, py, pz = lanes[node, 0, lane], lanes[node, 1, lane], lanes[node, 2, lane]
    ux, uy, uz = lanes[node, 3, lane] - px, lanes[node, 4, lane] - py, lanes[node, 5, lane] - pz
    vx, vy, vz = lanes[node, 6, lane] - px, lanes[node, 7, lane] - py, lanes[node, 8, lane] - pz
    wx, wy, wz = ax - px, ay - py, az - pz
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    nn = nx * nx + ny * ny + nz * nz
    start = nx * wx + ny * wy + nz * wz  # heights of both ends above the plane, times |n|
    end = start + nx * dx + ny * dy + nz * dz
    if start * end > 0.0:
        height = min(abs(start), abs(end))
        if height * height >= limit * limit * nn:
            return FAR, 0.0, 0.0, 0.0, 0.0
    else:
        s = crossing(lanes, i, ax, ay, az, dx, dy, dz)
        if s >= 0.0:
            return 0.0, s, ax + s * dx, ay + s * dy, az + s * dz
    dd = dx * dx + dy * dy + dz * dz
    best, at, u = _to_edge(wx, wy, wz, dx, dy, dz, dd, ux, uy, uz)
    v = 0.0
    d2, s, w = _to_edge(wx, wy, wz, dx, dy, dz, dd, vx, vy, vz)
    if d2 < best:
        best, at, u, v = d2, s, 0.0, w
    d2, s, w = _to_edge(
        wx - ux, wy - uy, wz - uz, dx, dy, dz, dd, vx - ux, vy - uy, vz - uz
    )  # fmt: skip
    if d2 < best:
        best, at, u, v = d2, s, 1.0 - w, w
    # An end above the face itself; where it is not, an edge is as near.
    for tip in range(2):
        height = end if tip == 1 else start
        if height * height < best * nn:
            x, y, z = wx + tip * dx, wy + tip * dy, wz + tip * dz
            g = (vz * nx - vx * nz) * y + (vx * ny - vy * nx) * z + (vy * nz - vz * ny) * x
            h = (uy * nx - ux * ny) * z + (ux * nz - uz * nx) * y + (uz * ny - uy * nz) * x
            if g >= 0.0 and h >= 0.0 and g + h <= nn:
                best, at, u, v = height * height / nn, float(tip), g / nn, h / nn
    return (
        math.sqrt(best), at,
        px + u * ux + v * vx, py + u * uy + v * vy, pz + u * uz + v * vz,
    )  # fmt: skip
