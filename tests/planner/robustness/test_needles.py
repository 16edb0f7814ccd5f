"""Laws of the needles that are drawn: their frame, their scatter, their shape."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from planner.needles.path import Arc
from planner.needles.path import Path as NeedlePath
from planner.request import ErrorProfile
from planner.robustness import (
    PROFILES,
    SAG_MM,
    Draws,
    misplaced,
    needle_frame,
    standard_draws,
)

LENGTH_MM = 100.0  # of the needle in made-up scenes


def directions(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


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
def test_tips_scatter_as_the_profile_says(profile: ErrorProfile, needle: NeedlePath) -> None:
    error = PROFILES[profile]
    needles = misplaced(needle, np.eye(3), error, standard_draws())
    assert np.allclose(needles.nominal[[0, -1]], [needle[0].start_mm, needle[0].end_mm])
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


def test_a_curved_needle_keeps_its_curve_when_it_is_misplaced(curved_path: NeedlePath) -> None:
    path = curved_path
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
