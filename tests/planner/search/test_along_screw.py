"""Paths along a screw: the bounds are attacked, and what is found is what was measured."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from geometry import _kernels as mesh_kernels
from geometry._kernels import FAR
from geometry.frames import angle_between
from planner.case import Side
from planner.contact import Contact, cut_above, off_head_mm
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.path import Arc, Line, path_length_mm
from planner.planning import evaluate, plan, scene_of
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest, ScrewHalo
from planner.result import Outcome, Plan, Status
from planner.search import _kernels
from planner.search.along_screw import (
    LEAST_SLIDE_MM,
    MOST_ARRIVAL_RAD,
    TOLERANCE_MM,
    AlongFamily,
    along_family,
    contact_of,
    scene_at,
    search_bent,
)
from planner.search.curved import CurvedResult
from planner.target import TargetRegion

TARGET = ScrewHalo(screw="screw_L3_L")
NEEDLE = needle_named("15G-bevel-150")
ALONG = (Approach.ALONG_SCREW,)


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module")
def question(prepared: PreparedCase) -> Question:
    return question_of(prepared, PlanRequest(target=TARGET))


@pytest.fixture(scope="module")
def family(question: Question) -> AlongFamily:
    region = question.region
    assert isinstance(region, TargetRegion)
    [(gate, _)], _ = gates_for(question, ALONG, (Side.LEFT,), [NEEDLE])
    scene = scene_at(scene_of(question, region), contact_of(gate))
    return along_family(gate, scene, region, NEEDLE, NEEDLE.elastic_radius_mm)


@pytest.fixture(scope="module")
def result(family: AlongFamily) -> CurvedResult:
    return search_bent(family, radius_mm=NEEDLE.radius_mm)


@pytest.fixture(scope="module")
def planned(prepared: PreparedCase) -> Plan:
    request = PlanRequest(target=TARGET, approaches=ALONG, needles=("15G-bevel-150",))
    return plan(prepared, request)


def _drawn(family: AlongFamily, rng: np.random.Generator, count: int) -> np.ndarray:
    return family.root[:4] + family.root[4:] * rng.uniform(-1.0, 1.0, (count, 4))


def _examined(family: AlongFamily, centre: np.ndarray, half: np.ndarray, enough: float) -> float:
    told, kept = np.empty((1, 4)), np.full((1, _kernels.KEPT, 6), -1.0)
    box = np.concatenate([centre, half])[None]
    arrays, space = family.arrays, family.scene.space
    _kernels.examine_many_along(arrays, space, family.along, box, enough, kept, told)
    return float(told[0, 0])


def test_a_box_bounds_every_path_in_it(family: AlongFamily, rng: np.random.Generator) -> None:
    some = _drawn(family, rng, 4000)
    real = some[family.slacks(some) > -FAR][:70]
    met = 0
    for x in np.vstack([real, some[:20]]):
        half = family.root[4:] * 0.5 ** rng.integers(0, 8, size=4)
        centre = x + half * rng.uniform(-1.0, 1.0, 4)
        boxed = centre + half * rng.uniform(-1.0, 1.0, size=(40, 4))
        boxed[0] = x
        boxed[1:17] = centre + half * np.array(
            [[1 - 2 * (i >> k & 1) for k in range(4)] for i in range(16)]
        )
        slack = float(family.slacks(boxed).max())
        assert slack <= _examined(family, centre, half, float(rng.choice([-1e9, 2.0])))
        met += slack > -FAR
    assert met > 50, "boxes without a single path would prove nothing"


def test_every_path_of_a_box_is_within_its_spread(
    family: AlongFamily, rng: np.random.Generator
) -> None:
    here, there = np.empty(3), np.empty(3)
    for x in _drawn(family, rng, 100):
        half = family.root[4:] * 0.5 ** rng.integers(0, 8, size=4)
        half[3] = min(half[3], math.pi / 4.0)
        station = float(rng.uniform(-60.0, 45.0))
        spread = _kernels.station_spread(family.along, x, half, station)
        _kernels.at_station(family.along, x, station, here)
        for other in x + half * rng.uniform(-1.0, 1.0, (40, 4)):
            other[2] = abs(other[2])
            _kernels.at_station(family.along, other, station, there)
            assert np.linalg.norm(there - here) <= spread


def test_no_evolved_path_beats_the_certified_bound(
    family: AlongFamily, result: CurvedResult
) -> None:
    middle, half = family.root[:4], family.root[4:]
    evolved = differential_evolution(
        lambda paths: -np.maximum(family.slacks(paths.T), -50.0),
        list(zip(middle - half, middle + half, strict=True)),
        vectorized=True, updating="deferred", polish=False, maxiter=80, popsize=16, tol=0.0,
        rng=np.random.default_rng(3), init=_drawn(family, np.random.default_rng(4), 120),
    )  # fmt: skip
    assert -evolved.fun <= result.upper_bound_mm
    assert -evolved.fun > NEEDLE.radius_mm, "an attack that finds no safe path attacks nothing"
    assert result.closed
    assert result.upper_bound_mm - result.optima[0].slack_mm <= TOLERANCE_MM + 1e-6


def test_what_is_found_bends_onto_the_shaft_and_measures_as_found(
    question: Question, family: AlongFamily, result: CurvedResult
) -> None:
    path = family.path(result.optima[0].line)
    assert path is not None
    leg, arc, slide = path
    assert isinstance(leg, Line)
    assert isinstance(arc, Arc)
    assert isinstance(slide, Line)
    contact = family.contact
    assert angle_between(slide.direction, contact.along) < 1e-6
    assert arc.radius_mm == pytest.approx(NEEDLE.outer_diameter_mm / 0.009)
    assert arc.angle_rad == pytest.approx(angle_between(leg.direction, contact.along), abs=1e-6)
    assert (arc.start_mm - arc.centre_mm) @ leg.direction == pytest.approx(0.0, abs=1e-4)
    assert (arc.end_mm - arc.centre_mm) @ contact.along == pytest.approx(0.0, abs=1e-4)
    assert path_length_mm(path) <= NEEDLE.usable_length_mm
    region, scene = question.region, family.scene
    assert isinstance(region, TargetRegion)
    assert region.contains(slide.end_mm, tolerance_mm=1e-3)
    slack = min(
        float(mesh_kernels.segment_query(scene.tree, a, b, FAR)[0])
        for piece in path
        for a, b in pairwise(scene.from_patient.points(piece.chords()))
    )
    assert slack == pytest.approx(result.optima[0].slack_mm, abs=0.02)
    assert off_head_mm(contact, NEEDLE, path) >= slack - NEEDLE.radius_mm - 1e-6


def test_a_plan_follows_a_loose_screw_and_touches_nothing_else(planned: Plan) -> None:
    [best] = planned.trajectories
    assert best.approach is Approach.ALONG_SCREW
    assert best.side is Side.LEFT
    touched = [c for c in best.clearances if c.contact_allowed]
    assert [(c.structure, c.required_mm) for c in touched] == [("screw_L3_L", 0.0)]
    assert 0.0 <= touched[0].distance_mm < 0.3
    assert best.margin_mm == min(c.margin_mm for c in best.clearances if c.margin_mm is not None)
    assert best.margin_mm >= 0.0
    assert best.reaches_target
    slide = best.slide
    assert slide is not None
    assert not slide.plastic
    assert 0.0 <= slide.contact_share <= 2.0 / 3.0
    assert slide.arrival_rad <= MOST_ARRIVAL_RAD
    assert slide.slide_mm >= LEAST_SLIDE_MM - 1e-6
    left = next(c for c in planned.certificates if c.side is Side.LEFT)
    assert left.status is Status.FOUND
    assert left.best_margin_mm == pytest.approx(slide.margin_beside_mm)
    assert any("touches screw_L3_L on purpose" in said for said in best.cautions)


def test_a_drawn_path_along_a_screw_is_recognised(prepared: PreparedCase, planned: Plan) -> None:
    [best] = planned.trajectories
    drawn = evaluate(prepared, EvaluationRequest(path=best.path, needle=best.needle, target=TARGET))
    assert (drawn.approach, drawn.side) == (best.approach, best.side)
    assert [(c.distance_mm, c.required_mm) for c in drawn.clearances] == [
        (c.distance_mm, c.required_mm) for c in best.clearances
    ]
    assert drawn.slide is not None
    assert best.slide is not None
    assert drawn.slide.margin_beside_mm == best.slide.margin_beside_mm


def test_the_bevel_looks_at_the_metal(prepared: PreparedCase, planned: Plan) -> None:
    [best] = planned.trajectories
    assert best.slide is not None
    assert best.slide.bevel_hour is not None
    arc = best.path[1]
    assert isinstance(arc, Arc)
    # From the hub of a needle that runs forward, 12 o'clock is cranial and 3 o'clock to the right.
    away = arc.centre_mm - arc.end_mm
    hour = best.slide.bevel_hour
    cranial, right = math.cos(hour * math.pi / 6.0), math.sin(hour * math.pi / 6.0)
    assert cranial * -away[2] + right * away[0] > 0.0


@pytest.mark.parametrize(
    ("target", "needle", "why"),
    [
        (TARGET, "curved-13G-in-10G", "does not bend along a screw"),
        (AnteriorBody(level="L3"), "15G-bevel-150", "belongs to no screw"),
    ],
)
def test_what_cannot_follow_a_screw_is_refused_with_the_reason(
    prepared: PreparedCase, target: ScrewHalo | AnteriorBody, needle: str, why: str
) -> None:
    request = PlanRequest(target=target, approaches=ALONG, sides=(Side.LEFT,), needles=(needle,))
    answer = plan(prepared, request)
    assert not answer.trajectories
    assert why in answer.certificates[0].statement


def test_in_a_short_screw_only_a_plastic_bend_does_and_is_flagged(thoracic: PreparedCase) -> None:
    target = ScrewHalo(screw="screw_T8_L")
    needles = ("15G-bevel-150", "8G-150")
    answer = plan(
        thoracic,
        PlanRequest(target=target, approaches=ALONG, sides=(Side.LEFT,), needles=needles),
    )
    assert answer.outcome is Outcome.FOUND
    [best] = answer.trajectories
    assert best.needle == "15G-bevel-150"
    assert best.slide is not None
    assert best.slide.plastic
    assert any("plastic bend" in said for said in best.cautions)
    assert answer.certificates[1].status is Status.INFEASIBLE


def test_triangles_are_cut_where_a_plane_passes(rng: np.random.Generator) -> None:
    corners = rng.uniform(-1.0, 1.0, (50, 3, 3))
    low, high = cut_above(corners, corners[..., 2]), cut_above(corners, -corners[..., 2])
    assert low[..., 2].max() <= 1e-12
    assert high[..., 2].min() >= -1e-12
    assert _area(low) + _area(high) == pytest.approx(_area(corners))


def _area(corners: np.ndarray) -> float:
    edges = corners[:, 1:] - corners[:, :1]
    return float(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2.0)


def test_no_part_of_a_shaft_lies_outside_its_bar(prepared: PreparedCase) -> None:
    [(gate, _)], _ = gates_for(
        question_of(prepared, PlanRequest(target=TARGET)), ALONG, (Side.LEFT,), [NEEDLE]
    )
    contact = gate.contact
    assert isinstance(contact, Contact)
    offset = prepared.case.structure("screw_L3_L").mesh.vertices - contact.screw.head_mm
    station = offset @ contact.along
    radial = np.linalg.norm(offset - station[:, None] * contact.along, axis=1)
    assert radial[station >= 1.0].max() < contact.radius_mm
