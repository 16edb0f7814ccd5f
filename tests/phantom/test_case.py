"""Whole cases: what must hold between bones, hardware, sac, vessels and skin."""

from dataclasses import replace

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
    return trimesh.proximity.signed_distance(_oracle(mesh), points)  # type: ignore[no-untyped-call]


def _depth_inside(mesh: TriangleMesh, other: TriangleMesh) -> float:
    """How deep the vertices of ``other`` reach into ``mesh``, mm; negative when clear of it."""
    return float(_depths(mesh, other.vertices).max())


def test_every_structure_is_closed_and_outward(lumbar: PhantomCase) -> None:
    for structure in lumbar.case.structures:
        assert structure.mesh.is_closed, structure.name
        assert structure.mesh.volume_mm3 > 0.0, structure.name
        assert _oracle(structure.mesh).body_count == 1, structure.name


def test_vertebrae_do_not_touch_each_other(lumbar: PhantomCase) -> None:
    for upper, lower in (("L2", "L3"), ("L3", "L4")):
        above = lumbar.case.structure(upper).mesh
        assert _depth_inside(above, lumbar.case.structure(lower).mesh) < 0.0


def test_the_sac_lies_within_the_canal_clear_of_bone_and_screws(lumbar: PhantomCase) -> None:
    sac = lumbar.case.structure("dural_sac").mesh
    for structure in lumbar.case.of_kind(Kind.VERTEBRA, Kind.SCREW, Kind.ROD):
        assert _depth_inside(structure.mesh, sac) < -0.3, structure.name
        assert _depth_inside(sac, structure.mesh) < -0.3, structure.name


def test_the_skin_holds_everything(lumbar: PhantomCase) -> None:
    skin = lumbar.case.structure("skin").mesh
    for structure in lumbar.case.structures:
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
        for level in ("L2", "L3", "L4"):
            gap = -_depth_inside(lumbar.case.structure(level).mesh, vessel)
            assert 1.0 < gap < 8.0, (name, level)


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
