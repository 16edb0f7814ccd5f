"""Area and centroid of the outer contour that a plane cuts out of a mesh near the plane's origin.

The same rules as ``geometry.sections``: a vertex in the plane counts as above it, pieces of
outline are joined by the edges they share, and holes count as bone.
"""

import math

import numba
import numpy as np

from geometry._kernels import FAR, OPTIONS


@numba.njit(**OPTIONS)
def _edge(faces, above, face, rises):
    """Return which edge of a crossed face goes up (or down) through the plane."""
    for k in range(3):
        here, after = above[faces[face, k]], above[faces[face, (k + 1) % 3]]
        if here != after and after == rises:
            return k
    return 0


@numba.njit(**OPTIONS)
def _crossing(vertices, faces, height, plane, face, k):
    """Return where an edge of a face meets the plane, in the plane's coordinates."""
    a, b = faces[face, k], faces[face, (k + 1) % 3]
    low, high = min(a, b), max(a, b)
    share = height[low] / (height[low] - height[high])
    u, v = 0.0, 0.0
    for i in range(3):
        point = vertices[low, i] * (1.0 - share) + vertices[high, i] * share - plane[0, i]
        u += point * plane[1, i]
        v += point * plane[2, i]
    return u, v


@numba.njit(**OPTIONS)
def _measured(chain, count, closed):
    """Return area, centroid and distance of a contour from the origin; no area if it is none.

    An open outline is closed by a straight line if that is shorter than half of it.
    """
    area, mu, mv = 0.0, 0.0, 0.0
    nearest, length, gap = FAR, 0.0, 0.0
    inside = False
    ou, ov = chain[0]
    for i in range(count):
        au, av = chain[i]
        bu, bv = chain[(i + 1) % count]
        twice = (au - ou) * (bv - ov) - (bu - ou) * (av - ov)
        area += 0.5 * twice
        mu += twice * (au + bu + ou) / 6.0
        mv += twice * (av + bv + ov) / 6.0
        du, dv = bu - au, bv - av
        squared = du * du + dv * dv
        if i == count - 1:
            gap = math.sqrt(squared)
        else:
            length += math.sqrt(squared)
        along = 0.0 if squared == 0.0 else min(1.0, max(0.0, -(au * du + av * dv) / squared))
        nearest = min(nearest, math.hypot(au + along * du, av + along * dv))
        if (av > 0.0) != (bv > 0.0) and au - av * du / dv > 0.0:
            inside = not inside
    if count < 3 or area <= 0.0 or not (closed or gap < 0.5 * length):
        return 0.0, 0.0, 0.0, FAR
    return area, mu / area, mv / area, 0.0 if inside else nearest


@numba.njit(**OPTIONS)
def outer_contours(vertices, faces, across, planes, found):
    """Measure, for every plane, the outer contour that contains or is nearest to its origin.

    ``across[f, k]`` is the face beyond edge k (from corner k to the next) of face f, or -1.
    ``planes`` holds origin, x and y axis, shape (p, 3, 3). ``found`` receives area (mm2),
    centroid u and v, and distance from the origin (mm; 0 inside), shape (p, 4); area 0 if none.
    """
    height = np.empty(vertices.shape[0])
    above = np.empty(vertices.shape[0], dtype=np.bool_)
    seen = np.full(faces.shape[0], -1, dtype=np.int64)
    chain = np.empty((faces.shape[0] + 1, 2))
    for p in range(planes.shape[0]):
        plane = planes[p]
        normal = np.cross(plane[1], plane[2])
        for i in range(vertices.shape[0]):
            h = 0.0
            for j in range(3):
                h += (vertices[i, j] - plane[0, j]) * normal[j]
            height[i] = h
            above[i] = h >= 0.0
        found[p] = (0.0, 0.0, 0.0, FAR)
        for first in range(faces.shape[0]):
            one = above[faces[first, 0]]
            if one == above[faces[first, 1]] and one == above[faces[first, 2]]:
                continue
            if seen[first] == p:
                continue
            head, closed = first, False
            while True:  # back to where an open outline begins
                before = across[head, _edge(faces, above, head, False)]
                if before < 0:
                    break
                head = before
                if head == first:
                    closed = True
                    break
            count, face = 0, head
            while True:
                seen[face] = p
                chain[count] = _crossing(
                    vertices, faces, height, plane, face, _edge(faces, above, face, False)
                )
                count += 1
                out = _edge(faces, above, face, True)
                following = across[face, out]
                if following < 0:
                    chain[count] = _crossing(vertices, faces, height, plane, face, out)
                    count += 1
                    break
                face = following
                if face == head:
                    break
            area, mu, mv, apart = _measured(chain, count, closed)
            if apart < found[p, 3] or (apart == found[p, 3] and area > found[p, 0]):
                found[p] = (area, mu, mv, apart)
