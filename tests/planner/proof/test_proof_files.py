"""A proof written and read again is the same; one that was touched in between is refused."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.checker.check import check_proof
from planner.errors import ProofError
from planner.proof import FaceProof, FamilyProof, Leaves, Proof, Why, read_proof, write_proof
from tests.planner.proof.prover import Proved

REQUEST_DOCUMENT = {"target": {"type": "point"}, "tolerance": 0.1 + 0.2, "sides": ["left"]}


@pytest.fixture
def folder(proved: Proved, tmp_path: Path) -> Path:
    write_proof(proved[2], REQUEST_DOCUMENT, tmp_path / "proof")
    return tmp_path / "proof"


def _same(one: object, two: object) -> bool:
    if isinstance(one, np.ndarray):
        assert isinstance(two, np.ndarray)
        return one.dtype == two.dtype and np.array_equal(one, two)
    if isinstance(one, tuple):
        assert isinstance(two, tuple)
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, (Proof, FamilyProof, FaceProof, Leaves)):
        return all(_same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
    return one == two


def test_what_is_read_is_what_was_written(proved: Proved, folder: Path) -> None:
    case, request, proof = proved
    again, document = read_proof(folder)
    assert document == REQUEST_DOCUMENT
    for field in fields(Proof):
        if field.name != "classes":
            assert _same(getattr(again, field.name), getattr(proof, field.name)), field.name
    [one], [two] = proof.classes, again.classes
    assert _same(one.best_path, two.best_path)
    assert (one.best_margin_mm, one.upper_bound_mm) == (two.best_margin_mm, two.upper_bound_mm)
    assert check_proof(case, request, again).holds


def test_the_same_proof_is_the_same_bytes(proved: Proved, folder: Path, tmp_path: Path) -> None:
    write_proof(proved[2], REQUEST_DOCUMENT, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_proof_replaces_a_proof_and_nothing_else(proved: Proved, folder: Path) -> None:
    write_proof(proved[2], {"other": 1}, folder)
    assert read_proof(folder)[1] == {"other": 1}
    assert sorted(p.name for p in folder.parent.iterdir()) == ["proof"]
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ProofError, match="something else") as refused:
        write_proof(proved[2], {}, folder)
    assert (refused.value.field, refused.value.code) == ("proof", "not-a-proof")
    assert read_proof(folder)[1] == {"other": 1}


def test_a_file_is_no_place_for_a_proof(proved: Proved, tmp_path: Path) -> None:
    (tmp_path / "proof").write_text("", encoding="utf-8")
    with pytest.raises(ProofError, match="name a new folder"):
        write_proof(proved[2], {}, tmp_path / "proof")


def test_a_proof_that_cannot_be_written_leaves_nothing_behind(
    proved: Proved, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_proof(proved[2], {"bad": float("nan")}, tmp_path / "proof")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=re.escape(str(tmp_path / "none"))) as refused:
        read_proof(tmp_path / "none")
    assert (refused.value.field, refused.value.code) == ("proof.json", "missing-file")


def test_a_flipped_byte_of_the_leaves_is_noticed(folder: Path) -> None:
    path = folder / "family-0.npz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(ProofError, match="SHA-256") as refused:
        read_proof(folder)
    assert (refused.value.field, refused.value.code) == ("family-0.npz", "digest")
    _resealed(folder)
    with pytest.raises(ProofError) as refused:
        read_proof(folder)
    assert refused.value.field.startswith("family-0.npz")


def _resealed(folder: Path) -> None:
    """Write the SHA-256 of the leaves anew."""
    digest = hashlib.sha256((folder / "family-0.npz").read_bytes()).hexdigest()
    _edited(folder, lambda d: d["families"][0].update(sha256=digest))


def _edited(folder: Path, edit: Callable[[Any], object]) -> None:
    document = json.loads((folder / "proof.json").read_bytes())
    edit(document)
    (folder / "proof.json").write_text(json.dumps(document), encoding="utf-8")


LEFT_OUT = object()
BAD: list[tuple[str, object]] = [
    ("schema", "trocar/proof/2"),
    ("case_digest", 5),
    ("request", []),
    ("structures", {}),
    ("families[0].file", "../a.npz"),
    ("families[0].leaves", -1),
    ("families[0].leaves", True),
    ("families[0].reach_mm", "9"),
    ("families[0].reach_mm", "inf"),
    ("families[0].faces[1].low", [1, 2, 3]),
    ("families[0].faces[1].low", [1, 2, 3, "4"]),
    ("families[0].faces[1].low", [1, 2, 3, [4]]),
    ("families[0].faces[1].low", [True, True, True, True]),
    ("families[0].faces[1].kind", "gate"),
    ("families[0].faces[1].plane", -1),
    ("families[0].faces[1].rules", [[1.0]]),
    ("families[0].faces", None),
    ("families[0].upper_bound_mm", "nan"),
    ("families[0].target.offsets", [1.0]),
    ("families[0].gate.window_wkt", "POINT (0 0)"),
    ("families[0].gate.window_wkt", "MULTIPOLYGON ("),
    ("families[0].gate.window_wkt", "MULTIPOLYGON EMPTY"),
    ("families[0].gate.window_wkt", "MULTIPOLYGON (((0 0, 1 1, 1 0, 0 1, 0 0)))"),
    ("classes[0].side", "middle"),
    ("classes[0].status", ["found"]),
    ("classes[0].best_path", [1.0]),
    ("unsearched[0].reason", None),
]


@pytest.mark.parametrize(("where", "value"), BAD, ids=[f"{w}={v}" for w, v in BAD])
def test_a_value_that_is_not_as_it_should_be_is_refused_by_field(
    folder: Path, where: str, value: object
) -> None:
    _edited(folder, lambda document: _put(document, where, value))
    with pytest.raises(ProofError) as refused:
        read_proof(folder)
    assert refused.value.field == f"proof.json.{where}"


@pytest.mark.parametrize(
    ("where", "value", "field"),
    [
        ("more", 1, "proof.json"),
        ("planner_version", LEFT_OUT, "proof.json"),
        ("structures[1].digest", LEFT_OUT, "proof.json.structures[1]"),
        ("families[0].leaves", 3, "family-0.npz.face_of"),
        ("families[0].faces[0].rules", [], "proof.json.families[0].rule"),
        ("families[0].faces[1].low", [1e300] * 4, "proof.json.families[0].faces[1].low"),
        ("families[0].reach_mm", 1e300, "proof.json.families[0].reach_mm"),
        ("classes[0].family", 7, "classes[0].family"),
    ],
)
def test_what_does_not_fit_the_rest_is_refused_by_field(
    folder: Path, where: str, value: object, field: str
) -> None:
    _edited(folder, lambda document: _put(document, where, value))
    with pytest.raises(ProofError) as refused:
        read_proof(folder)
    assert refused.value.field == field


def _put(document: dict[str, Any], where: str, value: object) -> None:
    """Set a member of a document by its path, or leave it out."""
    part: Any = document
    *path, last = re.findall(r"\w+", where)
    for key in path:
        part = part[int(key) if key.isdigit() else key]
    if value is LEFT_OUT:
        del part[last]
    else:
        part[last] = value


@pytest.mark.parametrize(
    "text",
    ["", "[", '{"a": NaN}', '{"a": Infinity}', '{"a": 1, "a": 2}', "[" * 100_000, "\xff"],
    ids=["empty", "cut off", "NaN", "Infinity", "a key twice", "too deep", "no UTF-8"],
)
def test_what_is_not_json_is_refused(folder: Path, text: str) -> None:
    (folder / "proof.json").write_text(text, encoding="latin-1")
    with pytest.raises(ProofError) as refused:
        read_proof(folder)
    assert (refused.value.field, refused.value.code) == ("proof.json", "malformed-json")


def _repacked(folder: Path, **arrays: np.ndarray | None) -> None:
    """Write the leaves anew with some arrays changed, added, or left out, and seal them."""
    with np.load(folder / "family-0.npz") as packed:
        all_ = {**packed, **arrays}
    np.savez_compressed(folder / "family-0.npz", **{k: v for k, v in all_.items() if v is not None})
    _resealed(folder)


@pytest.mark.parametrize(
    ("arrays", "field"),
    [
        ({"why": None}, "family-0.npz"),
        ({"more": np.zeros(3)}, "family-0.npz"),
        ({"t": np.zeros(3, dtype=np.float32)}, "family-0.npz.t"),
        ({"level": np.zeros((2, 4), dtype=np.uint8)}, "family-0.npz.level"),
        ({"uv": np.zeros((2, 3))}, "family-0.npz.uv"),
        ({"t": np.array({"a": 1}, dtype=object)}, "family-0.npz"),
    ],
    ids=["left out", "one more", "float32", "other count", "other shape", "pickled"],
)
def test_leaves_that_are_not_as_they_should_be_are_refused_by_array(
    folder: Path, arrays: dict[str, np.ndarray | None], field: str
) -> None:
    _repacked(folder, **arrays)
    with pytest.raises(ProofError) as refused:
        read_proof(folder)
    assert refused.value.field == field


def test_values_out_of_range_are_refused_by_file_and_array(proved: Proved, folder: Path) -> None:
    leaves = proved[2].families[0].leaves
    _repacked(folder, weight=leaves.weight * 0.5)
    with pytest.raises(ProofError, match="must be 1 in all") as refused:
        read_proof(folder)
    assert refused.value.field == "family-0.npz.weight"


def test_a_bound_lowered_in_the_files_and_sealed_again_is_found(
    proved: Proved, folder: Path
) -> None:
    case, request, proof = proved
    leaves = proof.families[0].leaves
    lower = np.where(leaves.why == Why.BOUNDED, leaves.bound_mm - 0.01, -np.inf)
    _repacked(folder, bound_mm=lower)
    _edited(folder, lambda d: d["families"][0].update(upper_bound_mm=lower.max()))
    report = check_proof(case, request, read_proof(folder)[0])
    assert any("the bound is below its witnesses'" in failure for failure in report.failures)


def test_infinite_bounds_are_written_as_words(proved: Proved, tmp_path: Path) -> None:
    claim = replace(proved[2].classes[0], upper_bound_mm=-np.inf, best_margin_mm=np.inf)
    write_proof(replace(proved[2], classes=(claim,)), {}, tmp_path / "proof")
    [one] = read_proof(tmp_path / "proof")[0].classes
    assert (one.upper_bound_mm, one.best_margin_mm) == (-np.inf, np.inf)
