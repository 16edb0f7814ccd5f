"""Throw-off views: the search against drawing the metal and counting pixels, degree by degree."""

import math
from statistics import median

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter

from benchmarks.report import Cell, Reached, Section, Table
from benchmarks.scenes import NEEDLE, TARGET, Surroundings
from benchmarks.timing import FULL, Pace, middle, timed
from geometry.arrays import Points, Vector
from geometry.mesh import TriangleMesh
from geometry.projection import ConeBeam, chord_lengths
from planner.case import HARDWARE
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.marks import Marks, marks_of
from planner.fluoroscopy.throw_off import (
    AROUND_DEG,
    SHORT_COST,
    SMEAR_COST,
    TILT_COST,
    WIDEST_DEG,
    Found,
    Zone,
    ap_zone,
    lateral_zone,
    shadows_of,
    throw_off,
)
from planner.needles.path import path_chords
from planner.planning import plan
from planner.question import Question
from planner.request import PlanRequest
from planner.result import Trajectory

PIXEL_MM = 0.3  # at the isocentre
PIXELS = 240
AGREED = 0.02


def searched(around: Surroundings, pace: Pace) -> Section:
    """Search both zones for every planned needle; for the first alone in a quick run."""
    question = around.question
    answer = plan(question.prepared, PlanRequest(target=TARGET, needles=(NEEDLE,)))
    shown = answer.trajectories if pace is FULL else answer.trajectories[:1]
    rows: list[tuple[Cell, ...]] = []
    ratios: list[float] = []
    worst = 0.0
    for trajectory in shown:
        for name, zone in (
            ("AP", ap_zone(question.axes)),
            ("lateral", lateral_zone(question.axes)),
        ):
            row, ratio, off = _compared(question, trajectory, zone, pace)
            rows.append((f"{trajectory.rank}, near {name}", *row))
            ratios.append(ratio)
            worst = max(worst, off)
    table = Table(
        title="h. The view in which metal hides least",
        columns=("needle", "hidden around the true view", "around the best", "cost",
                 "cost by pixels", "core-ms", "by pixels, core-s", "ratio"),
        rows=rows,
        note=f"Every degree within {WIDEST_DEG} of the true view, worst within {AROUND_DEG} "
        f"degrees. By pixels: all metal drawn anew for every view, {PIXEL_MM} mm pixels.",
    )  # fmt: skip
    return Section(
        tables=[table],
        reached={
            "throw_off/pixels": Reached(value=median(ratios), limit="the needle's own points"),
            "throw_off/agreement": Reached(value=worst, limit="half a cell of directions, pixels"),
        },
    )


def _compared(
    question: Question, trajectory: Trajectory, zone: Zone, pace: Pace
) -> tuple[tuple[Cell, ...], float, float]:
    """Return a row, the ratio of times, and by how much the least costs differ."""
    metal = [s.mesh for s in question.prepared.given.of_kind(*HARDWARE)]
    bone = question.prepared.bone(question.bone)
    marks = marks_of(trajectory.path, question.region, bone, question.axes)
    before, tip = path_chords(trajectory.path)[-2:]
    needle: Vector = (tip - before) / np.linalg.norm(tip - before)
    arm, lies = question.c_arm, question.position

    def search() -> Found | None:
        blocked = (shadows_of(metal, marks.tip_mm, zone), shadows_of(metal, marks.anatomy_mm, zone))
        return throw_off(zone, marks, blocked, needle=needle, c_arm=arm, position=lies)

    search()  # compiled
    ours = middle(search, pace.repeats)
    slow = timed(lambda: _by_pixels(question, zone, marks, needle, _joined(metal)))
    if ours.value is None:
        return (None, None, None, slow.value, None, slow.cpu_s, None), 1.0, 0.0
    found, ratio = ours.value, slow.cpu_s / ours.cpu_s
    row = (
        found.true_nearby, found.nearby, found.cost, slow.value, 1e3 * ours.cpu_s, slow.cpu_s,
        ratio,
    )  # fmt: skip
    return row, ratio, abs(found.cost - slow.value)


def _by_pixels(
    question: Question, zone: Zone, marks: Marks, needle: Vector, metal: TriangleMesh
) -> float:
    """Return the least cost over every whole degree, by drawing the metal in every view."""
    widest = WIDEST_DEG + AROUND_DEG
    turned = np.radians(np.arange(-widest, widest + 1.0))
    tilt, turn = (grid.ravel() for grid in np.meshgrid(turned, turned, indexing="ij"))
    t, s, e = zone.axes
    level = np.outer(np.cos(turn), e) + np.outer(np.sin(turn), t)
    beams = np.cos(tilt)[:, None] * level + np.outer(np.sin(tilt), s)
    arm, lies = question.c_arm, question.position
    here, there = (arm.reaches_each(ends, lies) for ends in (beams, -beams))
    ends = np.where((~here & there)[:, None], -beams, beams)
    hidden = np.array([_counted(marks, beam, arm, metal) for beam in ends])
    offsets = np.arange(-AROUND_DEG, AROUND_DEG + 1)
    disc = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= AROUND_DEG**2
    nearby = maximum_filter(hidden.reshape(len(turned), -1), footprint=disc, mode="nearest").ravel()
    cost = (
        0.5 * (hidden + nearby)
        + SHORT_COST * (1.0 - np.linalg.norm(np.cross(beams, needle), axis=1))
        + SMEAR_COST * np.abs(beams @ zone.keep_square)
        + TILT_COST * np.linalg.norm(np.cross(beams, e), axis=1)
    )
    near = beams @ e >= math.cos(math.radians(WIDEST_DEG)) - 1e-9
    return float(cost[near & (here | there)].min())


def _counted(marks: Marks, direction: Vector, arm: CArm, metal: TriangleMesh) -> float:
    """Return the overall share of the points that fall on pixels which metal covers."""
    beam = ConeBeam(
        direction=direction, isocentre_mm=marks.tip_mm[-1],
        source_to_isocentre_mm=arm.source_to_isocentre_mm,
        source_to_detector_mm=arm.source_to_detector_mm,
    )  # fmt: skip
    pixel = PIXEL_MM * beam.magnification
    covered = chord_lengths(metal, beam, (PIXELS, PIXELS), pixel)[0] > 0.0
    total = 0.0
    for points, weights in zip((marks.tip_mm, marks.anatomy_mm), marks.weights(), strict=True):
        across, up = _pixels(beam.project(points) / pixel)
        total += float(weights @ covered[PIXELS - 1 - up, across])
    return total


def _pixels(flat: Float[np.ndarray, "n 2"]) -> np.ndarray:
    return np.clip(np.floor(flat + PIXELS / 2.0), 0, PIXELS - 1).astype(np.int64).T


def _joined(meshes: list[TriangleMesh]) -> TriangleMesh:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices: Points = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate([m.faces + n for m, n in zip(meshes, starts, strict=False)])
    return TriangleMesh(vertices=vertices, faces=faces, is_closed=True)
