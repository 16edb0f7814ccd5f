"""Laws of the tolerance, which is proved, and of the breach probability, which is sampled."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import _kernels
from geometry.arrays import unit
from geometry.exact import MeshDistance
from geometry.frames import PATIENT, RigidTransform
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.anatomy.model import Unavailable
from planner.case import Case, Kind, PatientPosition, Side, Structure
from planner.case_io import load_case
from planner.fluoroscopy.c_arm import c_arm_named
from planner.needles.path import Arc, Line, Segment
from planner.needles.path import Path as NeedlePath
from planner.policy import DEFAULT_POLICY, Policy, meant_to_pass, policy_with
from planner.prepared import PreparedCase
from planner.question import Question, orientation
from planner.request import DEFAULT_C_ARM, ErrorProfile
from planner.result import BreachProbability, Clearance, Tolerance
from planner.robustness import (
    PROFILES,
    SAG_LENGTH_MM,
    SAG_MM,
    Draws,
    breach_probability,
    misplaced,
    needle_frame,
    sampled_clearances,
    standard_draws,
    tolerance,
    wilson_interval,
)
from planner.verify import clearances

SAMPLES = Path(__file__).parents[2] / "sample_cases"
RADIUS_MM = 0.9145
ROUNDING_MM = 1e-9


def line(start: Sequence[float], end: Sequence[float]) -> NeedlePath:
    return (Line(start_mm=np.array(start, dtype=float), end_mm=np.array(end, dtype=float)),)


# Safe paths to the third lumbar vertebra of the sample case, transpedicular and beside the pedicle.
LUMBAR_PATHS = (
    line([-54.031, 84.060, 7.436], [-0.675, -4.647, -6.553]),
    line([51.916, 84.378, 6.482], [1.960, -4.689, -6.119]),
    line([-55.546, 84.078, 4.950], [-9.594, -9.705, -7.426]),
    line([74.509, 77.423, 52.046], [-9.603, -4.925, -3.968]),
)
# And to the halo of a screw in real anatomy.
THORACIC_PATH = line([-81.04, 42.364, 1279.334], [4.093, -60.618, 1274.767])


def curved_path() -> NeedlePath:
    """A straight cannula that leaves its line by an arc of radius 20, about half a radian."""
    straight = LUMBAR_PATHS[2][0]
    assert isinstance(straight, Line)
    stop = straight.start_mm + 95.0 * straight.direction
    side = unit(np.cross(straight.direction, [0.0, 0.0, 1.0]))
    centre = stop + 20.0 * side
    end = centre + 20.0 * (math.sin(0.5) * straight.direction - math.cos(0.5) * side)
    return (
        Line(start_mm=straight.start_mm, end_mm=stop),
        Arc(start_mm=stop, end_mm=end, centre_mm=centre, radius_mm=20.0, angle_rad=0.5),
    )


def question_about(
    prepared: PreparedCase,
    bone: Structure,
    *,
    profile: ErrorProfile = ErrorProfile.FREEHAND_FLUOROSCOPY,
    policy: Policy = DEFAULT_POLICY,
) -> Question:
    return Question(
        prepared=prepared, bone=bone, region=Unavailable(reason="a drawn path"),
        axes=orientation(prepared, bone), policy=policy, c_arm=c_arm_named(DEFAULT_C_ARM),
        position=PatientPosition.HFP, error_profile=profile,
    )  # fmt: skip


def measured(question: Question, path: NeedlePath) -> tuple[Clearance, ...]:
    through = meant_to_pass(question.prepared.case, question.bone)
    return clearances(question.prepared, path, RADIUS_MM, question.policy, through)


def margin(question: Question, path: NeedlePath) -> float:
    return min(c.margin_mm for c in measured(question, path) if c.margin_mm is not None)


def proved(question: Question, path: NeedlePath) -> Tolerance:
    found = tolerance(question, path, RADIUS_MM, measured(question, path))
    assert found is not None
    return found


def breach(question: Question, path: NeedlePath) -> BreachProbability:
    return breach_probability(question, path, RADIUS_MM, measured(question, path))


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


def ball(centre: Sequence[float], radius: float) -> TriangleMesh:
    solid = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    solid.apply_translation(centre)
    return triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


def box(centre: Sequence[float], extents: Sequence[float]) -> TriangleMesh:
    solid = trimesh.creation.box(extents=extents)
    solid.apply_translation(centre)
    return triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


def scene(*obstacles: tuple[str, Kind, TriangleMesh]) -> Question:
    """A bone far off, which nothing can be read of, and obstacles around the origin."""
    bone = Structure(
        name="bone", kind=Kind.OTHER_BONE, mesh=box([0, 0, -500], [10, 10, 10]), level=None
    )
    others = (Structure(name=n, kind=k, mesh=m, level=None) for n, k, m in obstacles)
    case = Case(
        name="scene", structures=(bone, *others), digest="0" * 64,
        patient_position=PatientPosition.HFP,
    )  # fmt: skip
    return question_about(PreparedCase(case), bone)


# From behind to the front, 100 mm long.
NEEDLE = line([0, 50, 0], [0, -50, 0])
LENGTH_MM = 100.0
CANAL_MM = 1.0  # the hard limit of a canal


@pytest.fixture(scope="module")
def lumbar() -> Question:
    prepared = PreparedCase(load_case(SAMPLES / "lumbar-fracture"))
    return question_about(prepared, prepared.case.bone_of_level("L3"))


@pytest.fixture
def thoracic(shared_cases: Path) -> Question:
    prepared = PreparedCase(load_case(shared_cases / "mid-thoracic"))
    return question_about(prepared, prepared.case.bone_of_level("T5"))


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


@pytest.mark.parametrize("path", LUMBAR_PATHS)
def test_no_error_within_the_tolerance_breaks_a_limit(
    lumbar: Question, path: NeedlePath, rng: np.random.Generator
) -> None:
    assert_kept(lumbar, path, rng)


def test_no_error_within_the_tolerance_of_a_curved_path_breaks_a_limit(
    lumbar: Question, rng: np.random.Generator
) -> None:
    assert_kept(lumbar, curved_path(), rng, count=1)


def test_no_error_within_the_tolerance_breaks_a_limit_in_real_anatomy(
    thoracic: Question, rng: np.random.Generator
) -> None:
    assert_kept(thoracic, THORACIC_PATH, rng)


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
) -> None:
    path = LUMBAR_PATHS[1]
    both = proved(lumbar, path).together
    moved = off(
        path,
        size[0] * both.entry_mm * unit(np.array(shift)),
        size[1] * both.angle_rad * unit(np.array(turn)),
    )
    assert margin(lumbar, moved) >= -ROUNDING_MM


def test_beside_a_plate_the_tip_decides() -> None:
    gap = 6.0
    question = scene(("plate", Kind.CANAL, box([gap + 5.0, 0, 0], [10, 400, 400])))
    slack = gap - RADIUS_MM - CANAL_MM
    error = PROFILES[question.error_profile]
    found = proved(question, NEEDLE)
    assert found.entry_mm == pytest.approx(slack, abs=1e-12)
    assert found.angle_rad == pytest.approx(2.0 * math.asin(slack / (2.0 * LENGTH_MM)), rel=2e-4)
    multiple = slack / (error.entry_mm + LENGTH_MM * error.angle_rad)
    assert found.together.entry_mm == pytest.approx(multiple * error.entry_mm, rel=2e-4)
    assert found.together.angle_rad == pytest.approx(multiple * error.angle_rad, rel=2e-4)


def test_no_larger_shift_is_safe() -> None:
    question = scene(("plate", Kind.CANAL, box([11, 0, 0], [10, 400, 400])))
    shift = (proved(question, NEEDLE).entry_mm + 1e-6) * np.array([1.0, 0.0, 0.0])
    assert margin(question, off(NEEDLE, shift, np.zeros(3))) < 0.0


@pytest.mark.parametrize(("depth", "aside"), [(50.0, 10.0), (35.0, 14.0), (80.0, 8.5)])
def test_beside_a_ball_the_tilt_is_the_one_that_touches_it(depth: float, aside: float) -> None:
    radius = 5.0
    question = scene(("ball", Kind.CANAL, ball([aside, 50.0 - depth, 0], radius)))
    away = math.hypot(depth, aside)
    touching = math.atan2(aside, depth) - math.asin((radius + CANAL_MM + RADIUS_MM) / away)
    found = proved(question, NEEDLE)
    # A cone of half-angle a holds what tilts by 2 asin(sin a / 2), so that is what can be proved.
    assert found.angle_rad == pytest.approx(2.0 * math.asin(math.sin(touching) / 2.0), rel=3e-3)
    assert found.angle_rad <= touching + 1e-4
    by_length = 2.0 * math.asin(found.entry_mm / (2.0 * LENGTH_MM))
    assert found.angle_rad > 1.2 * by_length
    beyond = off(NEEDLE, np.zeros(3), np.array([0.0, 0.0, 1.01 * touching]))
    assert margin(question, beyond) < 0.0


def test_what_holds_together_is_less_than_what_holds_alone(lumbar: Question) -> None:
    for path in (*LUMBAR_PATHS, curved_path()):
        found = proved(lumbar, path)
        assert 0.0 < found.together.entry_mm < found.entry_mm
        assert 0.0 < found.together.angle_rad < found.angle_rad


@pytest.mark.parametrize("kind", [Kind.SCREW, Kind.CANAL, Kind.VERTEBRA])
def test_asking_for_more_distance_never_raises_a_tolerance(lumbar: Question, kind: Kind) -> None:
    rule = lumbar.policy.rule(kind)
    assert rule.hard_mm is not None
    stricter = replace(lumbar, policy=policy_with({kind: (rule.hard_mm + 0.5, 5.0)}))
    lowered = 0
    for path in LUMBAR_PATHS:
        before, after = proved(lumbar, path), proved(stricter, path)
        assert after.entry_mm <= before.entry_mm
        assert after.angle_rad <= before.angle_rad
        assert after.together.entry_mm <= before.together.entry_mm
        lowered += after != before
    assert lowered > 0 or kind is Kind.CANAL, "another structure limits these paths"


def test_a_path_that_breaks_a_limit_has_no_tolerance(lumbar: Question) -> None:
    screw = lumbar.prepared.case.of_kind(Kind.SCREW)[0].mesh.vertices.mean(axis=0)
    path = line(screw + np.array([0.0, 60.0, 0.0]), screw)
    assert tolerance(lumbar, path, RADIUS_MM, measured(lumbar, path)) is None


def test_a_path_that_nothing_limits_has_no_tolerance() -> None:
    question = scene(("vein", Kind.SEGMENTAL_VESSEL, ball([20, 0, 0], 2.0)))
    assert tolerance(question, NEEDLE, RADIUS_MM, measured(question, NEEDLE)) is None


def test_a_path_that_just_keeps_its_distance_at_the_skin_may_not_be_shifted() -> None:
    gap = RADIUS_MM + CANAL_MM
    question = scene(("ball", Kind.CANAL, box([-5.0 - gap, 50, 0], [10, 4, 4])))
    stated = tuple(
        c if c.margin_mm is None else replace(c, margin_mm=max(c.margin_mm, 0.0))
        for c in measured(question, NEEDLE)
    )
    found = tolerance(question, NEEDLE, RADIUS_MM, stated)
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
    found = _kernels.least_ratio(distance.tree, points, 0.0, (shift, turn), _kernels.FAR, gap)
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


def test_a_path_far_from_everything_is_never_breached() -> None:
    found = breach(scene(("far", Kind.CANAL, ball([200, 0, 0], 5.0))), NEEDLE)
    assert found.total == 0.0
    assert found.margin_broken == 0.0
    assert found.by_structure == {}
    assert found.p5_clearance_mm == {}
    assert found.worst_structure is None
    assert found.total_interval == wilson_interval(0, found.samples)


def test_a_path_through_an_obstacle_is_breached() -> None:
    found = breach(scene(("block", Kind.ROD, box([0, 0, 0], [60, 20, 60]))), NEEDLE)
    assert found.total == 1.0
    assert found.worst_structure == "block"
    assert found.p5_clearance_mm == {"block": -RADIUS_MM}


def test_a_needle_that_is_buried_in_a_structure_breaches_it() -> None:
    found = breach(scene(("organ", Kind.ORGAN, ball([0, 0, 0], 300.0))), NEEDLE)
    assert found.by_structure == {"organ": 1.0}


def test_needles_that_start_on_either_side_of_a_wall_are_told_apart() -> None:
    question = scene(("organ", Kind.ORGAN, box([200.0, 0, 0], [400, 400, 400])))
    draws = standard_draws()
    error = PROFILES[question.error_profile]
    needles = misplaced(NEEDLE, question.axes, error, draws)
    inside = (needles.moved[..., 0] > 0.0).any(axis=1)
    near = np.abs(needles.moved[..., 0]).min(axis=1) < RADIUS_MM
    assert inside.any()
    assert not inside.all()
    assert breach(question, NEEDLE).total == pytest.approx(np.mean(inside | near), abs=0.002)


def test_depth_alone_reaches_what_lies_ahead() -> None:
    ahead = 2.5
    question = scene(("wall", Kind.CANAL, box([0, -50 - ahead - 5, 0], [400, 10, 400])))
    found = breach(question, NEEDLE)
    error = PROFILES[question.error_profile]
    pushed = standard_draws().normal[:, 4] * error.depth_mm > ahead - RADIUS_MM
    # A needle tilted by t ends 100 (1 - cos t) short of its depth: 0.2 mm at two deviations.
    assert float(pushed.mean()) - 0.05 < found.total <= float(pushed.mean())


def test_what_is_advisory_counts_under_its_own_name_only() -> None:
    found = breach(scene(("vein", Kind.SEGMENTAL_VESSEL, box([0, 0, 0], [60, 4, 60]))), NEEDLE)
    assert found.by_structure == {"vein": 1.0}
    assert (found.total, found.margin_broken, found.worst_structure) == (0.0, 0.0, None)


def test_a_broken_margin_is_at_least_as_likely_as_a_breach(lumbar: Question) -> None:
    for path in LUMBAR_PATHS:
        found = breach(lumbar, path)
        low, high = found.total_interval
        limited = {c.structure for c in measured(lumbar, path) if c.required_mm is not None}
        worst = max(p for name, p in found.by_structure.items() if name in limited)
        assert worst <= found.total <= found.margin_broken
        assert low < found.total < high
        assert found.worst_structure in limited


def test_what_is_passed_through_never_counts(lumbar: Question) -> None:
    through = meant_to_pass(lumbar.prepared.case, lumbar.bone)
    assert {"L3", "skin"} <= through
    for path in LUMBAR_PATHS:
        assert not through & set(breach(lumbar, path).by_structure)


@pytest.mark.parametrize("path", LUMBAR_PATHS)
def test_the_better_the_guidance_the_fewer_breaches(lumbar: Question, path: NeedlePath) -> None:
    profiles = ["navigation", "ct_laser", "freehand_fluoroscopy", "worst"]
    found = [breach(replace(lumbar, error_profile=ErrorProfile(p)), path) for p in profiles]
    for better, poorer in pairwise(found):
        assert better.total < poorer.total
        assert better.margin_broken < poorer.margin_broken
    assert [f.profile.value for f in found] == profiles


def test_the_same_question_has_the_same_probabilities(lumbar: Question) -> None:
    again = replace(lumbar, prepared=PreparedCase(lumbar.prepared.case))
    assert breach(again, LUMBAR_PATHS[0]) == breach(lumbar, LUMBAR_PATHS[0])


def moved_question(question: Question, transform: RigidTransform) -> Question:
    structures = tuple(
        replace(s, mesh=s.mesh.moved(transform), primitive=None)
        for s in question.prepared.case.structures
    )
    case = replace(question.prepared.case, structures=structures)
    return question_about(PreparedCase(case), case.structure(question.bone.name, field_name="bone"))


def mirrored_question(question: Question) -> Question:
    swap = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT, None: None}
    structures = tuple(
        replace(
            s, side=swap[s.side], primitive=None,
            mesh=triangle_mesh(s.mesh.vertices * [-1.0, 1.0, 1.0], s.mesh.faces[:, ::-1]),
        )
        for s in question.prepared.case.structures
    )  # fmt: skip
    case = replace(question.prepared.case, structures=structures)
    return question_about(PreparedCase(case), case.structure(question.bone.name, field_name="bone"))


def test_moving_the_patient_changes_nothing(lumbar: Question) -> None:
    transform = RigidTransform(
        target=PATIENT, source=PATIENT, rotation=Rotation.from_rotvec([0.3, -0.4, 0.2]).as_matrix(),
        translation_mm=np.array([120.0, -340.0, 910.0]),
    )  # fmt: skip
    moved = moved_question(lumbar, transform)
    for path in LUMBAR_PATHS[:2]:
        ends = transform.points(np.stack([path[0].start_mm, path[0].end_mm]))
        before, after = breach(lumbar, path), breach(moved, line(ends[0], ends[1]))
        assert after.by_structure == before.by_structure
        assert after.total == before.total
        assert proved(moved, line(ends[0], ends[1])).angle_rad == pytest.approx(
            proved(lumbar, path).angle_rad, rel=2e-4
        )


def test_the_mirrored_patient_has_the_same_probabilities(lumbar: Question) -> None:
    other = mirrored_question(lumbar)
    flip = np.array([-1.0, 1.0, 1.0])
    for path in LUMBAR_PATHS:
        twin = line(path[0].start_mm * flip, path[0].end_mm * flip)
        before, after = breach(lumbar, path), breach(other, twin)
        assert after.by_structure == before.by_structure
        assert after.total == before.total
        assert after.margin_broken == before.margin_broken


def test_the_frame_of_a_needle_turns_and_mirrors_with_the_bone(rng: np.random.Generator) -> None:
    flip = np.diag([-1.0, 1.0, 1.0])
    for direction in directions(rng, 50):
        frame = needle_frame(direction, np.eye(3))
        assert np.allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.allclose(frame[2], direction)
        turn = Rotation.random(random_state=rng).as_matrix()
        turned = needle_frame(turn @ direction, np.eye(3) @ turn.T)
        assert np.allclose(turned, frame @ turn.T, atol=1e-9)
        # The mirrored bone's left is still the patient's left.
        assert np.allclose(needle_frame(flip @ direction, np.eye(3)), frame @ flip, atol=1e-12)


@pytest.mark.parametrize("profile", list(ErrorProfile))
def test_tips_scatter_as_the_profile_says(profile: ErrorProfile) -> None:
    error = PROFILES[profile]
    needles = misplaced(NEEDLE, np.eye(3), error, standard_draws())
    assert np.allclose(needles.nominal[[0, -1]], [NEEDLE[0].start_mm, NEEDLE[0].end_mm])
    entry = needles.moved[:, 0] - needles.nominal[0]
    tip = needles.moved[:, -1] - needles.nominal[-1]
    assert np.abs(entry[:, 1]).max() < 1e-9, "an entry is shifted across the path only"
    # A sag of uniform size in a uniform direction has a variance of size^2 / 6 along each axis.
    across = math.sqrt(error.entry_mm**2 + (LENGTH_MM * error.angle_rad) ** 2 + SAG_MM**2 / 6.0)
    for axis in (0, 2):
        assert entry[:, axis].std() == pytest.approx(error.entry_mm, rel=0.1)
        assert tip[:, axis].std() == pytest.approx(across, rel=0.1)
        assert abs(tip[:, axis].mean()) < 0.15 * across
    lengths = np.linalg.norm(np.diff(needles.moved, axis=1), axis=2).sum(axis=1)
    assert lengths.std() == pytest.approx(error.depth_mm, rel=0.1)


def test_a_curved_needle_keeps_its_curve_when_it_is_misplaced() -> None:
    path = curved_path()
    still = Draws(normal=np.zeros((1, 5)), sag=np.zeros(1), around_rad=np.zeros(1))
    error = PROFILES[ErrorProfile.WORST]
    needles = misplaced(path, np.eye(3), error, still)
    assert np.abs(needles.moved[0] - needles.nominal).max() < 1e-9
    assert np.allclose(needles.nominal[-1], path[-1].end_mm)
    arc = path[1]
    assert isinstance(arc, Arc)
    ahead = needles.nominal[np.linalg.norm(needles.nominal - path[0].start_mm, axis=1) > 96.0]
    assert np.allclose(np.linalg.norm(ahead - arc.centre_mm, axis=1), 20.0, atol=1e-3)
    deeper = replace(still, normal=np.array([[0.0, 0.0, 0.0, 0.0, 1.0]]))
    tip = misplaced(path, np.eye(3), error, deeper).moved[0, -1]
    assert np.linalg.norm(tip - path[-1].end_mm) == pytest.approx(error.depth_mm, abs=1e-9)


def by_hand(path: NeedlePath, question: Question, i: int) -> np.ndarray:
    """Points 0.2 mm apart of one misplaced straight needle, with another library's rotation."""
    draws, error = standard_draws(), PROFILES[question.error_profile]
    entry, target = path[0].start_mm, path[0].end_mm
    along = unit(target - entry)
    first, second, _ = needle_frame(along, question.axes)
    z = draws.normal[i]
    length = float(np.linalg.norm(target - entry)) + error.depth_mm * z[4]
    s = np.linspace(0.0, length, math.ceil(length / 0.2))[:, None]
    bend = math.cos(draws.around_rad[i]) * first + math.sin(draws.around_rad[i]) * second
    body = s * along + SAG_MM * draws.sag[i] * (s / SAG_LENGTH_MM) ** 2 * bend
    lean = error.angle_rad * (z[2] * first + z[3] * second)
    turn = Rotation.from_rotvec(np.cross(along, lean))
    return entry + error.entry_mm * (z[0] * first + z[1] * second) + turn.apply(body)


@pytest.mark.parametrize("path", LUMBAR_PATHS[:2])
def test_sampled_clearances_agree_with_another_library(lumbar: Question, path: NeedlePath) -> None:
    error = PROFILES[lumbar.error_profile]
    needles = misplaced(path, lumbar.axes, error, standard_draws())
    names = ["dural_sac", "rod_R" if path is LUMBAR_PATHS[0] else "rod_L"]
    for c in measured(lumbar, path):
        if c.structure not in names:
            continue
        values = sampled_clearances(lumbar, c, RADIUS_MM, needles)
        structure = lumbar.prepared.case.structure(c.structure, field_name="name")
        other = trimesh.Trimesh(structure.mesh.vertices, structure.mesh.faces, process=False)
        low, high = other.bounds
        cap = lumbar.policy.rule(c.kind).preferred_mm
        close = 0
        for i in range(100):
            points = by_hand(path, lumbar, i)
            to_box = np.linalg.norm(
                np.maximum(np.maximum(low - points, points - high), 0.0), axis=1
            )
            near = points[to_box < cap + RADIUS_MM]
            away = trimesh.proximity.closest_point(other, near)[1] if len(near) else [math.inf]
            expected = min(float(np.min(away)) - RADIUS_MM, cap)
            # Samples 0.2 mm apart find a distance of a to within sqrt(a^2 + 0.1^2) - a.
            assert values[i] == pytest.approx(expected, abs=0.11 if expected < 0.0 else 0.015)
            close += expected < cap
        assert close > 0, "some of the needles must come near"


# Newcombe, Statistics in Medicine 1998;17:857-72, table I, method 3.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("hits", "samples", "low", "high"), NEWCOMBE)
def test_the_interval_is_the_published_one(
    hits: int, samples: int, low: float, high: float
) -> None:
    assert wilson_interval(hits, samples) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(samples - hits, samples)
    assert mirrored == pytest.approx((1.0 - high, 1.0 - low), abs=5e-5)
