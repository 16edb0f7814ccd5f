"""A proof as a folder: proof.json, and the leaves of every family in family-<k>.npz.

Arrays of an .npz file: n leaves, m witnesses and k weighed rules, of the types below, compressed,
nothing pickled.
The folder is written as a whole or not at all, and read strictly.
"""

import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from planner.errors import ProofError
from planner.proof.document import (
    LeavesFile,
    document_of,
    files_of,
    leaves_name,
    parsed,
    proof_from,
)
from planner.proof.model import Leaves, Proof

DOCUMENT = "proof.json"
LARGEST_BYTES = 2 * 1024**3
_ARRAYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "face_of": ("<u1", ("n",)),
    "level": ("<u1", ("n", 4)),
    "index": ("<u4", ("n", 4)),
    "why": ("<u1", ("n",)),
    "bound_mm": ("<f8", ("n",)),
    "reach_t": ("<f8", ("n",)),
    "back_t": ("<f8", ("n",)),
    "beyond_t": ("<f8", ("n",)),
    "plane": ("<f8", ("n", 4)),
    "first_witness": ("<i8", ("n + 1",)),
    "t": ("<f8", ("m",)),
    "weight": ("<f8", ("m",)),
    "structure": ("<u2", ("m",)),
    "face": ("<u4", ("m",)),
    "uv": ("<f8", ("m", 2)),
    "first_rule": ("<i8", ("n + 1",)),
    "rule": ("<u2", ("k",)),
    "mu": ("<f8", ("k",)),
}


def write_proof(proof: Proof, request_document: Mapping[str, Any], folder: Path) -> None:
    """Write a proof as a folder, whole or not at all.

    Args:
        proof: The proof.
        request_document: The request as JSON, with every default written out.
        folder: Where; a proof that is there already is replaced.

    Raises:
        ProofError: If there is something else in the folder, or it cannot be written.
    """
    require_place(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".proof-", dir=folder.parent) as made:
            _write_files(proof, request_document, Path(made) / "new")
            if folder.exists():
                folder.rename(Path(made) / "old")
            (Path(made) / "new").rename(folder)
    except OSError as error:
        raise ProofError(
            f"{folder} cannot be written: {error.strerror}", field="proof", code="unwritable"
        ) from error


def require_place(folder: Path) -> None:
    """Let a proof be written to a folder that is not there, is empty, or holds a proof only.

    Raises:
        ProofError: ``not-a-proof`` for any other.
    """
    if folder.exists() and not _replaceable(folder):
        raise ProofError(
            f"{folder} holds something else than a proof; name a new folder, or empty this one",
            field="proof", code="not-a-proof",
        )  # fmt: skip


def _replaceable(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    families = {leaves_name(k) for k in range(len(names))}
    return not names or (DOCUMENT in names and names <= {DOCUMENT, *families})


def _write_files(proof: Proof, request_document: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir()
    files = []
    for k, family in enumerate(proof.families):
        raw = _packed(family.leaves)
        (folder / leaves_name(k)).write_bytes(raw)
        files.append(
            LeavesFile(name=leaves_name(k), sha256=_sha256(raw), leaves=len(family.leaves.why))
        )
    document = document_of(proof, request_document, files)
    text = json.dumps(document, indent=1, allow_nan=False)
    (folder / DOCUMENT).write_text(text + "\n", encoding="utf-8")


def _packed(leaves: Leaves) -> bytes:
    stream = io.BytesIO()
    arrays = {name: getattr(leaves, name).astype(kind) for name, (kind, _) in _ARRAYS.items()}
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def read_proof(folder: Path) -> tuple[Proof, Mapping[str, Any]]:
    """Read a proof and the request it is about.

    Raises:
        ProofError: Naming the file and the field that are not as they should be.
    """
    root = parsed(_read(folder, DOCUMENT), DOCUMENT)
    return proof_from(root, [_leaves(folder, file) for file in files_of(root)])


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ProofError(
                f"has more than {LARGEST_BYTES} bytes; it is no proof", field=name, code="too-large"
            )
        return path.read_bytes()
    except OSError as error:
        raise ProofError(
            f"cannot be read: {error.strerror} ({folder}); name the folder of a whole proof",
            field=name, code="missing-file",
        ) from error  # fmt: skip


def _leaves(folder: Path, file: LeavesFile) -> Leaves:
    raw = _read(folder, file.name)
    if _sha256(raw) != file.sha256:
        raise ProofError(
            f"is not the file that {DOCUMENT} names: its SHA-256 is another; copy the proof anew",
            field=file.name, code="digest",
        )  # fmt: skip
    arrays = _unpacked(raw, file.name)
    m, k = (len(np.atleast_1d(arrays[name])) for name in ("t", "mu"))
    sizes = {"n": file.leaves, "n + 1": file.leaves + 1, "m": m, "k": k}
    for name, (kind, dimensions) in _ARRAYS.items():
        shape = tuple(sizes[d] if isinstance(d, str) else d for d in dimensions)
        if arrays[name].dtype != np.dtype(kind) or arrays[name].shape != shape:
            raise ProofError(
                f"must be {np.dtype(kind)} of shape {shape}, not {arrays[name].dtype} of "
                f"{arrays[name].shape}; write the proof anew",
                field=f"{file.name}.{name}", code="schema",
            )  # fmt: skip
    try:
        return Leaves(**arrays)
    except ProofError as error:
        raise ProofError(str(error), field=f"{file.name}.{error.field}", code=error.code) from None


def _unpacked(raw: bytes, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file, which are the expected ones and not huge."""
    with _readable(name), zipfile.ZipFile(io.BytesIO(raw)) as archive:
        entries = archive.infolist()
    if sorted(e.filename for e in entries) != sorted(f"{array}.npy" for array in _ARRAYS):
        raise ProofError(
            f"must hold the arrays {', '.join(_ARRAYS)} and no others", field=name, code="schema"
        )
    if sum(entry.file_size for entry in entries) > LARGEST_BYTES:
        raise ProofError(
            f"unpacks to more than {LARGEST_BYTES} bytes; it is no proof",
            field=name, code="too-large",
        )  # fmt: skip
    with _readable(name), np.load(io.BytesIO(raw), allow_pickle=False) as packed:
        return {array: packed[array] for array in _ARRAYS}


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError,
            ValueError) as error:  # fmt: skip
        raise ProofError(f"is no readable .npz file: {error}", field=name, code="bad-npz") from None
