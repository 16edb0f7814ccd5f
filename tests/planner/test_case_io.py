"""Cases in and out: one content whatever the unit, frame or packing; every mistake by its field."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.frames import lps_from_ras
from geometry.mesh import Severity, TriangleMesh
from geometry.mesh_files import write_mesh
from geometry.solids import ellipsoid, tube
from planner.case import Case, Cylinder, Kind, PatientPosition, Side, Tube
from planner.case_io import case_from_document, load_case, save_case
from planner.errors import CaseError

UNIT_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}


def surfaces() -> dict[str, TriangleMesh]:
    """Two vertebrae, a canal behind them and an artery in front, at round coordinates."""
    return {
        "L3": ellipsoid(np.array([0.0, -90.0, 1000.0]), np.array([24.0, 18.0, 14.0])),
        "L4": ellipsoid(np.array([0.0, -88.0, 963.03125]), np.array([25.0, 18.5, 14.5])),
        "sac": tube(np.array([[0.0, -62.0, 930.0], [0.5, -64.0, 980.0], [0.0, -65.0, 1030.0]]), 15.0),
        "aorta": tube(np.array([[10.0, -125.0, 930.0], [9.0, -126.0, 1040.0]]), 20.0),
    }  # fmt: skip


KINDS = {"L3": "vertebra", "L4": "vertebra", "sac": "canal", "aorta": "vessel"}


def document(units: str = "mm", frame: str = "LPS", suffix: str = "ply") -> dict[str, Any]:
    def point(*values: float) -> list[float]:
        return (
            lps_from_ras(np.array([values], dtype=np.float64))[0].tolist()
            if frame == "RAS"
            else list(values)
        )

    rows: list[dict[str, Any]] = [
        {"name": name, "kind": kind, "file": f"meshes/{name}.{suffix}"}
        for name, kind in KINDS.items()
    ]
    rows[0]["level"], rows[1]["level"] = "L3", "L4"
    rows.append({
        "name": "screw_L3_L", "kind": "screw", "level": "L3", "side": "left",
        "cylinder": {"head_mm": point(21.14347, -60.71777, 996.67971),
                     "tip_mm": point(4.84765, -102.41370, 992.10839), "diameter_mm": 6.5},
    })  # fmt: skip
    rows.append({
        "name": "rod_L", "kind": "rod", "side": "left",
        "tube": {"points_mm": [point(24.0, -53.0, 960.0), point(24.0, -54.0, 1030.0)],
                 "diameter_mm": 5.5},
    })  # fmt: skip
    rows.append({
        "name": "cage", "kind": "cage",
        "box": {"centre_mm": point(0, -90, 981.5), "size_mm": [10, 22, 8]},
    })  # fmt: skip
    rows.append({
        "name": "halo", "kind": "halo",
        "ellipsoid": {"centre_mm": point(12, -82, 994), "radii_mm": [5, 12, 5]},
    })  # fmt: skip
    return {
        "schema": "trocar/case/1", "name": "two levels", "coordinate_system": frame, "units": units,
        "patient_position": "HFP", "structures": rows,
        "findings": {"L3": {"height_loss_percent": 30, "posterior_wall_broken": True}},
        "landmarks": {"L3": {"body_centre_mm": point(0.0, -90.0, 1000.0)}},
    }  # fmt: skip


def files(units: str = "mm", frame: str = "LPS", suffix: str = "ply") -> dict[str, bytes]:
    made = {}
    for name, mesh in surfaces().items():
        vertices = mesh.vertices / UNIT_MM[units]
        if frame == "RAS":
            vertices = lps_from_ras(vertices)
        in_file = TriangleMesh(vertices=vertices, faces=mesh.faces, is_closed=True)
        made[f"meshes/{name}.{suffix}"] = write_mesh(in_file, suffix)
    return made


def case(units: str = "mm", frame: str = "LPS", suffix: str = "ply") -> Case:
    return case_from_document(document(units, frame, suffix), files(units, frame, suffix))


def problems(read: Case) -> list[tuple[str, str, int | None]]:
    return [(s.name, p.code, p.count) for s in read.structures for p in s.problems]


def test_a_case_is_read_with_all_that_it_says() -> None:
    read = case()
    assert [s.name for s in read.structures] == [
        "L3", "L4", "sac", "aorta", "screw_L3_L", "rod_L", "cage", "halo",
    ]  # fmt: skip
    assert read.patient_position is PatientPosition.HFP
    assert dict(read.findings["L3"]) == {"height_loss_percent": 30.0, "posterior_wall_broken": True}
    assert read.landmarks["L3"]["body_centre_mm"].tolist() == [0.0, -90.0, 1000.0]
    assert read.warnings == ()
    screw = read.structure("screw_L3_L")
    assert (screw.kind, screw.level, screw.side) == (Kind.SCREW, "L3", Side.LEFT)
    assert isinstance(screw.primitive, Cylinder)
    assert isinstance(read.structure("rod_L").primitive, Tube)
    assert all(s.mesh.is_closed and s.mesh.volume_mm3 > 0.0 for s in read.structures)
    assert read.structure("cage").mesh.volume_mm3 == pytest.approx(10 * 22 * 8)


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
@pytest.mark.parametrize("units", ["mm", "cm", "m"])
def test_units_and_frames_do_not_change_the_content(units: str, frame: str) -> None:
    reference, read = case(), case(units, frame)
    for a, b in zip(reference.structures, read.structures, strict=True):
        assert np.array_equal(a.mesh.vertices, b.mesh.vertices)
        assert np.array_equal(a.mesh.faces, b.mesh.faces)
    assert read.digest == reference.digest
    assert problems(read) == problems(reference)
    assert np.allclose(read.landmarks["L3"]["body_centre_mm"], [0.0, -90.0, 1000.0])


@pytest.mark.parametrize("suffix", ["stl", "glb"])
def test_metres_in_32_bit_files_are_found_as_sound_as_millimetres(suffix: str) -> None:
    reference, read = case(), case("m", "RAS", suffix)
    assert problems(read) == problems(reference)
    assert read.warnings == ()
    for a, b in zip(reference.structures, read.structures, strict=True):
        assert b.mesh.is_closed
        assert a.mesh.volume_mm3 == pytest.approx(b.mesh.volume_mm3, rel=1e-4)


@given(shift=st.integers(-(2**20), 2**20), power=st.integers(0, 8), ten=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_the_digest_survives_units_on_binary_and_decimal_grids(
    shift: int, power: int, ten: int
) -> None:
    step = 0.5**power if ten == 0 else 0.1**ten
    spot = {"vertices_mm": [[0, 0, 0], [30, 0, 0], [0, 30, 0], [0, 0, 30 + (shift % 64) * step]],
            "faces": [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]}  # fmt: skip
    row = {"name": "L3", "kind": "vertebra", "level": "L3"}
    inline = {**document(), "structures": [{**row, **spot}], "landmarks": {}}
    reference = case_from_document(inline, {})
    vertices = np.array(spot["vertices_mm"], dtype=np.float64)
    for units, scale in UNIT_MM.items():
        mesh = TriangleMesh(
            vertices=vertices / scale, faces=np.array(spot["faces"]), is_closed=True
        )
        in_file = {**inline, "structures": [{**row, "file": "a.ply"}], "units": units}
        read = case_from_document(in_file, {"a.ply": write_mesh(mesh, "ply")})
        assert read.digest == reference.digest
        assert np.array_equal(
            read.structures[0].mesh.vertices, reference.structures[0].mesh.vertices
        )


def change_paths(spoilt: dict[str, Any]) -> None:
    spoilt["name"] = "another title"
    spoilt["provenance"] = {"source": "somewhere"}


def test_the_digest_is_of_the_content_only() -> None:
    renamed = document()
    change_paths(renamed)
    assert case_from_document(renamed, files()).digest == case().digest


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["structures"][0].update(name="other"),
        lambda d: d["structures"][0].update(level="L2"),
        lambda d: d["structures"][3].update(kind="segmental_vessel"),
        lambda d: d["structures"][4].update(side="right"),
        lambda d: d["structures"][4]["cylinder"].update(diameter_mm=6.6),
        lambda d: d["findings"]["L3"].update(height_loss_percent=31),
        lambda d: d["landmarks"]["L3"].update(left_pedicle_mm=[1, 2, 3]),
        lambda d: d.update(patient_position="FFP"),
        lambda d: d["structures"].pop(),
    ],
    ids=["name", "level", "kind", "side", "width", "finding", "landmark", "position", "number"],
)
def test_the_digest_changes_with_anything_a_plan_depends_on(
    change: Callable[[dict[str, Any]], object],
) -> None:
    changed = document()
    change(changed)
    assert case_from_document(changed, files()).digest != case().digest


def test_a_saved_case_reads_back_the_same(tmp_path: Path) -> None:
    for original in (case(), case("m", "RAS", "stl")):
        save_case(original, tmp_path)
        read = load_case(tmp_path)
        assert read.digest == original.digest
        assert read.name == original.name
        assert read.findings == original.findings
        assert load_case(tmp_path / "case.json").digest == original.digest


def test_a_blob_is_fetched_by_its_hash_and_recognised_by_its_bytes() -> None:
    sent = document()
    key = "ab" * 32
    sent["structures"][0]["blob"] = key
    del sent["structures"][0]["file"]
    fetched = {**files(), key: files()["meshes/L3.ply"]}
    assert case_from_document(sent, fetched.__getitem__).digest == case().digest
    del fetched[key]
    with pytest.raises(CaseError) as caught:
        case_from_document(sent, fetched)
    assert (caught.value.code, caught.value.field) == ("missing-file", "structures[0].blob")


def in_folder(folder: Path, text: bytes) -> Path:
    for name, data in files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "case.json").write_bytes(text)
    return folder


def test_blobs_are_refused_in_folders(tmp_path: Path) -> None:
    sent = document()
    del sent["structures"][0]["file"]
    sent["structures"][0]["blob"] = "ab" * 32
    with pytest.raises(CaseError, match="name a file"):
        load_case(in_folder(tmp_path, json.dumps(sent).encode()))


@pytest.mark.parametrize(
    ("stated", "written", "fits"),
    [("m", "mm", "'mm'"), ("mm", "m", "'m'"), ("mm", "cm", "'cm'"), ("cm", "mm", "'mm'")],
)
def test_a_wrong_unit_is_refused_with_the_one_that_fits(
    stated: str, written: str, fits: str
) -> None:
    with pytest.raises(CaseError, match=f"units is '{stated}', but .*{fits}") as caught:
        case_from_document(document(stated), files(written))
    assert (caught.value.field, caught.value.code) == ("structures[0].file", "implausible-extent")


def test_a_vessel_in_the_bone_is_told_by_name_and_depth() -> None:
    sent = files()
    near = tube(np.array([[0.0, -111.0, 960.0], [0.0, -111.0, 1040.0]]), 12.0)
    sent["meshes/aorta.ply"] = write_mesh(near, "ply")
    read = case_from_document(document(), sent)
    (problem,) = [p for p in read.structure("aorta").problems if "L3" in p.message]
    assert problem.code == "overlaps-bone"
    assert re.search(r"about (2.9|3.0) mm into L3", problem.message)


def test_the_shared_cases_load_without_refusal_or_suspicion(shared_cases: Path) -> None:
    folders = [f for f in sorted(shared_cases.iterdir()) if (f / "case.json").is_file()]
    assert len(folders) == 5
    for folder in folders:
        read = load_case(folder)
        assert all(s.mesh.is_closed for s in read.structures), folder.name
        assert read.warnings == ()
        codes = {p.code for s in read.structures for p in s.problems}
        assert codes <= {"several-parts", "overlaps-bone"}
        assert not any(p.severity is Severity.REPAIRED for s in read.structures for p in s.problems)
