"""Targets of the clinical series that need a case of their own: cage, lesion, level without screws."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from geometry.arrays import unit
from geometry.solids import box, ellipsoid
from planner.anatomy.model import VertebraAnatomy
from planner.case import HARDWARE, Kind, Side, Structure
from planner.guidance.tamp import FOLDED_MM, OFF_WALL_MM, TAMPS, capsule_ml
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import question_of
from planner.request import (
    AnteriorBody,
    Approach,
    CageEnd,
    CageInterface,
    Lesion,
    PlanRequest,
    TargetSpec,
)
from planner.result import Outcome, Plan, Trajectory
from planner.target import TargetRegion
from tests.planner.second_look import margin_mm, room_mm


@pytest.fixture(scope="module")
def operated(lumbar: PreparedCase) -> PreparedCase:
    """Return the lumbar sample without screws at L2, with a cage below L3 and a lesion in it."""
    given = lumbar.given
    centres = {n: given.structure(n).mesh.vertices.mean(axis=0) for n in ("L3", "L4")}
    anatomy = lumbar.bone(given.structure("L3"))
    assert isinstance(anatomy, VertebraAnatomy)
    body = anatomy.frame.inverse().points(np.zeros((1, 3)))[0]
    below = anatomy.frame.inverse().points(
        np.array([[0.0, 0.0, -0.5 * float(np.linalg.norm(centres["L3"] - centres["L4"]))]])
    )[0]
    cage = Structure(
        name="cage", kind=Kind.CAGE, source="box",
        mesh=box(below, np.array([22.0, 20.0, 11.0]), anatomy.frame.rotation),
    )  # fmt: skip
    lesion = Structure(
        name="lesion", kind=Kind.LESION, mesh=ellipsoid(body, np.array([9.0, 8.0, 7.0])),
        source="ellipsoid",
    )  # fmt: skip
    kept = tuple(s for s in given.structures if not s.name.startswith("screw_L2"))
    return PreparedCase(replace(given, structures=(*kept, cage, lesion)))


def _planned(prepared: PreparedCase, target: TargetSpec) -> Plan:
    request = PlanRequest(
        target=target, approaches=(Approach.TRANSPEDICULAR,), sides=(Side.RIGHT,),
        needles=("15G-bevel-150",), max_trajectories=1,
    )  # fmt: skip
    return plan(prepared, request)


def test_bone_against_an_end_of_a_cage_is_reached_and_the_cage_is_not(
    operated: PreparedCase,
) -> None:
    answer = _planned(operated, CageInterface(cage="cage", end=CageEnd.CRANIAL))
    assert answer.outcome is Outcome.FOUND, answer.explanation
    [best] = answer.trajectories
    assert operated.distance(operated.case.structure("L3")).contains(best.tip_mm)
    cage = next(c for c in best.clearances if c.structure == "cage")
    assert cage.margin_mm is not None
    assert cage.margin_mm >= 0.0
    assert cage.distance_mm <= 7.5, "the tip ends in the slab against the cage"
    assert best.cement is not None
    assert any("cage" in check for check in best.cement.checks)


def test_the_two_ends_of_a_cage_lie_in_the_bones_on_either_side(operated: PreparedCase) -> None:
    for end, bone in ((CageEnd.CRANIAL, "L3"), (CageEnd.CAUDAL, "L4")):
        question = question_of(operated, PlanRequest(target=CageInterface(cage="cage", end=end)))
        assert question.bone.name == bone
        assert isinstance(question.region, TargetRegion)
        assert operated.distance(question.bone).contains(question.region.centre_mm)
        cage = operated.distance(operated.case.structure("cage"))
        assert 1.5 <= cage.point(question.region.centre_mm)[0] <= 7.0


def test_a_lesion_is_reached_through_its_pedicle(operated: PreparedCase) -> None:
    [best] = _planned(operated, Lesion(structure="lesion")).trajectories
    assert operated.distance(operated.case.structure("lesion")).contains(best.tip_mm)
    assert best.cement is not None
    assert best.cement.goal.aim_ml == pytest.approx(4.0 / 3.0 * np.pi * 0.504, rel=0.01)


TAMPED = PlanRequest(
    target=AnteriorBody(level="L2"), approaches=(Approach.TRANSPEDICULAR,), sides=(Side.RIGHT,),
    needles=("10G-150",),
)  # fmt: skip


@pytest.fixture(scope="module")
def through_free_pedicle(operated: PreparedCase) -> tuple[Trajectory, ...]:
    return plan(operated, TAMPED).trajectories


def test_a_level_without_screws_is_reached_past_the_rods_and_takes_a_tamp(
    operated: PreparedCase, through_free_pedicle: tuple[Trajectory, ...]
) -> None:
    question = question_of(operated, TAMPED)
    for found in through_free_pedicle:
        assert found.technique == "free_pedicle"
        assert found.margin_mm == pytest.approx(margin_mm(question, found), abs=1e-3)
        rods = [c for c in found.clearances if c.kind is Kind.ROD]
        assert len(rods) == 2
        assert all(c.margin_mm is not None and c.margin_mm >= 0.0 for c in rods)
    tamps = [t.tamp for t in through_free_pedicle if t.tamp is not None]
    assert {t.gauge for t in tamps if t.eligible} == {10}, [t.reason for t in tamps]


def test_a_filled_tamp_keeps_off_cortex_and_metal_when_measured_a_second_time(
    operated: PreparedCase, through_free_pedicle: tuple[Trajectory, ...]
) -> None:
    around = [operated.case.structure("L2"), *operated.case.of_kind(*HARDWARE)]
    for found in through_free_pedicle:
        if found.tamp is None or found.tamp.volume_ml is None:
            continue
        [length] = [t.length_mm for t in TAMPS if t.name == found.tamp.size]
        line, inner, volume = found.path[-1], length - 2.0 * FOLDED_MM, found.tamp.volume_ml
        radius = brentq(lambda r, n=inner, v=volume: capsule_ml(n, r) - v, 0.0, 20.0)
        along = unit(line.end_mm - line.start_mm)
        front = line.end_mm - FOLDED_MM * along
        assert room_mm(around, front - inner * along, front) >= radius + OFF_WALL_MM - 1e-6
