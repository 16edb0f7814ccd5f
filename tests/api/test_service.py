"""The service over HTTP, with real workers: cases in, plans out, errors that name the field."""

import base64
import hashlib
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api.samples import DEMO_TARGET
from api.targets import target_from_short_form
from geometry.mesh_files import read_mesh
from planner.case import Kind
from planner.needles.catalogue import CATALOGUE

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

TARGET = target_from_short_form(DEMO_TARGET)
QUICK = {"target": TARGET, "needles": ["13G-150"], "approaches": ["transpedicular"]}


def problem(reply: Response, status: int, field: str = "") -> dict[str, Any]:
    """Return the problem in a reply, having checked its form."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["status"] == status
    assert document["type"].startswith("/problems/")
    assert document["title"]
    assert document["detail"]
    if field:
        assert field in [error["field"] for error in document["errors"]], document
    return document


def without_timings(plan: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plan.items() if key != "timings_s"}


@pytest.fixture(scope="module")
def plan_url(client: TestClient, demo_case_id: str) -> str:
    reply = client.post(
        f"/v1/cases/{demo_case_id}/plans", json=QUICK, headers={"Prefer": "wait=120"}
    )
    assert reply.status_code == 200, reply.text
    return reply.headers["location"]


def test_a_case_is_described_as_it_was_read(
    client: TestClient, demo_case_id: str, demo_bundle: "Bundle"
) -> None:
    described = client.get(f"/v1/cases/{demo_case_id}").json()
    assert described["case_id"] == demo_case_id
    assert len(described["digest"]) == 64
    names = [row["name"] for row in described["structures"]]
    assert names == [row["name"] for row in demo_bundle.document["structures"]]
    assert {v["level"] for v in described["vertebrae"]} >= {"L3"}
    for vertebra in described["vertebrae"]:
        assert set(vertebra["pedicles"]) == {"left", "right"}
        for pedicle in vertebra["pedicles"].values():
            for corridor in pedicle["corridors"]:
                assert corridor["place"] in {"above", "below", "medial", "lateral"}
                assert corridor["circle"]["radius_mm"] > 0.0
                assert all(len(ring) > 2 for ring in corridor["outlines_mm"])


def test_what_was_derived_for_a_case_is_described_and_can_be_fetched(
    client: TestClient, demo_case_id: str
) -> None:
    derived = client.get(f"/v1/cases/{demo_case_id}").json()["derived"]
    assert {row["kind"] for row in derived["structures"]} == {"nerve_root"}
    assert len(derived["foramina"]) == len(derived["structures"]) == 4
    assert all(row["reason"] for row in (*derived["structures"], *derived["missing"]))
    name = derived["structures"][0]["name"]
    reply = client.get(f"/v1/cases/{demo_case_id}/structures/{name}.stl")
    assert reply.status_code == 200, reply.text
    low, high = derived["structures"][0]["bounds_mm"]
    vertices = read_mesh(reply.content, "stl").vertices
    assert vertices.min(axis=0) == pytest.approx(low, abs=1e-3)
    assert vertices.max(axis=0) == pytest.approx(high, abs=1e-3)


def test_inline_geometry_is_the_same_case_as_files(client: TestClient, small: "Bundle") -> None:
    as_files = client.post("/v1/cases", files=small.parts())
    for row in small.document["structures"]:
        name = row.pop("file")
        mesh = read_mesh(small.files[name], name.rpartition(".")[2])
        row |= {"vertices_mm": mesh.vertices.tolist(), "faces": mesh.faces.tolist()}
    inline = client.post("/v1/cases", json=small.document)
    assert as_files.status_code == inline.status_code == 201, (as_files.text, inline.text)
    assert inline.headers["location"] == f"/v1/cases/{inline.json()['case_id']}"
    assert inline.json()["digest"] == as_files.json()["digest"]


def test_cases_are_listed_page_by_page(client: TestClient, small: "Bundle") -> None:
    for _ in range(3):
        assert client.post("/v1/cases", files=small.parts()).status_code == 201
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = client.get("/v1/cases", params=query).json()
        seen += [case["case_id"] for case in page["cases"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) >= 3
    problem(client.get("/v1/cases", params={"cursor": "%%%"}), 400, "cursor")
    problem(client.get("/v1/cases", params={"limit": 0}), 422, "limit")
    problem(client.get("/v1/cases", params={"limit": "all"}), 422, "limit")


@pytest.mark.parametrize("file_type", ["ply", "stl", "glb"])
def test_a_structure_can_be_fetched_as_a_mesh(
    client: TestClient, demo_case_id: str, file_type: str
) -> None:
    described = client.get(f"/v1/cases/{demo_case_id}").json()["structures"][0]
    reply = client.get(f"/v1/cases/{demo_case_id}/structures/{described['name']}.{file_type}")
    assert reply.status_code == 200, reply.text
    assert len(read_mesh(reply.content, file_type).faces) == described["faces"]


def test_a_plan_can_be_waited_for_and_read_again(client: TestClient, plan_url: str) -> None:
    plan = client.get(plan_url).json()
    assert plan["schema"] == "trocar/plan/1"
    assert plan["outcome"] in {"found", "no_safe_path", "target_unreachable", "stopped"}
    assert plan["certificates"]


def test_a_plan_not_waited_for_is_accepted_and_has_a_state(
    client: TestClient, demo_case_id: str, plan_url: str
) -> None:
    reply = client.post(f"/v1/cases/{demo_case_id}/plans", json={**QUICK, "max_trajectories": 2})
    assert reply.status_code == 202, reply.text
    assert reply.json()["state"] in {"queued", "running"}
    deadline = time.monotonic() + 120.0
    while "outcome" not in (plan := client.get(reply.headers["location"]).json()):
        assert plan["state"] in {"queued", "running"}, plan
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(plan["trajectories"]) <= 2


def test_one_shot_and_stored_case_give_the_same_plan(
    client: TestClient, demo_bundle: "Bundle", plan_url: str
) -> None:
    inline = demo_bundle.copy()
    for row in inline.document["structures"]:
        name = row.pop("file")
        mesh = read_mesh(inline.files[name], name.rpartition(".")[2])
        row |= {"vertices_mm": mesh.vertices.tolist(), "faces": mesh.faces.tolist()}
    reply = client.post("/v1/plan", json={"case": inline.document, "request": QUICK})
    assert reply.status_code == 200, reply.text
    assert without_timings(reply.json()) == without_timings(client.get(plan_url).json())


def test_a_returned_path_measures_the_same_when_drawn(
    client: TestClient, demo_case_id: str, plan_url: str
) -> None:
    trajectories = client.get(plan_url).json()["trajectories"]
    assert trajectories, "the bundled case has a safe transpedicular path"
    best = trajectories[0]
    reply = client.post(
        f"/v1/cases/{demo_case_id}/evaluate",
        json={"path": best["path"], "needle": best["needle"], "target": TARGET},
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["margin_mm"] == pytest.approx(best["margin_mm"], abs=1e-3)
    assert (reply.json()["approach"], reply.json()["side"]) == (best["approach"], best["side"])


def test_the_paths_of_a_plan_are_there_for_slicer(client: TestClient, plan_url: str) -> None:
    markups = client.get(f"{plan_url}/markups.mrk.json")
    assert markups.headers["content-type"] == "application/vnd.slicer.markups+json"
    trajectories = client.get(plan_url).json()["trajectories"]
    assert [m["controlPoints"][0]["position"] for m in markups.json()["markups"]] == [
        t["entry_skin_mm"] for t in trajectories
    ]


def test_a_plan_can_be_drawn_or_says_what_is_missing(client: TestClient, plan_url: str) -> None:
    scene = client.get(f"{plan_url}/scene.glb")
    assert scene.status_code == 200, scene.text
    assert scene.content[:4] == b"glTF"
    page = client.get(f"{plan_url}/scene.html")
    assert page.status_code == 200, page.text
    assert base64.b64encode(scene.content).decode() in page.text
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.headers["content-security-policy"]
    picture = client.get(f"{plan_url}/preview.png")
    if picture.status_code == 503:
        assert "apt-get" in problem(picture, 503)["detail"]
    else:
        assert picture.status_code == 200, picture.text
        assert picture.content[:4] == b"\x89PNG"


def test_deleting_a_case_deletes_its_plans(client: TestClient, small: "Bundle") -> None:
    case_id = client.post("/v1/cases", files=small.parts()).json()["case_id"]
    plan = client.post(f"/v1/cases/{case_id}/plans", json={"target": TARGET})
    assert plan.status_code == 202
    assert client.delete(f"/v1/cases/{case_id}").status_code == 204
    problem(client.get(f"/v1/cases/{case_id}"), 404, "case_id")
    problem(client.get(plan.headers["location"]), 404, "plan_id")
    problem(client.delete(f"/v1/cases/{case_id}"), 404, "case_id")


def test_catalogues_list_what_requests_can_name(client: TestClient) -> None:
    needles = client.get("/v1/needles").json()
    assert {needle["name"] for needle in needles["needles"]} == set(CATALOGUE)
    assert set(needles["default"]) <= set(CATALOGUE)
    c_arms = client.get("/v1/c_arms").json()
    assert c_arms["default"] in {c_arm["name"] for c_arm in c_arms["c_arms"]}
    policy = client.get("/v1/policy").json()["policy"]
    assert set(policy) == {kind.value for kind in Kind}
    assert policy["canal"]["hard_mm"] == 1.0


def test_it_is_alive_and_becomes_ready(client: TestClient, demo_case_id: str) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_every_answer_says_that_it_is_research_software(client: TestClient) -> None:
    for path in ("/healthz", "/v1/nothing", "/openapi.json"):
        assert "not a medical device" in client.get(path).headers["x-research-use-only"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/cases/nothing", 404),
        ("DELETE", "/v1/cases/nothing", 404),
        ("GET", "/v1/plans/nothing", 404),
        ("GET", "/v1/plans/nothing/preview.png", 404),
        ("GET", "/v1/plans/nothing/scene.glb", 404),
        ("GET", "/v1/plans/nothing/markups.mrk.json", 404),
        ("GET", "/v1/plans/nothing/proof", 404),
        ("GET", "/v1/plans/nothing/events", 404),
        ("DELETE", "/v1/plans/nothing", 404),
        ("GET", "/v1/cases/nothing/structures/L3.ply", 404),
        ("POST", "/v1/cases/nothing/plans", 404),
        ("POST", "/v1/cases/nothing/evaluate", 404),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/cases", 405),
        ("POST", "/v1/needles", 405),
        ("DELETE", "/healthz", 405),
        ("POST", "/v1/cases", 415),
        ("POST", "/v1/plan", 415),
    ],
)
def test_what_is_not_there_is_a_problem_document(
    client: TestClient, method: str, path: str, status: int
) -> None:
    problem(client.request(method, path), status)


def test_a_method_that_is_not_allowed_is_told_those_that_are(client: TestClient) -> None:
    for path, methods in (
        ("/v1/cases", "GET, POST"), ("/v1/cases/x", "DELETE, GET"), ("/v1/plans/x", "DELETE, GET"),
        ("/v1/blobs/x", "GET, HEAD, PUT"), ("/healthz", "GET"),
    ):  # fmt: skip
        reply = client.patch(path)
        problem(reply, 405)
        assert reply.headers["allow"] == methods, path


def test_an_unknown_structure_or_format_lists_what_there_is(
    client: TestClient, demo_case_id: str
) -> None:
    missing = client.get(f"/v1/cases/{demo_case_id}/structures/nothing.ply")
    assert "L3" in problem(missing, 404, "name")["detail"]
    other = client.get(f"/v1/cases/{demo_case_id}/structures/L3.obj")
    assert "ply, stl, glb" in problem(other, 422, "mesh_format")["detail"]


WRONG_TARGETS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "anterior_body", "level": "T4"}, "target.level", "L3"),
    ({"type": "anterior_body", "level": "L9"}, "target.level", "L5"),
    ({"type": "screw_halo", "screw": "nothing"}, "target.screw", "screw_"),
    ({"type": "screw_halo", "screw": "L3"}, "target.screw", "vertebra"),
    ({"type": "lesion", "structure": "L3"}, "target.structure", "none"),
    ({"type": "anterior"}, "target.type", "anterior_body"),
]


@pytest.mark.parametrize(("target", "field", "choice"), WRONG_TARGETS)
def test_a_target_that_the_case_does_not_have_is_refused_before_any_work(
    client: TestClient, demo_case_id: str, target: dict[str, Any], field: str, choice: str
) -> None:
    reply = client.post(f"/v1/cases/{demo_case_id}/plans", json={"target": target})
    assert choice in problem(reply, 422, field)["detail"]


@pytest.mark.parametrize(
    ("request_document", "field"),
    [
        ({"target": {"type": "anterior_body", "level": "T4"}}, "request.target.level"),
        ({"target": {"type": "anterior_body", "level": "L9"}}, "request.target.level"),
        ({"target": TARGET, "needles": ["nail"]}, "request.needles[0]"),
        ({"target": TARGET, "sides": ["up"]}, "request.sides[0]"),
    ],
)
def test_a_one_shot_request_names_the_field_in_its_own_body(
    client: TestClient, small: "Bundle", request_document: dict[str, Any], field: str
) -> None:
    for row in small.document["structures"]:
        name = row.pop("file")
        mesh = read_mesh(small.files[name], name.rpartition(".")[2])
        row |= {"vertices_mm": mesh.vertices.tolist(), "faces": mesh.faces.tolist()}
    body = {"case": small.document, "request": request_document}
    problem(client.post("/v1/plan", json=body), 422, field)


def test_the_body_is_never_repeated(client: TestClient, demo_case_id: str) -> None:
    secret = "Jane-Doe-1970"  # noqa: S105  what must not come back
    body = {"target": {**TARGET, "patient": secret}, "note": secret}
    reply = client.post(f"/v1/cases/{demo_case_id}/plans", json=body)
    problem(reply, 422, "note")
    assert secret not in reply.text
    malformed = client.post(
        f"/v1/cases/{demo_case_id}/plans",
        content=f'{{"target": "{secret}'.encode(),
        headers={"Content-Type": "application/json"},
    )
    problem(malformed, 400, "body")
    assert secret not in malformed.text


def test_a_body_without_end_is_cut_off(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    long = client.post("/v1/cases", content=b"[" * 30_000_001, headers=headers)
    problem(long, 413, "body")
    chunked = client.post("/v1/cases", content=iter([b"[" * 1_000_000] * 40), headers=headers)
    problem(chunked, 413, "body")
    multipart = client.post("/v1/cases", files=[("case", ("c", b"x" * 40_000_001))])
    problem(multipart, 413, "body")


def test_a_needle_is_shown_as_x_rays_would_show_it(client: TestClient, plan_url: str) -> None:
    address = f"{plan_url}/trajectories/1/fluoro.png"
    pictures = [
        client.get(address, params=asked)
        for asked in ({}, {"primary_deg": 90.0, "secondary_deg": 0.0}, {"c_arm": "cios-mobile"})
    ]
    for picture in pictures:
        assert picture.status_code == 200, picture.text
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
    assert len({picture.content for picture in pictures}) == 3
    problem(client.get(f"{plan_url}/trajectories/99/fluoro.png"), 404, "rank")
    for of_rank in ("trajectories/{}/fluoro.png", "sheet.pdf?rank={}"):
        problem(client.get(f"{plan_url}/{of_rank.format(2**70)}"), 422, "rank")
    problem(client.get(address, params={"primary_deg": 400.0}), 422, "primary_deg")
    problem(client.get(address, params={"c_arm": "o-arm"}), 422, "c_arm")


def test_a_plan_is_printed_on_one_page(client: TestClient, plan_url: str) -> None:
    sheet = client.get(f"{plan_url}/sheet.pdf")
    assert sheet.status_code == 200, sheet.text
    assert sheet.headers["content-type"] == "application/pdf"
    assert sheet.content.startswith(b"%PDF")
    assert client.get(f"{plan_url}/sheet.pdf").content == sheet.content
    problem(client.get(f"{plan_url}/sheet.pdf", params={"rank": 99}), 404, "rank")


def test_the_description_of_the_service_covers_every_route(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/v1/blobs/{sha256}", "/v1/cases", "/v1/cases/{case_id}", "/v1/cases/{case_id}/evaluate",
        "/v1/cases/{case_id}/levels/{level}.png", "/v1/cases/{case_id}/plans",
        "/v1/cases/{case_id}/fluoro.png", "/v1/cases/{case_id}/profile",
        "/v1/cases/{case_id}/skin-map",
        "/v1/cases/{case_id}/structures/{name}.{mesh_format}", "/v1/plan", "/v1/plans/{plan_id}",
        "/v1/plans/{plan_id}/events", "/v1/plans/{plan_id}/markups.mrk.json",
        "/v1/plans/{plan_id}/preview.png", "/v1/plans/{plan_id}/proof",
        "/v1/plans/{plan_id}/scene.glb", "/v1/plans/{plan_id}/scene.html",
        "/v1/plans/{plan_id}/sheet.pdf",
        "/v1/plans/{plan_id}/trajectories/{rank}/fluoro.png", "/v1/samples", "/v1/samples/{name}",
        "/v1/needles", "/v1/c_arms", "/v1/policy", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    assert "not a medical device" in json.dumps(client.get("/openapi.json").json()["info"])
