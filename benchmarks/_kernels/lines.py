"""Loops over many needle axes around the shipped compiled queries."""

import math

import numba

from geometry._kernels import OPTIONS, interpolate, segment_query

LEAST_STEP_MM = 0.25
SAMPLE_MM = 1.0
SEED_MM = 8.0


@numba.njit(**OPTIONS)
def exact_lines(tree, starts, ends, bound, out):
    """Fill ``out`` (n,) with min(distance - offset) of each segment, ``bound`` if not below it."""
    for i in range(starts.shape[0]):
        value, _, _, _, _, _ = segment_query(tree, starts[i], ends[i], bound)
        out[i] = value


@numba.njit(**OPTIONS)
def field_lines(grid, starts, ends, out):
    """Fill ``out`` (n,) with the least interpolated field value along each segment.

    A few samples far apart first; then steps as long as the 1-Lipschitz field guarantees that
    nothing below the least value so far is skipped.
    """
    for i in range(starts.shape[0]):
        ax, ay, az = starts[i, 0], starts[i, 1], starts[i, 2]
        dx, dy, dz = ends[i, 0] - ax, ends[i, 1] - ay, ends[i, 2] - az
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        dx, dy, dz = dx / length, dy / length, dz / length
        least = 1e300
        for sweep in range(2):
            t = length
            while t >= 0.0:
                value, _ = interpolate(grid, ax + t * dx, ay + t * dy, az + t * dz)
                least = min(least, value)
                t -= SEED_MM if sweep == 0 else max(value - least, LEAST_STEP_MM)
        out[i] = least


@numba.njit(**OPTIONS)
def field_allows(grid, starts, ends, needed, out):
    """Fill ``out`` (n,): whether the field stays at or above ``needed`` along each segment."""
    for i in range(starts.shape[0]):
        a, d = starts[i], ends[i] - starts[i]
        length = math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
        t, allowed = length, True
        while t >= 0.0:
            s = t / length
            value, _ = interpolate(grid, a[0] + s * d[0], a[1] + s * d[1], a[2] + s * d[2])
            if value < needed:
                allowed = False
                break
            t -= max(value - needed, LEAST_STEP_MM)
        out[i] = allowed


@numba.njit(**OPTIONS)
def proved_allows(tree, grid, starts, ends, needed, out):
    """Fill ``out`` (n,): whether each segment truly keeps ``needed``.

    The field refuses where even its error bound leaves no room; the meshes decide the rest.
    """
    for i in range(starts.shape[0]):
        a, d = starts[i], ends[i] - starts[i]
        length = math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
        t, refused = length, False
        while t >= 0.0:
            s = t / length
            value, error = interpolate(grid, a[0] + s * d[0], a[1] + s * d[1], a[2] + s * d[2])
            if value + error < needed:
                refused = True
                break
            t -= max(value - needed, SAMPLE_MM)
        if refused:
            out[i] = False
        else:
            _, found, _, _, _, _ = segment_query(tree, a, ends[i], needed)
            out[i] = found < 0
