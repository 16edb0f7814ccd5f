"""How a path lies in its bone: how oblique it is, and how much deeper its needle could go."""

from itertools import pairwise

import numpy as np

from geometry.arrays import Point, Vector, unit
from geometry.exact import MeshDistance
from geometry.frames import angle_between
from planner.anatomy.model import Unavailable
from planner.case import Structure
from planner.needles.model import Needle
from planner.needles.path import Path, path_chords, path_length_mm
from planner.policy import meant_to_pass
from planner.question import Question
from planner.search.scene import held_by
from planner.target import TargetRegion

ON_FACE_MM = 1e-3  # a tip this near the region's face is in it
RESOLUTION_MM = 1e-3  # the reach is rounded down by at most this


def obliquity_rad(question: Question, path: Path) -> float:
    """Return the angle between a path, entry to tip, and the bone's way from back to front."""
    return angle_between(path[-1].end_mm - path[0].start_mm, -question.axes[1])


def ends_in_target(question: Question, tip: Point) -> bool:
    """Whether a tip ends in the target region and in bone, or in a lucency or lesion in it."""
    region = question.region
    if isinstance(region, Unavailable) or not region.contains(tip, tolerance_mm=ON_FACE_MM):
        return False
    holders = _holders(question)
    return not holders or any(holder.contains(tip) for holder in holders)


def reach_mm(question: Question, needle: Needle, path: Path, touched: str | None = None) -> float:
    """Return how much deeper a needle could go: straight on beyond the tip, and still be right.

    Up to there every depth ends in the target and in bone, keeps every hard limit and is within
    the needle's usable length. Measured on the meshes; rounded down by at most 0.001 mm. It is 0
    for a path that does not end in the target, or has no room. The structure ``touched`` is one
    that the needle slides along: it is not in the way.
    """
    tip, region = path[-1].end_mm, question.region
    if isinstance(region, Unavailable) or not ends_in_target(question, tip):
        return 0.0
    last = path_chords(path)[-2:]
    ahead = unit(last[1] - last[0])
    far = min(_region_exit(region, tip, ahead), needle.usable_length_mm - path_length_mm(path))
    far = _bone_exit(question, tip, ahead * max(far, 0.0))
    through = meant_to_pass(question.prepared.case, question.bone)
    for structure in question.prepared.case.structures:
        required = question.policy.rule_of(structure).hard_mm
        if required is not None and structure.name not in {*through, touched}:
            far = _clear(question, structure, (tip, ahead), far, needle.radius_mm + required)
    return far


def _holders(question: Question) -> list[MeshDistance]:
    """Return what a tip may end in; nothing where nobody can say."""
    held = held_by(question.prepared.case, question.bone)
    return [question.prepared.distance(structure) for structure in held]


def _region_exit(region: TargetRegion, tip: Point, ahead: Vector) -> float:
    """Return the distance from a tip in a region to where it leaves the region, mm."""
    rates = region.normals @ ahead
    room = np.maximum(region.offsets - region.normals @ tip, 0.0)
    leaving = rates > 1e-12
    return float((room[leaving] / rates[leaving]).min()) if leaving.any() else 0.0


def _bone_exit(question: Question, tip: Point, step: Vector) -> float:
    """Return how far along a step the tip stays in what it may end in, mm."""
    length = float(np.linalg.norm(step))
    holders = _holders(question)
    if length == 0.0 or not holders:
        return length
    borders = np.concatenate([h.crossings(tip, tip + step) for h in holders])
    cuts = np.unique(np.concatenate([[0.0], borders, [1.0]]))
    for low, high in pairwise(cuts):
        middle = tip + 0.5 * (low + high) * step
        if high - low > 1e-9 and not any(h.contains(middle) for h in holders):
            return float(low) * length
    return length


def _clear(
    question: Question, structure: Structure, ray: tuple[Point, Vector], far: float, apart_mm: float
) -> float:
    """Return how far along a ray, up to ``far``, the axis keeps ``apart_mm`` from a structure."""
    surface, (tip, ahead) = question.prepared.distance(structure), ray

    def keeps(depth: float) -> bool:
        return surface.segment(tip, tip + depth * ahead).distance_mm >= apart_mm

    if keeps(far):
        return far
    low, high = 0.0, far
    while high - low > RESOLUTION_MM:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low
