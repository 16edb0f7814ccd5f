"""The smooth problem behind polishing: slack towards witness points, and the rules of the family.

Values and central differences, for a climb that maximises the smallest slack.
"""

import math

import numba
import numpy as np

from geometry._kernels import OPTIONS
from planner.search._kernels.lines import line_points, target_interval, tip_of, window_distance

NUDGE_MM = 1e-5
RULES = 6


@numba.njit(**OPTIONS)
def constraints(family, x, witnesses, plane, out):
    """Fill ``out`` with the slack towards each witness, then the room under each rule.

    ``witnesses`` (k, 4): surface points and offsets, scene frame. ``plane`` (4,): normal and offset
    of the plane that stands for the skin where the line enters. Rules, in order: window, length,
    cone (four), then target faces at the tip.
    """
    start, step = line_points(family, x)
    t_in, t_out = target_interval(family, x)
    t_tip = max(tip_of(family, x, start, step), t_in)
    height, rate = plane[3], 0.0
    for k in range(3):
        height -= plane[k] * start[k]
        rate += plane[k] * step[k]
    t_skin = height / rate
    length2 = step[0] ** 2 + step[1] ** 2 + step[2] ** 2
    count = witnesses.shape[0]
    for i in range(count):
        gx = witnesses[i, 0] - start[0]
        gy = witnesses[i, 1] - start[1]
        gz = witnesses[i, 2] - start[2]
        t = (gx * step[0] + gy * step[1] + gz * step[2]) / length2
        t = min(max(t, t_skin), t_tip)
        gx, gy, gz = gx - t * step[0], gy - t * step[1], gz - t * step[2]
        out[i] = math.sqrt(gx * gx + gy * gy + gz * gz) - witnesses[i, 3]
    out[count] = -window_distance(family.edges, x[0], x[1])
    out[count + 1] = family.usable - (t_tip - t_skin) * math.sqrt(length2)
    for k in range(2):
        across = x[2 + k] - x[k]
        out[count + 2 + 2 * k] = across - family.reach * family.cone[k, 0]
        out[count + 3 + 2 * k] = family.reach * family.cone[k, 1] - across
    a = x[0] + t_tip * (x[2] - x[0])
    b = x[1] + t_tip * (x[3] - x[1])
    for i in range(family.offsets.shape[0]):
        n = family.normals[i]
        out[count + RULES + i] = (
            family.offsets[i] - n[0] * a - n[1] * b - n[2] * t_tip * family.reach
        )


@numba.njit(**OPTIONS)
def constraint_slopes(family, x, witnesses, plane, out):
    """Fill ``out`` (m, 4) with central differences of ``constraints``."""
    rows = out.shape[0]
    ahead, behind, moved = np.empty(rows), np.empty(rows), x.copy()
    for k in range(4):
        moved[k] = x[k] + NUDGE_MM
        constraints(family, moved, witnesses, plane, ahead)
        moved[k] = x[k] - NUDGE_MM
        constraints(family, moved, witnesses, plane, behind)
        moved[k] = x[k]
        for i in range(rows):
            out[i, k] = (ahead[i] - behind[i]) / (2.0 * NUDGE_MM)
