"""Cement, tamps and the tip in a lucency: volumes, what stops a filling, and the laws of both."""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geometry.arrays import Point, unit
from planner.anatomy.halo import halo_radius
from planner.anatomy.model import VertebraAnatomy
from planner.case import Kind, Side
from planner.case_io import load_case
from planner.guidance.cement import cement_guidance, halo_volume_ml, stop_surfaces
from planner.guidance.coverage import MM3_PER_ML, body_space, coverage
from planner.guidance.tamp import capsule_ml, tamp_advice
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.planning import evaluate
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import (
    AnteriorBody,
    Beside,
    BesideScrew,
    EvaluationRequest,
    FreePoint,
    PlanRequest,
    ScrewHalo,
    ScrewTip,
    TargetSpec,
)
from planner.result import Trajectory
from planner.target import TargetRegion
from planner.tip_overlap import halo_overlap

SAMPLES = Path(__file__).parents[2] / "sample_cases"


@pytest.fixture(scope="module")
def lumbar() -> PreparedCase:
    prepared = PreparedCase(load_case(SAMPLES / "lumbar-fracture"))
    assert prepared.hardware.findings == {}
    return prepared


@pytest.fixture(scope="module")
def thoracic() -> PreparedCase:
    return PreparedCase(load_case(SAMPLES / "thoracic-halo"))


def _asked(prepared: PreparedCase, target: TargetSpec) -> Question:
    return question_of(prepared, PlanRequest(target=target))


def _anatomy(question: Question) -> VertebraAnatomy:
    anatomy = question.prepared.bone(question.bone)
    assert isinstance(anatomy, VertebraAnatomy)
    return anatomy


def _at(question: Question, *offset_mm: float) -> Point:
    """Return a point given in the vertebra's frame, patient LPS."""
    return _anatomy(question).frame.inverse().points(np.array([offset_mm]))[0]


@pytest.fixture(scope="module")
def body(lumbar: PreparedCase) -> Question:
    return _asked(lumbar, AnteriorBody(level="L3"))


@pytest.mark.parametrize(
    ("diameter", "thickness", "volume"),
    [(6.5, 1.0, 0.71), (6.5, 1.5, 1.13), (6.5, 2.0, 1.60), (6.5, 3.0, 2.69), (5.5, 2.0, 1.41),
     (7.5, 2.0, 1.79)],
)  # fmt: skip
def test_a_lucency_holds_what_the_domain_page_says(
    diameter: float, thickness: float, volume: float
) -> None:
    assert halo_volume_ml(30.0, diameter, thickness) == pytest.approx(volume, abs=0.005)


def test_the_points_of_a_body_hold_its_volume(body: Question) -> None:
    anatomy = _anatomy(body)
    whole = body_space(anatomy, [])
    height = 0.5 * (anatomy.body.anterior_height_mm + anatomy.body.posterior_height_mm)
    prism = anatomy.body.outline.area * height / MM3_PER_ML
    assert whole.solid_ml == pytest.approx(prism, rel=0.1)
    screws = [body.prepared.screw(f"screw_L3_{s}", field="screw") for s in "LR"]
    assert body_space(anatomy, screws).solid_ml < whole.solid_ml


def test_a_fill_takes_its_volume_and_grows_with_it(body: Question) -> None:
    space = body_space(_anatomy(body), [])
    spread = space.spread([_at(body, 0.0, -8.0, 0.0)])
    before = None
    for volume in (1.0, 2.0, 4.0, 8.0):
        filled = space.filled(spread, volume)
        assert filled.sum() / MM3_PER_ML == pytest.approx(volume)
        assert before is None or not (before & ~filled).any()
        before = filled
        covered = coverage(space, spread, volume)
        for share in (covered.left, covered.right, covered.cranial, covered.caudal):
            assert 0.0 <= share <= 1.0
    assert space.filled(spread, 1e3).all()


def test_a_small_fill_is_a_ball(body: Question) -> None:
    space = body_space(_anatomy(body), [])
    spread = space.spread([_at(body, 0.0, -4.0, 0.0)])
    radius = (3.0 * 1500.0 / (4.0 * math.pi)) ** (1.0 / 3.0)
    assert float(spread[space.filled(spread, 1.5)].max()) == pytest.approx(radius, abs=0.4)


def test_mirrored_tips_cover_mirrored_halves(body: Question) -> None:
    space = body_space(_anatomy(body), [])
    left = coverage(space, space.spread([_at(body, 9.0, -6.0, 2.0)]), 3.0)
    right = coverage(space, space.spread([_at(body, -9.0, -6.0, 2.0)]), 3.0)
    assert left.left == pytest.approx(right.right, abs=0.05)
    assert left.right == pytest.approx(right.left, abs=0.05)
    assert left.left > 2.0 * left.right
    both = [_at(body, 9.0, -6.0, 2.0), _at(body, -9.0, -6.0, 2.0)]
    assert coverage(space, space.spread(both), 3.0).balance > 0.9 > left.balance


def test_two_tips_never_fill_farther_than_one_of_them(body: Question) -> None:
    space = body_space(_anatomy(body), [])
    tips = [_at(body, 9.0, -6.0, 2.0), _at(body, -9.0, -6.0, 2.0)]
    assert (space.spread(tips) <= space.spread(tips[:1])).all()


def test_a_tip_that_comes_back_is_capped_sooner(body: Question) -> None:
    caps = []
    for y in (-8.0, -4.0, 0.0, 4.0):
        guidance = cement_guidance(body, [_at(body, 0.0, y, 0.0)])
        assert guidance is not None
        assert guidance.cap_ml is not None
        assert guidance.expected_ml <= guidance.cap_ml <= guidance.goal.most_ml
        assert guidance.coverage is not None
        assert guidance.coverage.rearmost >= 0.25 - 1.0 / _anatomy(body).body.depth_mm
        caps.append(guidance.cap_ml)
    assert caps == sorted(caps, reverse=True)
    assert caps[-1] < caps[0]


def test_a_tip_in_the_posterior_quarter_gets_no_cement(body: Question) -> None:
    depth = _anatomy(body).body.depth_mm
    guidance = cement_guidance(body, [_at(body, 0.0, 0.5 * depth - 0.2 * depth, 0.0)])
    assert guidance is not None
    assert guidance.expected_ml == 0.0
    assert "posterior quarter" in guidance.cap_by or "vein" in guidance.cap_by


def test_stops_are_measured_on_the_meshes_nearest_first(body: Question) -> None:
    tip = _at(body, 3.0, -8.0, 1.0)
    stops = stop_surfaces(body, [tip])
    assert [s.distance_mm for s in stops] == sorted(s.distance_mm for s in stops)
    named = {s.name: s for s in stops}
    sac = body.prepared.case.structure("dural_sac")
    assert named["dural_sac"].distance_mm == body.prepared.distance(sac).point(tip)[0]
    assert named["dural_sac"].stops
    assert not named["aorta"].stops
    quarter = 0.5 * _anatomy(body).body.depth_mm - 0.25 * _anatomy(body).body.depth_mm + 8.0
    assert named["posterior quarter of the body"].distance_mm == pytest.approx(quarter)
    assert not named["superior endplate"].stops


@pytest.mark.parametrize("broken", ["superior", "inferior", "both"])
def test_a_broken_endplate_stops_the_filling(body: Question, broken: str) -> None:
    stated = copy.copy(body.prepared)
    findings: Mapping[str, Any] = {"L3": {"endplate_broken": broken}}
    stated.__dict__["case"] = replace(body.prepared.case, findings=findings)
    question = replace(body, prepared=stated)
    stops = {s.name for s in stop_surfaces(question, [_at(body, 0.0, -8.0, 0.0)]) if s.stops}
    for side in ("superior", "inferior"):
        assert (f"broken {side} endplate" in stops) == (broken in {side, "both"})
    low = _at(body, 0.0, -8.0, -8.0)
    free, capped = cement_guidance(body, [low]), cement_guidance(question, [low])
    assert free is not None
    assert capped is not None
    assert (capped.expected_ml < free.expected_ml) == (broken != "superior")


def test_goals_follow_the_target(lumbar: PreparedCase, thoracic: PreparedCase) -> None:
    tip = lumbar.screw("screw_L3_L", field="screw").tip_mm
    halo = cement_guidance(_asked(thoracic, ScrewHalo(screw="screw_T8_L")), [tip])
    beside = cement_guidance(_asked(thoracic, ScrewTip(screw="screw_T8_L")), [tip])
    low = cement_guidance(_asked(lumbar, ScrewTip(screw="screw_L3_L")), [tip])
    point = FreePoint(position_mm=tip, tolerance_mm=2.0)
    assert cement_guidance(_asked(lumbar, point), [tip]) is None
    assert halo is not None
    assert beside is not None
    assert low is not None
    assert halo.goal.most_ml - halo.goal.least_ml == pytest.approx(0.5)
    assert (beside.goal.aim_ml, low.goal.aim_ml) == (1.0, 3.0)
    assert any("cloud about screw_T8_L" in check for check in halo.checks)
    assert all(g.assumptions for g in (halo, beside, low))


def test_the_far_end_of_a_lucency_is_farther_than_its_near_end(thoracic: PreparedCase) -> None:
    question = _asked(thoracic, ScrewHalo(screw="screw_T8_L"))
    screw = thoracic.screw("screw_T8_L", field="screw")
    gaps = []
    for share in (0.6, 0.8, 1.0):
        guidance = cement_guidance(
            question, [screw.head_mm + share * (screw.tip_mm - screw.head_mm)]
        )
        assert guidance is not None
        assert guidance.ring_gap_mm is not None
        gaps.append(guidance.ring_gap_mm)
    length = float(np.linalg.norm(screw.tip_mm - screw.head_mm))
    assert gaps[0] < gaps[1] < gaps[2]
    assert gaps[2] >= 0.75 * length


def _along(question: Question, beside_mm: float) -> Line:
    """Return a line along the target's screw, its axis so far from the screw's."""
    assert isinstance(question.region, TargetRegion)
    screw = question.region.screw
    assert screw is not None
    shaft = screw.tip_mm - screw.head_mm
    aside = unit(np.cross(shaft, question.axes[0]))
    end = screw.head_mm + 0.8 * shaft + beside_mm * aside
    return Line(start_mm=end - 60.0 * unit(shaft), end_mm=end)


def test_the_share_in_the_lucency_is_one_in_it_and_none_beside_it(lumbar: PreparedCase) -> None:
    """The modelled ring is 1.5 mm thick, thinner than the needle of 1.83 mm."""
    question = _asked(lumbar, ScrewHalo(screw="screw_L3_L"))
    screw, needle = lumbar.screw("screw_L3_L", field="screw"), needle_named("15G-bevel-150")
    outer = halo_radius(screw, lumbar.case.of_kind(Kind.HALO), question.bone).radius_mm
    shaft = 0.5 * screw.diameter_mm

    def share(beside_mm: float) -> float:
        found = halo_overlap(question, needle, (_along(question, beside_mm),))
        assert found is not None
        return found

    assert share(outer + needle.radius_mm + 0.01) == 0.0
    assert share(shaft - needle.radius_mm - 0.01) == 0.0
    middle = share(0.5 * (shaft + outer))
    assert 0.7 < middle < 1.0, "a needle wider than the ring never lies wholly in it"
    assert 0.3 < share(outer) < 0.6
    thin = replace(needle, outer_diameter_mm=0.5)
    assert halo_overlap(question, thin, (_along(question, 0.5 * (shaft + outer)),)) == 1.0


def test_a_target_without_a_screw_has_no_lucency(body: Question) -> None:
    line = Line(start_mm=_at(body, 0.0, 90.0, 0.0), end_mm=_at(body, 0.0, -8.0, 0.0))
    assert halo_overlap(body, needle_named("15G-bevel-150"), (line,)) is None


@pytest.mark.parametrize("place", list(Beside))
def test_bone_beside_a_screw_lies_where_it_is_named_and_off_the_lucency(
    lumbar: PreparedCase, place: Beside
) -> None:
    question = _asked(lumbar, BesideScrew(screw="screw_L3_L", place=place))
    region = question.region
    assert isinstance(region, TargetRegion)
    screw = lumbar.screw("screw_L3_L", field="screw")
    outer = halo_radius(screw, (), question.bone).radius_mm
    along = unit(screw.tip_mm - screw.head_mm)
    rng = np.random.default_rng(3)
    points = region.centre_mm + rng.uniform(-15.0, 15.0, (4000, 3))
    inside = points[[region.contains(p) for p in points]]
    assert len(inside) > 20
    offset = inside - screw.head_mm
    radial = offset - (offset @ along)[:, None] * along
    assert np.linalg.norm(radial, axis=1).min() >= outer - 1e-9
    way = {Beside.MEDIAL: -question.axes[0], Beside.LATERAL: question.axes[0],
           Beside.CRANIAL: question.axes[2], Beside.CAUDAL: -question.axes[2]}[place]  # fmt: skip
    assert (radial @ way > 0.0).all()


def test_a_capsule_without_length_is_a_ball() -> None:
    assert capsule_ml(0.0, 10.0) == pytest.approx(4.0 / 3.0 * math.pi)
    assert capsule_ml(10.0, 1.0) > 0.01 * math.pi


def _drawn(prepared: PreparedCase, side: Side, needle: str) -> tuple[Question, Trajectory]:
    """Return a path through the middle of a pedicle to the front of L2, measured."""
    question = _asked(prepared, AnteriorBody(level="L2"))
    pedicle = _anatomy(question).pedicles[side]
    assert not hasattr(pedicle, "reason")
    aim = _at(question, 0.0, -8.0, 0.0)
    through = pedicle.centre_mm
    line = Line(start_mm=through - 60.0 * unit(aim - through), end_mm=aim)
    request = EvaluationRequest(path=(line,), needle=needle, target=AnteriorBody(level="L2"))
    return question, evaluate(prepared, request)


def test_a_tamp_goes_where_a_pedicle_is_free_and_nowhere_beside_a_screw(
    lumbar: PreparedCase,
) -> None:
    structures = tuple(
        s for s in lumbar.given.structures if s.name in {"L2", "L3", "dural_sac", "screw_L2_L"}
    )
    one_screw = PreparedCase(replace(lumbar.given, structures=structures))
    _, free = _drawn(one_screw, Side.RIGHT, "8G-150")
    assert free.tamp is not None
    assert free.tamp.eligible, free.tamp.reason
    assert free.tamp.size is not None
    assert free.tamp.volume_ml is not None
    assert 1.0 <= free.tamp.volume_ml <= 6.0
    question, beside = _drawn(one_screw, Side.LEFT, "8G-150")
    assert beside.tamp is not None
    assert not beside.tamp.eligible
    assert "D3" in beside.tamp.reason
    thinner = tamp_advice(question, replace(free, outer_diameter_mm=1.0, margin_mm=0.5))
    assert thinner is not None
    assert not thinner.eligible, (
        "no working cannula keeps its distances where a thin needle hardly does"
    )
    other = tamp_advice(replace(question, target=ScrewTip(screw="screw_L2_L")), free)
    assert other is None
