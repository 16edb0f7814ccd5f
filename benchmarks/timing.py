"""Fair clocks: engines answer the same questions in turns, within one process.

CPU time is that of the whole process, all threads added up, so an engine that uses two cores
pays for both; on a machine that others use as well it is the steadier of the two clocks.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

import numpy as np

from benchmarks.scenes import Lines

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed(Generic[T]):
    """A value and what it took."""

    value: T
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Something that answers one question for many needle axes.

    Attributes:
        name: Library and function.
        version: Its version; empty for this project.
        answer: From lines to one row of numbers (or booleans) per line.
    """

    name: str
    version: str
    answer: Callable[[Lines], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast an engine was: medians over the repeats.

    Attributes:
        engine: The engine.
        per_cpu_s: Lines per core-second.
        per_wall_s: Lines per second of wall time.
        lines: Lines per repeat.
    """

    engine: Engine
    per_cpu_s: float
    per_wall_s: float
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to measure: repeats, and seconds per engine and repeat."""

    repeats: int
    seconds: float


FULL = Pace(repeats=5, seconds=0.5)
QUICK = Pace(repeats=3, seconds=0.05)


def timed(run: Callable[[], T]) -> Timed[T]:
    """Run something once."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = run()
    return Timed(
        value=value, cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall
    )  # fmt: skip


def middle(run: Callable[[], T], repeats: int) -> Timed[T]:
    """Run something several times: the last value, median CPU time, least disturbed wall time."""
    runs = [timed(run) for _ in range(repeats)]
    return Timed(
        value=runs[-1].value, cpu_s=median(r.cpu_s for r in runs),
        wall_s=min(r.wall_s for r in runs),
    )  # fmt: skip


def rates(engines: Sequence[Engine], lines: Lines, pace: Pace) -> list[Rate]:
    """Measure engines in turns on the same lines, each on as many as fit its time.

    Every engine begins with the first line, so a slow one answers a prefix of what a fast one
    does. The first call, which may compile or cache, is not measured.
    """
    counts = [_affordable(engine, lines, pace.seconds) for engine in engines]
    spent: list[list[Timed[np.ndarray]]] = [[] for _ in engines]
    for _ in range(pace.repeats):
        for engine, count, times in zip(engines, counts, spent, strict=True):
            some = lines.first(count)
            times.append(timed(lambda e=engine, s=some: e.answer(s)))  # type: ignore[misc]
    return [
        Rate(
            engine=engine, lines=count,
            per_cpu_s=count / max(median(t.cpu_s for t in times), 1e-9),
            per_wall_s=count / max(median(t.wall_s for t in times), 1e-9),
        )
        for engine, count, times in zip(engines, counts, spent, strict=True)
    ]  # fmt: skip


def _affordable(engine: Engine, lines: Lines, seconds: float) -> int:
    """Return how many lines an engine answers in about this time, at least one."""
    engine.answer(lines.first(1))
    count = 1
    while True:
        took = timed(lambda: engine.answer(lines.first(count))).wall_s  # noqa: B023 - used at once
        if took > 0.2 * seconds or count == len(lines):
            return int(np.clip(count * seconds / max(took, 1e-9), 1, len(lines)))
        count = min(4 * count, len(lines))
