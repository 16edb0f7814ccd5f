"""Every kind of bad case, by HTTP and by command line: refused by name, and the next one works."""

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

SAC = "meshes/sac.stl"
SCREW = {"name": "s", "kind": "screw", "level": "L3", "side": "left"}


def first(bundle: "Bundle") -> dict[str, Any]:
    row: dict[str, Any] = bundle.document["structures"][0]
    return row


def cut_short(bundle: "Bundle") -> None:
    bundle.files[SAC] = bundle.files[SAC][:-30]


def promise_too_much(bundle: "Bundle") -> None:
    data = bundle.files[SAC]
    bundle.files[SAC] = data[:80] + struct.pack("<I", 2**32 - 1) + data[84:]


def not_a_mesh(bundle: "Bundle") -> None:
    bundle.files[SAC] = b"this is no mesh at all"


def no_bytes(bundle: "Bundle") -> None:
    bundle.files[SAC] = b""


def no_triangles(bundle: "Bundle") -> None:
    bundle.files[SAC] = b"\0" * 84


def not_finite(bundle: "Bundle") -> None:
    data = bytearray(bundle.files[SAC])
    for facet in range(12):
        struct.pack_into("<9f", data, 84 + 50 * facet + 12, *([float("nan")] * 9))
    bundle.files[SAC] = bytes(data)


def file_missing(bundle: "Bundle") -> None:
    del bundle.files[SAC]


def changed(**members: object) -> Callable[["Bundle"], None]:
    """Return a change to the first structure; a member None is removed."""

    def change(bundle: "Bundle") -> None:
        row = first(bundle)
        row.update(members)
        for name in [name for name, value in members.items() if value is None]:
            del row[name]

    return change


def changed_case(**members: object) -> Callable[["Bundle"], None]:
    """Return a change to the case; a member None is removed."""

    def change(bundle: "Bundle") -> None:
        bundle.document.update(members)
        for name in [name for name, value in members.items() if value is None]:
            del bundle.document[name]

    return change


def added(**members: object) -> Callable[["Bundle"], None]:
    def add(bundle: "Bundle") -> None:
        bundle.document["structures"].append({**SCREW, **members})

    return add


def same_name(bundle: "Bundle") -> None:
    bundle.document["structures"][1]["name"] = "L3"


BAD_CASES: dict[str, tuple[Callable[["Bundle"], None], str, str]] = {
    # what is wrong: (how to spoil the case, part of the field, word in the message)
    "a truncated STL": (cut_short, "structures[1]", ""),
    "an STL that promises 2^32 facets": (promise_too_much, "structures[1]", ""),
    "a file that is no mesh": (not_a_mesh, "structures[1]", ""),
    "an empty file": (no_bytes, "structures[1]", ""),
    "a mesh without triangles": (no_triangles, "structures[1]", "triangle"),
    "a mesh of NaN": (not_finite, "structures[1]", "finite"),
    "a file that is not there": (file_missing, "structures[1]", "sac.stl"),
    "an unknown kind": (changed(kind="bone"), "structures[0].kind", "vertebra"),
    "no kind": (changed(kind=None), "structures[0].kind", "required"),
    "an unknown level": (changed(level="L9"), "structures[0].level", "L5"),
    "an unknown side": (changed(side="both"), "structures[0].side", "left"),
    "an unknown key": (changed(colour="red"), "structures[0].colour", ""),
    "an unknown key of the case": (changed_case(unit="mm"), "unit", ""),
    "no units": (changed_case(units=None), "units", ""),
    "unknown units": (changed_case(units="inch"), "units", "mm"),
    "no coordinate system": (changed_case(coordinate_system=None), "coordinate_system", ""),
    "an unknown coordinate system": (changed_case(coordinate_system="XYZ"), "coordinate_system", "LPS"),
    "no structures": (changed_case(structures=[]), "structures", ""),
    "another schema": (changed_case(schema="trocar/case/9"), "schema", "trocar/case/1"),
    "metres that are millimetres": (changed_case(units="m"), "structures[0]", "m"),
    "two structures of one name": (same_name, "structures[1].name", ""),
    "a structure without geometry": (changed(file=None), "structures[0]", ""),
    "a structure with two geometries": (
        changed(vertices_mm=[[0, 0, 0]], faces=[[0, 0, 0]]), "structures[0]", ""),
    "a path out of the bundle": (changed(file="../../etc/passwd"), "structures[0].file", ""),
    "a screw without a diameter": (
        added(cylinder={"head_mm": [0, 0, 0], "tip_mm": [0, 40, 0]}),
        "structures[2].cylinder.diameter_mm", ""),
    "a screw without a length": (
        added(cylinder={"head_mm": [0, 0, 0], "tip_mm": [0, 0, 0], "diameter_mm": 6.5}),
        "structures[2].cylinder", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_CASES)
def test_a_bad_case_is_refused_over_http_by_field(
    client: TestClient, small: "Bundle", what: str
) -> None:
    spoil, field, word = BAD_CASES[what]
    spoil(small)
    before = client.get("/v1/cases", params={"limit": 200}).json()["cases"]
    reply = client.post("/v1/cases", files=small.parts())
    assert 400 <= reply.status_code < 500, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    errors = reply.json()["errors"]
    assert any(field in error["field"] for error in errors), errors
    assert word in reply.text
    assert client.get("/v1/cases", params={"limit": 200}).json()["cases"] == before


def test_a_good_case_is_taken_after_all_those(client: TestClient, small: "Bundle") -> None:
    assert client.post("/v1/cases", files=small.parts()).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "case"),
        (b"{", "case"),
        (b"[]", "case"),
        (b'{"schema": "trocar/case/1", "units": NaN}', "units"),
        (b'{"structures": [{"vertices_mm": [[0, 0, Infinity]]}]}', "structures[0].vertices_mm"),
        (b"\xff\xfe{}", "case"),
    ],
)
def test_a_case_that_is_not_json_is_refused_over_http(
    client: TestClient, body: bytes, field: str
) -> None:
    reply = client.post("/v1/cases", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400, reply.text
    assert reply.json()["errors"][0]["field"].startswith(field)


def test_a_number_too_large_for_a_float_is_refused_over_http(
    client: TestClient, small: "Bundle"
) -> None:
    row = first(small)
    del row["file"]
    row |= {"vertices_mm": [[0, 0, 0], [1, 0, 0], [0, 12345.5, 0]], "faces": [[0, 1, 2]]}
    body = json.dumps(small.document).replace("12345.5", "1e999").encode()
    reply = client.post("/v1/cases", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in {400, 422}, reply.text
    assert "structures[0].vertices_mm" in reply.json()["errors"][0]["field"]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([("mesh", ("m.stl", b"x"))], "case"),
        ([("case", ("c", b"{}")), ("case", ("c", b"{}"))], "case"),
        ([("case", ("c", b"{}")), ("a.stl", ("a", b"x")), ("a.stl", ("a", b"x"))], "a.stl"),
        ([("case", ("c", b"{}")), ("a.stl", (None, b"x"))], "a.stl"),
        ([("case", ("c", b"not json"))], "case"),
    ],
)
def test_a_multipart_body_of_wrong_parts_is_refused(
    client: TestClient, parts: list[tuple[str, tuple[str | None, bytes]]], field: str
) -> None:
    reply = client.post("/v1/cases", files=parts)
    assert reply.status_code == 400, reply.text
    assert reply.json()["errors"][0]["field"] == field


def test_a_multipart_body_without_boundary_is_refused(client: TestClient) -> None:
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        reply = client.post(
            "/v1/cases", content=b"no parts", headers={"Content-Type": content_type}
        )
        assert reply.status_code == 400, reply.text
        assert reply.headers["content-type"] == "application/problem+json"


def test_a_part_that_no_structure_names_is_told_or_ignored(
    client: TestClient, small: "Bundle"
) -> None:
    small.files["meshes/extra.ply"] = b"whatever"
    assert client.post("/v1/cases", files=small.parts()).status_code in {201, 422}


@pytest.fixture(scope="module")
def runner() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return the command line in this process: loading it anew for every case takes seconds."""
    from typer.testing import CliRunner  # noqa: PLC0415

    from api import cli  # noqa: PLC0415

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        result = CliRunner().invoke(cli.app, [str(word) for word in words])
        return subprocess.CompletedProcess([], result.exit_code, result.stdout, result.stderr)

    return run


@pytest.mark.parametrize("what", BAD_CASES)
def test_a_bad_case_is_refused_at_the_command_line_by_field(
    small: "Bundle",
    tmp_path: Path,
    what: str,
    runner: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    spoil, field, word = BAD_CASES[what]
    spoil(small)
    done = runner("check", small.write(tmp_path / "case"), "--json")
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert field in done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_itself_ends_with_status_2_and_one_sentence(
    small: "Bundle", tmp_path: Path, trocar: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    cut_short(small)
    done = trocar("check", small.write(tmp_path / "case"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("trocar: structures[1]")
    assert "Traceback" not in done.stderr


WRONG_WORDS: list[tuple[list[str], str, str]] = [
    (["plan", "CASE"], "target", "--target"),
    (["plan", "CASE", "--target", "anterior_body:L9"], "target.level", "L5"),
    (["plan", "CASE", "--target", "anterior_body:T4"], "target.level", "L3"),
    (["plan", "CASE", "--target", "anterior"], "target", "anterior_body:L3"),
    (["plan", "CASE", "--target", "screw_halo:none"], "target.screw", "sac"),
    (["plan", "CASE", "--target", "point:1,2"], "target", "x,y,z"),
    (["plan", "CASE", "--target", "point:1,2,nan"], "target.position_mm[2]", "finite"),
    (["plan", "CASE", "--target", "anterior_body:L3", "--needle", "nail"], "needles[0]", "13G-150"),
    (["plan", "CASE", "--target", "anterior_body:L3", "--side", "up"], "sides[0]", "left"),
    (["plan", "CASE", "--target", "anterior_body:L3", "--approach", "x"], "approaches[0]", "trans"),
    (["plan", "CASE", "--target", "anterior_body:L3", "--max-trajectories", "-1"],
     "max_trajectories", "1"),
    (["plan", "CASE", "--target", "anterior_body:L3", "--request", "nowhere.json"],
     "request", "nowhere.json"),
    (["plan", "nowhere", "--target", "anterior_body:L3"], "nowhere", ""),
    (["evaluate", "CASE", "--needle", "nail", "--entry", "0,9,0", "--tip", "0,0,0"],
     "needle", "13G-150"),
    (["evaluate", "CASE", "--needle", "13G-150", "--entry", "0,9", "--tip", "0,0,0"],
     "entry", "x,y,z"),
    (["evaluate", "CASE", "--needle", "13G-150", "--entry", "a,b,c", "--tip", "0,0,0"],
     "entry", "number"),
    (["serve", "--host", "0.0.0.0"], "host", "authentication"),  # noqa: S104  it must be refused
    (["phantom", "--recipe", "nothing", "--out", "x"], "recipe", "lumbar-fracture"),
    (["plan", "CASE", "--no-such-option"], "--no-such-option", ""),
    (["nothing"], "nothing", ""),
]  # fmt: skip


@pytest.mark.parametrize(("words", "field", "choice"), WRONG_WORDS)
def test_wrong_words_are_refused_by_field_with_the_choices(
    small: "Bundle",
    tmp_path: Path,
    words: list[str],
    field: str,
    choice: str,
    runner: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    case = small.write(tmp_path / "case")
    done = runner(*(str(case) if word == "CASE" else word for word in words))
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert field in done.stderr
    assert choice in done.stderr


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "request"),
        ('{"target": {"type": "anterior_body", "level": "L3"}, "max_trajectories": NaN}',
         "max_trajectories"),
        ('{"target": {"type": "anterior_body", "level": "L3"}, "max": 3}', "max"),
    ],
)  # fmt: skip
def test_a_request_file_that_is_wrong_is_refused_by_field(
    small: "Bundle",
    tmp_path: Path,
    text: str,
    field: str,
    runner: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    (tmp_path / "request.json").write_text(text)
    case = small.write(tmp_path / "case")
    done = runner("plan", case, "--request", tmp_path / "request.json")
    assert done.returncode == 2, done
    assert field in done.stderr
