"""Where the columns of a grid enter and leave a closed surface."""

import math

import numba

from geometry._kernels import OPTIONS


@numba.njit(**OPTIONS)
def _side(vertices, a, b, x, y):
    """Return on which side of an edge a column passes; the same number seen from both triangles."""
    low, high = (a, b) if a < b else (b, a)
    p, q = vertices[low], vertices[high]
    value = (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])
    if value == 0.0:
        value = 1e-300
    return value if a < b else -value


@numba.njit(**OPTIONS)
def column_crossings(vertices, faces, steps):
    """Add to ``steps[x, y, z]`` the sheets of surface that column (x, y) meets just below z.

    Vertices are in grid steps. Upward through an outward surface a column leaves the solid (-1);
    the running sum along z is how many solids a grid point lies in.
    """
    nx, ny, nz = steps.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        p, q, r = vertices[a], vertices[b], vertices[c]
        area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        if area == 0.0:
            continue
        first_x = max(0, math.ceil(min(p[0], q[0], r[0])))
        last_x = min(nx - 1, math.floor(max(p[0], q[0], r[0])))
        first_y = max(0, math.ceil(min(p[1], q[1], r[1])))
        last_y = min(ny - 1, math.floor(max(p[1], q[1], r[1])))
        sign = 1.0 if area > 0.0 else -1.0
        for x in range(first_x, last_x + 1):
            for y in range(first_y, last_y + 1):
                u = _side(vertices, b, c, x, y) * sign
                v = _side(vertices, c, a, x, y) * sign
                w = _side(vertices, a, b, x, y) * sign
                if u <= 0.0 or v <= 0.0 or w <= 0.0:
                    continue
                z = (u * p[2] + v * q[2] + w * r[2]) / (u + v + w)
                cell = max(0, math.ceil(z))
                if cell < nz:
                    steps[x, y, cell] -= 1 if area > 0.0 else -1
