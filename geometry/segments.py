"""Exact distances between straight segments."""

import numpy as np
from jaxtyping import Float

from geometry.arrays import Points


def polylines_apart(a: Points, b: Float[np.ndarray, "m 3"]) -> float:
    """Return the smallest distance between two polylines of at least two corners each, mm.

    Of two segments, the nearest points are either both inside them, where the line between them
    is square to both, or one of them is an end; all five cases are computed and the least is
    taken.
    """
    starts = np.repeat(a[:-1], len(b) - 1, axis=0), np.tile(b[:-1], (len(a) - 1, 1))
    ends = np.repeat(a[1:], len(b) - 1, axis=0), np.tile(b[1:], (len(a) - 1, 1))
    return float(_segments_apart(starts[0], ends[0], starts[1], ends[1]).min())


def _segments_apart(a0: Points, a1: Points, b0: Points, b1: Points) -> Float[np.ndarray, " n"]:
    """Return the distance of each pair of segments."""
    least = np.minimum(
        np.minimum(_point_apart(a0, b0, b1), _point_apart(a1, b0, b1)),
        np.minimum(_point_apart(b0, a0, a1), _point_apart(b1, a0, a1)),
    )
    u, v, w = a1 - a0, b1 - b0, b0 - a0
    uu, vv, uv = (np.einsum("ij,ij->i", *p) for p in ((u, u), (v, v), (u, v)))
    uw, vw = np.einsum("ij,ij->i", u, w), np.einsum("ij,ij->i", v, w)
    det = uu * vv - uv * uv
    crossing = det > 0.0
    safe = np.where(crossing, det, 1.0)
    s, t = (uw * vv - uv * vw) / safe, (uw * uv - uu * vw) / safe
    within = crossing & (s > 0.0) & (s < 1.0) & (t > 0.0) & (t < 1.0)
    between = np.linalg.norm(w + t[:, None] * v - s[:, None] * u, axis=1)
    return np.where(within, np.minimum(between, least), least)


def _point_apart(points: Points, start: Points, end: Points) -> Float[np.ndarray, " n"]:
    """Return the distance of each point from its segment."""
    along = end - start
    squared = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", points - start, along) / np.where(squared > 0.0, squared, 1.0)
    nearest = start + np.clip(share, 0.0, 1.0)[:, None] * along
    return np.linalg.norm(points - nearest, axis=1)
