"""Triangles drawn into rasters: lines through a point that they block, and chords of solids."""

import math

import numba
import numpy as np

from geometry._kernels.options import OPTIONS

NEAR = 1e-9  # mm; a corner this near to the plane of no projection counts as on it
EDGE_ON = 1e-9  # cosine below which a ray runs along a face and crosses nothing
FREE, BLOCKED, UNSURE = 0, 1, 2


@numba.njit(**OPTIONS)
def _beside(ax, aw, bx, bw, cx, cw, limit):
    """Whether a triangle lies in x > limit |w| or in x < -limit |w|, which are convex."""
    right = ax > limit * abs(aw) and bx > limit * abs(bw) and cx > limit * abs(cw)
    left = -ax > limit * abs(aw) and -bx > limit * abs(bw) and -cx > limit * abs(cw)
    return right or left


@numba.njit(**OPTIONS)
def _span(a, b, c, half, cell, cells):
    """First and last cell whose middle can lie between the least and greatest of three values."""
    low, high = min(a, b, c), max(a, b, c)
    first = max(0, math.ceil((low + half) / cell - 0.5))
    last = min(cells - 1, math.floor((high + half) / cell - 0.5))
    return first, last


@numba.njit(**OPTIONS)
def _cut(start, stop, slope, level):
    """The part of [start, stop] in which ``slope x + level`` is not negative; empty if reversed."""
    if slope > 0.0:
        return max(start, -level / slope), stop
    if slope < 0.0:
        return start, min(stop, -level / slope)
    return (start, stop) if level >= 0.0 else (start, start - 1.0)


@numba.njit(**OPTIONS)
def blocked_lines(vertices, faces, closed, points, frame, half, out):
    """Mark the lines through each point that meet a triangle, ``out[point, row, column]``.

    A line's direction is ``x t + y s + e`` with t, s, e the rows of ``frame`` and (x, y) the
    middle of a cell; cells fill ``[-half, half]`` both ways. Both ends of a line count. A line
    meets a triangle where its three edge functions have one sign (Olano and Greer 1997), which
    also holds for triangles beside and behind the point. ``closed`` tells per face whether it is
    part of a closed mesh, of which the faces turned away from the point suffice.
    """
    cells = out.shape[1]
    cell = 2.0 * half / cells
    local = np.empty_like(vertices)
    for k in range(points.shape[0]):
        for i in range(vertices.shape[0]):
            dx = vertices[i, 0] - points[k, 0]
            dy = vertices[i, 1] - points[k, 1]
            dz = vertices[i, 2] - points[k, 2]
            for j in range(3):
                local[i, j] = frame[j, 0] * dx + frame[j, 1] * dy + frame[j, 2] * dz
        for f in range(faces.shape[0]):
            ax, ay, aw = local[faces[f, 0], 0], local[faces[f, 0], 1], local[faces[f, 0], 2]
            bx, by, bw = local[faces[f, 1], 0], local[faces[f, 1], 1], local[faces[f, 1], 2]
            cx, cy, cw = local[faces[f, 2], 0], local[faces[f, 2], 1], local[faces[f, 2], 2]
            ux, uy, uw = by * cw - bw * cy, bw * cx - bx * cw, bx * cy - by * cx
            if closed[f] and ax * ux + ay * uy + aw * uw <= 0.0:
                continue
            if _beside(ax, aw, bx, bw, cx, cw, half) or _beside(ay, aw, by, bw, cy, cw, half):
                continue
            left, right, low, high = 0, cells - 1, 0, cells - 1
            ahead = aw > NEAR and bw > NEAR and cw > NEAR
            behind = aw < -NEAR and bw < -NEAR and cw < -NEAR
            if ahead or behind:
                left, right = _span(ax / aw, bx / bw, cx / cw, half, cell, cells)
                low, high = _span(ay / aw, by / bw, cy / cw, half, cell, cells)
            vx, vy, vw = cy * aw - cw * ay, cw * ax - cx * aw, cx * ay - cy * ax
            wx, wy, ww = ay * bw - aw * by, aw * bx - ax * bw, ax * by - ay * bx
            for row in range(low, high + 1):
                y = (row + 0.5) * cell - half
                p, q, r = y * uy + uw, y * vy + vw, y * wy + ww
                for way in (1.0, -1.0):
                    start, stop = _cut(-half, half, way * ux, way * p)
                    start, stop = _cut(start, stop, way * vx, way * q)
                    start, stop = _cut(start, stop, way * wx, way * r)
                    if start > stop:
                        continue
                    first = max(left, math.ceil((start + half) / cell - 0.5))
                    last = min(right, math.floor((stop + half) / cell - 0.5))
                    for column in range(first, last + 1):
                        out[k, row, column] = True


@numba.njit(**OPTIONS)
def look_up(blocked, points, frame, half, sources):
    """Return, for every source (row) and point, FREE, BLOCKED or UNSURE, shape (k, n).

    ``blocked`` is what ``blocked_lines`` marked for these points and this frame. A line is unsure
    where the cells next to its own do not all say the same, and outside the raster.
    """
    cells = blocked.shape[1]
    scale = cells / (2.0 * half)
    found = np.empty((sources.shape[0], points.shape[0]), dtype=np.uint8)
    for b in range(sources.shape[0]):
        for k in range(points.shape[0]):
            dx = points[k, 0] - sources[b, 0]
            dy = points[k, 1] - sources[b, 1]
            dz = points[k, 2] - sources[b, 2]
            x = frame[0, 0] * dx + frame[0, 1] * dy + frame[0, 2] * dz
            y = frame[1, 0] * dx + frame[1, 1] * dy + frame[1, 2] * dz
            w = frame[2, 0] * dx + frame[2, 1] * dy + frame[2, 2] * dz
            column = math.floor((x / w + half) * scale)
            row = math.floor((y / w + half) * scale)
            if min(row, column) < 1 or max(row, column) > cells - 2:
                found[b, k] = UNSURE
                continue
            around = 0
            for i in range(row - 1, row + 2):
                for j in range(column - 1, column + 2):
                    around += blocked[k, i, j]
            found[b, k] = FREE if around == 0 else BLOCKED if around == 9 else UNSURE
    return found


@numba.njit(**OPTIONS)
def _edge(x0, y0, x1, y1, first, second, x, y):
    """Which side of a directed edge a place is on; never 0.

    Computed from the corner of the lower number, so that the two faces of an edge never disagree;
    a place on the edge counts as moved by (e, e squared) for some e too small to see.
    """
    way = 1.0
    if first > second:
        x0, y0, x1, y1, way = x1, y1, x0, y0, -1.0
    side = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
    if side == 0.0:
        side = y0 - y1 if y0 != y1 else x1 - x0
    return way * side


@numba.njit(**OPTIONS)
def add_chords(vertices, faces, pixels, rays, shell, most, chord, wall):
    """Add a closed mesh's length along every pixel's ray to ``chord``, and its wall to ``wall``.

    Every face adds the distance at which a ray leaves through it and takes away the distance at
    which one enters, so no order of faces matters. Of every crossing ``shell`` over the cosine to
    the face counts as wall, at most ``most``.

    Args:
        vertices: Seen from the source, shape (n, 3), mm.
        faces: Shape (m, 3).
        pixels: Where the vertices fall, (right, down) in pixels; the middle of the first is 0.5.
        rays: Rows: unit vectors along one pixel right and one pixel down times the detector's
            pixel, and from the source to the detector's first corner; shape (3, 3), mm.
        shell: Thickness of the wall, mm.
        most: Largest length of wall per crossing, mm.
        chord: Added to, shape (height, width), mm.
        wall: Added to, of the same shape, mm.
    """
    height, width = chord.shape
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0 = pixels[i, 0], pixels[i, 1]
        x1, y1 = pixels[j, 0], pixels[j, 1]
        x2, y2 = pixels[k, 0], pixels[k, 1]
        left = max(0, math.ceil(min(x0, x1, x2) - 0.5))
        right = min(width - 1, math.floor(max(x0, x1, x2) - 0.5))
        top = max(0, math.ceil(min(y0, y1, y2) - 0.5))
        bottom = min(height - 1, math.floor(max(y0, y1, y2) - 0.5))
        if left > right or top > bottom:
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        way = 1.0 if area > 0.0 else -1.0
        ax, ay, az = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        px, py, pz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
        qx, qy, qz = vertices[k, 0] - ax, vertices[k, 1] - ay, vertices[k, 2] - az
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        size = math.sqrt(nx * nx + ny * ny + nz * nz)
        height_over = nx * ax + ny * ay + nz * az
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                if (
                    way * _edge(x0, y0, x1, y1, i, j, x, y) < 0.0
                    or way * _edge(x1, y1, x2, y2, j, k, x, y) < 0.0
                    or way * _edge(x2, y2, x0, y0, k, i, x, y) < 0.0
                ):
                    continue
                dx = x * rays[0, 0] + y * rays[1, 0] + rays[2, 0]
                dy = x * rays[0, 1] + y * rays[1, 1] + rays[2, 1]
                dz = x * rays[0, 2] + y * rays[1, 2] + rays[2, 2]
                long = math.sqrt(dx * dx + dy * dy + dz * dz)
                slope = nx * dx + ny * dy + nz * dz
                if abs(slope) <= EDGE_ON * size * long:
                    continue
                reach = abs(height_over / slope) * long
                chord[row, column] += reach if slope > 0.0 else -reach
                wall[row, column] += min(most, shell * size * long / abs(slope))
