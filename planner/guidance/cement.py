"""Guidance for cement: how much to aim for, where to stop, and what a fill would cover.

Guidance with stated assumptions, never an order: whoever injects watches, and stops (DOMAIN 6).
"""

import math
from collections.abc import Sequence

import numpy as np

from geometry.arrays import Point, unit
from planner.anatomy.halo import FROM as HALO_FROM
from planner.anatomy.halo import halo_radius
from planner.anatomy.model import ScrewAxis, VertebraAnatomy
from planner.anatomy.slices import frame_along
from planner.anatomy.zones import POSTERIOR_QUARTER, basivertebral_zone, depth_fraction
from planner.case import Kind
from planner.guidance.coverage import (
    MM3_PER_ML,
    BodySpace,
    body_space,
    coverage,
)
from planner.question import Question
from planner.request import (
    AnteriorBody,
    BesideScrew,
    CageInterface,
    Lesion,
    ScrewHalo,
    ScrewTip,
)
from planner.rules.model import findings_here, is_above
from planner.target import CAGE_SLAB_MM
from planner.treatment import CementGuidance, Goal, StopSurface

BODY_SHARES = (0.15, 0.25)  # of the body's volume, to restore strength [M] (DOMAIN 6.1)
ANCHOR_ML = (0.5, 1.0)  # beyond a lucency, into the bone around it [A] (DOMAIN 6.3)


def cement_guidance(question: Question, tips_mm: Sequence[Point]) -> CementGuidance | None:
    """Return guidance for filling from some tips in one bone; None for a target without a goal."""
    space = _space(question)
    goal = _goal(question, space)
    if goal is None:
        return None
    stops = stop_surfaces(question, tips_mm)
    if isinstance(question.target, ScrewHalo):
        return _of_halo(question, question.target.screw, goal, tips_mm, stops)
    if space is None:
        return CementGuidance(
            goal=goal, cap_ml=None, cap_by="the body could not be read", expected_ml=goal.aim_ml,
            radius_mm=None, coverage=None, ring_gap_mm=None, stops=stops,
            checks=_checks(question),
        )  # fmt: skip
    spread = space.spread(tips_mm)
    nearest = min((s for s in stops if s.stops), key=lambda s: s.distance_mm)
    reach_ml = space.volume_within_ml(spread, nearest.distance_mm)
    limited = reach_ml < goal.most_ml
    cap = reach_ml if limited else goal.most_ml
    expected = min(goal.aim_ml, cap)
    filled = space.filled(spread, expected)
    return CementGuidance(
        goal=goal, cap_ml=cap, cap_by=nearest.name if limited else goal.source,
        expected_ml=expected, radius_mm=float(spread[filled].max()) if filled.any() else 0.0,
        coverage=coverage(space, spread, expected), ring_gap_mm=None, stops=stops,
        checks=_checks(question),
    )  # fmt: skip


def halo_volume_ml(length_mm: float, diameter_mm: float, thickness_mm: float) -> float:
    """Return ``(pi / 4) L ((d + 2h)^2 - d^2)``: a ring about a shaft (DOMAIN 6.3)."""
    outer = diameter_mm + 2.0 * thickness_mm
    return math.pi / 4.0 * length_mm * (outer**2 - diameter_mm**2) / MM3_PER_ML


def stop_surfaces(question: Question, tips_mm: Sequence[Point]) -> tuple[StopSurface, ...]:
    """Return how far the nearest tip is from what stops a filling (DOMAIN 2.5, 6.4), nearest first.

    Distances to structures are exact, on their meshes; those to parts of the body are to the
    planes and points that stand for them.
    """
    prepared = question.prepared
    found = [
        StopSurface(
            name=structure.name, stops=structure.kind is not Kind.VESSEL,
            distance_mm=min(prepared.distance(structure).point(tip)[0] for tip in tips_mm),
        )
        for structure in prepared.case.of_kind(Kind.CANAL, Kind.NERVE_ROOT, Kind.VESSEL)
    ]  # fmt: skip
    anatomy = prepared.bone(question.bone)
    if isinstance(anatomy, VertebraAnatomy):
        found += _parts_of_body(question, anatomy, tips_mm)
    found += _breaches(question, tips_mm)
    return tuple(sorted(found, key=lambda s: (s.distance_mm, s.name)))


def _space(question: Question) -> BodySpace | None:
    """Return the body that is filled, screws taken out; None where it could not be read."""
    anatomy = question.prepared.bone(question.bone)
    if not isinstance(anatomy, VertebraAnatomy):
        return None
    screws = question.prepared.hardware.screws.values()
    return body_space(anatomy, [s for s in screws if isinstance(s, ScrewAxis)])


def _goal(question: Question, space: BodySpace | None) -> Goal | None:
    match question.target:
        case AnteriorBody():
            return None if space is None else _body_goal(question, space)
        case ScrewHalo(screw=name):
            return _halo_goal(question, question.prepared.screw(name, field="target.screw"))
        case ScrewTip() | BesideScrew():
            least = 1.0 if is_above(question.bone.level, "L1") else 3.0
            source = "1 ml thoracic, 3 ml lumbar held screws in vitro [P:leichtle]"
            return Goal(least_ml=least, aim_ml=least, most_ml=least, source=source)
        case CageInterface(cage=name):
            ends = question.prepared.cage(name, field="target.cage")
            slab = float(ends.outline.area) * (CAGE_SLAB_MM[1] - CAGE_SLAB_MM[0]) / MM3_PER_ML
            return _fixed(slab, "the slab of bone against the cage [A]")
        case Lesion(structure=name):
            lesion = question.prepared.lesion(name, field="target.structure")
            volume = abs(lesion.mesh.volume_mm3) / MM3_PER_ML
            return _fixed(volume, f"the volume of {name} [A]")
        case _:
            return None


def _fixed(volume_ml: float, source: str) -> Goal:
    return Goal(least_ml=volume_ml, aim_ml=volume_ml, most_ml=volume_ml, source=source)


def _body_goal(question: Question, space: BodySpace) -> Goal:
    """Return the goal by level, kept within the usual shares of the measured body."""
    low, high = (share * space.solid_ml for share in BODY_SHARES)
    level = question.bone.level
    by_level = 2.0 if is_above(level, "T7") else 3.0 if is_above(level, "L1") else 4.0
    return Goal(
        least_ml=low, aim_ml=min(max(by_level, low), high), most_ml=high,
        source=f"{by_level:.0f} ml by level [S0], within 15 to 25 % of the body [M]",
    )  # fmt: skip


def _halo_goal(question: Question, axis: ScrewAxis) -> Goal:
    halo = halo_radius(axis, question.prepared.case.of_kind(Kind.HALO), question.bone)
    length = (1.0 - HALO_FROM) * float(np.linalg.norm(axis.tip_mm - axis.head_mm))
    ring = halo_volume_ml(length, axis.diameter_mm, halo.radius_mm - 0.5 * axis.diameter_mm)
    low, high = ANCHOR_ML
    return Goal(
        least_ml=ring + low, aim_ml=ring + 0.5 * (low + high), most_ml=ring + high,
        source=f"lucency of {ring:.2f} ml (pi/4 L ((d + 2h)^2 - d^2)), and 0.5 to 1 ml around it",
    )  # fmt: skip


def _of_halo(
    question: Question,
    name: str,
    goal: Goal,
    tips_mm: Sequence[Point],
    stops: tuple[StopSurface, ...],
) -> CementGuidance:
    """Return guidance for a lucency: it is the container, so no ball limits the volume."""
    axis = question.prepared.screw(name, field="target.screw")
    return CementGuidance(
        goal=goal, cap_ml=goal.most_ml, cap_by=goal.source, expected_ml=goal.aim_ml,
        radius_mm=None, coverage=None, ring_gap_mm=_ring_gap(question, axis, tips_mm),
        stops=stops, checks=_checks(question),
    )  # fmt: skip


def _ring_gap(question: Question, axis: ScrewAxis, tips_mm: Sequence[Point]) -> float:
    """Return how far the farthest point of a lucency lies from the nearest tip, mm."""
    halo = halo_radius(axis, question.prepared.case.of_kind(Kind.HALO), question.bone)
    along = axis.tip_mm - axis.head_mm
    first, second = frame_along(unit(along))
    turns = 2.0 * np.pi * np.arange(36) / 36.0
    spokes = np.cos(turns)[:, None] * first + np.sin(turns)[:, None] * second
    middles = axis.head_mm + np.array([HALO_FROM, 1.0])[:, None] * along
    ring = (middles[:, None, :] + halo.radius_mm * spokes[None, :, :]).reshape(-1, 3)
    apart = np.linalg.norm(ring[:, None, :] - np.stack(list(tips_mm))[None, :, :], axis=2)
    return float(apart.min(axis=1).max())


def _parts_of_body(
    question: Question, anatomy: VertebraAnatomy, tips_mm: Sequence[Point]
) -> list[StopSurface]:
    body, zone = anatomy.body, basivertebral_zone(anatomy)
    tips = anatomy.frame.points(np.stack(list(tips_mm)))
    depths = [depth_fraction(anatomy, tip) for tip in tips_mm]
    quarter = (min(depths) - POSTERIOR_QUARTER) * body.depth_mm
    front = (1.0 - max(depths)) * body.depth_mm
    vein = min(float(np.linalg.norm(tip - zone.centre_mm)) for tip in tips_mm) - zone.radius_mm
    broken = question.prepared.case.findings.get(anatomy.level, {}).get("endplate_broken")
    found = [
        StopSurface(name="posterior quarter of the body", distance_mm=quarter, stops=True),
        StopSurface(name="basivertebral vein", distance_mm=vein, stops=True),
        StopSurface(name="anterior wall", distance_mm=front, stops=False),
    ]
    for name, face, normal in (
        ("superior", body.superior_mm, body.superior_normal),
        ("inferior", body.inferior_mm, body.inferior_normal),
    ):
        distance = float(((face - tips) @ normal).min())
        stops = broken in {name, "both"}
        label = f"{'broken ' if stops else ''}{name} endplate"
        found.append(StopSurface(name=label, distance_mm=distance, stops=stops))
    return found


def _breaches(question: Question, tips_mm: Sequence[Point]) -> list[StopSurface]:
    """Return the tips of screws that stand out of bone: their tracts leak."""
    hardware = question.prepared.hardware
    found = []
    for name, problems in hardware.findings.items():
        screw = hardware.screws.get(name)
        if isinstance(screw, ScrewAxis) and any(p.code == "tip-out-of-bone" for p in problems):
            apart = min(float(np.linalg.norm(screw.tip_mm - tip)) for tip in tips_mm)
            found.append(StopSurface(name=f"tract of {name}", distance_mm=apart, stops=True))
    return found


def _checks(question: Question) -> tuple[str, ...]:
    """Return what to see on the screen before and while filling (DOMAIN 1.4 D14, D16)."""
    said = ["stop before the posterior quarter, at any cement in canal or foramina, at any escape"]
    target = question.target
    if isinstance(target, ScrewHalo | ScrewTip | BesideScrew):
        said.append(f"cement is to lie as a cloud about {target.screw} in AP and in lateral view")
    if isinstance(target, CageInterface):
        said.append(f"cement is to stay in the bone against {target.cage}, out of the disc")
    if findings_here(question).get("posterior_wall_broken"):
        said.append("the posterior wall is broken: fill from the front backwards, slowly")
    return tuple(said)
