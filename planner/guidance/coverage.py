"""What a fill of cement from some tips would cover of a vertebral body: a model, not a forecast.

Cement is taken to spread from every tip at one rate and in all directions, and to stay in the
body: a volume V then fills those points of the body that lie nearest to a tip. Screws take no
cement. Real cement follows trabeculae, clefts and veins; the model only says how far V can reach.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Bool, Float

from geometry.arrays import Point, Points
from planner.anatomy.model import ScrewAxis, VertebraAnatomy
from planner.treatment import Coverage

GRID_MM = 1.0  # of the points that stand for the body
MM3_PER_ML = 1000.0
ANTERIOR_FROM = 1.0 / 3.0  # depth fraction where the anterior two-thirds begin (DOMAIN 6.2)
CONTACT_MM = 1.5  # a fill this near to an endplate touches it [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodySpace:
    """The points of a body that cement can fill, in its vertebral frame, mm.

    Attributes:
        anatomy: The vertebra.
        points_mm: Middles of cubes of ``GRID_MM``, shape (n, 3).
        solid_ml: Volume of the body without its screws.
    """

    anatomy: VertebraAnatomy
    points_mm: Points
    solid_ml: float

    def spread(self, tips_mm: Iterable[Point]) -> Float[np.ndarray, " n"]:
        """Return how far each point lies from the nearest tip (patient LPS), mm."""
        tips = self.anatomy.frame.points(np.stack(list(tips_mm)))
        offsets = self.points_mm[:, None, :] - tips[None, :, :]
        return np.linalg.norm(offsets, axis=2).min(axis=1)

    def volume_within_ml(self, spread: Float[np.ndarray, " n"], radius_mm: float) -> float:
        """Return how much cement a fill of this radius holds."""
        return float((spread <= radius_mm).sum()) * GRID_MM**3 / MM3_PER_ML

    def filled(self, spread: Float[np.ndarray, " n"], volume_ml: float) -> Bool[np.ndarray, " n"]:
        """Return which points a volume fills: the nearest ones."""
        count = min(round(volume_ml * MM3_PER_ML / GRID_MM**3), len(spread))
        chosen = np.zeros(len(spread), dtype=np.bool_)
        chosen[np.argsort(spread, kind="stable")[:count]] = True
        return chosen


def body_space(anatomy: VertebraAnatomy, screws: Iterable[ScrewAxis]) -> BodySpace:
    """Return the points of a body, between its endplates and in front of its posterior wall."""
    body = anatomy.body
    low_x, low_y, high_x, high_y = body.outline.bounds
    half = np.array([
        max(-low_x, high_x), max(-low_y, high_y),
        0.75 * max(body.anterior_height_mm, body.posterior_height_mm),
    ])  # fmt: skip
    axes = [_middles(float(h)) for h in half]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = shapely.contains_xy(body.outline, points[:, 0], points[:, 1])
    inside &= points[:, 1] <= 0.5 * body.depth_mm
    for face, normal in (
        (body.superior_mm, body.superior_normal), (body.inferior_mm, body.inferior_normal),
    ):  # fmt: skip
        inside &= (points - face) @ normal <= 0.0
    points = points[inside]
    for screw in screws:
        points = points[~_in_screw(anatomy, screw, points)]
    return BodySpace(
        anatomy=anatomy, points_mm=points, solid_ml=len(points) * GRID_MM**3 / MM3_PER_ML
    )


def coverage(space: BodySpace, spread: Float[np.ndarray, " n"], volume_ml: float) -> Coverage:
    """Return how a volume would lie in a body, by the model of this module."""
    body, filled = space.anatomy.body, space.filled(spread, volume_ml)
    x, _, z = space.points_mm.T
    depth = (0.5 * body.depth_mm - space.points_mm[:, 1]) / body.depth_mm
    front = depth >= ANTERIOR_FROM

    def share(half: Bool[np.ndarray, " n"]) -> float:
        return float(filled[half & front].sum() / max((half & front).sum(), 1))

    left, right = float(filled[x > 0.0].sum()), float(filled[x < 0.0].sum())
    fill = space.points_mm[filled]
    height = 0.5 * (body.anterior_height_mm + body.posterior_height_mm)
    span = float(np.ptp(fill[:, 2])) + GRID_MM if len(fill) else 0.0
    return Coverage(
        left=share(x > 0.0), right=share(x < 0.0), cranial=share(z > 0.0), caudal=share(z < 0.0),
        balance=1.0 - abs(left - right) / (left + right) if left + right > 0.0 else 0.0,
        height_span=min(span / height, 1.0),
        rearmost=float(depth[filled].min()) if len(fill) else 1.0,
        touches_superior=_touches(fill, body.superior_mm, body.superior_normal),
        touches_inferior=_touches(fill, body.inferior_mm, body.inferior_normal),
    )  # fmt: skip


def _middles(half_mm: float) -> Float[np.ndarray, " n"]:
    """Return middles of grid cells from -half to half, mirror images of each other."""
    count = int(np.ceil(half_mm / GRID_MM))
    return GRID_MM * (np.arange(-count, count) + 0.5)


def _in_screw(anatomy: VertebraAnatomy, screw: ScrewAxis, points: Points) -> Bool[np.ndarray, " n"]:
    """Return which points (vertebral frame) lie in a screw's shaft."""
    head, tip = anatomy.frame.points(np.stack([screw.head_mm, screw.tip_mm]))
    shaft = tip - head
    share = np.clip((points - head) @ shaft / (shaft @ shaft), 0.0, 1.0)
    apart = np.linalg.norm(points - head - share[:, None] * shaft, axis=1)
    return apart <= 0.5 * screw.diameter_mm


def _touches(fill: Points, face: Point, normal: Point) -> bool:
    return bool(len(fill)) and float(((fill - face) @ normal).max()) >= -CONTACT_MM
