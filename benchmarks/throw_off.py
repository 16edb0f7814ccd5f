"""Throw-off views: the search against drawing the metal and counting pixels, degree by degree.

    python -m benchmarks.throw_off [CASE ...]

compares one needle of both sample cases, and of every case that is named.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from jaxtyping import Float

from api.samples import sample_case
from benchmarks._kernels.pixels import covered_pixels
from benchmarks.degrees import Weighed, weighed
from benchmarks.report import Cell, Reached, Section, Table, markdown
from benchmarks.scenes import NEEDLE, TARGET, Surroundings
from benchmarks.timing import FULL, QUICK, Pace, middle, timed
from geometry.arrays import Faces, Points, Vector, unit
from geometry.projection import together
from planner.case import HARDWARE, Kind
from planner.case_io import load_case
from planner.fluoroscopy.marks import Marks, marks_of
from planner.fluoroscopy.throw_off import (
    AROUND_DEG,
    WIDEST_DEG,
    Found,
    Screen,
    Zone,
    ap_zone,
    lateral_zone,
    shadows_of,
    throw_off,
)
from planner.needles.path import path_chords
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, PlanRequest
from planner.result import Trajectory

PIXEL_MM = 0.01  # at the isocentre
SAMPLES = ("lumbar-fracture", "thoracic-halo")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Needle:
    """A planned needle whose views are compared."""

    name: str
    question: Question
    trajectory: Trajectory


def searched(around: Surroundings, pace: Pace) -> Section:
    """Compare every planned needle of the sample; the first alone in a quick run."""
    question = around.question
    answer = plan(question.prepared, PlanRequest(target=TARGET, needles=(NEEDLE,)))
    shown = answer.trajectories if pace is FULL else answer.trajectories[:1]
    needles = [Needle(name=str(t.rank), question=question, trajectory=t) for t in shown]
    return compared(needles, pace)


def compared(needles: Iterable[Needle], pace: Pace) -> Section:
    """Search both zones for every needle, quickly and by pixels."""
    shown, rows = list(needles), list[tuple[Cell, ...]]()
    ratios: list[float] = []
    worst = 0.0
    for name, zone_about in (("lateral", lateral_zone), ("AP", ap_zone)):
        for needle in shown:
            row, ratio, off = _compared(needle, zone_about(needle.question.axes), pace)
            rows.append((f"{needle.name}, near {name}", *row))
            print(*rows[-1], file=sys.stderr, flush=True)
            ratios.append(ratio)
            worst = max(worst, off)
    table = Table(
        title="h. The view in which metal hides least",
        columns=("needle", "hidden around the true view", "around the best", "cost",
                 "least cost by pixels", "cost by pixels of the view found", "off by, %",
                 "core-ms", "by pixels, core-s", "ratio"),
        rows=rows,
        note=f"Every degree within {WIDEST_DEG} of the true view, worst within {AROUND_DEG} "
        f"degrees. By pixels: all metal projected anew for every view, {PIXEL_MM} mm pixels. Off "
        f"by at most {worst:.2%} of the least cost, ratio {median(ratios):,.0f} in the middle.",
    )  # fmt: skip
    return Section(
        tables=[table],
        reached={
            "throw_off/pixels": Reached(value=median(ratios), limit="the needle's own points"),
            "throw_off/agreement": Reached(value=worst, limit="of the least cost"),
        },
    )


def _compared(needle: Needle, zone: Zone, pace: Pace) -> tuple[tuple[Cell, ...], float, float]:
    """Return a row, the ratio of times, and the larger of two differences, of the least cost.

    One is between the least costs either way; the other is what the view that was found costs
    more by pixels than the best of all.
    """
    question, path = needle.question, needle.trajectory.path
    metal = [question.prepared.distance(s) for s in question.prepared.given.of_kind(*HARDWARE)]
    marks = marks_of(path, question.region, question.prepared.bone(question.bone), question.axes)
    entry, after = path_chords(path)[:2]
    along: Vector = unit(after - entry)
    arm, lies = question.c_arm, question.position

    def search() -> Found | None:
        screen = Screen(
            metal=tuple(metal), tip=shadows_of(metal, marks.tip_mm, zone),
            anatomy=shadows_of(metal, marks.anatomy_mm, zone),
        )  # fmt: skip
        return throw_off(zone, marks, screen, needle=along, c_arm=arm, position=lies)

    joined = together([m.mesh for m in metal])

    def by_pixels() -> Weighed:
        return weighed(zone, along, arm, lies, lambda ends: _hidden(question, marks, ends, joined))

    search()  # compiled, as is the line below
    _hidden(question, marks, zone.axes[2:], joined)
    ours, slow = middle(search, pace.repeats), timed(by_pixels)
    found, every = ours.value, slow.value
    if found is None:
        raise RuntimeError(f"{needle.name}: the C-arm reaches no view of this zone")
    ratio, there = slow.cpu_s / ours.cpu_s, every.cost_of(found.beam)
    off = max(abs(found.cost - every.least), there - every.least) / every.least
    row = (
        found.true_nearby, found.nearby, found.cost, every.least, there, 100.0 * off,
        1e3 * ours.cpu_s, slow.cpu_s, ratio,
    )  # fmt: skip
    return row, ratio, off


def _hidden(
    question: Question, marks: Marks, beams: Points, metal: tuple[Points, Faces]
) -> Float[np.ndarray, " b"]:
    """Return the overall share of the points that fall on pixels which metal covers."""
    vertices, faces = metal
    points, weights = np.concatenate([marks.tip_mm, marks.anatomy_mm]), marks.weights()
    shares = np.empty(len(beams))
    for view, beam in enumerate(beams):
        cone = question.c_arm.cone(beam, marks.tip_mm[-1], question.position)
        pixel = PIXEL_MM * cone.magnification
        middles = np.floor(cone.project(points) / pixel) + 0.5
        covered = covered_pixels(cone.project(vertices) / pixel, faces, middles)
        shares[view] = np.concatenate(weights) @ covered
    return shares


def first_needle(folder: Path) -> Needle:
    """Plan into the vertebra in the middle of a case's metal, and return the best path."""
    prepared = PreparedCase(load_case(folder))
    metal = np.concatenate([s.mesh.vertices for s in prepared.given.of_kind(*HARDWARE)])
    bones = [b for b in prepared.case.of_kind(Kind.VERTEBRA) if b.level is not None]
    middle_mm = metal.mean(axis=0)
    bone = min(bones, key=lambda b: np.linalg.norm(b.mesh.vertices.mean(axis=0) - middle_mm))
    target = AnteriorBody(level=bone.level or "")
    request = PlanRequest(target=target, needles=(NEEDLE,), max_trajectories=1)
    (best,) = plan(prepared, request).trajectories
    name = f"{folder.name} {bone.level}"
    return Needle(name=name, question=question_of(prepared, request), trajectory=best)


def _needles(named: list[str]) -> Iterator[Needle]:
    for folder in (*(sample_case(name) for name in SAMPLES), *(Path(name) for name in named)):
        print(f"planning {folder.name}", file=sys.stderr, flush=True)
        yield first_needle(folder)


if __name__ == "__main__":
    print(markdown(compared(_needles(sys.argv[1:]), QUICK).tables[0]))
