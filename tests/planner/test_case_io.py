"""Cases in and out: one content whatever the unit, frame or packing; every mistake by its field."""

import copy
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
from geometry.solids import box, ellipsoid, tube
from planner.case import Case, Cylinder, Kind, PatientPosition, Side, Tube
from planner.case_io import case_from_document, load_case, save_case
from planner.case_io.extents import PLAUSIBLE_MM
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


# Few triangles, so that many changes can be tried.
SMALL_FILES = {
    f"meshes/{name}.ply": write_mesh(box(np.mean(mesh.bounds, axis=0), np.ptp(mesh.bounds, axis=0)), "ply")
    for name, mesh in surfaces().items()
}  # fmt: skip


def refusal(
    change: Callable[[dict[str, Any]], object], sent: dict[str, bytes] | None = None
) -> CaseError:
    spoilt = document()
    change(spoilt)
    with pytest.raises(CaseError) as caught:
        case_from_document(spoilt, SMALL_FILES if sent is None else sent)
    return caught.value


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
        assert np.abs(a.mesh.vertices - b.mesh.vertices).max() < 1e-9
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


def replaced(index: int, **fields: object) -> Callable[[dict[str, Any]], object]:
    def change(spoilt: dict[str, Any]) -> None:
        row = spoilt["structures"][index]
        for key, value in fields.items():
            row[key] = value
            if value is None:
                del row[key]

    return change


SQUARE = [[0, 0, 0], [40, 0, 0], [0, 40, 0]]
MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str, str, str]] = {
    # what: (change, field, code, what the message says)
    "no units": (lambda d: d.pop("units"), "units", "missing-field", "mm, cm, m"),
    "inches": (lambda d: d.update(units="inch"), "units", "unknown-units", "mm, cm, m"),
    "no frame": (lambda d: d.pop("coordinate_system"), "coordinate_system", "missing-field", "LPS, RAS"),
    "a frame unknown": (lambda d: d.update(coordinate_system="LAS"), "coordinate_system",
                        "unknown-coordinate-system", "'LAS' is not one of LPS, RAS"),
    "another schema": (lambda d: d.update(schema="trocar/case/2"), "schema", "unknown-schema", "case/1"),
    "no schema": (lambda d: d.pop("schema"), "schema", "missing-field", "trocar/case/1"),
    "a key unknown": (lambda d: d.update(unit="mm"), "unit", "unknown-field", "coordinate_system, units"),
    "a position unknown": (lambda d: d.update(patient_position="prone"), "patient_position",
                           "unknown-patient-position", "HFS, HFP"),
    "no structures": (lambda d: d.update(structures=[]), "structures", "wrong-length", "at least 1"),
    "structures no list": (lambda d: d.update(structures={}), "structures", "wrong-type", "list"),
    "a structure no object": (lambda d: d.update(structures=[3]), "structures[0]", "wrong-type", "dict"),
    "a kind unknown": (replaced(2, kind="spinal_canal"), "structures[2].kind", "unknown-kind", "canal, nerve_root"),
    "no kind": (replaced(2, kind=None), "structures[2].kind", "missing-field", "required: one of vertebra"),
    "a kind no text": (replaced(2, kind=3), "structures[2].kind", "wrong-type", "string"),
    "a level unknown": (replaced(0, level="L7"), "structures[0].level", "unknown-level", "L5, L6, S1"),
    "a side unknown": (replaced(4, side="L"), "structures[4].side", "unknown-side", "left, right"),
    "a field unknown": (replaced(3, colour="red"), "structures[3].colour", "unknown-field", "vertices_mm"),
    "a name twice": (replaced(1, name="L3"), "structures[1].name", "duplicate-name", "structures[0]"),
    "a name with a slash": (replaced(1, name="../L4"), "structures[1].name", "bad-name", "no slashes"),
    "no name": (replaced(1, name=""), "structures[1].name", "wrong-length", "at least 1"),
    "no geometry": (replaced(1, file=None), "structures[1]", "no-geometry", "'L4' needs exactly one"),
    "two geometries": (replaced(1, label=3), "structures[1]", "several-geometries", "file and label"),
    "a label map": (replaced(1, file=None, label=3), "structures[1].label", "labelmap-unsupported", "not read yet"),
    "a label map on top": (lambda d: d.update(labelmap="ct.nii"), "labelmap", "labelmap-unsupported", "surface"),
    "faces alone": (replaced(1, faces=[[0, 1, 2]]), "structures[1]", "no-geometry", "together"),
    "a vertex of two numbers": (replaced(1, file=None, vertices_mm=[[0, 1]], faces=[[0, 1, 2]]),
                                "structures[1].vertices_mm[0]", "wrong-length", "3 items"),
    "a vertex of text": (replaced(1, file=None, vertices_mm=[["0", 1, 2]], faces=[[0, 1, 2]]),
                         "structures[1].vertices_mm[0][0]", "wrong-type", "number"),
    "a vertex not finite": (replaced(1, file=None, vertices_mm=[[0.0, 1, float("inf")]], faces=[[0, 1, 2]]),
                            "structures[1].vertices_mm[0][2]", "non-finite", "finite"),
    "a vertex of truth": (replaced(1, file=None, vertices_mm=[[True, 1, 2]], faces=[[0, 1, 2]]),
                          "structures[1].vertices_mm[0][0]", "wrong-type", "number"),
    "a face beyond": (replaced(1, file=None, vertices_mm=SQUARE, faces=[[0, 1, 3]]),
                      "structures[1].vertices_mm", "index-out-of-range", "L4 (vertebra, vertices_mm)"),
    "a face far beyond": (replaced(1, file=None, vertices_mm=SQUARE, faces=[[0, 1, 10**30]]),
                          "structures[1].vertices_mm", "index-out-of-range", "L4"),
    "a face fractional": (replaced(1, file=None, vertices_mm=SQUARE, faces=[[0, 1, 1.5]]),
                          "structures[1].faces[0][2]", "wrong-type", "integer"),
    "no face": (replaced(1, file=None, vertices_mm=SQUARE, faces=[]),
                "structures[1].vertices_mm", "no-triangles", "no triangle"),
    "only degenerate faces": (replaced(1, file=None, vertices_mm=SQUARE, faces=[[0, 1, 1]]),
                              "structures[1].vertices_mm", "no-triangles", "degenerate"),
    "a screw of no length": (lambda d: d["structures"][4]["cylinder"].update(tip_mm=[21.14347, -60.71777, 996.67971]),
                             "structures[4].cylinder", "coincident-points", "screw_L3_L"),
    "a screw of no width": (lambda d: d["structures"][4]["cylinder"].update(diameter_mm=0),
                            "structures[4].cylinder.diameter_mm", "out-of-range", "greater than 0"),
    "a screw's length missing": (lambda d: d["structures"][4]["cylinder"].pop("tip_mm"),
                                 "structures[4].cylinder.tip_mm", "missing-field", "required"),
    "a screw's field unknown": (lambda d: d["structures"][4]["cylinder"].update(length_mm=40),
                                "structures[4].cylinder.length_mm", "unknown-field", "head_mm, tip_mm, diameter_mm"),
    "a rod of one point": (lambda d: d["structures"][5]["tube"].update(points_mm=[[0, 0, 0]]),
                           "structures[5].tube.points_mm", "wrong-length", "at least 2"),
    "a box of no height": (lambda d: d["structures"][6]["box"].update(size_mm=[10, 22, 0]),
                           "structures[6].box", "implausible-size", "cage"),
    "axes that lean": (lambda d: d["structures"][6]["box"].update(axes=[[1, 0, 0], [1, 1, 0], [0, 0, 1]]),
                       "structures[6].box", "bad-axes", "perpendicular"),
    "a file not sent": (replaced(0, file="meshes/L9.ply"), "structures[0].file", "missing-file", "'meshes/L9.ply'"),
    "a file of no mesh type": (replaced(0, file="meshes/L3.txt"), "structures[0].file", "missing-file", "L3.txt"),
    "a blob of no hash": (replaced(0, file=None, blob="xyz"), "structures[0].blob", "wrong-form", "pattern"),
    "a finding unknown": (lambda d: d["findings"]["L3"].update(lamina=True),
                          "findings.L3.lamina", "unknown-field", "lamina_removed, facets_removed"),
    "a finding too large": (lambda d: d["findings"]["L3"].update(height_loss_percent=130),
                            "findings.L3.height_loss_percent", "out-of-range", "100"),
    "a finding no truth": (lambda d: d["findings"]["L3"].update(lamina_removed=1),
                           "findings.L3.lamina_removed", "wrong-type", "boolean"),
    "a failure type unknown": (lambda d: d["findings"]["L3"].update(failure_type=5),
                               "findings.L3.failure_type", "out-of-range", "4"),
    "findings of no level": (lambda d: d["findings"].update(X1={}), "findings.X1", "unknown-level", "C7, T1"),
    "a landmark unknown": (lambda d: d["landmarks"]["L3"].update(tip_mm=[0, 0, 0]),
                           "landmarks.L3.tip_mm", "unknown-field", "body_centre_mm"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_named_by_its_field_with_the_choices(what: str) -> None:
    change, field, code, says = MISTAKES[what]
    error = refusal(change)
    assert (error.field, error.code) == (field, code)
    assert says in str(error)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda data: data[:-5], "truncated"),
        (lambda data: data + b"extra", "count-mismatch"),
        (lambda _: b"", "empty-file"),
        (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(100), "unknown-format"),
        (lambda data: data[:280] + b"\xff" * 24 + data[304:], "non-finite"),
    ],
)
def test_a_broken_file_is_refused_with_the_structure_s_name(
    spoil: Callable[[bytes], bytes], code: str
) -> None:
    sent = dict(SMALL_FILES)
    sent["meshes/aorta.ply"] = spoil(sent["meshes/aorta.ply"])
    error = refusal(lambda _: None, sent)
    assert (error.field, error.code) == ("structures[3].file", code)
    assert str(error).startswith("aorta (vessel, file): ")


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


def test_inline_metres_are_refused_as_fields_in_mm() -> None:
    metres = (np.array(SQUARE) / 1000.0).tolist()
    error = refusal(replaced(1, file=None, vertices_mm=metres, faces=[[0, 1, 2]]))
    assert error.code == "implausible-extent"
    assert "look like m, but fields ending in _mm" in str(error)


def test_every_kind_has_a_plausible_size() -> None:
    assert set(PLAUSIBLE_MM) == set(Kind)
    for low, high in PLAUSIBLE_MM.values():
        assert 0.1 < low < high < 3000.0


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (b"", "malformed-json", "line 1"),
        (b"{\n \"schema\": \"trocar/case/1\",\n oops}", "malformed-json", "line 3, column 2"),
        (b"[]", "malformed-json", "object"),
        (b"\xff\xfe{}", "malformed-json", "UTF-8"),
        (b'{"units": NaN}', "non-finite", "NaN"),
        (b'{"units": -Infinity}', "non-finite", "-Infinity"),
        (b'{"units": "mm", "units": "m"}', "duplicate-key", "'units'"),
        (b"[" * 100_000, "malformed-json", "nested"),
        (b'{"units": ' + b"9" * 5000 + b"}", "malformed-json", "digits"),
    ],
)  # fmt: skip
def test_text_that_is_no_json_is_refused_with_its_place(
    tmp_path: Path, text: bytes, code: str, says: str
) -> None:
    with pytest.raises(CaseError) as caught:
        load_case(in_folder(tmp_path, text))
    assert (caught.value.field, caught.value.code) == ("case.json", code)
    assert says in str(caught.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + json.dumps(document()).encode()
    assert load_case(in_folder(tmp_path, text)).digest == case().digest


def _read_or_error(changed: dict[str, Any]) -> Case | CaseError:
    """Any other exception is a failure of the test."""
    try:
        return case_from_document(changed, SMALL_FILES)
    except CaseError as error:
        return error


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_change_to_a_document_is_read_or_refused_by_name(data: st.DataObject) -> None:
    changed = copy.deepcopy(document())
    place: Any = changed
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(place[key], (dict, list)) and len(place[key]) > 0
        if deeper and data.draw(st.booleans()):
            place = place[key]
            continue
        if data.draw(st.booleans()):
            place[key] = data.draw(json_values)
        else:
            del place[key]
        break
    read = _read_or_error(changed)
    if isinstance(read, CaseError):
        assert read.field
        assert read.code
        assert len(str(read)) > 10
    else:
        assert all(len(s.mesh.faces) > 0 for s in read.structures)


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
