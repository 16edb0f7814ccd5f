"""Plans on dask workers of this machine, over TCP: what more workers do, and one lost half-way."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from api.samples import DEMO_CASE, sample_case
from benchmarks.report import Cell, Section, Table
from benchmarks.timing import FULL, Pace
from cohort.engines import engine_named
from planner.case_io import load_case
from planner.needles.catalogue import DEFAULT_NEEDLES
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, PlanRequest

WORKERS = (1, 2, 4, 8)


@cache
def _case() -> PreparedCase:
    return PreparedCase(load_case(sample_case(DEMO_CASE)))


def one_plan(_: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Plan a level of the sample case with one needle, each number another question."""
    core = time.process_time()
    level = ("L2", "L3", "L4")[number % 3]
    needle = DEFAULT_NEEDLES[number // 3 % len(DEFAULT_NEEDLES)]
    made = plan(_case(), PlanRequest(target=AnteriorBody(level=level), needles=(needle,)))
    outcome = made.outcome.value
    core_s = time.process_time() - core
    return {"number": number, "pid": os.getpid(), "core_s": core_s, "outcome": outcome}


def scaled(pace: Pace) -> Section:
    """Measure plans on 1, 2, 4 and 8 workers, and on two of which one is killed half-way."""
    count = 48 if pace == FULL else 12
    rows: list[tuple[Cell, ...]] = [
        (str(workers), *_measured(count, workers, kill=False)) for workers in WORKERS
    ]
    rows.append(("2, one killed half-way", *_measured(count, 2, kill=True)))
    columns = (
        "workers", "wall s", "first result s", "plans", "lost", "twice", "core-s per plan",
        "plans per second of wall time after the first",
    )  # fmt: skip
    note = (
        f"{os.cpu_count()} cores. Workers start anew each time: the first result waits for their "
        "imports, the case and its anatomy, which every worker reads for itself."
    )
    return Section(
        tables=[Table(title="j. Cohorts on dask over TCP", columns=columns, rows=rows, note=note)]
    )


def _measured(count: int, workers: int, *, kill: bool) -> Iterator[Cell]:
    engine = engine_named("dask", workers, work=one_plan)
    begun = time.perf_counter()
    found: list[dict[str, Any]] = []
    first = 0.0
    for record in engine({}, range(count)):
        found.append(record)
        first = first or time.perf_counter() - begun
        if kill and len(found) == count // 2:
            os.kill(record["pid"], signal.SIGKILL)
    wall = time.perf_counter() - begun
    numbers = [record["number"] for record in found]
    yield wall
    yield first
    yield len(found)
    yield count - len(set(numbers))
    yield len(numbers) - len(set(numbers))
    yield sum(record["core_s"] for record in found) / count
    yield (count - 1) / (wall - first)
