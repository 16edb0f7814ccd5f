"""How long the paths of a box are at least: to the skin, or to a plane before it.

A plane ``normal @ p = offset`` lies before the skin where all of the skin's points in a tube, from
back_t to beyond_t, have ``normal @ p >= offset``, and so have all lines of the box at beyond_t and
further back. Then the entry of every path has. With ``D = Q - P`` and the points of a path running
to reach_t, its length is at least ``(offset - normal @ p(reach_t)) |D| / -(normal @ D)``.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from geometry.arrays import Point, Points, Vector
from planner.checker.faces import Boxes, Holds, PerLeaf
from planner.checker.statement import ROUNDING_MM, Space

SAME = 1e-12  # of the components of two directions
GRAZING = 1e-9  # times a triangle's doubled area and the tube's step: below it no ellipse is taken
Triangles = Float[np.ndarray, "k 3 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkinTriangles:
    """Triangles of the skin, found by where they are.

    Attributes:
        corners: Their corners, patient LPS, mm.
        middles: Their centres, for looking up.
        radius_mm: No corner is further from its triangle's centre.
    """

    corners: Triangles
    middles: cKDTree
    radius_mm: float

    def near(self, point: Point, distance_mm: float) -> Triangles:
        """Return triangles whose bounding boxes come within a distance of a point."""
        found = self.middles.query_ball_point(point, distance_mm + self.radius_mm)
        some = self.corners[found]
        gaps = np.maximum(some.min(axis=1) - point, point - some.max(axis=1)).clip(0.0)
        return some[(gaps**2).sum(axis=1) <= distance_mm**2]


def skin_triangles(space: Space) -> SkinTriangles:
    """Return the triangles of all surfaces by which a path may enter."""
    corners = np.concatenate([np.empty((0, 3, 3)), *(s.mesh.corners for s in space.skins)])
    middles = corners.mean(axis=1)
    off = np.linalg.norm(corners - middles[:, None], axis=2)
    return SkinTriangles(
        corners=corners, middles=cKDTree(middles), radius_mm=float(off.max(initial=0.0))
    )


def entries_beyond(space: Space, boxes: Boxes) -> Holds:
    """The entries of all paths of a box lie on its plane or beyond it."""
    holds = ~boxes.has_plane
    laid = np.flatnonzero(boxes.has_plane)
    some = boxes[laid]
    if not space.skins:
        posterior, behind = space.behind
        same = np.abs(some.normal - posterior).max(axis=1, initial=0.0) <= SAME
        holds[laid] = same & (some.offset_mm <= behind + ROUNDING_MM)
        return holds
    skin = skin_triangles(space)
    least = np.array([_least_height(skin, some[np.array([k])]) for k in range(len(laid))])
    for corner in product((-1, 1), repeat=4):
        first, second = some.ends(corner)
        step = second - first
        least = np.minimum(least, _dot(some.normal, first + some.beyond_t[:, None] * step))
        least[_dot(some.normal, step) > 0.0] = -np.inf
    holds[laid] = (least >= some.offset_mm - ROUNDING_MM) & (some.beyond_t <= some.back_t)
    return holds


def _dot(one: Points, other: Points) -> PerLeaf:
    return np.asarray((one * other).sum(axis=1))


def _least_height(skin: SkinTriangles, box: Boxes) -> float:
    """Return how low, along its normal, the skin comes in the tube of one box.

    Of a triangle it is no lower than its lowest corner, nor than the lowest point of the ellipse in
    which its plane cuts the cylinder around the tube.
    """
    start, end = box.points(box.back_t)[0], box.points(box.beyond_t)[0]
    width = max(box.rho(box.back_t)[0], box.rho(box.beyond_t)[0], ROUNDING_MM)
    middle, step, normal = (start + end) / 2.0, start - end, box.normal[0]
    size = float(np.linalg.norm(step))
    some = skin.near(middle, width + size / 2.0)
    if size > 0.0:
        some = some[_off_line(some, middle, step / size) <= width]
    if not len(some):
        return float(np.inf)
    lowest = (some @ normal).min(axis=1)
    square = np.cross(some[:, 1] - some[:, 0], some[:, 2] - some[:, 0])
    pierced = square @ step
    cut = np.abs(pierced) > GRAZING
    tilt = np.divide(normal @ step, pierced, where=cut, out=np.zeros_like(pierced))
    ahead = tilt * ((some[:, 0] - middle) * square).sum(axis=1)
    off = normal - tilt[:, None] * square
    across = np.sqrt(
        np.maximum((off**2).sum(axis=1) - (off @ step) ** 2 / max(size**2, ROUNDING_MM), 0.0)
    )
    ellipse = normal @ middle + ahead - width * across
    return float(np.where(cut, np.maximum(lowest, ellipse), lowest).min())


def _off_line(some: Triangles, point: Point, direction: Vector) -> PerLeaf:
    """Return the distances of triangles from a line: from a point, once laid flat across it."""
    axes = np.linalg.svd(direction[None, :])[2][1:]
    flat = (some - point) @ axes.T
    ahead = np.roll(flat, -1, axis=1) - flat
    turn = ahead[..., 0] * flat[..., 1] - ahead[..., 1] * flat[..., 0]
    inside = ~((turn > 0.0).any(axis=1) & (turn < 0.0).any(axis=1))
    length2 = np.maximum((ahead**2).sum(axis=2), 1e-300)
    share = np.clip(-(flat * ahead).sum(axis=2) / length2, 0.0, 1.0)
    off = np.linalg.norm(flat + share[..., None] * ahead, axis=2).min(axis=1)
    return np.where(inside, 0.0, off)


def length_rows(boxes: Boxes) -> Float[np.ndarray, "n 5"]:
    """Return the needle's length as a rule of each box: ``row[:4] @ x <= row[4]`` for its paths.

    Without a plane, by ``(reach_t - back_t) |D|`` and ``|D| >= D0 @ D / |D0|``, with D0 that of the
    centre. With one, of ``usable (-normal @ D) - (offset - normal @ p(reach_t)) D0 @ D / |D0|``,
    never negative for a path, the product of both changes over the box is taken at its greatest,
    and all is divided by ``-normal @ D0``.
    """
    usable, (first, second) = boxes.family.usable_length_mm, boxes.ends()
    whole = second - first
    lengths = np.linalg.norm(whole, axis=1)
    along = _along(boxes, whole / lengths[:, None])
    runs = boxes.reach_t - boxes.back_t
    slopes, middles = -runs[:, None] * along, usable - runs * lengths
    laid = np.flatnonzero(boxes.has_plane)
    some, runs_on = boxes[laid], along[laid]
    across, room, facing = _plane_terms(some, whole[laid])
    turned = _along(some, some.normal)
    change = (np.abs(runs_on) * some.h).sum(axis=1) * (np.abs(across) * some.h).sum(axis=1)
    sloped = -usable * turned + across * lengths[laid, None] - room[:, None] * runs_on
    slopes[laid] = sloped / facing[:, None]
    middles[laid] = usable + (change - room * lengths[laid]) / facing
    return np.column_stack([-slopes, middles - (slopes * boxes.x).sum(axis=1)])


def _along(boxes: Boxes, direction: Points) -> Float[np.ndarray, "n 4"]:
    """Return how ``direction @ D`` changes with each number."""
    return (boxes.axes @ direction[..., None])[..., 0] * [-1.0, -1.0, 1.0, 1.0]


def _plane_terms(boxes: Boxes, whole: Points) -> tuple[Float[np.ndarray, "n 4"], PerLeaf, PerLeaf]:
    """Return how ``normal @ p(reach_t)`` changes, its way to the offset, and ``-normal @ D``."""
    reach = boxes.reach_t[:, None]
    moved = np.hstack([1.0 - reach, 1.0 - reach, reach, reach])
    across = moved * (boxes.axes @ boxes.normal[..., None])[..., 0]
    room = boxes.offset_mm - _dot(boxes.normal, boxes.points(boxes.reach_t))
    return across, room, -_dot(boxes.normal, whole)


def planes_in_use(boxes: Boxes) -> Holds:
    """What the rule by a plane multiplies is nowhere in its box negative."""
    holds = ~boxes.has_plane
    laid = np.flatnonzero(boxes.has_plane)
    some = boxes[laid]
    first, second = some.ends()
    whole = second - first
    lengths = np.linalg.norm(whole, axis=1)
    across, room, facing = _plane_terms(some, whole)
    along = _along(some, whole / lengths[:, None])
    turned = _along(some, some.normal)
    holds[laid] = np.all([
        least >= (np.abs(slopes) * some.h).sum(axis=1)
        for least, slopes in ((lengths, along), (room, across), (facing, turned))
    ], axis=0) & (facing > 0.0)  # fmt: skip
    return holds


def too_long(boxes: Boxes) -> Holds:
    """All paths of the box are longer than the needle: the rule is broken even at its best."""
    rows = length_rows(boxes)
    best = rows[:, 4] - (rows[:, :4] * boxes.x).sum(axis=1)
    return best + (np.abs(rows[:, :4]) * boxes.h).sum(axis=1) < -ROUNDING_MM
