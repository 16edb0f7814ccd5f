"""Compiled branch and bound over lines through a gate window.

A line is four numbers ``x = (a, b, c, d)``: it pierces the gate plane at in-plane position (a, b)
and the aim plane, parallel to it at distance ``reach``, at (c, d). Its point at distance
``t * reach`` from the gate plane is

    p(t) = origin + lerp(a, c; t) lateral + lerp(b, d; t) cranial + t reach axis.

Over a box of half-widths (ha, hb, hc, hd) the point at t moves by at most
``rho(t) = hypot(|1 - t| ha + |t| hc, |1 - t| hb + |t| hd)``, so for *any* t that every line of the
box reaches, ``slack(p_centre(t)) + rho(t)`` bounds the slack of every line (slack is 1-Lipschitz).
The numbers sit where space is tight, at the gate and at the target, and there the bound is best.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import (
    FAR,
    OPTIONS,
    interpolate,
    point_query,
    segment_crossings,
    segment_query,
)

ROUNDING_MM = 1e-6
BEHIND_MM = 400.0
STEP_MM = 1.0
BEYOND_MM = 10.0


class Family(NamedTuple):
    """The lines through one gate and what limits them; all in the scene's frame.

    ``origin``, ``lateral``, ``cranial``, ``axis`` (3,): the gate plane; ``reach``: distance of the
    aim plane; ``cone`` (2, 2): least and greatest lateral and cranial slope; ``edges`` (k, 4):
    window outline (a0, b0, a1, b1), even-odd; ``normals`` (m, 3), ``offsets`` (m,): target
    half-spaces ``n . p <= c`` in (lateral, cranial, axis) coordinates; ``plane_normal`` (3,),
    ``plane_offset``: the skin stand-off plane, used where ``has_skin`` is False; ``usable``:
    longest path, mm.
    """

    origin: np.ndarray
    lateral: np.ndarray
    cranial: np.ndarray
    axis: np.ndarray
    reach: float
    cone: np.ndarray
    edges: np.ndarray
    normals: np.ndarray
    offsets: np.ndarray
    has_skin: bool
    plane_normal: np.ndarray
    plane_offset: float
    usable: float


@numba.njit(**OPTIONS)
def window_distance(edges, a, b):
    """Signed distance from (a, b) to the window's outline, negative inside (even-odd rule)."""
    inside = False
    best = FAR
    for i in range(edges.shape[0]):
        x0, y0, x1, y1 = edges[i, 0], edges[i, 1], edges[i, 2], edges[i, 3]
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy
        t = 0.0
        if length2 > 0.0:
            t = min(max(((a - x0) * dx + (b - y0) * dy) / length2, 0.0), 1.0)
        x, y = x0 + t * dx - a, y0 + t * dy - b
        best = min(best, x * x + y * y)
        if (y0 > b) != (y1 > b) and a < x0 + (b - y0) / (y1 - y0) * dx:
            inside = not inside
    return -math.sqrt(best) if inside else math.sqrt(best)


@numba.njit(**OPTIONS)
def target_interval(family, x):
    """Return the t between which the line is in the target; the first is at least 0."""
    t_in, t_out = 0.0, FAR
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        at_gate = n[0] * x[0] + n[1] * x[1] - family.offsets[i]
        at_aim = n[0] * x[2] + n[1] * x[3] + n[2] * family.reach - family.offsets[i]
        if at_aim < at_gate:
            t_in = max(t_in, at_gate / (at_gate - at_aim))
        elif at_aim > at_gate:
            t_out = min(t_out, at_gate / (at_gate - at_aim))
        elif at_gate > 0.0:
            return 0.0, -1.0
    return t_in, t_out


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
        elif aim_low > 0.0:
            # Lines inside this face at the gate leave it, the latest from the deepest gate point.
            t_high = min(t_high, gate_low / (gate_low - aim_low))
    return t_low, t_low <= t_high


@numba.njit(**OPTIONS)
def line_points(family, x):
    """Return the line's gate point and its step to the aim plane (t from 0 to 1), scene frame."""
    start = np.empty(3)
    step = np.empty(3)
    for k in range(3):
        start[k] = family.origin[k] + x[0] * family.lateral[k] + x[1] * family.cranial[k]
        step[k] = (
            (x[2] - x[0]) * family.lateral[k]
            + (x[3] - x[1]) * family.cranial[k]
            + family.reach * family.axis[k]
        )
    return start, step


@numba.njit(**OPTIONS)
def in_cone(family, x, h):
    """Whether some line of the box runs in the cone of directions."""
    for k in range(2):
        slope = (x[2 + k] - x[k]) / family.reach
        spread = (h[2 + k] + h[k]) / family.reach
        if slope + spread < family.cone[k, 0] or slope - spread > family.cone[k, 1]:
            return False
    return True


@numba.njit(**OPTIONS)
def box_spread(h, t):
    """Return how far the point at t moves at most over a box of half-widths ``h``."""
    near, far = abs(1.0 - t), abs(t)
    return math.hypot(near * h[0] + far * h[2], near * h[1] + far * h[3])


@numba.njit(**OPTIONS)
def skin_exit(family, skin, start, step):
    """Return the t < 0 at which the line first leaves the body backwards, or 1 if it never does."""
    if family.has_skin:
        far = BEHIND_MM / math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
        hits = segment_crossings(skin, start, start - far * step)
        return -far * hits[0] if hits.shape[0] > 0 else 1.0
    height, rate = -family.plane_offset, 0.0
    for k in range(3):
        height += family.plane_normal[k] * start[k]
        rate += family.plane_normal[k] * step[k]
    # The body lies where n . p <= offset; backwards is towards larger n . p.
    if rate >= 0.0 or height > 0.0:
        return 1.0
    return -height / rate


@numba.njit(**OPTIONS)
def within_skin(family, skin, start, step, t, radius):
    """Whether all points within ``radius`` of the line from t <= 0 to the gate are in the body."""
    if family.has_skin:
        _, found, _, _, _, _ = segment_query(skin, start, start + t * step, radius)
        return found < 0
    near, far = -family.plane_offset, -family.plane_offset
    for k in range(3):
        near += family.plane_normal[k] * start[k]
        far += family.plane_normal[k] * (start[k] + t * step[k])
    return max(near, far) <= -radius


@numba.njit(**OPTIONS)
def line_slack(family, tree, skin, x, worth):
    """Slack of the path along line ``x``; -FAR where the line is no path.

    Returns slack (if at most ``worth`` it may be too large), t of the tip, t of the skin, owner.
    """
    if window_distance(family.edges, x[0], x[1]) > 0.0 or not in_cone(family, x, np.zeros(4)):
        return -FAR, 0.0, 0.0, -1
    t_tip, t_out = target_interval(family, x)
    if t_tip > t_out:
        return -FAR, 0.0, 0.0, -1
    start, step = line_points(family, x)
    t_skin = skin_exit(family, skin, start, step)
    length = (t_tip - t_skin) * math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    if t_skin > 0.0 or length > family.usable:
        return -FAR, 0.0, 0.0, -1
    value, found, s, qx, qy, qz = segment_query(tree, start, start + t_tip * step, FAR)
    if value <= worth:
        return value, t_tip, t_skin, tree.owner[found]
    more, other, s, qx, qy, qz = segment_query(tree, start + t_skin * step, start, value)
    if other >= 0:
        value, found = more, other
    return value, t_tip, t_skin, tree.owner[found]


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
                field, field_origin, spacing,
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
    if low > enough:
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
            bound = min(bound, row[0])
            if owner >= 0:
                owners[owner] += 1
            if bound <= enough:
                aside = max(aside, bound)
                continue
            slack = -FAR
            # The witness also bounds the centre line: measure it only if it can be better.
            if bound - box_spread(h, t) > best:
                slack, t_tip, t_skin, other = line_slack(family, tree, skin, x, best)
            if slack > best:
                best = slack
                for k in range(4):
                    incumbent[k] = x[k]
            heap[size, 0], heap[size, 1] = bound, t
            heap[size, 2:6], heap[size, 6:10] = x, h
            size += 1
            _sift_up(heap, size - 1)
    return best, max(aside, best), examined, True


@numba.njit(**OPTIONS)
def sample(family, tree, skin, lines, slack):
    """Fill ``slack`` (n,) with the slack of each of ``lines`` (n, 4); -FAR for no path."""
    for i in range(lines.shape[0]):
        value, _, _, _ = line_slack(family, tree, skin, lines[i], -FAR)
        slack[i] = value
