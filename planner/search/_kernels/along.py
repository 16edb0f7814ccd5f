"""Paths along a screw, one at a time: a straight leg, an elastic bend, and a slide on the shaft.

Coordinates are the screw's: origin where the shaft meets the head, third axis along the shaft
towards its tip, so that a path is one point at every *station* w, the third coordinate. A path is
four numbers ``x = (phi, c, theta, delta)``: where round the shaft; the station at which the slide
begins, the line ``rho e(phi) + w s`` with rho the radii of shaft and needle; the angle between
straight leg and shaft; and how far the plane of the bend is turned from the one through the
shaft's axis. The leg turns onto the slide by an arc of radius R that ends at c. At station w, and
m = c - w back from there, the path is

    rho e + g(m) (cos(delta) e + sin(delta) t),    t the tangent round the shaft,

    g = 0 for m <= 0,    R - sqrt(R^2 - m^2) up to m = R sin(theta), and from there on
    R (1 - cos(theta)) + (m - R sin(theta)) tan(theta).

g grows with m, and with theta at the rate ``(m - R sin(theta)) / cos(theta)^2``, on the leg only.
The straight needle meets the shaft at the *contact point*, where leg and slide would cross: at
the station ``c - R tan(theta / 2)``. The tip is the first point of the slide in the target that
lies far enough beyond the contact point.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS, segment_query
from planner.search._kernels.curved import held, to_scene
from planner.search._kernels.lines import ON_EDGE_MM, skin_exit, window_distance

CHORD_RAD = 0.02  # of the chords that stand for the arc; their sagitta is taken off the slack
STRIDE_MM = 0.25  # between tips that are tried while the first is not in bone
FAR_BACK_MM, HALVINGS = 300.0, 50


class Along(NamedTuple):
    """Where a needle runs along a screw, screw coordinates.

    ``rho`` of the slide's axis; ``bend``: R of the arc; ``first``, ``last``: stations of the
    contact point; ``least``: how far beyond it the tip lies at least; ``parallel``: the shortest
    slide; ``steepest`` theta, ``askew``
    delta: the greatest; ``origin`` (3,), ``axes`` (3, 3): the gate plane, axes as rows;
    ``crossing``: how much further paths lie apart in the gate plane than at one station, at most.
    """

    rho: float
    bend: float
    first: float
    last: float
    least: float
    parallel: float
    steepest: float
    askew: float
    origin: np.ndarray
    axes: np.ndarray
    crossing: float


@numba.njit(**OPTIONS)
def lift(along, m, theta):
    """Return how far off the slide a path is, m mm back from where the slide begins."""
    if m <= 0.0:
        return 0.0
    straight = along.bend * math.sin(theta)
    if m <= straight:
        return along.bend - math.sqrt(along.bend * along.bend - m * m)
    return along.bend * (1.0 - math.cos(theta)) + (m - straight) * math.tan(theta)


@numba.njit(**OPTIONS)
def to_contact(along, theta):
    """Return how far before the slide the contact point lies, mm."""
    return along.bend * math.tan(0.5 * theta)


@numba.njit(**OPTIONS)
def at_station(along, x, w, point):
    """Set ``point`` (3,), screw coordinates, to the path at a station."""
    off = lift(along, x[1] - w, x[2])
    u, v = along.rho + off * math.cos(x[3]), off * math.sin(x[3])
    c, s = math.cos(x[0]), math.sin(x[0])
    point[0], point[1], point[2] = u * c - v * s, u * s + v * c, w


@numba.njit(**OPTIONS)
def slide_in_target(family, along, phi, room):
    """Return the stations between which the slide is within ``room`` of the target's faces."""
    low, high = -FAR, FAR
    x, y = along.rho * math.cos(phi), along.rho * math.sin(phi)
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        over = n[0] * x + n[1] * y - family.offsets[i] - room
        if n[2] > 1e-9:
            high = min(high, -over / n[2])
        elif n[2] < -1e-9:
            low = max(low, -over / n[2])
        elif over > 1e-6:
            return 0.0, -1.0
    return low, high


@numba.njit(**OPTIONS)
def gate_point(along, x, point):
    """Return where a path, lengthened straight at both ends, pierces the gate plane: (a, b, w)."""
    low, high = x[1] - FAR_BACK_MM, x[1] + FAR_BACK_MM
    n = along.axes[2]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        at_station(along, x, middle, point)
        ahead = 0.0
        for k in range(3):
            ahead += n[k] * (point[k] - along.origin[k])
        if ahead < 0.0:
            low = middle
        else:
            high = middle
    a, b = 0.0, 0.0
    for k in range(3):
        a += along.axes[0, k] * (point[k] - along.origin[k])
        b += along.axes[1, k] * (point[k] - along.origin[k])
    return a, b, high


@numba.njit(**OPTIONS)
def slide_end(family, along, x):
    """Return the station of a path's tip, or -FAR where it has none."""
    low, high = slide_in_target(family, along, x[0], 0.0)
    w = max(low, x[1] + max(along.least - to_contact(along, x[2]), along.parallel))
    point, p = np.empty(3), np.empty(3)
    while w <= high:
        at_station(along, x, w, point)
        to_scene(family, point, p)
        if held(family, p):
            return w
        w += STRIDE_MM
    return -FAR


@numba.njit(**OPTIONS)
def along_slack(family, space, along, x, worth):
    """Return the slack of path ``x`` and the station of its tip; -FAR where it is no path.

    A slack of at most ``worth`` may be too large. Chords stand for the arc, less their sagitta.
    """
    theta, reach = x[2], to_contact(along, x[2])
    contact = x[1] - reach
    if theta < 0.0 or theta > along.steepest or abs(x[3]) > along.askew:
        return -FAR, 0.0
    if contact < along.first or contact > along.last:
        return -FAR, 0.0
    point, p, q = np.empty(3), np.empty(3), np.empty(3)
    a, b, _ = gate_point(along, x, point)
    if window_distance(family.edges, a, b) > ON_EDGE_MM:
        return -FAR, 0.0
    tip = slide_end(family, along, x)
    if tip == -FAR:
        return -FAR, 0.0
    # The leg, from where the arc begins: one mm of shaft further back it is 1 / cos(theta) long.
    bend = x[1] - along.bend * math.sin(theta)
    at_station(along, x, bend, point)
    to_scene(family, point, q)
    at_station(along, x, bend - 1.0, point)
    to_scene(family, point, p)
    t_skin = skin_exit(family, space.skin, q, q - p)
    length = -t_skin / math.cos(theta) + along.bend * theta + tip - x[1]
    if t_skin > 0.0 or length > family.usable:
        return -FAR, 0.0
    entry = q + t_skin * (q - p)
    value, _, _, _, _, _ = segment_query(space.tree, entry, q, FAR)
    pieces = math.ceil(theta / CHORD_RAD)
    sagitta = along.bend * (1.0 - math.cos(0.5 * theta / max(pieces, 1)))
    for i in range(1, pieces + 2):
        if value <= worth:
            break
        if i <= pieces:
            at_station(along, x, x[1] - along.bend * math.sin(theta * (1.0 - i / pieces)), point)
        else:
            sagitta = 0.0
            at_station(along, x, tip, point)
        to_scene(family, point, p)
        least, found, _, _, _, _ = segment_query(space.tree, q, p, value + sagitta)
        if found >= 0:
            value = min(value, least - sagitta)
        q[:] = p
    return value, tip


@numba.njit(**OPTIONS)
def along_sample(family, space, along, paths, worth, slack):
    """Fill ``slack`` (n,) with the slack of each of ``paths`` (n, 4); -FAR for no path.

    Slacks of at most ``worth`` may be too large.
    """
    for i in range(paths.shape[0]):
        slack[i], _ = along_slack(family, space, along, paths[i], worth)
