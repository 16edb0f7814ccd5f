"""Whether a bone tamp could go where a path goes, and of what size (DOMAIN 1.4 D3, 3.3).

A tamp needs a working cannula through a pedicle without a screw. Its inflated shape is taken for
a capsule about its own axis, at the end of the path.
"""

import math
from dataclasses import dataclass

import numpy as np
import shapely

from geometry.arrays import Point
from planner.anatomy.model import Pedicle, Unavailable
from planner.approach import holds_metal
from planner.case import HARDWARE
from planner.needles.catalogue import OUTER_DIAMETER_MM
from planner.needles.path import Line
from planner.question import Question
from planner.request import AnteriorBody, Approach, Lesion
from planner.result import Trajectory
from planner.treatment import TampAdvice

FOLDED_MM = 1.5  # radius of a tamp before it is filled [A]
OFF_WALL_MM = 1.0  # kept from cortex and metal when filled [A]
LEAST_ML = 1.0  # a tamp that can hold less makes no room [A]
STEP_MM = 0.5  # between points of a tamp's axis that are measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Tamp:
    """One size of tamp.

    Attributes:
        name: Length of the balloon over size of its cannula.
        length_mm: Of the balloon.
        rated_ml: Largest volume [M].
        gauge: Of the working cannula it goes through [A].
    """

    name: str
    length_mm: float
    rated_ml: float
    gauge: int


# Sizes [P:kyphon]; volumes recalled [M], that of 15/2 after 15/3 [A].
TAMPS = (
    Tamp(name="20/3", length_mm=20.0, rated_ml=6.0, gauge=8),
    Tamp(name="15/3", length_mm=15.0, rated_ml=4.0, gauge=8),
    Tamp(name="10/3", length_mm=10.0, rated_ml=3.0, gauge=8),
    Tamp(name="15/2", length_mm=15.0, rated_ml=4.0, gauge=10),
    Tamp(name="10/2", length_mm=10.0, rated_ml=3.0, gauge=10),
)


def tamp_advice(question: Question, path: Trajectory) -> TampAdvice | None:
    """Return whether a tamp could go along a path; None for a target that takes none."""
    if not isinstance(question.target, AnteriorBody | Lesion) or path.side is None:
        return None
    pedicle, line = question.pedicle(path.side), path.path[-1]
    if isinstance(pedicle, Unavailable):
        return _no(pedicle.reason)
    if path.approach is not Approach.TRANSPEDICULAR or not isinstance(line, Line):
        return _no("a tamp goes straight through a pedicle")
    if holds_metal(pedicle, question.prepared.case.of_kind(*HARDWARE)):
        return _no(f"metal in the {path.side} pedicle of {question.bone.name} [DOMAIN D3]")
    fits = [t for t in TAMPS if _cannula_passes(pedicle, path, t)]
    held = [(_held_ml(question, line, tamp), tamp) for tamp in fits]
    volume, best = max(
        held, key=lambda one: (one[0], -one[1].length_mm, one[1].gauge), default=(0.0, TAMPS[0])
    )
    if volume < LEAST_ML:
        why = f"no tamp has room for {LEAST_ML:.0f} ml" if fits else "no working cannula fits"
        return _no(f"{why} on this path")
    return TampAdvice(
        eligible=True, size=best.name, gauge=best.gauge, volume_ml=volume,
        reason=f"the {path.side} pedicle of {question.bone.name} is free of metal [DOMAIN D3]",
    )  # fmt: skip


def _no(reason: str) -> TampAdvice:
    return TampAdvice(eligible=False, reason=reason)


def _cannula_passes(pedicle: Pedicle, path: Trajectory, tamp: Tamp) -> bool:
    """Whether a tamp's cannula stays in the isthmus and keeps every hard limit on a path."""
    radius = 0.5 * OUTER_DIAMETER_MM[tamp.gauge]
    thicker = radius - 0.5 * path.outer_diameter_mm
    if path.margin_mm < thicker:
        return False
    line = path.path[0]
    start, step = line.start_mm, line.end_mm - line.start_mm
    share = float((pedicle.centre_mm - start) @ pedicle.axis / (step @ pedicle.axis))
    lateral, cranial, _ = pedicle.in_plane(start + share * step)
    return bool(pedicle.outline.buffer(-radius).covers(shapely.Point(lateral, cranial)))


def _held_ml(question: Question, line: Line, tamp: Tamp) -> float:
    """Return how far a tamp at the end of a line can be filled, ml; 0 if it is not in the body."""
    if line.length_mm <= tamp.length_mm:
        return 0.0
    back = line.end_mm - (tamp.length_mm - FOLDED_MM) * line.direction
    front = line.end_mm - FOLDED_MM * line.direction
    if not _in_body(question, back):
        return 0.0
    radius = _room_mm(question, back, front) - OFF_WALL_MM
    length = tamp.length_mm - 2.0 * FOLDED_MM
    return 0.0 if radius < FOLDED_MM else min(tamp.rated_ml, capsule_ml(length, radius))


def capsule_ml(length_mm: float, radius_mm: float) -> float:
    """Return the volume of a capsule: a bar of that length with a half ball at either end."""
    return math.pi * radius_mm**2 * (length_mm + 4.0 / 3.0 * radius_mm) / 1000.0


def _in_body(question: Question, point: Point) -> bool:
    """Whether a point lies in front of the posterior wall."""
    anatomy = question.prepared.bone(question.bone)
    if isinstance(anatomy, Unavailable):
        return False
    return bool(anatomy.frame.points(point[None])[0, 1] <= 0.5 * anatomy.body.depth_mm)


def _room_mm(question: Question, back: Point, front: Point) -> float:
    """Return how far a tamp's axis keeps from cortex and metal; at most what is true."""
    prepared = question.prepared
    length = float(np.linalg.norm(front - back))
    shares = np.linspace(0.0, 1.0, math.ceil(length / STEP_MM) + 1)
    bone = prepared.distance(question.bone)
    depth = min(-bone.point(back + s * (front - back))[0] for s in shares) - 0.5 * STEP_MM
    metal = (
        prepared.distance(s).segment(back, front).distance_mm
        for s in prepared.case.of_kind(*HARDWARE)
    )
    return min(depth, *metal, math.inf)
