"""Who may enter: nobody without a good key where there are keys, and each only to their own."""

import asyncio
import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect
from typer.testing import CliRunner

from api.audit import FILE as TRAIL
from api.cli import app
from api.keys import FILE, KeyRing
from api.main import create_app
from api.settings import Settings

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

OPEN = {"/healthz", "/readyz", "/openapi.json", "/"}


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("data") / FILE)


@pytest.fixture(scope="module")
def keys(ring: KeyRing) -> list[str]:
    return [ring.add("one"), ring.add("two")]


@pytest.fixture(scope="module")
def guarded(ring: KeyRing, keys: list[str]) -> Iterator[TestClient]:
    service = create_app(Settings(data_folder=ring._path.parent))
    with TestClient(service, "https://spine.example", raise_server_exceptions=False) as opened:
        yield opened


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_no_route_but_the_open_ones_answers_without_a_good_key(
    guarded: TestClient, keys: list[str]
) -> None:
    key_id = keys[0].split("_")[1]
    wrong = ["", keys[0][:-1], keys[0] + "x", f"trocar_{key_id}_", key_id, "trocar__", "_"]
    paths = guarded.get("/openapi.json").json()["paths"]
    asked = [(path, method) for path, methods in paths.items() for method in methods]
    assert len(asked) > 25
    for path, method in asked:
        if path in OPEN:
            assert guarded.request(method, path).status_code != 401
            continue
        for key in wrong:
            reply = guarded.request(method, path, headers=bearer(key) if key else {})
            assert reply.status_code == 401, (method, path)
            assert reply.headers["www-authenticate"] == "Bearer"
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        guarded.websocket_connect("/v1/cases/any/live"),
    ):
        pass
    assert refused.value.code == 4401


def test_a_body_is_not_read_before_it_is_known_who_sends_it(guarded: TestClient) -> None:
    said: list[Message] = []

    async def body() -> Message:
        raise AssertionError("the body was read")

    async def answer(message: Message) -> None:
        said.append(message)

    async def knock() -> None:
        for method, path in (
            ("PUT", "/v1/blobs/" + "0" * 64), ("POST", "/v1/cases"), ("POST", "/v1/plan"),
        ):  # fmt: skip
            headers = [
                (b"host", b"spine.example"), (b"content-length", b"1000000000"),
                (b"content-type", b"application/json"),
            ]  # fmt: skip
            asked = {
                "type": "http", "method": method, "path": path, "raw_path": path.encode(),
                "query_string": b"", "scheme": "https", "client": ("192.0.2.1", 1),
                "http_version": "1.1", "headers": headers,
            }  # fmt: skip
            await guarded.app(asked, body, answer)

    asyncio.run(knock())
    started = [message for message in said if message["type"] == "http.response.start"]
    assert [message["status"] for message in started] == [401] * 3


def test_each_key_sees_only_its_own(guarded: TestClient, keys: list[str], small: "Bundle") -> None:
    mine, other = bearer(keys[0]), bearer(keys[1])
    made = guarded.post("/v1/cases", files=small.parts(), headers=mine)
    assert made.status_code == 201, made.text
    case = made.headers["location"]
    assert guarded.get(case, headers=mine).status_code == 200
    for method, path in (
        ("GET", case), ("DELETE", case), ("POST", f"{case}/plans"), ("POST", f"{case}/evaluate"),
        ("GET", f"{case}/structures/L3.ply"), ("POST", f"{case}/profile"),
    ):  # fmt: skip
        reply = guarded.request(method, path, headers=other, json={} if method == "POST" else None)
        assert reply.status_code == 404, (method, path, reply.text)
    assert guarded.get("/v1/cases", headers=other).json()["cases"] == []
    assert len(guarded.get("/v1/cases", headers=mine).json()["cases"]) == 1
    offered = ["bearer." + keys[1]]
    with guarded.websocket_connect(f"{case}/live", subprotocols=offered) as live:
        chosen: object = live.accepted_subprotocol
        assert chosen == offered[0]
        assert live.receive_json()["problem"]["status"] == 404


def test_blobs_are_put_once_named_by_cases_and_anothers_are_missing(
    guarded: TestClient, keys: list[str], small: "Bundle"
) -> None:
    mine, other = bearer(keys[0]), bearer(keys[1])
    document = small.document
    digests = []
    for row in document["structures"]:
        data = small.files[row.pop("file")]
        row["blob"] = hashlib.sha256(data).hexdigest()
        digests.append(row["blob"])
        address = f"/v1/blobs/{row['blob']}"
        assert guarded.head(address, headers=mine).status_code == 404
        assert guarded.put(address, content=data + b"!", headers=mine).status_code == 409
        assert guarded.put(address, content=data, headers=mine).status_code == 201
        assert guarded.put(address, content=data, headers=mine).status_code == 200
        assert guarded.head(address, headers=mine).status_code == 200
        assert guarded.get(address, headers=mine).content == data
        assert guarded.get(address, headers=other).status_code == 404
    missing = guarded.post("/v1/cases", json=document, headers=other)
    assert missing.status_code == 422
    assert missing.json()["type"] == "/problems/missing-blobs"
    assert {e["field"] for e in missing.json()["errors"]} == {f"blob {d}" for d in digests}
    made = guarded.post("/v1/cases", json=document, headers=mine)
    assert made.status_code == 201, made.text
    assert guarded.delete(made.headers["location"], headers=mine).status_code == 204
    wrong = guarded.put("/v1/blobs/..%2F..%2Fetc", content=b"", headers=mine)
    assert wrong.status_code in {404, 422}
    assert guarded.get("/v1/blobs/" + "g" * 64, headers=mine).status_code == 422


def test_a_revoked_key_is_refused_from_the_next_request_on(
    guarded: TestClient, ring: KeyRing
) -> None:
    key = KeyRing(ring._path).add("short-lived")
    assert guarded.get("/v1/cases", headers=bearer(key)).status_code == 200
    KeyRing(ring._path).revoke(key.split("_")[1])
    assert guarded.get("/v1/cases", headers=bearer(key)).status_code == 401


def test_keys_stay_asked_for_when_their_file_is_gone(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / FILE)
    ring.add("one")
    with TestClient(create_app(Settings(data_folder=tmp_path)), "http://127.0.0.1") as client:
        assert client.get("/v1/cases").status_code == 401
        (tmp_path / FILE).unlink()
        assert client.get("/v1/cases").status_code == 401


def test_the_file_of_keys_holds_no_key_and_is_its_owners_alone(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / FILE)
    key = ring.add("one")
    assert key.split("_", 2)[2] not in (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert ring.owner_of(key) == key.split("_")[1]


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Host": ""}]
)
def test_without_keys_the_service_has_only_this_machines_names(
    client: TestClient, headers: dict[str, str]
) -> None:
    reply = client.get("/v1/needles", headers=headers)
    assert (reply.status_code, reply.json()["type"]) == (421, "/problems/foreign-host")


def test_pages_of_other_origins_can_neither_read_nor_write(client: TestClient) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8001"):
        reply = client.post("/v1/cases", headers={"Origin": origin}, files=[("case", b"{}")])
        assert reply.status_code == 403, origin
        assert "access-control-allow-origin" not in reply.headers
    own = client.get("/v1/needles", headers={"Origin": "http://127.0.0.1"})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers
    for name in ("X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy"):
        assert name in own.headers
    assert own.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "spine.example"])  # noqa: S104  they must be refused
def test_the_service_does_not_start_where_others_can_reach_it_without_keys(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", None)  # nothing may be opened
    folder = {"TROCAR_DATA_FOLDER": str(tmp_path)}
    run = CliRunner().invoke
    for environment in ({}, folder):
        refused = run(app, ["serve", "--host", host], env=environment)
        assert refused.exit_code == 2
        assert "trocar keys add" in refused.stderr
    KeyRing(tmp_path / FILE).add("one")
    refused = run(app, ["serve", "--host", host], env=folder)
    assert refused.exit_code == 2
    assert "--certificate" in refused.stderr


def test_keys_are_made_listed_and_revoked_by_command(tmp_path: Path) -> None:
    folder = {"TROCAR_DATA_FOLDER": str(tmp_path)}
    run = CliRunner().invoke
    key = run(app, ["keys", "add", "ward 7"], env=folder).stdout.strip()
    assert KeyRing(tmp_path / FILE).owner_of(key) is not None
    key_id = key.split("_")[1]
    listed = run(app, ["keys", "list"], env=folder).stdout
    assert key_id in listed
    assert "good" in listed
    assert key not in listed
    assert run(app, ["keys", "revoke", key_id], env=folder).exit_code == 0
    assert KeyRing(tmp_path / FILE).owner_of(key) is None
    assert run(app, ["keys", "revoke", "nobody"], env=folder).exit_code == 2
    assert run(app, ["keys", "list"]).exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {FILE, TRAIL}
    deeds = [json.loads(line)["did"] for line in (tmp_path / TRAIL).read_text().splitlines()]
    assert deeds == ["keys add", "keys revoke"]
