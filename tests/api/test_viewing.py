"""What a reader looks at beside plans: the skin by its best margins, and a drawn path's picture."""

from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient

NEEDLE = "15G-bevel-150"
ASKED = {
    "target": {"type": "anterior_body", "level": "L3"}, "approaches": ["transpedicular"],
    "sides": ["left"], "needles": [NEEDLE],
}  # fmt: skip
DOWN = {"primary_deg": 160.0, "secondary_deg": 5.0}


def places(client: TestClient, case_id: str, **change: object) -> list[dict[str, Any]]:
    """Return the places of a map from which a path was found."""
    reply = client.post(f"/v1/cases/{case_id}/skin-map", json={**ASKED, "step_deg": 6.0, **change})
    assert reply.status_code == 200, reply.text
    return [one for one in reply.json()["places"] if one["margin_mm"] is not None]


def straight(place: dict[str, Any]) -> dict[str, Any]:
    """Return the path of a place, as it is drawn."""
    line = {"type": "line", "start_mm": place["entry_mm"], "end_mm": place["tip_mm"]}
    return {"path": [line], "needle": place["needle"], "target": ASKED["target"]}


@pytest.fixture(scope="module")
def found(client: TestClient, demo_case_id: str) -> list[dict[str, Any]]:
    return places(client, demo_case_id)


def test_a_place_of_the_skin_tells_what_is_measured_of_its_own_path(
    client: TestClient, demo_case_id: str, found: list[dict[str, Any]]
) -> None:
    by_margin = sorted(found, key=lambda one: one["margin_mm"])
    for place in (by_margin[0], by_margin[-1]):
        measured = client.post(f"/v1/cases/{demo_case_id}/evaluate", json=straight(place)).json()
        assert measured["margin_mm"] == pytest.approx(place["margin_mm"], abs=2e-3)
        assert measured["limiting_structure"] == place["limiting_structure"]
        assert (measured["approach"], measured["side"]) == (place["approach"], place["side"])
        assert measured["reaches_target"]


def test_a_wider_limit_raises_the_margin_of_no_place(
    client: TestClient, demo_case_id: str, found: list[dict[str, Any]]
) -> None:
    wider = places(client, demo_case_id, policy={"screw": {"hard_mm": 2.0}})
    before = {tuple(one["entry_mm"]): one["margin_mm"] for one in found}
    assert {one["limiting_structure"] for one in wider} >= {"screw_L3_L"}
    # Each map tries its own lines, so that a better one may be missed by as much as they lie apart.
    assert max(one["margin_mm"] for one in wider) <= max(before.values()) + 1e-9
    assert sum(one["margin_mm"] for one in wider) < sum(before.values())


def test_no_place_beats_what_a_plan_proves(
    client: TestClient, demo_case_id: str, found: list[dict[str, Any]]
) -> None:
    plan = client.post(
        f"/v1/cases/{demo_case_id}/plans", json=ASKED, headers={"Prefer": "wait=300"}
    ).json()
    [certificate] = plan["certificates"]
    assert max(one["margin_mm"] for one in found) <= certificate["upper_bound_mm"]


def test_a_map_of_what_the_case_lacks_is_refused_by_its_field(
    client: TestClient, demo_case_id: str
) -> None:
    asked = {**ASKED, "target": {"type": "anterior_body", "level": "T1"}}
    refused = client.post(f"/v1/cases/{demo_case_id}/skin-map", json=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith("target")
    too_fine = client.post(
        f"/v1/cases/{demo_case_id}/skin-map", json={**ASKED, "step_deg": 0.1}
    ).json()
    assert too_fine["errors"][0]["field"] == "step_deg"


def test_a_drawn_path_is_shown_from_where_it_is_looked_at(
    client: TestClient, demo_case_id: str, found: list[dict[str, Any]]
) -> None:
    address = f"/v1/cases/{demo_case_id}/fluoro.png"
    shots = [
        client.post(address, json={**straight(found[0]), **angles})
        for angles in (DOWN, {**DOWN, "primary_deg": 90.0})
    ]
    assert all(shot.content.startswith(b"\x89PNG") for shot in shots)
    assert all(a.content != b.content for a, b in pairwise(shots))
    without = client.post(address, json=straight(found[0])).json()
    assert {error["field"] for error in without["errors"]} == {"primary_deg", "secondary_deg"}
