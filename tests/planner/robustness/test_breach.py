"""Laws of the breach probability: what the samples say, and what must not change it."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from geometry.arrays import unit
from geometry.frames import PATIENT, RigidTransform
from planner.case import Case, Kind
from planner.needles.path import Line
from planner.needles.path import Path as NeedlePath
from planner.policy import meant_to_pass, policy_with
from planner.prepared import PreparedCase
from planner.question import Question, orientation
from planner.request import ErrorProfile
from planner.result import BreachProbability
from planner.robustness import (
    PROFILES,
    SAG_LENGTH_MM,
    SAG_MM,
    breach_probability,
    misplaced,
    needle_frame,
    sampled_clearances,
    standard_draws,
    wilson_interval,
)
from tests.planner.elsewhere import FLIP, mirrored, moved
from tests.planner.robustness.measuring import NEEDLE, RADIUS_MM, SceneOf, ball, measured, plate


def breach(question: Question, path: NeedlePath) -> BreachProbability:
    return breach_probability(question, path, NEEDLE, measured(question, path))


def test_a_path_far_from_everything_is_never_breached(scene: SceneOf, needle: NeedlePath) -> None:
    found = breach(scene(Kind.CANAL, ball([200, 0, 0], 5.0)), needle)
    assert found.total == 0.0
    assert found.margin_broken == 0.0
    assert found.by_structure == {}
    assert found.p5_clearance_mm == {}
    assert found.worst_structure is None
    assert found.total_interval == wilson_interval(0, found.samples)


@pytest.mark.parametrize("required_mm", [0.1, 0.3, 0.5, 0.7, 1.0])
def test_what_stays_farther_than_required_is_not_rounded_into_a_broken_margin(
    scene: SceneOf, needle: NeedlePath, required_mm: float
) -> None:
    # Beside the entry, where needles stray less than at the tip, by which they are ruled out.
    question = replace(
        scene(Kind.CANAL, ball([14.0, 45.0, 0.0], 5.0)),
        policy=policy_with({Kind.CANAL: (required_mm, required_mm)}),
    )
    found = breach(question, needle)
    assert (found.margin_broken, found.by_structure) == (0.0, {})


def test_a_path_through_an_obstacle_is_breached(scene: SceneOf, needle: NeedlePath) -> None:
    found = breach(scene(Kind.ROD, plate([0, 0, 0], [60, 20, 60])), needle)
    assert found.total == 1.0
    assert found.worst_structure == "obstacle"
    assert found.p5_clearance_mm == {"obstacle": -RADIUS_MM}


def test_a_needle_that_is_buried_in_a_structure_breaches_it(
    scene: SceneOf, needle: NeedlePath
) -> None:
    found = breach(scene(Kind.ORGAN, ball([0, 0, 0], 300.0)), needle)
    assert found.by_structure == {"obstacle": 1.0}


def test_needles_that_start_on_either_side_of_a_wall_are_told_apart(
    scene: SceneOf, needle: NeedlePath
) -> None:
    question = scene(Kind.ORGAN, plate([200.0, 0, 0], [400, 400, 400]))
    draws = standard_draws()
    error = PROFILES[question.error_profile]
    needles = misplaced(needle, question.axes, error, draws)
    inside = (needles.moved[..., 0] > 0.0).any(axis=1)
    near = np.abs(needles.moved[..., 0]).min(axis=1) < RADIUS_MM
    assert inside.any()
    assert not inside.all()
    assert breach(question, needle).total == pytest.approx(np.mean(inside | near), abs=0.002)


def test_depth_alone_reaches_what_lies_ahead(scene: SceneOf, needle: NeedlePath) -> None:
    ahead = 2.5
    question = scene(Kind.CANAL, plate([0, -50 - ahead - 5, 0], [400, 10, 400]))
    found = breach(question, needle)
    error = PROFILES[question.error_profile]
    pushed = standard_draws().normal[:, 4] * error.depth_mm > ahead - RADIUS_MM
    # A needle tilted by t ends 100 (1 - cos t) short of its depth: 0.2 mm at two deviations.
    assert float(pushed.mean()) - 0.05 < found.total <= float(pushed.mean())


def test_what_is_advisory_counts_under_its_own_name_only(
    scene: SceneOf, needle: NeedlePath
) -> None:
    found = breach(scene(Kind.SEGMENTAL_VESSEL, plate([0, 0, 0], [60, 4, 60])), needle)
    assert found.by_structure == {"obstacle": 1.0}
    assert (found.total, found.margin_broken, found.worst_structure) == (0.0, 0.0, None)


def test_a_broken_margin_is_at_least_as_likely_as_a_breach(
    lumbar: Question, lumbar_paths: tuple[NeedlePath, ...]
) -> None:
    for path in lumbar_paths:
        found = breach(lumbar, path)
        low, high = found.total_interval
        limited = {c.structure for c in measured(lumbar, path) if c.required_mm is not None}
        worst = max(p for name, p in found.by_structure.items() if name in limited)
        assert worst <= found.total <= found.margin_broken
        assert low < found.total < high
        assert found.worst_structure in limited


def test_what_is_passed_through_never_counts(
    lumbar: Question, lumbar_paths: tuple[NeedlePath, ...]
) -> None:
    through = meant_to_pass(lumbar.prepared.case, lumbar.bone)
    assert {"L3", "skin"} <= through
    for path in lumbar_paths:
        assert not through & set(breach(lumbar, path).by_structure)


def test_the_better_the_guidance_the_fewer_breaches(
    lumbar: Question, lumbar_path: NeedlePath
) -> None:
    profiles = ["navigation", "ct_laser", "freehand_fluoroscopy", "worst"]
    found = [breach(replace(lumbar, error_profile=ErrorProfile(p)), lumbar_path) for p in profiles]
    for better, poorer in pairwise(found):
        assert better.total < poorer.total
        assert better.margin_broken < poorer.margin_broken
    assert [f.profile.value for f in found] == profiles


def test_the_same_question_has_the_same_probabilities(
    lumbar: Question, lumbar_paths: tuple[NeedlePath, ...]
) -> None:
    again = replace(lumbar, prepared=PreparedCase(lumbar.prepared.case))
    assert breach(again, lumbar_paths[0]) == breach(lumbar, lumbar_paths[0])


def about(case: Case, question: Question) -> Question:
    """The same question about another case, whose bone is read anew."""
    prepared, bone = PreparedCase(case), case.structure(question.bone.name)
    return replace(question, prepared=prepared, bone=bone, axes=orientation(prepared, bone))


def test_moving_the_patient_changes_nothing(
    lumbar: Question, lumbar_paths: tuple[NeedlePath, ...]
) -> None:
    transform = RigidTransform(
        target=PATIENT, source=PATIENT, rotation=Rotation.from_rotvec([0.3, -0.4, 0.2]).as_matrix(),
        translation_mm=np.array([120.0, -340.0, 910.0]),
    )  # fmt: skip
    there = about(moved(lumbar.prepared.case, transform), lumbar)
    for path in lumbar_paths[:2]:
        start, end = transform.points(np.stack([path[0].start_mm, path[0].end_mm]))
        before, after = breach(lumbar, path), breach(there, (Line(start_mm=start, end_mm=end),))
        assert after.by_structure == before.by_structure
        assert after.total == before.total


def test_the_mirrored_patient_has_the_same_probabilities(
    lumbar: Question, lumbar_paths: tuple[NeedlePath, ...]
) -> None:
    other = about(mirrored(lumbar.prepared.case), lumbar)
    for path in lumbar_paths:
        twin = (Line(start_mm=path[0].start_mm * FLIP, end_mm=path[0].end_mm * FLIP),)
        before, after = breach(lumbar, path), breach(other, twin)
        assert after.by_structure == before.by_structure
        assert after.total == before.total
        assert after.margin_broken == before.margin_broken


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


def test_sampled_clearances_agree_with_another_library(
    lumbar: Question, lumbar_path: NeedlePath
) -> None:
    error = PROFILES[lumbar.error_profile]
    needles = misplaced(lumbar_path, lumbar.axes, error, standard_draws())
    names = list(breach(lumbar, lumbar_path).by_structure)[:2]
    for c in measured(lumbar, lumbar_path):
        if c.structure not in names:
            continue
        values = sampled_clearances(lumbar, c, RADIUS_MM, needles)
        structure = lumbar.prepared.case.structure(c.structure, field_name="name")
        other = trimesh.Trimesh(structure.mesh.vertices, structure.mesh.faces, process=False)
        low, high = other.bounds
        cap = lumbar.policy.rule_of(c).preferred_mm
        close = 0
        for i in range(100):
            points = by_hand(lumbar_path, lumbar, i)
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
