"""Certificates of bent paths are attacked by paths that are described and measured elsewhere."""

from dataclasses import replace

import pytest

from benchmarks.adversary import Attacked, Effort, attack_target
from planner.case import Side
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, PlanRequest, ScrewHalo
from planner.result import Certificate, Status

BRIEF = Effort(paths=7_500, generations=12, simplex=40, spacing_mm=2.0)
ASKED = {
    "along a screw": PlanRequest(
        target=ScrewHalo(screw="screw_L3_L"), needles=("15G-bevel-150",), sides=(Side.LEFT,),
        approaches=(Approach.ALONG_SCREW,), max_trajectories=1,
    ),
    "curved": PlanRequest(
        target=AnteriorBody(level="L3"), needles=("curved-14G-in-11G",), sides=(Side.RIGHT,),
        approaches=(Approach.TRANSPEDICULAR,), max_trajectories=1,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module", params=ASKED)
def claimed(
    request: pytest.FixtureRequest, prepared: PreparedCase
) -> tuple[PlanRequest, Certificate]:
    asked = ASKED[request.param]
    [claim] = plan(prepared, asked).certificates
    return asked, claim


def _attacked(prepared: PreparedCase, request: PlanRequest, claim: Certificate) -> Attacked:
    [attacked] = attack_target(prepared, request, [claim], BRIEF)
    return attacked


def test_no_attack_breaks_a_bound_of_bent_paths_and_a_lowered_one_is_broken(
    prepared: PreparedCase, claimed: tuple[PlanRequest, Certificate]
) -> None:
    request, claim = claimed
    assert claim.status is Status.FOUND
    assert claim.best_margin_mm is not None
    attacked = _attacked(prepared, request, claim)
    assert not attacked.broken
    assert attacked.evolved_mm is not None
    assert attacked.evolved_mm > claim.best_margin_mm - 1.0, "an attack that comes near nothing"
    lowered = replace(claim, upper_bound_mm=attacked.evolved_mm - 0.1)
    assert replace(attacked, certificate=lowered).broken


def test_a_bent_class_says_that_no_proof_file_holds_its_bound(
    claimed: tuple[PlanRequest, Certificate],
) -> None:
    _, claim = claimed
    assert "Proof files do not hold the boxes of bent paths" in claim.statement
