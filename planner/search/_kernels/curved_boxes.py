"""Boxes of curved needles: what no path of a box can exceed, and branch and bound over them.

Over a box of half-widths h let P be how far its gate points are from the middle one at most and S
its stops: ``P = |(ha, hb)|``, ``S = |(he, hf, hg)|``. With t from 0 at the gate to 1 at the stop
the cannula's point at t moves by at most ``|1 - t| P + |t| S``. The cannula's direction turns by
at most ``asin((P + S) / L)``, L the middle path's length from gate to stop, the axes of the roll
by at most ``curl`` times that (T), and the arc's point at angle s therefore by at most

    rho(s) = S + T chord(s) + hroll R (1 - cos s),    chord(s) = 2 R sin(s / 2).

Slack is 1-Lipschitz, so the slack at a point of the middle path plus what that point moves bounds
the slack of every path of the box that reaches it. Tips in the target are taken to be in bone.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, interpolate, point_query
from planner.search._kernels.boxes import outside
from planner.search._kernels.branch import BETTER, CLOSED, SPENT, STOPPED, goal, pop, push
from planner.search._kernels.curved import (
    aim_curved,
    curved_slack,
    on_arc,
    outside_target,
    to_scene,
)
from planner.search._kernels.model import ROUNDING_MM, box_spread, new_scratch, value_at
from planner.search._kernels.reaches import back_reach

STEP_MM = 1.0
TRIES = 60
ON_ARC = 2.0  # places below it are t on the cannula, from it on 2 + angle on the arc
NEAR_MM = 1e-3  # a tip that could be this near the target counts as in it


class CurvedBoxes(NamedTuple):
    """Boxes examined so far, and the heap of those that may still hold something better.

    ``shape`` (n, 12): centre and half-widths; ``bound`` (n,); ``axis`` (n,): where to split it,
    -1 for the root; ``heap`` (n,); ``sizes`` (3,): boxes, heap, examined; ``dropped`` (1,): the
    largest bound of a box that was let go.
    """

    shape: np.ndarray
    bound: np.ndarray
    axis: np.ndarray
    heap: np.ndarray
    sizes: np.ndarray
    dropped: np.ndarray


@numba.njit(**OPTIONS)
def _widths(h):
    """Return how far gate points and stops lie from the middle ones at most."""
    return math.hypot(h[0], h[1]), math.sqrt(h[2] * h[2] + h[3] * h[3] + h[4] * h[4])


@numba.njit(**OPTIONS)
def _arc_spread(bend, h, stops, turn, angle):
    """How far the arc's point at an angle moves at most over a box."""
    chord = 2.0 * bend.radius * math.sin(0.5 * angle)
    aside = bend.radius * (1.0 - math.cos(angle))
    return stops + min(turn, 2.0) * chord + min(h[5], 2.0) * aside


@numba.njit(**OPTIONS)
def _misses_cone(family, y, h):
    """Whether no cannula of the box runs in the cone of directions."""
    for k in range(2):
        across = y[2 + k] - y[k]
        low, high = family.cone[k, 0], family.cone[k, 1]
        room = h[2 + k] + h[k] + ROUNDING_MM
        if across - low * y[4] < -room - abs(low) * h[4]:
            return True
        if high * y[4] - across < -room - abs(high) * h[4]:
            return True
    return False


@numba.njit(**OPTIONS)
def _first_tip(family, bend, y, h, u, n, stops, turn, point):
    """Return an angle before which no path of the box has its tip, or -1 if none has one."""
    angle = 0.0
    rate = bend.radius * (1.0 + min(turn, 2.0) + min(h[5], 2.0))
    for _ in range(TRIES):
        on_arc(y, u, n, bend.radius, angle, point)
        spread = _arc_spread(bend, h, stops, turn, angle)
        room = outside_target(family, point) - spread - ROUNDING_MM
        if room <= NEAR_MM:
            return angle
        # The point moves by R a radian, the spread grows by no more than the rest of ``rate``.
        angle += room / rate
        if angle > bend.most:
            return -1.0
    return angle


@numba.njit(**OPTIONS)
def examine_curved(family, space, bend, y, h, enough, work, result):
    """Bound the slack of every path of a box from above; -FAR where it holds none.

    ``result``: an upper bound of the middle path's slack, the number to split, the owner of the
    deciding triangle (or -1).
    """
    result[0], result[2] = FAR, -1.0
    if outside(family, y, h) or y[4] + h[4] < bend.least or _misses_cone(family, y, h):
        return -FAR
    u, n, point, p = work.gate, work.face, np.empty(3), np.empty(3)
    length = aim_curved(y, u, n)
    gates, stops = _widths(h)
    sine = (gates + stops) / length
    turn = bend.curl * math.asin(sine) if sine < 1.0 else FAR
    tip = _first_tip(family, bend, y, h, u, n, stops, turn, point)
    if tip < 0.0:
        return -FAR
    point[0], point[1], point[2] = y[0], y[1], 0.0
    to_scene(family, point, work.start)
    to_scene(family, y[2:5], p)
    for k in range(3):
        work.step[k] = p[k] - work.start[k]
    ends = np.array([h[0], h[1], stops, 0.0])
    reach = 1.0 + bend.radius * tip / length
    back = back_reach(family, space, ends, length, work, reach)
    shortest = max(length - gates - stops, 0.0)
    if (1.0 - back) * shortest + bend.radius * tip > family.usable:
        return -FAR
    best, at, middle, angle = FAR, 1.0, FAR, tip
    while best > enough and angle > 0.0:
        on_arc(y, u, n, bend.radius, angle, point)
        to_scene(family, point, p)
        value, error = interpolate(space.grid, p[0], p[1], p[2])
        top = value + error + bend.spare
        middle = min(middle, top)
        top += _arc_spread(bend, h, stops, turn, angle)
        if top < best:
            best, at = top, ON_ARC + angle
        angle -= max(STEP_MM, 0.8 * (top - enough)) / bend.radius
    t = 1.0
    while best > enough:
        value, error = value_at(space.grid, work, t)
        middle = min(middle, value + error)
        top = value + error + box_spread(ends, t)
        if top < best:
            best, at = top, t
        if t <= back:
            break
        t = max(t - max(STEP_MM, 0.8 * (top - enough)) / length, back)
    if best > enough:
        # The grid names the place, the triangles have the last word there.
        if at >= ON_ARC:
            spread = _arc_spread(bend, h, stops, turn, at - ON_ARC) + bend.spare
            on_arc(y, u, n, bend.radius, at - ON_ARC, point)
            to_scene(family, point, p)
        else:
            spread = box_spread(ends, at)
            for k in range(3):
                p[k] = work.start[k] + at * work.step[k]
        value, found, _, _, _ = point_query(space.tree, p[0], p[1], p[2], best - spread)
        if found >= 0:
            best, result[2] = value + spread, float(space.tree.owner[found])
    result[0], result[1] = middle, float(_split(bend, h, length, at))
    return best + ROUNDING_MM


@numba.njit(**OPTIONS)
def _split(bend, h, length, at):
    """Choose the number that moves the deciding place most; the widest where none does."""
    axis, most, widest, width = 0, -1.0, 0, -1.0
    chord = 2.0 * bend.radius * math.sin(0.5 * (at - ON_ARC))
    aside = bend.radius * (1.0 - math.cos(at - ON_ARC))
    lever = chord * bend.curl / length
    for k in range(6):
        if at >= ON_ARC:
            gain = h[k] * (lever if k < 2 else 1.0 + lever if k < 5 else aside)
        else:
            gain = h[k] * (abs(1.0 - at) if k < 2 else abs(at) if k < 5 else 0.0)
        size = h[k] * (0.5 * bend.radius if k == 5 else 1.0)
        if gain > most:
            axis, most = k, gain
        if size > width:
            widest, width = k, size
    return axis if most > 0.05 * width else widest


@numba.njit(**OPTIONS)
def branch_curved(family, space, bend, boxes, incumbent, best, limits, floors, owners, stop):
    """Split the box of highest bound until nothing can be better, or better was found.

    Args as for ``branch``; ``limits``: gap to close to, largest number of boxes, gain at which to
    return. ``incumbent`` (6,) is overwritten when a better path is found.

    Returns:
        How it ended (``CLOSED``, ``SPENT``, ``BETTER``, ``STOPPED``) and the best slack.
    """
    gap, budget, gain = limits
    work, result = new_scratch(), np.empty(3)
    y, h = np.empty(6), np.empty(6)
    before = best
    while boxes.sizes[1] > 0:
        top = boxes.bound[boxes.heap[0]]
        enough = goal(best, gap, floors)
        if top <= enough:
            return CLOSED, best
        if boxes.sizes[2] >= budget or boxes.sizes[0] + 2 > boxes.shape.shape[0]:
            return SPENT, best
        if stop[0] != 0:
            return STOPPED, best
        if best > before + gain:
            return BETTER, best
        parent = pop(boxes)
        axis = boxes.axis[parent]
        for child in range(1 if axis < 0 else 2):
            for k in range(6):
                y[k], h[k] = boxes.shape[parent, k], boxes.shape[parent, 6 + k]
            if axis >= 0:
                h[axis] *= 0.5
                y[axis] += h[axis] if child == 1 else -h[axis]
            enough = goal(best, gap, floors)
            bound = examine_curved(family, space, bend, y, h, enough, work, result)
            boxes.sizes[2] += 1
            if bound == -FAR:
                continue
            if result[2] >= 0.0:
                owners[int(result[2])] += 1
            bound = min(bound, top)
            if bound <= enough:
                boxes.dropped[0] = max(boxes.dropped[0], bound)
                continue
            box = boxes.sizes[0]
            boxes.sizes[0] += 1
            for k in range(6):
                boxes.shape[box, k], boxes.shape[box, 6 + k] = y[k], h[k]
            boxes.bound[box], boxes.axis[box] = bound, int(result[1])
            push(boxes, box)
            if result[0] > best:
                slack, _ = curved_slack(family, space, bend, y, best)
                if slack > best:
                    best = slack
                    incumbent[:] = y
    return CLOSED, best
