"""Climbing from a line to the best one near it (what is climbed is told in ``..polish``)."""

import math

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, point_query, segment_query
from planner.search._kernels.lines import line_points, line_slack, skin_exit
from planner.search._kernels.polish import RULES, constraint_slopes, constraints
from planner.search._kernels.programme import best_step

PREFERENCE = 3e-5  # mm of slack per squared mm away from the preferred line, at gate and aim
PIECES = 16  # stretches of a line that contribute a witness each
MEMORY = 8
ROUNDS = 60
GAIN_MM = 1e-9  # a model that promises less has nothing left to give
TRUST_MM = 4.0
SETTLED_MM = 1e-3
RESTORATIONS = 6
GRAZING = 0.1  # cosine between a line and the skin's normal below which its plane says nothing
INSET_MM = 1e-6  # rules are kept by this much, so that rounding cannot break them
# In a step within trust a witness comes nearer by less than 3 trust than the nearest one recedes.
SEEN_MM = 3.0 * TRUST_MM


@numba.njit(**OPTIONS)
def _worth(family, space, preferred, x):
    """Return a line's slack less its preference, its slack, and t of tip and skin."""
    slack, t_tip, t_skin, _ = line_slack(family, space, x, -FAR)
    away = 0.0
    for k in range(4):
        away += (x[k] - preferred[k]) ** 2
    return slack - PREFERENCE * away, slack, t_tip, t_skin


@numba.njit(**OPTIONS)
def _witness(family, tree, x, slack, t_tip, t_skin, out, count):
    """Append to ``out`` the surface point nearest to each piece of a line, with its offset.

    Those that have no say near the line are left out. Returns how many there are now.
    """
    start, step = line_points(family, x)
    along = (t_tip - t_skin) / PIECES
    length = along * math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    before = FAR
    for i in range(PIECES):
        a = start + (t_skin + i * along) * step
        limit = min(slack + SEEN_MM, before + length + INSET_MM)  # slack is 1-Lipschitz
        value, found, _, qx, qy, qz = segment_query(tree, a, a + along * step, limit)
        before = value
        if found >= 0:
            out[count, 0], out[count, 1], out[count, 2] = qx, qy, qz
            out[count, 3] = tree.offset[found]
            count += 1
    return count


@numba.njit(**OPTIONS)
def _entry_plane(family, skin, x, plane):
    """Set ``plane`` to normal and offset of the skin's plane where a line enters, scene frame.

    Square to the line where it grazes the skin.
    """
    if not family.has_skin:
        plane[:3], plane[3] = family.plane_normal, family.plane_offset
        return
    start, step = line_points(family, x)
    entry = start + skin_exit(family, skin, start, step) * step
    _, found, _, _, _ = point_query(skin, entry[0], entry[1], entry[2], FAR)
    t = skin.corners[found]
    u, v = t[1] - t[0], t[2] - t[0]
    plane[0] = u[1] * v[2] - u[2] * v[1]
    plane[1] = u[2] * v[0] - u[0] * v[2]
    plane[2] = u[0] * v[1] - u[1] * v[0]
    size2, speed2, across = 0.0, 0.0, 0.0
    for k in range(3):
        size2 += plane[k] ** 2
        speed2 += step[k] ** 2
        across += plane[k] * step[k]
    if abs(across) <= GRAZING * math.sqrt(size2 * speed2):
        plane[:3] = step
    plane[3] = 0.0
    for k in range(3):
        plane[3] += plane[k] * entry[k]


@numba.njit(**OPTIONS)
def _restore(family, plane, x, times):
    """Step back inside rules that curve away from their tangents, the most broken one first."""
    rows = RULES + family.offsets.shape[0]
    none, values, slopes = np.empty((0, 4)), np.empty(rows), np.empty((rows, 4))
    for _ in range(times):
        constraints(family, x, none, plane, values)
        worst = values.argmin()
        if values[worst] >= -1e-12:
            break
        constraint_slopes(family, x, none, plane, slopes)
        size = 0.0
        for k in range(4):
            size += slopes[worst, k] ** 2
        if size < 1e-6:
            break
        for k in range(4):
            x[k] += slopes[worst, k] * (INSET_MM - values[worst]) / size


@numba.njit(**OPTIONS)
def rescue(family, skin, x, times):
    """Step from a line that breaks rules, which is overwritten, towards one that keeps them."""
    plane = np.empty(4)
    _entry_plane(family, skin, x, plane)
    _restore(family, plane, x, times)


@numba.njit(**OPTIONS)
def _walls(edges, x, trust, rows, room, count):
    """Append the window's edges near a line's gate point, as rules; return how many rows there are.

    Edges that the point lies behind (across a reflex corner) do not confine it.
    """
    for i in range(edges.shape[0]):
        u, v = edges[i, 2] - edges[i, 0], edges[i, 3] - edges[i, 1]
        length = math.hypot(u, v)
        u, v = u / length, v / length
        a, b = x[0] - edges[i, 0], x[1] - edges[i, 1]
        inside, along = u * b - v * a, u * a + v * b
        beyond = max(-along, along - length, 0.0)
        if inside >= -INSET_MM and math.hypot(inside, beyond) <= 2.0 * trust:
            rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = -v, u, 0.0, 0.0
            room[count] = max(inside - INSET_MM, 0.0)
            count += 1
    return count


@numba.njit(**OPTIONS)
def _enters(family, x, face):
    """Whether a line passes a face of the target inwards."""
    n = family.normals[face]
    return n[0] * (x[2] - x[0]) + n[1] * (x[3] - x[1]) + n[2] * family.reach < 0.0


@numba.njit(**OPTIONS)
def _model(family, x, witnesses, plane, trust, rows, room):
    """Fill the rows of the linear model about a line: slacks, then rules; return how many."""
    seen = witnesses.shape[0]
    faces = seen + RULES
    count = faces + family.offsets.shape[0]
    constraints(family, x, witnesses, plane, room[:count])
    constraint_slopes(family, x, witnesses, plane, rows[:count])
    total = seen
    for i in range(seen, count):
        # The window is kept by its walls, all of those near by, not by the nearest alone; and no
        # step breaks a face by which lines enter the target: the tip is where the last is passed.
        if i == seen or (i >= faces and _enters(family, x, i - faces)):
            continue
        room[total] = max(room[i] - INSET_MM, 0.0)
        for k in range(4):
            rows[total, k] = rows[i, k]
        total += 1
    return _walls(family.edges, x, trust, rows, room, total)


@numba.njit(**OPTIONS)
def climb(family, space, preferred, x):
    """Climb from path ``x`` (4,), which is overwritten, to the best near it; return its worth.

    ``preferred`` (4,): the line that equally safe ones lean towards.
    """
    most = MEMORY * PIECES + RULES + family.offsets.shape[0] + family.edges.shape[0]
    rows, room, plane = np.empty((most, 4)), np.empty(most), np.empty(4)
    seen, begins = np.empty(((ROUNDS + 1) * PIECES, 4)), np.zeros(ROUNDS + 2, np.int64)
    step, y, wish = np.empty(4), np.empty(4), np.empty(4)
    worth, slack, t_tip, t_skin = _worth(family, space, preferred, x)
    begins[1] = _witness(family, space.tree, x, slack, t_tip, t_skin, seen, 0)
    batches, trust = 1, TRUST_MM
    for _ in range(ROUNDS):
        _entry_plane(family, space.skin, x, plane)
        recent = seen[begins[max(batches - MEMORY, 0)] : begins[batches]]
        slacks = recent.shape[0]
        total = _model(family, x, recent, plane, trust, rows, room)
        for k in range(4):
            wish[k] = preferred[k] - x[k]
        promised, _ = best_step(rows[:total], room[:total], slacks, wish, PREFERENCE, trust, step)
        for k in range(4):
            y[k] = x[k] + step[k]
            promised -= PREFERENCE * (step[k] - wish[k]) ** 2
        if promised - worth < GAIN_MM:
            # In smaller steps fewer of the window's walls, lengthened, are in the way.
            trust *= 0.25
            if trust < SETTLED_MM:
                break
            continue
        _restore(family, plane, y, RESTORATIONS)
        value, slack, t_tip, t_skin = _worth(family, space, preferred, y)
        if slack > -FAR:
            begins[batches + 1] = _witness(
                family, space.tree, y, slack, t_tip, t_skin, seen, begins[batches]
            )
            batches += 1
        kept = (value - worth) / (promised - worth)
        if kept > 0.1:
            worth = value
            x[:] = y
        trust = min(2.0 * trust, TRUST_MM) if kept > 0.7 else trust * (1.0 if kept > 0.3 else 0.5)
        if trust < INSET_MM:
            break
    return worth
