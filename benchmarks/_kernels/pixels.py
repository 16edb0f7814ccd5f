"""Which of a few pixels a heap of triangles covers: the plainest way there is, compiled."""

import numba
import numpy as np

from geometry._kernels.options import OPTIONS


@numba.njit(**OPTIONS)
def covered_pixels(flat, faces, pixels):
    """Tell of every pixel's middle, shape (k, 2), whether it lies in a triangle.

    ``flat`` are the projected corners, shape (n, 2), in any unit that ``pixels`` has too.
    """
    covered = np.zeros(pixels.shape[0], dtype=np.bool_)
    left, right = pixels[:, 0].min(), pixels[:, 0].max()
    low, high = pixels[:, 1].min(), pixels[:, 1].max()
    for f in range(faces.shape[0]):
        ax, ay = flat[faces[f, 0], 0], flat[faces[f, 0], 1]
        bx, by = flat[faces[f, 1], 0], flat[faces[f, 1], 1]
        cx, cy = flat[faces[f, 2], 0], flat[faces[f, 2], 1]
        if max(ax, bx, cx) < left or min(ax, bx, cx) > right:
            continue
        if max(ay, by, cy) < low or min(ay, by, cy) > high:
            continue
        for k in range(pixels.shape[0]):
            if not covered[k]:
                x, y = pixels[k, 0], pixels[k, 1]
                p = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                q = (cx - bx) * (y - by) - (cy - by) * (x - bx)
                r = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
                covered[k] = (p >= 0.0 and q >= 0.0 and r >= 0.0) or (
                    p <= 0.0 and q <= 0.0 and r <= 0.0
                )
    return covered
