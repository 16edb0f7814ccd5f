"""Every mistake in a case is named by its field, with what would be right."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.mesh_files import write_mesh
from geometry.solids import box
from planner.case import Case, Kind
from planner.case_io import case_from_document, load_case
from planner.case_io.extents import PLAUSIBLE_MM
from planner.errors import CaseError


def document() -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"name": "L3", "kind": "vertebra", "level": "L3", "file": "meshes/L3.ply"},
        {"name": "L4", "kind": "vertebra", "level": "L4", "file": "meshes/L4.ply"},
        {"name": "sac", "kind": "canal", "file": "meshes/sac.ply"},
        {"name": "aorta", "kind": "vessel", "file": "meshes/aorta.ply"},
        {"name": "screw_L3_L", "kind": "screw", "level": "L3", "side": "left",
         "cylinder": {"head_mm": [21, -60, 996], "tip_mm": [5, -102, 992], "diameter_mm": 6.5}},
        {"name": "rod_L", "kind": "rod", "side": "left",
         "tube": {"points_mm": [[24, -53, 960], [24, -54, 1030]], "diameter_mm": 5.5}},
        {"name": "cage", "kind": "cage", "box": {"centre_mm": [0, -90, 981], "size_mm": [10, 22, 8]}},
    ]  # fmt: skip
    return {
        "schema": "trocar/case/1", "name": "boxes", "coordinate_system": "LPS", "units": "mm",
        "patient_position": "HFP", "structures": rows,
        "findings": {"L3": {"height_loss_percent": 30}},
        "landmarks": {"L3": {"body_centre_mm": [0, -90, 1000]}},
    }  # fmt: skip


def solid(centre: tuple[float, float, float], size: tuple[float, float, float]) -> bytes:
    return write_mesh(
        box(np.array(centre, dtype=np.float64), np.array(size, dtype=np.float64)), "ply"
    )


# Few triangles, so that many changes can be tried.
FILES = {
    "meshes/L3.ply": solid((0, -90, 1000), (48, 36, 28)),
    "meshes/L4.ply": solid((0, -90, 963), (48, 36, 28)),
    "meshes/sac.ply": solid((0, -62, 980), (15, 15, 100)),
    "meshes/aorta.ply": solid((10, -125, 980), (20, 20, 110)),
}


def test_the_case_is_sound_before_it_is_spoilt() -> None:
    read = case_from_document(document(), FILES)
    assert read.warnings == ()
    assert not any(s.problems for s in read.structures)


def refusal(
    change: Callable[[dict[str, Any]], object], sent: dict[str, bytes] | None = None
) -> CaseError:
    spoilt = document()
    change(spoilt)
    with pytest.raises(CaseError) as caught:
        case_from_document(spoilt, FILES if sent is None else sent)
    return caught.value


def written(folder: Path, text: bytes) -> Path:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "case.json").write_bytes(text)
    return folder


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
    "a label map": (replaced(1, file=None, label=3), "structures[1].label", "missing-labelmap", "in labelmap"),
    "a label map on top": (lambda d: d.update(labelmap="ct.nii"), "labelmap", "labelmap-unsupported", "surface"),
    "a label map no file": (lambda d: d.update(labelmap=3), "labelmap", "wrong-type", "string"),
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
    "a screw of no length": (lambda d: d["structures"][4]["cylinder"].update(tip_mm=[21, -60, 996]),
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
    sent = dict(FILES)
    sent["meshes/aorta.ply"] = spoil(sent["meshes/aorta.ply"])
    error = refusal(lambda _: None, sent)
    assert (error.field, error.code) == ("structures[3].file", code)
    assert str(error).startswith("aorta (vessel, file): ")


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
        load_case(written(tmp_path, text))
    assert (caught.value.field, caught.value.code) == ("case.json", code)
    assert says in str(caught.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + json.dumps(document()).encode()
    assert load_case(written(tmp_path, text)).digest == case_from_document(document(), FILES).digest


def _read_or_error(changed: dict[str, Any]) -> Case | CaseError:
    """Any other exception is a failure of the test."""
    try:
        return case_from_document(changed, FILES)
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
