"""What other programs read back: VTK, pydicom and the csv module find what the plan says."""

import csv
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from exchange.dicom import ENCAPSULATED_STL, read_dicom
from exchange.encapsulated_stl import encapsulated_stl, frame_of_reference
from exchange.ranked_table import COLUMNS, ranked_table
from exchange.segments import Model
from exchange.vtp import vtp_bytes
from geometry.frames import lps_from_ras
from geometry.mesh import TriangleMesh, merged
from geometry.mesh_files import read_mesh
from geometry.solids import box, cylinder
from planner.case import Case, Kind, Structure

SURFACES: dict[str, TriangleMesh] = {
    "L3": box(np.array([10.0, 20.0, 30.0]), np.array([30.0, 24.0, 20.0]), np.eye(3)),
    "trajectory_1": cylinder(np.array([40.0, 90.0, 30.0]), np.array([10.0, 20.0, 30.0]), 1.83),
}
CASE = Case(
    name="", digest="00ff", provenance={"frame_of_reference_uid": "1.2.826.0.1.3680043.8.498.1"},
    structures=(Structure(name="L3", kind=Kind.VERTEBRA, mesh=SURFACES["L3"]),),
)  # fmt: skip


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
def test_vtk_reads_a_scene_with_its_frame_and_names(tmp_path: Path, frame: str) -> None:
    pyvista = pytest.importorskip("pyvista")
    path = tmp_path / "scene.vtp"
    path.write_bytes(vtp_bytes(SURFACES, frame))
    found = pyvista.read(path)
    whole = merged(list(SURFACES.values()))
    points = whole.vertices if frame == "LPS" else lps_from_ras(whole.vertices)
    assert np.array_equal(found.points, points)
    assert np.array_equal(found.faces.reshape(-1, 4)[:, 1:], whole.faces)
    assert list(found.field_data["SPACE"]) == [frame]
    assert list(found.field_data["names"]) == list(SURFACES)
    assert np.bincount(found.cell_data["structure"]).tolist() == [
        len(mesh.faces) for mesh in SURFACES.values()
    ]


def test_a_scene_is_read_by_our_own_door_too() -> None:
    raw = read_mesh(vtp_bytes(SURFACES, "LPS"), "vtp")
    assert len(raw.faces) == sum(len(mesh.faces) for mesh in SURFACES.values())


def test_pydicom_finds_a_whole_encapsulated_stl(tmp_path: Path) -> None:
    data = encapsulated_stl(CASE, "L3", SURFACES["L3"], number=2)
    assert data == encapsulated_stl(CASE, "L3", SURFACES["L3"], number=2)
    path = tmp_path / "L3.dcm"
    path.write_bytes(data)
    file = pydicom.dcmread(path)
    assert file.SOPClassUID == ENCAPSULATED_STL
    assert file.FrameOfReferenceUID == CASE.provenance["frame_of_reference_uid"]
    assert (file.Modality, file.DocumentTitle, file.InstanceNumber) == ("M3D", "L3", 2)
    assert file.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    assert str(file.PatientName) == ""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert file[keyword].value.is_valid
    [model] = read_dicom(path).parts
    assert isinstance(model, Model)
    assert model.label == "L3"
    assert len(model.mesh.faces) == len(SURFACES["L3"].faces)
    assert np.allclose(model.mesh.vertices.min(axis=0), SURFACES["L3"].bounds[0], atol=1e-5)


def test_a_case_without_a_frame_has_one_of_its_own() -> None:
    own = Case(name="", digest="00ff", structures=())
    other = Case(name="", digest="00fe", structures=())
    assert frame_of_reference(own) == frame_of_reference(own) != frame_of_reference(other)


def test_the_ranked_table_says_what_the_plan_says() -> None:
    one = {
        "rank": 1, "approach": "transpedicular", "side": "left", "technique": "t", "needle": "n",
        "margin_mm": 1.5, "limiting_structure": "screw, left", "length_mm": 101.0,
        "depth_to_bone_mm": 50.0, "outer_diameter_mm": 1.83, "entry_skin_mm": [1.0, 2.0, 3.0],
        "entry_bone_mm": None, "tip_mm": [4.0, 5.0, 6.0], "tolerance": {"entry_mm": 1.0, "angle_deg": 2.0},
        "breach_probability": {"total": 0.03}, "cautions": ["near, but not too near", "b"],
        "views": [{"role": "bulls_eye", "label": "LPO 20 CRA 8"}],
    }  # fmt: skip
    [row] = csv.DictReader(io.StringIO(ranked_table({"trajectories": [one]})))
    assert tuple(row) == COLUMNS
    assert (row["rank"], row["limiting_structure"], row["bulls_eye"]) == (
        "1",
        "screw, left",
        "LPO 20 CRA 8",
    )
    assert [row[f"tip_mm_{axis}"] for axis in ("left", "posterior", "superior")] == [
        "4.0",
        "5.0",
        "6.0",
    ]
    assert row["entry_bone_mm_left"] == ""
    assert row["cautions"] == "near, but not too near; b"
