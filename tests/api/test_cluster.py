"""Plans made by nodes in processes of their own, over TCP, through a real Dask scheduler."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.documents import without_timings
from api.main import create_app
from api.settings import Settings
from benchmarks.crash import box_case, question

pytest.importorskip("distributed", reason="needs trocar[cluster]")
ROOT = Path(__file__).parents[2]
START_S = 180.0


def started(*words: str, **environment: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def until(held: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + START_S
    while not held():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("scheduler") / "scheduler.json"
    process = started(
        "-m", "distributed.cli.dask_scheduler", "--host", "tcp://127.0.0.1", "--port", "0",
        "--no-dashboard", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file),
        DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0",
    )  # fmt: skip
    until(lambda: file.exists() and file.stat().st_size, "the scheduler did not start")
    yield json.loads(file.read_text())["address"]
    process.kill()
    process.wait()


def test_nodes_make_what_the_service_was_asked_for_and_one_may_die(
    scheduler: str, tmp_path: Path, client: TestClient
) -> None:
    objects = (tmp_path / "objects").as_uri()
    settings = Settings(
        data_folder=tmp_path / "data", engine=scheduler, object_store=objects, workers=4
    )
    program = "from api.cli import main; main()"
    nodes = [
        started("-c", program, "node", TROCAR_ENGINE=scheduler, TROCAR_OBJECT_STORE=objects)
        for _ in range(2)
    ]
    try:
        with TestClient(create_app(settings), "http://127.0.0.1") as service:
            engine = service.app.state.service.engine  # type: ignore[attr-defined]
            until(lambda: engine.nodes() == 2, "the nodes did not come")
            case = service.post("/v1/cases", json=box_case(0)).headers["location"]
            first = [ask(service, case, number) for number in range(6)]
            nodes[0].send_signal(signal.SIGKILL)
            plans = first + [ask(service, case, number) for number in range(6, 9)]
            for plan in plans:
                told = service.get(f"{plan}/events").text
                assert told.count('"state": "done"') == 1, told
            until(lambda: engine.nodes() == 1, "the dead node is still counted on")
            here = client.post("/v1/cases", json=box_case(0)).headers["location"]
            wait = {"Prefer": "wait=120"}
            local = client.post(f"{here}/plans", json=question(8), headers=wait)
            assert without_timings(service.get(plans[8]).json()) == without_timings(local.json())
            wrong = {**question(0), "target": {"type": "screw_halo", "screw": "none"}}
            assert service.post(f"{case}/plans", json=wrong).status_code == 422
    finally:
        for node in nodes:
            node.kill()
            node.wait()


def ask(service: TestClient, case: str, number: int) -> str:
    reply = service.post(f"{case}/plans", json=question(number))
    assert reply.status_code in {200, 202}, reply.text
    return reply.headers["location"]


@pytest.mark.parametrize(
    ("stated", "remedy"),
    [
        ({"engine": "tcp://192.0.2.1:8786", "object_store": "s3://b"}, "must be tls://"),
        ({"engine": "tls://192.0.2.1:8786", "object_store": "s3://b"}, "ENGINE_CERTIFICATE"),
        ({"engine": "tcp://127.0.0.1:8786"}, "OBJECT_STORE"),
    ],
)
def test_an_engine_that_others_could_reach_or_that_has_no_bytes_is_refused(
    stated: dict[str, str], remedy: str
) -> None:
    with pytest.raises(ValidationError, match=remedy):
        Settings(**stated)  # type: ignore[arg-type]
