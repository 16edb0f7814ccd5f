"""Which reader a source goes to: a file by what it is, a folder file by file."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from exchange.dicom import READABLE as DICOM_CLASSES
from exchange.dicom import dicom_class, is_dicom, read_dicom
from exchange.labels import LabelTable
from exchange.nifti import read_nifti
from exchange.segments import Model, Scan
from exchange.slicer import read_nrrd
from geometry.frames import lps_from_ras
from geometry.mesh import MeshError
from geometry.mesh_files import MAX_FILE_BYTES, RawMesh, read_mesh
from geometry.mesh_files import READABLE as MODELS
from planner.errors import CaseError

_SPACE = re.compile(rb"SPACE=(LPS|RAS)")
_HEAD_BYTES = 2048
FORMATS = "NIfTI (.nii, .nii.gz), Slicer (.seg.nrrd), DICOM (SEG, Encapsulated STL), " + ", ".join(
    f".{suffix}" for suffix in MODELS
)


def read_sources(paths: Iterable[Path], table: LabelTable, frame: str | None) -> Scan:
    """Read everything that some files and folders hold, in the order of their names.

    Args:
        paths: Files and folders.
        table: What labels mean.
        frame: ``LPS`` or ``RAS``: the frame of models whose files do not state one.

    Raises:
        CaseError: ``missing-file``, ``unknown-format``, ``mixed-frames``, or a reader's own.
    """
    files, notes = [], []
    for path in paths:
        found, said = _files(path)
        files += found
        notes += said
    scans = [_read(path, table, frame) for path in files]
    stated = {scan.frame_of_reference for scan in scans if scan.frame_of_reference}
    if len(stated) > 1:
        raise CaseError(
            f"the sources state {len(stated)} different frames of reference, so nothing says how "
            "they lie to each other; register them first, or give those of one frame",
            field="source", code="mixed-frames",
        )  # fmt: skip
    return Scan(
        parts=tuple(part for scan in scans for part in scan.parts),
        frame_of_reference=next(iter(stated), None),
        notes=(*notes, *(note for scan in scans for note in scan.notes)),
    )


def _files(path: Path) -> tuple[list[Path], list[str]]:
    """Return the files of a source that can be read, and what to say about the others."""
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise CaseError(f"there is no {path}", field="source", code="missing-file")
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    readable = [p for p in files if _is_readable(p)]
    if not readable:
        raise CaseError(
            f"{path} holds no file that can be read: {FORMATS}",
            field="source", code="unknown-format",
        )  # fmt: skip
    others = [p.name for p in files if p not in readable]
    named = ", ".join(others[:10]) + (" ..." if len(others) > 10 else "")
    return readable, [f"{path.name}: not read: {named}"] if others else []


def _is_readable(path: Path) -> bool:
    if is_dicom(path):
        return dicom_class(path) in DICOM_CLASSES
    name = path.name.lower()
    return name.endswith((".nii", ".nii.gz", ".nrrd")) or path.suffix.lower()[1:] in MODELS


def _read(path: Path, table: LabelTable, frame: str | None) -> Scan:
    name = path.name.lower()
    if is_dicom(path):
        return read_dicom(path)
    if name.endswith((".nii", ".nii.gz")):
        return read_nifti(path, table)
    if name.endswith(".nrrd"):
        return read_nrrd(path, table)
    if path.suffix.lower()[1:] in MODELS:
        return _model(path, frame)
    raise CaseError(
        f"{path.name} is none of the formats that are imported: {FORMATS}",
        field="source", code="unknown-format",
    )  # fmt: skip


def _model(path: Path, frame: str | None) -> Scan:
    """Read a surface; 3D Slicer writes its frame into the file's head."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CaseError(
            f"{path.name} is larger than {MAX_FILE_BYTES} bytes; decimate it",
            field="source", code="too-large",
        )  # fmt: skip
    data = path.read_bytes()
    stated = _SPACE.search(data[:_HEAD_BYTES])
    space = stated[1].decode() if stated else frame
    if space not in {"LPS", "RAS"}:
        raise CaseError(
            f"{path.name} does not state its frame; give --frame LPS or --frame RAS",
            field="frame", code="missing-field",
        )  # fmt: skip
    try:
        raw = read_mesh(data, path.suffix)
    except MeshError as error:
        raise CaseError(f"{path.name}: {error}", field="source", code=error.code) from error
    vertices = lps_from_ras(raw.vertices) if space == "RAS" else raw.vertices
    mesh = RawMesh(vertices=np.asarray(vertices), faces=raw.faces)
    return Scan(parts=(Model(label=path.stem, mesh=mesh),))
