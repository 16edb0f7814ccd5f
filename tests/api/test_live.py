"""A dragged target over a WebSocket: the newest question wins, and mistakes are told by field."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

HERE = "ws://127.0.0.1"  # the test client would call it testserver
REQUEST = {"needles": ["13G-150"], "approaches": ["transpedicular"]}


def question(number: int, position_mm: list[float], **changes: object) -> dict[str, Any]:
    target = {"type": "point", "position_mm": position_mm, "tolerance_mm": 3.0}
    return {"id": number, "request": {**REQUEST, "target": target, **changes}}


@contextmanager
def session(client: TestClient, case_id: str) -> Iterator[WebSocketTestSession]:
    with client.websocket_connect(f"{HERE}/v1/cases/{case_id}/live") as socket:
        assert socket.receive_json() == {"type": "ready"}
        yield socket


def closing_problem(socket: WebSocketTestSession) -> dict[str, Any]:
    told = socket.receive_json()
    assert told["type"] == "problem"
    with pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert closed.value.code == 4000 + told["problem"]["status"]
    problem: dict[str, Any] = told["problem"]
    return problem


@pytest.fixture(scope="module")
def inside_l3(client: TestClient, demo_case_id: str) -> list[float]:
    described = client.get(f"/v1/cases/{demo_case_id}").json()
    body = next(v for v in described["vertebrae"] if v["level"] == "L3")
    origin: list[float] = body["frame"]["origin_mm"]
    return origin


def test_a_dragged_target_is_answered_and_the_newest_question_wins(
    client: TestClient, demo_case_id: str, inside_l3: list[float]
) -> None:
    x, y, z = inside_l3
    with session(client, demo_case_id) as socket:
        for number in range(30):
            socket.send_json(question(number, [x + 0.1 * number, y, z]))
        answers = [socket.receive_json()]
        while answers[-1]["id"] != 29:
            answers.append(socket.receive_json())
        newest = answers[-1]
        assert newest["type"] == "answer"
        assert newest["preview"] is True
        assert {one["side"] for one in newest["classes"]} == {"left", "right"}
        assert all(one["status"] in {"found", "infeasible"} for one in newest["classes"])
        for one in newest["classes"]:
            if one["path"] is not None:
                assert one["best_margin_mm"] <= one["upper_bound_mm"]
        assert [a["id"] for a in answers] == sorted(a["id"] for a in answers)
        assert len(answers) < 15, "stale questions were worked through"


def test_the_session_goes_on_after_a_mistake_and_names_its_field(
    client: TestClient, demo_case_id: str, inside_l3: list[float]
) -> None:
    wrong: list[tuple[str | bytes, int | None, str]] = [
        (b"[", None, "message"),
        (json.dumps({**question(1, inside_l3), "extra": 1}), 1, "extra"),
        (json.dumps(question(2, inside_l3, needles=["nail"])), 2, "request.needles[0]"),
        (json.dumps(question(3, inside_l3, target={"type": "anterior_body", "level": "L3"})), 3,
         "request.target.type"),
        (json.dumps(question(4, [9e4, 0.0, 0.0], needles=["curved-13G-in-10G"])), 4,
         "request.needles[0]"),
    ]  # fmt: skip
    with session(client, demo_case_id) as socket:
        for message, number, field in wrong:
            if isinstance(message, bytes):
                socket.send_bytes(message)
            else:
                socket.send_text(message)
            told = socket.receive_json()
            assert (told["type"], told["id"]) == ("problem", number), told
            assert field in [error["field"] for error in told["problem"]["errors"]]
        socket.send_json(question(5, inside_l3))
        assert socket.receive_json()["id"] == 5


def test_a_session_about_no_case_ends_with_the_reason(client: TestClient) -> None:
    with client.websocket_connect(f"{HERE}/v1/cases/nothing/live") as socket:
        assert closing_problem(socket)["type"] == "/problems/not-found"


def test_pages_of_other_sites_may_not_follow_cases(client: TestClient, demo_case_id: str) -> None:
    address, headers = (
        f"{HERE}/v1/cases/{demo_case_id}/live",
        {"Origin": "https://elsewhere.example"},
    )
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(address, headers=headers),
    ):
        pass
    assert refused.value.code == 4403


def test_more_sessions_than_there_are_workers_for_are_turned_away(
    client: TestClient, demo_case_id: str, inside_l3: list[float]
) -> None:
    with session(client, demo_case_id), session(client, demo_case_id) as second:
        with client.websocket_connect(f"{HERE}/v1/cases/{demo_case_id}/live") as third:
            assert closing_problem(third)["status"] == 429
        second.send_json(question(1, inside_l3))
        assert second.receive_json()["id"] == 1
    with session(client, demo_case_id) as again:
        again.send_json(question(2, inside_l3))
        assert again.receive_json()["id"] == 2
