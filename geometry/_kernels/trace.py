"""Many lines at once through a grid: the least value along each.

One line waits for memory at every step, so 32 are walked in turns: where they are and what the
grid says there is reckoned in vector loops, in single precision, and a line that is done makes
room for the next. For searching; nothing is proved by it. The parts of the loop are inlined, so
that what the compiler asks about their arrays is asked once and not at every turn.
"""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS

WALKED = 32  # lines walked in turns
COARSE = 6.0  # nodes between the samples of a first walk, which finds a value to stay below
FINE = 1.0 / 3.0  # shortest step of the second walk, nodes
INLINED = {**OPTIONS, "inline": "always"}
DONE = np.float32(-1.0)
ZERO = np.float32(0.0)


@numba.njit(**OPTIONS)
def _begin(origin, scale, starts, ends, line, track, lane):
    """Put a line, walked from its end, on a lane of ``track``: place, direction, length; nodes."""
    length = 0.0
    for k in range(3):
        step = (starts[line, k] - ends[line, k]) * scale
        track[k, lane] = (ends[line, k] - origin[k]) * scale
        track[3 + k, lane] = step
        length += step * step
    length = math.sqrt(length)
    unit = np.float32(1.0 / max(length, 1e-30))
    for k in range(3, 6):
        track[k, lane] *= unit
    track[6, lane] = length


@numba.njit(**INLINED)
def _locate(shape, track, t, cell, share):
    """Set the grid cell of every lane and the shares of it that are passed, at ``t``."""
    nx, ny, nz = shape
    row, plane = np.int32(nz), np.int32(ny * nz)
    last_x, last_y, last_z = np.int32(nx - 2), np.int32(ny - 2), np.int32(nz - 2)
    high_x, high_y, high_z = np.float32(nx - 1), np.float32(ny - 1), np.float32(nz - 1)
    for lane in range(t.shape[0]):
        x = min(max(track[0, lane] + t[lane] * track[3, lane], ZERO), high_x)
        y = min(max(track[1, lane] + t[lane] * track[4, lane], ZERO), high_y)
        z = min(max(track[2, lane] + t[lane] * track[5, lane], ZERO), high_z)
        i, j, k = min(np.int32(x), last_x), min(np.int32(y), last_y), min(np.int32(z), last_z)
        share[0, lane], share[1, lane] = x - np.float32(i), y - np.float32(j)
        share[2, lane] = z - np.float32(k)
        cell[lane] = i * plane + j * row + k


@numba.njit(**INLINED)
def _gather(nodes, row, plane, cell, near):
    """Set ``near`` (8, 32) to the values at the corners of every lane's cell."""
    one = np.uint64(1)
    a, b, c, d = near[0], near[1], near[2], near[3]
    e, f, g, h = near[4], near[5], near[6], near[7]
    for lane in range(WALKED):
        at = np.uint64(cell[lane])
        a[lane], b[lane] = nodes[at], nodes[at + one]
        c[lane], d[lane] = nodes[at + row], nodes[at + row + one]
        at += plane
        e[lane], f[lane] = nodes[at], nodes[at + one]
        g[lane], h[lane] = nodes[at + row], nodes[at + row + one]


@numba.njit(**INLINED)
def _advance(near, share, track, fine, limits, t, least, ahead):
    """Take the value between the eight ``near`` nodes into account; set where to look next.

    ``limits``: below this a line is done; length of a unit of the values in nodes; shortest step.
    """
    floor, scale, step = limits
    for lane in range(t.shape[0]):
        z = share[2, lane]
        p = near[0, lane] + z * (near[1, lane] - near[0, lane])
        q = near[2, lane] + z * (near[3, lane] - near[2, lane])
        r = near[4, lane] + z * (near[5, lane] - near[4, lane])
        s = near[6, lane] + z * (near[7, lane] - near[6, lane])
        p, r = p + share[1, lane] * (q - p), r + share[1, lane] * (s - r)
        value = p + share[0, lane] * (r - p)
        low = min(least[lane], value)
        least[lane] = low
        further = max((value - low) * scale, step) if fine[lane] == 1 else np.float32(COARSE)
        further = min(t[lane] + further, track[6, lane])
        further = further if t[lane] < track[6, lane] else DONE
        ahead[lane] = further if low >= floor else DONE


@numba.njit(**OPTIONS)
def trace_lines(grid, starts, ends, cap, floor, out):
    """Fill ``out`` (n,) with the least value of a single-precision grid along each segment.

    None is above ``cap``, and a line is left as soon as it falls below ``floor``: with ``cap``
    just above ``floor`` a value tells quickly whether the line keeps it.

    A first walk takes samples far apart. The second steps as far as a 1-Lipschitz function cannot
    fall below the least value so far, yet ``FINE`` nodes at least: between two samples it may fall
    short of the least by half of that, beside the error of interpolation (see ``interpolate``).
    """
    nodes = grid.values.reshape(grid.values.size)
    row = np.uint64(grid.values.shape[2])
    plane = row * np.uint64(grid.values.shape[1])
    track, share = np.zeros((7, WALKED), np.float32), np.zeros((3, WALKED), np.float32)
    near, cell = np.zeros((8, WALKED), np.float32), np.zeros(WALKED, np.int32)
    t, least = np.zeros(WALKED, np.float32), np.zeros(WALKED, np.float32)
    ahead, fine = np.empty(WALKED, np.float32), np.empty(WALKED, np.int32)
    line = np.empty(WALKED, np.int64)
    for lane in range(WALKED):
        ahead[lane], fine[lane], line[lane] = DONE, 1, -1
    origin, scale = grid.origin, 1.0 / grid.spacing
    limits = (np.float32(floor), np.float32(scale), np.float32(FINE))
    shape, begun, done = grid.values.shape, 0, 0
    while True:
        for lane in range(WALKED):
            if ahead[lane] >= ZERO:
                t[lane] = ahead[lane]
                continue
            t[lane] = ZERO
            if fine[lane] == 0 and least[lane] >= limits[0]:
                fine[lane] = 1
                continue
            if line[lane] >= 0:
                out[line[lane]] = least[lane]
                done += 1
            line[lane], track[6, lane], fine[lane] = -1, ZERO, 1
            if begun < starts.shape[0]:
                _begin(origin, scale, starts, ends, begun, track, lane)
                line[lane], least[lane], fine[lane] = begun, cap, 0
                begun += 1
        if done == starts.shape[0]:
            return
        _locate(shape, track, t, cell, share)
        _gather(nodes, row, plane, cell, near)
        _advance(near, share, track, fine, limits, t, least, ahead)
