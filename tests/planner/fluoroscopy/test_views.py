"""Bull's-eye, progress and true views of needles and vertebrae."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.arrays import Vector, unit
from planner.case import PatientPosition
from planner.fluoroscopy.c_arm import (
    angles_from_beam,
    beam_from_angles,
    view_name,
)
from planner.fluoroscopy.catalogue import c_arm_named
from planner.fluoroscopy.views import (
    PATIENT_LEFT,
    beam_of,
    bulls_eye,
    console_assumes,
    ct_assumption,
    position_or_default,
    progress,
    square_beam,
    vertebra_views,
    views_for,
)
from planner.result import ViewRole

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("c_arm_vectors.json").read_text(encoding="utf-8")
)
EXAMPLE_DEG = 2e-4
FLOOR = c_arm_named("generic-floor")
# Needles that come from behind, up to 80 degrees to either side and 60 up or down.
needles = st.builds(
    lambda turn, tilt: -beam_from_angles(math.pi + math.radians(turn), math.radians(tilt)),
    st.floats(-80.0, 80.0),
    st.floats(-60.0, 60.0),
)


def degrees(angles: tuple[float, float]) -> tuple[float, float]:
    return math.degrees(angles[0]), math.degrees(angles[1])


@pytest.mark.parametrize("example", VECTORS["needle_to_views"], ids=lambda e: e["name"])
def test_worked_needles_have_their_views(example: dict[str, Any]) -> None:
    direction = np.array(example["direction"])
    hub = bulls_eye(direction, FLOOR, PatientPosition.HFP)
    assert degrees((hub.primary_rad, hub.secondary_rad)) == pytest.approx(
        example["hub"]["angles_deg"], abs=EXAMPLE_DEG
    )
    console = (hub.console_primary_rad, hub.console_secondary_rad)
    assert degrees(console) == pytest.approx(example["hub"]["console_hfp_deg"], abs=EXAMPLE_DEG)
    assert hub.label == example["hub"]["name"]
    assert hub.reachable

    # A supine patient puts the hub's side out of reach, and the tip's side within it.
    tip = bulls_eye(direction, FLOOR, PatientPosition.HFS)
    assert degrees((tip.primary_rad, tip.secondary_rad)) == pytest.approx(
        example["tip"]["angles_deg"], abs=EXAMPLE_DEG
    )
    side = angles_from_beam(square_beam(direction, PATIENT_LEFT))
    assert degrees(side) == pytest.approx(example["progress_left_deg"], abs=EXAMPLE_DEG)


@pytest.mark.parametrize(
    "example", [e for e in VECTORS["needle_to_views"] if e["entry_mm"]], ids=lambda e: e["name"]
)
def test_worked_points_give_the_worked_direction(example: dict[str, Any]) -> None:
    along = np.array(example["target_mm"], dtype=float) - np.array(example["entry_mm"])
    assert np.linalg.norm(along) == pytest.approx(example["length_mm"], abs=1e-4)
    np.testing.assert_allclose(unit(along), example["direction"], atol=1e-6)


@given(needles, st.sampled_from(list(PatientPosition)))
def test_the_bulls_eye_beam_is_parallel_to_the_needle(
    direction: Vector, position: PatientPosition
) -> None:
    beam = beam_of(bulls_eye(direction, FLOOR, position))
    assert abs(float(beam @ direction)) == pytest.approx(1.0, abs=1e-12)


@given(needles)
def test_the_bulls_eye_detector_is_on_the_hubs_side_where_it_can_be(direction: Vector) -> None:
    view = bulls_eye(direction, FLOOR, PatientPosition.HFP)
    assert float(beam_of(view) @ direction) < 0.0 or view.reachable


@given(needles)
def test_the_progress_beam_is_square_to_the_needle_and_no_square_beam_is_nearer_lateral(
    direction: Vector,
) -> None:
    beam = beam_of(progress(direction, FLOOR))
    assert float(beam @ direction) == pytest.approx(0.0, abs=1e-9)
    other = np.cross(direction, beam)
    for turn in np.linspace(0.0, math.pi, 19):
        rival = math.cos(turn) * beam + math.sin(turn) * other
        assert abs(rival[0]) <= abs(beam[0]) + 1e-9


@given(needles)
def test_the_two_views_of_a_needle_are_square_to_each_other(direction: Vector) -> None:
    first, second = views_for(direction, c_arm=FLOOR)
    assert (first.role, second.role) == (ViewRole.BULLS_EYE, ViewRole.PROGRESS)
    assert float(beam_of(first) @ beam_of(second)) == pytest.approx(0.0, abs=1e-9)


@given(needles)
def test_mirroring_the_needle_mirrors_its_views(direction: Vector) -> None:
    mirror = np.array([-1.0, 1.0, 1.0])
    if abs(float(direction[0])) < 1e-5:
        return  # in the midline neither side is the hub's
    for here, there in zip(
        views_for(direction, c_arm=FLOOR), views_for(direction * mirror, c_arm=FLOOR), strict=True
    ):
        np.testing.assert_allclose(beam_of(here) * mirror, beam_of(there), atol=1e-9)


@given(needles, st.floats(-0.7, 0.7))
def test_the_side_view_turns_with_the_vertebra(direction: Vector, turn: float) -> None:
    cos, sin = math.cos(turn), math.sin(turn)
    turned = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    before = beam_of(progress(direction, FLOOR, None, PATIENT_LEFT))
    after = beam_of(progress(turned @ direction, FLOOR, None, turned @ PATIENT_LEFT))
    # Which end the detector takes depends on the room, the line does not.
    assert abs(float(turned @ before @ after)) == pytest.approx(1.0, abs=1e-9)


def test_the_progress_detector_takes_the_side_that_is_above_the_table() -> None:
    from_left = unit([-0.34, -0.94, 0.0])
    prone = progress(from_left, FLOOR, PatientPosition.HFP)
    supine = progress(from_left, FLOOR, PatientPosition.HFS)
    assert beam_of(prone)[1] > 0.0
    assert beam_of(supine)[1] < 0.0
    assert prone.reachable
    assert supine.reachable


def test_the_progress_detector_is_on_the_left_of_a_needle_in_the_midline() -> None:
    view = progress(np.array([0.0, -1.0, 0.0]), FLOOR)
    assert view.label == "L LAT"


def test_the_progress_detector_changes_sides_when_only_the_other_is_in_reach() -> None:
    # Prone and head first, the shorter way is console -70, which this arm does not reach.
    from_right = unit([0.34, -0.94, 0.0])
    view = progress(from_right, c_arm_named("cios-mobile"), PatientPosition.HFP)
    assert view.reachable
    assert beam_of(view)[1] < 0.0
    assert beam_of(progress(from_right, FLOOR, PatientPosition.HFP))[1] > 0.0


def test_a_needle_along_left_is_watched_from_behind() -> None:
    np.testing.assert_allclose(square_beam(PATIENT_LEFT, PATIENT_LEFT), [0.0, 1.0, 0.0], atol=1e-12)


def test_a_view_out_of_reach_says_so_and_keeps_the_hubs_side() -> None:
    steep = unit([0.0, -0.5, -0.9])
    view = bulls_eye(steep, FLOOR, PatientPosition.HFP)
    assert not view.reachable
    np.testing.assert_allclose(beam_of(view), -steep, atol=1e-12)


def test_nothing_stated_means_head_first_prone_and_the_view_says_it() -> None:
    view = bulls_eye(np.array([0.0, -1.0, 0.0]), FLOOR)
    assert view.assumed_position is PatientPosition.HFP
    assert console_assumes(view) == "HFP patient, detector posterior"


def test_a_prone_patient_is_warned_of_the_supine_ct() -> None:
    for position in PatientPosition:
        said = ct_assumption(position)
        assert "endplates are square" in said
        assert ("3 to 4 degrees" in said) == (position.value in {"HFP", "FFP"})


def test_what_the_request_states_goes_before_what_the_case_states() -> None:
    assert position_or_default(None, PatientPosition.FFP) is PatientPosition.FFP
    assert position_or_default(PatientPosition.HFS, PatientPosition.FFP) is PatientPosition.HFS
    assert position_or_default(None, None) is PatientPosition.HFP


@pytest.mark.parametrize("example", VECTORS["vertebra_views"], ids=lambda e: e["name"])
def test_a_vertebras_true_views_are_along_its_axes(example: dict[str, Any]) -> None:
    rough = np.array(example["axes"])
    left = unit(rough[0])
    posterior = unit(rough[1] - float(rough[1] @ left) * left)
    axes = np.stack([left, posterior, np.cross(left, posterior)])
    frontal, lateral = vertebra_views(axes, c_arm=FLOOR, position=PatientPosition.HFP)
    assert (frontal.role, lateral.role) == (ViewRole.TRUE_AP, ViewRole.TRUE_LATERAL)
    expected = example["posterior"]["angles_deg"]
    assert degrees((frontal.primary_rad, frontal.secondary_rad)) == pytest.approx(
        expected, abs=EXAMPLE_DEG
    )
    assert frontal.label == view_name(*(math.radians(angle) for angle in expected))
    assert degrees((lateral.primary_rad, lateral.secondary_rad)) == pytest.approx(
        example["left"]["angles_deg"], abs=EXAMPLE_DEG
    )
