"""A cohort's real plans on dask workers of this machine, over TCP, one of them lost half-way.

A piece of work draws a lumbar spine of ``bilateral-t4-l5`` and plans the way of one needle through
one pedicle: about two core-seconds, so that eight workers have some each and all runs together
end within minutes on two cores. How long whole spines take, with all targets and needles, is in the
report of every cohort.
"""

import os
import resource
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.report import Cell, Section, Table
from benchmarks.timing import FULL, Pace
from cohort.engines import engine_named
from cohort.spec import BUILT_IN, GAUGES, SERIES, Spec
from cohort.work import plan_record
from phantom.recipe import build_case
from planner.case import Side
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import Approach

SPEC = replace(BUILT_IN["bilateral-t4-l5"], copies=8)
_STORIES = SERIES[SPEC.series].stories * SPEC.copies
# Without ribs, lungs and pelvis, which take longer to draw than such a plan.
LUMBAR = [n for n, story in enumerate(_STORIES) if story.levels in {"L1-L3", "L2-L4", "L3-L5"}]
KILLED = "2, one killed half-way"


def one_plan(fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Draw a spine and plan its first target with one needle, through the left pedicle."""
    begun = time.process_time()
    cohort = Spec(**fields)
    patient = cohort.patient(number)
    target = cohort.targets(patient)[0]
    request = replace(
        target.request,
        needles=GAUGES[:1],
        approaches=(Approach.TRANSPEDICULAR,),
        sides=(Side.LEFT,),
    )
    made = plan(PreparedCase(build_case(patient.recipe).case), request)
    return {
        "number": number, "pid": os.getpid(), "plan": plan_record(made),
        "core_s": time.process_time() - begun,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of the engine brought.

    Attributes:
        records: Of its pieces, as they came.
        wall_s: From the start of the workers to the last record.
        first_s: To the first.
        core_s: Core-seconds of this process and of all that it started.
    """

    records: Sequence[dict[str, Any]]
    wall_s: float
    first_s: float
    core_s: float

    def row(self, count: int, alone: "Run") -> tuple[Cell, ...]:
        """Return the run's cells; ``alone`` is what one worker brought."""
        plans = {record["number"]: record["plan"] for record in self.records}
        work_s = sum(record["core_s"] for record in self.records)
        same = sum(plans.get(record["number"]) == record["plan"] for record in alone.records)
        return (
            self.wall_s, self.first_s, len(self.records), count - len(plans),
            len(self.records) - len(plans), same, work_s, self.core_s - work_s,
            60.0 * (count - 1) / (self.wall_s - self.first_s),
        )  # fmt: skip


def scaled(pace: Pace) -> Section:
    """Measure 1, 2, 4 and 8 workers (1 and 2), and two of which one is killed half-way."""
    count, most = (16, 8) if pace == FULL else (6, 2)
    runs = {str(n): _measured(count, n, kill=False) for n in (1, 2, 4, 8) if n <= most}
    runs[KILLED] = _measured(count, 2, kill=True)
    columns = (
        "workers", "wall s", "first plan s", "plans", "lost", "twice", "same as with one worker",
        "core-s of the plans", "core-s beside them", "plans per minute after the first",
    )  # fmt: skip
    note = (
        f"{count} spines drawn and planned in, with {GAUGES[0]}, on {os.cpu_count()} cores. "
        "Workers start anew each time and load their machine code with their first plan; what "
        "stands beside the plans is mostly their start, and what a killed worker had begun."
    )
    rows: list[tuple[Cell, ...]] = [(name, *r.row(count, runs["1"])) for name, r in runs.items()]
    return Section(
        tables=[Table(title="j. Cohorts on dask over TCP", columns=columns, rows=rows, note=note)]
    )


def _measured(count: int, workers: int, *, kill: bool) -> Run:
    engine = engine_named("dask", workers, work=one_plan)
    begun, core = time.perf_counter(), _core_s()
    records: list[dict[str, Any]] = []
    first = 0.0
    for record in engine(asdict(SPEC), LUMBAR[:count]):
        records.append(record)
        first = first or time.perf_counter() - begun
        if kill and len(records) == count // 2:
            os.kill(record["pid"], signal.SIGKILL)
    wall = time.perf_counter() - begun
    return Run(records=records, wall_s=wall, first_s=first, core_s=_core_s() - core)


def _core_s() -> float:
    """Return the core-seconds of this process and of those it started and that have ended."""
    usages = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
