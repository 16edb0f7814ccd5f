"""The exported scene: names, sizes, places and colours survive being loaded again."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from api.exports import write_exports
from geometry.arrays import frozen
from geometry.frames import lps_from_ras
from geometry.mesh import triangle_mesh
from planner.case import Case
from planner.needles.path import Arc, path_chords
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, PlanRequest
from planner.result import Plan
from preview.export import needle_tube, write_glb
from preview.looks import needle_colour
from preview.scene import DrawnNeedle, scene_of


@pytest.fixture
def loaded(small_case: Case, small_plan: Plan, tmp_path: Path) -> trimesh.Scene:
    write_glb(scene_of(small_case, small_plan), tmp_path / "scene.glb")
    return trimesh.load_scene(tmp_path / "scene.glb")


def test_every_structure_and_trajectory_is_a_named_node(
    loaded: trimesh.Scene, small_case: Case
) -> None:
    names = {structure.name for structure in small_case.structures}
    assert set(loaded.graph.nodes_geometry) == names | {"target", "trajectory_1", "trajectory_2"}


def test_the_scene_is_in_metres_with_y_up_and_z_to_the_front(
    loaded: trimesh.Scene, small_plan: Plan
) -> None:
    tube = loaded.dump(concatenate=False)
    matrix, name = loaded.graph["trajectory_1"]
    points = trimesh.transformations.transform_points(loaded.geometry[name].vertices, matrix)
    tip, entry = small_plan.trajectories[0].tip_mm, small_plan.trajectories[0].entry_skin_mm
    for end in (tip, entry):
        left, posterior, superior = end / 1000.0
        gap = np.linalg.norm(points - np.array([left, superior, -posterior]), axis=1).min()
        assert gap < 1e-6
    assert len(tube) == len(loaded.graph.nodes_geometry)


def test_scenes_in_lps_and_in_ras_look_the_same(
    loaded: trimesh.Scene, small_case: Case, small_plan: Plan, tmp_path: Path
) -> None:
    write_glb(scene_of(small_case, small_plan), tmp_path / "ras.glb", frame="RAS")
    ras = trimesh.load_scene(tmp_path / "ras.glb")
    assert np.allclose(ras.bounds, loaded.bounds, atol=1e-7)
    assert "patient_RAS_mm" in ras.graph.nodes
    ours, theirs = (scene.geometry["L3"].vertices for scene in (ras, loaded))
    assert np.allclose(ours, lps_from_ras(theirs), atol=1e-4)


def test_exports_hold_every_structure_and_needle(
    small_case: Case, small_plan: Plan, tmp_path: Path
) -> None:
    asked = PlanRequest(target=AnteriorBody(level="L3"))
    told = write_exports(PreparedCase(small_case), asked, small_plan, tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    assert {line.rpartition("/")[2] for line in told} == written
    assert {"L3.dcm", "trajectory_1.dcm", "trajectories.csv", "scene_RAS.vtp"} <= written
    lines = (tmp_path / "trajectories.csv").read_text().splitlines()
    assert len(lines) == 1 + len(small_plan.trajectories)


def test_nothing_in_the_scene_is_not_a_number(loaded: trimesh.Scene) -> None:
    for geometry in loaded.geometry.values():
        assert np.isfinite(geometry.vertices).all()
        assert len(geometry.faces) > 0


def test_colours_and_translucency_survive(loaded: trimesh.Scene) -> None:
    bone = loaded.geometry["L3"].visual.material
    assert bone.alphaMode == "BLEND"
    assert 0 < bone.baseColorFactor[3] < 255
    needle = loaded.geometry["trajectory_1"].visual.material
    np.testing.assert_allclose(needle.baseColorFactor[:3] / 255.0, needle_colour(1), atol=0.003)
    assert loaded.geometry["screw_L3_L"].visual.material.metallicFactor > 0.5


def test_the_same_scene_gives_the_same_bytes(
    small_case: Case, small_plan: Plan, tmp_path: Path
) -> None:
    for name in ("one.glb", "other.glb"):
        write_glb(scene_of(small_case, small_plan), tmp_path / name)
    assert (tmp_path / "one.glb").read_bytes() == (tmp_path / "other.glb").read_bytes()


def test_a_straight_needles_tube_is_closed_and_has_its_volume() -> None:
    points = frozen([[3.0, 80.0, 5.0], [0.0, -10.0, 12.0]])
    vertices, faces = needle_tube(
        DrawnNeedle(rank=1, colour=(1.0, 0.0, 0.0), points_mm=points, radius_mm=1.2)
    )
    tube = triangle_mesh(vertices, faces)
    sector = 0.5 * 24 * np.sin(2.0 * np.pi / 24)
    length = float(np.linalg.norm(points[1] - points[0]))
    assert tube.is_closed
    assert tube.volume_mm3 == pytest.approx(sector * 1.2**2 * length)


def test_a_curved_needles_tube_stays_at_its_radius() -> None:
    arc = Arc(
        start_mm=frozen([20.0, 0.0, 0.0]), end_mm=frozen([0.0, 20.0, 0.0]),
        centre_mm=frozen([0.0, 0.0, 0.0]), radius_mm=20.0, angle_rad=np.pi / 2.0,
    )  # fmt: skip
    points = frozen(path_chords((arc,)))
    vertices, faces = needle_tube(
        DrawnNeedle(rank=1, colour=(1.0, 0.0, 0.0), points_mm=points, radius_mm=1.0)
    )
    tube = triangle_mesh(vertices, faces)
    assert tube.is_closed
    assert tube.volume_mm3 > 0.0
    walls = vertices[: 24 * len(points)]
    from_axis = np.hypot(np.hypot(walls[:, 0], walls[:, 1]) - 20.0, walls[:, 2])
    np.testing.assert_allclose(from_axis, 1.0, atol=1e-3)
