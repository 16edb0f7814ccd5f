"""How far all paths of a box run: to the tip, and back towards the skin."""

import math

import numba

from geometry._kernels import FAR, OPTIONS, contains, point_query
from planner.search._kernels.model import ROUNDING_MM, box_spread, value_at

FINE_MM = 0.5  # boxes thinner than this ask the holders' triangles
TRIES = 60


@numba.njit(**OPTIONS)
def back_reach(family, space, h, speed, work, tip):
    """Return a t <= 0 that every path of the box has inside the skin, to the gate.

    Walks backwards along the middle line while the skin is further away than the box is wide.
    """
    if not family.has_skin:
        return _plane_reach(family, h, speed, work)
    t, clear = 0.0, FAR
    value, error = value_at(space.skin_grid, work, t)
    shortest = max(speed - box_spread(h, 0.0) - box_spread(h, 1.0), 0.5 * speed)
    last = min(tip - family.usable / shortest - ROUNDING_MM, 0.0)
    while t > last:
        depth = value - error
        room = depth - max(box_spread(h, 0.0), box_spread(h, t))
        if room < 0.5:
            break
        ahead = max(t - 0.7 * room / speed, last)
        width = max(box_spread(h, 0.0), box_spread(h, ahead)) + ROUNDING_MM
        lowest = min(clear, depth - (t - ahead) * speed)
        if lowest <= width:
            break
        clear, t = lowest, ahead
        value, error = value_at(space.skin_grid, work, t)
    return t


@numba.njit(**OPTIONS)
def _plane_reach(family, h, speed, work):
    """``back_reach`` where a plane stands for the skin."""
    height, rate = -family.plane_offset, 0.0
    for k in range(3):
        height += family.plane_normal[k] * work.start[k]
        rate -= family.plane_normal[k] * work.step[k]
    if height + box_spread(h, 0.0) >= 0.0:
        return 0.0
    last = -family.usable / speed - 1.0
    # Height of the middle line at -s is height + s rate; the box is at most near + s grow wide.
    near, grow = math.hypot(h[0], h[1]), math.hypot(h[0], h[1]) + math.hypot(h[2], h[3])
    if rate + grow <= 0.0:
        return last
    return max(last, (height + near + ROUNDING_MM) / (rate + grow))


@numba.njit(**OPTIONS)
def tip_reach(family, faces, face, h, speed, work):
    """Return (t, possible): no path of the box has its tip before t; False if none has one.

    Beyond the face by which they enter, lines whose tube stays outside every holder go on.
    """
    tip = faces.tip[face]
    if family.all_held:
        return tip, True
    t, clear = tip, FAR
    for _ in range(TRIES):
        apart = _apart_from_holders(family, h, work, t)
        room = apart - max(box_spread(h, tip), box_spread(h, t))
        if room < 1e-3:
            break
        ahead = t + 0.7 * room / speed
        width = max(box_spread(h, tip), box_spread(h, ahead)) + ROUNDING_MM
        lowest = min(clear, apart - (ahead - t) * speed)
        if lowest <= width:
            break
        clear, t = lowest, ahead
        if has_left(family, h, work, t):
            return t, False
    return t, True


@numba.njit(**OPTIONS)
def _apart_from_holders(family, h, work, t):
    """Lower bound on how far outside every holder the middle line is at t; 0 where it may be in."""
    value, error = value_at(family.holder_grid, work, t)
    width = box_spread(h, t)
    if value - error > width + 2.0 * FINE_MM or width > FINE_MM or value < -error:
        return value - error
    # Near the surface of a holder, the grid cannot tell a thin box where it is.
    p = work.start + t * work.step
    if value <= error and contains(family.holders, p[0], p[1], p[2]):
        return 0.0
    apart, _, _, _, _ = point_query(family.holders, p[0], p[1], p[2], value + error + FINE_MM)
    return apart


@numba.njit(**OPTIONS)
def has_left(family, h, work, t):
    """Whether all lines of the box are beyond one same face of the target at t."""
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        room = -family.offsets[i]
        for k in range(3):
            room += n[k] * ((1.0 - t) * work.gate[k] + t * work.face[k])
        if room > box_spread(h, t) + ROUNDING_MM:
            return True
    return False
