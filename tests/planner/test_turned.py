"""One puncture, two arcs: both are measured, they share their cannula, and the turn is the hub's."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.arrays import unit
from geometry.solids import ellipsoid
from planner.case import Kind, Side, Structure
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.path import Arc, Line
from planner.planning import plan, scene_of
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, Approach, PlanRequest, ScrewTip
from planner.result import Trajectory
from planner.search.classes import ClassSearch
from planner.search.curved import curved_family
from planner.search.family import line_family
from planner.target import TargetRegion
from planner.trajectory import turn_between
from planner.turned import ONE_SIDED, both_sides
from tests.planner.second_look import margin_mm

CURVED = "curved-14G-in-11G"
REQUEST = PlanRequest(
    target=AnteriorBody(level="L2"), needles=(CURVED,), sides=(Side.RIGHT,),
    approaches=(Approach.TRANSPEDICULAR,), certificate_tolerance_mm=3.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module")
def offered(prepared: PreparedCase) -> Trajectory:
    [found] = [t for t in plan(prepared, REQUEST).trajectories if t.second_arc is not None]
    return found


def _search(question: Question, needle: str) -> ClassSearch:
    region, used = question.region, needle_named(needle)
    assert isinstance(region, TargetRegion)
    [(gate, _)], _ = gates_for(question, (Approach.TRANSPEDICULAR,), (Side.RIGHT,), [used])
    lines = line_family(gate, scene_of(question, region), region, used.usable_length_mm)
    family = lines if used.curved is None else curved_family(lines, used)
    return ClassSearch(gate=gate, needle=used, family=family, result=None)


def test_both_arcs_leave_one_cannula_and_keep_every_limit(offered: Trajectory) -> None:
    assert offered.second_arc is not None
    (cannula, _), (same, _) = offered.path, offered.second_arc.path
    assert np.allclose(cannula.start_mm, same.start_mm, atol=1e-9)
    assert np.allclose(cannula.end_mm, same.end_mm, atol=1e-9)
    assert offered.margin_mm >= 0.0
    assert offered.second_arc.margin_mm >= 0.0
    assert "both sides of the midline from one puncture" in offered.reasons


def test_tips_lie_on_either_side_and_in_the_target(
    prepared: PreparedCase, offered: Trajectory
) -> None:
    assert offered.second_arc is not None
    region = question_of(prepared, REQUEST).region
    assert isinstance(region, TargetRegion)
    for side, path in ((Side.RIGHT, offered.path), (Side.LEFT, offered.second_arc.path)):
        half = region.beside_midline(side)
        assert half is not None
        assert half.contains(path[-1].end_mm)
        assert region.contains(path[-1].end_mm)


def test_both_arcs_keep_what_is_told_of_them_measured_a_second_time(
    prepared: PreparedCase, offered: Trajectory
) -> None:
    question = question_of(prepared, REQUEST)
    assert offered.second_arc is not None
    told = {offered.margin_mm: offered.path, offered.second_arc.margin_mm: offered.second_arc.path}
    for margin, path in told.items():
        assert margin == pytest.approx(margin_mm(question, offered, path), abs=2e-3)


def test_the_turn_takes_one_arc_to_the_other(offered: Trajectory) -> None:
    assert offered.second_arc is not None
    cannula, arc = offered.path
    other = offered.second_arc.path[-1]
    assert isinstance(arc, Arc)
    assert isinstance(other, Arc)
    along = unit(cannula.end_mm - cannula.start_mm)
    turned = Rotation.from_rotvec(offered.second_arc.turn_rad * along).apply(
        arc.centre_mm - arc.start_mm
    )
    assert np.allclose(turned, other.centre_mm - other.start_mm, atol=1e-6)


def test_a_clockwise_turn_is_positive_as_seen_from_the_hub() -> None:
    # Looking along +y with the head up, the patient's right (-x) is on the viewer's left.
    ahead = np.array([0.0, 20.0, 0.0])
    cannula = Line(start_mm=np.array([0.0, -50.0, 0.0]), end_mm=np.zeros(3))
    up, right, left = (
        (cannula, Arc(start_mm=np.zeros(3), end_mm=centre + ahead, centre_mm=centre,
                      radius_mm=20.0, angle_rad=math.pi / 2.0))
        for centre in 20.0 * np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    )  # fmt: skip
    assert turn_between(up, right) == pytest.approx(math.pi / 2.0)
    assert turn_between(up, left) == pytest.approx(-math.pi / 2.0)
    with pytest.raises(ValueError, match="arc"):
        turn_between((cannula,), right)


def test_where_nothing_serves_both_sides_the_certificate_says_so_and_that_it_is_no_proof(
    prepared: PreparedCase, offered: Trajectory
) -> None:
    """Hard cement in the far half leaves the near half, and no cannula for both."""
    assert offered.second_arc is not None
    region = question_of(prepared, REQUEST).region
    assert isinstance(region, TargetRegion)
    far = region.beside_midline(Side.LEFT)
    assert far is not None
    cement = Structure(
        name="old_cement", kind=Kind.CEMENT, source="ellipsoid",
        mesh=ellipsoid(far.centre_mm, np.array([9.0, 14.0, 14.0])),
    )  # fmt: skip
    near = [prepared.given.structure(name) for name in ("L2", "L3", "dural_sac", "screw_L2_R")]
    filled = PreparedCase(replace(prepared.given, structures=(*near, cement)))
    answer = plan(filled, REQUEST)
    [certificate] = answer.certificates
    assert answer.trajectories
    assert all(t.second_arc is None for t in answer.trajectories)
    assert certificate.statement.endswith(ONE_SIDED)


def test_no_turn_for_a_straight_needle_or_a_target_on_one_side(prepared: PreparedCase) -> None:
    body = question_of(prepared, REQUEST)
    assert both_sides(body, _search(body, CURVED)) is not None
    assert both_sides(body, _search(body, "15G-bevel-150")) is None
    tip = question_of(prepared, PlanRequest(target=ScrewTip(screw="screw_L2_R")))
    assert both_sides(tip, _search(tip, CURVED)) is None
