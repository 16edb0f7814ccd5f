"""Boxes of lines: what no line of a box can exceed, and the branch and bound over them.

Over a box of half-widths (ha, hb, hc, hd) the point at t moves by at most
``rho(t) = hypot(|1 - t| ha + |t| hc, |1 - t| hb + |t| hd)``, so for *any* t that every line of the
box reaches, ``slack(p_centre(t)) + rho(t)`` bounds the slack of every line (slack is 1-Lipschitz).
The numbers sit where space is tight, at the gate and at the target, and there the bound is best.
"""

import math

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, Grid, interpolate, point_query, segment_query
from planner.search._kernels.lines import (
    in_cone,
    line_points,
    line_slack,
    window_distance,
    within_skin,
)

ROUNDING_MM = 1e-6
GRID_MM = 1e-5
STEP_MM = 1.0
BEYOND_MM = 10.0


@numba.njit(**OPTIONS)
def box_reach(family, x, h):
    """Return (t, possible): lines of the box that hit the target reach t; False if none does."""
    t_low, t_high = 0.0, FAR
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        spread = abs(n[0]) * h[0] + abs(n[1]) * h[1]
        gate = n[0] * x[0] + n[1] * x[1] - family.offsets[i]
        gate_low, gate_high = gate - spread, gate + spread
        spread = abs(n[0]) * h[2] + abs(n[1]) * h[3]
        aim = n[0] * x[2] + n[1] * x[3] + n[2] * family.reach - family.offsets[i]
        aim_low = aim - spread
        if gate_low > 0.0:
            # Outside this face at the gate: enters at 1 / (1 - ratio), never if ratio >= 1.
            ratio = aim_low / gate_high if aim_low >= 0.0 else aim_low / gate_low
            if ratio >= 1.0:
                return 0.0, False
            t_low = max(t_low, 1.0 / (1.0 - ratio))
        elif aim_low > 0.0 and (gate_high <= 0.0 or aim_low >= gate_high):
            # Lines inside this face at the gate leave it, the latest from the deepest gate point;
            # lines outside it there move further out.
            t_high = min(t_high, gate_low / (gate_low - aim_low))
    return t_low, t_low <= t_high


@numba.njit(**OPTIONS)
def box_spread(h, t):
    """Return how far the point at t moves at most over a box of half-widths ``h``."""
    near, far = abs(1.0 - t), abs(t)
    return math.hypot(near * h[0] + far * h[2], near * h[1] + far * h[3])


@numba.njit(**OPTIONS)
def _shortest_step(family, x, h):
    """Least distance from gate to aim point over the lines of a box."""
    u = max(abs(x[2] - x[0]) - h[0] - h[2], 0.0)
    v = max(abs(x[3] - x[1]) - h[1] - h[3], 0.0)
    return math.sqrt(u * u + v * v + family.reach * family.reach)


@numba.njit(**OPTIONS)
def box_bound(family, tree, skin, field, field_origin, spacing, cap, x, h, hint, enough):
    """Bound the slack of every path in a box from above; -FAR if it holds no path.

    Stops as soon as the bound is at most ``enough``. Returns bound, witness t, and the owner of
    the triangle that bounds it (-1 if the field alone decided).
    """
    if window_distance(family.edges, x[0], x[1]) > math.hypot(h[0], h[1]):
        return -FAR, 0.0, -2
    if not in_cone(family, x, h):
        return -FAR, 0.0, -2
    t_low, possible = box_reach(family, x, h)
    if not possible:
        return -FAR, 0.0, -2
    start, step = line_points(family, x)
    # Every line that starts further back than this is longer than the needle.
    t_back = t_low - family.usable / _shortest_step(family, x, h)
    if t_back >= 0.0 or within_skin(family, skin, start, step, t_back, box_spread(h, t_back)):
        return -FAR, 0.0, -2
    speed = math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    best, best_t, trusted = FAR, 0.0, 0.0
    low, low_t = FAR, 0.0
    for sweep in range(3):
        # The parent's witness first, then from the tip to the gate, then from the gate backwards.
        t = min(max(hint, t_back), t_low) if sweep == 0 else (t_low if sweep == 1 else 0.0)
        last = 0.0 if sweep == 1 else t_back
        while True:
            rho = box_spread(h, t)
            value, error = interpolate(
                Grid(field, field_origin, spacing),
                start[0] + t * step[0], start[1] + t * step[1], start[2] + t * step[2],
            )  # fmt: skip
            # At its cap the field only says that slack is large: no bound there.
            upper = value + error + rho if value + error < cap else FAR
            if upper < best or value - error + rho < low:
                allowed = t >= trusted
                if not allowed and within_skin(family, skin, start, step, t, rho):
                    trusted, allowed = t, True
                if allowed:
                    if upper < best:
                        best, best_t = upper, t
                    if value - error + rho < low:
                        low, low_t = value - error + rho, t
                elif sweep == 2:
                    break
            if best <= enough:
                return best + ROUNDING_MM, best_t, -1
            if sweep == 0 or t <= last:
                break
            jump = max(STEP_MM, 0.8 * (value - error + rho - enough)) / speed
            t = max(t - jump, last)
    if low > enough and best < FAR:
        return best + ROUNDING_MM, best_t, -1
    owner = -1
    for turn in range(2):
        t = low_t if turn == 0 else best_t
        if turn == 1 and abs(low_t - best_t) * speed < 0.5:
            break
        rho = box_spread(h, t)
        value, found, qx, qy, qz = point_query(
            tree, start[0] + t * step[0], start[1] + t * step[1], start[2] + t * step[2], best - rho
        )
        if found >= 0 and value + rho < best:
            best, best_t, owner = value + rho, t, tree.owner[found]
        if best <= enough:
            return best + ROUNDING_MM, best_t, owner
    # Last, the nearest obstacle to the centre line itself, before the gate and behind it.
    for turn in range(2):
        t_end = t_low if turn == 0 else max(t_back, trusted - BEYOND_MM / speed)
        value, found, s, qx, qy, qz = segment_query(tree, start, start + t_end * step, best)
        t = s * t_end
        rho = box_spread(h, t)
        if found < 0 or value + rho >= best:
            continue
        if t >= trusted or within_skin(family, skin, start, step, t, rho):
            best, best_t, owner = value + rho, t, tree.owner[found]
        if best <= enough:
            break
    return best + ROUNDING_MM, best_t, owner


@numba.njit(**OPTIONS)
def _sift_up(heap, i):
    while i > 0 and heap[i, 0] > heap[(i - 1) // 2, 0]:
        parent = (i - 1) // 2
        for k in range(heap.shape[1]):
            heap[i, k], heap[parent, k] = heap[parent, k], heap[i, k]
        i = parent


@numba.njit(**OPTIONS)
def _pop(heap, size, row):
    for k in range(heap.shape[1]):
        row[k] = heap[0, k]
        heap[0, k] = heap[size - 1, k]
    i, size = 0, size - 1
    while True:
        child = 2 * i + 1
        if child >= size:
            return
        if child + 1 < size and heap[child + 1, 0] > heap[child, 0]:
            child += 1
        if heap[i, 0] >= heap[child, 0]:
            return
        for k in range(heap.shape[1]):
            heap[i, k], heap[child, k] = heap[child, k], heap[i, k]
        i = child


@numba.njit(**OPTIONS)
def _split_axis(t, h):
    """Choose the number that moves the witness most; the widest where none still moves it."""
    near, far = abs(1.0 - t), abs(t)
    axis, most, widest = 0, -1.0, 0
    for k in range(4):
        move = (near if k < 2 else far) * h[k]
        if move > most:
            axis, most = k, move
        if h[k] > h[widest]:
            widest = k
    return axis if most > 0.15 * h[widest] else widest


@numba.njit(**OPTIONS)
def search(
    family,
    tree,
    skin,
    field,
    field_origin,
    spacing,
    cap,
    roots,
    incumbent,
    best,
    tolerance,
    floor,
    budget,
    owners,
):
    """Best-first branch and bound.

    Args:
        roots: Root boxes, (k, 8): centre then half-widths.
        incumbent: Best line so far (4,); overwritten when a better one is found.
        best: Its slack.
        tolerance: Stop when no box can beat the incumbent by more.
        floor: Stop when no box can reach this slack (then nothing feasible is left).
        budget: Largest number of boxes to examine.
        owners: (n,) counts of boxes settled by each structure; added to.

    Returns:
        Best slack, upper bound on the slack of every path, boxes examined, whether it closed.
    """
    heap = np.empty((budget + roots.shape[0] + 8, 10))
    size = 0
    row = np.empty(10)
    x, h = np.empty(4), np.empty(4)
    examined = 0
    for i in range(roots.shape[0]):
        heap[size, 0], heap[size, 1] = FAR, 0.0
        heap[size, 2:10] = roots[i]
        size += 1
        _sift_up(heap, size - 1)
    # Bound of what was set aside without being split further.
    aside = -FAR
    while size > 0:
        enough = max(best + tolerance, floor)
        if heap[0, 0] <= enough:
            return best, max(max(heap[0, 0], aside), best), examined, True
        if examined >= budget:
            return best, max(max(heap[0, 0], aside), best), examined, False
        _pop(heap, size, row)
        size -= 1
        if row[0] < FAR:
            axis = _split_axis(row[1], row[6:10])
            children = 2
        else:
            axis, children = 0, 1
        for child in range(children):
            for k in range(4):
                x[k], h[k] = row[2 + k], row[6 + k]
            if children == 2:
                h[axis] *= 0.5
                x[axis] += h[axis] if child == 1 else -h[axis]
            examined += 1
            enough = max(best + tolerance, floor)
            bound, t, owner = box_bound(
                family, tree, skin, field, field_origin, spacing, cap, x, h, row[1], enough
            )
            # On a grid, so that boxes with equal bounds come in the same order in every frame.
            bound = min(math.ceil(bound / GRID_MM) * GRID_MM, row[0])
            if owner >= 0:
                owners[owner] += 1
            if bound <= enough:
                aside = max(aside, bound)
                continue
            slack = -FAR
            # The witness also bounds the centre line: measure it only if it can be better.
            if bound - box_spread(h, t) > best:
                slack, t_tip, t_skin, other = line_slack(family, tree, skin, x, best)
            if slack > best + GRID_MM:
                best = slack
                for k in range(4):
                    incumbent[k] = x[k]
            heap[size, 0], heap[size, 1] = bound, t
            heap[size, 2:6], heap[size, 6:10] = x, h
            size += 1
            _sift_up(heap, size - 1)
    return best, max(aside, best), examined, True
