"""Needles beside each other: exact distances of their bars, and the best choice without clashes."""

from itertools import product

import numpy as np
import pytest

from geometry.segments import polylines_apart
from planner.needles.catalogue import needle_named
from planner.needles.path import Arc, Line, Path, path_chords
from planner.session.joint_choice import joint_choice
from planner.session.spacing import (
    GAP_MM,
    HUB_DIAMETER_MM,
    HUB_LENGTH_MM,
    Part,
    bars,
    collide,
    nearness,
)

NEEDLE = needle_named("15G-bevel-150")


def test_segments_are_as_far_apart_as_their_nearest_points(rng: np.random.Generator) -> None:
    shares = np.linspace(0.0, 1.0, 201)
    for _ in range(200):
        a, b = rng.normal(scale=10.0, size=(2, 2, 3))
        on_a = a[0] + shares[:, None] * (a[1] - a[0])
        on_b = b[0] + shares[:, None] * (b[1] - b[0])
        sampled = np.linalg.norm(on_a[:, None] - on_b[None], axis=2).min()
        step = 0.005 * (np.linalg.norm(a[1] - a[0]) + np.linalg.norm(b[1] - b[0]))
        exact = polylines_apart(a, b)
        assert sampled - step <= exact <= sampled + 1e-9
        assert polylines_apart(b, a) == pytest.approx(exact, abs=1e-9)


def test_parallel_crossing_and_pointlike_segments() -> None:
    along = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    assert polylines_apart(along, along + np.array([5.0, 3.0, 4.0])) == pytest.approx(5.0)
    assert polylines_apart(along, along + np.array([13.0, 4.0, 0.0])) == pytest.approx(5.0)
    across = np.array([[4.0, -5.0, 2.0], [4.0, 5.0, 2.0]])
    assert polylines_apart(along, across) == pytest.approx(2.0)
    point = np.array([[3.0, 7.0, 0.0], [3.0, 7.0, 0.0]])
    assert polylines_apart(along, point) == pytest.approx(7.0)


def test_a_polyline_is_as_near_as_its_nearest_piece(rng: np.random.Generator) -> None:
    a, b = rng.normal(scale=20.0, size=(5, 3)), rng.normal(scale=20.0, size=(4, 3))
    pieces = [
        polylines_apart(a[i : i + 2], b[j : j + 2]) for i, j in product(range(4), range(3))
    ]  # fmt: skip
    assert polylines_apart(a, b) == pytest.approx(min(pieces))


def _straight(x: float, depth: float = 0.0, length: float = 100.0, tilt: float = 0.0) -> Path:
    tip = np.array([x, -depth, 0.0])
    return (Line(start_mm=tip + length * np.array([np.sin(tilt), np.cos(tilt), 0.0]), end_mm=tip),)


def test_a_hub_sits_at_the_end_of_the_product() -> None:
    shaft, hub = bars(NEEDLE, _straight(0.0))
    assert shaft.points_mm[:, 1].max() == pytest.approx(150.0)
    assert hub.points_mm[:, 1].min() - hub.radius_mm == pytest.approx(150.0)
    assert hub.points_mm[:, 1].max() + hub.radius_mm == pytest.approx(150.0 + HUB_LENGTH_MM)
    assert (shaft.part, hub.part) == (Part.SHAFT, Part.HUB)


def test_parallel_needles_collide_by_their_hubs_first() -> None:
    least = HUB_DIAMETER_MM + GAP_MM
    for apart, touching in ((least - 0.01, True), (least + 0.01, False)):
        a, b = bars(NEEDLE, _straight(0.0)), bars(NEEDLE, _straight(apart))
        near = nearness(a, b)
        assert near.distance_mm == pytest.approx(apart - HUB_DIAMETER_MM, abs=0.01)
        assert (near.first, near.second) == (Part.HUB, Part.HUB)
        assert collide(a, b) is touching


def test_hubs_at_different_heights_pass_each_other_but_not_the_shaft() -> None:
    """A needle that goes 45 mm deeper holds its hub beside the other's shaft."""
    a, b = bars(NEEDLE, _straight(0.0)), bars(NEEDLE, _straight(14.0, depth=45.0))
    near = nearness(a, b)
    assert {near.first, near.second} == {Part.HUB, Part.SHAFT}
    assert near.distance_mm == pytest.approx(14.0 - 10.0 - NEEDLE.radius_mm, abs=0.01)
    assert not collide(a, b)


def test_needles_that_cross_in_the_body_collide_by_their_shafts() -> None:
    a, b = bars(NEEDLE, _straight(0.0, tilt=0.5)), bars(NEEDLE, _straight(1.0, tilt=-0.5))
    assert nearness(a, b).distance_mm < 0.0
    assert collide(a, b)
    assert nearness(a, b) == nearness(b, a)


def test_a_curved_needle_takes_up_its_arc_and_its_cannula_sets_the_hub() -> None:
    curved = needle_named("curved-13G-in-10G")
    stop = np.array([0.0, 0.0, 0.0])
    arc = Arc(
        start_mm=stop, end_mm=np.array([20.0, -20.0, 0.0]), centre_mm=np.array([20.0, 0.0, 0.0]),
        radius_mm=20.0, angle_rad=np.pi / 2.0,
    )  # fmt: skip
    path: Path = (Line(start_mm=np.array([0.0, 90.0, 0.0]), end_mm=stop), arc)
    shaft, hub = bars(curved, path)
    assert np.allclose(shaft.points_mm[-1], path_chords(path)[-1])
    assert hub.points_mm[:, 1].min() - hub.radius_mm == pytest.approx(150.0)


def _by_hand(counts: list[int], clashes: set[frozenset[tuple[int, int]]]) -> tuple[int | None, ...]:
    """Choose by trying everything."""

    def allowed(choice: tuple[int | None, ...]) -> bool:
        taken = [(i, p) for i, p in enumerate(choice) if p is not None]
        return not any(frozenset({a, b}) in clashes for a in taken for b in taken if a < b)

    def key(choice: tuple[int | None, ...]) -> tuple[int, int, tuple[int, ...]]:
        places = tuple(10**6 if p is None else p for p in choice)
        without = sum(p is None for p in choice)
        return without, sum(p for p in choice if p is not None), places

    every = product(*([*range(count), None] for count in counts))
    return min((c for c in every if allowed(c)), key=key)


@pytest.mark.parametrize("seed", range(60))
def test_the_joint_choice_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = [int(c) for c in rng.integers(0, 5, size=rng.integers(1, 6))]
    options = [(i, p) for i, count in enumerate(counts) for p in range(count)]
    clashes = {
        frozenset({a, b})
        for a in options
        for b in options
        if a[0] < b[0] and rng.random() < rng.choice([0.1, 0.5, 0.9])
    }
    found = joint_choice(counts, lambda a, b: frozenset({a, b}) in clashes)
    assert found == _by_hand(counts, clashes)


def test_targets_that_all_exclude_each_other_are_settled() -> None:
    assert joint_choice([11] * 10, lambda *_: True) == (0, *[None] * 9)
    assert joint_choice([5] * 5, lambda a, b: a[1] == b[1]) == (0, 1, 2, 3, 4)
