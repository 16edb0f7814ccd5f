"""Half-spaces that no path of a box leaves before it meets the skin (docs/proof.md, theorem 5).

All points of the skin in a tube that holds all lines of the box, from well inside the body to well
behind it, lie on the far side of a plane. So every path's entry does, and its length is at
least the way to that plane: exact to first order, where a tube's end loses the box's width.
"""

import math

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS
from planner.search._kernels.lines import skin_exit, within_skin
from planner.search._kernels.model import ROUNDING_MM, box_spread, value_at

STEEPEST = 0.2  # a plane is laid where lines meet the skin at more than this, as a cosine
WIDER = 1.2
LEAST_MM = 1e-3
GRAZING = 3.0  # how much further than straight on the skin may be, for all that is known of a line


@numba.njit(**OPTIONS)
def touching(cells, p, radius, near):
    """Fill ``near`` with triangles whose boxes touch a ball, some more than once; return how many.

    -1: too many, or the ball leaves the grid.
    """
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for k in range(3):
        low[k] = math.floor((p[k] - radius - cells.origin[k]) / cells.edge)
        high[k] = math.floor((p[k] + radius - cells.origin[k]) / cells.edge)
        if low[k] < 0 or high[k] >= cells.counts[k]:
            return -1
    count = 0
    for i in range(low[0], high[0] + 1):
        for j in range(low[1], high[1] + 1):
            row = (i * cells.counts[1] + j) * cells.counts[2]
            for q in range(cells.first[row + low[2]], cells.first[row + high[2] + 1]):
                apart = 0.0
                for k in range(3):
                    t = cells.corners[cells.which[q]]
                    a, b, c = t[0, k], t[1, k], t[2, k]
                    gap = max(min(a, b, c) - p[k], p[k] - max(a, b, c), 0.0)
                    apart += gap * gap
                if apart > radius * radius:
                    continue
                if count == near.shape[0]:
                    return -1
                near[count] = cells.which[q]
                count += 1
    return count


@numba.njit(**OPTIONS)
def facing(cells, near, count, step, plane):
    """Set ``plane[:3]`` to the mean normal of triangles against ``step``, by their areas.

    Any direction gives a true half-space, this one a close one. Returns whether there is one.
    """
    x, y, z = 0.0, 0.0, 0.0
    for q in range(count):
        mx, my, mz = _normal(cells.corners[near[q]])
        sign = -1.0 if mx * step[0] + my * step[1] + mz * step[2] > 0.0 else 1.0
        x, y, z = x + sign * mx, y + sign * my, z + sign * mz
    size = math.sqrt(x * x + y * y + z * z)
    if size < 1e-12:
        return False
    plane[0], plane[1], plane[2] = x / size, y / size, z / size
    return True


@numba.njit(**OPTIONS)
def _normal(t):
    """Return a normal of a triangle, as long as twice its area."""
    ux, uy, uz = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    vx, vy, vz = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@numba.njit(**OPTIONS)
def in_tube(cells, near, count, p, step, width):
    """Keep the triangles of ``near`` within ``width`` of a line along ``step``; return how many."""
    x, y, frame = np.empty(3), np.empty(3), np.empty((2, 3))
    _across(step, frame)
    kept = 0
    for q in range(count):
        t = cells.corners[near[q]]
        for v in range(3):
            x[v], y[v] = 0.0, 0.0
            for k in range(3):
                x[v] += frame[0, k] * (t[v, k] - p[k])
                y[v] += frame[1, k] * (t[v, k] - p[k])
        if _off_triangle(x, y) <= width * width:
            near[kept] = near[q]
            kept += 1
    return kept


@numba.njit(**OPTIONS)
def _across(step, frame):
    """Fill ``frame`` (2, 3) with unit vectors square to ``step`` and to one another."""
    k = 0 if abs(step[0]) <= min(abs(step[1]), abs(step[2])) else 1
    if abs(step[2]) < min(abs(step[0]), abs(step[1])):
        k = 2
    u, v = step[(k + 1) % 3], step[(k + 2) % 3]
    size = math.sqrt(u * u + v * v)
    frame[0, k], frame[0, (k + 1) % 3], frame[0, (k + 2) % 3] = 0.0, -v / size, u / size
    f = frame[0]
    x = step[1] * f[2] - step[2] * f[1]
    y = step[2] * f[0] - step[0] * f[2]
    z = step[0] * f[1] - step[1] * f[0]
    size = math.sqrt(x * x + y * y + z * z)
    frame[1, 0], frame[1, 1], frame[1, 2] = x / size, y / size, z / size


@numba.njit(**OPTIONS)
def _off_triangle(x, y):
    """Squared distance of the origin from a triangle in the plane; 0 inside."""
    best, left, right = FAR, False, False
    for v in range(3):
        w = (v + 1) % 3
        ex, ey = x[w] - x[v], y[w] - y[v]
        turn = ex * y[v] - ey * x[v]
        left, right = left or turn > 0.0, right or turn < 0.0
        length2 = ex * ex + ey * ey
        s = min(max(-(x[v] * ex + y[v] * ey) / length2, 0.0), 1.0) if length2 > 0.0 else 0.0
        best = min(best, (x[v] + s * ex) ** 2 + (y[v] + s * ey) ** 2)
    return best if left and right else 0.0


@numba.njit(**OPTIONS)
def least_height(cells, near, count, p, step, width, plane):
    """Return a lower bound of ``plane[:3] . s`` over points s of triangles in a tube.

    Of a triangle it is the greater of the least of its corners and the least of the ellipse in
    which its plane cuts the cylinder about the line through ``p`` along ``step``.
    """
    least = FAR
    length2 = step[0] ** 2 + step[1] ** 2 + step[2] ** 2
    rate = plane[0] * step[0] + plane[1] * step[1] + plane[2] * step[2]
    base = plane[0] * p[0] + plane[1] * p[1] + plane[2] * p[2]
    for q in range(count):
        t = cells.corners[near[q]]
        low = FAR
        for v in range(3):
            low = min(low, plane[0] * t[v, 0] + plane[1] * t[v, 1] + plane[2] * t[v, 2])
        m = _normal(t)
        pierced = m[0] * step[0] + m[1] * step[1] + m[2] * step[2]
        ahead, tilt2 = 0.0, 0.0
        if abs(pierced) > 1e-9:
            # p + s step + e, |e| <= width and square to step, lies in the plane of the triangle.
            tilt, along = rate / pierced, 0.0
            for k in range(3):
                ahead += m[k] * (t[0, k] - p[k]) * tilt
                off = plane[k] - tilt * m[k]
                tilt2 += off * off
                along += off * step[k]
            tilt2 = max(tilt2 - along * along / length2, 0.0)
            low = max(low, base + ahead - width * math.sqrt(tilt2))
        least = min(least, low)
    return least


@numba.njit(**OPTIONS)
def spread_across(family, faces, face, h, t, plane):
    """Return how much ``plane[:3] . p(t)`` varies to either side over a box."""
    f = faces.axes[face]
    across, along = 0.0, 0.0
    for k in range(2):
        axis = family.lateral if k == 0 else family.cranial
        slope = plane[0] * axis[0] + plane[1] * axis[1] + plane[2] * axis[2]
        across += abs(slope) * h[k]
        slope = 0.0
        for i in range(3):
            slope += plane[i] * (
                f[k, 0] * family.lateral[i] + f[k, 1] * family.cranial[i] + f[k, 2] * family.axis[i]
            )
        along += abs(slope) * h[2 + k]
    return abs(1.0 - t) * across + abs(t) * along


@numba.njit(**OPTIONS)
def skin_behind(family, space, h, speed, work):
    """Return t of the skin on the middle line, above 0 where it is not met; may paths be too long?

    No plane is worth laying where none is nearly as long as the needle.
    """
    if not family.has_skin:
        return 0.0, True
    if not _may_bind(family, space, h, speed, work):
        return 1.0, False
    left = skin_exit(family, space.skin, work.start, work.step)
    if left > 0.0:
        return left, True
    wide = box_spread(h, left)
    return left, (work.run[0] - left) * speed + GRAZING * wide >= family.usable


@numba.njit(**OPTIONS)
def lay_plane(family, faces, space, face, h, speed, left, work):
    """Set beyond and plane of ``work.run`` (see ``model``), and may improve its back.

    ``left``: t of the skin on the middle line. Returns whether there is a plane.
    """
    run, plane = work.run, work.plane
    plane[:] = 0.0
    if not family.has_skin:
        plane[:3], plane[3] = family.plane_normal, family.plane_offset
    else:
        wide = box_spread(h, left)
        p = work.start + left * work.step
        count = touching(space.cells, p, wide + LEAST_MM, work.near_skin)
        count = in_tube(space.cells, work.near_skin, count, p, work.step, wide + LEAST_MM)
        if count > 0 and facing(space.cells, work.near_skin, count, work.step, plane):
            _lower(family, faces, space, face, h, left, speed, work)
    for k in range(4):
        run[3 + k] = plane[k]
    return run[3] != 0.0 or run[4] != 0.0 or run[5] != 0.0


@numba.njit(**OPTIONS)
def _may_bind(family, space, h, speed, work):
    """Whether some path of the box may be longer than the needle, for all that the grid knows."""
    reach, back = work.run[0], work.run[1]
    value, error = value_at(space.skin_grid, work, back)
    behind = GRAZING * (value + error + box_spread(h, back))
    return (reach - back) * speed + behind > family.usable


@numba.njit(**OPTIONS)
def _lower(family, faces, space, face, h, left, speed, work):
    """Lower ``work.plane`` until all skin in the tube behind the box lies beyond it.

    ``left`` is the skin's t on the middle line. The plane is taken back where the box is too wide,
    or where its lines graze the skin.
    """
    run, plane = work.run, work.plane
    wide = box_spread(h, left)
    steep = -(plane[0] * work.step[0] + plane[1] * work.step[1] + plane[2] * work.step[2]) / speed
    count = -1
    if steep > STEEPEST:
        inside = min(left + (WIDER * wide / steep + LEAST_MM) / speed, 0.0)
        width = max(box_spread(h, 0.0), box_spread(h, inside)) + ROUNDING_MM
        if inside < run[1] and within_skin(
            family, space.skin, work.start, work.step, inside, width
        ):
            run[1] = inside
        crossing = WIDER * spread_across(family, faces, face, h, left, plane) / steep
        beyond = min(left, run[1]) - (crossing + LEAST_MM) / speed
        p = work.start + 0.5 * (beyond + run[1]) * work.step
        width = max(box_spread(h, beyond), box_spread(h, run[1])) + ROUNDING_MM
        radius = width + 0.5 * (run[1] - beyond) * speed
        count = touching(space.cells, p, radius, work.near_skin)
    if count < 0:
        plane[:] = 0.0
        return
    height = -spread_across(family, faces, face, h, beyond, plane)
    for k in range(3):
        height += plane[k] * (work.start[k] + beyond * work.step[k])
    count = in_tube(space.cells, work.near_skin, count, p, work.step, width)
    low = least_height(space.cells, work.near_skin, count, p, work.step, width, plane)
    run[2], plane[3] = beyond, min(low, height) - ROUNDING_MM


@numba.njit(**OPTIONS)
def length_row(family, faces, face, h, speed, work):
    """Fill ``work.length``: linear over the box, never negative for a path; return its greatest.

    With a plane n . p = c before the skin, D = Q - P and a tip from ``reach`` on, a path has
    ``usable (-n . D) >= (c - n . p(reach)) |D|``, and ``|D| >= D0 . D / |D0|``. Of the product of
    what is linear, that of both changes over the box is taken at its greatest.
    """
    reach, back, plane, row = work.run[0], work.run[1], work.run[3:], work.length
    first, second = 0.0, plane[3]  # -n . D and c - n . p(reach) of the middle line
    for k in range(3):
        first -= plane[k] * work.step[k]
        second -= plane[k] * (work.start[k] + reach * work.step[k])
    spread_a, spread_b, spread_c, by_plane = 0.0, 0.0, ROUNDING_MM, first > 0.0
    for k in range(4):
        along, across = 0.0, 0.0  # how |D| and n . p change with number k, at Q or, less, at P
        for i in range(3):
            axis = faces.axes[face, k - 2, i] if k >= 2 else (1.0 if i == k else 0.0)
            base = family.lateral if i == 0 else (family.cranial if i == 1 else family.axis)
            along += axis * (work.face[i] - work.gate[i]) / speed
            across += axis * (plane[0] * base[0] + plane[1] * base[1] + plane[2] * base[2])
        sign = 1.0 if k >= 2 else -1.0
        moved = reach if k >= 2 else 1.0 - reach
        spread_a += abs(along) * h[k]
        spread_b += abs(moved * across) * h[k]
        spread_c += abs(across) * h[k]
        row[k] = -(reach - back) * sign * along
        work.slopes[k] = -family.usable * sign * across
        work.slopes[k] += moved * across * speed - second * sign * along
    row[4] = family.usable - (reach - back) * speed
    if by_plane and first >= spread_c and second >= spread_b + ROUNDING_MM and speed >= spread_a:
        for k in range(4):
            row[k] = work.slopes[k] / first
        row[4] = family.usable + (spread_a * spread_b - second * speed) / first
    else:
        work.run[3:] = 0.0
    greatest = row[4]
    for k in range(4):
        greatest += abs(row[k]) * h[k]
    return greatest
