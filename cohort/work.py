"""The work of a cohort: one spine drawn and all its targets planned, as plain values.

What is returned depends on the spine alone, but for ``times_s``; it holds nothing but numbers,
words, lists and mappings, so that it can be written as JSON and sent from one machine to another.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from cohort.spec import Spec, Target, spine_name
from phantom.patients import Patient
from phantom.recipe import build_case
from planner.case import Case
from planner.errors import InputError
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.result import Certificate, Plan, Trajectory, ViewRole
from planner.why_not import phrase

DECIMALS = 4
REFUSED = "refused"  # the planner could not take the question; its reason is kept
NOT_DRAWN = "not drawn"


def spine_record(spec: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Draw a spine of a cohort and plan its targets.

    Args:
        spec: The fields of the cohort's ``Spec``.
        number: Of the spine, from 0.
    """
    cohort = Spec(**spec)
    clock = [time.perf_counter()]
    head: dict[str, Any] = {"spine": spine_name(number), "cohort": cohort.name}
    try:
        patient = cohort.patient(number)
    except ValueError as error:
        return {**head, NOT_DRAWN: str(error), "targets": [], "times_s": {}}
    case = _case(cohort, patient)
    clock.append(time.perf_counter())
    prepared = PreparedCase(case)
    targets = []
    for at, target in enumerate(cohort.targets(patient), start=1):
        targets.append(_target_record(f"{spine_name(number)}-{at}", target, prepared))
        clock.append(time.perf_counter())
    names = ("drawing", *(target["target"] for target in targets))
    steps = (after - before for before, after in pairwise(clock))
    times = {name: round(step, 3) for name, step in zip(names, steps, strict=True)}
    return {**head, **_body(patient, case), "targets": targets, "times_s": times}


def _case(cohort: Spec, patient: Patient) -> Case:
    provenance = {"source": "synthetic, no patient data", "generator": f"cohort {cohort.name}"}
    return replace(build_case(patient.recipe).case, provenance=provenance)


def _body(patient: Patient, case: Case) -> dict[str, Any]:
    recipe = patient.recipe
    return {
        "sex": patient.sex,
        "scale": recipe.scale,
        "pedicle_width": recipe.pedicle_width,
        "draws": patient.draws,
        "levels": list(recipe.levels) + (["S1"] if recipe.pelvis else []),
        "screws": len(recipe.screws),
        "operated": patient.story.operated,
        "scoliotic": patient.story.curved,
        "kyphosis_deg": _number(math.degrees(sum(dict(recipe.deformity.forward).values()))),
        "case_digest": case.digest,
    }


def _target_record(name: str, target: Target, case: PreparedCase) -> dict[str, Any]:
    head = {
        "target": name, "level": target.level, "region": target.region,
        "failure": target.failure, "way": target.way,
    }  # fmt: skip
    try:
        made = plan(case, target.request)
    except InputError as error:
        return {**head, "outcome": REFUSED, "explanation": str(error), "best": None, "classes": []}
    return {**head, **plan_record(made)}


def plan_record(made: Plan) -> dict[str, Any]:
    """Return what a cohort keeps of a plan: nothing of its times."""
    best = made.trajectories[0] if made.trajectories else None
    return {
        "outcome": made.outcome.value,
        "explanation": made.explanation,
        "best": None if best is None else _best_record(best),
        "classes": [_class_record(certificate) for certificate in made.certificates],
    }


def _best_record(best: Trajectory) -> dict[str, Any]:
    eye = next((view for view in best.views if view.role is ViewRole.BULLS_EYE), None)
    slide = best.slide
    return {
        "approach": None if best.approach is None else best.approach.value,
        "side": None if best.side is None else best.side.value,
        "technique": best.technique,
        "needle": best.needle,
        "margin_mm": _number(best.margin_mm if slide is None else slide.margin_beside_mm),
        "limiting_structure": best.limiting_structure if slide is None else slide.limiting_beside,
        "length_mm": _number(best.length_mm),
        "obliquity_deg": _number(math.degrees(best.obliquity_rad)),
        "breach_probability": _number(best.breach_probability.total),
        "bulls_eye": None if eye is None else eye.label,
        "bulls_eye_primary_deg": None if eye is None else _number(math.degrees(eye.primary_rad)),
        "bulls_eye_secondary_deg": None
        if eye is None
        else _number(math.degrees(eye.secondary_rad)),
        "bulls_eye_reachable": None if eye is None else eye.reachable,
        "plastic_bend": slide is not None and slide.plastic,
    }


def _class_record(made: Certificate) -> dict[str, Any]:
    return {
        "approach": made.approach.value,
        "side": made.side.value,
        "needle": made.needle,
        "status": made.status.value,
        "best_margin_mm": _number(made.best_margin_mm),
        "upper_bound_mm": _number(made.upper_bound_mm),
        "tolerance_mm": made.tolerance_mm,
        "boxes": made.boxes_examined,
        "limited_by": list(made.limiting_structures),
        "blocked_by": list(made.blocked_by),
        "would_open": [f"{phrase(o)} (margin {o.margin_mm:.2f} mm)" for o in made.openings],
        "statement": made.statement,
    }


def _number(value: float | None) -> float | None:
    """Return a number as written: four decimals; None for none, and for an endless one."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), DECIMALS) + 0.0
