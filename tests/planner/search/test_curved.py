"""Curved needles: the bounds are attacked, and what is found is what was measured."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from geometry import _kernels as mesh_kernels
from geometry._kernels import FAR
from planner.case import Side
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.needles.path import Arc, Line, path_length_mm
from planner.planning import scene_of
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import BY_WINDOW, Approach, PlanRequest, ScrewHalo
from planner.search import _kernels
from planner.search.branch_and_bound import search_family
from planner.search.curved import (
    TOLERANCE_MM,
    CurvedFamily,
    CurvedResult,
    curved_family,
    drawn,
    search_curved,
    tip_ceiling_mm,
)
from planner.search.family import line_family
from planner.search.scene import Scene
from planner.target import TargetRegion

NEEDLE = needle_named("curved-14G-in-11G")
BUDGET = 20_000


@pytest.fixture(scope="module")
def question(thoracic: PreparedCase) -> Question:
    return question_of(thoracic, PlanRequest(target=ScrewHalo(screw="screw_T8_L")))


def _family(question: Question, approach: Approach, side: Side, needle: Needle) -> CurvedFamily:
    region = question.region
    assert isinstance(region, TargetRegion)
    [(gate, _)], _ = gates_for(question, (approach,), (side,), [needle])
    lines = line_family(gate, scene_of(question, region), region, needle.usable_length_mm)
    return curved_family(lines, needle)


@pytest.fixture(scope="module", params=[(a, s) for a in BY_WINDOW for s in Side], ids=str)
def family(request: pytest.FixtureRequest, question: Question) -> CurvedFamily:
    approach, side = request.param
    return _family(question, approach, side, NEEDLE)


@pytest.fixture(scope="module")
def result(family: CurvedFamily) -> CurvedResult:
    return search_curved(family, radius_mm=NEEDLE.radius_mm, budget=BUDGET)


def _best(result: CurvedResult) -> float:
    return result.optima[0].slack_mm if result.optima else -FAR


def _slacks(family: CurvedFamily, paths: np.ndarray) -> np.ndarray:
    slack = np.empty(len(paths))
    _kernels.curved_sample(family.lines.arrays, family.lines.scene.space, family.bend, paths, slack)
    return slack


def _examined(family: CurvedFamily, centre: np.ndarray, half: np.ndarray, enough: float) -> float:
    return float(
        _kernels.examine_curved(
            family.lines.arrays, family.lines.scene.space, family.bend, centre, half, enough,
            _kernels.new_scratch(), np.empty(3),
        )
    )  # fmt: skip


def test_a_box_bounds_every_path_in_it(family: CurvedFamily, rng: np.random.Generator) -> None:
    every = drawn(family)
    real = every[_slacks(family, every) > -FAR]
    some = np.vstack([np.resize(real, (100, 6)), every[:200]])
    root_low, root_high = family.root[:6] - family.root[6:], family.root[:6] + family.root[6:]
    met = 0
    for y in some:
        half = family.root[6:] * 0.5 ** rng.integers(1, 8, size=6)
        centre = np.clip(y + half * rng.uniform(-1.0, 1.0, 6), root_low, root_high)
        boxed = centre + half * rng.uniform(-1.0, 1.0, size=(60, 6))
        boxed[0] = np.clip(y, centre - half, centre + half)
        slack = float(_slacks(family, boxed).max())
        assert slack <= _examined(family, centre, half, float(rng.choice([-1e9, 2.0])))
        met += slack > -FAR
    assert met > 30, "boxes without a single path would prove nothing"


def test_no_tip_has_more_slack_than_the_target_leaves(
    family: CurvedFamily, rng: np.random.Generator
) -> None:
    corners, tree = family.lines.corners, family.lines.scene.tree
    inside = rng.dirichlet(np.full(len(corners), 0.3), 400) @ corners
    placed = family.lines.scene.from_patient.points(family.in_patient(inside))
    slack = [float(mesh_kernels.point_query(tree, *p, FAR)[0]) for p in placed]
    ceiling = tip_ceiling_mm(family)
    assert max(slack) + family.bend.spare <= ceiling
    assert _slacks(family, drawn(family)).max() <= ceiling


def test_every_path_lies_in_the_root_box(family: CurvedFamily) -> None:
    some = drawn(family)
    paths = some[_slacks(family, some) > -FAR]
    assert len(paths) > 5, "no path to hold against it"
    assert np.all(np.abs(paths - family.root[:6]) <= family.root[6:] + 1e-9)


def test_no_evolved_path_beats_the_certified_bound(
    family: CurvedFamily, result: CurvedResult
) -> None:
    middle, half = family.root[:6], family.root[6:]
    limits = list(zip(middle - half, middle + half, strict=True))
    evolved = differential_evolution(
        lambda paths: -np.maximum(_slacks(family, np.ascontiguousarray(paths.T)), -50.0),
        limits, vectorized=True, updating="deferred", polish=False, maxiter=60, popsize=20,
        rng=np.random.default_rng(3), init=_population(family),
    )  # fmt: skip
    assert -evolved.fun <= result.upper_bound_mm
    if result.closed and _best(result) > NEEDLE.radius_mm:
        assert result.upper_bound_mm - _best(result) <= TOLERANCE_MM + 1e-6


def _population(family: CurvedFamily) -> np.ndarray:
    return drawn(family)[:120]


def test_a_curved_needle_can_all_that_its_cannula_can(
    family: CurvedFamily, result: CurvedResult
) -> None:
    straight = search_family(family.lines, radius_mm=NEEDLE.radius_mm, tolerance_mm=0.25)
    best = max((o.slack_mm for o in straight.optima), default=-FAR)
    assert best <= result.upper_bound_mm


def test_what_is_found_is_a_path_and_measures_as_found(
    question: Question, family: CurvedFamily, result: CurvedResult
) -> None:
    if not result.optima:
        assert result.upper_bound_mm < NEEDLE.radius_mm
        return
    path = family.path(result.optima[0].line)
    assert path is not None
    region, scene = question.region, family.lines.scene
    assert isinstance(region, TargetRegion)
    assert region.contains(path[-1].end_mm, tolerance_mm=1e-3)
    assert path_length_mm(path) <= NEEDLE.usable_length_mm + 1e-6
    assert isinstance(path[0], Line)
    curve = NEEDLE.curved
    assert curve is not None
    spare = NEEDLE.radius_mm - curve.outer_diameter_mm / 2.0
    slack = _least(scene, path[0].chords())
    if len(path) == 2:
        arc = path[1]
        assert isinstance(arc, Arc)
        assert arc.length_mm <= curve.deployed_mm + 1e-6
        assert float((arc.start_mm - arc.centre_mm) @ path[0].direction) == pytest.approx(
            0.0, abs=1e-6
        )
        slack = min(slack, _least(scene, arc.chords()) + spare)
    assert slack == pytest.approx(_best(result), abs=0.02)
    assert slack >= _best(result) - 1e-4


def _least(scene: Scene, points: np.ndarray) -> float:
    """Return the least (distance - limit) along a polyline, by the exact tree."""
    placed = scene.from_patient.points(points)
    return min(
        float(mesh_kernels.segment_query(scene.tree, a, b, FAR)[0]) for a, b in pairwise(placed)
    )


def test_a_thin_arc_reaches_what_no_straight_needle_does(question: Question) -> None:
    family = _family(question, Approach.PARAPEDICULAR, Side.LEFT, NEEDLE)
    straight = search_family(family.lines, radius_mm=NEEDLE.radius_mm, tolerance_mm=0.25)
    curved = search_curved(family, radius_mm=NEEDLE.radius_mm, budget=1000)
    assert straight.upper_bound_mm < NEEDLE.radius_mm < _best(curved)


def test_a_straight_needle_has_no_curved_paths(family: CurvedFamily) -> None:
    with pytest.raises(ValueError, match="straight"):
        curved_family(family.lines, replace(NEEDLE, curved=None))


def test_answers_do_not_depend_on_the_run(question: Question) -> None:
    family = _family(question, Approach.PARAPEDICULAR, Side.RIGHT, NEEDLE)
    once, again = (search_curved(family, radius_mm=NEEDLE.radius_mm, budget=2000) for _ in range(2))
    assert _best(once) == _best(again)
    assert once.upper_bound_mm == again.upper_bound_mm
