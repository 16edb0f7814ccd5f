"""Laws of the tolerance: it is proved, so no error within it may break a limit."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import _kernels
from geometry.arrays import unit
from geometry.exact import MeshDistance
from geometry.mesh import triangle_mesh
from planner.case import Kind
from planner.needles.path import Line, Segment
from planner.needles.path import Path as NeedlePath
from planner.policy import DEFAULT_POLICY, policy_with
from planner.question import Question
from planner.result import Tolerance
from planner.robustness import PROFILES, tolerance
from tests.planner.robustness.measuring import NEEDLE, RADIUS_MM, SceneOf, ball, measured, plate

ROUNDING_MM = 1e-9
LENGTH_MM = 100.0  # of the needle in made-up scenes
CANAL_MM = 1.0  # the hard limit of a canal


def margin(question: Question, path: NeedlePath) -> float:
    return min(c.margin_mm for c in measured(question, path) if c.margin_mm is not None)


def proved(question: Question, path: NeedlePath) -> Tolerance:
    found = tolerance(question, path, NEEDLE, measured(question, path))
    assert found is not None
    return found


def off(path: NeedlePath, shift: np.ndarray, turn: np.ndarray) -> NeedlePath:
    """A path shifted as a whole, and turned by a rotation vector about its entry."""
    entry, matrix = path[0].start_mm, Rotation.from_rotvec(turn).as_matrix()

    def moved(point: np.ndarray) -> np.ndarray:
        return entry + shift + matrix @ (point - entry)

    def piece(segment: Segment) -> Segment:
        straight = Line(start_mm=moved(segment.start_mm), end_mm=moved(segment.end_mm))
        if isinstance(segment, Line):
            return straight
        return replace(
            segment, start_mm=straight.start_mm, end_mm=straight.end_mm,
            centre_mm=moved(segment.centre_mm),
        )  # fmt: skip

    return tuple(piece(segment) for segment in path)


def directions(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def assert_kept(
    question: Question, path: NeedlePath, rng: np.random.Generator, count: int = 6
) -> None:
    """Shifts, tilts and both, of the full size, random and towards what limits, keep the limits."""
    allowed = proved(question, path)
    both = allowed.together
    limit = min(
        measured(question, path), key=lambda c: math.inf if c.margin_mm is None else c.margin_mm
    )
    towards = limit.nearest_point_mm - limit.path_point_mm
    tilting = np.cross(limit.path_point_mm - path[0].start_mm, towards)
    shifts = [unit(towards), *directions(rng, count)]
    turns = [unit(tilting), *directions(rng, count)]
    nothing = np.zeros(3)
    for shift, turn in zip(shifts, turns, strict=True):
        for moved in (
            off(path, allowed.entry_mm * shift, nothing),
            off(path, nothing, allowed.angle_rad * turn),
            off(path, both.entry_mm * shift, both.angle_rad * turn),
        ):
            assert margin(question, moved) >= -ROUNDING_MM


def test_no_error_within_the_tolerance_breaks_a_limit(
    lumbar: Question, lumbar_path: NeedlePath, rng: np.random.Generator
) -> None:
    assert_kept(lumbar, lumbar_path, rng)


def test_no_error_within_the_tolerance_of_a_curved_path_breaks_a_limit(
    lumbar: Question, rng: np.random.Generator, curved_path: NeedlePath
) -> None:
    assert_kept(lumbar, curved_path, rng, count=1)


def test_no_error_within_the_tolerance_breaks_a_limit_in_real_anatomy(
    thoracic: Question, rng: np.random.Generator, thoracic_path: NeedlePath
) -> None:
    assert_kept(thoracic, thoracic_path, rng)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
@given(
    size=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    shift=st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: math.hypot(*v) > 0.1),
    turn=st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: math.hypot(*v) > 0.1),
)
def test_errors_up_to_the_pair_that_holds_together_break_no_limit(
    lumbar: Question,
    size: tuple[float, float],
    shift: tuple[float, ...],
    turn: tuple[float, ...],
    lumbar_paths: tuple[NeedlePath, ...],
) -> None:
    path = lumbar_paths[1]
    both = proved(lumbar, path).together
    moved = off(
        path,
        size[0] * both.entry_mm * unit(np.array(shift)),
        size[1] * both.angle_rad * unit(np.array(turn)),
    )
    assert margin(lumbar, moved) >= -ROUNDING_MM


def test_beside_a_plate_the_tip_decides(scene: SceneOf, needle: NeedlePath) -> None:
    gap = 6.0
    question = scene(Kind.CANAL, plate([gap + 5.0, 0, 0], [10, 400, 400]))
    slack = gap - RADIUS_MM - CANAL_MM
    error = PROFILES[question.error_profile]
    found = proved(question, needle)
    assert found.entry_mm == pytest.approx(slack, abs=1e-12)
    assert found.angle_rad == pytest.approx(2.0 * math.asin(slack / (2.0 * LENGTH_MM)), rel=2e-4)
    multiple = slack / (error.entry_mm + LENGTH_MM * error.angle_rad)
    assert found.together.entry_mm == pytest.approx(multiple * error.entry_mm, rel=2e-4)
    assert found.together.angle_rad == pytest.approx(multiple * error.angle_rad, rel=2e-4)


def test_no_larger_shift_is_safe(scene: SceneOf, needle: NeedlePath) -> None:
    question = scene(Kind.CANAL, plate([11, 0, 0], [10, 400, 400]))
    shift = (proved(question, needle).entry_mm + 1e-6) * np.array([1.0, 0.0, 0.0])
    assert margin(question, off(needle, shift, np.zeros(3))) < 0.0


@pytest.mark.parametrize(("depth", "aside"), [(50.0, 10.0), (35.0, 14.0), (80.0, 8.5)])
def test_beside_a_ball_the_tilt_is_the_one_that_touches_it(
    depth: float, aside: float, scene: SceneOf, needle: NeedlePath
) -> None:
    radius = 5.0
    question = scene(Kind.CANAL, ball([aside, 50.0 - depth, 0], radius))
    away = math.hypot(depth, aside)
    touching = math.atan2(aside, depth) - math.asin((radius + CANAL_MM + RADIUS_MM) / away)
    found = proved(question, needle)
    # A cone of half-angle a holds what tilts by 2 asin(sin a / 2), so that is what can be proved.
    assert found.angle_rad == pytest.approx(2.0 * math.asin(math.sin(touching) / 2.0), rel=3e-3)
    assert found.angle_rad <= touching + 1e-4
    by_length = 2.0 * math.asin(found.entry_mm / (2.0 * LENGTH_MM))
    assert found.angle_rad > 1.2 * by_length
    beyond = off(needle, np.zeros(3), np.array([0.0, 0.0, 1.01 * touching]))
    assert margin(question, beyond) < 0.0


def test_what_holds_together_is_less_than_what_holds_alone(
    lumbar: Question, lumbar_paths: tuple[NeedlePath, ...], curved_path: NeedlePath
) -> None:
    for path in (*lumbar_paths, curved_path):
        found = proved(lumbar, path)
        assert 0.0 < found.together.entry_mm < found.entry_mm
        assert 0.0 < found.together.angle_rad < found.angle_rad


@pytest.mark.parametrize("kind", [Kind.SCREW, Kind.CANAL, Kind.NERVE_ROOT])
def test_asking_for_more_distance_never_raises_a_tolerance(
    lumbar: Question, kind: Kind, lumbar_paths: tuple[NeedlePath, ...]
) -> None:
    rule = DEFAULT_POLICY.rule(kind)
    assert rule.hard_mm is not None
    stricter = replace(lumbar, policy=policy_with({kind: (rule.hard_mm + 0.5, 5.0)}))
    lowered = 0
    for path in lumbar_paths:
        before = proved(lumbar, path)
        after = tolerance(stricter, path, NEEDLE, measured(stricter, path))
        if after is not None:  # a path that breaks the stricter limit has none
            assert after.entry_mm <= before.entry_mm
            assert after.angle_rad <= before.angle_rad
            assert after.together.entry_mm <= before.together.entry_mm
        lowered += after != before
    assert lowered > 0 or kind is Kind.CANAL, "another structure limits these paths"


def test_a_path_that_breaks_a_limit_has_no_tolerance(lumbar: Question) -> None:
    screw = lumbar.prepared.case.of_kind(Kind.SCREW)[0].mesh.vertices.mean(axis=0)
    path = (Line(start_mm=screw + np.array([0.0, 60.0, 0.0]), end_mm=screw),)
    assert tolerance(lumbar, path, NEEDLE, measured(lumbar, path)) is None


def test_a_path_that_nothing_limits_has_no_tolerance(scene: SceneOf, needle: NeedlePath) -> None:
    question = scene(Kind.SEGMENTAL_VESSEL, ball([20, 0, 0], 2.0))
    assert tolerance(question, needle, NEEDLE, measured(question, needle)) is None


def test_a_path_that_just_keeps_its_distance_at_the_skin_may_not_be_shifted(
    scene: SceneOf, needle: NeedlePath
) -> None:
    gap = RADIUS_MM + CANAL_MM
    question = scene(Kind.CANAL, plate([-5.0 - gap, 50, 0], [10, 4, 4]))
    stated = tuple(
        c if c.margin_mm is None else replace(c, margin_mm=max(c.margin_mm, 0.0))
        for c in measured(question, needle)
    )
    found = tolerance(question, needle, NEEDLE, stated)
    assert found is not None
    assert found.entry_mm == pytest.approx(0.0, abs=1e-12)
    assert found.together.entry_mm == pytest.approx(0.0, abs=1e-12)
    assert 0.0 <= found.angle_rad < 1e-3


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10_000), shift=st.sampled_from([0.0, 0.1, 1.5]), turn=st.floats(0.01, 1.0)
)
def test_the_least_ratio_is_that_of_dense_samples(seed: int, shift: float, turn: float) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-30, 30, (60, 1, 3)) + rng.uniform(-6, 6, (60, 3, 3))
    mesh = triangle_mesh(corners.reshape(-1, 3), np.arange(180).reshape(-1, 3))
    points = np.cumsum(rng.uniform(-12, 12, (4, 3)), axis=0)
    distance = MeshDistance(mesh)
    gap = 1e-3
    found = _kernels.least_ratio(
        distance.tree, points[0], points, 0.0, (shift, turn), _kernels.FAR, gap
    )
    step = 0.02
    dense = np.concatenate([
        a + np.linspace(0.0, 1.0, math.ceil(np.linalg.norm(b - a) / step) + 1)[:, None] * (b - a)
        for a, b in pairwise(points)
    ])  # fmt: skip
    weight = shift + turn * np.linalg.norm(dense - points[0], axis=1)
    away = np.array([_kernels.point_query(distance.tree, *p, _kernels.FAR)[0] for p in dense])
    usable = weight > 0.0
    ratio = away[usable] / weight[usable]
    assert found * (1.0 - gap) <= ratio.min()
    nearest = int(np.argmin(ratio))
    # Half a step from the true minimum, distance and weight change by half a step at most.
    spare = 0.5 * step * (1.0 + ratio[nearest]) / weight[usable][nearest]
    assert found >= ratio.min() / (1.0 + spare) - spare - gap
