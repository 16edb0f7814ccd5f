"""How the cost of a proof grows: with triangles, with structures, with what is asked of it."""

from dataclasses import replace

import numpy as np

from benchmarks import ours
from benchmarks.peers import library
from benchmarks.report import Cell, Section, Table
from benchmarks.scenes import (
    NEEDLE,
    OPEN,
    Surroundings,
    families,
    mixed_lines,
    question_about,
    scene_for,
    surroundings,
)
from benchmarks.timing import Pace, middle, rates
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.case import Case, Kind, Structure
from planner.needles.catalogue import needle_named
from planner.search.branch_and_bound import search_family
from planner.search.family import LineFamily

CLASS = "transpedicular right"
DOUBLINGS = (0, 1, 2)  # every halving of edges makes four triangles of one
STRUCTURES = (4, 10, 20, 40)
TOLERANCES_MM = (1.0, 0.5, 0.25, 0.1, 0.05)
COPY_STEP_MM = 9.0
SEED = 13


def scaled(case: Case, pace: Pace) -> Section:
    """Measure the three ways in which a question grows."""
    return Section(
        tables=[_triangles(case, pace), _structures(case, pace), _tolerances(case, pace)]
    )


_COLUMNS = (
    "scene core-s", "scene wall s", "exact: lines per core-second", "proof core-s", "boxes",
    "margin mm",
)  # fmt: skip


def _triangles(case: Case, pace: Pace) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for halvings in DOUBLINGS:
        finer = replace(case, structures=tuple(_halved(s, halvings) for s in case.structures))
        triangles = sum(len(s.mesh.faces) for s in finer.structures)
        rows.append((4**halvings, triangles, *_cost(case, finer, pace)))
    return Table(
        title="e. Triangles: the same surfaces cut finer",
        columns=("times", "triangles of the case", *_COLUMNS), rows=rows,
        note=f"Class {CLASS}, {NEEDLE}, proved to 0.25 mm.",
    )  # fmt: skip


def _structures(case: Case, pace: Pace) -> Table:
    around = surroundings(case)
    barred = [s for s in case.structures if s.name in around.names]
    kept = [s for s in case.structures if s.name not in around.names]
    rows: list[tuple[Cell, ...]] = []
    for count in STRUCTURES:
        some = [*barred, *_copies(barred, count - len(barred))][:count]
        changed = replace(case, structures=(*kept, *some))
        triangles = sum(len(s.mesh.faces) for s in some)
        rows.append((count, triangles, *_cost(case, changed, pace)))
    return Table(
        title="e. Structures", columns=("structures", "their triangles", *_COLUMNS), rows=rows,
        note="Beyond the case's own, copies of its vessels and rods are laid out beside it.",
    )  # fmt: skip


def _tolerances(case: Case, pace: Pace) -> Table:
    """Measure a gated class and the open one, and fit what a box of the open one costs."""
    named = families(surroundings(case))
    gated, opened = (_tightened(named[name], pace) for name in (CLASS, OPEN))
    each, fixed = np.polyfit([row[2] for row in opened], [row[1] for row in opened], 1)
    return Table(
        title="e. Tolerance",
        columns=(
            "class", "tolerance mm", "proof core-s", "boxes", "margin mm", "gap reached mm",
            "closed",
        ),
        rows=[*((CLASS, *row) for row in gated), *((OPEN, *row) for row in opened)],
        note=f"{NEEDLE}. Straight line through the rows of the {OPEN}: {1e3 * fixed:.0f} core-ms, "
        f"then {1e6 * each:.1f} us per box.",
    )  # fmt: skip


def _tightened(family: LineFamily, pace: Pace) -> list[tuple[float, float, int, float, float, str]]:
    """Prove one class to one tolerance after another."""
    radius = needle_named(NEEDLE, field="needle").radius_mm
    rows = []
    for tolerance in TOLERANCES_MM:
        run = middle(
            lambda t=tolerance: search_family(  # type: ignore[misc]
                family, radius_mm=radius, tolerance_mm=t
            ),
            pace.repeats,
        )
        best = max((o.slack_mm for o in run.value.optima), default=0.0)
        rows.append((
            tolerance, run.cpu_s, run.value.boxes_examined, best - radius,
            run.value.upper_bound_mm - best, str(run.value.closed),
        ))  # fmt: skip
    return rows


def _cost(asked: Case, built: Case, pace: Pace) -> tuple[Cell, ...]:
    """Measure scene, exact clearances and proof of the class with the structures of ``built``."""
    question, region = question_about(asked)
    scene = middle(lambda: scene_for(question, region, built), pace.repeats)
    around = Surroundings(
        question=question, region=region, scene=scene.value, names=(), meshes=(),
        margins_mm=np.empty(0),
    )  # fmt: skip
    lines = mixed_lines(50_000, np.random.default_rng(SEED))
    exact = rates([ours.exact_least(around)], lines, pace)[0]
    radius = needle_named(NEEDLE, field="needle").radius_mm
    family = families(around)[CLASS]
    proof = middle(
        lambda: search_family(family, radius_mm=radius, tolerance_mm=0.25), pace.repeats
    )  # fmt: skip
    best = max((o.slack_mm for o in proof.value.optima), default=radius)
    return (
        scene.cpu_s, scene.wall_s, exact.per_cpu_s, proof.cpu_s, proof.value.boxes_examined,
        best - radius,
    )  # fmt: skip


def _halved(structure: Structure, times: int) -> Structure:
    """Cut every triangle into four, ``times`` over; the surface stays where it is."""
    vertices, faces = structure.mesh.vertices, structure.mesh.faces
    for _ in range(times):
        vertices, faces = library("trimesh.remesh").subdivide(vertices, faces)
    return replace(structure, mesh=triangle_mesh(vertices, faces))


def _copies(structures: list[Structure], count: int) -> list[Structure]:
    """Return small structures moved to the side of the spine, each a little further."""
    small = [s for s in structures if s.kind in {Kind.VESSEL, Kind.ROD}]
    return [
        replace(s, name=f"{s.name}_{i}", mesh=_beside(s.mesh, i))
        for i in range(max(count, 0))
        for s in [small[i % len(small)]]
    ]


def _beside(mesh: TriangleMesh, index: int) -> TriangleMesh:
    side = 1.0 if index % 2 else -1.0
    shift = np.array([side * (45.0 + COPY_STEP_MM * (index // 2)), 0.0, 0.0])
    return triangle_mesh(mesh.vertices + shift, mesh.faces)
