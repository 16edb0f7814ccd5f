"""What an operator sees: the log, the figures, the audit trail; and the limits that they set."""

import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.audit import FILE, AuditTrail, BrokenTrailError, Deed, verified
from api.cli import app
from api.logs import NAME, log_to_standard_error, trace_of
from api.main import create_app
from api.rates import Rates
from api.settings import Settings
from api.storage.bundle import CaseBundle
from api.storage.clock import now
from api.storage.rows import cases
from geometry.mesh_files import read_mesh

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

HERE = "http://127.0.0.1"
SECRET = "Jane-Doe-1970"  # noqa: S105  what must not come out again


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path]]:
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(data_folder=folder, max_structures=2, max_triangles=12, retention_days=2.0)
    with TestClient(create_app(settings), HERE, raise_server_exceptions=False) as opened:
        yield opened, folder


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Return what is logged while a test runs."""
    root, ours, stream = logging.getLogger(), logging.getLogger(NAME), io.StringIO()
    before = root.handlers[:], root.level, ours.level
    monkeypatch.setattr("sys.stderr", stream)
    log_to_standard_error()
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_request_is_a_line_in_the_log_with_the_id_in_its_answer(
    kept: tuple[TestClient, Path], written: io.StringIO
) -> None:
    client, _ = kept
    reply = client.get(f"/v1/cases/{SECRET}?cursor={SECRET}", headers={"X-Request-ID": SECRET})
    other = client.get(f"/{SECRET}")
    told = [line for line in lines(written) if line["event"] == "request"]
    assert [line["request_id"] for line in told] == [
        r.headers["x-request-id"] for r in (reply, other)
    ]
    assert told[0] | {"method": "GET", "route": "/v1/cases/{case_id}", "status": 404} == told[0]
    assert told[1]["route"] == "none"


def test_nothing_that_was_sent_gets_into_the_log_the_figures_or_the_trail(
    kept: tuple[TestClient, Path], small: "Bundle", written: io.StringIO
) -> None:
    client, folder = kept
    small.document["name"] = SECRET
    small.document["structures"][0]["name"] = SECRET
    case = client.post("/v1/cases", files=small.parts()).headers["location"]
    client.get(f"{case}/structures/{SECRET}.ply")
    client.post(f"{case}/plans", json={SECRET: SECRET})
    client.put(f"/v1/blobs/{SECRET}", content=SECRET.encode())
    client.get(f"/v1/plans/{SECRET}", headers={"User-Agent": SECRET, "Authorization": SECRET})
    client.delete(case)
    kept_apart = written.getvalue() + client.get("/metrics").text + (folder / FILE).read_text()
    assert case.rpartition("/")[2] in kept_apart
    assert SECRET not in kept_apart


def test_an_exception_is_logged_by_its_places_and_not_by_its_words(written: io.StringIO) -> None:
    with pytest.raises(ValueError, match=SECRET) as caught:
        float(SECRET)
    for name in (NAME, "sqlalchemy.pool", "uvicorn.error"):
        logging.getLogger(name).error("spoilt %s", SECRET[:0], exc_info=caught.value)
    trace = trace_of(caught.value)
    told = [line for line in lines(written) if "spoilt" in line["event"]]  # others log as well
    assert [line["trace"] for line in told] == [told[0]["trace"]] * 3
    assert trace.startswith("ValueError < ")
    assert __file__ in trace
    assert SECRET not in written.getvalue()


def test_the_figures_count_requests_and_plans_by_state(kept: tuple[TestClient, Path]) -> None:
    client, _ = kept

    def figures() -> dict[str, float]:
        text = client.get("/metrics").text
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in rows}

    needles = 'trocar_requests_total{method="GET",route="/v1/needles",status="200"}'
    before = figures().get(needles, 0.0)
    client.get("/v1/needles")
    after = figures()
    assert after[needles] == before + 1.0
    assert after['trocar_plans{state="queued"}'] == 0.0
    assert after["trocar_jobs_waiting"] == 0.0


def test_who_did_what_to_which_bytes_is_in_the_trail(
    kept: tuple[TestClient, Path], small: "Bundle"
) -> None:
    client, folder = kept
    made = client.post("/v1/cases", files=small.parts())
    case_id, digest = made.json()["case_id"], made.json()["digest"]
    client.get(f"/v1/cases/{case_id}/structures/L3.ply")
    client.delete(f"/v1/cases/{case_id}")
    client.get(f"/v1/cases/{case_id}")
    told = [json.loads(line) for line in (folder / FILE).read_text().splitlines()][-4:]
    assert [(one["did"], one["status"]) for one in told] == [
        ("POST /v1/cases", 201),
        ("GET /v1/cases/{case_id}/structures/{name}.{mesh_format}", 200),
        ("DELETE /v1/cases/{case_id}", 204),
        ("GET /v1/cases/{case_id}", 404),
    ]
    assert [(one["subject"], one["digest"]) for one in told] == [(case_id, digest)] * 3 + [("", "")]
    assert {one["who"] for one in told} == {"local"}
    verified(folder)


def test_a_trail_with_a_changed_missing_or_added_line_does_not_hold(tmp_path: Path) -> None:
    trail = AuditTrail(tmp_path)
    for number in range(5):
        trail.add(Deed(who="w", did=f"d{number}"), lasting=False)
    assert verified(tmp_path).lines == 5
    whole = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    spoilt = {
        "changed": [*whole[:2], whole[2].replace(b"d2", b"dX"), *whole[3:]],
        "missing": [*whole[:2], *whole[3:]],
        "first missing": whole[1:],
        "swapped": [whole[1], whole[0], *whole[2:]],
        "twice": [*whole[:2], whole[1], *whole[2:]],
        "no JSON": [*whole[:3], b"{\n", *whole[3:]],
        "cut short": [*whole[:4], whole[4][:-1]],
    }
    for rows in spoilt.values():
        (tmp_path / FILE).write_bytes(b"".join(rows))
        with pytest.raises(BrokenTrailError, match="line"):
            verified(tmp_path)


def test_lines_taken_off_the_end_are_noticed_by_who_kept_the_last_digest(tmp_path: Path) -> None:
    trail = AuditTrail(tmp_path)
    trail.add(Deed(who="w", did="first"), lasting=True)
    shorter = (tmp_path / FILE).read_bytes()
    trail.add(Deed(who="w", did="second"), lasting=True)
    environment = {"TROCAR_DATA_FOLDER": str(tmp_path)}
    run = CliRunner().invoke
    said = run(app, ["audit", "verify"], env=environment).stdout.split()
    assert said[0] == "2"
    trail.add(Deed(who="w", did="third"), lasting=True)
    assert run(app, ["audit", "verify", "--head", said[-1]], env=environment).exit_code == 0
    (tmp_path / FILE).write_bytes(shorter)
    assert run(app, ["audit", "verify"], env=environment).exit_code == 0
    refused = run(app, ["audit", "verify", "--head", said[-1]], env=environment)
    assert refused.exit_code == 2
    assert "never its last digest" in refused.stderr


def test_two_processes_and_a_crash_leave_one_unbroken_trail(tmp_path: Path) -> None:
    one, two = AuditTrail(tmp_path), AuditTrail(tmp_path)
    for number in range(3):
        one.add(Deed(who="one", did=str(number)), lasting=False)
        two.add(Deed(who="two", did=str(number)), lasting=False)
    with (tmp_path / FILE).open("ab") as torn:
        torn.write(b'{"line": 7, "who": "ha')
    two.add(Deed(who="two", did="after the crash"), lasting=False)
    assert verified(tmp_path).lines == 7
    AuditTrail(tmp_path).add(Deed(who="three", did="later"), lasting=False)
    assert verified(tmp_path).lines == 8


def test_a_bucket_of_requests_empties_fills_and_belongs_to_one() -> None:
    time_s = 0.0
    rates = Rates(2.0, 3, lambda: time_s)
    assert [rates.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rates.wait_s("b") == 0.0
    time_s = 0.25
    assert rates.wait_s("a") == 0.25
    time_s = 0.5
    assert [rates.wait_s("a") for _ in range(2)] == [0.0, 0.5]
    time_s = 1e6
    assert [rates.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_who_asks_too_often_is_told_to_wait_and_health_is_still_answered() -> None:
    settings = Settings(requests_per_s=0.001, requests_burst=2)
    with TestClient(create_app(settings), HERE) as client:
        replies = [client.get("/v1/needles") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert replies[-1].json()["type"] == "/problems/too-often"
        assert int(replies[-1].headers["retry-after"]) > 100
        assert client.get("/healthz").status_code == 200


def test_a_case_larger_than_the_operator_allows_is_refused_by_field(
    kept: tuple[TestClient, Path], small: "Bundle"
) -> None:
    client, _ = kept
    many = small.copy()
    many.document["structures"].append({**many.document["structures"][0], "name": "again"})
    reply = client.post("/v1/cases", files=many.parts())
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "too-large")
    finer = small.copy()
    mesh = read_mesh(finer.files["meshes/L3.ply"], "ply")
    middle = mesh.vertices[mesh.faces[0]].mean(axis=0)
    a, b, c = mesh.faces[0].tolist()
    inline = {
        "name": "L3", "kind": "vertebra", "level": "L3",
        "vertices_mm": [*mesh.vertices.tolist(), middle.tolist()],
        "faces": [*mesh.faces[1:].tolist(), [a, b, 8], [b, c, 8], [c, a, 8]],
    }  # fmt: skip
    finer.document["structures"][0] = inline
    del finer.files["meshes/L3.ply"]
    reply = client.post("/v1/cases", files=finer.parts())
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["field"] == "structures[0]"
    once = {"case": {**finer.document, "structures": [inline]}, "request": {"target": {
        "type": "anterior_body", "level": "L3"}}}  # fmt: skip
    reply = client.post("/v1/plan", json=once)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "case.structures[0]")


def test_cases_older_than_they_are_kept_are_deleted_and_the_trail_says_so(
    tmp_path: Path, small: "Bundle"
) -> None:
    settings = Settings(data_folder=tmp_path)
    files = {name: io.BytesIO(data) for name, data in small.files.items()}
    bundle = CaseBundle(document=json.dumps(small.document).encode(), files=files)
    with TestClient(create_app(settings), HERE) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        old, new = (
            service.store.accept(service.store.arrive(bundle, "local"), {"digest": "d"}, "local")
            for _ in range(2)
        )
        with service.database.transaction() as connection:
            aged = cases.update().where(cases.c.case_id == old.case_id)
            connection.execute(aged.values(created=now(-3 * 24 * 3600.0)))
    with TestClient(
        create_app(settings.model_copy(update={"retention_days": 2.0})), HERE
    ) as client:
        deadline = time.monotonic() + 60.0
        trail = tmp_path / FILE
        while not trail.exists() or '"retention"' not in trail.read_text():
            assert time.monotonic() < deadline
        assert client.get(f"/v1/cases/{old.case_id}").status_code == 404
        store = client.app.state.service.store  # type: ignore[attr-defined]
        assert store.case(new.case_id, "local")
    told = [json.loads(line) for line in trail.read_text().splitlines()]
    assert ("retention", old.case_id) in [(one["did"], one["subject"]) for one in told]


def test_no_page_of_another_origin_is_told_that_it_may_ask(client: TestClient) -> None:
    for method in ("GET", "POST", "DELETE"):
        reply = client.options("/v1/cases", headers={
            "Origin": "https://evil.example", "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization",
        })  # fmt: skip
        assert reply.status_code == 403
        assert not [name for name in reply.headers if name.startswith("access-control")]
    for path in ("/v1/needles", "/healthz", "/metrics", "/v1/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
