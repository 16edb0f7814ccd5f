"""Several needles in one session: none collide, and coverage decides between one and two."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from planner.case import Side
from planner.case_io import load_case
from planner.needles.catalogue import needle_named
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, Intent, PlanRequest, ScrewTip
from planner.result import Outcome, Plan
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

SAMPLES = Path(__file__).parents[2] / "sample_cases"
L3, L2 = AnteriorBody(level="L3"), AnteriorBody(level="L2", intent=Intent.PROPHYLACTIC)


@pytest.fixture(scope="module")
def lumbar() -> Iterator[PreparedCase]:
    """Return the sample, each target of which is planned once for all tests here."""
    answers: dict[int, tuple[PlanRequest, Plan]] = {}

    def known(prepared: PreparedCase, request: PlanRequest) -> Plan:
        if id(request) not in answers:
            answers[id(request)] = request, plan(prepared, request)
        return answers[id(request)][1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session, "plan", known)
        yield PreparedCase(load_case(SAMPLES / "lumbar-fracture"))


def _asked(*targets: AnteriorBody | ScrewTip, bilateral: Bilateral) -> SessionRequest:
    requests = [
        _REQUESTS.setdefault(
            target,
            PlanRequest(
                target=target, approaches=(Approach.TRANSPEDICULAR,), needles=("15G-bevel-150",)
            ),
        )
        for target in targets
    ]
    return SessionRequest(requests=tuple(requests), bilateral=bilateral)


_REQUESTS: dict[AnteriorBody | ScrewTip, PlanRequest] = {}


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


def test_where_only_one_side_has_a_way_one_needle_is_chosen_and_the_want_of_two_is_said(
    lumbar: PreparedCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(L3, bilateral=Bilateral.ALWAYS)
    [both] = plan_session(lumbar, asked).chosen
    assert {t.side for t in both.trajectories} == set(Side)
    assert "go together" not in both.reason
    right = tuple(t for t in both.plan.trajectories if t.side is Side.RIGHT)
    monkeypatch.setattr(session, "plan", lambda *_: replace(both.plan, trajectories=right))
    [one] = plan_session(lumbar, asked).chosen
    assert [t.side for t in one.trajectories] == [Side.RIGHT]
    assert "no two safe paths, one from either side, go together" in one.reason


def test_one_target_asked_for_twice_gets_two_needles_that_pass_or_one(
    lumbar: PreparedCase,
) -> None:
    made = plan_session(lumbar, _asked(L3, L3, bilateral=Bilateral.NEVER))
    first, second = made.chosen
    assert first.ranks
    assert not set(first.ranks) & set(second.ranks), "one needle cannot be in one place twice"
    if second.ranks:
        assert _least_apart(made) >= GAP_MM
        assert "collides" in second.reason or "collides" in first.reason
    else:
        assert made.outcome is SessionOutcome.SOME
        assert "every way collides" in second.reason


def test_a_target_without_a_way_goes_without_and_says_so(
    lumbar: PreparedCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(L3, L2, bilateral=Bilateral.NEVER)
    first = asked.requests[0]
    answers = {id(one.request): one.plan for one in plan_session(lumbar, asked).chosen}
    answers[id(first)] = replace(answers[id(first)], trajectories=(), outcome=Outcome.NO_SAFE_PATH)
    monkeypatch.setattr(session, "plan", lambda _, request: answers[id(request)])
    made = plan_session(lumbar, asked)
    assert made.outcome is SessionOutcome.SOME
    assert made.chosen[0].ranks == ()
    assert made.chosen[0].cement is None
    assert "no safe path of its own (no_safe_path)" in made.chosen[0].reason
    assert made.chosen[1].ranks
    none = plan_session(lumbar, replace(asked, requests=(first,)))
    assert none.outcome is SessionOutcome.NONE
    assert none.order == ()
