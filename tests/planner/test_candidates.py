"""Candidates and alternatives of a bundled case: measured, safe, and worth their place."""

from dataclasses import replace

import numpy as np
import pytest

from planner.candidates import same_way
from planner.case import Side
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, PlanRequest
from planner.result import Plan, Status, Trajectory
from tests.planner.elsewhere import FLIP, OTHER

REQUEST = PlanRequest(
    target=AnteriorBody(level="L3"), needles=("15G-bevel-150", "11G-120"), max_trajectories=30
)
POSITION_MM = 0.05


@pytest.fixture(scope="module")
def answer(lumbar: PreparedCase) -> Plan:
    return plan(lumbar, REQUEST)


def _of_one_way(answer: Plan) -> list[list[Trajectory]]:
    ways: dict[tuple[str, str], list[Trajectory]] = {}
    for t in answer.trajectories:
        ways.setdefault((str(t.approach), str(t.side)), []).append(t)
    return list(ways.values())


def test_a_way_is_shown_once_whatever_the_needles(answer: Plan) -> None:
    for way in _of_one_way(answer):
        for i, t in enumerate(way):
            assert not any(same_way(t.path, other.path) for other in way[:i])


def test_every_safe_class_has_a_path_and_none_is_better_than_its_certificate(
    answer: Plan,
) -> None:
    classes = {(c.approach, c.side, c.needle): c for c in answer.certificates}
    for t in answer.trajectories:
        assert t.approach is not None
        assert t.side is not None
        certificate = classes[t.approach, t.side, t.needle]
        assert certificate.best_margin_mm is not None
        assert certificate.upper_bound_mm is not None
        assert 0.0 <= t.margin_mm <= certificate.best_margin_mm <= certificate.upper_bound_mm
    best = max(c.best_margin_mm or 0.0 for c in answer.certificates)
    shown = [t.margin_mm for t in answer.trajectories]
    assert max(shown) >= best - 0.1
    assert max(shown) == max(shown[:2])


def test_alternatives_give_up_margin_for_something(answer: Plan) -> None:
    traded = 0
    for first, *others in _of_one_way(answer):
        for t in others:
            better = (
                t.margin_mm > first.margin_mm + 0.1
                or t.length_mm < first.length_mm - 2.0
                or t.obliquity_rad < first.obliquity_rad - np.radians(2.0)
                or t.reach_mm > first.reach_mm + 1.0
            )
            traded += t.margin_mm < first.margin_mm and better
    assert traded >= 3


def test_asking_for_fewer_paths_gives_the_first_of_them(lumbar: PreparedCase, answer: Plan) -> None:
    fewer = plan(lumbar, replace(REQUEST, max_trajectories=2)).trajectories
    assert len(fewer) == 2
    for one, two in zip(fewer, answer.trajectories, strict=False):
        assert np.array_equal(one.tip_mm, two.tip_mm)
        assert np.array_equal(one.entry_skin_mm, two.entry_skin_mm)


def test_a_mirrored_case_has_the_mirrored_list(mirrored_lumbar: PreparedCase, answer: Plan) -> None:
    mirrored = plan(mirrored_lumbar, REQUEST)

    def listed(t: Trajectory, side: Side | None) -> tuple[object, ...]:
        return t.approach, side, t.needle, t.reasons

    assert [listed(t, OTHER[t.side]) for t in mirrored.trajectories] == [
        listed(t, t.side) for t in answer.trajectories
    ]
    for before, after in zip(answer.trajectories, mirrored.trajectories, strict=True):
        assert np.linalg.norm(after.tip_mm * FLIP - before.tip_mm) < POSITION_MM
        assert np.linalg.norm(after.entry_skin_mm * FLIP - before.entry_skin_mm) < POSITION_MM


def test_infeasible_classes_have_no_path(answer: Plan) -> None:
    closed = {
        (c.approach, c.side, c.needle) for c in answer.certificates if c.status is Status.INFEASIBLE
    }
    assert closed
    assert not closed & {(t.approach, t.side, t.needle) for t in answer.trajectories}
