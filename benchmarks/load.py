"""Loads a service and measures how it answers: latency, throughput, memory, and whether it lives.

    python -m benchmarks.load [--clients 1 4 16 32] [--requests 120] [--soak 2000]

Two questions: ``plan``, a one-shot plan for the bundled case in the body of the request, and
``evaluate``, a drawn path about a case that is kept. Beside them the same calls of the planner
directly, in one process, so that what the service adds is a ratio. Needs Linux (/proc).
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx2

from api import work
from api.documents import dump, trajectory_document
from api.limits import CaseLimits
from api.samples import DEMO_CASE, sample_case
from api.schemas import EvaluationDocument, checked
from benchmarks.crash import Served, box_case, question
from geometry.mesh_files import read_mesh
from planner.case_io import load_case
from planner.planning import evaluate as evaluate_directly
from planner.prepared import PreparedCase

_LIMITS = CaseLimits(structures=500, triangles=5_000_000)
_HEALTH_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one load gave.

    Attributes:
        name: Of the question.
        clients: At the same time.
        seconds: Of each answer, sorted.
        took_s: All of it.
        refused: Answers other than 200.
        health_ms: Slowest answer of /healthz meanwhile.
    """

    name: str
    clients: int
    seconds: Sequence[float]
    took_s: float
    refused: int
    health_ms: float

    def row(self) -> str:
        """Return the figures as a row of a table."""
        ms = [
            1e3 * self.seconds[int(share * (len(self.seconds) - 1))] for share in (0.5, 0.95, 0.99)
        ]
        figures = [f"{value:.0f}" for value in ms]
        rate = len(self.seconds) / self.took_s
        return (
            f"| {self.name} | {self.clients} | {' | '.join(figures)} | {rate:.1f} | {self.refused} "
            f"| {self.health_ms:.0f} |"
        )


class Health:
    """Asks whether the service lives, all the while, and remembers the slowest answer.

    From a process of its own, which does not wait for the clients' interpreter.
    """

    def __init__(self, address: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._asking, self._over = context.Event(), context.Event()
        self._slowest_ms = context.Value("d", 0.0)
        self._process = context.Process(
            target=_ask, args=(address, self._asking, self._over, self._slowest_ms)
        )

    @property
    def slowest_ms(self) -> float:
        """Of all answers so far."""
        return self._slowest_ms.value

    def __enter__(self) -> "Health":
        self._process.start()
        self._asking.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.join()


def _ask(address: str, asking: Event, over: Event, slowest_ms: "Synchronized[float]") -> None:
    with httpx2.Client(base_url=address, timeout=30.0) as client:
        client.get("/healthz")  # the connection is not what is measured
        asking.set()
        while not over.wait(_HEALTH_EVERY_S):
            since_s = time.perf_counter()
            client.get("/healthz").raise_for_status()
            slowest_ms.value = max(slowest_ms.value, 1e3 * (time.perf_counter() - since_s))


def loaded(
    address: str, name: str, ask: Callable[[httpx2.Client], int], *, clients: int, requests: int
) -> Load:
    """Have so many clients ask so many questions in all."""
    left = iter(range(requests))
    lock, seconds, refused = threading.Lock(), [], 0

    def client(_: int) -> None:
        nonlocal refused
        with httpx2.Client(base_url=address, timeout=600.0) as way:
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                since_s = time.perf_counter()
                status = ask(way)
                with lock:
                    seconds.append(time.perf_counter() - since_s)
                    refused += status != 200

    with Health(address) as health, ThreadPoolExecutor(clients) as pool:
        began_s = time.perf_counter()
        list(pool.map(client, range(clients)))
        took_s = time.perf_counter() - began_s
    return Load(
        name=name, clients=clients, seconds=sorted(seconds), refused=refused, took_s=took_s,
        health_ms=health.slowest_ms,
    )  # fmt: skip


def directly(call: Callable[[], object], times: int) -> float:
    """Return the median time of a call in this process, seconds."""
    call()
    taken = []
    for _ in range(times):
        since_s = time.perf_counter()
        call()
        taken.append(time.perf_counter() - since_s)
    return statistics.median(taken)


def demo_in_one_body() -> bytes:
    """Return the bundled case, inline, with a quick question about it."""
    folder = sample_case(DEMO_CASE)
    document = json.loads((folder / "case.json").read_text())
    for row in document["structures"]:
        if "file" in row:
            name = row.pop("file")
            mesh = read_mesh((folder / name).read_bytes(), name.rpartition(".")[2])
            row |= {"vertices_mm": mesh.vertices.tolist(), "faces": mesh.faces.tolist()}
    return json.dumps({"case": document, "request": question(0)}).encode()


def memory_mib(served: Served) -> float:
    """Return what the service and all its processes hold, each its own pages, MiB."""
    pages = 0
    for pid in (served.pid, *served.processes()):
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        pages += int(fields[1]) - int(fields[2])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _demo_case(address: str) -> str:
    with httpx2.Client(base_url=address, timeout=600.0) as client:
        return str(client.post(f"/v1/samples/{DEMO_CASE}").headers["location"])


def _drawn(address: str, case: str) -> dict[str, Any]:
    """Return the evaluation of the first path that a plan of the case has."""
    with httpx2.Client(base_url=address, timeout=600.0) as client:
        plan = client.post(f"{case}/plans", json=question(0), headers={"Prefer": "wait=300"}).json()
    best = plan["trajectories"][0]
    return {"path": best["path"], "needle": best["needle"]}


def soak(served: Served, case: str, drawn: dict[str, Any], requests: int) -> list[float]:
    """Return the memory after each tenth of so many mixed requests, MiB."""
    held = []
    with httpx2.Client(base_url=served.address, timeout=600.0) as client:
        for number in range(requests):
            kind = number % 20
            if kind in {0, 10}:
                made = client.post("/v1/cases", json=box_case(number)).headers["location"]
                wait = {"Prefer": "wait=60"}
                client.post(f"{made}/plans", json=question(number % 97), headers=wait)
                client.delete(made).raise_for_status()
            elif kind == 5:
                client.post(f"{case}/evaluate", json=drawn).raise_for_status()
            else:
                client.get(case).raise_for_status()
            if (number + 1) % (requests // 10) == 0:
                held.append(memory_mib(served))
    return held


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--requests", type=int, default=120)
    parser.add_argument("--plans", type=int, default=32)
    parser.add_argument("--soak", type=int, default=2000)
    asked = parser.parse_args()
    body = demo_in_one_body()
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder), TROCAR_REQUESTS_PER_S="1e6", TROCAR_REQUESTS_BURST="1000000")
        try:
            served.wait_until_ready()
            _measure(asked, served, body)
        finally:
            served.end()


def _measure(asked: argparse.Namespace, served: Served, body: bytes) -> None:
    case = _demo_case(served.address)
    drawn = _drawn(served.address, case)
    headers = {"Content-Type": "application/json"}

    def plan(client: httpx2.Client) -> int:
        return client.post("/v1/plan", content=body, headers=headers).status_code

    def evaluate(client: httpx2.Client) -> int:
        return client.post(f"{case}/evaluate", json=drawn).status_code

    print("| question | clients | p50 ms | p95 ms | p99 ms | answers/s | refused | healthz ms |")
    print("|---|---|---|---|---|---|---|---|")
    alone: dict[str, float] = {}
    for name, ask, requests in (
        ("evaluate", evaluate, asked.requests), ("plan", plan, asked.plans),
    ):  # fmt: skip
        loaded(served.address, name, ask, clients=2, requests=4)  # both workers know the case
        for clients in asked.clients:
            load = loaded(served.address, name, ask, clients=clients, requests=requests)
            print(load.row(), flush=True)
            alone.setdefault(name, statistics.median(load.seconds))
    prepared = PreparedCase(load_case(sample_case(DEMO_CASE)))
    request = checked(EvaluationDocument, drawn).request()
    calls: dict[str, Callable[[], object]] = {
        "evaluate": lambda: dump(trajectory_document(evaluate_directly(prepared, request))),
        "plan": lambda: work.plan_once(body, _LIMITS),
    }
    for name, call in calls.items():
        own_s = directly(call, 5)
        print(f"{name}: directly {1e3 * own_s:.1f} ms, by one client {1e3 * alone[name]:.1f} ms, "
              f"ratio {alone[name] / own_s:.2f}", flush=True)  # fmt: skip
    held = soak(served, case, drawn, asked.soak)
    print(f"memory over {asked.soak} requests, MiB: " + ", ".join(f"{mib:.0f}" for mib in held))


if __name__ == "__main__":
    main()
