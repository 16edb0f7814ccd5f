"""Boxes of lines: what no line of a box can exceed (theorems in docs/proof.md).

Lines that enter the target through one flat *face* are ``x = (a, b, c, d)``: gate point
``P = (a, b, 0)`` in gate coordinates (lateral, cranial, along), face point
``Q = F + c f1 + d f2``, and ``p(t) = (1 - t) P + t Q``, affine in x. Over a box of half-widths h
the point at t moves by at most ``rho(t) = |1 - t| hypot(ha, hb) + |t| hypot(hc, hd)``, slack is
1-Lipschitz, so ``slack(p_centre(t)) + rho(t)`` bounds the slack of every line that reaches t. The
numbers sit where space is tight, at the gate and at the target, and there the bound is best.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels import OPTIONS, Grid, Tree, interpolate

ROUNDING_MM = 1e-6
POINTS = 8  # surface points that a box keeps in mind
RULES = 24  # rules that a box weighs at most
MOST_SKIN = 600  # triangles that a plane is laid before at most; past that, halving is cheaper

# Why a box is settled; the numbers of ``planner.proof.Why``. The last: it was split.
BOUNDED, NO_WINDOW, NO_RULE, NO_TIP, TOO_LONG, SPLIT = 0, 1, 2, 3, 4, 255


class Faces(NamedTuple):
    """The faces of a target towards a gate, gate coordinates.

    ``origin`` (n, 3), ``axes`` (n, 2, 3): planes; ``tip`` (n,): t of the tip, 1, or 0 where the
    tip is the gate point itself; ``rules`` (m, 5): ``row[:4] . x <= row[4]`` for every line that
    enters there; ``first`` (n + 1,): rows of each face.
    """

    origin: np.ndarray
    axes: np.ndarray
    tip: np.ndarray
    rules: np.ndarray
    first: np.ndarray


class Cells(NamedTuple):
    """Triangles of the skin by the cells of a grid that their boxes touch, scene frame.

    ``corners`` (m, 3, 3); ``first`` (n + 1,), ``which`` (k,): triangles of each cell; ``origin``
    (3,), ``counts`` (3,), ``edge``: the grid, cells in C order.
    """

    corners: np.ndarray
    first: np.ndarray
    which: np.ndarray
    origin: np.ndarray
    counts: np.ndarray
    edge: float


class Space(NamedTuple):
    """What boxes are measured against: obstacles and skin, as trees and as grids.

    ``cells``: the skin's triangles by place.
    """

    tree: Tree
    grid: Grid
    skin: Tree
    skin_grid: Grid
    cells: Cells


class Scratch(NamedTuple):
    """Room for the work on one box.

    ``gate``, ``face``, ``start``, ``step`` (3,): its middle line, in gate coordinates and in the
    scene's; ``rows`` (n, 5), ``at`` (n,), ``weights`` (n,), ``sums`` (4, 5): its bounds (see
    ``weighing``), their t and ``near`` (n,), the inverse distance there; ``which`` (n,): surface
    point or rule of a row. ``run`` (7,): between reach and back all paths of the box run; beyond
    and a plane (normal, offset), scene frame, zero where there is none (see ``skin``), which is
    made in ``plane`` (4,) and its slopes in ``slopes`` (4,); ``length`` (5,): the needle's length
    as a rule; ``near_skin``: triangles.
    """

    gate: np.ndarray
    face: np.ndarray
    start: np.ndarray
    step: np.ndarray
    rows: np.ndarray
    at: np.ndarray
    near: np.ndarray
    weights: np.ndarray
    sums: np.ndarray
    which: np.ndarray
    run: np.ndarray
    plane: np.ndarray
    slopes: np.ndarray
    length: np.ndarray
    near_skin: np.ndarray


@numba.njit(**OPTIONS)
def new_scratch():
    """Return scratch for one thread."""
    most = POINTS + 2 + RULES
    return Scratch(
        np.empty(3), np.empty(3), np.empty(3), np.empty(3), np.empty((most, 5)), np.empty(most),
        np.empty(most), np.empty(most), np.empty((4, 5)), np.empty(most, np.int64),
        np.empty(7), np.empty(4), np.empty(4), np.empty(5), np.empty(MOST_SKIN, np.int32),
    )  # fmt: skip


@numba.njit(**OPTIONS)
def box_spread(h, t):
    """Return how far the point at t moves at most over a box of half-widths ``h``."""
    return abs(1.0 - t) * math.hypot(h[0], h[1]) + abs(t) * math.hypot(h[2], h[3])


@numba.njit(**OPTIONS)
def place(family, faces, face, x, work):
    """Set the middle line of a box in ``work``; return its length from gate to face, mm."""
    gate, end = work.gate, work.face
    gate[0], gate[1], gate[2] = x[0], x[1], 0.0
    length2 = 0.0
    for k in range(3):
        end[k] = (
            faces.origin[face, k] + x[2] * faces.axes[face, 0, k] + x[3] * faces.axes[face, 1, k]
        )
        length2 += (end[k] - gate[k]) ** 2
    for k in range(3):
        work.start[k] = family.origin[k] + x[0] * family.lateral[k] + x[1] * family.cranial[k]
        work.step[k] = (
            (end[0] - gate[0]) * family.lateral[k]
            + (end[1] - gate[1]) * family.cranial[k]
            + (end[2] - gate[2]) * family.axis[k]
        )
    return math.sqrt(length2)


@numba.njit(**OPTIONS)
def aim_of(family, x, work, line):
    """Fill ``line`` with the four numbers of the placed middle line (see ``lines``), if it has."""
    along = work.face[2]
    if along < 1e-6:
        return False
    line[0], line[1] = x[0], x[1]
    line[2] = x[0] + (work.face[0] - x[0]) * family.reach / along
    line[3] = x[1] + (work.face[1] - x[1]) * family.reach / along
    return True


@numba.njit(**OPTIONS)
def value_at(grid, work, t):
    """Return a grid's value at t of the middle line, and its error bound."""
    return interpolate(
        grid,
        work.start[0] + t * work.step[0],
        work.start[1] + t * work.step[1],
        work.start[2] + t * work.step[2],
    )
