"""Grids: filling them with distances, finding the inside, reading between the nodes."""

import math
from typing import NamedTuple

import numba
import numpy as np

from geometry._kernels.inside import contains
from geometry._kernels.options import OPTIONS
from geometry._kernels.query import point_query

ROUND_UP = 1e-5  # added to values kept in single precision, mm


class Grid(NamedTuple):
    """Values at the nodes of a regular grid: ``values`` (nx, ny, nz), ``origin`` (3,), spacing."""

    values: np.ndarray
    origin: np.ndarray
    spacing: float


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
def fill_level(tree, origin, spacing, step, near, out, start, stop):
    """Fill the nodes of one level of ``out`` with upper bounds of distance - offset.

    A level has the nodes whose indices are multiples of ``step``; those of the next coarser level
    (2 step) are filled already, except on the coarsest level (``near`` < 0), which is filled here
    throughout. Where all corners of a coarser cell are above ``near``, its inner nodes take the
    interpolated value plus its error bound (see ``interpolate``); elsewhere they are exact.
    Planes ``start:stop`` are done.
    """
    coarse = 2 * step
    for i in range(start, stop, step):
        for j in range(0, out.shape[1], step):
            for k in range(0, out.shape[2], step):
                bound = 1e30
                if near < 0.0:
                    if k > 0:
                        bound = out[i, j, k - step] + step * spacing
                    elif j > 0:
                        bound = out[i, j - step, k] + step * spacing
                elif i % coarse == 0 and j % coarse == 0 and k % coarse == 0:
                    continue
                else:
                    bound, lowest = _coarser(out, spacing, coarse, i, j, k)
                    if lowest > near:
                        out[i, j, k] = bound + ROUND_UP
                        continue
                value, found, qx, qy, qz = point_query(
                    tree,
                    origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing,
                    bound,
                )  # fmt: skip
                out[i, j, k] = value + ROUND_UP


@numba.njit(**OPTIONS)
def _coarser(out, spacing, coarse, i, j, k):
    """Upper bound at a node from the corners of its coarser cell, and their lowest value."""
    i0 = min(i // coarse * coarse, out.shape[0] - 1 - coarse)
    j0 = min(j // coarse * coarse, out.shape[1] - 1 - coarse)
    k0 = min(k // coarse * coarse, out.shape[2] - 1 - coarse)
    x, y, z = (i - i0) / coarse, (j - j0) / coarse, (k - k0) / coarse
    mean, lowest = 0.0, 1e30
    for corner in range(8):
        di, dj, dk = corner & 1, (corner >> 1) & 1, corner >> 2
        value = out[i0 + di * coarse, j0 + dj * coarse, k0 + dk * coarse]
        lowest = min(lowest, value)
        weight = (x if di else 1.0 - x) * (y if dj else 1.0 - y) * (z if dk else 1.0 - z)
        mean += weight * value
    error = math.sqrt(x * (1.0 - x) + y * (1.0 - y) + z * (1.0 - z))
    return mean + coarse * spacing * error, lowest


@numba.njit(**OPTIONS)
def flood_signs(tree, origin, spacing, distance, inside):
    """Mark nodes inside a closed mesh in ``inside`` (0 unknown, 1 outside, 2 inside).

    Two neighbours whose distances add up to more than the step between them see no surface
    between them and share a sign; one question settles each such patch.
    """
    nx, ny, nz = distance.shape
    todo = np.empty((distance.size, 3), np.int32)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if inside[i, j, k] != 0:
                    continue
                x, y, z = origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing
                sign = 2 if contains(tree, x, y, z) else 1
                inside[i, j, k] = sign
                todo[0, 0], todo[0, 1], todo[0, 2] = i, j, k
                size = 1
                while size > 0:
                    size -= 1
                    a, b, c = todo[size, 0], todo[size, 1], todo[size, 2]
                    for n in range(6):
                        p = a + (1 if n == 0 else 0) - (1 if n == 1 else 0)
                        q = b + (1 if n == 2 else 0) - (1 if n == 3 else 0)
                        r = c + (1 if n == 4 else 0) - (1 if n == 5 else 0)
                        if p < 0 or q < 0 or r < 0 or p >= nx or q >= ny or r >= nz:
                            continue
                        if inside[p, q, r] != 0:
                            continue
                        if distance[a, b, c] + distance[p, q, r] > spacing * (1.0 + 1e-9):
                            inside[p, q, r] = sign
                            todo[size, 0], todo[size, 1], todo[size, 2] = p, q, r
                            size += 1


@numba.njit(**OPTIONS)
def interpolate(grid, px, py, pz):
    """Trilinear value at a point and its error bound for a 1-Lipschitz field.

    Trilinear weights are a probability over the eight corners with mean p, so the error is at
    most E|X - p| <= spacing * sqrt(sum f (1 - f)) (Jensen). Outside the grid the value at the
    nearest grid point plus the distance to it is returned, with that distance in the bound.
    """
    values, origin, spacing = grid.values, grid.origin, grid.spacing
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
