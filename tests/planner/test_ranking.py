"""Ranking: what is listed, in which order, and why, for any candidates and for a real plan's."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon

from planner.approach import Gate
from planner.candidates import Candidate
from planner.case import Side
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.ranking import MARGIN, OBJECTIVES, Choice, Order, grade, matches, ranked, same_choice
from planner.request import Approach

NEEDLES = ("15G-150", "13G-150", "11G-150")
ORDERS = st.builds(
    Order, level=st.sampled_from(["T4", "L3", None]), side=st.sampled_from([*Side, None])
)


def _gate(approach: Approach, side: Side) -> Gate:
    return Gate(
        approach=approach, side=side, technique="straight", origin_mm=np.zeros(3), axes=np.eye(3),
        window=MultiPolygon(), uncut=MultiPolygon(), inscribed_mm=None,
        lateral_slopes=(-1.0, 1.0), cranial_slopes=(-1.0, 1.0),
    )  # fmt: skip


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    """Draw a candidate from few values, so that ways meet, worths tie and paths beat each other."""
    entry = np.array([draw(st.integers(0, 3)) * 5.0, 100.0, 0.0])
    tip = np.array([draw(st.integers(0, 3)) * 3.0, 0.0, 0.0])
    return Candidate(
        gate=_gate(draw(st.sampled_from(Approach)), draw(st.sampled_from(Side))),
        needle=needle_named(draw(st.sampled_from(NEEDLES))),
        path=(path := (Line(start_mm=entry, end_mm=tip),)),
        second=draw(st.sampled_from([None, None, path])),
        comfortable=draw(st.booleans()),
        margin_mm=draw(st.sampled_from([0.0, 0.03, 0.15, 1.0, 1.05, 2.5, math.inf])),
        tilt_rad=draw(st.sampled_from([0.0, 0.001, 0.02])),
        length_mm=draw(st.sampled_from([80.0, 80.5, 90.0, 120.0])),
        obliquity_rad=draw(st.sampled_from([0.1, 0.11, 0.4])),
        reach_mm=draw(st.sampled_from([0.0, 0.4, 5.0])),
    )  # fmt: skip


LISTS = st.lists(candidates(), max_size=8)


def _shown(choices: Sequence[Choice]) -> list[Candidate]:
    return [choice.candidate for choice in choices]


@given(LISTS, ORDERS)
def test_shown_paths_are_clearly_different_and_none_matches_another(
    drawn: list[Candidate], order: Order
) -> None:
    shown = _shown(ranked(drawn, order, 50))
    for a in shown:
        for b in shown:
            if a is not b:
                assert not same_choice(a, b)
                assert not matches(a, b, order)


@given(LISTS, ORDERS)
def test_what_is_left_out_has_a_stand_in(drawn: list[Candidate], order: Order) -> None:
    shown = _shown(ranked(drawn, order, 50))
    for c in drawn:
        stands_for = [k for k in drawn if same_choice(k, c)]
        assert any(any(s is k or matches(s, k, order) for s in shown) for k in stands_for)


@given(LISTS, ORDERS)
def test_the_safest_way_is_shown_and_is_second_at_the_latest(
    drawn: list[Candidate], order: Order
) -> None:
    apart = [
        replace(c, path=(Line(start_mm=np.array([20.0 * i, 100.0, 0.0]), end_mm=np.zeros(3)),))
        for i, c in enumerate(drawn)
    ]
    shown = _shown(ranked(apart, order, 2))
    if apart:
        assert max(map(MARGIN.steps, shown)) == max(map(MARGIN.steps, apart))


@given(LISTS, ORDERS, st.integers(1, 6))
def test_asking_for_fewer_gives_the_first_of_them(
    drawn: list[Candidate], order: Order, most: int
) -> None:
    everything = _shown(ranked(drawn, order, 50))
    fewer = _shown(ranked(drawn, order, most))
    assert len(fewer) == min(most, len(everything))
    assert all(a is b for a, b in zip(fewer, everything, strict=False))


@given(LISTS, ORDERS, st.randoms(use_true_random=False))
def test_the_list_does_not_depend_on_who_found_what_first(
    drawn: list[Candidate], order: Order, shuffle: Random
) -> None:
    shuffled = list(drawn)
    shuffle.shuffle(shuffled)

    def told(choices: Sequence[Choice]) -> list[tuple[object, ...]]:
        return [(*(o.worth(c.candidate) for o in OBJECTIVES), c.reasons) for c in choices]

    assert told(ranked(drawn, order, 50)) == told(ranked(shuffled, order, 50))


@given(LISTS, ORDERS)
def test_comfort_then_side_then_approach_decide_but_for_the_safest_and_one_turned(
    drawn: list[Candidate], order: Order
) -> None:
    shown = _shown(ranked(drawn, order, 50))
    safest = max(shown, key=lambda c: c.margin_mm, default=None)
    turned = next((c for c in shown if c.second is not None), None)
    assert safest in shown[:2] or not shown
    assert turned is None or turned in shown[:3]
    grades = [grade(c, order) for c in shown]
    assert grades[:1] == sorted(grades)[:1]
    early = [c for c in (safest, turned) if c in shown[1:3]]
    others = [grade(c, order) for c in shown if c not in early]
    assert others == sorted(others)


@given(LISTS, ORDERS)
def test_reasons_are_true_among_the_shown(drawn: list[Candidate], order: Order) -> None:
    choices = ranked(drawn, order, 5)
    shown = _shown(choices)
    for choice in choices:
        for o in OBJECTIVES:
            if o.reason in choice.reasons:
                assert all(o.worth(choice.candidate) >= o.worth(other) for other in shown)
                assert any(o.worth(choice.candidate) > o.worth(other) for other in shown)
        comfort = "keeps every preferred distance" in choice.reasons
        assert comfort == choice.candidate.comfortable
