"""Names of straight paths: each follows from where the path runs, and from nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from planner.anatomy.model import Pedicle, ScrewAxis
from planner.approach import Gate
from planner.case import Kind, Side
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, Approach, PlanRequest
from planner.result import Clearance
from planner.technique import crossing_rise_mm, technique_of
from planner.transverse_process import Passage, passage

AXES = np.eye(3)  # outward, posterior, superior
SCREW = np.array([[20.0, 40.0, 0.0], [10.0, 0.0, 0.0]])
OVER = np.array([[26.0, 38.0, 8.0], [2.0, -2.0, 2.0]])


@pytest.fixture(scope="module")
def question(lumbar: PreparedCase) -> Question:
    return question_of(lumbar, PlanRequest(target=AnteriorBody(level="L3")))


def _gate(question: Question, approach: Approach) -> Gate:
    [(gate, _)], _ = gates_for(question, (approach,), (Side.LEFT,), [needle_named("15G-bevel-150")])
    return gate


def _screw(question: Question) -> ScrewAxis:
    return question.prepared.screw("screw_L3_L", field="screw")


def _beside(gate: Gate, lateral: float, cranial: float) -> Line:
    """Return a line along the gate's normal that pierces it at a place."""
    at = gate.origin_mm + lateral * gate.axes[0] + cranial * gate.axes[1]
    return Line(start_mm=at - 60.0 * gate.axes[2], end_mm=at + 30.0 * gate.axes[2])


def _pedicle(question: Question) -> Pedicle:
    found = question.pedicle(Side.LEFT)
    assert isinstance(found, Pedicle)
    return found


def test_a_path_crosses_a_screw_above_or_below_it() -> None:
    above = crossing_rise_mm(OVER, SCREW, AXES)
    assert above is not None
    assert above > 0.0
    assert crossing_rise_mm(OVER * [1.0, 1.0, -1.0], SCREW, AXES) == pytest.approx(-above)


def test_a_path_that_stays_on_one_side_of_a_screw_does_not_cross_it() -> None:
    assert crossing_rise_mm(SCREW + np.array([8.0, 0.0, 3.0]), SCREW, AXES) is None
    assert crossing_rise_mm(SCREW - np.array([8.0, 0.0, -3.0]), SCREW, AXES) is None


def test_a_path_from_medial_to_lateral_is_no_crossing() -> None:
    mirrored = OVER * [-1.0, 1.0, 1.0] + np.array([30.0, 0.0, 0.0])
    assert crossing_rise_mm(mirrored, SCREW, AXES) is None


def test_crossing_needs_a_screw_where_the_path_is() -> None:
    assert crossing_rise_mm(OVER - np.array([0.0, 60.0, 0.0]), SCREW, AXES) is None


def test_the_name_does_not_depend_on_where_the_patient_lies(rng: np.random.Generator) -> None:
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    shift = rng.normal(size=3)
    moved = crossing_rise_mm(OVER @ turn.T + shift, SCREW @ turn.T + shift, AXES @ turn.T)
    assert moved == pytest.approx(crossing_rise_mm(OVER, SCREW, AXES))


@pytest.mark.parametrize(("rise", "name"), [(7.0, "over"), (-7.0, "under")])
def test_crossing_the_screw_of_its_side_names_a_path(
    question: Question, rise: float, name: str
) -> None:
    screw = _screw(question)
    outward, _, superior = question.axes
    along = screw.tip_mm - screw.head_mm
    middle = screw.head_mm + 0.5 * along + rise * superior
    line = Line(
        start_mm=middle - 0.9 * along + 20.0 * outward, end_mm=middle + 0.3 * along - 6.0 * outward
    )
    bone = middle - 0.4 * along + 8.0 * outward
    gate = _gate(question, Approach.EXTRAPEDICULAR)
    assert technique_of(question, gate, line, bone, ()) == f"cross_{name}_screw"


def test_a_way_through_the_pedicle_to_beside_the_screws_tip(question: Question) -> None:
    screw, superior = _screw(question), question.axes[2]
    line = Line(start_mm=screw.head_mm + 5.0 * superior, end_mm=screw.tip_mm + 3.0 * superior)
    gate = _gate(question, Approach.TRANSPEDICULAR)
    assert technique_of(question, gate, line, None, ()) == "oblique_to_screw_tip"
    short = Line(start_mm=line.start_mm, end_mm=line.end_mm - 20.0 * line.direction)
    assert technique_of(question, gate, short, None, ()) == "residual_corridor"


def test_a_way_through_a_pedicle_is_named_by_whether_metal_is_in_it(question: Question) -> None:
    given = question.prepared.given
    bare = PreparedCase(replace(given, structures=(given.structure("L3"),)))
    without = replace(question, prepared=bare)
    gate = _gate(question, Approach.TRANSPEDICULAR)
    middle = _pedicle(question).outline.representative_point()
    line = _beside(gate, middle.x, middle.y)
    assert technique_of(question, gate, line, None, ()) == "residual_corridor"
    assert technique_of(without, gate, line, None, ()) == "free_pedicle"


def test_beside_the_pedicle_its_height_names_a_path(question: Question) -> None:
    gate = _gate(question, Approach.EXTRAPEDICULAR)
    _, low, east, high = _pedicle(question).outline.bounds
    above, beside = _beside(gate, east + 8.0, high), _beside(gate, east + 8.0, 0.5 * (low + high))
    assert technique_of(question, gate, above, None, ()) == "superior_extrapedicular"
    assert technique_of(question, gate, beside, None, ()) == "lateral_extrapedicular"


def test_a_rib_lateral_of_a_path_bounds_the_gap_it_takes(question: Question) -> None:
    gate = _gate(question, Approach.PARAPEDICULAR)
    thoracic = replace(question, bone=replace(question.bone, level="T8"))
    line = _beside(gate, 8.0, 0.0)
    outward = gate.axes[0]
    for side, name in ((1.0, "between_pedicle_and_rib_head"), (-1.0, "lateral_parapedicular")):
        rib = _rib(line, 5.0 * side * outward)
        assert technique_of(thoracic, gate, line, None, (rib,)) == name
        assert technique_of(question, gate, line, None, (rib,)) == "lateral_parapedicular", "L3"
    far = _rib(line, 15.0 * outward)
    assert technique_of(thoracic, gate, line, None, (far,)) == "lateral_parapedicular"


def test_a_path_passes_over_under_or_through_the_transverse_process(question: Question) -> None:
    pedicle = _pedicle(question)
    _, _, wall, _ = pedicle.outline.bounds
    axes = np.stack([pedicle.lateral, pedicle.cranial, pedicle.axis])
    local = (question.bone.mesh.vertices - pedicle.centre_mm) @ axes.T
    process = local[(local[:, 0] > wall + 7.0) & (local[:, 0] < wall + 15.0) & (local[:, 2] < 0.0)]
    low, high, middle = process[:, 1].min(), process[:, 1].max(), process.mean(axis=0)
    heights = {
        Passage.UNDER: low - 3.0, Passage.OVER: high + 3.0, Passage.THROUGH: middle[1],
    }  # fmt: skip
    for how, height in heights.items():
        aside = np.array([middle[0], height])
        ends = [np.append(aside, middle[2] + forward) @ axes for forward in (-60.0, 30.0)]
        line = Line(start_mm=pedicle.centre_mm + ends[0], end_mm=pedicle.centre_mm + ends[1])
        assert passage(question, (line,)) is how
    inner = Line(start_mm=pedicle.centre_mm - 60.0 * pedicle.axis, end_mm=pedicle.centre_mm)
    assert passage(question, (inner,)) is None, "medial of the process"


def _rib(line: Line, off: np.ndarray) -> Clearance:
    return Clearance(
        structure="rib", kind=Kind.RIB, distance_mm=float(np.linalg.norm(off)), required_mm=0.0,
        margin_mm=1.0, at_depth_mm=50.0, nearest_point_mm=line.end_mm + off,
        path_point_mm=line.end_mm,
    )  # fmt: skip
