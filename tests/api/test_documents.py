"""What is answered: the contract's names, degrees, four decimals, and the same bytes always."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.documents import (
    angle_deg,
    dump,
    length_mm,
    plan_document,
    primary_deg,
    trajectory_document,
)
from planner.case import Kind, PatientPosition, Side
from planner.needles.path import Arc, Line
from planner.request import Approach, ErrorProfile
from planner.result import (
    BreachProbability,
    Certificate,
    Change,
    Clearance,
    CurvePoint,
    Hidden,
    Misplacement,
    Opening,
    Outcome,
    Plan,
    Status,
    TiltToPath,
    Tolerance,
    Trajectory,
    View,
    ViewRole,
)

ORIGIN = np.zeros(3)
CLEARANCE = Clearance(
    structure="dural_sac", kind=Kind.CANAL, distance_mm=4.21, required_mm=1.0, margin_mm=3.21,
    at_depth_mm=71.0, nearest_point_mm=np.array([1.0, 2.0, 3.0]), path_point_mm=ORIGIN,
)  # fmt: skip
ENTERED = replace(
    CLEARANCE, structure="L3", kind=Kind.VERTEBRA, required_mm=None, margin_mm=None, traversed=True
)
VIEW = View(
    role=ViewRole.BULLS_EYE, primary_rad=math.radians(160.0), secondary_rad=math.radians(7.5),
    console_primary_rad=math.radians(-20.0), console_secondary_rad=math.radians(7.5),
    assumed_position=PatientPosition.HFP, label="LPO 20 CRA 8", reachable=True,
)  # fmt: skip
TOLERANCE = Tolerance(
    entry_mm=1.4, angle_rad=math.radians(2.1),
    together=Misplacement(entry_mm=0.6, angle_rad=math.radians(0.8)),
)  # fmt: skip
BREACH = BreachProbability(
    profile=ErrorProfile.FREEHAND_FLUOROSCOPY, samples=1000, seed=7, total=0.03,
    total_interval=(0.02111, 0.04246), by_structure={"screw_L3_L": 0.029, "dural_sac": 0.001},
    margin_broken=0.05, worst_structure="screw_L3_L", p5_clearance_mm={"screw_L3_L": 0.123456},
)  # fmt: skip
TRAJECTORY = Trajectory(
    rank=1, approach=Approach.EXTRAPEDICULAR, side=Side.LEFT, technique="straight",
    needle="15G-bevel-150", entry_skin_mm=np.array([0.0, 100.0, -1e-9]), entry_bone_mm=None,
    tip_mm=ORIGIN,
    path=(
        Line(start_mm=np.array([0.0, 100.0, 0.0]), end_mm=ORIGIN),
        Arc(start_mm=ORIGIN, end_mm=np.array([20.0, -20.0, 0.0]),
            centre_mm=np.array([20.0, 0.0, 0.0]), radius_mm=20.0, angle_rad=math.pi / 2.0),
    ),
    outer_diameter_mm=1.829, length_mm=131.4159265, depth_to_bone_mm=None,
    clearances=(CLEARANCE, ENTERED), margin_mm=3.21, limiting_structure="dural_sac",
    reaches_target=True, obliquity_rad=math.radians(12.0), reach_mm=3.5, tolerance=TOLERANCE, breach_probability=BREACH,
    views=(VIEW,), cautions=("a caution",), reasons=("a reason",),
)  # fmt: skip
OPENING = Opening(
    change=Change.LOWER_LIMIT, subject="screw", hard_mm=0.2, margin_mm=0.00521,
    approach=Approach.TRANSPEDICULAR, side=Side.LEFT, needle="15G-bevel-150",
    entry_skin_mm=np.array([0.0, 100.0, 0.0]), tip_mm=ORIGIN,
)  # fmt: skip
CERTIFICATE = Certificate(
    approach=Approach.TRANSPEDICULAR, side=Side.LEFT, needle="15G-bevel-150",
    status=Status.INFEASIBLE, best_margin_mm=-1.31, upper_bound_mm=-1.12, tolerance_mm=0.25,
    limiting_structures=("screw_L3_L", "dural_sac"), boxes_examined=41873, statement="None.",
    blocked_by=("screw_L3_L",), openings=(OPENING,),
)  # fmt: skip
PLAN = Plan(
    case_digest="c", request_digest="r", planner_version="0", outcome=Outcome.FOUND,
    explanation="One.", trajectories=(TRAJECTORY,), certificates=(CERTIFICATE,), warnings=(),
    timings_s={"prepare": 0.91234, "search": 0.2},
)  # fmt: skip


def test_a_plan_has_the_names_of_the_contract() -> None:
    document = plan_document(PLAN)
    assert list(document) == [
        "schema", "case_digest", "request_digest", "planner_version", "outcome", "explanation",
        "trajectories", "certificates", "warnings", "timings_s",
    ]  # fmt: skip
    assert document["schema"] == "trocar/plan/1"
    [trajectory] = document["trajectories"]
    assert list(trajectory) == [
        "rank", "approach", "side", "technique", "needle", "entry_skin_mm", "entry_bone_mm",
        "tip_mm", "path", "outer_diameter_mm", "length_mm", "depth_to_bone_mm", "clearances",
        "margin_mm", "limiting_structure", "reaches_target", "obliquity_deg", "reach_mm", "tolerance", "breach_probability",
        "views", "cautions", "reasons", "second_arc", "cement", "tamp", "halo_overlap", "along_screw",
    ]  # fmt: skip
    assert document["certificates"] == [
        {
            "approach": "transpedicular", "side": "left", "needle": "15G-bevel-150",
            "status": "infeasible", "best_margin_mm": -1.31, "upper_bound_mm": -1.12,
            "tolerance_mm": 0.25, "limiting_structures": ["screw_L3_L", "dural_sac"],
            "boxes_examined": 41873, "statement": "None.",
            "why_not": {
                "blocked_by": ["screw_L3_L"],
                "openings": [
                    {
                        "change": "lower_limit", "subject": "screw", "hard_mm": 0.2,
                        "margin_mm": 0.0052, "approach": "transpedicular", "side": "left",
                        "needle": "15G-bevel-150", "entry_skin_mm": [0.0, 100.0, 0.0],
                        "tip_mm": [0.0, 0.0, 0.0],
                    }
                ],
            },
        }
    ]  # fmt: skip


def test_why_not_is_told_only_of_what_was_proved_closed() -> None:
    open_class = replace(CERTIFICATE, status=Status.FOUND, blocked_by=(), openings=())
    document = plan_document(replace(PLAN, certificates=(open_class,)))
    assert document["certificates"][0]["why_not"] is None


def test_a_view_is_written_for_dicom_and_for_the_console() -> None:
    [view] = plan_document(PLAN)["trajectories"][0]["views"]
    assert view["dicom"] == {"primary_deg": 160.0, "secondary_deg": 7.5}
    assert view["console"]["primary_deg"] == -20.0
    assert view["console"]["assumes"] == "HFP patient, detector posterior"


def test_what_was_not_measured_of_a_view_is_null_and_what_it_has_not_is_left_out() -> None:
    [view] = plan_document(PLAN)["trajectories"][0]["views"]
    assert view["hardware_overlap"] is None
    assert view["tip_hidden"] is None
    assert not {"tilt_to_path", "curve", "resolution_deg"} & set(view)
    assert "3 to 4 degrees" in view["assumption"]


def test_what_metal_hides_is_written_as_shares_and_angles_in_degrees() -> None:
    hidden = Hidden(
        tip=0.25, target=None, posterior_wall=1 / 3, overall=0.2777, nearby=0.4, at_tip=True
    )
    tilt = TiltToPath(
        screw="screw_L3_L", lateral_rad=math.radians(10.0), cranial_rad=math.radians(-8.0),
        angle_rad=math.radians(12.5),
    )  # fmt: skip
    point = CurvePoint(primary_rad=-math.pi, secondary_rad=math.radians(5.0), reachable=False)
    seen = replace(
        VIEW, hidden=hidden, tilt=tilt, curve=(point,), resolution_rad=math.radians(1.0),
        together_with=(ViewRole.TRUE_LATERAL,), plane="generic-biplane", needle_length_share=0.5,
    )  # fmt: skip
    view = trajectory_document(replace(TRAJECTORY, views=(seen,)))["views"][0]
    assert view["hardware_overlap"] == 0.2777
    assert view["tip_hidden"] is True
    assert view["hidden"] == {
        "tip": 0.25, "target": None, "posterior_wall": 0.3333, "nearby": 0.4,
    }  # fmt: skip
    assert view["tilt_to_path"] == {
        "screw": "screw_L3_L", "lateral_deg": 10.0, "cranial_deg": -8.0, "angle_deg": 12.5,
    }  # fmt: skip
    assert view["curve"] == [[180.0, 5.0, False]]
    assert view["resolution_deg"] == 1.0
    assert view["together_with"] == ["true_lateral"]


def test_flags_of_a_clearance_are_written_only_when_raised() -> None:
    plain, entered = plan_document(PLAN)["trajectories"][0]["clearances"]
    assert not {"traversed", "contact_allowed", "advisory"} & set(plain)
    assert entered["traversed"] is True
    assert entered["margin_mm"] is None
    assert entered["required_mm"] is None


def test_an_arc_is_written_in_degrees() -> None:
    line, arc = plan_document(PLAN)["trajectories"][0]["path"]
    assert list(line) == ["type", "start_mm", "end_mm"]
    assert arc["angle_deg"] == 90.0
    assert arc["radius_mm"] == 20.0


def test_no_negative_zero_is_written() -> None:
    assert "-0.0," not in dump(plan_document(PLAN))
    assert str(length_mm(-0.00001)) == "0.0"
    assert str(angle_deg(-1e-9)) == "0.0"


def test_the_same_plan_is_the_same_bytes() -> None:
    text = dump(plan_document(PLAN))
    assert text == dump(plan_document(PLAN))
    assert json.loads(text) == plan_document(PLAN)


def test_a_number_that_json_does_not_have_is_our_fault_and_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dump({"margin_mm": math.nan})


def test_a_breach_probability_is_written_with_its_interval_and_its_source() -> None:
    [trajectory] = plan_document(PLAN)["trajectories"]
    assert trajectory["breach_probability"] == {
        "profile": "freehand_fluoroscopy", "samples": 1000, "seed": 7, "total": 0.03,
        "total_interval": [0.0211, 0.0425],
        "by_structure": {"screw_L3_L": 0.029, "dural_sac": 0.001}, "margin_broken": 0.05,
        "worst_structure": "screw_L3_L", "p5_clearance_mm": {"screw_L3_L": 0.1235},
    }  # fmt: skip


@given(st.floats(0.0, 100.0), st.floats(0.0, math.pi))
def test_a_written_tolerance_is_never_above_the_proved_one(entry: float, angle: float) -> None:
    proved = Tolerance(
        entry_mm=entry, angle_rad=angle,
        together=Misplacement(entry_mm=entry / 2.0, angle_rad=angle / 2.0),
    )  # fmt: skip
    plan = replace(PLAN, trajectories=(replace(TRAJECTORY, tolerance=proved),))
    written = plan_document(plan)["trajectories"][0]["tolerance"]
    for document, truth in ((written, proved), (written["together"], proved.together)):
        assert truth.entry_mm - 1.01e-4 < document["entry_mm"] <= truth.entry_mm
        degrees = math.degrees(truth.angle_rad)
        assert degrees - 0.0101 < document["angle_deg"] <= degrees


def test_no_tolerance_is_written_where_a_limit_is_broken() -> None:
    plan = replace(PLAN, trajectories=(replace(TRAJECTORY, tolerance=None),))
    assert plan_document(plan)["trajectories"][0]["tolerance"] is None


@given(st.floats(-1e3, 1e3))
def test_a_written_upper_bound_is_never_below_the_proved_one(bound: float) -> None:
    plan = replace(PLAN, certificates=(replace(CERTIFICATE, upper_bound_mm=bound),))
    written = plan_document(plan)["certificates"][0]["upper_bound_mm"]
    assert bound <= written <= bound + 2.1e-4


def test_what_is_proved_infeasible_is_not_written_as_zero() -> None:
    plan = replace(PLAN, certificates=(replace(CERTIFICATE, upper_bound_mm=-2e-5),))
    assert plan_document(plan)["certificates"][0]["upper_bound_mm"] < 0.0


@given(st.floats(-1e3, 1e3), st.floats(0.0, 1.0))
def test_written_bounds_keep_their_order(best: float, gap: float) -> None:
    certificate = replace(CERTIFICATE, best_margin_mm=best, upper_bound_mm=best + gap)
    [written] = plan_document(replace(PLAN, certificates=(certificate,)))["certificates"]
    assert written["best_margin_mm"] <= written["upper_bound_mm"]


@given(st.floats(-math.pi, math.pi))
def test_a_written_primary_angle_is_above_minus_180(angle_rad: float) -> None:
    assert -180.0 < primary_deg(angle_rad) <= 180.0
