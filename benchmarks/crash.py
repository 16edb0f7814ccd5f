"""Kills the service and its processes at random while clients work, and counts what was lost.

    python -m benchmarks.crash [--kills 200] [--seed 1] [--light]

Accepted is what was answered with 201 or 202. Nothing accepted may be lost, settled twice or come
back otherwise than it was handed in. With --light the plans are about a bone that cannot be read,
so that many are made in between. Needs Linux (/proc).
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from api.openapi_examples import CASE
from api.samples import DEMO_CASE, DEMO_TARGET, sample_case
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form

ROOT = Path(__file__).parents[1]
_READY_S, _SETTLED_S = 180.0, 900.0
_MOST_OPEN = 6  # plans that a client leaves open at a time
_SERVE = "from api.cli import main; main()"
_SERVICE_SHARE = 0.15  # of the kills; it takes longest to come back


@dataclass
class Tally:
    """What happened; printed at the end."""

    kills: dict[str, int] = field(default_factory=lambda: {"service": 0, "process": 0})
    cases: dict[str, int] = field(default_factory=dict)
    plans: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    lost: int = 0
    duplicated: int = 0
    corrupted: int = 0


class Served:
    """A service in a process group of its own, restarted where it was.

    Args:
        folder: Where it keeps what it is given.
        settings: Of the environment, beside those for crashes.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self._settings = settings
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self._folder = folder
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "TROCAR_DATA_FOLDER": str(self._folder),
            "TROCAR_WORKERS": "2",
            "TROCAR_MAX_ATTEMPTS": "1000",  # here the plans are not to blame
            **self._settings,
        }
        return subprocess.Popen(
            [sys.executable, "-c", _SERVE, "serve", "--port", str(self._port)],
            cwd=ROOT, env=environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """The service's own process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait until it can work."""
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            try:
                if httpx2.get(f"{self.address}/readyz", timeout=5.0).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        raise TimeoutError("the service did not become ready")

    def kill(self) -> None:
        """Kill the service itself and start it again."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def processes(self) -> list[int]:
        """Return the service's descendants: workers, and what they are forked from."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                after_name = stat.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
        found, waiting = [], [self._process.pid]
        while waiting:
            children = parents.get(waiting.pop(), [])
            found += children
            waiting += children
        return found

    def end(self) -> None:
        """Stop for good."""
        self._process.kill()
        self._process.wait()


def question(number: int) -> dict[str, Any]:
    """Return a question that no other number gives."""
    return {
        "target": target_from_short_form(DEMO_TARGET),
        "needles": ["13G-150"],
        "approaches": ["transpedicular"],
        "certificate_tolerance_mm": round(0.5 + 0.001 * number, 3),
    }


def box_case(number: int) -> dict[str, Any]:
    """Return a case with one box for a vertebra, whose least x is its number."""
    box = CASE["structures"][0]
    least = min(x for x, _, _ in box["vertices_mm"])
    there = [[x - least + number, y, z] for x, y, z in box["vertices_mm"]]
    return {**CASE, "name": "box", "structures": [{**box, "vertices_mm": there}]}


def _light(client: httpx2.Client) -> str:
    reply = client.post("/v1/cases", json=box_case(0))
    reply.raise_for_status()
    return str(reply.headers["location"])


def _demo(client: httpx2.Client) -> str:
    folder = sample_case(DEMO_CASE)
    document = json.loads((folder / "case.json").read_text())
    names = [row["file"] for row in document["structures"] if "file" in row]
    parts = [("case", ("case.json", json.dumps(document).encode()))]
    parts += [(name, (name, (folder / name).read_bytes())) for name in names]
    reply = client.post("/v1/cases", files=parts)
    reply.raise_for_status()
    return str(reply.headers["location"])


def _ask_for_plans(served: Served, case: str, tally: Tally, over: threading.Event) -> None:
    """Ask one question after the other; each until it is accepted."""
    number = 0
    with httpx2.Client(base_url=served.address, timeout=60.0) as client:
        while not over.is_set():
            try:
                reply = client.post(f"{case}/plans", json=question(number))
                if reply.status_code in {200, 202}:
                    tally.plans[reply.headers["location"]] = number
                    number += 1
                    _wait_for_some(client, list(tally.plans)[:-_MOST_OPEN], over)
            except httpx2.TransportError:
                time.sleep(0.1)


def _wait_for_some(client: httpx2.Client, plans: list[str], over: threading.Event) -> None:
    while plans and not over.is_set():
        if "outcome" in client.get(plans[-1]).json():
            return
        time.sleep(0.05)


def _hand_in_cases(served: Served, tally: Tally, over: threading.Event) -> None:
    """Hand in small cases, each with a mesh of its own."""
    number = 0
    with httpx2.Client(base_url=served.address, timeout=60.0) as client:
        while not over.wait(0.5):
            try:
                reply = client.post("/v1/cases", json=box_case(number))
            except httpx2.TransportError:
                continue
            if reply.status_code == 201:
                tally.cases[reply.headers["location"]] = number
                number += 1


def _kill_at_random(served: Served, tally: Tally, kills: int, chance: random.Random) -> None:
    for _ in range(kills):
        time.sleep(chance.uniform(0.05, 3.0))
        processes = served.processes()
        if processes and chance.random() > _SERVICE_SHARE:
            try:
                os.kill(chance.choice(processes), signal.SIGKILL)
                tally.kills["process"] += 1
            except ProcessLookupError:
                continue
        else:
            served.kill()
            tally.kills["service"] += 1
            if chance.random() < 0.7:  # else it is killed again while it starts
                served.wait_until_ready()


def _settle(served: Served, tally: Tally) -> None:
    """Wait for all plans that were accepted, and hold them against what was asked."""
    with httpx2.Client(base_url=served.address, timeout=60.0) as client:
        until = time.monotonic() + _SETTLED_S
        for plan, number in tally.plans.items():
            answer = client.get(plan).json()
            while answer.get("state") in {"queued", "running"} and time.monotonic() < until:
                time.sleep(0.05)
                answer = client.get(plan).json()
            _hold(client, plan, number, answer, tally)
        for case, number in tally.cases.items():
            mesh = client.get(f"{case}/structures/L3.ply")
            tally.lost += mesh.status_code == 404
            low = client.get(case).json()["structures"][0]["bounds_mm"][0]
            tally.corrupted += mesh.status_code != 200 or low[0] != float(number)


def _hold(
    client: httpx2.Client, plan: str, number: int, answer: dict[str, Any], tally: Tally
) -> None:
    if "outcome" not in answer:
        tally.lost += 1
        print(f"lost: {plan}: {answer}", file=sys.stderr)
        return
    tally.finished += 1
    asked = checked(PlanRequestDocument, question(number)).request()
    tally.corrupted += answer["request_digest"] != asked.digest
    events = client.get(f"{plan}/events").text
    tally.duplicated += events.count('"state": "done"') != 1


def run(kills: int, seed: int, folder: Path, *, light: bool = False) -> Tally:
    """Return what ``kills`` kills did to a service in ``folder``."""
    tally, over = Tally(), threading.Event()
    served = Served(folder)
    try:
        served.wait_until_ready()
        with httpx2.Client(base_url=served.address, timeout=120.0) as client:
            case = (_light if light else _demo)(client)
        clients = [
            threading.Thread(target=_ask_for_plans, args=(served, case, tally, over)),
            threading.Thread(target=_hand_in_cases, args=(served, tally, over)),
        ]
        for thread in clients:
            thread.start()
        try:
            _kill_at_random(served, tally, kills, random.Random(seed))  # noqa: S311  no secret
        finally:
            over.set()
            for thread in clients:
                thread.join()
        served.wait_until_ready()
        _settle(served, tally)
    finally:
        served.end()
    return tally


def main() -> None:
    """Run the command; status 1 if anything was lost, duplicated or corrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--light", action="store_true")
    asked = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(asked.kills, asked.seed, Path(folder), light=asked.light)
    print(
        f"kills: {tally.kills['service']} of the service, {tally.kills['process']} of its "
        f"processes, in {time.monotonic() - started:.0f} s\n"
        f"accepted: {len(tally.plans)} plans, {len(tally.cases)} cases\n"
        f"finished: {tally.finished}  lost: {tally.lost}  duplicated: {tally.duplicated}  "
        f"corrupted: {tally.corrupted}"
    )
    sys.exit(bool(tally.lost or tally.duplicated or tally.corrupted))


if __name__ == "__main__":
    main()
