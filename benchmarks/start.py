"""From meshes to a scene that can be searched, and from a new process to its first plan."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers import library, version_of
from benchmarks.report import Cell, Reached, Section, Table
from benchmarks.sampled import open3d_scene
from benchmarks.scenes import Surroundings, scene_for
from benchmarks.timing import Pace, middle
from geometry import _kernels
from geometry.distance_field import (
    DistanceField,
    ceiling_field,
    signed_distance_field,
    slack_field,
)
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("geometry", "planner", "sample_cases")
AROUND_MM = 8.0
NODES = 20_000
SEED = 17
FIRST_PLAN = """
import json, pathlib, sys, time
clock = [(time.perf_counter(), time.process_time())]
tick = lambda: clock.append((time.perf_counter(), time.process_time()))
from planner.case import Side
from planner.case_io import load_case
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, PlanRequest
tick()
case = PreparedCase(load_case(pathlib.Path(sys.argv[1])))
tick()
target = AnteriorBody(level="L3")
plan(case, PlanRequest(target=target, approaches=(Approach.TRANSPEDICULAR,), sides=(Side.RIGHT,),
                       needles=("15G-bevel-150",)))
tick()
plan(case, PlanRequest(target=target))
tick()
json.dump([[b - a for a, b in zip(x, y)] for x, y in zip(clock, clock[1:])], sys.stdout)
"""


def ready(around: Surroundings, pace: Pace) -> Section:
    """Measure building a scene, its fields node by node against Open3D, and starting anew."""
    case = around.question.prepared.case
    built = middle(lambda: scene_for(around.question, around.region, case), pace.repeats)
    nodes = built.value.field.values.size
    per_node = 1e9 * built.cpu_s / nodes
    scene = Table(
        title="f. From meshes to a scene that can be searched",
        columns=("triangles", "field nodes", "core-s", "wall s", "core-ns per node"),
        rows=[(around.triangles, nodes, built.cpu_s, built.wall_s, per_node)],
        note="Trees, field and skin. Reading files and anatomy is in the table of starts.",
    )  # fmt: skip
    grid, ratios = _at_nodes(around, pace)
    starts, times = _starts(pace)
    return Section(
        tables=[scene, grid, starts],
        reached={
            "ready/scene": Reached(
                value=built.wall_s, limit=f"{per_node:.0f} core-ns per node, trees included"
            ),
            **ratios,
            **times,
        },
    )


def _at_nodes(around: Surroundings, pace: Pace) -> tuple[Table, dict[str, Reached]]:
    """Measure distances at the nodes of a 1 mm grid about one vertebra."""
    mesh = around.meshes[0]
    low, high = mesh.bounds[0] - AROUND_MM, mesh.bounds[1] + AROUND_MM
    rows: list[tuple[Cell, ...]] = []
    cost: list[float] = []
    for name, build in _fields(mesh, low, high).items():
        field = middle(build, pace.repeats)
        cost.append(1e9 * field.cpu_s / field.value.values.size)
        rows.append((name, "this", field.value.values.size, cost[-1]))
    try:
        peers = _open3d(mesh, low, high)
    except ImportError as problem:
        peers = {}
        rows.append(("Open3D", f"missing: {problem}", None, None))
    for name, measure in peers.items():
        cost.append(1e9 * middle(measure, pace.repeats).cpu_s / NODES)
        rows.append((name, version_of("open3d"), NODES, cost[-1]))
    table = Table(
        title=f"f. Distances at grid nodes 1 mm apart about a vertebra of {len(mesh.faces):,} "
        "triangles",
        columns=("builder", "version", "nodes", "core-ns per node"), rows=rows,
    )  # fmt: skip
    if not peers:
        return table, {}
    _, signed, near, their_distance, their_signed = cost
    return table, {
        "ready/dense": Reached(value=their_signed / signed, limit=f"{signed:.0f} ns, with sign"),
        "ready/near": Reached(value=their_distance / near, limit=f"{near:.0f} ns"),
    }


def _fields(
    mesh: TriangleMesh, low: np.ndarray, high: np.ndarray
) -> dict[str, Callable[[], DistanceField]]:
    tree = MeshDistance(mesh).tree
    return {
        "trocar, exact everywhere": lambda: slack_field(
            tree, low_mm=low, high_mm=high, spacing_mm=1.0, cap_mm=_kernels.FAR
        ),
        "trocar, exact everywhere, signed": lambda: signed_distance_field(
            tree, low_mm=low, high_mm=high, spacing_mm=1.0
        ),
        "trocar, exact near the surface, bounds elsewhere": lambda: ceiling_field(
            tree, low_mm=low, high_mm=high, spacing_mm=1.0
        ),
    }


def _open3d(
    mesh: TriangleMesh, low: np.ndarray, high: np.ndarray
) -> dict[str, Callable[[], object]]:
    """Return Open3D's distance and signed distance at some nodes of the grid."""
    o3d = library("open3d")
    scene = open3d_scene(mesh.vertices, mesh.faces)
    rng = np.random.default_rng(SEED)
    nodes = low + np.floor(rng.uniform(0.0, 1.0, (NODES, 3)) * (high - low))
    held = o3d.core.Tensor(nodes.astype(np.float32))
    return {
        "Open3D compute_distance": lambda: scene.compute_distance(held),
        "Open3D compute_signed_distance": lambda: scene.compute_signed_distance(held),
    }


def _starts(pace: Pace) -> tuple[Table, dict[str, Reached]]:
    """Measure new processes on a copy of the packages: nothing compiled, then everything."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        cold = _process(copy)
        warm = np.median([_process(copy) for _ in range(pace.repeats)], axis=0)
    rows: list[tuple[Cell, ...]] = [
        (start, clock, *steps[:, column], steps[:3, column].sum())
        for start, steps in (("nothing compiled", cold), ("compiled before", warm))
        for column, clock in enumerate(("wall", "core"))
    ]
    table = Table(
        title="f. A new process, seconds",
        columns=(
            "start", "clock", "import", "load case", "first plan, one class",
            "second plan, every default class", "import to first plan",
        ),
        rows=rows,
        note="The bundled case, its anatomy read in the first plan. Nothing compiled: a copy of "
        "the packages with an empty compile cache. Interpreter start is not counted.",
    )  # fmt: skip
    imports, load, first, _ = warm[:, 1]
    parts = f"{imports:.2f} s imports, {load:.2f} s reading meshes, {first:.2f} s anatomy and plan"
    return table, {
        "start/warm": Reached(value=imports + load + first, limit=parts),
        "start/compile": Reached(
            value=float((cold - warm)[:, 1].sum()), limit="every kernel, one signature each"
        ),
    }


def _process(copy: Path) -> np.ndarray:
    """Start a process in the copied folder; return its steps (4) by wall and core seconds (2)."""
    environment = {
        **os.environ, "PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(copy / "compiled"),
        "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PLAN, str(copy / "sample_cases" / "lumbar-fracture")],
        cwd=copy, env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return np.array(json.loads(done.stdout))
