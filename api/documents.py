"""What is answered, as JSON, in millimetres and degrees (schema trocar/plan/1).

Lengths and probabilities carry four decimals, angles two. The same answer makes the same bytes.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from api.digests import canonical_digest
from api.guidance_documents import cement_document, tamp_document
from api.rounding import (
    ANGLE_DECIMALS,
    DIRECTION_DECIMALS,
    LENGTH_DECIMALS,
    SHARE_DECIMALS,
    rounded,
)
from geometry.arrays import Point
from geometry.mesh import Problem
from planner.fluoroscopy.views import console_assumes, ct_assumption
from planner.needles.path import Arc, Segment
from planner.result import (
    BreachProbability,
    Certificate,
    Clearance,
    CurvePoint,
    Hidden,
    Misplacement,
    Opening,
    Plan,
    SecondArc,
    Slide,
    Status,
    TiltToPath,
    Tolerance,
    Trajectory,
    View,
)

PLAN_SCHEMA = "trocar/plan/1"


def dump(document: object) -> str:
    """Return the one text of a document: keys in the order of the contract, no NaN."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as the contract has it."""
    return {
        "schema": PLAN_SCHEMA,
        "case_digest": plan.case_digest,
        "request_digest": plan.request_digest,
        "planner_version": plan.planner_version,
        "outcome": plan.outcome.value,
        "explanation": plan.explanation,
        "trajectories": [trajectory_document(trajectory) for trajectory in plan.trajectories],
        "certificates": [certificate_document(certificate) for certificate in plan.certificates],
        "warnings": list(plan.warnings),
        "timings_s": {stage: round(seconds, 4) for stage, seconds in plan.timings_s.items()},
    }


def plan_digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256, hex, of a plan as it is written, but for the time it took."""
    return canonical_digest(without_timings(document))


def without_timings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan as it is written, but for the time it took."""
    return {key: value for key, value in document.items() if key != "timings_s"}


def trajectory_document(trajectory: Trajectory) -> dict[str, Any]:
    """Return one trajectory as the contract has it."""
    return {
        "rank": trajectory.rank,
        "approach": None if trajectory.approach is None else trajectory.approach.value,
        "side": None if trajectory.side is None else trajectory.side.value,
        "technique": trajectory.technique,
        "needle": trajectory.needle,
        "entry_skin_mm": point_mm(trajectory.entry_skin_mm),
        "entry_bone_mm": _optional_point(trajectory.entry_bone_mm),
        "tip_mm": point_mm(trajectory.tip_mm),
        "path": [segment_document(segment) for segment in trajectory.path],
        "outer_diameter_mm": length_mm(trajectory.outer_diameter_mm),
        "length_mm": length_mm(trajectory.length_mm),
        "depth_to_bone_mm": _optional_length(trajectory.depth_to_bone_mm),
        "clearances": [_clearance(clearance) for clearance in trajectory.clearances],
        "margin_mm": length_mm(trajectory.margin_mm),
        "limiting_structure": trajectory.limiting_structure,
        "reaches_target": bool(trajectory.reaches_target),
        "obliquity_deg": angle_deg(trajectory.obliquity_rad),
        "reach_mm": length_mm(trajectory.reach_mm),
        "tolerance": _tolerance(trajectory.tolerance),
        "breach_probability": _breach_probability(trajectory.breach_probability),
        "views": [_view(view) for view in trajectory.views],
        "cautions": list(trajectory.cautions),
        "reasons": list(trajectory.reasons),
        "second_arc": _second_arc(trajectory.second_arc),
        "cement": cement_document(trajectory.cement),
        "tamp": tamp_document(trajectory.tamp),
        "halo_overlap": _optional_share(trajectory.halo_overlap),
        "along_screw": None if trajectory.slide is None else _slide(trajectory.slide),
    }


def _second_arc(second: SecondArc | None) -> dict[str, Any] | None:
    """Write where a needle goes that is turned in its cannula; the angle is the hub's."""
    if second is None:
        return None
    return {
        "path": [segment_document(segment) for segment in second.path],
        "tip_mm": point_mm(second.path[-1].end_mm),
        "turn_clockwise_deg": angle_deg(second.turn_rad),
        "clearances": [_clearance(clearance) for clearance in second.clearances],
        "margin_mm": length_mm(second.margin_mm),
        "limiting_structure": second.limiting_structure,
    }


def length_mm(value: float) -> float:
    """Return a length as written: four decimals, and no negative zero."""
    return rounded(value, LENGTH_DECIMALS)


def angle_deg(value_rad: float) -> float:
    """Return an angle as written: degrees, two decimals, and no negative zero."""
    return rounded(math.degrees(value_rad), ANGLE_DECIMALS)


def primary_deg(value_rad: float) -> float:
    """Return a positioner angle in (-180, 180]: what rounds to -180 is written as 180."""
    angle = angle_deg(value_rad)
    return 180.0 if angle == -180.0 else angle


def point_mm(point: Iterable[float] | Point) -> list[float]:
    """Return a point as written, patient LPS."""
    return [length_mm(float(coordinate)) for coordinate in point]


def direction(vector: Iterable[float]) -> list[float]:
    """Return a unit vector as written, patient LPS: six decimals."""
    return [rounded(float(component), DIRECTION_DECIMALS) for component in vector]


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return something that was found in a structure."""
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
        "count": problem.count,
    }


def _optional_length(value: float | None) -> float | None:
    return None if value is None else length_mm(value)


def _optional_point(point: Point | None) -> list[float] | None:
    return None if point is None else point_mm(point)


def segment_document(segment: Segment) -> dict[str, Any]:
    """Return a piece of a path as the contract has it."""
    ends = {"start_mm": point_mm(segment.start_mm), "end_mm": point_mm(segment.end_mm)}
    if isinstance(segment, Arc):
        return {
            "type": "arc",
            **ends,
            "centre_mm": point_mm(segment.centre_mm),
            "radius_mm": length_mm(segment.radius_mm),
            "angle_deg": angle_deg(segment.angle_rad),
        }
    return {"type": "line", **ends}


def _slide(slide: Slide) -> dict[str, Any]:
    bent = math.isfinite(slide.bend_radius_mm)
    return {
        "screw": slide.screw,
        "contact_mm": point_mm(slide.contact_mm),
        "contact_share": _share(slide.contact_share),
        "arrival_deg": angle_deg(slide.arrival_rad),
        "bevel_clock": None if slide.bevel_hour is None else _clock(slide.bevel_hour),
        "slide_mm": length_mm(slide.slide_mm),
        "bend_radius_mm": length_mm(slide.bend_radius_mm) if bent else None,
        "elastic_radius_mm": length_mm(slide.elastic_radius_mm),
        "plastic_bend": slide.plastic,
        "margin_beside_mm": length_mm(slide.margin_beside_mm),
        "limiting_beside": slide.limiting_beside,
    }


def _clock(hour: float) -> str:
    """Return a place on a clock face to the half hour, such as ``4:30``."""
    halves = round(2.0 * hour) % 24
    return f"{halves // 2 or 12}:{'30' if halves % 2 else '00'}"


def _clearance(clearance: Clearance) -> dict[str, Any]:
    flags = {
        "traversed": clearance.traversed,
        "contact_allowed": clearance.contact_allowed,
        "advisory": clearance.advisory,
        "derived": clearance.derived,
    }
    return {
        "structure": clearance.structure,
        "kind": clearance.kind.value,
        "distance_mm": length_mm(clearance.distance_mm),
        "required_mm": _optional_length(clearance.required_mm),
        "margin_mm": _optional_length(clearance.margin_mm),
        "at_depth_mm": length_mm(clearance.at_depth_mm),
        "nearest_point_mm": point_mm(clearance.nearest_point_mm),
        "path_point_mm": point_mm(clearance.path_point_mm),
        **{name: True for name, raised in flags.items() if raised},
    }


def _tolerance(tolerance: Tolerance | None) -> dict[str, Any] | None:
    if tolerance is None:
        return None
    return {**_allowed(tolerance), "together": _allowed(tolerance.together)}


def _allowed(errors: Tolerance | Misplacement) -> dict[str, float]:
    """Return a shift and a tilt as written: never more than what was proved."""
    return {
        "entry_mm": _rounded_down(errors.entry_mm, LENGTH_DECIMALS),
        "angle_deg": _rounded_down(math.degrees(errors.angle_rad), ANGLE_DECIMALS),
    }


def _rounded_down(value: float, decimals: int) -> float:
    return math.floor(value * 10.0**decimals) / 10.0**decimals


def _breach_probability(breach: BreachProbability) -> dict[str, Any]:
    return {
        "profile": breach.profile.value,
        "samples": breach.samples,
        "seed": breach.seed,
        "total": _share(breach.total),
        "total_interval": [_share(end) for end in breach.total_interval],
        "by_structure": {name: _share(p) for name, p in breach.by_structure.items()},
        "margin_broken": _share(breach.margin_broken),
        "worst_structure": breach.worst_structure,
        "p5_clearance_mm": {name: length_mm(mm) for name, mm in breach.p5_clearance_mm.items()},
    }


def _share(value: float) -> float:
    return rounded(value, SHARE_DECIMALS)


def _view(view: View) -> dict[str, Any]:
    return {
        "role": view.role.value,
        "dicom": {
            "primary_deg": primary_deg(view.primary_rad),
            "secondary_deg": angle_deg(view.secondary_rad),
        },
        "console": {
            "primary_deg": primary_deg(view.console_primary_rad),
            "secondary_deg": angle_deg(view.console_secondary_rad),
            "assumes": console_assumes(view),
        },
        "assumption": ct_assumption(view.assumed_position),
        "label": view.label,
        "reachable": bool(view.reachable),
        "plane": view.plane,
        "together_with": [role.value for role in view.together_with],
        "needle_length_share": _optional_share(view.needle_length_share),
        **_hidden(view.hidden),
        **_only_of_some_views(view),
    }


def _hidden(hidden: Hidden | None) -> dict[str, Any]:
    if hidden is None:
        return {"hardware_overlap": None, "tip_hidden": None, "hidden": None}
    return {
        "hardware_overlap": _share(hidden.overall),
        "tip_hidden": hidden.at_tip,
        "hidden": {
            "tip": _share(hidden.tip),
            "target": _optional_share(hidden.target),
            "posterior_wall": _optional_share(hidden.posterior_wall),
            "nearby": _optional_share(hidden.nearby),
        },
    }


def _only_of_some_views(view: View) -> dict[str, Any]:
    """Return what a view carries by its role, and nothing for the others."""
    parts: dict[str, Any] = {}
    if view.tilt is not None:
        parts["tilt_to_path"] = _tilt(view.tilt)
    if view.curve:
        parts["curve"] = [_curve_point(point) for point in view.curve]
    if view.resolution_rad is not None:
        parts["resolution_deg"] = angle_deg(view.resolution_rad)
    return parts


def _tilt(tilt: TiltToPath) -> dict[str, Any]:
    return {
        "screw": tilt.screw,
        "lateral_deg": angle_deg(tilt.lateral_rad),
        "cranial_deg": angle_deg(tilt.cranial_rad),
        "angle_deg": angle_deg(tilt.angle_rad),
    }


def _curve_point(point: CurvePoint) -> list[float | bool]:
    """Return ``[primary_deg, secondary_deg, reachable]``."""
    return [primary_deg(point.primary_rad), angle_deg(point.secondary_rad), point.reachable]


def _optional_share(value: float | None) -> float | None:
    return None if value is None else _share(value)


def certificate_document(certificate: Certificate) -> dict[str, Any]:
    """Return one certificate as the contract has it."""
    best, upper = _bounds(certificate)
    return {
        "approach": certificate.approach.value,
        "side": certificate.side.value,
        "needle": certificate.needle,
        "status": certificate.status.value,
        "best_margin_mm": best,
        "upper_bound_mm": upper,
        "tolerance_mm": certificate.tolerance_mm,
        "limiting_structures": list(certificate.limiting_structures),
        "boxes_examined": int(certificate.boxes_examined),
        "statement": certificate.statement,
        "why_not": _why_not(certificate),
    }


def _why_not(certificate: Certificate) -> dict[str, Any] | None:
    if certificate.status is not Status.INFEASIBLE:
        return None
    return {
        "blocked_by": list(certificate.blocked_by),
        "openings": [_opening(opening) for opening in certificate.openings],
    }


def _opening(opening: Opening) -> dict[str, Any]:
    return {
        "change": opening.change.value,
        "subject": opening.subject,
        "hard_mm": _optional_length(opening.hard_mm),
        "margin_mm": length_mm(opening.margin_mm),
        "approach": opening.approach.value,
        "side": opening.side.value,
        "needle": opening.needle,
        "entry_skin_mm": point_mm(opening.entry_skin_mm),
        "tip_mm": point_mm(opening.tip_mm),
    }


def _bounds(certificate: Certificate) -> tuple[float | None, float | None]:
    """Return both bounds as written; rounding never turns their order round."""
    best = _optional_length(certificate.best_margin_mm)
    upper = _rounded_up(certificate.upper_bound_mm)
    if best is None or upper is None:
        return best, upper
    return min(best, upper), upper


def _rounded_up(bound: float | None) -> float | None:
    """Return an upper bound as written: never below what was proved."""
    if bound is None or math.isinf(bound):
        return None
    scale = 10.0**LENGTH_DECIMALS
    written = length_mm(math.ceil(bound * scale) / scale)
    # What was proved to be below zero is not written as zero.
    return bound if bound < 0.0 <= written else written
