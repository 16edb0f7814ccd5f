"""The service as it is run: ``trocar serve`` in a process of its own, over real HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from api.samples import DEMO_TARGET
from api.targets import target_from_short_form
from tests.serving import free_port, wait_until_ready

if TYPE_CHECKING:
    from tests.api.conftest import Bundle


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    environment = {
        **os.environ,
        "TROCAR_DATA_FOLDER": str(tmp_path / "data"),
        "TROCAR_MAX_JSON_BYTES": "1000000",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", str(port)],
        cwd=Path(__file__).parents[2], env=environment,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, process)
        yield address, process
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_service_plans_refuses_and_stops(
    served: tuple[str, subprocess.Popen[bytes]], demo_bundle: "Bundle"
) -> None:
    address, process = served
    with httpx2.Client(base_url=address, timeout=180.0) as client:
        too_long = client.post(
            "/v1/cases", content=b" " * 50_000_000, headers={"Content-Type": "application/json"}
        )
        assert too_long.status_code == 413, too_long.text
        case = client.post("/v1/cases", files=demo_bundle.parts())
        assert case.status_code == 201, case.text
        plan = client.post(
            f"{case.headers['location']}/plans",
            json={"target": target_from_short_form(DEMO_TARGET), "needles": ["13G-150"]},
            headers={"Prefer": "respond-async, wait=120"},
        )
        assert plan.status_code == 200, plan.text
        assert plan.headers["preference-applied"] == "wait=120"
        assert plan.json()["schema"] == "trocar/plan/1"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) in {0, -signal.SIGTERM}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see processes")
def test_workers_die_with_the_service(served: tuple[str, subprocess.Popen[bytes]]) -> None:
    _, process = served
    workers = children(process.pid)
    assert workers
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30.0
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived the service"
        time.sleep(0.05)
