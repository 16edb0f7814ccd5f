"""What may be asked: mistakes are told by field, and two ways to ask the same are the same."""

from typing import Any

import numpy as np
import pytest

from api.problems import InvalidRequestError, MalformedBodyError, problem_of
from api.schemas import Document, EvaluationDocument, PlanRequestDocument, checked
from api.strict_json import parsed_json, parsed_object
from planner.case import Kind
from planner.needles.catalogue import CATALOGUE
from planner.needles.path import Arc, Line
from planner.policy import DEFAULTS
from planner.request import AnteriorBody, Approach, ErrorProfile, FreePoint, PlanRequest

BODY = {"type": "anterior_body", "level": "L3"}
LINE = {"type": "line", "start_mm": [0, 80, 0], "end_mm": [0, 0, 0]}


def plan_request(**more: object) -> PlanRequest:
    return checked(PlanRequestDocument, {"target": BODY, **more}).request()


def errors_of(kind: type[Document], document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        checked(kind, document)
    return {error.field: error.message for error in caught.value.errors}


def test_everything_but_the_target_has_a_default() -> None:
    assert plan_request() == PlanRequest(
        target=AnteriorBody(level="L3"), digest=plan_request().digest
    )


@pytest.mark.parametrize(
    "spelled_out",
    [
        {"max_trajectories": 5},
        {"certificate_tolerance_mm": 0.25},
        {"sides": ["right", "left", "right"]},
        {"approaches": ["extrapedicular", "parapedicular", "transpedicular"]},
        {"policy": {}},
        {"policy": {"canal": {}}},
        {"policy": {"canal": {"hard_mm": 1, "preferred_mm": 3.0}}},
        {"patient_position": None},
        {"c_arm": "generic-floor"},
        {"error_profile": "freehand_fluoroscopy"},
    ],
)
def test_a_default_spelled_out_gives_the_same_digest(spelled_out: dict[str, Any]) -> None:
    assert plan_request(**spelled_out).digest == plan_request().digest


@pytest.mark.parametrize(
    "other",
    [
        {"max_trajectories": 6},
        {"certificate_tolerance_mm": 0.3},
        {"sides": ["left"]},
        {"approaches": ["transpedicular"]},
        {"needles": ["13G-150"]},
        {"policy": {"canal": {"hard_mm": 1.5}}},
        {"policy": {"canal": {"hard_mm": None}}},
        {"patient_position": "HFS"},
        {"c_arm": "generic-ceiling"},
        {"c_arm": {"primary_deg": [-100.0, 100.0], "secondary_deg": [-45.0, 45.0]}},
        {"error_profile": "navigation"},
        {"target": {"type": "anterior_body", "level": "L4"}},
    ],
)
def test_another_question_has_another_digest(other: dict[str, Any]) -> None:
    assert plan_request(**other).digest != plan_request().digest


WRONG_REQUESTS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "target", "required"),
    ({"target": {"level": "L3"}}, "target.type", "required"),
    ({"target": {"type": "disc"}}, "target.type", "anterior_body, screw_halo"),
    ({"target": {"type": "anterior_body"}}, "target.level", "required"),
    ({"target": {"type": "anterior_body", "level": "L9"}}, "target.level", "C7, T1"),
    ({"target": {**BODY, "screw": "x"}}, "target.screw", "not a key"),
    ({"target": {"type": "cage_interface", "cage": "c", "end": "up"}}, "target.end", "cranial"),
    ({"target": {"type": "point", "position_mm": [1, 2]}}, "target.position_mm", "3"),
    ({"target": {"type": "point", "position_mm": [1, 2, float("nan")]}},
     "target.position_mm[2]", "finite"),
    ({"target": {"type": "point", "position_mm": [1, 2, float("inf")]}},
     "target.position_mm[2]", "finite"),
    ({"target": {"type": "point", "position_mm": [1, 2, "3"]}}, "target.position_mm[2]", "number"),
    ({"target": BODY, "approaches": ["anterior"]}, "approaches[0]", "transpedicular"),
    ({"target": BODY, "approaches": []}, "approaches", "1"),
    ({"target": BODY, "sides": ["left", "both"]}, "sides[1]", "left, right"),
    ({"target": BODY, "needles": ["13G-150", "12G-200"]}, "needles[1]", "15G-bevel-150"),
    ({"target": BODY, "max_trajectories": -1}, "max_trajectories", "1"),
    ({"target": BODY, "max_trajectories": 51}, "max_trajectories", "50"),
    ({"target": BODY, "max_trajectories": 2.5}, "max_trajectories", "whole"),
    ({"target": BODY, "max_trajectories": True}, "max_trajectories", "whole"),
    ({"target": BODY, "certificate_tolerance_mm": 0.001}, "certificate_tolerance_mm", "0.01"),
    ({"target": {"type": "point", "position_mm": [0, 0, 0], "tolerance_mm": 5e-324}},
     "target.tolerance_mm", "0.01"),
    ({"target": BODY, "certificate_tolerance_mm": 9}, "certificate_tolerance_mm", "5"),
    ({"target": BODY, "policy": {"bone": {"hard_mm": 1}}}, "policy.bone", "vertebra, sacrum"),
    ({"target": BODY, "policy": {"canal": {"soft_mm": 1}}}, "policy.canal.soft_mm", "not a key"),
    ({"target": BODY, "policy": {"canal": {"hard_mm": -1}}}, "policy.canal.hard_mm", "0"),
    ({"target": BODY, "policy": {"canal": 3}}, "policy.canal", "object"),
    ({"target": BODY, "c_arm": {"primary_deg": [90.0, -90.0], "secondary_deg": [-30.0, 30.0]}},
     "c_arm.primary_deg", "lowest"),
    ({"target": BODY, "c_arm": {"primary_deg": [-90.0, 90.0]}}, "c_arm.secondary_deg", "required"),
    ({"target": BODY, "c_arm": "o-arm"}, "c_arm", "generic-floor"),
    ({"target": BODY, "patient_position": "prone"}, "patient_position", "HFS, HFP"),
    ({"target": BODY, "error_profile": "robot"}, "error_profile",
     "freehand_fluoroscopy, ct_laser, navigation, worst"),
    ({"target": BODY, "max_trajectory": 3}, "max_trajectory", "not a key"),
    ({"target": []}, "target", "object"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "field", "choice"), WRONG_REQUESTS)
def test_a_mistake_in_a_request_is_named_by_field_with_the_choices(
    document: dict[str, Any], field: str, choice: str
) -> None:
    errors = errors_of(PlanRequestDocument, document)
    assert set(errors) == {field}
    assert choice in errors[field]


def test_several_mistakes_are_told_at_once() -> None:
    errors = errors_of(
        PlanRequestDocument, {"target": BODY, "sides": ["up"], "max_trajectories": 0, "x": 1}
    )
    assert set(errors) == {"sides[0]", "max_trajectories", "x"}


def test_a_problem_does_not_repeat_a_long_value() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checked(PlanRequestDocument, {"target": BODY, "needles": ["secret" * 2000]})
    assert len(str(problem_of(caught.value).document())) < 2500


def test_every_needle_of_the_catalogue_can_be_asked_for() -> None:
    for name in CATALOGUE:
        assert plan_request(needles=[name]).needles == (name,)


def test_an_override_changes_one_rule_and_leaves_the_others() -> None:
    policy = plan_request(policy={"canal": {"hard_mm": 2.0}}).policy
    assert (policy.rule(Kind.CANAL).hard_mm, policy.rule(Kind.CANAL).preferred_mm) == (2.0, 3.0)
    others = set(Kind) - {Kind.CANAL}
    assert all(policy.rule(kind) == DEFAULTS[kind] for kind in others)


def test_a_hard_margin_above_the_preferred_one_raises_it_too() -> None:
    rule = plan_request(policy={"canal": {"hard_mm": 8.0}}).policy.rule(Kind.CANAL)
    assert rule.preferred_mm == 8.0


def test_a_null_hard_margin_makes_a_kind_advisory() -> None:
    assert plan_request(policy={"rib": {"hard_mm": None}}).policy.rule(Kind.RIB).hard_mm is None


def test_approaches_come_in_one_order_and_needles_in_the_callers() -> None:
    request = plan_request(
        approaches=["extrapedicular", "transpedicular"], needles=["13G-150", "11G-120", "13G-150"]
    )
    assert request.approaches == (Approach.TRANSPEDICULAR, Approach.EXTRAPEDICULAR)
    assert request.needles == ("13G-150", "11G-120")


def test_a_point_has_a_default_tolerance() -> None:
    target = plan_request(target={"type": "point", "position_mm": [1, 2, 3]}).target
    assert isinstance(target, FreePoint)
    assert target.tolerance_mm == 2.0
    np.testing.assert_array_equal(target.position_mm, [1.0, 2.0, 3.0])


def test_a_drawn_path_of_line_and_arc_is_taken_over() -> None:
    arc = {
        "type": "arc", "start_mm": [0, 0, 0], "end_mm": [20, -20, 0], "centre_mm": [20, 0, 0],
        "radius_mm": 20.0, "angle_deg": 90.0,
    }  # fmt: skip
    document = {"path": [LINE, arc], "needle": "curved-13G-in-10G", "error_profile": "navigation"}
    request = checked(EvaluationDocument, document).request()
    path = request.path
    assert request.error_profile is ErrorProfile.NAVIGATION
    assert isinstance(path[0], Line)
    assert isinstance(path[1], Arc)
    assert path[1].angle_rad == pytest.approx(np.pi / 2.0)


ARC = {"type": "arc", "start_mm": [0, 0, 0], "end_mm": [20, -20, 0], "centre_mm": [20, 0, 0]}
WRONG_PATHS: list[tuple[dict[str, Any], str, str]] = [
    ({"path": [], "needle": "13G-150"}, "path", "1"),
    ({"needle": "13G-150"}, "path", "required"),
    ({"path": [LINE]}, "needle", "required"),
    ({"path": [LINE], "needle": "nail"}, "needle", "13G-150"),
    ({"path": [LINE], "needle": "13G-150", "error_profile": "lucky"}, "error_profile", "ct_laser"),
    ({"path": [{**LINE, "end_mm": LINE["start_mm"]}], "needle": "13G-150"}, "path[0]", "same"),
    ({"path": [LINE, {**LINE, "start_mm": [0, 1, 0], "end_mm": [0, -9, 0]}], "needle": "13G-150"},
     "path", "1.000 mm away"),
    ({"path": [{**ARC, "radius_mm": 20.0, "angle_deg": 60.0}], "needle": "13G-150"},
     "path[0]", "disagree"),
    ({"path": [{**ARC, "radius_mm": 25.0, "angle_deg": 90.0}], "needle": "13G-150"},
     "path[0]", "disagree"),
    ({"path": [{**ARC, "radius_mm": 20.0, "angle_deg": 270.0}], "needle": "13G-150"},
     "path[0].angle_deg", "180"),
    ({"path": [{**ARC, "end_mm": [0, 0, 0], "radius_mm": 20.0, "angle_deg": 0.1}],
      "needle": "13G-150"}, "path[0]", "same"),
    ({"path": [{**ARC, "radius_mm": 5e-324, "angle_deg": 90.0}], "needle": "13G-150"},
     "path[0].radius_mm", "1"),
    ({"path": [{**LINE, "type": "spline"}], "needle": "13G-150"}, "path[0].type", "line, arc"),
    ({"path": [{**LINE, "start_mm": [0, 1e9, 0]}], "needle": "13G-150"},
     "path[0].start_mm[1]", "100000"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "field", "word"), WRONG_PATHS)
def test_a_mistake_in_a_drawn_path_is_named_by_field(
    document: dict[str, Any], field: str, word: str
) -> None:
    errors = errors_of(EvaluationDocument, document)
    assert set(errors) == {field}
    assert word in errors[field]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"a": [1, {"b": NaN}]}', "a[1].b"),
        (b'{"a": -Infinity}', "a"),
        (b"NaN", "body"),
        (b'{"a": 1', "body"),
        (b"", "body"),
        (b"\xff\xfe\x00", "body"),
        (b"[" * 100_000, "body"),
        (b'"\\ud800"', "body"),
    ],
)
def test_what_is_not_json_is_refused_and_the_place_named(raw: bytes, field: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        parsed_json(raw)
    assert caught.value.field == field


def test_a_list_is_not_an_object() -> None:
    with pytest.raises(MalformedBodyError, match="object"):
        parsed_object(b"[1, 2]")
