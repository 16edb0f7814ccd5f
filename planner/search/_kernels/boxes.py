"""What no path of a box of lines can exceed (see ``model`` for the boxes themselves)."""

import math

import numba

from geometry._kernels import FAR, OPTIONS, point_query, segment_query
from planner.search._kernels.lines import window_distance
from planner.search._kernels.model import (
    BOUNDED,
    NO_RULE,
    NO_TIP,
    NO_WINDOW,
    POINTS,
    ROUNDING_MM,
    RULES,
    TOO_LONG,
    box_spread,
    place,
    value_at,
)
from planner.search._kernels.reaches import back_reach, tip_reach
from planner.search._kernels.skin import lay_plane, length_row, skin_behind
from planner.search._kernels.weighing import weigh

STEP_MM = 1.0


@numba.njit(**OPTIONS)
def rule_rows(faces, face, x, h, work, count):
    """Append the rules that cut the box to ``work.rows``; return how many rows there are, or -1.

    -1: the box breaks a rule throughout. The last is the needle's length.
    """
    rows = work.rows
    total = count
    for j in range(faces.first[face], faces.first[face + 1]):
        room, spread = faces.rules[j, 4], 0.0
        for k in range(4):
            room -= faces.rules[j, k] * x[k]
            spread += abs(faces.rules[j, k]) * h[k]
        if room + spread < -ROUNDING_MM:
            return -1
        if room < spread and total < count + RULES - 1:
            for k in range(4):
                rows[total, k] = -faces.rules[j, k]
            rows[total, 4] = room
            work.which[total] = j - faces.first[face]
            total += 1
    spread = 0.0
    for k in range(5):
        rows[total, k] = work.length[k]
        spread += abs(rows[total, k]) * h[k] if k < 4 else 0.0
    if rows[total, 4] < spread:
        work.which[total] = -1
        total += 1
    return total


@numba.njit(**OPTIONS)
def point_row(faces, face, points, i, h, back, reach, work, row):
    """Set ``work.rows[row]`` to the bound by surface point ``i``; return its distance less limit.

    From ``|v + s| <= |v| + v.s / |v| + |s|^2 / (2 |v|)``, with v from the surface point to the
    middle line at t, and s how far a line of the box is from the middle one there.
    """
    gate, end, rows = work.gate, work.face, work.rows
    gu, gv, gw = points[i, 0] - gate[0], points[i, 1] - gate[1], points[i, 2] - gate[2]
    su, sv, sw = end[0] - gate[0], end[1] - gate[1], end[2] - gate[2]
    t = (gu * su + gv * sv + gw * sw) / (su * su + sv * sv + sw * sw)
    t = min(max(t, back), reach)
    u, v, w = t * su - gu, t * sv - gv, t * sw - gw
    distance = math.sqrt(u * u + v * v + w * w)
    near = 1.0 / max(distance, 1e-9)
    rows[row, 0], rows[row, 1] = (1.0 - t) * u * near, (1.0 - t) * v * near
    for k in range(2):
        f = faces.axes[face, k]
        rows[row, 2 + k] = t * near * (u * f[0] + v * f[1] + w * f[2])
    rho = box_spread(h, t)
    rows[row, 4] = distance - points[i, 3] + 0.5 * rho * rho * near
    slant = 0.5 * rho * rho * near
    for k in range(4):
        slant += abs(rows[row, k]) * h[k]
    if slant > rho:
        # Too near for a tangent: the distance grows by no more than a line moves.
        for k in range(4):
            rows[row, k] = 0.0
        rows[row, 4] = distance - points[i, 3] + rho
    work.at[row], work.near[row], work.which[row] = t, near, i
    return distance - points[i, 3]


@numba.njit(**OPTIONS)
def nearest(space, h, back, reach, enough, speed, work):
    """Walk the middle line from tip to skin; return the least bound by the grid and its t.

    Third: the least slack of the middle line that the grid allows.
    """
    best, best_t, middle = FAR, reach, FAR
    t = reach
    while True:
        value, error = value_at(space.grid, work, t)
        rho = box_spread(h, t)
        middle = min(middle, value + error)
        if value + error + rho < best:
            best, best_t = value + error + rho, t
            if best <= enough:
                break
        if t <= back:
            break
        t = max(t - max(STEP_MM, 0.8 * (value + error + rho - enough)) / speed, back)
    return best, best_t, middle


@numba.njit(**OPTIONS)
def known_points(faces, face, points, kept, h, back, reach, work):
    """Make a row for every surface point in ``kept``; return their count and the least distance."""
    count, middle = 0, FAR
    for i in range(POINTS):
        if kept[i] >= 0:
            slack = point_row(faces, face, points, kept[i], h, back, reach, work, count)
            middle = min(middle, slack)
            count += 1
    return count, middle


@numba.njit(**OPTIONS)
def outside(family, x, h):
    """Whether a box misses the window (its first two numbers are gate coordinates)."""
    return window_distance(family.edges, x[0], x[1]) > math.hypot(h[0], h[1]) + ROUNDING_MM


@numba.njit(**OPTIONS)
def ask(space, family, points, count, info, ends, limit, work):
    """Ask the triangles for the obstacle nearest to a stretch of the middle line, below ``limit``.

    ``ends``: t at both ends; equal for a point. What is found is appended to ``points`` (gate
    coordinates, required distance) and ``info`` (owner, triangle); returns its index, or -1.
    """
    if count >= points.shape[0]:
        return -1
    a, b = work.start + ends[0] * work.step, work.start + ends[1] * work.step
    if ends[0] == ends[1]:
        _, found, qx, qy, qz = point_query(space.tree, a[0], a[1], a[2], limit)
    else:
        _, found, _, qx, qy, qz = segment_query(space.tree, a, b, limit)
    if found < 0:
        return -1
    dx, dy, dz = qx - family.origin[0], qy - family.origin[1], qz - family.origin[2]
    points[count, 0] = dx * family.lateral[0] + dy * family.lateral[1] + dz * family.lateral[2]
    points[count, 1] = dx * family.cranial[0] + dy * family.cranial[1] + dz * family.cranial[2]
    points[count, 2] = dx * family.axis[0] + dy * family.axis[1] + dz * family.axis[2]
    points[count, 3] = space.tree.offset[found]
    info[count, 0], info[count, 1] = space.tree.owner[found], found
    return count


@numba.njit(**OPTIONS)
def run_of(family, faces, space, face, h, speed, work):
    """Set ``work.run``, without a plane, and ``work.length``; return what settles the box, if so.

    ``BOUNDED`` where nothing does yet.
    """
    run = work.run
    run[:] = 0.0
    run[0], possible = tip_reach(family, faces, face, h, speed, work)
    if not possible:
        return NO_TIP
    run[1] = back_reach(family, space, h, speed, work, run[0])
    longest = length_row(family, faces, face, h, speed, work)
    return TOO_LONG if longest < -ROUNDING_MM else BOUNDED


@numba.njit(**OPTIONS)
def with_plane(family, faces, space, face, h, speed, work):
    """Lay a plane before the skin behind the box, if that can tell more of how long its paths are.

    Returns whether there is one that does, whether all paths are too long, and whether any may be:
    if not, neither may those of a part of the box.
    """
    left, may_be = skin_behind(family, space, h, speed, work)
    if left > 0.0 or not may_be:
        return False, False, may_be
    run = work.run
    longest = length_row(family, faces, face, h, speed, work)
    if not lay_plane(family, faces, space, face, h, speed, left, work):
        return False, False, True
    by_plane = length_row(family, faces, face, h, speed, work)
    if by_plane > longest:
        run[3:] = 0.0
        by_plane = length_row(family, faces, face, h, speed, work)
    return run[3] != 0.0 or run[4] != 0.0 or run[5] != 0.0, by_plane < -ROUNDING_MM, True


@numba.njit(**OPTIONS)
def weighed(faces, face, points, kept, x, h, low, work):
    """Bound a box by the points in ``kept`` and its rules.

    Returns the bound, the count of points, the least distance of the middle line from one, and
    whether the box breaks no rule throughout. Weighs no further than down to ``low``.
    """
    known, middle = known_points(faces, face, points, kept, h, work.run[1], work.run[0], work)
    total = rule_rows(faces, face, x, h, work, known)
    if known == 0 or total < 0:
        return FAR, known, middle, total >= 0
    bound = weigh(work.rows, known, total, h, low, work.weights, work.sums) + ROUNDING_MM
    return bound, known, middle, True


@numba.njit(**OPTIONS)
def examine(
    family, faces, space, points, info, count, face, x, h, kept, enough, worth, result, work
):
    """Bound the slack of every path of a box from above.

    Args:
        points: Surface points known so far (gate coordinates and required distance), with
            ``info`` (owner, triangle); ``count`` are in use. At most two are appended.
        kept: Points that bounded the parent; replaced by those that bound this box.
        enough: A bound this low settles the box.
        worth: A middle line is measured if it may have more slack than this.
        result: Filled with: bound, t of the grid's bound (or NaN), upper bound on the middle
            line's slack, owner of the deciding point (or -1), number to split. The sixth says
            whether a path of the parent may be too long, and is lowered where none of the box may.
        work: Its ``run`` is what the bound rests on.

    Returns:
        What settled the box (``BOUNDED``: its bound, even if above ``enough``), and ``count``.
    """
    result[1], result[3] = math.nan, -1.0
    if outside(family, x, h):
        return NO_WINDOW, count
    speed = place(family, faces, face, x, work)
    why = run_of(family, faces, space, face, h, speed, work)
    if why != BOUNDED:
        return why, count
    low = enough - 2.0 * ROUNDING_MM
    bound, known, middle, possible = weighed(faces, face, points, kept, x, h, low, work)
    if not possible:
        return NO_RULE, count
    if bound > enough:
        by_grid, t, other = nearest(space, h, work.run[1], work.run[0], enough, speed, work)
        middle = min(middle, other)
        by_grid += ROUNDING_MM
        if by_grid <= enough and by_grid < bound:
            result[0], result[1], result[2] = by_grid, t, middle
            return BOUNDED, count
        # First the tightest place that the grid names; then, should the middle line still look
        # better than what is known, the tightest place there is.
        for turn in range(2):
            if bound <= enough or (turn == 1 and middle <= worth):
                break
            ends = (t, t) if turn == 0 else (work.run[1], work.run[0])
            limit = by_grid - box_spread(h, t) if turn == 0 else middle
            found = ask(space, family, points, count, info, ends, limit, work)
            if found < 0:
                continue
            count += 1
            _forget(kept, known, work)
            kept[POINTS - 1] = found
            bound, known, other, _ = weighed(faces, face, points, kept, x, h, low, work)
            middle = min(middle, other)
            _keep(kept, known, work)
        if bound > enough and result[5] > 0.0:
            told, too_long, may_be = with_plane(family, faces, space, face, h, speed, work)
            result[5] = 1.0 if may_be else 0.0
            if too_long:
                return TOO_LONG, count
            if told:
                bound, known, _, _ = weighed(faces, face, points, kept, x, h, low, work)
        if by_grid < bound:
            bound, result[1] = by_grid, t
    result[0], result[2], result[4] = bound, middle, _split_axis(h, known, result[1], work)
    decisive = _keep(kept, known, work)
    result[3] = float(info[decisive, 0]) if known > 0 else -1.0
    return BOUNDED, count


@numba.njit(**OPTIONS)
def _forget(kept, known, work):
    """Make room at the end of ``kept``: the point that weighs least, then is farthest, goes."""
    if kept[POINTS - 1] < 0:
        return
    worst, least = 0, FAR
    for i in range(known):
        value = work.weights[i] * 1e3 - work.rows[i, 4]
        if value < least:
            worst, least = i, value
    kept[worst] = kept[POINTS - 1]


@numba.njit(**OPTIONS)
def _split_axis(h, known, t, work):
    """Choose the number whose halving lowers the bound most; the widest where none would.

    ``t``: where the grid bounds the box; NaN where weighed points do.
    """
    axis, most, widest = 0, -1.0, 0
    for k in range(4):
        if math.isnan(t):
            gain = h[k] * abs(work.sums[0, k] + work.sums[1, k])
            for i in range(known):
                move = (abs(1.0 - work.at[i]) if k < 2 else abs(work.at[i])) * h[k]
                gain += work.weights[i] * 0.5 * move * move * work.near[i]
        else:
            gain = (abs(1.0 - t) if k < 2 else abs(t)) * h[k]
        if gain > most:
            axis, most = k, gain
        if h[k] > h[widest]:
            widest = k
    return axis if most > 0.05 * h[widest] else widest


@numba.njit(**OPTIONS)
def _keep(kept, known, work):
    """Set ``kept`` to the points of the rows, in their order; return the one that weighs most."""
    heaviest = 0
    for i in range(POINTS):
        kept[i] = work.which[i] if i < known else -1
        if i < known and work.weights[i] > work.weights[heaviest]:
            heaviest = i
    return kept[heaviest]
