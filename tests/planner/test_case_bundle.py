"""Folders and zips: the same case, and nothing from outside."""

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geometry.mesh_files import write_mesh
from geometry.solids import ellipsoid
from planner.case_io import bundle, load_case
from planner.errors import CaseError

BONE = write_mesh(ellipsoid(np.zeros(3), np.array([24.0, 18.0, 14.0])), "ply")


def text(file: str = "meshes/L3.ply") -> str:
    return json.dumps({
        "schema": "trocar/case/1", "name": "one", "coordinate_system": "LPS", "units": "mm",
        "structures": [{"name": "L3", "kind": "vertebra", "level": "L3", "file": file}],
    })  # fmt: skip


def folder_of(path: Path, file: str = "meshes/L3.ply") -> Path:
    (path / "meshes").mkdir(parents=True)
    (path / "meshes" / "L3.ply").write_bytes(BONE)
    (path / "case.json").write_text(text(file))
    return path


def zip_of(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def refused(path: Path) -> CaseError:
    with pytest.raises(CaseError) as caught:
        load_case(path)
    return caught.value


def entries(**more: bytes) -> dict[str, bytes]:
    return {"case.json": text().encode(), "meshes/L3.ply": BONE, **more}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "my case/"])
def test_a_zip_is_the_folder(tmp_path: Path, compression: int, top: str) -> None:
    zipped = {top + name: data for name, data in entries().items()}
    archive = zip_of(tmp_path / "case.zip", zipped, compression)
    assert load_case(archive).digest == load_case(folder_of(tmp_path / "case")).digest


@pytest.mark.parametrize(
    "file",
    [
        "../L3.ply",
        "/etc/passwd",
        "meshes/../../L3.ply",
        "C:/L3.ply",
        "meshes\\L3.ply",
        ".",
        "a\0.ply",
    ],
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / "L3.ply").write_bytes(BONE)
    error = refused(folder_of(tmp_path / "case", file))
    assert (error.code, error.field) == ("unsafe-path", "structures[0].file")
    archive = zip_of(tmp_path / "case.zip", {**entries(), "case.json": text(file).encode()})
    assert refused(archive).code == "unsafe-path"


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.ply").write_bytes(BONE)
    folder = folder_of(tmp_path / "case", "meshes/link.ply")
    (folder / "meshes" / "link.ply").symlink_to(tmp_path / "outside.ply")
    assert refused(folder).code == "unsafe-path"
    (folder / "meshes" / "link.ply").unlink()
    (folder / "meshes" / "link.ply").symlink_to(folder / "meshes" / "L3.ply")
    assert load_case(folder).structures[0].name == "L3"


@pytest.mark.parametrize("name", ["../evil.ply", "/evil.ply", "a\\..\\evil.ply", "D:evil"])
def test_entries_that_would_escape_are_refused(tmp_path: Path, name: str) -> None:
    archive = zip_of(tmp_path / "case.zip", entries(**{name: b"x"}))
    assert refused(archive).code == "unsafe-path"


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    zip_of(path, entries())
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("meshes/link.ply")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    error = refused(path)
    assert error.code == "unsafe-path"
    assert "link" in str(error)


def test_a_zip_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "case.zip", entries(big=bytes(50_000_000)))
    assert refused(archive).code == "zip-bomb"


@pytest.mark.parametrize(("limit", "value"), [("MAX_ENTRIES", 1), ("MAX_BUNDLE_BYTES", 1000)])
def test_limits_of_a_zip_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(bundle, limit, value)
    assert refused(zip_of(tmp_path / "case.zip", entries())).code == "zip-bomb"


def test_limits_of_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "case")
    archive = zip_of(tmp_path / "case.zip", entries())
    monkeypatch.setattr(bundle, "MAX_FILE_BYTES", 100)
    for path in (folder, archive):
        assert (refused(path).code, refused(path).field) == ("too-large", "structures[0].file")
    monkeypatch.setattr(bundle, "MAX_DOCUMENT_BYTES", 100)
    assert refused(folder).code == "too-large"


def test_a_size_that_lies_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of(tmp_path / "case.zip", entries(), zipfile.ZIP_STORED).read_bytes())
    central = data.rfind(b"PK\x01\x02")
    data[central + 24 : central + 28] = (len(BONE) - 7).to_bytes(4, "little")
    (tmp_path / "case.zip").write_bytes(bytes(data))
    assert refused(tmp_path / "case.zip").code in {"bad-zip", "truncated"}


def test_damage_to_a_zip_never_gives_a_case_or_another_error(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    whole = zip_of(tmp_path / "whole.zip", entries()).read_bytes()
    digest = load_case(tmp_path / "whole.zip").digest
    for turn in range(120):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 5))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path = tmp_path / "damaged.zip"
        path.write_bytes(bytes(data if turn % 3 else data[: int(rng.integers(len(data)))]))
        assert _digest_or_error(path) in {digest, "refused"}


def _digest_or_error(path: Path) -> str:
    """Any other exception is a failure of the test."""
    try:
        return load_case(path).digest
    except CaseError:
        return "refused"


def test_a_name_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("case.json", text())
        archive.writestr("meshes/L3.ply", BONE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("meshes/L3.ply", BONE)
    (tmp_path / "case.zip").write_bytes(buffer.getvalue())
    assert refused(tmp_path / "case.zip").code == "bad-zip"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p: p / "nothing", "missing-case"),
        (lambda p: p, "missing-file"),
        (lambda p: _written(p / "case.zip", b"no zip"), "bad-zip"),
        (lambda p: _written(p / "mesh.ply", BONE), "missing-case"),
        (lambda p: zip_of(p / "case.zip", {"other.json": b"{}"}), "missing-file"),
        (lambda p: zip_of(p / "case.zip", {"case.json": text().encode()}), "missing-file"),
    ],
    ids=["nothing", "an empty folder", "no zip", "a mesh", "no document", "no mesh"],
)
def test_what_is_no_case_is_refused(tmp_path: Path, make: Any, code: str) -> None:  # noqa: ANN401
    assert refused(make(tmp_path)).code == code


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
