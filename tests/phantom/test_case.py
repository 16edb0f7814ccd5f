"""Whole cases: what must hold between bones, hardware, sac, vessels and skin."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from jaxtyping import Float

from geometry.arrays import Points
from geometry.mesh import TriangleMesh
from phantom.hardware import SEAT_BEHIND_HEAD_MM
from phantom.recipe import PhantomCase, Placement, Recipe, build_case, recipe_named
from phantom.spine import spine
from planner.case import Kind, Side


def _oracle(mesh: TriangleMesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def _depths(mesh: TriangleMesh, points: Points) -> Float[np.ndarray, " n"]:
    """How deep points lie inside a mesh, mm; negative outside."""
    return trimesh.proximity.signed_distance(_oracle(mesh), points)


def _depth_inside(mesh: TriangleMesh, other: TriangleMesh) -> float:
    """How deep the vertices of ``other`` reach into ``mesh``, mm; at least -4, when clear of it.

    Of neighbouring vertices, half a millimetre to two apart, every second one is asked.
    """
    low, high = mesh.bounds
    near = (other.vertices > low - 4.0).all(axis=1) & (other.vertices < high + 4.0).all(axis=1)
    asked = other.vertices[near][::2]
    return float(_depths(mesh, asked).max()) if len(asked) else -4.0


def test_every_structure_is_closed_and_outward(lumbar: PhantomCase, thoracic: PhantomCase) -> None:
    for structure in (*lumbar.case.structures, *thoracic.case.structures):
        assert structure.mesh.is_closed, structure.name
        assert structure.mesh.volume_mm3 > 0.0, structure.name
        assert _oracle(structure.mesh).body_count == 1, structure.name


def test_vertebrae_do_not_touch_each_other(lumbar: PhantomCase, thoracic: PhantomCase) -> None:
    for built in (lumbar, thoracic):
        for upper, lower in pairwise(built.case.of_kind(Kind.VERTEBRA)):
            assert _depth_inside(upper.mesh, lower.mesh) < 0.0, (upper.name, lower.name)


@pytest.mark.parametrize("name", ["lumbar", "thoracic"])
def test_the_sac_lies_within_the_canal_clear_of_bone_and_screws(
    name: str, request: pytest.FixtureRequest
) -> None:
    case = request.getfixturevalue(name).case
    sac = case.structure("dural_sac").mesh
    for structure in case.of_kind(Kind.VERTEBRA, Kind.SCREW, Kind.ROD):
        assert _depth_inside(structure.mesh, sac) < -0.3, structure.name
        assert _depth_inside(sac, structure.mesh) < -0.3, structure.name


@pytest.mark.parametrize("name", ["lumbar", "thoracic"])
def test_the_skin_holds_everything(name: str, request: pytest.FixtureRequest) -> None:
    case = request.getfixturevalue(name).case
    skin = case.structure("skin").mesh
    for structure in case.structures:
        if structure.name != "skin":
            inside = _depths(skin, structure.mesh.vertices[::7])
            assert inside.min() > 2.0, structure.name


def test_the_back_is_as_deep_as_an_adults(lumbar: PhantomCase) -> None:
    skin = _oracle(lumbar.case.structure("skin").mesh)
    for vertebra in lumbar.truth["vertebrae"]:
        for pedicle in vertebra["pedicles"].values():
            entry = np.array([pedicle["entry_mm"]])
            hits, _, _ = skin.ray.intersects_location(entry, [[0.0, 1.0, 0.0]])
            assert 42.0 < hits[:, 1].max() - entry[0, 1] < 65.0


def test_vessels_run_a_few_millimetres_off_the_bodies(lumbar: PhantomCase) -> None:
    for name in ("aorta", "ivc"):
        vessel = lumbar.case.structure(name).mesh
        gaps = [-_depth_inside(lumbar.case.structure(v).mesh, vessel) for v in ("L2", "L3", "L4")]
        assert min(gaps) > 0.8, name
        assert min(gaps) < 4.0, name


def test_screw_shafts_stay_in_bone_from_isthmus_to_tip(lumbar: PhantomCase) -> None:
    for screw in lumbar.truth["screws"]:
        bone = lumbar.case.structure(screw["level"]).mesh
        head, tip = np.array(screw["head_mm"]), np.array(screw["tip_mm"])
        path = head + np.linspace(0.25, 1.0, 20)[:, None] * (tip - head)
        assert _depths(bone, path).min() > 2.0, screw["name"]


def test_screw_meshes_measure_what_the_truth_says(lumbar: PhantomCase) -> None:
    for screw in lumbar.truth["screws"]:
        mesh = lumbar.case.structure(screw["name"]).mesh
        head, tip = np.array(screw["head_mm"]), np.array(screw["tip_mm"])
        axis = (tip - head) / np.linalg.norm(tip - head)
        along = (mesh.vertices - head) @ axis
        radial = np.linalg.norm(mesh.vertices - head - along[:, None] * axis, axis=1)
        length = np.linalg.norm(tip - head)
        shaft = radial[(along > 4.0) & (along < length - 6.0)]
        assert along.max() == pytest.approx(length, abs=0.2)
        assert 2.0 * shaft.max() == pytest.approx(screw["diameter_mm"], abs=0.1)
        assert shaft.min() < 0.8 * shaft.max()


def test_rods_pass_through_the_tulips(lumbar: PhantomCase) -> None:
    for screw in lumbar.truth["screws"]:
        head, tip = np.array(screw["head_mm"]), np.array(screw["tip_mm"])
        seat = head - SEAT_BEHIND_HEAD_MM * (tip - head) / np.linalg.norm(tip - head)
        rod = lumbar.case.structure(f"rod_{'L' if screw['side'] == 'left' else 'R'}").mesh
        assert _depths(rod, seat[None, :])[0] > 2.4


def test_the_fracture_tilts_the_spine_above_it() -> None:
    levels = ("L2", "L3", "L4")
    tilts = []
    for loss in (0.0, 0.3):
        column = spine(levels, seed=1, scale=1.0, height_loss={"L3": loss})
        tilts.append(float(column.at("L2").pose.rotation[1, 2]))
    assert tilts[1] < tilts[0] - 0.03


def test_a_loose_screw_has_a_halo_around_it_within_the_bone() -> None:
    loose = Placement(level="L3", side=Side.LEFT, halo_mm=(1.2, 3.0))
    built = build_case(Recipe(name="one", title="one loose screw", levels=("L3",), screws=(loose,)))
    screw = built.truth["screws"][0]
    halo = built.case.structure("halo_L3_L").mesh
    head, tip = np.array(screw["head_mm"]), np.array(screw["tip_mm"])
    shares = np.array([0.5, 0.95])
    room = _depths(halo, head + shares[:, None] * (tip - head))
    radius = screw["diameter_mm"] / 2
    assert room[0] > radius + 0.2
    assert room[1] > room[0]
    bone = built.case.structure("L3").mesh
    assert _depths(bone, halo.vertices).min() > -0.6


def test_ribs_touch_neither_bone_nor_each_other_deeply(thoracic: PhantomCase) -> None:
    ribs = thoracic.case.of_kind(Kind.RIB)
    assert len(ribs) == 6
    for rib in ribs:
        for other in (*thoracic.case.of_kind(Kind.VERTEBRA), *ribs):
            if other is not rib:
                assert _depth_inside(other.mesh, rib.mesh) < 0.5, (rib.name, other.name)


def test_each_rib_head_sits_at_its_bodys_posterolateral_corner(thoracic: PhantomCase) -> None:
    for vertebra in thoracic.truth["vertebrae"]:
        bone = thoracic.case.structure(vertebra["level"]).mesh
        for letter in "LR":
            rib = thoracic.case.structure(f"rib_{letter}{int(vertebra['level'][1:]):02d}").mesh
            local = (rib.vertices - vertebra["origin_mm"]) @ np.array(vertebra["axes"]).T
            inmost = local[np.argmin(np.abs(local[:, 0]))]
            assert 4.0 < inmost[1] < 20.0
            assert 0.0 < inmost[2] < 16.0
            assert -2.0 < _depth_inside(bone, rib) < 0.5


def test_the_pleura_drapes_the_bodies_and_ribs_without_entering_them(
    thoracic: PhantomCase,
) -> None:
    for letter in "LR":
        pleura = thoracic.case.structure(f"pleura_{letter}").mesh
        gaps = [-_depth_inside(bone.mesh, pleura) for bone in thoracic.case.of_kind(Kind.VERTEBRA)]
        assert min(gaps) > 0.3
        assert max(gaps) < 3.5
        for other in thoracic.case.of_kind(Kind.RIB, Kind.VESSEL, Kind.SCREW, Kind.ROD):
            assert _depth_inside(pleura, other.mesh) < 1.0, other.name


def test_the_thoracic_case_has_its_halo_ribs_pleura_and_aorta(thoracic: PhantomCase) -> None:
    names = {structure.name for structure in thoracic.case.structures}
    assert {"halo_T8_L", "pleura_L", "pleura_R", "aorta", "skin", "dural_sac"} <= names


@pytest.mark.parametrize("levels", [("L3", "L5"), ("L4", "L3"), ("C7", "T1"), ()])
def test_levels_must_be_neighbours_from_above(levels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="neighbours"):
        spine(levels, seed=1, scale=1.0, height_loss={})


def test_a_recipe_refuses_screws_at_levels_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="T5 not among the levels L3"):
        Recipe(name="x", title="x", levels=("L3",), screws=(Placement(level="T5", side=Side.LEFT),))


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="lumbar-fracture"):
        recipe_named("cervical")


def test_another_seed_gives_another_valid_spine() -> None:
    recipe = replace(recipe_named("lumbar-fracture", seed=11), resolution_mm=2.0)
    built = build_case(recipe)
    assert all(structure.mesh.is_closed for structure in built.case.structures)
