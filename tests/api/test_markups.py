"""Slicer markups: the paths of a plan, point by point, as Slicer's schema 1.0.3 has them."""

import math
from typing import Any

import jsonschema
import numpy as np
import pytest

from api.markups import SCHEMA, markups_document

LINE = {"type": "line", "start_mm": [1.0, 80.0, 3.0], "end_mm": [1.0, 20.0, 3.0]}
ARC = {
    "type": "arc", "start_mm": [1.0, 20.0, 3.0], "end_mm": [21.0, 0.0, 3.0],
    "centre_mm": [21.0, 20.0, 3.0], "radius_mm": 20.0, "angle_deg": 90.0,
}  # fmt: skip
MIRRORED = {**ARC, "end_mm": [-19.0, 0.0, 3.0], "centre_mm": [-19.0, 20.0, 3.0]}


def _plan(*trajectories: dict[str, Any]) -> dict[str, Any]:
    return {"trajectories": list(trajectories)}


def _trajectory(rank: int, *path: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "rank": rank, "needle": "15G-150", "approach": "transpedicular", "side": "left",
        "margin_mm": 1.234, "path": list(path), "second_arc": None, **more,
    }  # fmt: skip


def _points(markup: dict[str, Any]) -> np.ndarray:
    return np.array([point["position"] for point in markup["controlPoints"]])


@pytest.fixture(scope="module")
def markups() -> list[dict[str, Any]]:
    second = {"path": [LINE, MIRRORED], "turn_clockwise_deg": 180.0, "margin_mm": 0.9}
    document = markups_document(
        _plan(_trajectory(1, LINE), _trajectory(2, LINE, ARC, second_arc=second))
    )
    assert document["@schema"] == SCHEMA
    return list(document["markups"])


def test_a_straight_path_is_a_line_from_skin_to_tip(markups: list[dict[str, Any]]) -> None:
    assert markups[0]["type"] == "Line"
    assert _points(markups[0]).tolist() == [LINE["start_mm"], LINE["end_mm"]]
    assert [p["label"] for p in markups[0]["controlPoints"]] == ["skin entry", "tip"]


def test_a_curved_path_runs_along_its_arc_and_is_turned_into_another(
    markups: list[dict[str, Any]],
) -> None:
    assert [m["type"] for m in markups] == ["Line", "Curve", "Curve"]
    assert [m["name"].split()[0] for m in markups[1:]] == ["trajectory_2", "trajectory_2b"]
    for markup, arc in zip(markups[1:], (ARC, MIRRORED), strict=True):
        points = _points(markup)
        assert points[0].tolist() == LINE["start_mm"]
        assert points[-1].tolist() == arc["end_mm"]
        off = np.linalg.norm(points[1:] - arc["centre_mm"], axis=1) - 20.0
        assert np.abs(off).max() < 1e-3
        chords = np.linalg.norm(np.diff(points[1:], axis=0), axis=1)
        assert chords.sum() == pytest.approx(10.0 * math.pi, abs=0.01)


def test_every_markup_states_frame_units_and_defined_points(markups: list[dict[str, Any]]) -> None:
    for markup in markups:
        assert markup["coordinateSystem"] == "LPS"
        assert markup["coordinateUnits"] == "mm"
        assert {p["positionStatus"] for p in markup["controlPoints"]} == {"defined"}
        assert "not a medical device" in markup["controlPoints"][0]["description"]


def test_a_plan_without_paths_has_no_markups() -> None:
    assert markups_document(_plan())["markups"] == []


def _numbers(count: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}


# What Slicer's schema 1.0.3 asks of lines and curves, in our words.
TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
POINT = {
    **dict.fromkeys(["id", "label", "description"], TEXT),
    "position": _numbers(3),
    **dict.fromkeys(["selected", "locked", "visibility"], FLAG),
    "positionStatus": {"enum": ["undefined", "preview", "defined"]},
}
MARKUP = {
    "type": {"enum": ["Fiducial", "Line", "Angle", "Curve", "ClosedCurve", "Plane", "ROI"]},
    "name": TEXT,
    "coordinateSystem": {"enum": ["LPS", "RAS"]},
    "coordinateUnits": {"enum": ["mm", "um"]},
    **dict.fromkeys(["locked", "fixedNumberOfControlPoints"], FLAG),
    "labelFormat": TEXT,
    "lastUsedControlPointNumber": {"type": "integer"},
    "controlPoints": {"type": "array", "items": {"type": "object", "properties": POINT}},
}
RULES = {
    "type": "object",
    "required": ["@schema", "markups"],
    "properties": {
        "@schema": {"type": "string", "pattern": r"markups-schema-v1\.[0-9]+\.[0-9]+\.json#*$"},
        "markups": {
            "type": "array",
            "items": {"type": "object", "required": ["type"], "properties": MARKUP},
        },
    },
}


def test_markups_keep_to_slicers_schema(markups: list[dict[str, Any]]) -> None:
    document = {"@schema": SCHEMA, "markups": markups}
    jsonschema.Draft7Validator(RULES).validate(document)
    points = [point for markup in markups for point in markup["controlPoints"]]
    assert {key for markup in markups for key in markup} <= set(MARKUP)
    assert {key for point in points for key in point} <= set(POINT)
    wrong = {**document, "markups": [{**markups[0], "coordinateSystem": "XYZ"}]}
    assert not jsonschema.Draft7Validator(RULES).is_valid(wrong)
