"""Curved needles, one at a time: a straight cannula to a stop, then a preset arc beyond it.

A path is six numbers ``y = (a, b, e, f, g, roll)``: the cannula pierces the gate plane at in-plane
position (a, b) and stops at (e, f, g) in gate coordinates (lateral, cranial, along). The inner
needle leaves it along an arc of fixed radius R in the direction that ``roll`` gives:

    A(s) = stop + R sin(s) u + R (1 - cos(s)) n(u, roll),    0 <= s <= most,

with u the cannula's unit direction and n its roll about u from the gate's lateral axis, both axes
carried by the shortest turn of the gate's normal onto u. The tip is where the arc first enters
the target: deeper never gains clearance.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, contains, interpolate, segment_query
from planner.search._kernels.lines import ON_EDGE_MM, skin_exit, window_distance

CHORD_RAD = 0.06  # of the chords that stand for an arc; their sagitta is taken off the slack
STRIDE_MM = 0.25  # between tips that are tried while the first is not in bone
ON_FACE_MM = 1e-9
PATIENCE = 12  # steps that fail before they are made smaller
SETTLED_MM = 0.005


class Bend(NamedTuple):
    """A curved needle.

    ``radius`` of the arc, mm; ``most`` of it that can be deployed, rad; ``spare``: how much thinner
    than the cannula it is, as radii, mm; ``least`` of the cannula beyond the gate plane, mm;
    ``curl``: how much faster the roll's axes turn than the direction, at most, in the cone.
    """

    radius: float
    most: float
    spare: float
    least: float
    curl: float


@numba.njit(**OPTIONS)
def aim_curved(y, u, n):
    """Set direction ``u`` and bend normal ``n`` (3,), gate coordinates; return gate to stop, mm."""
    x, v, z = y[2] - y[0], y[3] - y[1], y[4]
    length = math.sqrt(x * x + v * v + z * z)
    u[0], u[1], u[2] = x / length, v / length, z / length
    k, c, s = 1.0 / (1.0 + u[2]), math.cos(y[5]), math.sin(y[5])
    n[0] = c * (1.0 - u[0] * u[0] * k) - s * u[0] * u[1] * k
    n[1] = s * (1.0 - u[1] * u[1] * k) - c * u[0] * u[1] * k
    n[2] = -c * u[0] - s * u[1]
    return length


@numba.njit(**OPTIONS)
def on_arc(y, u, n, radius, angle, point):
    """Set ``point`` (3,), gate coordinates, to the arc at an angle; 0 is the stop."""
    ahead, aside = radius * math.sin(angle), radius * (1.0 - math.cos(angle))
    for k in range(3):
        point[k] = y[2 + k] + ahead * u[k] + aside * n[k]


@numba.njit(**OPTIONS)
def outside_target(family, point):
    """Return how far a point (gate coordinates) is outside the target's farthest face, mm."""
    worst = -FAR
    for i in range(family.offsets.shape[0]):
        m = family.normals[i]
        height = m[0] * point[0] + m[1] * point[1] + m[2] * point[2] - family.offsets[i]
        worst = max(worst, height)
    return worst


@numba.njit(**OPTIONS)
def to_scene(family, point, out):
    """Set ``out`` (3,) to a point of gate coordinates in the scene's frame."""
    for k in range(3):
        out[k] = (
            family.origin[k]
            + point[0] * family.lateral[k]
            + point[1] * family.cranial[k]
            + point[2] * family.axis[k]
        )


@numba.njit(**OPTIONS)
def held(family, p):
    """Whether a tip may end at a point of the scene: in bone, a halo or a lesion."""
    if family.all_held:
        return True
    value, error = interpolate(family.holder_grid, p[0], p[1], p[2])
    if abs(value) > error:
        return value < 0.0
    return contains(family.holders, p[0], p[1], p[2])


@numba.njit(**OPTIONS)
def tip_angle(family, bend, y, u, n, point, out):
    """Return the first arc angle with the tip in the target and in bone, or -1."""
    angle = 0.0
    while True:
        on_arc(y, u, n, bend.radius, angle, point)
        apart = outside_target(family, point)
        if apart <= ON_FACE_MM:
            to_scene(family, point, out)
            if held(family, out):
                return angle
            apart = STRIDE_MM
        # A tip moves by no more than R times the change of angle.
        if angle >= bend.most:
            return -1.0
        angle = min(angle + max(apart, ON_FACE_MM) / bend.radius, bend.most)


@numba.njit(**OPTIONS)
def curved_slack(family, space, bend, y, worth):
    """Return the slack of path ``y``, -FAR where it is none, and its tip's angle.

    The arc's slack is its distance less the limit, and ``spare``: what the margin is taken of is
    the cannula's radius. A slack of at most ``worth`` may be too large. Chords stand for the arc,
    less their sagitta, so the slack is never too large by that.
    """
    if y[4] < bend.least or window_distance(family.edges, y[0], y[1]) > ON_EDGE_MM:
        return -FAR, 0.0
    for k in range(2):
        slope = (y[2 + k] - y[k]) / y[4]
        if slope < family.cone[k, 0] or slope > family.cone[k, 1]:
            return -FAR, 0.0
    u, n, point, a = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    length = aim_curved(y, u, n)
    angle = tip_angle(family, bend, y, u, n, point, a)
    if angle < 0.0:
        return -FAR, 0.0
    start, stop = np.empty(3), np.empty(3)
    point[0], point[1], point[2] = y[0], y[1], 0.0
    to_scene(family, point, start)
    to_scene(family, y[2:5], stop)
    t_skin = skin_exit(family, space.skin, start, stop - start)
    if t_skin > 0.0 or (1.0 - t_skin) * length + bend.radius * angle > family.usable:
        return -FAR, 0.0
    value, _, _, _, _, _ = segment_query(space.tree, start + t_skin * (stop - start), stop, FAR)
    pieces = math.ceil(angle / CHORD_RAD)
    sagitta = bend.radius * (1.0 - math.cos(0.5 * angle / max(pieces, 1)))
    a[:] = stop
    for i in range(1, pieces + 1):
        if value <= worth:
            break
        on_arc(y, u, n, bend.radius, i * angle / pieces, point)
        to_scene(family, point, start)
        least, found, _, _, _, _ = segment_query(space.tree, a, start, value - bend.spare + sagitta)
        if found >= 0:
            value = min(value, least + bend.spare - sagitta)
        a[:] = start
    return value, angle


@numba.njit(**OPTIONS)
def curved_sample(family, space, bend, paths, slack):
    """Fill ``slack`` (n,) with the slack of each of ``paths`` (n, 6); -FAR for no path."""
    for i in range(paths.shape[0]):
        slack[i], _ = curved_slack(family, space, bend, paths[i], -FAR)


@numba.njit(**OPTIONS)
def curved_climb(family, space, bend, y, step, moves):
    """Climb from path ``y``, which is overwritten, by steps whose size adapts; return its slack.

    ``moves`` (n, 6): the steps to try, of about unit size; they are taken ``step`` mm wide at
    first and never wider.
    """
    best, _ = curved_slack(family, space, bend, y, -FAR)
    widest, failed, z = step, 0, np.empty(6)
    for i in range(moves.shape[0]):
        for k in range(6):
            z[k] = y[k] + step * moves[i, k]
        value, _ = curved_slack(family, space, bend, z, best)
        if value > best:
            best, failed = value, 0
            y[:] = z
            step = min(1.5 * step, widest)
            continue
        failed += 1
        if failed > PATIENCE:
            step, failed = 0.6 * step, 0
            if step < SETTLED_MM:
                break
    return best
