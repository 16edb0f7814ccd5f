"""Clearances of needle axes: per structure, combined, and yes or no."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks import capsules, ours, rays, sampled
from benchmarks.peers import Missing, assembled
from benchmarks.report import Cell, Reached, Section, Table
from benchmarks.scenes import NEEDLE, Lines, Surroundings, mixed_lines
from benchmarks.timing import Engine, Pace, Rate, rates
from planner.needles.catalogue import needle_named

SEED = 7
COUNT = 200_000  # lines the fastest engines run through
CHECKED = 20_000  # lines on which answers are compared
RIGHT_SHARE = 0.999  # an engine that errs on more lines than this leaves is not worth timing


def per_structure(around: Surroundings, pace: Pace) -> Section:
    """Measure the least distance of an axis to every structure."""
    engines, missing = assembled(
        {
            "trocar": ours.exact_each,
            "trocar, line by line": ours.exact_each_called,
            "trocar, signed": ours.signed_each,
            "coal": capsules.coal_distance,
            "python-fcl": capsules.fcl_distance,
            "libigl": sampled.igl_distance,
            "Open3D": sampled.open3d_distance,
            "vtkStaticCellLocator": sampled.vtk_locator,
            "vtkImplicitPolyDataDistance": sampled.vtk_implicit,
            "trimesh": sampled.trimesh_distance,
        },
        around,
    )
    lines = mixed_lines(COUNT, np.random.default_rng(SEED))
    measured = rates(engines, lines, pace)
    truth = _reference(engines, "coal.distance")
    rows = [(*_speed(r, measured[0]), _worst(r, truth, lines)) for r in measured]
    reached = {
        f"exact/{key}": Reached(
            value=measured[0].per_cpu_s / r.per_cpu_s,
            limit=f"{1e6 / measured[0].per_cpu_s / len(around.meshes):.1f} us per structure",
        )
        for key, r in _named(measured, coal="coal.", fcl="fcl.", igl="igl.").items()
    }
    if "exact/coal" in reached:
        off = _worst(measured[0], truth, lines) or 0.0
        reached["exact/agreement"] = Reached(value=off, limit="float64 rounding")
    table = Table(
        title="a. Distance of a needle axis to each structure",
        columns=(*_SPEED, "largest error mm"), rows=[*rows, *_absent(missing, 7)],
        note=f"{len(around.meshes)} structures, {around.triangles:,} triangles. Errors are against "
        f"{truth.name} on the lines both answered; all distances unsigned.",
    )  # fmt: skip
    return Section(tables=[table], reached=reached)


def combined(around: Surroundings, pace: Pace) -> Section:
    """Measure the one number over all structures, margins included."""
    engines, missing = assembled(
        {
            "trocar, exact": ours.exact_least,
            "trocar, field": ours.field_least,
            "scipy": sampled.scipy_map,
            "coal": capsules.coal_least,
        },
        around,
    )
    mixed = mixed_lines(COUNT, np.random.default_rng(SEED))
    first = mixed.first(5 * CHECKED)
    free = first.only(engines[0].answer(first) >= needle_named(NEEDLE, field="").radius_mm)
    tables, reached = [], {}
    for what, lines in (("mixed candidates", mixed), ("safe candidates only", free)):
        measured = rates(engines, lines, pace)
        rows = [(*_speed(r, measured[0]), _worst(r, engines[0], lines)) for r in measured]
        tables.append(
            Table(
                title=f"b. Least clearance over all structures, {what}",
                columns=(*_SPEED, "largest error mm"), rows=[*rows, *_absent(missing, 7)],
                note=f"Errors are against our exact tree. {_field_note(around)}",
            )
        )  # fmt: skip
        if lines is mixed:
            exact, field = measured[0].per_cpu_s, measured[1].per_cpu_s
            named = _named(measured, coal="coal.", scipy="scipy")
            if "coal" in named:
                reached["combined/coal"] = Reached(
                    value=exact / named["coal"].per_cpu_s, limit=f"{1e6 / exact:.1f} us per line"
                )
            reached["field/scipy"] = Reached(
                value=field / named["scipy"].per_cpu_s,
                limit=f"{1e6 / field:.2f} us per line, 32 lines in turns",
            )
    return Section(tables=tables, reached=reached)


def yes_or_no(around: Surroundings, pace: Pace) -> Section:
    """Measure whether an axis keeps a threshold."""
    radius = needle_named(NEEDLE, field="").radius_mm
    engines, missing = assembled(
        {
            "trocar, proved": partial(ours.proved_allows, radius_mm=radius),
            "trocar, field": partial(ours.field_allows, radius_mm=radius),
            "coal": partial(capsules.coal_allows, radius_mm=radius),
            "python-fcl": partial(capsules.fcl_allows, radius_mm=radius),
        },
        around,
    )
    casters, no_casters = assembled(
        {
            "Open3D": rays.open3d_clear,
            "embreex": rays.embree_clear,
            "vtkStaticCellLocator": rays.vtk_static_clear,
            "vtkOBBTree": rays.vtk_obb_clear,
        },
        around,
    )
    lines = mixed_lines(COUNT, np.random.default_rng(SEED))
    checked = lines.first(CHECKED)
    true_needle = ours.exact_least(around).answer(checked) >= radius
    true_line = ours.exact_each(around).answer(checked).min(axis=1) > 0.0
    fit = [e for e in casters if _right(e, lines, true_line)]
    measured = rates([*engines, *fit], lines, pace)
    rows: list[tuple[Cell, ...]] = []
    for r in measured:
        truth = true_line if r.engine in fit else true_needle
        rows.append((*_speed(r, measured[1]), _wrong(r, truth, lines)))
    rows += [_broken(e, lines, true_line) for e in casters if e not in fit]
    best = measured[1].per_cpu_s
    named = _named(
        measured, coal="coal.", embree="Open3D", obb="vtkOBBTree", static="vtkStaticCellLocator"
    )
    limit = f"{1e6 / best:.2f} us per line, 32 lines in turns"
    return Section(
        tables=[
            Table(
                title="c. Does a needle of a given radius keep every margin?",
                columns=(*_SPEED, "wrong answers"),
                rows=[*rows, *_absent([*missing, *no_casters], 7)],
                note=f"Radius {radius:.3f} mm. Ray casters answer an easier question: does a line "
                "without thickness hit anything? Their answers are judged by that. "
                + _field_note(around),
            )
        ],
        reached={
            f"yes/{k}": Reached(value=best / r.per_cpu_s, limit=limit) for k, r in named.items()
        },
    )


_SPEED = (
    "engine", "version", "lines per core-second", "per second of wall time", "times slower",
    "lines timed",
)  # fmt: skip


def _speed(rate: Rate, first: Rate) -> tuple[Cell, ...]:
    return (
        rate.engine.name, rate.engine.version or "this", rate.per_cpu_s, rate.per_wall_s,
        first.per_cpu_s / rate.per_cpu_s, rate.lines,
    )  # fmt: skip


def _absent(missing: Sequence[Missing], width: int) -> list[tuple[Cell, ...]]:
    """Return rows for the peers that are not there."""
    return [(m.name, f"missing: {m.why}", *[None] * (width - 2)) for m in missing]


def _named(measured: Sequence[Rate], **starts: str) -> dict[str, Rate]:
    """Find rates by how their engine's name starts."""
    return {
        key: r
        for key, start in starts.items()
        for r in measured
        if r.engine.name.startswith(start)
    }  # fmt: skip


def _reference(engines: Sequence[Engine], start: str) -> Engine:
    """Return the engine that errors are measured against: a peer, or ours where it is missing."""
    return next((e for e in engines if e.name.startswith(start)), engines[0])


def _worst(rate: Rate, truth: Engine, lines: Lines) -> float | None:
    """Return the largest difference from the reference on lines that both can answer soon."""
    if rate.engine is truth:
        return None
    some = lines.first(min(rate.lines, 1000))
    return float(np.abs(rate.engine.answer(some) - truth.answer(some)).max())


def _wrong(rate: Rate, truth: np.ndarray, lines: Lines) -> str:
    some = min(rate.lines, CHECKED)
    wrong = int((rate.engine.answer(lines.first(some)) != truth[:some]).sum())
    return f"{wrong} of {some:,}"


def _right(engine: Engine, lines: Lines, truth: np.ndarray) -> bool:
    some = 2000
    return float((engine.answer(lines.first(some)) == truth[:some]).mean()) >= RIGHT_SHARE


def _broken(engine: Engine, lines: Lines, truth: np.ndarray) -> tuple[Cell, ...]:
    wrong = int((engine.answer(lines.first(2000)) != truth[:2000]).sum())
    why = f"{wrong} of 2,000: not timed"
    return (engine.name, engine.version, None, None, None, None, why)


def _field_note(around: Surroundings) -> str:
    field = around.scene.field
    shape = " x ".join(str(n) for n in field.values.shape)
    return f"The field has {shape} nodes, {field.spacing_mm:g} mm apart."
