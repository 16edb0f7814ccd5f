"""Faces that pass through other faces of the same surface.

Boxes over runs of neighbouring faces are compared level by level, so that the work grows with
the number of faces and not with its square. Faces that share a vertex are not compared, and
faces that merely touch, or enter by less than ``TOUCH_MM``, do not count.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from geometry.arrays import Faces, Points

TOUCH_MM = 1e-3
MAX_PAIRS = 2_000_000
ENOUGH = 10_000
_RUN = 4
_STEP = 50_000


def crossing_faces(vertices: Points, faces: Faces, max_pairs: int = MAX_PAIRS) -> tuple[int, bool]:
    """Count the pairs of faces that cross.

    Args:
        vertices: Positions, shape (n, 3), mm.
        faces: Vertex indices, shape (m, 3).
        max_pairs: Box pairs looked at per level before the rest is left out.

    Returns:
        The count, and whether all pairs were compared. They are not in a surface that crosses
        itself more than ``ENOUGH`` times: the count is then 'at least'.
    """
    order = np.argsort(_morton(vertices[faces].mean(axis=1)), kind="stable")
    faces = faces[order]
    corners = vertices[faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    first, second, complete = _near_runs(low, high, max_pairs)
    count = 0
    for at in range(0, len(first), _STEP):
        if count >= ENOUGH:
            return count, False
        a, b = _face_pairs(first[at : at + _STEP], second[at : at + _STEP], len(faces))
        near = _overlap(low, high, a, b)
        a, b = a[near], b[near]
        apart = _share_no_vertex(faces, a, b)
        count += int(_cross(corners[a[apart]], corners[b[apart]]).sum())
    return count, complete


def _morton(points: Points) -> Int[np.ndarray, " m"]:
    """Return the place of each point along a space-filling curve (10 bits per axis)."""
    low = points.min(axis=0)
    extent = float((points.max(axis=0) - low).max()) or 1.0
    cell = np.minimum((points - low) / extent * 1024.0, 1023.0).astype(np.int64)
    code = np.zeros(len(points), dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code


def _near_runs(
    low: Points, high: Points, max_pairs: int
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"], bool]:
    """Return pairs of runs of faces whose boxes overlap, each pair once."""
    starts = np.arange(0, len(low), _RUN)
    levels = [(np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts))]
    while len(levels[-1][0]) > 1:
        lows, highs = levels[-1]
        starts = np.arange(0, len(lows), 2)
        levels.append((np.minimum.reduceat(lows, starts), np.maximum.reduceat(highs, starts)))
    first = second = np.zeros(1, dtype=np.int64)
    complete = True
    for lows, highs in reversed(levels[:-1]):
        a = (2 * first[:, None] + [0, 0, 1, 1]).ravel()
        b = (2 * second[:, None] + [0, 1, 0, 1]).ravel()
        wanted = (a <= b) & (b < len(lows))
        a, b = a[wanted], b[wanted]
        near = _overlap(lows, highs, a, b)
        first, second = a[near], b[near]
        if len(first) > max_pairs:
            first, second, complete = first[:max_pairs], second[:max_pairs], False
    return first, second, complete


def _overlap(
    low: Points, high: Points, a: Int[np.ndarray, " p"], b: Int[np.ndarray, " p"]
) -> Bool[np.ndarray, " p"]:
    near = np.ones(len(a), dtype=bool)
    for axis in range(3):
        lows, highs = low[:, axis], high[:, axis]
        near &= (lows[a] <= highs[b]) & (lows[b] <= highs[a])
    return near


def _share_no_vertex(
    faces: Faces, a: Int[np.ndarray, " p"], b: Int[np.ndarray, " p"]
) -> Bool[np.ndarray, " p"]:
    apart = np.ones(len(a), dtype=bool)
    ours, theirs = faces[a].T, faces[b].T
    for mine in ours:
        for other in theirs:
            apart &= mine != other
    return apart


def _face_pairs(
    first: Int[np.ndarray, " p"], second: Int[np.ndarray, " p"], count: int
) -> tuple[Int[np.ndarray, " q"], Int[np.ndarray, " q"]]:
    """Spell pairs of runs out as pairs of faces, each pair once."""
    within = np.arange(_RUN)
    a = np.broadcast_to(
        _RUN * first[:, None, None] + within[:, None], (len(first), _RUN, _RUN)
    ).ravel()
    b = np.broadcast_to(
        _RUN * second[:, None, None] + within[None, :], (len(first), _RUN, _RUN)
    ).ravel()
    wanted = (a < b) & (b < count)
    return a[wanted], b[wanted]


def _cross(a: Float[np.ndarray, "p 3 3"], b: Float[np.ndarray, "p 3 3"]) -> Bool[np.ndarray, " p"]:
    """Tell which pairs of triangles pass through each other."""
    crossed = np.zeros(len(a), dtype=bool)
    left = np.arange(len(a))
    left = left[_straddles(a[left], b[left])]
    left = left[_straddles(b[left], a[left])]
    for one, other in ((a[left], b[left]), (b[left], a[left])):
        for corner in range(3):
            crossed[left] |= _pierces(one[:, corner], one[:, (corner + 1) % 3], other)
    return crossed


def _straddles(
    plane: Float[np.ndarray, "p 3 3"], triangle: Float[np.ndarray, "p 3 3"]
) -> Bool[np.ndarray, " p"]:
    """Tell where a triangle has corners on both sides of another's plane."""
    normal = np.cross(plane[:, 1] - plane[:, 0], plane[:, 2] - plane[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    height = np.einsum("pcj,pj->pc", triangle - plane[:, :1], normal)
    margin = TOUCH_MM * length[:, 0]
    return (height.min(axis=1) < -margin) & (height.max(axis=1) > margin)


def _pierces(
    start: Float[np.ndarray, "p 3"], end: Float[np.ndarray, "p 3"], face: Float[np.ndarray, "p 3 3"]
) -> Bool[np.ndarray, " p"]:
    """Tell which segments pass through the interior of a triangle (signed volumes)."""
    along = end - start
    a, b, c = np.moveaxis(face - start[:, None], 1, 0)
    normal = np.cross(b - a, c - a)
    above = np.einsum("pj,pj->p", a, normal)  # of the start, with the sign turned
    beyond = above - np.einsum("pj,pj->p", along, normal)
    sides = [np.einsum("pj,pj->p", along, np.cross(u, v)) for u, v in ((a, b), (b, c), (c, a))]
    within = np.minimum.reduce(sides) > 0.0
    within |= np.maximum.reduce(sides) < 0.0
    return within & (above * beyond < 0.0)
