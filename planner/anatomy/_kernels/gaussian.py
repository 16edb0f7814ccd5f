"""Gaussian averages of a cloud of surface points around other points."""

import math

import numba

from geometry._kernels import OPTIONS

_FARTHEST = 20.0  # half squared distance in units of the width beyond which nothing counts


@numba.njit(**OPTIONS)
def averages(points, normals, cloud, width_mm, sums):
    """Add up the cloud around points, counting only surface that faces the same way.

    ``cloud`` holds position, unit normal and weight, shape (n, 7); ``sums`` receives, per point,
    the weighted sums of position and normal and the total weight, shape (m, 7).
    """
    scale = 0.5 / width_mm**2
    for i in range(points.shape[0]):
        for k in range(7):
            sums[i, k] = 0.0
        for j in range(cloud.shape[0]):
            squared = 0.0
            for k in range(3):
                squared += (points[i, k] - cloud[j, k]) ** 2
            off = squared * scale
            if off > _FARTHEST:
                continue
            agree = 0.0
            for k in range(3):
                agree += normals[i, k] * cloud[j, 3 + k]
            if agree <= 0.0:
                continue
            weight = math.exp(-off) * agree * agree * cloud[j, 6]
            for k in range(6):
                sums[i, k] += weight * cloud[j, k]
            sums[i, 6] += weight
