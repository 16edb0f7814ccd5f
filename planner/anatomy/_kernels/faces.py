"""Sums over the surface that looks one way near where a face of the body is expected."""

import numba

from geometry._kernels import OPTIONS


@numba.njit(**OPTIONS)
def face_sums(points, areas, axes, look, sums):
    """Add up what a plane is fitted by: weights, moments, heights, and the area looked at.

    ``points`` and ``areas`` (normal times area), shape (n, 3), are about the centre of a box with
    the rows of ``axes``. ``look`` is: axis, sign, its two window middles (mm), their two reaches
    (mm), the height expected and how far from it surface still counts (mm). With weight w, in-plane
    u, v and height h above the expected one, ``sums`` receives the sums of
    w, wu, wv, wuu, wuv, wvv, wh, wuh, wvh, whh and of the windowed area within reach, shape (11,).
    """
    axis = int(look[0])
    u_axis = 1 if axis == 0 else 0
    v_axis = 1 if axis == 2 else 2
    for i in range(11):
        sums[i] = 0.0
    for i in range(points.shape[0]):
        shown, height, u, v = 0.0, 0.0, 0.0, 0.0
        for k in range(3):
            shown += look[1] * areas[i, k] * axes[axis, k]
            height += look[1] * points[i, k] * axes[axis, k]
            u += points[i, k] * axes[u_axis, k]
            v += points[i, k] * axes[v_axis, k]
        h = height - look[6]
        off = h / look[7]
        p, q = (u - look[2]) / look[4], (v - look[3]) / look[5]
        if shown <= 0.0 or abs(off) >= 1.0 or abs(p) >= 1.0 or abs(q) >= 1.0:
            continue
        windowed = shown * (1.0 - p**4) ** 2 * (1.0 - q**4) ** 2
        w = windowed * (1.0 - off * off) ** 2
        sums[0] += w
        sums[1] += w * u
        sums[2] += w * v
        sums[3] += w * u * u
        sums[4] += w * u * v
        sums[5] += w * v * v
        sums[6] += w * h
        sums[7] += w * u * h
        sums[8] += w * v * h
        sums[9] += w * h * h
        sums[10] += windowed
