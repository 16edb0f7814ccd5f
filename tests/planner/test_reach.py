"""How oblique a path is and how much deeper it could go, held against measuring deeper paths."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.arrays import unit
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.planning import evaluate, plan
from planner.prepared import PreparedCase
from planner.question import question_of
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest
from planner.result import Plan, Trajectory

TARGET = AnteriorBody(level="L3")
REQUEST = PlanRequest(
    target=TARGET, approaches=(Approach.TRANSPEDICULAR, Approach.EXTRAPEDICULAR),
    needles=("15G-bevel-150", "15G-120"), max_trajectories=8,
)  # fmt: skip
BEYOND_MM = 0.1  # a tip up to 0.001 mm outside a face still counts as in the target


@pytest.fixture(scope="module")
def answer(lumbar: PreparedCase) -> Plan:
    return plan(lumbar, REQUEST)


def _ends_well(prepared: PreparedCase, t: Trajectory, deeper_mm: float) -> bool:
    """Whether a path pushed on is still in the target, safe, and no longer than its needle."""
    end = t.tip_mm + deeper_mm * unit(t.tip_mm - t.entry_skin_mm)
    pushed = evaluate(
        prepared,
        EvaluationRequest(
            path=(Line(start_mm=t.entry_skin_mm, end_mm=end),), needle=t.needle, target=TARGET
        ),
    )
    fits = pushed.length_mm <= needle_named(t.needle).usable_length_mm + 1e-6
    return fits and pushed.reaches_target and pushed.margin_mm >= -1e-9


def test_a_path_can_go_as_deep_as_its_reach_and_no_deeper(
    lumbar: PreparedCase, answer: Plan
) -> None:
    assert any(t.reach_mm > 1.0 for t in answer.trajectories)
    for t in answer.trajectories:
        assert t.reach_mm >= 0.0
        for share in (0.5, 1.0):
            assert _ends_well(lumbar, t, share * t.reach_mm)
        assert not _ends_well(lumbar, t, t.reach_mm + BEYOND_MM)


def test_a_path_that_does_not_end_in_the_target_reaches_nowhere(
    lumbar: PreparedCase, answer: Plan
) -> None:
    best = answer.trajectories[0]
    short = best.tip_mm - 5.0 * unit(best.tip_mm - best.entry_skin_mm)
    path = (Line(start_mm=best.entry_skin_mm, end_mm=short),)
    drawn = EvaluationRequest(path=path, needle=best.needle, target=TARGET)
    assert evaluate(lumbar, drawn).reach_mm == 0.0
    nowhere = EvaluationRequest(path=best.path, needle=best.needle)
    assert evaluate(lumbar, nowhere).reach_mm == 0.0


@pytest.mark.parametrize("degrees", [-40.0, -15.0, 0.0, 25.0])
def test_obliquity_is_the_angle_to_the_way_from_back_to_front(
    lumbar: PreparedCase, degrees: float
) -> None:
    axes = question_of(lumbar, REQUEST).axes
    tip = lumbar.case.bone_of_level("L3").mesh.vertices.mean(axis=0)
    turn = Rotation.from_rotvec(np.radians(degrees) * axes[2]).as_matrix()
    path = (Line(start_mm=tip + 90.0 * turn @ axes[1], end_mm=tip),)
    drawn = evaluate(lumbar, EvaluationRequest(path=path, needle="15G-150", target=TARGET))
    assert np.degrees(drawn.obliquity_rad) == pytest.approx(abs(degrees), abs=1e-9)
