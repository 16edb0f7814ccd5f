"""Frames: chaining is checked, directions do not move, and RAS meets LPS once."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.frames import (
    PATIENT,
    FrameMismatchError,
    RigidTransform,
    angle_between,
    frame_from_axes,
    lps_from_ras,
)


def _transform(rng: np.random.Generator, target: str, source: str) -> RigidTransform:
    return RigidTransform(
        target=target, source=source, rotation=Rotation.random(rng=rng).as_matrix(),
        translation_mm=rng.normal(scale=100.0, size=3),
    )  # fmt: skip


def test_chaining_equals_applying_one_after_the_other(rng: np.random.Generator) -> None:
    outer, inner = _transform(rng, "gate", "vertebra"), _transform(rng, "vertebra", PATIENT)
    points = rng.normal(scale=50.0, size=(7, 3))
    chained = outer @ inner
    assert (chained.target, chained.source) == ("gate", PATIENT)
    assert np.allclose(chained.points(points), outer.points(inner.points(points)), atol=1e-9)


def test_chaining_frames_that_do_not_meet_is_refused(rng: np.random.Generator) -> None:
    one, two = _transform(rng, "gate", "vertebra"), _transform(rng, "gate", "vertebra")
    with pytest.raises(FrameMismatchError, match=r"'vertebra' is not 'gate'"):
        one @ two


def test_the_inverse_undoes_a_transform(rng: np.random.Generator) -> None:
    transform = _transform(rng, "vertebra", PATIENT)
    point = rng.normal(size=3)
    assert np.allclose(transform.inverse().points(transform.points(point)), point, atol=1e-9)


def test_directions_turn_but_do_not_move(rng: np.random.Generator) -> None:
    transform = _transform(rng, "vertebra", PATIENT)
    a, b = rng.normal(size=(2, 3))
    difference = transform.points(a) - transform.points(b)
    assert np.allclose(transform.vectors(a - b), difference, atol=1e-9)


def test_a_mirror_or_a_skew_matrix_is_not_a_frame() -> None:
    for bad in (np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, 1.0, 1.1])):
        with pytest.raises(ValueError, match="not a rotation"):
            RigidTransform(target="a", source="b", rotation=bad, translation_mm=np.zeros(3))


def test_a_frame_built_from_axes_takes_its_origin_to_zero() -> None:
    axes = Rotation.from_euler("xyz", [20, -30, 40], degrees=True).as_matrix()
    origin = np.array([10.0, -20.0, 900.0])
    frame = frame_from_axes(name="vertebra", origin_mm=origin, axes=axes)
    assert np.allclose(frame.points(origin), 0.0, atol=1e-9)
    assert np.allclose(frame.points(origin + 5.0 * axes[1]), [0.0, 5.0, 0.0], atol=1e-9)


def test_ras_and_lps_turn_into_each_other_the_same_way(rng: np.random.Generator) -> None:
    points = rng.normal(size=(5, 3))
    assert np.array_equal(lps_from_ras(lps_from_ras(points)), points)
    assert np.array_equal(lps_from_ras(points)[:, 2], points[:, 2])


def test_angles_are_accurate_near_zero_and_near_a_straight_angle() -> None:
    a = np.array([1.0, 0.0, 0.0])
    small = 1e-9
    assert angle_between(a, np.array([1.0, small, 0.0])) == pytest.approx(small, rel=1e-6)
    assert angle_between(a, -a) == pytest.approx(np.pi)
