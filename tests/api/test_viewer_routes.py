"""What the service offers to its viewer: sample cases, profiles of clearance, and the page itself."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.routes import viewer
from api.samples import SAMPLES, sample_case

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

NEEDLE = "15G-bevel-150"


def test_every_bundled_case_is_offered(client: TestClient) -> None:
    offered = [sample["name"] for sample in client.get("/v1/samples").json()["samples"]]
    folders = sample_case(offered[0]).parent.iterdir()
    assert sorted(offered) == sorted(path.name for path in folders if path.is_dir())


def test_an_unknown_sample_is_not_found_and_the_known_ones_are_named(client: TestClient) -> None:
    refused = client.post("/v1/samples/nothing")
    assert refused.status_code == 404
    assert all(name in refused.json()["detail"] for name in SAMPLES)


def box_case(client: TestClient, small: "Bundle") -> str:
    case_id: str = client.post("/v1/cases", files=small.parts()).json()["case_id"]
    return case_id


def line(*depths: float) -> dict[str, Any]:
    """Return a path of straight pieces from the back to the front, through these places."""
    points = [[3.0, y, 2.0] for y in depths]
    pieces = [{"type": "line", "start_mm": a, "end_mm": b} for a, b in pairwise(points)]
    return {"path": pieces, "needle": NEEDLE}


def test_the_least_of_a_profile_is_the_clearance_of_the_path(
    client: TestClient, small: "Bundle"
) -> None:
    case_id = box_case(client, small)
    path = line(80.0, 50.0, 33.0)
    profile = client.post(f"/v1/cases/{case_id}/profile", json=path).json()
    measured = client.post(f"/v1/cases/{case_id}/evaluate", json=path).json()
    least = {row["structure"]: min(row["distance_mm"]) for row in profile["structures"]}
    assert least == {
        row["structure"]: pytest.approx(row["distance_mm"], abs=2e-4)
        for row in measured["clearances"]
    }
    assert profile["depths_mm"][0] == 0.0
    assert profile["depths_mm"][-1] == pytest.approx(47.0)
    assert all(len(row["distance_mm"]) == 47 for row in profile["structures"])


def test_a_step_that_is_too_fine_is_refused_by_its_field(
    client: TestClient, small: "Bundle"
) -> None:
    asked = {**line(80.0, 33.0), "step_mm": 0.001}
    refused = client.post(f"/v1/cases/{box_case(client, small)}/profile", json=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "step_mm"


def page_of(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> httpx2.Response:
    monkeypatch.setattr(viewer, "built_viewer", lambda: folder)
    with TestClient(create_app(), "http://127.0.0.1") as opened:
        return opened.get("/")


def test_the_page_is_the_built_viewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>the viewer")
    page = page_of(monkeypatch, tmp_path)
    assert (page.status_code, page.text) == (200, "<p>the viewer")


def test_without_a_build_the_page_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(monkeypatch, None)
    assert page.status_code == 404
    assert "go.py viewer" in page.text
