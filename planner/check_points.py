"""Where a needle stands at each depth worth a look, and what lies round it on a clock face.

Depths run from the skin along the path. Places are told as the two true views show them: how far
beside the midline in AP, and how far through the body in lateral. What is not known of the bone is
left out, not guessed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from geometry.arrays import Point, Points, Vector, unit
from geometry.projection import picture_axes
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.zones import depth_fraction, midline_offset_mm, posterior_wall
from planner.case import Side
from planner.needles.path import Arc, Path, path_chords
from planner.question import Question
from planner.result import Trajectory

HOURS = 12
_SEEN_MM = 1e-6  # an offset shorter than this across the needle has no direction


class Place(StrEnum):
    """What is reached at a check-point."""

    BONE = "bone"
    ISTHMUS = "isthmus"
    POSTERIOR_WALL = "posterior_wall"
    CURVE = "curve"
    TIP = "tip"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPoint:
    """One depth at which to stop and look.

    Attributes:
        place: What is reached.
        depth_mm: From the skin, along the path.
        left_mm: To the patient's left of the bone's plane of symmetry; None where it has none.
        past_wall_mm: In front of the body's posterior wall; negative behind it; None as above.
        through_body: The same over the body's depth: 1 at its anterior cortex.
        off_medial_wall_mm: How far the axis lies lateral of the pedicle's medial wall in AP;
            negative medial of it. None where the side has no readable pedicle.
    """

    place: Place
    depth_mm: float
    left_mm: float | None = None
    past_wall_mm: float | None = None
    through_body: float | None = None
    off_medial_wall_mm: float | None = None


def check_points(question: Question, trajectory: Trajectory) -> tuple[CheckPoint, ...]:
    """Return the check-points of a trajectory, from the skin inwards; the tip comes last."""
    anatomy = question.prepared.bone(question.bone)
    pedicle = None if trajectory.side is None else question.pedicle(trajectory.side)
    points = path_chords(trajectory.path)
    reached = sorted(_reached(trajectory, anatomy, pedicle, points), key=lambda at: at[1])
    tip = (Place.TIP, trajectory.length_mm)
    return tuple(
        _looked_at(place, depth, _at(points, depth), anatomy, pedicle)
        for place, depth in [*(r for r in reached if r[1] < trajectory.length_mm), tip]
    )


def _reached(
    trajectory: Trajectory,
    anatomy: VertebraAnatomy | Unavailable,
    pedicle: Pedicle | Unavailable | None,
    points: Points,
) -> Iterator[tuple[Place, float]]:
    """Yield what a path reaches before its tip, with its depth, in no order."""
    if trajectory.depth_to_bone_mm is not None:
        yield Place.BONE, trajectory.depth_to_bone_mm
    if isinstance(pedicle, Pedicle):
        yield from _crossed(Place.ISTHMUS, points, pedicle.centre_mm, pedicle.axis)
    if isinstance(anatomy, VertebraAnatomy):
        wall = posterior_wall(anatomy)
        inward = -anatomy.frame.rotation[1]
        yield from _crossed(Place.POSTERIOR_WALL, points, wall.origin_mm, inward)
    yield from ((Place.CURVE, depth) for depth, _ in arcs_of(trajectory.path))


def _crossed(
    place: Place, points: Points, origin: Point, inward: Vector
) -> Iterator[tuple[Place, float]]:
    """Yield the depth at which a polyline first goes inwards through a plane, if it does."""
    depth = 0.0
    for a, b in pairwise(points):
        before, after = float((a - origin) @ inward), float((b - origin) @ inward)
        length = float(np.linalg.norm(b - a))
        if before <= 0.0 < after:
            yield place, depth + length * before / (before - after)
            return
        depth += length


def arcs_of(path: Path) -> Iterator[tuple[float, Arc]]:
    """Yield each arc of a path with the depth at which it begins, mm."""
    depth = 0.0
    for piece in path:
        if isinstance(piece, Arc):
            yield depth, piece
        depth += piece.length_mm


def _at(points: Points, depth_mm: float) -> Point:
    """Return the point of a polyline at a depth along it; its end for any greater depth."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return np.array([np.interp(depth_mm, along, points[:, i]) for i in range(3)])


def _looked_at(
    place: Place,
    depth: float,
    point: Point,
    anatomy: VertebraAnatomy | Unavailable,
    pedicle: Pedicle | Unavailable | None,
) -> CheckPoint:
    if isinstance(anatomy, Unavailable):
        return CheckPoint(place=place, depth_mm=depth)
    left = midline_offset_mm(anatomy, point)
    off_wall = None
    if isinstance(pedicle, Pedicle):
        outward = 1.0 if pedicle.side is Side.LEFT else -1.0
        medial = pedicle.centre_mm + pedicle.outline.bounds[0] * pedicle.lateral
        off_wall = outward * (left - midline_offset_mm(anatomy, medial))
    through = depth_fraction(anatomy, point)
    return CheckPoint(
        place=place, depth_mm=depth, left_mm=left, past_wall_mm=through * anatomy.body.depth_mm,
        through_body=through, off_medial_wall_mm=off_wall,
    )  # fmt: skip


def clock_hour(needle: Vector, offset: Vector) -> float | None:
    """Return where something lies round a needle, 0 to 12 hours, seen from the hub to the tip.

    12 o'clock is to the patient's head, as in the bull's-eye picture taken from the hub's side.

    Args:
        needle: Unit vector, entry to tip, patient LPS.
        offset: From the needle's axis to the thing, patient LPS.

    Returns:
        None where the offset runs along the needle.
    """
    right, up = picture_axes(-unit(needle))
    x, y = float(offset @ right), float(offset @ up)
    if math.hypot(x, y) < _SEEN_MM:
        return None
    return (HOURS * math.atan2(x, y) / (2.0 * math.pi)) % HOURS
