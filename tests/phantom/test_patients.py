"""Spines of a population: curved, operated, with cages, on a pelvis; screws lie in their bone."""

from dataclasses import replace

import numpy as np
import pytest

from geometry.exact import MeshDistance
from phantom.cages import Cage, CagePlacement, placed_cage
from phantom.hardware import HEAD_MM, ROD_DIAMETER_MM, placed_screw, rod_line
from phantom.implicit import evaluated
from phantom.loft import tube
from phantom.operated import OPERATIONS
from phantom.patients import Story, draw_patient
from phantom.pelvis import ILIUM, S1, Pelvis, pelvic_screw, pelvis_below
from phantom.recipe import skeleton
from phantom.spine import STRAIGHT, Deformity, Spine, bone_meshes, spine
from phantom.torso import skin_mesh
from phantom.vessels import ILIAC_ARTERY_MM, ILIAC_VEIN_MM, vessels
from planner.case import Side
from planner.request import CageEnd

LUMBAR = ("L3", "L4", "L5")


def column(*, deformity: Deformity = STRAIGHT, pedicle_width: float = 1.0) -> Spine:
    return spine(
        LUMBAR, seed=4, scale=1.0, height_loss={}, deformity=deformity, pedicle_width=pedicle_width
    )


@pytest.fixture(scope="module")
def pelvis() -> Pelvis:
    return pelvis_below(column(), seed=4, scale=1.0)


def test_the_pelvis_stands_below_l5_with_a_disc_between(pelvis: Pelvis) -> None:
    lowest = column().at("L5")
    up = pelvis.pose.vectors(np.array([0.0, 0.0, 1.0]))
    way = lowest.pose.translation_mm - pelvis.pose.translation_mm
    assert up @ way > 25.0
    assert np.degrees(np.arccos(up @ lowest.pose.vectors(np.array([0.0, 0.0, 1.0])))) == (
        pytest.approx(16.0, abs=0.1)
    )
    with pytest.raises(ValueError, match="L5"):
        pelvis_below(spine(("T8",), seed=1, scale=1.0, height_loss={}), seed=1, scale=1.0)


@pytest.mark.parametrize("level", [S1, ILIUM])
def test_pelvic_screws_lie_in_their_bone_under_the_skin(pelvis: Pelvis, level: str) -> None:
    screws = [pelvic_screw(pelvis, level, side) for side in Side]
    heads = [s.head - HEAD_MM * s.axis for s in screws]
    skin = MeshDistance(skin_mesh(column(), heads))
    for screw, head in zip(screws, heads, strict=True):
        share = np.linspace(0.35, 1.0, 30)[:, None]
        shaft = screw.head + share * (screw.tip - screw.head)
        assert evaluated(pelvis.field(level, screw.side), shaft).max() < -0.5 * screw.diameter_mm
        assert skin.point(head)[0] < -8.0
    left, right = screws
    assert left.axis[0] * right.axis[0] < 0.0
    assert bool(left.axis[0] > 0.0) is (
        level == ILIUM
    )  # iliac screws go outward, those of S1 inward


@pytest.mark.parametrize("end", CageEnd)
def test_a_cage_sinks_into_the_end_named_and_lies_in_its_bed(end: CageEnd) -> None:
    row = column()
    placement = CagePlacement(above="L4", into=end, depth_mm=3.0)
    cage = placed_cage(row, placement)
    assert isinstance(cage, Cage)
    corners = cage.mesh().vertices
    for level, sunk in (("L4", end is CageEnd.CRANIAL), ("L5", end is CageEnd.CAUDAL)):
        vertebra = row.at(level)
        deepest = float(vertebra.distance(corners).min())
        assert (deepest < -1.0) is sunk, level
        bed = cage.bedded(vertebra.shape.distance, vertebra.pose)
        local = vertebra.pose.inverse().points(corners)
        assert evaluated(bed, local).min() > 0.0, level
    with pytest.raises(ValueError, match="no disc below"):
        placed_cage(row, replace(placement, above="L5"))


def test_a_deformity_turns_each_vertebra_on_the_next_by_its_angles() -> None:
    curved = column(deformity=Deformity(sideways=0.1))
    for first, second in zip(curved.vertebrae, column().vertebrae, strict=True):
        turn = first.pose.rotation @ second.pose.rotation.T
        angle = np.arccos((np.trace(turn) - 1.0) / 2.0)
        steps = abs(LUMBAR.index(first.level) - 1)
        assert angle == pytest.approx(0.1 * steps, abs=1e-3)


def test_a_kyphosis_bends_the_spine_forward_at_the_levels_named_and_nowhere_else() -> None:
    bent = column(deformity=Deformity(forward=(("L4", 0.2),)))
    forward = np.array([0.0, -1.0, 0.0])
    turned = []
    for first, second in zip(bent.vertebrae, column().vertebrae, strict=True):
        up = np.array([0.0, 0.0, 1.0])
        turned.append((first.pose.vectors(up) - second.pose.vectors(up)) @ forward)
    # L4 is the middle one and stands still; what is below goes back as much as L4 bends forward.
    assert turned[:2] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert turned[2] < -0.15


def test_a_junction_that_broke_and_a_bent_spine_are_drawn_bent_forward() -> None:
    broken = draw_patient(Story(levels="L2-L3", junctional="L2"), name="x", seed=3).recipe
    (junction,) = broken.deformity.forward
    assert junction[0] == "L2"
    assert np.radians(5.0) <= junction[1] <= np.radians(15.0)
    bent = draw_patient(Story(levels="L2-L4", bare="L2 L3", bent=True), name="x", seed=3).recipe
    assert [level for level, _ in bent.deformity.forward] == ["L2", "L3"]
    assert all(np.radians(2.0) <= angle <= np.radians(4.0) for _, angle in bent.deformity.forward)


def test_the_vessels_divide_above_a_pelvis_and_pass_in_front_of_it(pelvis: Pelvis) -> None:
    found = vessels(column(), pelvis)
    bones = [*(v.distance for v in column().vertebrae), pelvis.field(S1, Side.LEFT)]
    bones += [pelvis.field(ILIUM, side) for side in Side]
    skin = MeshDistance(skin_mesh(column(), [pelvis.pose.translation_mm]))
    for name, line in found.items():
        mesh = tube(line, segments=8)
        assert mesh.is_closed
        assert min(float(bone(mesh.vertices).min()) for bone in bones) > 1.0, name
        assert max(float(skin.point(place)[0]) for place in line.points) < 0.0, name
    for kind, trunk in (("artery", "aorta"), ("vein", "ivc")):
        for letter, sign in (("L", 1.0), ("R", -1.0)):
            branch = found[f"iliac_{kind}_{letter}"].points
            assert np.linalg.norm(branch[0] - found[trunk].points[-1]) < 1e-6
            assert sign * branch[-1, 0] > 40.0
    apart = found["iliac_artery_R"].points[4:, None] - found["iliac_vein_L"].points[None, 4:]
    assert np.linalg.norm(apart, axis=2).min() > ILIAC_ARTERY_MM + ILIAC_VEIN_MM


@pytest.mark.parametrize("levels", [("L3", "L4"), ("T8", "T9")])
def test_without_a_pelvis_the_great_vessels_run_on(levels: tuple[str, ...]) -> None:
    row = spine(levels, seed=4, scale=1.0, height_loss={})
    found = vessels(row, None)
    assert set(found) == ({"aorta", "ivc"} if "L4" in levels else {"aorta"})
    lowest = row.vertebrae[-1].pose.translation_mm[2]
    assert all(line.points[:, 2].min() < lowest - 30.0 for line in found.values())


@pytest.mark.parametrize("side", Side)
def test_a_rod_goes_on_from_s1_to_the_iliac_screw_and_touches_no_bone(
    pelvis: Pelvis, side: Side
) -> None:
    placed = [placed_screw(column().at(level), side, seed=4) for level in ("L4", "L5")]
    placed += [pelvic_screw(pelvis, level, side) for level in (S1, ILIUM)]
    line = rod_line(placed)
    for screw in placed:
        assert np.linalg.norm(line - screw.seat, axis=1).min() < 2.1
    for bone in (pelvis.field(S1, side), pelvis.field(ILIUM, side)):
        assert evaluated(bone, line).min() > 0.5 * ROD_DIAMETER_MM


def test_pedicles_are_scaled_apart_from_the_rest() -> None:
    usual, wide = column().at("L4").shape, column(pedicle_width=1.2).at("L4").shape
    for side in Side:
        ratio = wide.pedicles[side].width_mm / usual.pedicles[side].width_mm
        assert ratio == pytest.approx(1.2)
    assert wide.body.width_mm == usual.body.width_mm


def test_a_bone_is_meshed_with_what_was_taken_from_it() -> None:
    one = spine(("L4",), seed=4, scale=1.0, height_loss={})
    cut = {"L4": OPERATIONS["lamina_removed"](one.at("L4").shape)}
    whole = bone_meshes(one, resolution_mm=2.5)["L4"]
    operated = bone_meshes(one, resolution_mm=2.5, changed=cut)["L4"]
    assert operated.is_closed
    assert operated.volume_mm3 < 0.97 * whole.volume_mm3


def test_a_story_is_drawn_with_all_that_it_tells() -> None:
    story = Story(
        levels="L3-S1", bare="L4", loose="L3L S1R iliumL", within="L4", cages="L4",
        operated="L4:facets_removed", ilium=True, curved=True,
    )  # fmt: skip
    recipe = draw_patient(story, name="x", seed=8).recipe
    assert recipe == draw_patient(story, name="x", seed=8).recipe
    assert {p.level for p in recipe.screws} == {"L3", "L5", S1, ILIUM}
    loose = [(p.level, p.side) for p in recipe.screws if p.halo_mm]
    assert loose == [("L3", Side.LEFT), (S1, Side.RIGHT), (ILIUM, Side.LEFT)]
    assert [f.level for f in recipe.fractures] == ["L4"]
    assert recipe.deformity.sideways != 0.0
    assert len(skeleton(recipe)[2]) == len(recipe.screws)
