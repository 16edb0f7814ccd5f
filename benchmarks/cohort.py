"""A cohort's engine on dask workers of this machine, over TCP, and one of them lost half-way.

What is measured is the engine, so its work is arithmetic of a known length and not plans: how long
these take is in the report of every cohort.
"""

import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.report import Cell, Section, Table
from benchmarks.timing import FULL, Pace
from cohort.engines import engine_named

WORKERS = (1, 2, 4, 8)
WORK_S = 0.25


def arithmetic(_: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Use a quarter of a core-second."""
    begun = time.process_time()
    while time.process_time() - begun < WORK_S:
        sum(range(10_000))
    return {"number": number, "pid": os.getpid()}


def scaled(pace: Pace) -> Section:
    """Measure 1, 2, 4 and 8 workers, and two of which one is killed half-way."""
    count = 64 if pace == FULL else 24
    rows: list[tuple[Cell, ...]] = [
        (str(workers), *_measured(count, workers, kill=False)) for workers in WORKERS
    ]
    rows.append(("2, one killed half-way", *_measured(count, 2, kill=True)))
    columns = (
        "workers", "wall s", "first result s", "pieces done", "lost", "twice",
        "core-s beside the work", "pieces per second after the first",
    )  # fmt: skip
    note = (
        f"{count} pieces of {WORK_S} core-seconds on {os.cpu_count()} cores. Workers start anew "
        "each time; what stands beside the work is mostly their start."
    )
    return Section(
        tables=[Table(title="j. Cohorts on dask over TCP", columns=columns, rows=rows, note=note)]
    )


def _measured(count: int, workers: int, *, kill: bool) -> Iterator[Cell]:
    engine = engine_named("dask", workers, work=arithmetic)
    begun, core = time.perf_counter(), _core_s()
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
    yield _core_s() - core - WORK_S * len(numbers)
    yield (count - 1) / (wall - first)


def _core_s() -> float:
    """Return the core-seconds of this process and of those it started and that have ended."""
    usages = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
