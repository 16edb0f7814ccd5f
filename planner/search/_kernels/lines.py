"""Lines through a gate window, one at a time.

A line is four numbers ``x = (a, b, c, d)``: it pierces the gate plane at in-plane position (a, b)
and the aim plane, parallel to it at distance ``reach``, at (c, d). Its point at distance
``t * reach`` from the gate plane is

    p(t) = origin + lerp(a, c; t) lateral + lerp(b, d; t) cranial + t reach axis.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import (
    FAR,
    OPTIONS,
    Grid,
    Tree,
    contains,
    interpolate,
    segment_crossings,
    segment_query,
    trace_lines,
)

ON_EDGE_MM = 1e-9  # a gate point on the window's outline passes
BEHIND_MM = 400.0
AHEAD_MM = 200.0
STRIDE_MM = 8.0  # between looks at the field along a line
PAD_MM = 1e-6
INSET_MM = 1e-3  # a tip that stops at the bone's surface stops this far inside it


class Family(NamedTuple):
    """The lines through one gate and what limits them; all in the scene's frame.

    ``origin``, ``lateral``, ``cranial``, ``axis`` (3,): the gate plane; ``reach``: distance of the
    aim plane; ``cone`` (2, 2): least and greatest lateral and cranial slope; ``edges`` (k, 4):
    window outline (a0, b0, a1, b1), even-odd; ``normals`` (m, 3), ``offsets`` (m,): target
    half-spaces ``n . p <= c`` in (lateral, cranial, axis) coordinates; ``plane_normal`` (3,),
    ``plane_offset``: the skin stand-off plane, used where ``has_skin`` is False; ``usable``:
    longest path, mm; ``holders``, ``holder_grid``: surface of what a tip may end in and the signed
    distance to it, not asked where ``all_held`` says that the whole target lies in it.
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
    holders: Tree
    holder_grid: Grid
    all_held: bool


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
def nearest_on_window(edges, a, b):
    """Return the point of the window's outline nearest to (a, b)."""
    best, u, v = FAR, a, b
    for i in range(edges.shape[0]):
        x0, y0, x1, y1 = edges[i, 0], edges[i, 1], edges[i, 2], edges[i, 3]
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy
        t = 0.0
        if length2 > 0.0:
            t = min(max(((a - x0) * dx + (b - y0) * dy) / length2, 0.0), 1.0)
        x, y = x0 + t * dx, y0 + t * dy
        distance2 = (x - a) ** 2 + (y - b) ** 2
        if distance2 < best:
            best, u, v = distance2, x, y
    return u, v


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
def tip_of(family, x, start, step):
    """Return the first t >= 0 at which line ``x`` is in the target and in a holder, or -1."""
    t_in, t_out = target_interval(family, x)
    if t_in > t_out:
        return -1.0
    if family.all_held:
        return t_in
    px, py, pz = start[0] + t_in * step[0], start[1] + t_in * step[1], start[2] + t_in * step[2]
    value, error = interpolate(family.holder_grid, px, py, pz)
    if value < -error:
        return t_in
    if value <= error and contains(family.holders, px, py, pz):
        return t_in
    speed = math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    end = min(t_out, t_in + AHEAD_MM / speed)
    hits = segment_crossings(family.holders, start + t_in * step, start + end * step)
    if hits.shape[0] == 0:
        return -1.0
    t_tip = t_in + hits[0] * (end - t_in) + INSET_MM / speed
    return t_tip if t_tip <= t_out else -1.0


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
def in_cone(family, x):
    """Whether a line runs in the cone of directions."""
    for k in range(2):
        slope = (x[2 + k] - x[k]) / family.reach
        if slope < family.cone[k, 0] or slope > family.cone[k, 1]:
            return False
    return True


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
def _ceiling(grid, a, b):
    """Return an upper bound of the least value of a 1-Lipschitz field along segment a-b."""
    d = b - a
    length = math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
    t, best = 0.0, FAR
    while True:
        value, error = interpolate(grid, a[0] + t * d[0], a[1] + t * d[1], a[2] + t * d[2])
        best = min(best, value + error)
        if t >= 1.0:
            return best
        t = min(t + max(STRIDE_MM, value + error - best) / length, 1.0)


@numba.njit(**OPTIONS)
def least_slack(space, a, b):
    """Return the least slack of segment a-b, and the triangle that it comes from.

    The field names a first bound, so that the triangles are asked about what lies below it only.
    """
    value, found, _, _, _, _ = segment_query(space.tree, a, b, _ceiling(space.grid, a, b) + PAD_MM)
    if found < 0:
        value, found, _, _, _, _ = segment_query(space.tree, a, b, FAR)
    return value, found


@numba.njit(**OPTIONS)
def line_slack(family, space, x, worth):
    """Slack of the path along line ``x``; -FAR where the line is no path.

    Returns slack (if at most ``worth`` it may be too large), t of the tip, t of the skin, owner.
    """
    if window_distance(family.edges, x[0], x[1]) > ON_EDGE_MM or not in_cone(family, x):
        return -FAR, 0.0, 0.0, -1
    start, step = line_points(family, x)
    t_tip = tip_of(family, x, start, step)
    if t_tip < 0.0:
        return -FAR, 0.0, 0.0, -1
    t_skin = skin_exit(family, space.skin, start, step)
    length = (t_tip - t_skin) * math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
    if t_skin > 0.0 or length > family.usable:
        return -FAR, 0.0, 0.0, -1
    value, found = least_slack(space, start, start + t_tip * step)
    if value <= worth:
        return value, t_tip, t_skin, space.tree.owner[found]
    more, other, _, _, _, _ = segment_query(space.tree, start + t_skin * step, start, value)
    if other >= 0:
        value, found = more, other
    return value, t_tip, t_skin, space.tree.owner[found]


@numba.njit(**OPTIONS)
def estimate(family, grid, skin, lines, slack):
    """Fill ``slack`` (n,) with the slack of ``lines`` (n, 4) by a grid, from gate to tip only.

    -FAR where a line misses window, cone or target, or is too long.
    """
    paths, count = np.empty(lines.shape[0], np.int64), 0
    gates, tips = np.empty((lines.shape[0], 3)), np.empty((lines.shape[0], 3))
    for i in range(lines.shape[0]):
        x = lines[i]
        slack[i] = -FAR
        if window_distance(family.edges, x[0], x[1]) > 0.0 or not in_cone(family, x):
            continue
        t_in, t_out = target_interval(family, x)
        if t_in > t_out:
            continue
        start, step = line_points(family, x)
        speed = math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
        t_skin = skin_exit(family, skin, start, step)
        if t_skin > 0.0 or (t_in - t_skin) * speed > family.usable:
            continue
        for k in range(3):
            gates[count, k], tips[count, k] = start[k], start[k] + t_in * step[k]
        paths[count] = i
        count += 1
    least = np.empty(count)
    trace_lines(grid, gates[:count], tips[:count], FAR, -FAR, least)
    for i in range(count):
        slack[paths[i]] = least[i]


@numba.njit(**OPTIONS)
def sample(family, space, lines, slack):
    """Fill ``slack`` (n,) with the slack of each of ``lines`` (n, 4); -FAR for no path."""
    for i in range(lines.shape[0]):
        value, _, _, _ = line_slack(family, space, lines[i], -FAR)
        slack[i] = value
