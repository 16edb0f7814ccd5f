"""Targets of the clinical series that need a case of their own: cage, lesion, level without screws."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry.solids import box, ellipsoid
from planner.anatomy.model import VertebraAnatomy
from planner.case import Kind, Side, Structure
from planner.case_io import load_case
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
from planner.result import Outcome, Plan
from planner.target import TargetRegion

SAMPLES = Path(__file__).parents[2] / "sample_cases"


@pytest.fixture(scope="module")
def operated() -> PreparedCase:
    """Return the lumbar sample without screws at L2, with a cage below L3 and a lesion in it."""
    given = load_case(SAMPLES / "lumbar-fracture")
    centres = {n: given.structure(n).mesh.vertices.mean(axis=0) for n in ("L3", "L4")}
    anatomy = PreparedCase(given).bone(given.structure("L3"))
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


def _planned(
    prepared: PreparedCase, target: TargetSpec, *, needle: str = "15G-bevel-150", most: int = 1
) -> Plan:  # fmt: skip
    request = PlanRequest(
        target=target, approaches=(Approach.TRANSPEDICULAR,), sides=(Side.RIGHT,),
        needles=(needle,), max_trajectories=most,
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


def test_a_level_without_screws_is_reached_past_the_rods_and_takes_a_tamp(
    operated: PreparedCase,
) -> None:
    answer = _planned(operated, AnteriorBody(level="L2"), needle="10G-150", most=5)
    for found in answer.trajectories:
        rods = [c for c in found.clearances if c.kind is Kind.ROD]
        assert len(rods) == 2
        assert all(c.margin_mm is not None and c.margin_mm >= 0.0 for c in rods)
    tamps = [t.tamp for t in answer.trajectories if t.tamp is not None]
    assert {t.gauge for t in tamps if t.eligible} == {10}, [t.reason for t in tamps]
