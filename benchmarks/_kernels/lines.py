"""Loops over many needle axes around the shipped compiled queries."""

import math

import numba

from geometry._kernels import OPTIONS, interpolate, segment_query
from planner.search._kernels.lines import least_slack

SAMPLE_MM = 1.0


@numba.njit(**OPTIONS)
def exact_lines(tree, starts, ends, bound, out):
    """Fill ``out`` (n,) with min(distance - offset) of each segment, ``bound`` if not below it."""
    for i in range(starts.shape[0]):
        value, _, _, _, _, _ = segment_query(tree, starts[i], ends[i], bound)
        out[i] = value


@numba.njit(**OPTIONS)
def least_lines(space, starts, ends, out):
    """Fill ``out`` (n,) with the least slack of each segment, as the search measures it."""
    for i in range(starts.shape[0]):
        out[i], _ = least_slack(space, starts[i], ends[i])


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
