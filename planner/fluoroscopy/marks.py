"""What must be seen while a needle goes in, as points, and how much of it metal hides in a view.

A point is hidden where its ray from the source to the detector meets a screw, rod, cross-link or
cage, in front of it or behind it: X-rays make no difference. Shares are shares of points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import HalfspaceIntersection

from geometry.arrays import Points, Rotation, frozen
from geometry.exact import MeshDistance
from geometry.projection import ConeBeam
from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.needles.path import Path, path_chords
from planner.result import Hidden
from planner.target import TargetRegion

TIP_MM = 15.0  # the last piece of the needle, whose end must be found on the picture [A]
TIP_POINTS = 16
TARGET_POINTS = 40
# Powers of the root of x^4 = x + 1: steps that fill a cube most evenly (Roberts 2018).
_SPREAD = 1.2207440846057596 ** -np.arange(1.0, 4.0)
_DRAWN, _MOST_DRAWN = 160, 16_000  # at a time; fewer points will do in a sliver of a region
WALL_POINTS = (3, 10)  # across and along the posterior wall
WALL_SHARE = 0.5  # of the body's width and height that counts as its posterior wall [A]
# Of the overall share [A]: the tip first, then what it goes to and what it must not enter.
WEIGHTS = (0.5, 0.25, 0.25)
WALL_ALONE = (0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """Points that must be seen, patient LPS, mm, each part of shape (n, 3).

    Attributes:
        tip_mm: Along the axis of the needle's last piece; the tip itself comes last.
        target_mm: Spread through the target; empty where there is none.
        wall_mm: On the posterior wall of the body; empty where it could not be derived.
        worth: What tip, target and wall count for in the overall share, of those there are.
    """

    tip_mm: Float[np.ndarray, "t 3"]
    target_mm: Float[np.ndarray, "g 3"]
    wall_mm: Float[np.ndarray, "w 3"]
    worth: tuple[float, float, float] = WEIGHTS

    @property
    def anatomy_mm(self) -> Points:
        """Target and wall, which are the same for every path, shape (n, 3)."""
        return np.concatenate([self.target_mm, self.wall_mm])

    def weights(self) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " a"]]:
        """Return what every point of the tip, and of the anatomy, adds to the overall share."""
        parts = list(zip((self.tip_mm, self.target_mm, self.wall_mm), self.worth, strict=True))
        total = sum(worth for points, worth in parts if len(points))
        tip, target, wall = (
            np.full(len(points), worth / total / max(1, len(points))) for points, worth in parts
        )
        return tip, np.concatenate([target, wall])


def marks_of(
    path: Path,
    region: TargetRegion | Unavailable,
    anatomy: VertebraAnatomy | Unavailable,
    axes: Rotation,
) -> Marks:
    """Return what must be seen for a path.

    Args:
        path: Entry to tip.
        region: Where the tip must end, if that is known.
        anatomy: The bone's, if it could be read.
        axes: Left, posterior and superior of the bone, rows, patient LPS.
    """
    return Marks(
        tip_mm=_last_piece(path),
        target_mm=_none() if isinstance(region, Unavailable) else _within(region, axes),
        wall_mm=_none() if isinstance(anatomy, Unavailable) else _posterior_wall(anatomy),
    )


def _none() -> Points:
    return frozen(np.empty((0, 3)))


def _last_piece(path: Path) -> Points:
    """Return evenly spaced points of the last ``TIP_MM`` of a path, the tip last."""
    points = path_chords(path)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(max(0.0, along[-1] - TIP_MM), along[-1], TIP_POINTS)
    return frozen(np.column_stack([np.interp(wanted, along, points[:, i]) for i in range(3)]))


def _within(region: TargetRegion, axes: Rotation) -> Points:
    """Return points spread evenly through a region, its centre first.

    An additive recurrence: every next point of the box around the region is a fixed step on.
    """
    halfspaces = np.column_stack([region.normals, -region.offsets])
    corners = HalfspaceIntersection(halfspaces, np.array(region.centre_mm)).intersections @ axes.T
    low, size = corners.min(axis=0), np.ptp(corners, axis=0)
    kept: Points = region.centre_mm[None]
    for first in range(0, _MOST_DRAWN, _DRAWN):
        unit_box = np.mod(0.5 + np.arange(first, first + _DRAWN)[:, None] * _SPREAD, 1.0)
        points = (low + size * unit_box) @ axes
        inside = np.all(points @ region.normals.T <= region.offsets, axis=1)
        kept = np.concatenate([kept, points[inside]])
        if len(kept) >= TARGET_POINTS:
            break
    return frozen(kept[:TARGET_POINTS])


def _posterior_wall(anatomy: VertebraAnatomy) -> Points:
    """Return a grid of points on the middle of the body's posterior wall."""
    body = anatomy.body
    across, along = (
        extent * WALL_SHARE * np.linspace(-0.5, 0.5, count)
        for extent, count in zip(
            (body.width_mm, body.posterior_height_mm), WALL_POINTS, strict=True
        )
    )
    x, z = (grid.ravel() for grid in np.meshgrid(across, along))
    local = np.column_stack([x, np.full_like(x, body.depth_mm / 2.0), z])
    return frozen(anatomy.frame.inverse().points(local))


def hidden_by(
    hardware: Sequence[MeshDistance], marks: Marks, beam: ConeBeam, nearby: float | None = None
) -> Hidden:
    """Return how much of the marks metal hides, by the exact ray of every point.

    Args:
        hardware: The metal.
        marks: What must be seen.
        beam: The view.
        nearby: The largest overall share around this view, if it was looked for.
    """
    tip, target, wall = (
        covered(hardware, points, beam) for points in (marks.tip_mm, marks.target_mm, marks.wall_mm)
    )
    tip_weight, other_weight = marks.weights()
    overall = tip_weight @ tip + other_weight @ np.concatenate([target, wall])
    return Hidden(
        tip=float(tip.mean()),
        target=float(target.mean()) if len(target) else None,
        posterior_wall=float(wall.mean()) if len(wall) else None,
        overall=float(overall),
        nearby=nearby,
        at_tip=bool(tip[-1]),
    )


def covered(
    hardware: Sequence[MeshDistance], points: Points, beam: ConeBeam
) -> Bool[np.ndarray, " n"]:
    """Tell of every point whether its ray from source to detector meets metal."""
    source = beam.source_mm
    reach = beam.source_to_detector_mm / ((points - source) @ beam.direction)
    ends = source + reach[:, None] * (points - source)
    return meets(hardware, np.tile(source, (len(points), 1)), ends)


def meets(hardware: Sequence[MeshDistance], starts: Points, ends: Points) -> Bool[np.ndarray, " n"]:
    """Tell of each of many segments whether it meets metal."""
    met = np.zeros(len(starts), dtype=np.bool_)
    for metal in hardware:
        met[~met] = metal.pierced_by(starts[~met], ends[~met])
    return met
