"""Laws of the planner, on a bundled case: what moves, mirrors, grows or thins must act as it should.

One needle and few approaches keep a plan short; the laws do not depend on them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.frames import PATIENT, RigidTransform, angle_between
from geometry.mesh import TriangleMesh
from planner.case import Case, Kind, Side
from planner.case_io import load_case
from planner.needles.path import Line
from planner.planning import evaluate, plan
from planner.policy import policy_with
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest
from planner.result import Plan, Trajectory
from tests.planner.elsewhere import FLIP, OTHER, moved

SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
REQUEST = PlanRequest(
    target=AnteriorBody(level="L3"),
    approaches=(Approach.TRANSPEDICULAR, Approach.PARAPEDICULAR),
    needles=("15G-bevel-150",),
)
POSITION_MM = 0.05
ANGLE_RAD = np.radians(0.05)


def _best(answer: Plan) -> dict[tuple[Approach | None, Side | None], Trajectory]:
    best: dict[tuple[Approach | None, Side | None], Trajectory] = {}
    for t in answer.trajectories:
        best.setdefault((t.approach, t.side), t)
    return best


@pytest.fixture(scope="module")
def case(lumbar: PreparedCase) -> Case:
    return lumbar.given


@pytest.fixture(scope="module")
def answer(lumbar: PreparedCase) -> Plan:
    return plan(lumbar, REQUEST)


def test_a_path_is_found_and_verified_against_every_structure(case: Case, answer: Plan) -> None:
    assert answer.trajectories
    for t in answer.trajectories:
        names = [c.structure for c in t.clearances]
        assert names[: len(case.structures)] == [s.name for s in case.structures]
        assert all(c.derived for c in t.clearances[len(case.structures) :])
        assert t.margin_mm == min(c.margin_mm for c in t.clearances if c.margin_mm is not None)
        assert t.margin_mm >= 0.0
        assert t.reaches_target


@pytest.mark.parametrize(
    ("axis", "angle_deg"), [("x", 45.0), ("y", -45.0), ("z", 45.0), ("xyz", 30.0)]
)
def test_moving_the_case_moves_the_plan_with_it(
    case: Case, answer: Plan, axis: str, angle_deg: float
) -> None:
    about = np.array([c in axis for c in "xyz"], dtype=np.float64)
    turn = Rotation.from_rotvec(np.radians(angle_deg) * about / np.linalg.norm(about))
    transform = RigidTransform(
        target=PATIENT, source=PATIENT, rotation=turn.as_matrix(),
        translation_mm=np.array([120.0, -340.0, 910.0]),
    )  # fmt: skip
    after_it = plan(moved(case, transform), REQUEST)
    assert len(after_it.trajectories) == len(answer.trajectories)
    for before, after in zip(answer.trajectories, after_it.trajectories, strict=True):
        assert (before.approach, before.side) == (after.approach, after.side)
        for point in ("entry_skin_mm", "tip_mm"):
            expected = transform.points(getattr(before, point))
            assert np.linalg.norm(getattr(after, point) - expected) < POSITION_MM
        direction = transform.vectors(before.tip_mm - before.entry_skin_mm)
        assert angle_between(after.tip_mm - after.entry_skin_mm, direction) < ANGLE_RAD
        assert after.margin_mm == pytest.approx(before.margin_mm, abs=1e-4)


def test_mirroring_the_case_swaps_left_and_right(
    mirrored_lumbar: PreparedCase, answer: Plan
) -> None:
    mirrored = _best(plan(mirrored_lumbar, REQUEST))
    straight = _best(answer)
    assert {(a, OTHER[s]) for a, s in straight if s} == {(a, s) for a, s in mirrored if s}
    for (approach, side), before in straight.items():
        assert side is not None
        after = mirrored[approach, OTHER[side]]
        assert np.linalg.norm(after.tip_mm * FLIP - before.tip_mm) < POSITION_MM
        assert after.margin_mm == pytest.approx(before.margin_mm, abs=1e-4)


@pytest.mark.parametrize("kind", [Kind.SCREW, Kind.CANAL])
def test_asking_for_more_distance_never_raises_a_margin(
    lumbar: PreparedCase, answer: Plan, kind: Kind
) -> None:
    rule = REQUEST.policy.rule(kind)
    assert rule.hard_mm is not None
    stricter = policy_with({kind: (rule.hard_mm + 0.4, rule.preferred_mm)})
    harder = plan(lumbar, replace(REQUEST, policy=stricter))
    for before, after in zip(answer.certificates, harder.certificates, strict=True):
        if before.best_margin_mm is not None and after.best_margin_mm is not None:
            assert after.best_margin_mm <= before.best_margin_mm + 1e-3


def test_growing_an_obstacle_never_raises_a_clearance(lumbar: PreparedCase, answer: Plan) -> None:
    best, case = answer.trajectories[0], lumbar.given
    canal = case.of_kind(Kind.CANAL)[0]
    middle = canal.mesh.vertices.mean(axis=0)
    vertices = middle + (canal.mesh.vertices - middle) * np.array([1.1, 1.1, 1.0])
    grown = replace(
        canal,
        mesh=TriangleMesh(
            vertices=vertices, faces=canal.mesh.faces, is_closed=canal.mesh.is_closed
        ),
    )
    structures = tuple(grown if s.name == canal.name else s for s in case.structures)
    request = EvaluationRequest(path=best.path, needle=best.needle, target=REQUEST.target)
    before = evaluate(lumbar, request)
    after = evaluate(replace(case, structures=structures), request)
    for one, two in zip(before.clearances, after.clearances, strict=True):
        assert two.distance_mm <= one.distance_mm + 1e-9


def test_a_thinner_needle_never_has_a_smaller_margin(lumbar: PreparedCase) -> None:
    needles = ("11G-150", "13G-150", "15G-bevel-150")
    answer = plan(lumbar, replace(REQUEST, needles=needles))
    by_way: dict[tuple[Approach, Side], list[float]] = {}
    for c in answer.certificates:
        margin = -np.inf if c.best_margin_mm is None else c.best_margin_mm
        by_way.setdefault((c.approach, c.side), []).append(margin)
    for margins in by_way.values():
        assert margins == sorted(margins)


def test_the_same_question_has_the_same_answer(answer: Plan) -> None:
    again = plan(load_case(SAMPLE), REQUEST)
    assert again.explanation == answer.explanation
    for one, two in zip(answer.trajectories, again.trajectories, strict=True):
        assert np.array_equal(one.tip_mm, two.tip_mm)
        assert np.array_equal(one.entry_skin_mm, two.entry_skin_mm)
        assert [c.distance_mm for c in one.clearances] == [c.distance_mm for c in two.clearances]


def test_a_planned_path_measures_the_same_when_it_is_drawn(
    lumbar: PreparedCase, answer: Plan
) -> None:
    for planned in answer.trajectories:
        drawn = evaluate(
            lumbar,
            EvaluationRequest(path=planned.path, needle=planned.needle, target=REQUEST.target),
        )
        assert (drawn.approach, drawn.side) == (planned.approach, planned.side)
        assert drawn.margin_mm == planned.margin_mm
        assert drawn.reaches_target


def test_a_path_through_the_canal_is_measured_and_said_to_fit_no_gate(lumbar: PreparedCase) -> None:
    canal = lumbar.given.of_kind(Kind.CANAL)[0].mesh.vertices.mean(axis=0)
    path = (
        Line(
            start_mm=canal + np.array([0.0, 70.0, 0.0]), end_mm=canal - np.array([0.0, 20.0, 0.0])
        ),
    )
    drawn = evaluate(lumbar, EvaluationRequest(path=path, needle="13G-150"))
    sac = next(c for c in drawn.clearances if c.kind is Kind.CANAL)
    assert sac.distance_mm < -4.0
    assert drawn.margin_mm < 0.0
    assert drawn.approach is None
