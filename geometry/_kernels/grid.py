"""Grids: filling them with distances, finding the inside, reading between the nodes."""

import math

import numba
import numpy as np

from geometry._kernels.inside import winding_number
from geometry._kernels.query import point_query
from geometry._kernels.tree import OPTIONS


@numba.njit(**OPTIONS)
def fill_grid(tree, origin, spacing, cap, out, start, stop):
    """Fill planes ``start:stop`` of ``out`` (nx, ny, nz) with min(distance - offset, cap).

    Walks along z: the value at one node plus the step bounds the value at the next.
    """
    for i in range(start, stop):
        x = origin[0] + i * spacing
        for j in range(out.shape[1]):
            y = origin[1] + j * spacing
            previous = cap
            for k in range(out.shape[2]):
                bound = min(cap, previous + spacing * (1.0 + 1e-12) + 1e-12)
                value, found, qx, qy, qz = point_query(tree, x, y, origin[2] + k * spacing, bound)
                out[i, j, k] = value
                previous = value


@numba.njit(**OPTIONS)
def flood_signs(tree, origin, spacing, distance, inside):
    """Mark nodes inside a closed mesh in ``inside`` (0 unknown, 1 outside, 2 inside).

    Two neighbours whose distances add up to more than the step between them see no surface
    between them and share a sign; one winding number settles each such patch.
    """
    nx, ny, nz = distance.shape
    todo = np.empty((distance.size, 3), np.int32)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if inside[i, j, k] != 0:
                    continue
                w = winding_number(
                    tree.corners,
                    origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing,
                )  # fmt: skip
                sign = 2 if w > 0.5 else 1
                inside[i, j, k] = sign
                todo[0, 0], todo[0, 1], todo[0, 2] = i, j, k
                size = 1
                while size > 0:
                    size -= 1
                    x, y, z = todo[size, 0], todo[size, 1], todo[size, 2]
                    for n in range(6):
                        p = x + (1 if n == 0 else 0) - (1 if n == 1 else 0)
                        q = y + (1 if n == 2 else 0) - (1 if n == 3 else 0)
                        r = z + (1 if n == 4 else 0) - (1 if n == 5 else 0)
                        if p < 0 or q < 0 or r < 0 or p >= nx or q >= ny or r >= nz:
                            continue
                        if inside[p, q, r] != 0:
                            continue
                        if distance[x, y, z] + distance[p, q, r] > spacing * (1.0 + 1e-9):
                            inside[p, q, r] = sign
                            todo[size, 0], todo[size, 1], todo[size, 2] = p, q, r
                            size += 1


@numba.njit(**OPTIONS)
def interpolate(values, origin, spacing, px, py, pz):
    """Trilinear value at a point and its error bound for a 1-Lipschitz field.

    Trilinear weights are a probability over the eight corners with mean p, so the error is at
    most E|X - p| <= spacing * sqrt(sum f (1 - f)) (Jensen). Outside the grid the value at the
    nearest grid point plus the distance to it is returned, with that distance in the bound.
    """
    gx, gy, gz = (px - origin[0]) / spacing, (py - origin[1]) / spacing, (pz - origin[2]) / spacing
    cx = min(max(gx, 0.0), values.shape[0] - 1.0)
    cy = min(max(gy, 0.0), values.shape[1] - 1.0)
    cz = min(max(gz, 0.0), values.shape[2] - 1.0)
    i = min(int(cx), values.shape[0] - 2)
    j = min(int(cy), values.shape[1] - 2)
    k = min(int(cz), values.shape[2] - 2)
    x, y, z = cx - i, cy - j, cz - k
    near = (values[i, j, k] * (1 - z) + values[i, j, k + 1] * z) * (1 - y) + (
        values[i, j + 1, k] * (1 - z) + values[i, j + 1, k + 1] * z
    ) * y
    far = (values[i + 1, j, k] * (1 - z) + values[i + 1, j, k + 1] * z) * (1 - y) + (
        values[i + 1, j + 1, k] * (1 - z) + values[i + 1, j + 1, k + 1] * z
    ) * y
    outside = math.sqrt((gx - cx) ** 2 + (gy - cy) ** 2 + (gz - cz) ** 2)
    bound = math.sqrt(x * (1 - x) + y * (1 - y) + z * (1 - z)) + outside
    return near * (1 - x) + far * x, spacing * bound
