"""From where pictures are taken, and where points fall on them."""

import numpy as np
import pytest

from geometry.arrays import unit
from planner.case import Case
from planner.result import Plan
from preview.scene import scene_of
from preview.viewpoints import Viewpoint, direction_letters, viewpoints_of

SIZE = (640, 540)


@pytest.fixture
def viewpoints(small_case: Case, small_plan: Plan) -> tuple[Viewpoint, ...]:
    return viewpoints_of(scene_of(small_case, small_plan), small_plan, SIZE[0] / SIZE[1])


def test_right_up_and_towards_the_viewer_are_a_right_handed_frame(
    viewpoints: tuple[Viewpoint, ...],
) -> None:
    for viewpoint in viewpoints:
        axes = np.stack([viewpoint.right, viewpoint.up, viewpoint.towards])
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1.0)


def test_every_needle_and_the_target_bone_are_inside_the_pictures_that_frame_them(
    viewpoints: tuple[Viewpoint, ...], small_case: Case, small_plan: Plan
) -> None:
    scene = scene_of(small_case, small_plan)
    for viewpoint in (viewpoints[0], viewpoints[2], viewpoints[3]):
        shown = np.concatenate([scene.framed_mm, *(n.drawn_mm for n in scene.needles)])
        pixels = viewpoint.on_picture(shown, SIZE)
        assert pixels.min() >= 0.0
        assert (pixels <= SIZE).all()


def test_down_the_barrel_the_needle_is_a_point(
    viewpoints: tuple[Viewpoint, ...], small_case: Case, small_plan: Plan
) -> None:
    needle = scene_of(small_case, small_plan).needles[0]
    pixels = viewpoints[1].on_picture(needle.drawn_mm, SIZE)
    np.testing.assert_allclose(pixels, np.broadcast_to(pixels[0], pixels.shape), atol=1e-6)


def test_the_section_holds_the_needle(
    viewpoints: tuple[Viewpoint, ...], small_case: Case, small_plan: Plan
) -> None:
    section = viewpoints[3]
    assert section.cut_mm is not None
    needle = scene_of(small_case, small_plan).needles[0]
    heights = (needle.drawn_mm - section.cut_mm) @ section.towards
    np.testing.assert_allclose(heights, 0.0, atol=1e-9)
    assert section.towards[2] < 0.0


def test_pictures_are_turned_the_way_radiologists_turn_them(
    viewpoints: tuple[Viewpoint, ...],
) -> None:
    oblique, barrel, lateral, section = (v.edge_letters() for v in viewpoints)
    assert (oblique["top"][0], barrel["top"][0], lateral["top"]) == ("H", "H", "H")
    assert barrel["left"][0] == "L"  # from behind, left is left
    assert (lateral["left"], lateral["right"]) == ("A", "P")
    assert (section["left"], section["right"], section["top"]) == ("R", "L", "A")


def test_the_middle_of_the_picture_is_the_viewpoints_centre(
    viewpoints: tuple[Viewpoint, ...],
) -> None:
    for viewpoint in viewpoints:
        spot = viewpoint.on_picture(viewpoint.centre_mm[None], SIZE)[0]
        np.testing.assert_allclose(spot, [320.0, 270.0], atol=1e-9)


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        ([1.0, 0.0, 0.0], "L"),
        ([-0.9, 0.45, 0.0], "RP"),
        ([0.3, -0.95, 0.0], "A"),
        ([0.0, 0.6, 0.8], "HP"),
        ([0.0, 0.1, -1.0], "F"),
    ],
)
def test_directions_are_lettered_by_their_larger_shares(
    direction: list[float], letters: str
) -> None:
    assert direction_letters(unit(direction)) == letters


def test_mirroring_a_direction_swaps_l_and_r() -> None:
    direction = unit([0.7, 0.6, 0.2])
    swapped = direction_letters(direction * np.array([-1.0, 1.0, 1.0]))
    assert swapped == direction_letters(direction).replace("L", "R")


def test_without_needles_the_case_is_seen_from_behind(small_case: Case, empty_plan: Plan) -> None:
    viewpoints = viewpoints_of(scene_of(small_case, empty_plan), empty_plan, 1.2)
    assert len(viewpoints) == 4
    assert viewpoints[1].title == "From behind"
