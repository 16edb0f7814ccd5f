"""Dragging a point target: at every place the best path of each class is proved anew.

The scene and the gates stay; the target, its lines and their search are new at every frame, and
the frame before gives the search its first path.
"""

import math

import numpy as np

from benchmarks.report import Cell, Reached, Section, Table
from benchmarks.scenes import NEEDLE, Surroundings, classes
from benchmarks.timing import Pace, timed
from planner.anatomy.model import Unavailable
from planner.approach import Gate
from planner.needles.model import Needle
from planner.request import FreePoint
from planner.search.branch_and_bound import SearchResult, search_family
from planner.search.family import Numbers, line_family
from planner.target import TargetRegion, region_of

TOLERANCE_MM = 0.25
POINT_MM = 1.0  # how far from the dragged point the tip may end
CIRCLE_MM = 4.0  # the point is dragged along a circle in the body
FRAMES_PER_REPEAT = 20


def dragged(around: Surroundings, pace: Pace) -> Section:
    """Measure replanning of a moving target, class by class."""
    count = FRAMES_PER_REPEAT * pace.repeats
    regions = [_region(around, 2.0 * math.pi * i / count) for i in range(count)]
    rows: list[tuple[Cell, ...]] = []
    slowest: list[float] = []
    proved = 0
    for gate, needle in classes(around, (NEEDLE,)):
        if gate.window.is_empty:
            continue
        frames = _replanned(around, gate, needle, regions)
        cpu, wall, boxes, closed = np.array(frames).T
        slowest.append(float(np.percentile(cpu, 99)))
        proved += int(closed.sum())
        rows.append((
            f"{gate.approach} {gate.side}", float(np.median(cpu)), slowest[-1],
            float(np.median(wall)), float(np.percentile(wall, 99)), int(np.median(boxes)),
            f"{int(closed.sum())} of {count}",
        ))  # fmt: skip
    table = Table(
        title=f"g. Dragging a point target, proved anew to {TOLERANCE_MM} mm",
        columns=(
            "class", "p50 core-ms", "p99 core-ms", "p50 wall ms", "p99 wall ms", "boxes", "proved",
        ),
        rows=rows,
        note=f"{count} places on a circle of {CIRCLE_MM:g} mm, {NEEDLE}; scene and gates stay, the "
        "path of the place before is the first one tried.",
    )  # fmt: skip
    limit = f"the whole search of a class at every place; {proved} of {count * len(rows)} proved"
    return Section(
        tables=[table], reached={"drag/p99": Reached(value=max(slowest), limit=limit)}
    )  # fmt: skip


def _region(around: Surroundings, angle: float) -> TargetRegion:
    """Return the target when the point is at this angle of its circle."""
    question = around.question
    left, _, superior = question.axes
    offset = CIRCLE_MM * (math.cos(angle) * left + math.sin(angle) * superior)
    point = FreePoint(position_mm=around.region.centre_mm + offset, tolerance_mm=POINT_MM)
    region = region_of(question.prepared, point, question.bone, question.axes)
    if isinstance(region, Unavailable):
        raise TypeError(region.reason)
    return region


def _replanned(
    around: Surroundings, gate: Gate, needle: Needle, regions: list[TargetRegion]
) -> list[tuple[float, float, int, bool]]:
    """Search a class at every place; return core-ms, wall ms, boxes and whether it was proved.

    The first search starts from nothing and is not kept.
    """

    def at(region: TargetRegion, hints: tuple[Numbers, ...]) -> SearchResult:
        family = line_family(gate, around.scene, region, needle.usable_length_mm)
        return search_family(
            family, radius_mm=needle.radius_mm, tolerance_mm=TOLERANCE_MM, hints=hints
        )

    def best(result: SearchResult) -> tuple[Numbers, ...]:
        return tuple(o.line for o in result.optima[:1])

    frames = []
    before = best(at(regions[-1], ()))
    for region in regions:
        run = timed(lambda r=region, h=before: at(r, h))  # type: ignore[misc]
        before = best(run.value)
        frames.append((
            1e3 * run.cpu_s, 1e3 * run.wall_s, run.value.boxes_examined, run.value.closed,
        ))  # fmt: skip
    return frames
