"""What is shown: looks, needles at their true size, target, framing."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from geometry.arrays import unit
from geometry.mesh import triangle_mesh
from planner.case import Case, Derivation, Kind
from planner.result import Plan
from preview.looks import LOOKS, NEEDLE_COLOURS, TARGET_BONE_OPACITY, needle_colour
from preview.pictures import _legend
from preview.scene import HUB_MM, scene_of


def test_every_kind_of_structure_has_a_look_and_a_place_in_the_legend() -> None:
    assert set(LOOKS) == set(Kind)
    assert all(look.in_legend for look in LOOKS.values())


def test_needle_colours_differ_from_each_other_and_from_all_anatomy() -> None:
    anatomy = [look.colour for look in LOOKS.values()]
    for one, other in itertools.combinations(NEEDLE_COLOURS, 2):
        assert np.linalg.norm(np.subtract(one, other)) > 0.2
    for colour, other in itertools.product(NEEDLE_COLOURS[:4], anatomy):
        assert np.linalg.norm(np.subtract(colour, other)) > 0.2


def test_needle_colours_differ_in_lightness_or_hue_without_red_and_green() -> None:
    # Vienot 1999: what a deuteranope sees of linear red, green and blue.
    seen = np.array([[0.2928, 0.7072, 0.0], [0.2928, 0.7072, 0.0], [-0.0223, 0.0223, 1.0]])
    first_five = [seen @ (np.array(colour) ** 2.2) for colour in NEEDLE_COLOURS[:5]]
    for one, other in itertools.combinations(first_five, 2):
        assert np.linalg.norm(one - other) > 0.05


def test_the_seventh_needle_takes_the_first_colour_again() -> None:
    assert needle_colour(len(NEEDLE_COLOURS) + 1) == needle_colour(1)


def test_the_bone_that_the_first_needle_enters_stands_out(
    small_case: Case, small_plan: Plan
) -> None:
    scene = scene_of(small_case, small_plan)
    opacity = {surface.name: surface.look.opacity for surface in scene.surfaces}
    assert opacity["L3"] == TARGET_BONE_OPACITY > opacity["L2"]
    assert scene.bone == "L3"
    np.testing.assert_array_equal(scene.framed_mm, small_case.structure("L3").mesh.vertices)


def test_needles_keep_their_diameter_and_their_ends(small_case: Case, small_plan: Plan) -> None:
    needle = scene_of(small_case, small_plan).needles[0]
    planned = small_plan.trajectories[0]
    assert 2.0 * needle.radius_mm == planned.outer_diameter_mm
    np.testing.assert_array_equal(needle.points_mm[0], planned.entry_skin_mm)
    np.testing.assert_array_equal(needle.points_mm[-1], planned.tip_mm)
    outside = needle.hub_mm - planned.entry_skin_mm
    assert np.linalg.norm(outside) == pytest.approx(HUB_MM)
    assert unit(outside) @ unit(planned.entry_skin_mm - planned.tip_mm) == pytest.approx(1.0)


def test_without_a_target_the_first_needles_tip_is_marked(
    small_case: Case, small_plan: Plan
) -> None:
    scene = scene_of(small_case, small_plan)
    assert scene.target_mm is not None
    np.testing.assert_allclose(scene.target_mm, small_plan.trajectories[0].tip_mm, atol=0.05)


def test_a_target_region_is_drawn_as_the_solid_it_is(small_case: Case, small_plan: Plan) -> None:
    axes = np.eye(3)
    region = SimpleNamespace(
        normals=np.concatenate([axes, -axes]),
        offsets=np.array([6.0, -5.0, 7.0, 4.0, 15.0, 3.0]),
        centre_mm=np.array([1.0, -10.0, 2.0]),
        bone=small_case.structure("L3"),
    )
    surface = scene_of(small_case, small_plan, target=region).surfaces[-1]  # type: ignore[arg-type]
    solid = triangle_mesh(surface.vertices, surface.faces)
    assert surface.name == "target"
    assert solid.is_closed
    assert solid.volume_mm3 == pytest.approx(10.0 * 10.0 * 10.0)
    np.testing.assert_allclose(solid.bounds, [[-4.0, -15.0, -3.0], [6.0, -5.0, 7.0]], atol=1e-9)


def test_views_are_true_to_the_given_axes_and_else_to_the_patient(
    small_case: Case, small_plan: Plan
) -> None:
    cos, sin = np.cos(0.3), np.sin(0.3)
    axes = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(scene_of(small_case, small_plan, axes=axes).axes, axes)
    np.testing.assert_array_equal(scene_of(small_case, small_plan).axes, np.eye(3))


def test_a_plan_without_needles_frames_the_hardware(small_case: Case, empty_plan: Plan) -> None:
    scene = scene_of(small_case, empty_plan)
    assert scene.needles == ()
    assert scene.target_mm is None
    np.testing.assert_array_equal(scene.framed_mm, small_case.structure("screw_L3_L").mesh.vertices)


def test_the_legend_says_what_nobody_segmented(small_case: Case, small_plan: Plan) -> None:
    derived = Derivation(confidence=0.7, cause="from the arch")
    case = replace(
        small_case,
        structures=tuple(
            replace(s, derived=derived) if s.kind is Kind.CANAL else s
            for s in small_case.structures
        ),
    )
    names = dict(_legend(case, scene_of(case, small_plan)))
    assert LOOKS[Kind.CANAL].in_legend + ", derived" in names
    assert LOOKS[Kind.CANAL].in_legend not in names
    assert LOOKS[Kind.PLEURA].in_legend in names
    assert LOOKS[Kind.CANAL].in_legend in dict(
        _legend(small_case, scene_of(small_case, small_plan))
    )
