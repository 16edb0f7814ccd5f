"""The Python client against a running service, and the command line that uses it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.cli import app
from api.client import Client, ServiceError
from api.documents import without_timings
from api.samples import DEMO_TARGET
from api.targets import target_from_short_form
from benchmarks.crash import box_case, question
from geometry.mesh_files import read_mesh

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

QUICK = {
    "target": target_from_short_form(DEMO_TARGET),
    "needles": ["13G-150"],
    "approaches": ["transpedicular"],
}


@pytest.fixture
def asked(served: str) -> Iterator[Client]:
    with Client(served) as opened:
        yield opened


def test_a_case_is_sent_once_with_its_progress(
    asked: Client, small: "Bundle", tmp_path: Path
) -> None:
    folder = small.write(tmp_path / "case")
    told: list[tuple[int, int]] = []
    first = asked.send_case(folder, lambda done, total: told.append((done, total)))
    total = sum(map(len, small.files.values()))
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    again = asked.send_case(folder)
    assert again["digest"] == first["digest"]
    assert again["case_id"] != first["case_id"]
    for case in (first, again):
        asked.delete_case(case["case_id"])
    with pytest.raises(ServiceError) as refused:
        asked.delete_case(first["case_id"])
    assert (refused.value.status, refused.value.code) == (404, "/problems/not-found")


def test_a_file_that_only_its_name_tells_is_sent_with_its_name(
    asked: Client, small: "Bundle", tmp_path: Path
) -> None:
    mesh = read_mesh(small.files["meshes/L3.ply"], "ply")
    lines = [f"v {x} {y} {z}" for x, y, z in mesh.vertices] + [
        f"f {a} {b} {c}" for a, b, c in mesh.faces + 1
    ]
    small.files["meshes/L3.obj"] = "\n".join(["usemtl bone", *lines, ""]).encode()
    small.document["structures"][0]["file"] = "meshes/L3.obj"
    case = asked.send_case(small.write(tmp_path / "case"))
    assert case["structures"][0]["faces"] == len(mesh.faces)
    asked.delete_case(case["case_id"])


def test_a_plan_is_followed_waited_for_and_its_pieces_fetched(
    asked: Client, demo_case_id: str
) -> None:
    plan_id = asked.ask(demo_case_id, QUICK)
    states = [event.told["state"] for event in asked.events(plan_id) if event.name == "state"]
    assert states[0] == "queued"
    assert states[-1] == "done"
    assert list(asked.events(plan_id, after=3)) == []
    plan = asked.wait(plan_id)
    assert plan["outcome"] == "found"
    markups = json.loads(asked.fetch(plan_id, "markups.mrk.json"))
    assert len(markups["markups"]) == len(plan["trajectories"])
    best = plan["trajectories"][0]
    measured = asked.evaluate(demo_case_id, {"path": best["path"], "needle": best["needle"]})
    assert measured["margin_mm"] == pytest.approx(best["margin_mm"], abs=1e-3)


def test_a_mistake_comes_back_as_the_problem_it_is(asked: Client, demo_case_id: str) -> None:
    with pytest.raises(ServiceError, match=r"needles\[0\]") as refused:
        asked.ask(demo_case_id, {**QUICK, "needles": ["nail"]})
    assert refused.value.problem["status"] == refused.value.status == 422
    with pytest.raises(ServiceError) as refused:
        asked.wait("0" * 24)
    assert refused.value.status == 404


class Unsteady(httpx2.BaseTransport):
    """Answers by a list: a status, or None for a connection that breaks."""

    def __init__(self, answers: list[int | None]) -> None:
        self.answers = answers

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.answers.pop(0)
        if answer is None:
            raise httpx2.ConnectError("gone", request=request)
        headers = {"Retry-After": "0", "Location": "/v1/plans/7"}
        return httpx2.Response(answer, headers=headers, json={"detail": "busy", "type": "t"})


@pytest.mark.parametrize("answers", [[429, 503, 202], [None, 202], [None, 429, None, 202]])
def test_what_may_be_asked_twice_is_asked_until_it_is_answered(
    answers: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.client._PAUSE_S", 0.0)
    way = Unsteady(answers)
    with Client("", http=httpx2.Client(base_url="http://x", transport=way)) as client:
        assert client.ask("c", {}) == "7"
    assert way.answers == []


def test_a_service_that_stays_away_or_busy_is_given_up_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.client._PAUSE_S", 0.0)
    for answer, status in ((429, 429), (None, 0)):
        way = Unsteady([answer] * 6)
        with Client("", http=httpx2.Client(base_url="http://x", transport=way)) as client:
            with pytest.raises(ServiceError) as refused:
                client.ask("c", {})
            assert refused.value.status == status


def test_the_command_line_has_a_service_plan_and_leaves_nothing_there(
    served: str, client: TestClient, tmp_path: Path
) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "case.json").write_text(json.dumps(box_case(0)))
    (tmp_path / "asked.json").write_text(json.dumps(question(3)))
    before = client.get("/v1/cases", params={"limit": 200}).json()["cases"]
    words: list[str] = [
        "plan", str(tmp_path / "case"), "--request", str(tmp_path / "asked.json"), "--server",
        served, "--json", "--out", str(tmp_path / "out"), "--proof", str(tmp_path / "proof"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    local = CliRunner().invoke(app, [*words[:4], "--json"])
    plans: list[dict[str, Any]] = [json.loads(run.stdout) for run in (done, local)]
    assert without_timings(plans[0]) == without_timings(plans[1])
    assert json.loads((tmp_path / "out" / "plan.json").read_text()) == plans[0]
    assert (tmp_path / "out" / "scene.html").is_file()
    checking = ["verify-proof", str(tmp_path / "case"), str(tmp_path / "proof")]
    assert CliRunner().invoke(app, checking).exit_code == 0
    assert client.get("/v1/cases", params={"limit": 200}).json()["cases"] == before
    nobody = CliRunner().invoke(app, ["plan", str(tmp_path / "case"), "--target",
                                      "anterior_body:L9", "--server", served])  # fmt: skip
    assert nobody.exit_code == 2
    assert "target.level" in nobody.stderr
