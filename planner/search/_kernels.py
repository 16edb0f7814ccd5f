"""Compiled branch and bound over lines through a gate window.

A line is four numbers ``x = (a, b, u, v)``: it pierces the gate plane at in-plane position
(a, b) and runs along ``axis + u lateral + v cranial``, so that its point at plane distance z is

    p(z) = origin + (a + u z) lateral + (b + v z) cranial + z axis.

Over a box of half-widths (ha, hb, hu, hv) the point at z moves by at most
``rho(z) = hypot(ha + |z| hu, hb + |z| hv)``, so for *any* z that every line of the box reaches,
``slack(p_centre(z)) + rho(z)`` bounds the slack of every line of the box (slack is 1-Lipschitz).
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, interpolate, point_query, segment_crossings, segment_query

ROUNDING_MM = 1e-6
BEHIND_MM = 400.0
STEP_MM = 1.0


class Family(NamedTuple):
    """The lines through one gate and what limits them; all in the scene's frame.

    ``origin``, ``lateral``, ``cranial``, ``axis`` (3,): the gate plane; ``edges`` (k, 4): window
    outline (a0, b0, a1, b1), even-odd; ``normals`` (m, 3), ``offsets`` (m,): target half-spaces
    ``n . p <= c`` in (lateral, cranial, axis) coordinates; ``plane_normal`` (3,), ``plane_offset``:
    the skin stand-off plane, used where the skin tree is empty; ``usable``: longest path, mm.
    """

    origin: np.ndarray
    lateral: np.ndarray
    cranial: np.ndarray
    axis: np.ndarray
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
def target_interval(family, a, b, u, v):
    """Return plane distances (z_in, z_out) between which the line is in the target, z_in >= 0."""
    z_in, z_out = 0.0, FAR
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        rate = n[0] * u + n[1] * v + n[2]
        room = family.offsets[i] - n[0] * a - n[1] * b
        if rate < 0.0:
            z_in = max(z_in, room / rate)
        elif rate > 0.0:
            z_out = min(z_out, room / rate)
        elif room < 0.0:
            return 0.0, -1.0
    return z_in, z_out


@numba.njit(**OPTIONS)
def box_reach(family, x, h):
    """Return (z_low, possible): every line of the box reaches z_low; False if none hits the target."""
    z_low, z_high = 0.0, FAR
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        rate = n[0] * x[2] + n[1] * x[3] + n[2]
        room = family.offsets[i] - n[0] * x[0] - n[1] * x[1]
        d_rate = abs(n[0]) * h[2] + abs(n[1]) * h[3]
        d_room = abs(n[0]) * h[0] + abs(n[1]) * h[1]
        if rate + d_rate < 0.0:
            # Entering for every line: the least room / rate over the box.
            top = room + d_room
            z_low = max(z_low, top / (rate - d_rate) if top <= 0.0 else top / (rate + d_rate))
        elif rate - d_rate > 0.0:
            top = room + d_room
            if top < 0.0:
                return 0.0, False
            z_high = min(z_high, top / (rate - d_rate))
        elif rate + d_rate <= 0.0 and room + d_room < 0.0 and rate == 0.0:
            return 0.0, False
    return z_low, z_low <= z_high


@numba.njit(**OPTIONS)
def line_points(family, x):
    """Return the line's gate point and its step per unit of plane distance, scene frame."""
    start = np.empty(3)
    step = np.empty(3)
    for k in range(3):
        start[k] = family.origin[k] + x[0] * family.lateral[k] + x[1] * family.cranial[k]
        step[k] = family.axis[k] + x[2] * family.lateral[k] + x[3] * family.cranial[k]
    return start, step


@numba.njit(**OPTIONS)
def skin_exit(family, skin, start, step):
    """Return the z < 0 at which the line first leaves the body backwards, or 1 if it never does."""
    if family.has_skin:
        hits = segment_crossings(skin, start, start - BEHIND_MM * step)
        return -BEHIND_MM * hits[0] if hits.shape[0] > 0 else 1.0
    height, rate = -family.plane_offset, 0.0
    for k in range(3):
        height += family.plane_normal[k] * start[k]
        rate += family.plane_normal[k] * step[k]
    # The body lies where n . p <= offset; backwards is towards larger n . p.
    if rate >= 0.0 or height > 0.0:
        return 1.0
    return -height / rate


@numba.njit(**OPTIONS)
def within_skin(family, skin, start, step, z, radius):
    """Whether every point within ``radius`` of the line between z <= 0 and the gate is in the body."""
    if family.has_skin:
        _, found, _, _, _, _ = segment_query(skin, start, start + z * step, radius)
        return found < 0
    height = -family.plane_offset
    for k in range(3):
        height += family.plane_normal[k] * (start[k] + z * step[k])
    return height <= -radius


@numba.njit(**OPTIONS)
def line_slack(family, tree, skin, x, worth):
    """Slack of the path along line ``x``, its tip and entry: -FAR where the line is no path.

    Returns slack (or ``worth`` if it is not above it), z of the tip, z of the skin, owner.
    """
    if window_distance(family.edges, x[0], x[1]) > 0.0:
        return -FAR, 0.0, 0.0, -1
    z_tip, z_out = target_interval(family, x[0], x[1], x[2], x[3])
    if z_tip > z_out:
        return -FAR, 0.0, 0.0, -1
    start, step = line_points(family, x)
    z_skin = skin_exit(family, skin, start, step)
    length = (z_tip - z_skin) * math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    if z_skin > 0.0 or length > family.usable:
        return -FAR, 0.0, 0.0, -1
    gate = min(z_tip, 15.0)
    value, found, s, qx, qy, qz = segment_query(tree, start, start + gate * step, FAR)
    if value <= worth:
        return value, z_tip, z_skin, tree.owner[found]
    more, other, s, qx, qy, qz = segment_query(
        tree, start + z_skin * step, start + z_tip * step, value
    )
    if other >= 0:
        value, found = more, other
    return value, z_tip, z_skin, tree.owner[found]


@numba.njit(**OPTIONS)
def _too_long(family, skin, start, step, h, z_low, shortest):
    """Whether every line of the box is longer than the needle before it leaves the skin."""
    z = z_low - family.usable / shortest
    if z >= 0.0:
        return True
    rho = math.hypot(h[0] - z * h[2], h[1] - z * h[3])
    return within_skin(family, skin, start, step, z, rho)


@numba.njit(**OPTIONS)
def box_bound(family, tree, skin, field, field_origin, spacing, x, h, hint, enough):
    """Bound the slack of every path in a box from above; -FAR if it holds no path.

    Stops as soon as the bound is at most ``enough``. Returns bound, witness z, and the owner of
    the triangle that bounds it (-1 if the field alone decided).
    """
    if window_distance(family.edges, x[0], x[1]) > math.hypot(h[0], h[1]):
        return -FAR, 0.0, -2
    z_low, possible = box_reach(family, x, h)
    if not possible:
        return -FAR, 0.0, -2
    start, step = line_points(family, x)
    slope = math.hypot(max(abs(x[2]) - h[2], 0.0), max(abs(x[3]) - h[3], 0.0))
    shortest = math.sqrt(1.0 + slope * slope)
    if _too_long(family, skin, start, step, h, z_low, shortest):
        return -FAR, 0.0, -2
    z_back = z_low - family.usable / shortest
    speed = math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    best, best_z, trusted = FAR, 0.0, 0.0
    low, low_z = FAR, 0.0
    for sweep in range(3):
        # The parent's witness first, then from the gate to the tip, then from the gate backwards.
        z = min(max(hint, z_back), z_low) if sweep == 0 else 0.0
        while True:
            rho = math.hypot(h[0] + abs(z) * h[2], h[1] + abs(z) * h[3])
            value, error = interpolate(
                field, field_origin, spacing,
                start[0] + z * step[0], start[1] + z * step[1], start[2] + z * step[2],
            )  # fmt: skip
            upper = value + error + rho
            if upper < best or value - error + rho < low:
                allowed = z >= trusted
                if not allowed and within_skin(family, skin, start, step, z, rho):
                    trusted, allowed = z, True
                if allowed:
                    if upper < best:
                        best, best_z = upper, z
                    if value - error + rho < low:
                        low, low_z = value - error + rho, z
                elif sweep == 2:
                    break
            if best <= enough or sweep == 0:
                break
            jump = max(STEP_MM, 0.8 * (upper - 2.0 * error - enough)) / speed
            if sweep == 1:
                if z >= z_low:
                    break
                z = min(z + jump, z_low)
            else:
                if z <= z_back:
                    break
                z = max(z - jump, z_back)
        if best <= enough:
            return best + ROUNDING_MM, best_z, -1
    if low > enough:
        return best + ROUNDING_MM, best_z, -1
    owner = -1
    for turn in range(2):
        z = low_z if turn == 0 else best_z
        if turn == 1 and abs(low_z - best_z) * speed < 0.5:
            break
        rho = math.hypot(h[0] + abs(z) * h[2], h[1] + abs(z) * h[3])
        value, found, qx, qy, qz = point_query(
            tree, start[0] + z * step[0], start[1] + z * step[1], start[2] + z * step[2], best - rho
        )
        if found >= 0 and value + rho < best:
            best, best_z, owner = value + rho, z, tree.owner[found]
        if best <= enough:
            break
    return best + ROUNDING_MM, best_z, owner


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
def _split_axis(z, h):
    """Choose the number whose halving moves the witness least: the one that moves it most now."""
    moves = (h[0], h[1], abs(z) * h[2], abs(z) * h[3])
    axis, most = 0, -1.0
    for k in range(4):
        if moves[k] > most:
            axis, most = k, moves[k]
    # A witness that barely moves no longer limits the box: then shrink what is largest overall.
    reach = (h[0], h[1], 40.0 * h[2], 40.0 * h[3])
    largest = max(max(reach[0], reach[1]), max(reach[2], reach[3]))
    if most < 0.1 * largest:
        for k in range(4):
            if reach[k] == largest:
                axis = k
    return axis


@numba.njit(**OPTIONS)
def search(
    family, tree, skin, field, field_origin, spacing, roots, incumbent, best, tolerance, floor, budget,
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
            bound, z, owner = box_bound(
                family, tree, skin, field, field_origin, spacing, x, h, row[1], enough
            )
            bound = min(bound, row[0])
            if owner >= 0:
                owners[owner] += 1
            if bound <= enough:
                aside = max(aside, bound)
                continue
            slack, z_tip, z_skin, other = line_slack(family, tree, skin, x, best)
            if slack > best:
                best = slack
                for k in range(4):
                    incumbent[k] = x[k]
            heap[size, 0], heap[size, 1] = bound, z
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
