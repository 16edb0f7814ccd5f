"""Plans on cases that lack a canal and roots: derived ones count, with more room, and are proved."""

from dataclasses import replace
from pathlib import Path

import pytest

from planner.case import Case, Kind, Side
from planner.case_io import load_case
from planner.planning import evaluate, plan_with_proof
from planner.policy import DEFAULT_POLICY, WIDENED_MM, policy_with
from planner.prepared import PreparedCase
from planner.proof import Proof
from planner.proof_check import check_proof
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
def planned(prepared: PreparedCase) -> tuple[Plan, Proof]:
    return plan_with_proof(prepared, REQUEST)


def test_derived_structures_are_measured_and_kept_further_away_from(
    prepared: PreparedCase, planned: tuple[Plan, Proof]
) -> None:
    names = [s.name for s in prepared.derived.structures]
    assert "derived_canal" in names
    assert "derived_root_L3_left" in names
    assert planned[0].trajectories
    for found in planned[0].trajectories:
        ours = {c.structure: c for c in found.clearances if c.derived}
        assert sorted(ours) == sorted(names)
        for c in ours.values():
            hard = DEFAULT_POLICY.rule(c.kind).hard_mm
            assert hard is not None
            assert c.required_mm == hard + WIDENED_MM[c.kind]
            assert c.margin_mm is not None
            assert c.margin_mm >= found.margin_mm
        assert any("derived, not segmented" in said for said in found.cautions)


def test_a_plan_says_what_was_derived_and_by_how_much_it_is_kept_away_from(
    planned: tuple[Plan, Proof],
) -> None:
    for kind in (Kind.CANAL, Kind.NERVE_ROOT):
        [said] = [w for w in planned[0].warnings if w.startswith(f"no {kind} was segmented")]
        assert f"{WIDENED_MM[kind]:.1f} mm more" in said
        assert "confidence 0." in said


def test_a_proof_covers_what_was_derived(
    prepared: PreparedCase, planned: tuple[Plan, Proof]
) -> None:
    _, proof = planned
    assert {s.name for s in prepared.derived.structures} <= {s.name for s in proof.structures}
    report = check_proof(prepared.given, REQUEST, proof)
    assert report.holds, report.failures
    without = tuple(s for s in proof.structures if not s.name.startswith("derived_"))
    assert not check_proof(prepared, REQUEST, replace(proof, structures=without)).holds


def test_a_stated_limit_is_widened_too(prepared: PreparedCase, planned: tuple[Plan, Proof]) -> None:
    best = planned[0].trajectories[0]
    drawn = EvaluationRequest(
        path=best.path, needle=best.needle, target=REQUEST.target,
        policy=policy_with({Kind.CANAL: (0.5, 3.0), Kind.NERVE_ROOT: (None, 2.0)}),
    )  # fmt: skip
    required = {c.kind: c.required_mm for c in evaluate(prepared, drawn).clearances}
    assert required[Kind.CANAL] == 0.5 + WIDENED_MM[Kind.CANAL]
    assert required[Kind.NERVE_ROOT] is None


def test_a_case_that_was_completed_is_not_completed_again(prepared: PreparedCase) -> None:
    again = PreparedCase(prepared.case)
    assert again.derived.structures == ()
    assert [s.name for s in again.case.structures] == [s.name for s in prepared.case.structures]


def test_what_is_given_is_never_derived() -> None:
    case: Case = load_case(SAMPLE)
    kinds = {s.kind for s in PreparedCase(case).derived.structures}
    assert kinds == {Kind.NERVE_ROOT}
