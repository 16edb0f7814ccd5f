"""Targets on real anatomy, where it is there: what is planned, and what it is called."""

from collections.abc import Callable

import pytest

from planner.case import Kind, Side
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, PlanRequest, ScrewHalo
from planner.result import Outcome


@pytest.mark.parametrize(
    ("screw", "name"), [("screw_S1_L", "sacral_pedicle"), ("screw_ilium_R", "iliac_corridor")]
)
def test_halos_of_sacral_and_iliac_screws_are_planned_or_refused_with_reasons(
    real_case: Callable[[str], PreparedCase], screw: str, name: str
) -> None:
    prepared = real_case("sacropelvic")
    request = PlanRequest(
        target=ScrewHalo(screw=screw), needles=("15G-bevel-150",), max_trajectories=2
    )
    answer = plan(prepared, request)
    assert len(answer.certificates) == len(request.approaches) * len(request.sides)
    assert all(c.statement for c in answer.certificates)
    assert (answer.outcome is Outcome.FOUND) == bool(answer.trajectories)
    for found in answer.trajectories:
        assert found.technique == name
        assert found.reaches_target
        assert found.margin_mm >= 0.0
        own = next(c for c in found.clearances if c.structure == screw)
        assert own.kind is Kind.SCREW
        assert own.distance_mm < 6.0, "the tip lies at its screw"
        assert found.halo_overlap is not None
        assert found.cement is not None
        assert found.cement.ring_gap_mm is not None


def test_a_pedicle_is_free_on_the_side_without_the_screw(
    real_case: Callable[[str], PreparedCase],
) -> None:
    prepared = real_case("one-screw-minimal")
    named = {}
    for side in Side:
        request = PlanRequest(
            target=AnteriorBody(level="L3"), approaches=(Approach.TRANSPEDICULAR,), sides=(side,),
            needles=("15G-bevel-150",), max_trajectories=1, certificate_tolerance_mm=1.0,
        )  # fmt: skip
        [found] = plan(prepared, request).trajectories
        named[side] = found.technique
    assert named[Side.RIGHT] == "free_pedicle"
    assert named[Side.LEFT] in {"cross_over_screw", "cross_under_screw", "residual_corridor"}
