"""Where the points lie that must be seen."""

import numpy as np
import pytest

from geometry.arrays import frozen
from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.fluoroscopy.marks import TARGET_POINTS, TIP_MM, TIP_POINTS, Marks, marks_of
from planner.needles.path import Arc, Line, path_chords
from planner.needles.path import Path as NeedlePath
from planner.prepared import PreparedCase
from planner.request import AnteriorBody
from planner.target import TargetRegion, region_of

STRAIGHT: NeedlePath = (Line(start_mm=frozen([40.0, 80.0, 5.0]), end_mm=frozen([0.0, 0.0, 0.0])),)
BENT: NeedlePath = (
    Line(start_mm=frozen([0.0, 60.0, 0.0]), end_mm=frozen([0.0, 10.0, 0.0])),
    Arc(
        start_mm=frozen([0.0, 10.0, 0.0]), end_mm=frozen([20.0, -10.0, 0.0]),
        centre_mm=frozen([20.0, 10.0, 0.0]), radius_mm=20.0, angle_rad=np.pi / 2.0,
    ),
)  # fmt: skip
NOTHING = Unavailable(reason="not asked for")


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module")
def anatomy(prepared: PreparedCase) -> VertebraAnatomy:
    bone = prepared.bone(prepared.given.bone_of_level("L3"))
    assert isinstance(bone, VertebraAnatomy)
    return bone


@pytest.mark.parametrize("path", [STRAIGHT, BENT], ids=["straight", "bent"])
def test_the_last_piece_ends_at_the_tip_and_follows_the_needle(path: NeedlePath) -> None:
    points = marks_of(path, NOTHING, NOTHING, np.eye(3)).tip_mm
    assert len(points) == TIP_POINTS
    np.testing.assert_allclose(points[-1], path[-1].end_mm, atol=1e-12)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.sum() == pytest.approx(TIP_MM, abs=0.02)
    corners = path_chords(path)
    gaps = np.linalg.norm(points[:, None] - corners[None], axis=2).min(axis=1)
    assert len(path) == 1 or gaps.max() < 0.3


def test_points_of_a_target_lie_in_it_and_fill_it(
    prepared: PreparedCase, anatomy: VertebraAnatomy
) -> None:
    bone = prepared.given.bone_of_level("L3")
    axes = anatomy.frame.rotation
    region = region_of(prepared, AnteriorBody(level="L3"), bone, axes)
    assert isinstance(region, TargetRegion)
    points = marks_of(STRAIGHT, region, NOTHING, axes).target_mm
    assert len(points) == TARGET_POINTS
    assert all(region.contains(point) for point in points)
    np.testing.assert_allclose(points.mean(axis=0), region.centre_mm, atol=2.0)
    assert np.ptp(points @ axes.T, axis=0).min() > 3.0


def test_points_of_the_wall_lie_on_the_back_of_the_body(anatomy: VertebraAnatomy) -> None:
    marks = marks_of(STRAIGHT, NOTHING, anatomy, np.eye(3))
    local = anatomy.frame.points(marks.wall_mm)
    np.testing.assert_allclose(local[:, 1], anatomy.body.depth_mm / 2.0, atol=1e-9)
    assert np.abs(local[:, 0]).max() == pytest.approx(anatomy.body.width_mm / 4.0)
    np.testing.assert_allclose(local.mean(axis=0)[[0, 2]], 0.0, atol=1e-9)


def test_what_is_not_known_has_no_points_and_no_weight() -> None:
    marks: Marks = marks_of(STRAIGHT, NOTHING, NOTHING, np.eye(3))
    tip, anatomy = marks.weights()
    assert tip.sum() == pytest.approx(1.0)
    assert len(anatomy) == 0
