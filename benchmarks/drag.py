"""Dragging a point target: at every place the best path of each class is proved anew."""

import math
from itertools import product

import numpy as np

from benchmarks.report import Cell, Reached, Section, Table
from benchmarks.scenes import NEEDLE, TARGET, Surroundings
from benchmarks.timing import Pace, Timed, timed
from planner.case import Side
from planner.live import LiveClass, LivePlanner
from planner.request import BY_WINDOW, Approach, FreePoint, PlanRequest
from planner.result import Status

TOLERANCE_MM = 0.25
POINT_MM = 1.0  # how far from the dragged point the tip may end
CIRCLE_MM = 4.0  # the point is dragged along a circle in the body
PLACES_PER_REPEAT = 40
ENOUGH_S = 60.0  # a class that has taken this many core-seconds is not followed further


def dragged(around: Surroundings, pace: Pace) -> Section:
    """Measure replanning of a moving target, class by class."""
    places = _circle(around, PLACES_PER_REPEAT * pace.repeats)
    rows: list[tuple[Cell, ...]] = []
    slowest: list[float] = []
    proved = followed = 0
    for approach, side in product(BY_WINDOW, Side):
        frames = _followed(around, approach, side, places)
        if not frames:
            continue
        cpu, wall, settled = np.array(frames).T
        slowest.append(float(np.percentile(cpu, 99)))
        proved, followed = proved + int(settled.sum()), followed + len(frames)
        rows.append((
            f"{approach} {side}", float(np.median(cpu)), slowest[-1], float(np.median(wall)),
            float(np.percentile(wall, 99)), f"{int(settled.sum())} of {len(frames)}",
        ))  # fmt: skip
    limit = f"the slowest class; {proved} of {followed} places proved"
    table = Table(
        title=f"g. Dragging a point target, proved anew to {TOLERANCE_MM} mm",
        columns=("class", "p50 core-ms", "p99 core-ms", "p50 wall ms", "p99 wall ms", "proved"),
        rows=rows,
        note=f"`LivePlanner`, {NEEDLE}, up to {len(places)} places on a circle of {CIRCLE_MM:g} mm "
        "in the body; the margin on the original meshes is measured at every place.",
    )  # fmt: skip
    return Section(tables=[table], reached={"drag/p99": Reached(value=max(slowest), limit=limit)})


def _circle(around: Surroundings, count: int) -> list[FreePoint]:
    """Return targets all around a circle across the body."""
    left, _, superior = around.question.axes
    angles = [2.0 * math.pi * i / count for i in range(count)]
    offsets = [CIRCLE_MM * (math.cos(a) * left + math.sin(a) * superior) for a in angles]
    centre = around.region.centre_mm
    return [FreePoint(position_mm=centre + o, tolerance_mm=POINT_MM) for o in offsets]


def _followed(
    around: Surroundings, approach: Approach, side: Side, places: list[FreePoint]
) -> list[tuple[float, float, bool]]:
    """Follow the target with one class; return core-ms, wall ms and whether it was proved.

    The first answer, which starts from nothing, is not kept. Nothing is returned for a class
    without a window.
    """
    request = PlanRequest(
        target=TARGET, approaches=(approach,), sides=(side,), needles=(NEEDLE,),
        certificate_tolerance_mm=TOLERANCE_MM,
    )  # fmt: skip
    planner = LivePlanner(around.question.prepared, request)

    def answer(place: FreePoint) -> tuple[LiveClass, ...]:
        return planner.ask(place).result()

    answer(places[-1])
    runs: list[Timed[tuple[LiveClass, ...]]] = []
    while len(runs) < len(places) and sum(run.cpu_s for run in runs) < ENOUGH_S:
        runs.append(timed(lambda: answer(places[len(runs)])))
    planner.close()
    return [
        (1e3 * run.cpu_s, 1e3 * run.wall_s, found.certificate.status is not Status.STOPPED)
        for run in runs
        for found in run.value
    ]
