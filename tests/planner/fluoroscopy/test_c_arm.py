"""Angles, names and reach, against worked examples and as laws."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.frames import angle_between
from planner.case import PatientPosition, Side
from planner.errors import RequestError
from planner.fluoroscopy.c_arm import (
    angles_from_beam,
    beam_from_angles,
    beam_from_console,
    console_angles,
    detector_place,
    tilted_angles,
    view_name,
)
from planner.fluoroscopy.catalogue import C_ARMS, c_arm_named, c_arm_of
from planner.request import DEFAULT_C_ARM, StatedCArm

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("c_arm_vectors.json").read_text(encoding="utf-8")
)
# The worked examples are written to six decimals (vectors) and four (degrees).
EXAMPLE_DEG = 2e-4
positions = st.sampled_from(list(PatientPosition))
primaries = st.floats(-math.pi + 1e-6, math.pi)
secondaries = st.floats(-math.pi / 2 + 1e-4, math.pi / 2 - 1e-4)


def degrees(angles: tuple[float, float]) -> tuple[float, float]:
    return math.degrees(angles[0]), math.degrees(angles[1])


def radians(angles: list[float]) -> tuple[float, float]:
    return math.radians(angles[0]), math.radians(angles[1])


@pytest.mark.parametrize("example", VECTORS["angle_to_vector"], ids=lambda e: e["name"])
def test_worked_angles_give_the_beam_the_console_angles_and_the_name(
    example: dict[str, Any],
) -> None:
    beam = beam_from_angles(*radians(example["angles_deg"]))
    np.testing.assert_allclose(beam, example["beam"], atol=1e-6)
    assert degrees(angles_from_beam(beam)) == pytest.approx(example["angles_deg"], abs=1e-9)
    for position, expected in example["console_deg"].items():
        found = degrees(console_angles(beam, PatientPosition(position)))
        assert found == pytest.approx(expected, abs=1e-9)
    assert view_name(*radians(example["angles_deg"])) == example["name"]


@pytest.mark.parametrize("example", VECTORS["vertebra_views"], ids=lambda e: e["name"])
def test_worked_vertebrae_are_seen_true(example: dict[str, Any]) -> None:
    left, posterior, _ = np.array(example["axes"])
    beams = {"anterior": -posterior, "posterior": posterior, "left": left, "right": -left}
    for place, beam in beams.items():
        expected = example[place]
        assert degrees(angles_from_beam(beam)) == pytest.approx(
            expected["angles_deg"], abs=EXAMPLE_DEG
        )
        console = console_angles(beam, PatientPosition.HFP)
        assert degrees(console) == pytest.approx(expected["console_hfp_deg"], abs=EXAMPLE_DEG)


@pytest.mark.parametrize("example", VECTORS["crossing_offsets"])
def test_worked_crossings_tilt_from_the_screws_bulls_eye(example: dict[str, Any]) -> None:
    screw = radians(example["screw_deg"])
    view = tilted_angles(
        screw,
        side=Side(example["side"]),
        lateral_rad=math.radians(example["lateral_deg"]),
        cranial_rad=math.radians(example["cranial_deg"]),
    )
    assert degrees(view) == pytest.approx(example["view_deg"], abs=1e-9)
    needle = -beam_from_angles(*view)
    np.testing.assert_allclose(needle, example["needle"], atol=1e-6)
    apart = math.degrees(angle_between(needle, -beam_from_angles(*screw)))
    assert apart == pytest.approx(example["apart_deg"], abs=1e-3)


@given(primaries, secondaries)
def test_angles_survive_the_round_trip_through_the_beam(primary: float, secondary: float) -> None:
    assert angles_from_beam(beam_from_angles(primary, secondary)) == pytest.approx(
        (primary, secondary), abs=1e-9
    )


@given(primaries, secondaries, positions)
def test_console_angles_survive_the_round_trip(
    primary: float, secondary: float, position: PatientPosition
) -> None:
    beam = beam_from_console(primary, secondary, position)
    assert console_angles(beam, position) == pytest.approx((primary, secondary), abs=1e-9)


@given(primaries, secondaries)
def test_a_beam_is_a_unit_vector_and_its_length_does_not_matter(
    primary: float, secondary: float
) -> None:
    beam = beam_from_angles(primary, secondary)
    assert np.linalg.norm(beam) == pytest.approx(1.0, abs=1e-12)
    assert angles_from_beam(1234.5 * beam) == pytest.approx(angles_from_beam(beam), abs=1e-9)


@given(primaries, secondaries)
def test_the_opposite_beam_turns_by_half_a_turn_and_tilts_the_other_way(
    primary: float, secondary: float
) -> None:
    mirror = angles_from_beam(-beam_from_angles(primary, secondary))
    assert mirror[1] == pytest.approx(-secondary, abs=1e-9)
    assert math.cos(mirror[0] - primary) == pytest.approx(-1.0, abs=1e-9)


@given(primaries, secondaries)
def test_mirroring_the_patient_negates_the_primary_angle_only(
    primary: float, secondary: float
) -> None:
    beam = beam_from_angles(primary, secondary) * np.array([-1.0, 1.0, 1.0])
    mirrored = angles_from_beam(beam)
    assert mirrored[1] == pytest.approx(secondary, abs=1e-9)
    assert math.cos(mirrored[0] + primary) == pytest.approx(1.0, abs=1e-9)


@given(primaries, secondaries, st.sampled_from([PatientPosition.HFS, PatientPosition.FFS]))
def test_turning_a_supine_patient_prone_turns_the_console_by_half_a_turn(
    primary: float, secondary: float, supine: PatientPosition
) -> None:
    prone = PatientPosition(supine.value.replace("S", "P"))
    beam = beam_from_angles(primary, secondary)
    before, after = console_angles(beam, supine), console_angles(beam, prone)
    assert after[1] == pytest.approx(before[1], abs=1e-9)
    assert math.cos(after[0] - before[0]) == pytest.approx(-1.0, abs=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_at_a_pole_the_primary_angle_is_zero(sign: float) -> None:
    assert angles_from_beam(np.array([0.0, 0.0, sign])) == (0.0, sign * math.pi / 2)
    assert angles_from_beam(np.array([1e-12, -1e-12, sign])) == (0.0, sign * math.pi / 2)


@pytest.mark.parametrize("noise", [0.0, -0.0, 1e-13, -1e-13])
def test_straight_behind_is_plus_half_a_turn_whatever_the_rounding(noise: float) -> None:
    primary, _ = angles_from_beam(np.array([noise, 1.0, 0.0]))
    assert primary == pytest.approx(math.pi, abs=1e-9)


def test_a_beam_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="non-zero"):
        angles_from_beam(np.zeros(3))


@pytest.mark.parametrize(
    ("primary_deg", "secondary_deg", "name"),
    [
        (0.4, -0.4, "AP"),
        (179.6, 0.0, "PA"),
        (-179.6, 8.2, "PA CRA 8"),
        (89.7, 0.0, "L LAT"),
        (-90.2, -4.8, "R LAT CAU 5"),
        (157.96, 7.54, "LPO 22 CRA 8"),
        (-91.0, 0.0, "RPO 89"),
        (0.0, 90.0, "CRA 90"),
        (0.0, -90.0, "CAU 90"),
    ],
)
def test_names_are_rounded_before_they_are_chosen(
    primary_deg: float, secondary_deg: float, name: str
) -> None:
    assert view_name(math.radians(primary_deg), math.radians(secondary_deg)) == name


@pytest.mark.parametrize(
    ("beam", "place"),
    [
        ([0.0, 1.0, 0.2], "posterior"),
        ([0.7, 0.7, 0.0], "posterior left"),
        ([-0.7, 0.7, 0.0], "posterior right"),
        ([-1.0, 0.0, 0.0], "right"),
        ([0.1, -1.0, 0.0], "anterior"),
        ([0.0, 0.1, -1.0], "caudal"),
    ],
)
def test_the_detectors_place_is_said_in_words(beam: list[float], place: str) -> None:
    assert detector_place(np.array(beam)) == place


def test_every_c_arm_has_ordered_ranges_and_a_source() -> None:
    for name, c_arm in C_ARMS.items():
        assert c_arm.name == name
        assert c_arm.primary_rad[0] < c_arm.primary_rad[1]
        assert c_arm.secondary_rad[0] < c_arm.secondary_rad[1]
        assert 0.0 < c_arm.source_to_isocentre_mm < c_arm.source_to_detector_mm
        assert "[" in c_arm.source


def test_the_default_c_arm_is_in_the_catalogue() -> None:
    assert c_arm_named(DEFAULT_C_ARM).name == DEFAULT_C_ARM


def test_an_unknown_c_arm_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(RequestError, match=r"generic-floor.*cios-mobile") as refused:
        c_arm_named("generic-wall")
    assert (refused.value.field, refused.value.code) == ("c_arm", "unknown-c-arm")


@given(st.floats(-179.0, 180.0), st.floats(-89.0, 89.0), positions)
def test_reach_is_judged_on_console_angles(
    primary_deg: float, secondary_deg: float, position: PatientPosition
) -> None:
    beam = beam_from_console(math.radians(primary_deg), math.radians(secondary_deg), position)
    inside = abs(primary_deg) <= 100.0 and abs(secondary_deg) <= 45.0
    assert c_arm_named("generic-floor").reaches(beam, position) == inside


def test_the_ends_of_a_range_are_reached() -> None:
    beam = beam_from_console(math.radians(-100.0), math.radians(45.0), PatientPosition.HFP)
    assert c_arm_named("generic-floor").reaches(beam, PatientPosition.HFP)


def stated(low_deg: float, high_deg: float, lateral: StatedCArm | None = None) -> StatedCArm:
    return StatedCArm(
        primary_rad=(math.radians(low_deg), math.radians(high_deg)),
        secondary_rad=(-0.5, 0.5), source_to_isocentre_mm=700.0, source_to_detector_mm=1000.0,
        lateral=lateral,
    )  # fmt: skip


def test_a_c_arm_that_a_request_describes_reaches_what_it_says() -> None:
    arm = c_arm_of(stated(-20.0, 60.0))
    reached = [
        arm.reaches(
            beam_from_console(math.radians(deg), 0.1, PatientPosition.HFP), PatientPosition.HFP
        )
        for deg in (-21.0, -20.0, 60.0, 61.0)
    ]
    assert reached == [False, True, True, False]
    assert (arm.mount, arm.source) == ("stated", "the request")


def test_two_planes_reach_what_either_reaches_and_say_which() -> None:
    arm = c_arm_of(stated(-20.0, 20.0, stated(70.0, 110.0)))
    frontal, lateral, between = (
        beam_from_console(math.radians(deg), 0.0, PatientPosition.HFP) for deg in (0.0, 90.0, 45.0)
    )
    assert arm.mount == "biplane"
    assert [arm.reaches(b, PatientPosition.HFP) for b in (frontal, lateral, between)] == [
        True, True, False,
    ]  # fmt: skip
    planes = [arm.plane_for(b, PatientPosition.HFP) for b in (frontal, lateral, between)]
    assert planes == [arm.planes[0], arm.planes[1], None]


@pytest.mark.parametrize(
    ("first_deg", "second_deg", "held"),
    [(0.0, 90.0, True), (90.0, 0.0, True), (-90.0, 0.0, True), (20.0, 70.0, True),
     (0.0, 45.0, False), (0.0, 10.0, False), (80.0, 100.0, False)],
)  # fmt: skip
def test_a_pair_is_held_only_by_two_planes_that_keep_apart(
    first_deg: float, second_deg: float, *, held: bool
) -> None:
    arm = c_arm_of(stated(-20.0, 20.0, stated(70.0, 110.0)))
    first, second = (
        beam_from_console(math.radians(deg), 0.0, PatientPosition.HFP)
        for deg in (first_deg, second_deg)
    )
    assert arm.holds_both(first, second, PatientPosition.HFP) is held
    assert arm.holds_both(second, first, PatientPosition.HFP) is held


def test_planes_nearer_than_forty_degrees_collide() -> None:
    arm = c_arm_of(stated(-60.0, 60.0, stated(60.0, 110.0)))
    lateral = beam_from_console(math.radians(80.0), 0.0, PatientPosition.HFP)
    for deg, held in ((41.0, False), (39.0, True)):
        frontal = beam_from_console(math.radians(deg), 0.0, PatientPosition.HFP)
        assert arm.holds_both(frontal, lateral, PatientPosition.HFP) is held


def test_reach_of_many_is_reach_of_each(rng: np.random.Generator) -> None:
    beams = rng.normal(size=(300, 3))
    beams /= np.linalg.norm(beams, axis=1, keepdims=True)
    for arm in C_ARMS.values():
        for position in PatientPosition:
            each = [arm.reaches(beam, position) for beam in beams]
            np.testing.assert_array_equal(arm.reaches_each(beams, position), each)


def test_every_kind_of_mount_is_in_the_catalogue() -> None:
    mounts = {arm.mount for arm in C_ARMS.values()}
    assert mounts == {"floor", "ceiling", "mobile", "biplane"}
    assert all("[" in arm.source for arm in C_ARMS.values())
