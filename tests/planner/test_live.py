"""A dragged target: every answer is proved for its own place, and only the newest one counts."""

from collections.abc import Iterator
from concurrent.futures import CancelledError

import numpy as np
import pytest

from planner.errors import RequestError
from planner.live import LivePlanner
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, FreePoint, PlanRequest
from planner.result import Status
from planner.target import anterior_body

NEEDLES = ("15G-bevel-150",)
APPROACHES = (Approach.TRANSPEDICULAR,)


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module")
def middle(prepared: PreparedCase) -> np.ndarray:
    bone = prepared.case.bone_of_level("L3")
    return np.array(anterior_body(bone, prepared.bone(bone)).centre_mm)  # type: ignore[arg-type]


@pytest.fixture
def live(prepared: PreparedCase) -> Iterator[LivePlanner]:
    request = PlanRequest(target=AnteriorBody(level="L3"), approaches=APPROACHES, needles=NEEDLES)
    planner = LivePlanner(prepared, request)
    yield planner
    planner.close()


def test_a_dragged_target_gets_the_answers_that_planning_afresh_gives(
    prepared: PreparedCase, live: LivePlanner, middle: np.ndarray
) -> None:
    for shift in ([0.0, 0.0, 0.0], [2.0, 0.0, 1.0], [4.0, 1.0, 1.0]):
        target = FreePoint(position_mm=middle + np.array(shift), tolerance_mm=2.0)
        answer = live.ask(target).result(timeout=120)
        fresh = plan(prepared, PlanRequest(target=target, approaches=APPROACHES, needles=NEEDLES))
        for one, other in zip(answer, fresh.certificates, strict=True):
            assert (one.gate.side, one.certificate.status) == (other.side, other.status)
            assert one.certificate.status is Status.FOUND
            assert one.certificate.best_margin_mm is not None
            assert other.upper_bound_mm is not None
            assert one.certificate.upper_bound_mm is not None
            assert other.best_margin_mm is not None
            # No path that planning finds is above what the drag's boxes, tried again, leave.
            assert one.certificate.upper_bound_mm >= other.best_margin_mm - 1e-9
            # Both are within the tolerance of the same truth.
            assert one.certificate.best_margin_mm <= other.upper_bound_mm + 1e-9
            assert one.certificate.best_margin_mm >= other.upper_bound_mm - 2 * 0.25


def test_only_the_newest_question_is_answered_in_full(
    live: LivePlanner, middle: np.ndarray
) -> None:
    asked = [
        live.ask(FreePoint(position_mm=middle + np.array([0.2 * i, 0.0, 0.0]), tolerance_mm=2.0))
        for i in range(12)
    ]
    newest = asked[-1].result(timeout=120)
    assert all(one.certificate.status is Status.FOUND for one in newest)
    stale = 0
    for future in asked[:-1]:
        try:
            stale += any(c.certificate.status is Status.STOPPED for c in future.result(timeout=0))
        except CancelledError:
            stale += 1
    assert stale >= 8, "questions asked within milliseconds are not all worked through"


def test_a_target_in_another_bone_is_refused(live: LivePlanner, prepared: PreparedCase) -> None:
    other = prepared.case.bone_of_level("L4").mesh.vertices.mean(axis=0)
    with pytest.raises(RequestError, match="start anew"):
        live.ask(FreePoint(position_mm=other, tolerance_mm=2.0))
