"""Branch and bound to the proved answer, against dense sampling to the same margin."""

import math

import numpy as np
import shapely

from benchmarks import capsules, ours
from benchmarks.peers import assembled
from benchmarks.report import Cell, Reached, Section, Table
from benchmarks.scenes import NEEDLE, Lines, Surroundings, classes, families
from benchmarks.timing import Pace, Timed, middle, rates
from geometry.arrays import frozen
from planner.needles.catalogue import DEFAULT_NEEDLES, needle_named
from planner.search.branch_and_bound import SearchResult, search_family
from planner.search.classes import search_classes
from planner.search.family import LineFamily

TOLERANCE_MM = 0.25
ABOVE_MM = 0.5  # an optimum plus this is proved out of reach
BEHIND_MM = 90.0  # from the gate back to the skin, where lattice lines are cut off
LATTICE_LINES = 100_000
SEED = 11


def proofs(around: Surroundings, pace: Pace) -> Section:
    """Measure every class of one needle: the proved answer, a proof of infeasibility, sampling."""
    radius = needle_named(NEEDLE, field="needle").radius_mm
    rows: list[tuple[Cell, ...]] = []
    dense: list[tuple[Cell, ...]] = []
    answer_s, refusal_s, gains, settled = [], [], [], []
    for name, family in families(around).items():
        search = _searched(family, radius, pace)
        best = max((o.slack_mm for o in search.value.optima), default=0.0)
        refusal = _searched(family, best + ABOVE_MM, pace)
        rows.append((name, *_outcome(search, radius), *_proof(refusal)))
        answer_s.append(search.cpu_s)
        refusal_s.append(refusal.cpu_s)
        settled.append(search.value.boxes_examined / search.cpu_s)
        sampling = _dense(around, family, best, pace)
        gains.append(sampling[0] / search.cpu_s)
        dense.append((name, *sampling[1], gains[-1]))
    one, boxes = float(np.median(answer_s)), float(np.median(settled))
    every = middle(lambda: _every_class(around), pace.repeats)
    many = f"{boxes:,.0f} boxes per core-second, seeds and polish included"
    return Section(
        tables=[
            Table(
                title=f"d. One class, four numbers, proved to {TOLERANCE_MM} mm ({NEEDLE})",
                columns=(
                    "class", "core-s", "wall s", "boxes", "boxes per core-second", "margin mm",
                    "no path above mm", "closed", f"proof that none has {ABOVE_MM} mm more: core-s",
                    "boxes", "proved",
                ),
                rows=rows,
                note=f"{around.triangles:,} triangles. `search_family` as the planner calls it: "
                "seeds, polish, boxes; it tightens the gap below the tolerance while cheap.",
            ),
            Table(
                title=f"d. Sampling densely enough to miss no more than {TOLERANCE_MM} mm",
                columns=(
                    "class", "lattice step mm", "lines", "field: lines per core-second",
                    "field: core-s", "coal.collide: core-h", "times the proof's core-s",
                ),
                rows=dense,
                note="Extrapolated: rates on a part of the lattice, times its lines. Sampling "
                "proves nothing about the lines between, beyond what the step was chosen for.",
            ),
        ],
        reached={
            "search/answer": Reached(value=1e3 * one, limit=many),
            "search/refusal": Reached(value=1e3 * float(np.median(refusal_s)), limit=many),
            "search/dense": Reached(value=gains[-1], limit=_gated(gains[:-1])),
            "search/all": Reached(
                value=every.cpu_s / one,
                limit=f"{every.cpu_s:.2f} core-s, {every.wall_s:.2f} s of wall time on two threads",
            ),
        },
    )  # fmt: skip


def _every_class(around: Surroundings) -> object:
    """Search every class of the default needles, as a plan does."""
    gates = classes(around, DEFAULT_NEEDLES)
    return search_classes(gates, around.scene, around.region, TOLERANCE_MM, lambda _share: None)


def _gated(gains: list[float]) -> str:
    """Say what sampling costs where gates leave it little to sample."""
    return f"the open window; through gates {min(gains):.1f} to {max(gains):.1f} x"


def _searched(family: LineFamily, floor_mm: float, pace: Pace) -> Timed[SearchResult]:
    return middle(
        lambda: search_family(family, radius_mm=floor_mm, tolerance_mm=TOLERANCE_MM), pace.repeats
    )


def _outcome(search: Timed[SearchResult], radius_mm: float) -> tuple[Cell, ...]:
    found = search.value
    best = max((o.slack_mm for o in found.optima), default=math.nan)
    return (
        search.cpu_s, search.wall_s, found.boxes_examined, found.boxes_examined / search.cpu_s,
        best - radius_mm, found.upper_bound_mm - radius_mm, str(found.closed),
    )  # fmt: skip


def _proof(refusal: Timed[SearchResult]) -> tuple[Cell, ...]:
    return (refusal.cpu_s, refusal.value.boxes_examined, str(refusal.value.closed))


def _dense(
    around: Surroundings, family: LineFamily, best_mm: float, pace: Pace
) -> tuple[float, tuple[Cell, ...]]:
    """Return what a lattice would cost (core-s) and the row that says so.

    A line within h of a lattice line in each number lies within sqrt(2) h of it between gate and
    aim, so half a step of tolerance / sqrt(2) loses at most the tolerance (slack is 1-Lipschitz).
    """
    step = math.sqrt(2.0) * TOLERANCE_MM
    half = family.root_box()[4:]
    lattice = float(np.prod(np.maximum(np.ceil(2.0 * half / step), 1.0)))
    lines, share = _lattice_part(around, family, step)
    engines, _ = assembled(
        {
            "trocar": lambda a: ours.field_allows(a, best_mm),
            "coal": lambda a: capsules.coal_allows(a, best_mm),
        },
        around,
    )
    measured = rates(engines, lines, pace)
    count = lattice * share
    fast = count / measured[0].per_cpu_s
    slow = count / measured[1].per_cpu_s / 3600.0 if len(measured) > 1 else None
    return fast, (step, int(count), measured[0].per_cpu_s, fast, slow)


def _lattice_part(around: Surroundings, family: LineFamily, step_mm: float) -> tuple[Lines, float]:
    """Return lattice lines of a family in the order a sweep meets them, and its share of the box.

    Columns of the lattice are drawn at random: one gate point, all aim points.
    """
    rng = np.random.default_rng(SEED)
    box, gate = family.root_box(), family.gate
    low, high = box[:4] - box[4:], box[:4] + box[4:]
    aims = np.meshgrid(*(np.arange(low[k] + step_mm / 2.0, high[k], step_mm) for k in (2, 3)))
    aim = np.stack([a.ravel() for a in aims], axis=1)
    columns = max(LATTICE_LINES // len(aim), 1)
    drawn = rng.uniform(low[:2], high[:2], (columns * 8, 2))
    inside = shapely.contains_xy(gate.window, drawn[:, 0], drawn[:, 1])
    at_gate = np.repeat(drawn[inside][:columns], len(aim), axis=0)
    at_aim = np.tile(aim, (len(at_gate) // len(aim), 1))
    reach = float(family.arrays.reach)
    slope = (at_aim - at_gate) / reach
    cone = np.array([gate.lateral_slopes, gate.cranial_slopes])
    fits = np.all((slope >= cone[:, 0]) & (slope <= cone[:, 1]), axis=1)
    share = float(inside.mean() * fits.mean())
    return _as_lines(around, family, at_gate[fits], slope[fits], reach), share


def _as_lines(
    around: Surroundings, family: LineFamily, at_gate: np.ndarray, slope: np.ndarray, reach: float
) -> Lines:
    """Return lines through gate points with slopes, from behind the gate to the aim plane."""
    axes, origin = family.gate.axes, family.gate.origin_mm
    direction = slope @ axes[:2] + axes[2]
    through = at_gate @ axes[:2] + origin
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    frame = around.scene.from_patient
    return Lines(
        starts_mm=frozen(frame.points(through - BEHIND_MM * direction / length)),
        ends_mm=frozen(frame.points(through + reach * direction)),
    )
