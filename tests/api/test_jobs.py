"""Plans as work that is accepted, followed, cancelled and asked for again, over HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.dispatcher import Dispatcher
from api.engines import Hearer
from api.metrics import Metrics
from api.problems import FaultError, ProblemError, WorkerLostError, problem_of
from api.samples import DEMO_TARGET
from api.storage.bundle import CaseBundle
from api.storage.database import Database
from api.storage.ledger import Ledger, State, StoredPlan
from api.storage.store import Store
from api.targets import target_from_short_form
from planner.errors import RequestError

QUICK = {
    "target": target_from_short_form(DEMO_TARGET),
    "needles": ["13G-150"],
    "approaches": ["transpedicular"],
}


def events(client: TestClient, plan: str, last: int | None = None) -> list[dict[str, Any]]:
    """Return the events of a plan until it is settled."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    reply = client.get(f"{plan}/events", headers=headers)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    blocks = [block for block in reply.text.split("\n\n") if block and not block.startswith(":")]
    parsed = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [{**block, "data": json.loads(block["data"])} for block in parsed]


def states(told: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["state"] for event in told if event["event"] == "state"]


@pytest.fixture(scope="module")
def plan(client: TestClient, demo_case_id: str) -> str:
    reply = client.post(f"/v1/cases/{demo_case_id}/plans", json=QUICK)
    assert reply.status_code in {200, 202}, reply.text
    return reply.headers["location"]


def test_a_plan_is_followed_until_it_is_done_and_from_where_one_left_off(
    client: TestClient, plan: str
) -> None:
    told = events(client, plan)
    assert states(told) == ["queued", "running", "done"]
    assert [e["id"] for e in told if e["event"] == "state"] == ["1", "2", "3"]
    assert all(0.0 <= e["data"]["share"] <= 1.0 for e in told if e["event"] == "progress")
    assert states(events(client, plan, 1)) == ["running", "done"]
    assert events(client, plan, 3) == []


def test_the_same_question_is_the_same_plan(
    client: TestClient, demo_case_id: str, plan: str
) -> None:
    client.get(f"{plan}/events")
    spelled_out = {**QUICK, "max_trajectories": 5, "sides": ["right", "left"]}
    for question in (QUICK, spelled_out):
        again = client.post(f"/v1/cases/{demo_case_id}/plans", json=question)
        assert again.status_code == 200, again.text
        assert again.headers["location"] == plan
    assert states(events(client, plan)) == ["queued", "running", "done"]


def test_a_cancelled_plan_stays_cancelled_and_can_be_asked_for_anew(
    client: TestClient, demo_case_id: str
) -> None:
    address = f"/v1/cases/{demo_case_id}/plans"
    long = {**QUICK, "approaches": ["parapedicular"], "certificate_tolerance_mm": 0.02}
    first = client.post(address, json=long).headers["location"]
    reply = client.delete(first)
    assert (reply.status_code, reply.json()["state"]) == (200, "cancelled"), reply.text
    assert client.delete(first).json()["state"] == "cancelled"
    assert client.get(first).json()["state"] == "cancelled"
    assert states(events(client, first))[-1] == "cancelled"
    second = client.post(address, json=long)
    assert second.status_code == 202
    assert second.headers["location"] != first
    client.delete(second.headers["location"])


def test_a_plan_that_is_done_cannot_be_cancelled(client: TestClient, plan: str) -> None:
    client.get(f"{plan}/events")
    reply = client.delete(plan)
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/already-settled")
    assert client.get(plan).json()["schema"] == "trocar/plan/1"


def test_a_place_that_no_needle_reaches_is_an_answer_and_no_failure(
    client: TestClient, demo_case_id: str
) -> None:
    far = {**QUICK, "target": {"type": "point", "position_mm": [9e4, 0.0, 0.0]}}
    reply = client.post(f"/v1/cases/{demo_case_id}/plans", json=far, headers={"Prefer": "wait=120"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["outcome"] == "no_safe_path"
    assert reply.json()["trajectories"] == []
    for certificate in reply.json()["certificates"]:
        assert certificate["status"] == "infeasible"
        assert "no line through its window" in certificate["statement"]
        assert -2.0 < certificate["upper_bound_mm"] < 0.0


class Failing:
    """An engine that answers by a list: a plan's text, or what goes wrong."""

    def __init__(self, answers: list[str | Exception]) -> None:
        self.answers = answers

    async def make(self, plan: StoredPlan, heard: Hearer) -> str:  # noqa: ARG002  an engine has both
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def connect(self) -> None:
        """Nothing to connect to."""

    def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing to close."""


def settled(folder: Path, answers: list[str | Exception]) -> StoredPlan:
    """Return what becomes of a plan whose attempts end like this; three may be lost."""
    folder.mkdir(exist_ok=True)
    database = Database(folder)
    store, ledger = Store(folder, database), Ledger(database)
    case = store.accept(store.arrive(CaseBundle(document=b"{}"), "me"), {}, "me")
    plan = ledger.ask(case.case_id, "q", {}, 9)
    dispatcher = Dispatcher(
        ledger=ledger, engine=Failing(answers), max_job_s=60.0, max_attempts=3, metrics=Metrics()
    )

    async def work() -> StoredPlan:
        working = asyncio.create_task(dispatcher.run(1))
        done = await dispatcher.settled(plan.plan_id, "me", 60.0)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return done

    try:
        return asyncio.run(work())
    finally:
        database.close()


def test_what_cannot_be_planned_fails_with_the_reason(tmp_path: Path) -> None:
    wrong = RequestError("is none", field="target", code="unknown")
    plan = settled(tmp_path, [ProblemError(problem_of(wrong))])
    assert (plan.state, plan.attempts) == (State.FAILED, 0)
    assert json.loads(plan.answer or "") == problem_of(wrong).document()


def test_what_is_lost_with_its_worker_is_done_again_but_not_for_ever(tmp_path: Path) -> None:
    lost = WorkerLostError("gone")
    plan = settled(tmp_path / "a", [lost, lost, "{}"])
    assert (plan.state, plan.answer, plan.attempts) == (State.DONE, "{}", 2)
    plan = settled(tmp_path / "b", [lost, lost, lost])
    assert (plan.state, plan.attempts) == (State.FAILED, 3)
    assert json.loads(plan.answer or "")["status"] == 503


def test_a_fault_of_ours_fails_the_plan_and_tells_nothing_of_it(tmp_path: Path) -> None:
    plan = settled(tmp_path, [FaultError("secret")])
    assert plan.state is State.FAILED
    assert json.loads(plan.answer or "")["status"] == 500
    assert "secret" not in (plan.answer or "")
