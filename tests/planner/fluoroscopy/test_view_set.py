"""All views of one path in the bundled case, and what its caution says."""

from dataclasses import replace

import numpy as np
import pytest

from geometry.arrays import frozen
from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.case import HARDWARE, Kind, PatientPosition, Side
from planner.fluoroscopy.c_arm import beam_from_angles, tilted_angles
from planner.fluoroscopy.catalogue import c_arm_named
from planner.fluoroscopy.marks import covered, marks_of
from planner.fluoroscopy.throw_off import SHORT_COST
from planner.fluoroscopy.view_set import Subject, view_cautions, views_of, wall_hidden
from planner.fluoroscopy.views import beam_of
from planner.needles.path import Line
from planner.prepared import PreparedCase
from planner.result import View, ViewRole


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


def subject(
    prepared: PreparedCase, *, c_arm: str = "generic-biplane", beside: bool = False
) -> Subject:
    """A path down the right pedicle of L3, beside its screw."""
    bone = prepared.given.bone_of_level("L3")
    anatomy = prepared.bone(bone)
    assert isinstance(anatomy, VertebraAnatomy)
    out = anatomy.frame.inverse()
    start, end = out.points(np.array([[-38.0, 70.0, 16.0], [-2.0, -9.0, 2.0]]))
    return Subject(
        prepared=prepared, path=(Line(start_mm=frozen(start), end_mm=frozen(end)),),
        region=Unavailable(reason="none was asked for"), bone=bone.name,
        axes=anatomy.frame.rotation, side=Side.RIGHT,
        screw=prepared.screw("screw_L3_R", field="screw"), past_foramen=beside,
        c_arm=c_arm_named(c_arm), position=PatientPosition.HFP,
    )  # fmt: skip


@pytest.fixture(scope="module")
def views(prepared: PreparedCase) -> dict[ViewRole, View]:
    return {view.role: view for view in views_of(subject(prepared))}


def test_a_path_inside_the_pedicle_has_every_view_but_that_of_the_foramen(
    prepared: PreparedCase, views: dict[ViewRole, View]
) -> None:
    assert set(ViewRole) - set(views) == {ViewRole.FORAMEN}
    beside = views_of(subject(prepared, beside=True))
    assert ViewRole.FORAMEN in {view.role for view in beside}


def test_every_view_says_what_metal_hides_and_how_long_the_needle_looks(
    views: dict[ViewRole, View],
) -> None:
    for view in views.values():
        assert view.hidden is not None
        assert view.hidden.target is None
        for share in (view.hidden.tip, view.hidden.posterior_wall, view.hidden.overall):
            assert share is not None
            assert 0.0 <= share <= 1.0
    assert views[ViewRole.BULLS_EYE].needle_length_share == pytest.approx(0.0, abs=1e-6)
    assert views[ViewRole.PROGRESS].needle_length_share == pytest.approx(1.0)


def test_a_thrown_off_view_costs_no_more_than_the_true_one(views: dict[ViewRole, View]) -> None:
    def cost(view: View) -> float:
        assert view.hidden is not None
        assert view.hidden.nearby is not None
        assert view.needle_length_share is not None
        hidden = 0.5 * (view.hidden.overall + view.hidden.nearby)
        return hidden + SHORT_COST * (1.0 - view.needle_length_share)

    for true, thrown_off in (
        (ViewRole.TRUE_AP, ViewRole.THROW_OFF_AP),
        (ViewRole.TRUE_LATERAL, ViewRole.THROW_OFF_LATERAL),
    ):
        assert cost(views[thrown_off]) <= cost(views[true]) + 0.01  # of a raster's overall share
        hidden = views[thrown_off].hidden
        assert hidden is not None
        assert hidden.nearby is not None
        assert hidden.overall <= hidden.nearby + 0.02
        assert views[thrown_off].resolution_rad == pytest.approx(np.radians(1.0))


def test_the_tilt_leads_from_the_screws_view_to_the_needles(views: dict[ViewRole, View]) -> None:
    screw, needle = views[ViewRole.SCREW_BULLS_EYE], views[ViewRole.BULLS_EYE]
    assert screw.tilt is not None
    assert screw.tilt.screw == "screw_L3_R"
    reached = tilted_angles(
        (screw.primary_rad, screw.secondary_rad), side=Side.RIGHT,
        lateral_rad=screw.tilt.lateral_rad, cranial_rad=screw.tilt.cranial_rad,
    )  # fmt: skip
    assert reached == pytest.approx((needle.primary_rad, needle.secondary_rad), abs=1e-9)
    apart = np.arccos(np.clip(beam_of(screw) @ beam_of(needle), -1.0, 1.0))
    assert screw.tilt.angle_rad == pytest.approx(apart, abs=1e-6)


def test_a_biplane_unit_holds_frontal_and_lateral_together(views: dict[ViewRole, View]) -> None:
    assert ViewRole.TRUE_LATERAL in views[ViewRole.TRUE_AP].together_with
    assert ViewRole.TRUE_AP in views[ViewRole.TRUE_LATERAL].together_with
    assert ViewRole.SCREW_BULLS_EYE not in views[ViewRole.BULLS_EYE].together_with
    for view in views.values():
        assert view.role not in view.together_with


def test_one_plane_holds_one_view(prepared: PreparedCase) -> None:
    alone = views_of(subject(prepared, c_arm="generic-floor"))
    assert all(view.together_with == () for view in alone)
    assert {view.plane for view in alone if view.reachable} == {"generic-floor"}


def test_a_hidden_posterior_wall_is_said_with_the_view_that_shows_more(
    views: dict[ViewRole, View],
) -> None:
    lateral = views[ViewRole.TRUE_LATERAL].hidden
    assert lateral is not None
    assert lateral.posterior_wall is not None
    assert lateral.posterior_wall >= 0.25
    [said] = view_cautions(tuple(views.values()))
    assert f"{lateral.posterior_wall:.0%} of the posterior wall" in said
    assert views[ViewRole.POSTERIOR_WALL].label in said
    without = tuple(v for v in views.values() if v.role is not ViewRole.POSTERIOR_WALL)
    assert view_cautions(without)[0].endswith("no view near it is within reach")


def test_the_view_of_the_wall_hides_no_more_of_it_than_any_tilt_of_the_lateral(
    prepared: PreparedCase, views: dict[ViewRole, View]
) -> None:
    asked = subject(prepared)
    metal = [prepared.distance(s) for s in prepared.given.of_kind(*HARDWARE)]
    bone = prepared.bone(prepared.given.structure(asked.bone))
    marks = marks_of(asked.path, asked.region, bone, asked.axes)
    left, _, superior = asked.axes
    least = 1.0
    for tilt in np.radians(np.arange(-45.0, 46.0, 3.0)):
        beam = np.cos(tilt) * left + np.sin(tilt) * superior
        if asked.c_arm.reaches(beam, asked.position):
            cone = asked.c_arm.cone(beam, marks.tip_mm[-1], asked.position)
            least = min(least, float(covered(metal, marks.wall_mm, cone).mean()))
    best = wall_hidden(views[ViewRole.POSTERIOR_WALL])
    # It weighs the worst within 4 degrees and the tilt as well, by up to so much.
    assert best <= least + 0.1
    assert best < wall_hidden(views[ViewRole.TRUE_LATERAL])


def test_without_metal_nothing_is_hidden_and_nothing_thrown_off(prepared: PreparedCase) -> None:
    bones = prepared.given.of_kind(Kind.VERTEBRA)
    bare = PreparedCase(replace(prepared.given, structures=bones))
    views = {v.role: v for v in views_of(replace(subject(prepared), prepared=bare))}
    assert not {ViewRole.THROW_OFF_AP, ViewRole.THROW_OFF_LATERAL} & set(views)
    assert all(v.hidden is not None and v.hidden.overall == 0.0 for v in views.values())


def test_the_curve_is_square_to_the_needle_with_the_best_in_the_middle(
    views: dict[ViewRole, View],
) -> None:
    progress, needle = views[ViewRole.PROGRESS], beam_of(views[ViewRole.BULLS_EYE])
    assert len(progress.curve) == 36
    for point in progress.curve:
        beam = beam_from_angles(point.primary_rad, point.secondary_rad)
        assert abs(beam @ needle) < 1e-9
    best = progress.curve[17]
    assert (best.primary_rad, best.secondary_rad) == pytest.approx(
        (progress.primary_rad, progress.secondary_rad), abs=1e-9
    )
