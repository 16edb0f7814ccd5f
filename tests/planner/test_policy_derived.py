"""Plans on cases that lack a canal and roots: derived ones count, with more room, and are proved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.anatomy.derived import derived_anatomy
from planner.case import Kind, Side
from planner.case_io import load_case
from planner.checker.statement import space_of
from planner.planning import evaluate, plan
from planner.policy import DEFAULT_POLICY, WIDENED_MM, policy_with
from planner.prepared import PreparedCase
from planner.proof import structure_digest
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest
from planner.result import Plan

SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
REQUEST = PlanRequest(
    target=AnteriorBody(level="L3"), approaches=(Approach.TRANSPEDICULAR,), sides=(Side.LEFT,),
    needles=("15G-bevel-150",),
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared() -> PreparedCase:
    case = load_case(SAMPLE)
    kept = tuple(s for s in case.structures if s.kind is not Kind.CANAL)
    return PreparedCase(replace(case, structures=kept))


@pytest.fixture(scope="module")
def planned(prepared: PreparedCase) -> Plan:
    return plan(prepared, REQUEST)


def test_derived_structures_are_measured_and_kept_further_away_from(
    prepared: PreparedCase, planned: Plan
) -> None:
    names = [s.name for s in prepared.derived.structures]
    assert "derived_canal" in names
    assert "derived_root_L3_left" in names
    assert planned.trajectories
    for found in planned.trajectories:
        ours = {c.structure: c for c in found.clearances if c.derived}
        assert sorted(ours) == sorted(names)
        for c in ours.values():
            hard = DEFAULT_POLICY.rule(c.kind).hard_mm
            assert hard is not None
            assert c.required_mm == hard + WIDENED_MM[c.kind]
            assert c.margin_mm is not None
            assert c.margin_mm >= found.margin_mm
        assert any("no canal was segmented" in said for said in found.cautions)


def test_a_plan_says_what_was_derived_and_by_how_much_it_is_kept_away_from(
    planned: Plan,
) -> None:
    for kind in (Kind.CANAL, Kind.NERVE_ROOT):
        [said] = [
            w
            for w in planned.warnings
            if w.startswith(f"no {kind.replace('_', ' ')} was segmented")
        ]
        assert f"{WIDENED_MM[kind]:.1f} mm more" in said
        assert "confidence 0." in said


def test_a_proof_is_about_what_was_derived_too(prepared: PreparedCase) -> None:
    space = space_of(prepared, REQUEST)
    structures = [s for s in prepared.case.structures if s.derived is not None]
    assert {s.kind for s in structures} == {Kind.CANAL, Kind.NERVE_ROOT}
    for s in structures:
        place = prepared.case.structures.index(s)
        hard = DEFAULT_POLICY.rule(s.kind).hard_mm
        assert space.required_mm[place] == (hard or 0.0) + WIDENED_MM[s.kind]
        assert np.array_equal(space.corners[place], s.mesh.corners)
    again = PreparedCase(prepared.given).case.structures
    digests = [[structure_digest(s.mesh) for s in one] for one in (prepared.case.structures, again)]
    assert digests[0] == digests[1]


def test_a_stated_limit_is_widened_too(prepared: PreparedCase, planned: Plan) -> None:
    best = planned.trajectories[0]
    drawn = EvaluationRequest(
        path=best.path, needle=best.needle, target=REQUEST.target,
        policy=policy_with({Kind.CANAL: (0.5, 3.0), Kind.NERVE_ROOT: (None, 2.0)}),
    )  # fmt: skip
    required = {c.kind: c.required_mm for c in evaluate(prepared, drawn).clearances}
    assert required[Kind.CANAL] == 0.5 + WIDENED_MM[Kind.CANAL]
    assert required[Kind.NERVE_ROOT] is None


def test_what_is_given_is_never_derived(prepared: PreparedCase) -> None:
    bones = {s.name: prepared.bone(s) for s in prepared.given.of_kind(Kind.VERTEBRA)}
    found = derived_anatomy(load_case(SAMPLE), bones)
    assert {s.kind for s in found.structures} == {Kind.NERVE_ROOT}
