"""Several needles in one session: none collide, and coverage decides between one and two."""

from collections.abc import Iterator
from itertools import combinations

import pytest

from planner.case import Side
from planner.needles.catalogue import needle_named
from planner.needles.path import ARC_SAGITTA_MM
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import question_of
from planner.request import AnteriorBody, Approach, Intent, PlanRequest
from planner.result import Certificate, Plan, Status
from planner.session import planning as session
from planner.session.planning import (
    BALANCED,
    Bilateral,
    SessionOutcome,
    SessionPlan,
    SessionRequest,
    plan_session,
)
from planner.session.spacing import GAP_MM, bars, nearness
from tests.planner.second_look import EVERY_MM, apart_mm, margin_mm


@pytest.fixture(scope="module")
def lumbar(lumbar: PreparedCase) -> Iterator[PreparedCase]:
    """Return the sample, each target of which is planned once for all tests here."""
    answers: dict[int, tuple[PlanRequest, Plan]] = {}

    def known(prepared: PreparedCase, request: PlanRequest) -> Plan:
        if id(request) not in answers:
            answers[id(request)] = request, plan(prepared, request)
        return answers[id(request)][1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session, "plan", known)
        yield lumbar


def _asked(*requests: PlanRequest, bilateral: Bilateral) -> SessionRequest:
    return SessionRequest(requests=requests, bilateral=bilateral)


def _through(
    target: AnteriorBody, *, needle: str = "15G-bevel-150", sides: tuple[Side, ...] = tuple(Side)
) -> PlanRequest:
    return PlanRequest(
        target=target, approaches=(Approach.TRANSPEDICULAR,), sides=sides, needles=(needle,)
    )


L3 = _through(AnteriorBody(level="L3"))
L2 = _through(AnteriorBody(level="L2", intent=Intent.PROPHYLACTIC))
# 11 G passes the screw of L3 on the right, and not on the left.
ONE_SIDE = _through(AnteriorBody(level="L3"), needle="11G-150")
CLOSED = _through(AnteriorBody(level="L3"), needle="11G-150", sides=(Side.LEFT,))


def _least_apart(made: SessionPlan) -> float:
    bodies = [bars(needle_named(t.needle), t.path) for one in made.chosen for t in one.trajectories]
    return min(nearness(a, b).distance_mm for a, b in combinations(bodies, 2))


@pytest.mark.parametrize("bilateral", list(Bilateral))
def test_two_levels_are_served_and_no_needles_collide(
    lumbar: PreparedCase, bilateral: Bilateral
) -> None:
    made = plan_session(lumbar, _asked(L3, L2, bilateral=bilateral))
    assert made.outcome is SessionOutcome.ALL
    assert made.order == (1, 0), "from the most cranial level down"
    assert _least_apart(made) >= GAP_MM
    for one in made.chosen:
        assert {t.rank for t in one.trajectories} == set(one.ranks)
        assert all(t.margin_mm >= 0.0 and t.reaches_target for t in one.trajectories)
        assert one.cement is not None
    needles = [len(one.ranks) for one in made.chosen]
    if bilateral is Bilateral.NEVER:
        assert needles == [1, 1]
    if bilateral is Bilateral.ALWAYS:
        assert needles == [2, 2]
        for one in made.chosen:
            assert {t.side for t in one.trajectories} == set(Side)
    assert "(prophylactic)" in made.explanation
    if made.neighbours:
        assert made.neighbours[0].near.distance_mm == pytest.approx(_least_apart(made))


def test_coverage_decides_between_one_needle_and_two(lumbar: PreparedCase) -> None:
    """Two only where one alone leaves a side of the body with too little."""
    made = plan_session(lumbar, _asked(L3, L2, bilateral=Bilateral.AS_NEEDED))
    alone = plan_session(lumbar, _asked(L3, L2, bilateral=Bilateral.NEVER))
    for one, single in zip(made.chosen, alone.chosen, strict=True):
        assert one.cement is not None
        assert single.cement is not None
        covered, lone = one.cement.coverage, single.cement.coverage
        assert covered is not None
        assert lone is not None
        assert (len(one.ranks) == 1) == (lone.balance >= BALANCED)
        assert covered.balance >= lone.balance
        assert f"balance {covered.balance:.2f}" in one.reason


def test_needles_keep_their_limits_and_their_gap_when_measured_a_second_time(
    lumbar: PreparedCase,
) -> None:
    made = plan_session(lumbar, _asked(L3, L2, bilateral=Bilateral.ALWAYS))
    for one in made.chosen:
        question = question_of(lumbar, one.request)
        for t in one.plan.trajectories:
            assert t.margin_mm == pytest.approx(margin_mm(question, t), abs=1e-3)
    bodies = [bars(needle_named(t.needle), t.path) for one in made.chosen for t in one.trajectories]
    assert len(bodies) == 4
    for a, b in combinations(bodies, 2):
        told, seen = nearness(a, b).distance_mm, apart_mm(a, b)
        assert seen >= GAP_MM
        assert told <= seen <= told + EVERY_MM + 2.0 * ARC_SAGITTA_MM


def test_where_one_side_is_proved_closed_one_needle_is_chosen_and_the_want_of_two_is_said(
    lumbar: PreparedCase,
) -> None:
    [both] = plan_session(lumbar, _asked(L3, bilateral=Bilateral.ALWAYS)).chosen
    assert {t.side for t in both.trajectories} == set(Side)
    assert "go together" not in both.reason
    [one] = plan_session(lumbar, _asked(ONE_SIDE, bilateral=Bilateral.ALWAYS)).chosen
    assert [t.side for t in one.trajectories] == [Side.RIGHT]
    assert "no two safe paths, one from either side, go together" in one.reason
    [left] = [c for c in one.plan.certificates if c.side is Side.LEFT]
    _assert_closed_by(left, "screw_L3_L")


def _assert_closed_by(certificate: Certificate, screw: str) -> None:
    assert certificate.status is Status.INFEASIBLE
    assert certificate.upper_bound_mm is not None
    assert certificate.upper_bound_mm < 0.0
    assert certificate.blocked_by == (screw,)
    assert screw in certificate.statement


def test_one_target_asked_for_twice_gets_two_needles_that_pass(lumbar: PreparedCase) -> None:
    made = plan_session(lumbar, _asked(L3, L3, bilateral=Bilateral.NEVER))
    first, second = made.chosen
    assert first.ranks
    assert second.ranks
    assert first.ranks != second.ranks, "one needle cannot be in one place twice"
    assert _least_apart(made) >= GAP_MM
    assert "its first choice collides with the needles to" in first.reason + second.reason


def test_where_every_way_collides_a_target_goes_without_and_says_with_what(
    lumbar: PreparedCase,
) -> None:
    made = plan_session(lumbar, _asked(ONE_SIDE, ONE_SIDE, bilateral=Bilateral.NEVER))
    first, second = made.chosen
    assert made.outcome is SessionOutcome.SOME
    assert len(first.ranks) == 1
    assert second.ranks == ()
    assert second.reason == f"every way collides with the needles to {first.label}"
    question = question_of(lumbar, ONE_SIDE)
    [taken] = first.trajectories
    for t in second.plan.trajectories:
        needle = needle_named(t.needle)
        assert apart_mm(bars(needle, taken.path), bars(needle, t.path)) < GAP_MM
        assert t.margin_mm == pytest.approx(margin_mm(question, t), abs=1e-3)


def test_a_target_that_is_proved_closed_goes_without_and_says_so(lumbar: PreparedCase) -> None:
    made = plan_session(lumbar, _asked(CLOSED, L2, bilateral=Bilateral.NEVER))
    closed, served = made.chosen
    assert made.outcome is SessionOutcome.SOME
    assert closed.ranks == ()
    assert closed.cement is None
    assert "no safe path of its own (no_safe_path)" in closed.reason
    [certificate] = closed.plan.certificates
    _assert_closed_by(certificate, "screw_L3_L")
    assert served.ranks
    none = plan_session(lumbar, _asked(CLOSED, bilateral=Bilateral.NEVER))
    assert none.outcome is SessionOutcome.NONE
    assert none.order == ()
