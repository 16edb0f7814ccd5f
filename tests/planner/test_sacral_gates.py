"""Ways into S1: by its pedicle and its ala where it can be read, around screws below it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from geometry.solids import cylinder
from phantom.sacrum import sacrum_mesh, sacrum_shape
from planner.anatomy.model import SacralPedicle, Unavailable
from planner.case import Case, Cylinder, Kind, Side, Structure
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import (
    BY_WINDOW,
    AnteriorBody,
    Approach,
    FreePoint,
    PlanRequest,
    ScrewTip,
    TargetSpec,
)
from planner.result import Status
from planner.trajectory import recognised
from tests.planner.second_look import margin_mm

NEEDLE = needle_named("15G-bevel-150", field="needle")


@cache
def prepared() -> PreparedCase:
    mesh = sacrum_mesh(sacrum_shape(seed=1), resolution_mm=2.2)
    head, tip = np.array([38.0, 50.0, -38.0]), np.array([26.0, 22.0, -38.0])
    shaft = Cylinder(head_mm=head, tip_mm=tip, diameter_mm=6.0)
    low = Structure(
        name="low", kind=Kind.SCREW, level="S2", side=Side.LEFT, primitive=shaft,
        mesh=cylinder(head, tip, 6.0),
    )  # fmt: skip
    sacrum = Structure(name="sacrum", kind=Kind.SACRUM, mesh=mesh)
    return PreparedCase(Case(name="made", structures=(sacrum, low), digest="0" * 64))


@cache
def body() -> Question:
    return question_of(prepared(), PlanRequest(target=AnteriorBody(level="S1")))


def pedicle(side: Side) -> SacralPedicle:
    found = body().pedicle(side)
    assert isinstance(found, SacralPedicle), found
    return found


def test_s1_is_entered_by_its_pedicle_and_by_its_ala() -> None:
    classes, gateless = gates_for(body(), BY_WINDOW, tuple(Side), [NEEDLE])
    ways = {(gate.approach, gate.side): gate for gate, _ in classes}
    wanted = (Approach.TRANSPEDICULAR, Approach.EXTRAPEDICULAR)
    assert set(ways) == {(approach, side) for approach in wanted for side in Side}
    assert all(not gate.window.is_empty for gate in ways.values())
    assert {g.approach for g in gateless} == {Approach.PARAPEDICULAR}
    assert all("ala" in g.why.reason for g in gateless)


@pytest.mark.parametrize("side", Side)
def test_a_drawn_path_is_named_by_the_bone_that_it_pierces(side: Side) -> None:
    one = pedicle(side)
    middles = {
        Approach.TRANSPEDICULAR: one.outline.representative_point(),
        Approach.EXTRAPEDICULAR: one.ala.representative_point(),
    }
    for approach, middle in middles.items():
        through = one.centre_mm + middle.x * one.lateral + middle.y * one.cranial
        path = (Line(start_mm=through - 50.0 * one.axis, end_mm=through + 20.0 * one.axis),)
        assert recognised(body(), path, NEEDLE.radius_mm) == (approach, side)
    beside = one.centre_mm + (one.outline.bounds[0] - 8.0) * one.lateral
    path = (Line(start_mm=beside - 50.0 * one.axis, end_mm=beside + 20.0 * one.axis),)
    assert recognised(body(), path, NEEDLE.radius_mm) == (None, None)


def _in_ala() -> FreePoint:
    one = pedicle(Side.LEFT)
    middle = one.ala.representative_point()
    within = one.centre_mm + middle.x * one.lateral + middle.y * one.cranial + 6.0 * one.axis
    return FreePoint(position_mm=within, tolerance_mm=3.0)


def _left(target: TargetSpec, approach: Approach) -> PlanRequest:
    return PlanRequest(
        target=target, approaches=(approach,), sides=(Side.LEFT,), needles=(NEEDLE.name,),
        max_trajectories=1, certificate_tolerance_mm=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["sacral_pedicle", "sacral_ala"])
def test_s1_is_reached_by_pedicle_and_ala_and_margins_hold_when_measured_again(name: str) -> None:
    request = (
        _left(AnteriorBody(level="S1"), Approach.TRANSPEDICULAR)
        if name == "sacral_pedicle"
        else _left(_in_ala(), Approach.EXTRAPEDICULAR)
    )
    [best] = plan(prepared(), request).trajectories
    assert best.technique == name
    assert best.margin_mm >= 0.0
    told = margin_mm(question_of(prepared(), request), best)
    assert best.margin_mm == pytest.approx(told, abs=1e-3)


def test_the_front_of_s1_is_refused_by_its_ala_with_a_proof_that_names_the_root() -> None:
    request = _left(AnteriorBody(level="S1"), Approach.EXTRAPEDICULAR)
    answer = plan(prepared(), request)
    [refused] = answer.certificates
    assert not answer.trajectories
    assert refused.status is Status.INFEASIBLE
    assert refused.upper_bound_mm is not None
    assert refused.upper_bound_mm < 0.0
    assert refused.blocked_by == ("derived_root_S1_left",)


def test_a_screw_below_s1_has_a_gate_around_itself() -> None:
    screw = prepared().screw("low", field="screw")
    assert screw.level in {"S1", "S2"}
    asked = question_of(prepared(), PlanRequest(target=ScrewTip(screw="low")))
    assert not isinstance(asked.region, Unavailable)
    below = replace(asked, region=replace(asked.region, screw=replace(screw, level="S2")))
    classes, gateless = gates_for(below, BY_WINDOW, (Side.LEFT,), [NEEDLE])
    assert [gate.technique for gate, _ in classes] == ["sacral_corridor"]
    assert all("below S1" in g.why.reason for g in gateless)
