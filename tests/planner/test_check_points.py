"""Check-points along a needle, and the clock round it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geometry.arrays import Vector, unit
from geometry.projection import ConeBeam
from planner.anatomy.model import VertebraAnatomy
from planner.case import Side
from planner.check_points import CheckPoint, Place, check_points, clock_hour
from planner.needles.catalogue import needle_named
from planner.needles.path import Arc, Line
from planner.needles.path import Path as NeedlePath
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, PlanRequest
from planner.result import Trajectory
from planner.trajectory import drawn_trajectory

BEHIND = np.array([0.0, -1.0, 0.0])  # a needle straight in from behind
coordinates = st.floats(-1.0, 1.0)
directions = st.builds(lambda x, y, z: np.array([x, y, z]), coordinates, coordinates, coordinates)


@pytest.fixture(scope="module")
def question(lumbar: PreparedCase) -> Question:
    return question_of(lumbar, PlanRequest(target=AnteriorBody(level="L3")))


def in_bone(question: Question) -> VertebraAnatomy:
    anatomy = question.prepared.bone(question.bone)
    assert isinstance(anatomy, VertebraAnatomy)
    return anatomy


def line_in(question: Question, start: list[float], end: list[float]) -> NeedlePath:
    out = in_bone(question).frame.inverse()
    entry, tip = out.points(np.array([start, end]))
    return (Line(start_mm=entry, end_mm=tip),)


@pytest.fixture(scope="module")
def through_pedicle(question: Question) -> Trajectory:
    path = line_in(question, [-38.0, 70.0, 16.0], [-2.0, -9.0, 2.0])
    return drawn_trajectory(question, needle_named("15G-bevel-150"), path)


def by_place(found: tuple[CheckPoint, ...]) -> dict[Place, CheckPoint]:
    return {at.place: at for at in found}


def test_check_points_go_in_and_end_at_the_tip(
    question: Question, through_pedicle: Trajectory
) -> None:
    found = check_points(question, through_pedicle)
    depths = [at.depth_mm for at in found]
    assert depths == sorted(depths)
    assert [at.place for at in found] == [
        Place.BONE, Place.ISTHMUS, Place.POSTERIOR_WALL, Place.TIP,
    ]  # fmt: skip
    assert depths[-1] == through_pedicle.length_mm


def test_each_place_is_where_its_depth_says(
    question: Question, through_pedicle: Trajectory
) -> None:
    anatomy, pedicle = in_bone(question), question.pedicle(Side.RIGHT)
    (line,) = through_pedicle.path
    assert isinstance(line, Line)
    at = by_place(check_points(question, through_pedicle))
    wall = at[Place.POSTERIOR_WALL]
    assert wall.past_wall_mm == pytest.approx(0.0, abs=1e-9)
    assert wall.through_body == pytest.approx(0.0, abs=1e-9)
    isthmus = line.start_mm + at[Place.ISTHMUS].depth_mm * line.direction
    _, _, along = pedicle.in_plane(isthmus)  # type: ignore[union-attr]  # it is readable here
    assert along == pytest.approx(0.0, abs=1e-9)
    tip = at[Place.TIP]
    assert tip.left_mm == pytest.approx(-2.0)
    assert tip.past_wall_mm == pytest.approx(0.5 * anatomy.body.depth_mm + 9.0)
    assert wall.left_mm is not None
    assert wall.left_mm < 0.0  # it comes from the right


def test_a_needle_nearer_the_midline_is_as_much_nearer_the_medial_wall(
    question: Question, through_pedicle: Trajectory
) -> None:
    shift = 2.0 * in_bone(question).frame.rotation[0]  # to the left, so medially
    (line,) = through_pedicle.path
    moved = replace(
        through_pedicle, path=(Line(start_mm=line.start_mm + shift, end_mm=line.end_mm + shift),)
    )
    before, after = (
        by_place(check_points(question, t))[Place.POSTERIOR_WALL] for t in (through_pedicle, moved)
    )
    assert before.off_medial_wall_mm is not None
    assert after.off_medial_wall_mm is not None
    assert before.off_medial_wall_mm - after.off_medial_wall_mm == pytest.approx(2.0)


def test_a_bend_is_a_check_point(question: Question, through_pedicle: Trajectory) -> None:
    (line,) = through_pedicle.path
    assert isinstance(line, Line)
    across = unit(np.cross(line.direction, [0.0, 0.0, 1.0]))
    end = line.end_mm + 20.0 * (math.sin(0.5) * line.direction + (1.0 - math.cos(0.5)) * across)
    arc = Arc(
        start_mm=line.end_mm, end_mm=end, centre_mm=line.end_mm + 20.0 * across, radius_mm=20.0,
        angle_rad=0.5,
    )  # fmt: skip
    bent = replace(through_pedicle, path=(line, arc), length_mm=line.length_mm + arc.length_mm)
    found = by_place(check_points(question, bent))
    assert found[Place.CURVE].depth_mm == pytest.approx(line.length_mm)
    assert found[Place.TIP].depth_mm == pytest.approx(line.length_mm + 10.0)


@pytest.mark.parametrize(
    ("offset", "hour"),
    [([0, 0, 1], 0.0), ([-1, 0, 0], 3.0), ([0, 0, -1], 6.0), ([1, 0, 0], 9.0), ([-1, 0, 1], 1.5)],
    ids=["head", "right", "feet", "left", "head and right"],
)
def test_from_behind_the_patients_right_is_at_three(offset: list[float], hour: float) -> None:
    assert clock_hour(BEHIND, np.array(offset, dtype=np.float64)) == pytest.approx(hour)


@given(needle=directions, offset=directions)
def test_the_clock_is_that_of_the_picture_down_the_needle(needle: Vector, offset: Vector) -> None:
    # Nearer the pole "up" is ill-conditioned, and 750 mm away that shows.
    assume(np.hypot(*needle[:2]) > 0.1)
    beam = ConeBeam(
        direction=-unit(needle), isocentre_mm=np.zeros(3), source_to_isocentre_mm=750.0,
        source_to_detector_mm=1050.0,
    )  # fmt: skip
    ((x, y),) = beam.project(20.0 * offset[None])
    assume(math.hypot(x, y) > 1.0)
    hour = clock_hour(needle, offset)
    assert hour is not None
    assert 0.0 <= hour <= 12.0
    turn = math.radians(30.0 * hour)
    assert math.sin(turn) == pytest.approx(x / math.hypot(x, y), abs=1e-9)
    assert math.cos(turn) == pytest.approx(y / math.hypot(x, y), abs=1e-9)


def test_what_lies_along_the_needle_has_no_hour() -> None:
    assert clock_hour(BEHIND, 3.0 * BEHIND) is None
