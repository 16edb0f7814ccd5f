"""Boxes of paths along a screw: what no path of a box can exceed.

At a station w let g be the lift of the middle path. Over a box of half-widths h lifts lie between
``low`` and ``high``, read off at both ends of m and theta, in which the lift grows. Before it is
turned round the shaft a path is at ``rho e + g' n'``, n' turned from the middle path's n by up to
hdelta: in the rectangle of ``rho e + s n + t n*``, n* across n, low cos(hdelta) <= s <= high and
|t| <= high sin(hdelta). All of it is turned by up to hphi.

For a surface point q of offset c the slack of a path is at most |p - q| - c. That is convex over
the rectangle, so greatest at a corner, and a corner is farthest from q when it is turned as far
away from it as it may be. A station counts if every path has it: it lies between the last point
at which all are surely within the skin and the first at which one may end.
"""

import math

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, interpolate, point_query
from planner.search._kernels.along import (
    at_station,
    gate_point,
    lift,
    slide_in_target,
    to_contact,
)
from planner.search._kernels.curved import to_scene
from planner.search._kernels.lines import window_distance
from planner.search._kernels.model import ROUNDING_MM

STEP_MM = 1.0
LEVER_MM = 20.0  # what an angle counts where nothing else tells which number to halve
KEPT = 4  # surface points that a box hands to its halves


@numba.njit(**OPTIONS)
def _rectangle(along, x, h, w):
    """Return the middle path's lift at a station, and the rectangle's least s, greatest s and t."""
    m = x[1] - w
    low = lift(along, m - h[1], max(x[2] - h[2], 0.0)) * math.cos(h[3])
    high = lift(along, m + h[1], x[2] + h[2])
    return lift(along, m, x[2]), low, high, high * math.sin(h[3])


@numba.njit(**OPTIONS)
def _spread(rho, g, low, high, across, turn):
    """Return how far a path of a box can be from the middle one, at one station."""
    turned = 2.0 * math.sin(0.5 * min(turn, math.pi)) * (rho + g)
    return turned + math.hypot(max(high - g, g - low), across) + ROUNDING_MM


@numba.njit(**OPTIONS)
def station_spread(along, x, h, w):
    """Return how far paths of a box lie from the middle one at a station, at most."""
    g, low, high, across = _rectangle(along, x, h, w)
    return _spread(along.rho, g, low, high, across, h[0])


@numba.njit(**OPTIONS)
def farthest(along, x, h, w, q):
    """Return the largest slack that surface point ``q`` leaves any path of a box at a station.

    ``q`` (6,): radius, angle and station in the screw's frame, offset; the rest is not read.
    """
    _, low, high, across = _rectangle(along, x, h, w)
    c, d, most = math.cos(x[3]), math.sin(x[3]), 0.0
    for i in range(4):
        s, t = low if i < 2 else high, across if i % 2 == 0 else -across
        u, v = along.rho + s * c - t * d, s * d + t * c
        apart = abs(x[0] + math.atan2(v, u) - q[1]) % (2.0 * math.pi)
        apart = min(min(apart, 2.0 * math.pi - apart) + h[0], math.pi)
        r2 = u * u + v * v
        most = max(most, r2 + q[0] * q[0] - 2.0 * math.sqrt(r2) * q[0] * math.cos(apart))
    return math.sqrt(most + (w - q[2]) ** 2) - q[3] + ROUNDING_MM


@numba.njit(**OPTIONS)
def _set(x, h, i, low, high):
    """Set number ``i`` of a box to the interval that is left of it; return whether one is."""
    low = max(low - ROUNDING_MM, x[i] - h[i])
    high = min(high + ROUNDING_MM, x[i] + h[i])
    if low > high:
        return False
    x[i], h[i] = 0.5 * (low + high), 0.5 * (high - low)
    return True


@numba.njit(**OPTIONS)
def contract(along, x, h, end):
    """Cut off a box what is no path for want of room; slides end before station ``end``.

    Returns:
        Whether anything is left.
    """
    shortest = to_contact(along, max(x[2] - h[2], 0.0))
    longest = to_contact(along, x[2] + h[2])
    last = min(along.last + longest, end - along.parallel, end - along.least + longest)
    if not _set(x, h, 1, along.first + shortest, last):
        return False
    before, after = x[1] - h[1] - along.last, x[1] + h[1] - along.first
    least = 2.0 * math.atan(max(before, 0.0) / along.bend)
    return _set(x, h, 2, least, 2.0 * math.atan(after / along.bend))


@numba.njit(**OPTIONS)
def _misses_gate(family, along, x, h, point):
    """Whether all paths of a box pierce the gate plane outside the window."""
    a, b, w = gate_point(along, x, point)
    off = window_distance(family.edges, a, b)
    return off > 0.0 and off > along.crossing * station_spread(along, x, h, w)


@numba.njit(**OPTIONS)
def _back(family, space, along, x, h, work):
    """Return the station back to which every path of the box is still within the skin."""
    point, p = work[0], work[1]
    speed = 1.0 / math.cos(x[2] + h[2])
    w = x[1] + h[1]
    last = w - family.usable
    while w > last:
        at_station(along, x, w, point)
        to_scene(family, point, p)
        room = -station_spread(along, x, h, w)
        if family.has_skin:
            value, error = interpolate(space.skin_grid, p[0], p[1], p[2])
            room += value - error
        else:
            room += family.plane_offset
            for k in range(3):
                room -= family.plane_normal[k] * p[k]
        if room < STEP_MM:
            break
        w -= room / speed
    return max(w, last)


@numba.njit(**OPTIONS)
def _witness(family, along, space, x, w, work, q):
    """Set ``q`` (6,) to the surface point nearest to the middle path at a station."""
    point, p = work[0], work[1]
    at_station(along, x, w, point)
    to_scene(family, point, p)
    _, found, qx, qy, qz = point_query(space.tree, p[0], p[1], p[2], FAR)
    if found < 0:
        return False
    a, b, c = qx - family.origin[0], qy - family.origin[1], qz - family.origin[2]
    u = a * family.lateral[0] + b * family.lateral[1] + c * family.lateral[2]
    v = a * family.cranial[0] + b * family.cranial[1] + c * family.cranial[2]
    q[0], q[1] = math.hypot(u, v), math.atan2(v, u)
    q[2] = a * family.axis[0] + b * family.axis[1] + c * family.axis[2]
    q[3], q[4], q[5] = space.tree.offset[found], w, float(space.tree.owner[found])
    return True


@numba.njit(**OPTIONS)
def examine_along(family, space, along, x, h, enough, kept, work, result):
    """Bound the slack of every path of a box from above; -FAR where it holds none.

    The box is cut to what may be paths; ``kept`` (KEPT, 6): surface points handed down,
    as for ``farthest`` with their station and owner, negative where there is none; the one that
    bounds least gives way to a better one.
    ``work`` (2, 3): room; ``result``: an upper bound of the middle path's slack, the number to
    halve, the owner of the deciding triangle (or -1).
    """
    result[0], result[1], result[2] = FAR, 0.0, -1.0
    point, p = work[0], work[1]
    turned = along.rho * 2.0 * math.sin(0.5 * min(h[0], math.pi)) + ROUNDING_MM
    start, end = slide_in_target(family, along, x[0], turned)
    if not contract(along, x, h, end) or _misses_gate(family, along, x, h, point):
        return -FAR
    slid = max(along.least - to_contact(along, x[2] + h[2]), along.parallel)
    tip = max(start, x[1] - h[1] + slid)
    if tip > end + ROUNDING_MM:
        return -FAR
    best, at, worst, slot = FAR, tip, -FAR, 0
    for i in range(KEPT):
        top = FAR
        if kept[i, 5] >= 0.0:
            top = farthest(along, x, h, kept[i, 4], kept[i])
        if top < best:
            best, at, result[2] = top, kept[i, 4], kept[i, 5]
        if top > worst:
            worst, slot = top, i
    if best <= enough:
        return best
    back = _back(family, space, along, x, h, work)
    if tip - back > family.usable + ROUNDING_MM:
        return -FAR
    middle, w, least, promising = FAR, tip, FAR, tip
    while best > enough:
        g, low, high, across = _rectangle(along, x, h, w)
        spread = _spread(along.rho, g, low, high, across, h[0])
        at_station(along, x, w, point)
        to_scene(family, point, p)
        value, error = interpolate(space.grid, p[0], p[1], p[2])
        middle = min(middle, value + error)
        if value + error + spread < best:
            best, at, result[2] = value + error + spread, w, -1.0
        guess = value + high - g
        if guess < least:
            least, promising = guess, w
        if w <= back:
            break
        w = max(w - max(STEP_MM, 0.7 * (value - enough)), back)
    if best > enough and _witness(family, along, space, x, promising, work, kept[slot]):
        # The grid names the place, a point of a triangle bounds all paths there.
        top = farthest(along, x, h, promising, kept[slot])
        if top < best:
            best, at, result[2] = top, promising, kept[slot, 5]
    result[0], result[1] = middle, float(_halve(along, x, h, at))
    return best


@numba.njit(**OPTIONS)
def _halve(along, x, h, at):
    """Choose the number that moves the deciding place most; the widest where none does."""
    m = max(x[1] + h[1] - at, 0.0)
    g, sine = lift(along, m, x[2]), min(m / along.bend, math.sin(x[2]))
    turned, aside = h[0] * (along.rho + g), h[3] * g
    # Turning moves a path along the surface that decides, which counts squared.
    gains = (
        turned * min(0.2 * turned, 1.0), h[1] * sine,
        h[2] * max(m - along.bend * math.sin(max(x[2] - h[2], 0.0)), 0.0),
        aside * min(0.2 * aside, 1.0),
    )  # fmt: skip
    sizes = (h[0] * along.rho, 0.1 * h[1], h[2] * LEVER_MM, h[3])
    axis, widest = 0, 0
    for i in range(4):
        if gains[i] > gains[axis]:
            axis = i
        if sizes[i] > sizes[widest]:
            widest = i
    return axis if gains[axis] > 0.05 * sizes[widest] else widest


@numba.njit(**OPTIONS)
def examine_many_along(family, space, along, boxes, enough, kept, results):
    """Examine ``boxes`` (n, 8) with their ``kept`` (n, KEPT, 6); both are overwritten.

    ``results`` (n, 4) are filled with bound, middle, axis and owner.
    """
    work, result = np.empty((2, 3)), np.empty(3)
    for i in range(boxes.shape[0]):
        results[i, 0] = examine_along(
            family, space, along, boxes[i, :4], boxes[i, 4:], enough, kept[i], work, result
        )
        results[i, 1:] = result
