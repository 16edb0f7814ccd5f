"""``trocar plan --export``: every file that it leaves is read back by another program's reader."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pydicom
import pytest
import trimesh
from typer.testing import CliRunner, Result

from api.cli import app
from api.samples import sample_case
from exchange.dicom import ENCAPSULATED_STL, read_dicom
from exchange.segments import Model
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.mesh_files import RawMesh, read_mesh
from tests.api.conftest import Bundle
from tests.api.test_markups import RULES

KEPT = ("L3", "dural_sac", "screw_L3_L")
ASKED = (
    "--target", "anterior_body:L3", "--needle", "15G-bevel-150", "--approach", "transpedicular",
    "--side", "left", "--max-trajectories", "1",
)  # fmt: skip


def _plan(case: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, (case, *words))], catch_exceptions=False)


def _surface(path: Path) -> RawMesh:
    [model] = read_dicom(path).parts
    assert isinstance(model, Model)
    return model.mesh


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a case of the sample's fractured bone, its dural sac and one of its screws."""
    folder = sample_case("lumbar-fracture")
    document = json.loads((folder / "case.json").read_text())
    rows = [row for row in document["structures"] if row["name"] in KEPT]
    files = {row["file"]: (folder / row["file"]).read_bytes() for row in rows}
    return Bundle({**document, "structures": rows}, files).write(tmp_path_factory.mktemp("part"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a plan with ``--export`` left, and what it said."""

    out: Path
    said: str
    trajectory: dict[str, Any]
    bone: TriangleMesh

    @property
    def line(self) -> np.ndarray:
        """Skin entry and tip, LPS, mm."""
        return np.array([self.trajectory[end] for end in ("entry_skin_mm", "tip_mm")])


@pytest.fixture(scope="module")
def exported(part: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    out = tmp_path_factory.mktemp("out")
    done = _plan(part, *ASKED, "--out", out, "--export")
    assert done.exit_code == 0, done.output
    [trajectory] = json.loads((out / "plan.json").read_text())["trajectories"]
    mesh = read_mesh((part / "meshes" / "L3.ply").read_bytes(), "ply")
    bone = triangle_mesh(mesh.vertices, mesh.faces)
    return Exported(out=out, said=done.stderr, trajectory=trajectory, bone=bone)


def test_every_file_is_written_and_told(exported: Exported) -> None:
    folder = exported.out / "exports"
    assert {path.name for path in folder.iterdir()} == {
        "trajectories.csv", "scene_LPS.vtp", "scene_RAS.vtp", "scene_LPS.glb", "scene_RAS.glb",
        "L3.dcm", "trajectory_1.dcm",
    }  # fmt: skip
    for path in (*folder.iterdir(), exported.out / "markups.mrk.json"):
        assert f"wrote {path}\n" in exported.said


def test_the_markups_keep_to_slicers_schema_and_hold_the_path(exported: Exported) -> None:
    document = json.loads((exported.out / "markups.mrk.json").read_text())
    jsonschema.Draft7Validator(RULES).validate(document)
    [markup] = document["markups"]
    stated = (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"])
    assert stated == ("Line", "LPS", "mm")
    points = [point["position"] for point in markup["controlPoints"]]
    np.testing.assert_allclose(points, exported.line, atol=1e-3)


def test_the_table_says_what_the_plan_says(exported: Exported) -> None:
    with (exported.out / "exports" / "trajectories.csv").open(newline="") as opened:
        [row] = csv.DictReader(opened)
    for name in ("approach", "side", "needle", "limiting_structure"):
        assert row[name] == exported.trajectory[name]
    assert float(row["margin_mm"]) == exported.trajectory["margin_mm"]
    tip = [float(row[f"tip_mm_{axis}"]) for axis in ("left", "posterior", "superior")]
    assert tip == exported.trajectory["tip_mm"]


@pytest.mark.parametrize(("frame", "sign"), [("LPS", 1.0), ("RAS", -1.0)])
def test_vtk_reads_the_scene_in_the_frame_it_states(
    exported: Exported, frame: str, sign: float
) -> None:
    pyvista = pytest.importorskip("pyvista")
    scene = pyvista.read(exported.out / "exports" / f"scene_{frame}.vtp")
    names = list(scene.field_data["names"])
    assert list(scene.field_data["SPACE"]) == [frame]
    assert sorted(names) == sorted([*KEPT, "trajectory_1"])
    bone = scene.extract_cells(scene.cell_data["structure"] == names.index("L3"))
    assert bone.n_cells == len(exported.bone.faces)
    low_high = np.sort(np.array(exported.bone.bounds) * [sign, sign, 1.0], axis=0)
    np.testing.assert_allclose(np.reshape(bone.bounds, (3, 2)).T, low_high, atol=1e-3)


@pytest.mark.parametrize(("frame", "sign"), [("LPS", 1.0), ("RAS", -1.0)])
def test_a_gltf_reader_finds_the_needle_from_skin_to_tip(
    exported: Exported, frame: str, sign: float
) -> None:
    scene = trimesh.load_scene(exported.out / "exports" / f"scene_{frame}.glb")
    assert {*KEPT, "trajectory_1"} <= set(scene.graph.nodes_geometry)
    assert f"patient_{frame}_mm" in scene.graph.nodes
    needle = scene.geometry["trajectory_1"].vertices * [sign, sign, 1.0]
    for end in exported.line:
        assert np.linalg.norm(needle - end, axis=1).min() < 1e-3


def test_pydicom_finds_the_bone_and_the_needle_in_one_frame(exported: Exported) -> None:
    folder = exported.out / "exports"
    bone, needle = (pydicom.dcmread(folder / f"{n}.dcm") for n in ("L3", "trajectory_1"))
    assert {file.SOPClassUID for file in (bone, needle)} == {ENCAPSULATED_STL}
    assert (bone.DocumentTitle, needle.DocumentTitle) == ("L3", "trajectory_1")
    assert bone.FrameOfReferenceUID == needle.FrameOfReferenceUID
    assert bone.SeriesInstanceUID == needle.SeriesInstanceUID
    assert bone.SOPInstanceUID != needle.SOPInstanceUID
    drawn, tube = (_surface(folder / f"{name}.dcm") for name in ("L3", "trajectory_1"))
    assert len(drawn.faces) == len(exported.bone.faces)
    bounds = [drawn.vertices.min(axis=0), drawn.vertices.max(axis=0)]
    np.testing.assert_allclose(bounds, exported.bone.bounds, atol=1e-3)
    for end in exported.line:
        assert np.linalg.norm(tube.vertices - end, axis=1).min() < 1e-3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--target", "anterior_body:L3"), "export: is written under --out"),
        (("--target", "anterior_body:L3", "--out", "o", "--server", "http://127.0.0.1:9"),
         "leave --server out"),
        (("--target", "anterior_body:L3", "--target", "screw_tip:screw_L3_L", "--out", "o"),
         "export: is written for one target"),
    ],
)  # fmt: skip
def test_an_export_of_nothing_is_refused_before_anything_is_planned(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], reason: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = _plan(part, *words, "--export")
    assert done.exit_code == 2
    assert reason in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_export_takes_no_format_and_says_so(part: Path) -> None:
    done = _plan(part, *ASKED, "--export=step")
    assert done.exit_code == 2
    assert "--export" in done.stderr
    assert "does not take a value" in done.stderr


@pytest.mark.parametrize("blocked", ["out", "out/exports"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_search(
    part: Path, tmp_path: Path, blocked: str
) -> None:
    path = tmp_path / blocked
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")
    done = _plan(part, *ASKED, "--out", tmp_path / "out", "--export")
    assert done.exit_code == 2
    assert "out: " in done.stderr
    assert "cannot be made a folder" in done.stderr
    assert "searching" not in done.stderr
    assert path.read_text() == "a file"
