"""From a bundle or a document to a case in patient LPS and millimetres."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from planner.case import Case, PatientPosition, Structure
from planner.case_io.bundle import opened_bundle
from planner.case_io.digest import case_digest
from planner.case_io.document import checked_document, parsed_text
from planner.case_io.overlaps import with_overlaps
from planner.case_io.schema import CaseDocument
from planner.case_io.surfaces import CaseFrame, LabelMaps, LabelSurfaces, structure_from
from planner.case_io.suspicions import case_warnings
from planner.errors import CaseError

MAX_CASE_TRIANGLES = 20_000_000


def load_case(path: Path, *, label_maps: LabelMaps | None = None) -> Case:
    """Read a case from a folder with case.json in it, that case.json, or a zip of the folder.

    Args:
        path: Where it is.
        label_maps: Reads the label map that it may name (``exchange.label_map``).

    Raises:
        CaseError: Naming the field, the offending value and the remedy.
    """
    with opened_bundle(path) as bundle:
        checked = checked_document(parsed_text(bundle.document()))
        _refuse_blobs(checked)
        return _case(checked, bundle.file, label_maps)


def case_from_document(
    document: Mapping[str, Any],
    files: Callable[[str], bytes] | Mapping[str, bytes],
    *,
    label_maps: LabelMaps | None = None,
) -> Case:
    """Build a case from the content of case.json.

    Args:
        document: What case.json holds.
        files: The mesh files: by the path that a structure's ``file`` gives, or the SHA-256 that
            its ``blob`` gives. A callable may raise KeyError or FileNotFoundError.
        label_maps: Reads the label map that it may name (``exchange.label_map``).

    Raises:
        CaseError: Naming the field, the offending value and the remedy.
    """
    fetch = files.__getitem__ if isinstance(files, Mapping) else files
    return _case(checked_document(document), _named_when_missing(fetch), label_maps)


def _refuse_blobs(document: CaseDocument) -> None:
    for index, structure in enumerate(document.structures):
        if structure.blob is not None:
            raise CaseError(
                f"structures[{index}].blob: blobs are known to the service only; name a file",
                field=f"structures[{index}].blob", code="blob-unsupported",
            )  # fmt: skip


def _named_when_missing(fetch: Callable[[str], bytes]) -> Callable[[str], bytes]:
    def file(name: str) -> bytes:
        try:
            return fetch(name)
        except (KeyError, FileNotFoundError):
            raise CaseError(
                f"{name!r} was not sent with the case", field="file", code="missing-file"
            ) from None

    return file


def _labels(
    document: CaseDocument, files: Callable[[str], bytes], label_maps: LabelMaps | None
) -> LabelSurfaces | None:
    """Return what draws the labels of the label map that a case names."""
    if document.labelmap is None:
        return None
    if label_maps is None:
        raise CaseError(
            "labelmap: nothing was given to read label maps with; give label_maps, or each label "
            "as a surface (PLY or STL)", field="labelmap", code="labelmap-unsupported",
        )  # fmt: skip
    try:
        return label_maps(document.labelmap, files(document.labelmap))
    except CaseError as error:
        raise CaseError(f"labelmap: {error}", field="labelmap", code=error.code) from error


def _case(
    document: CaseDocument, files: Callable[[str], bytes], label_maps: LabelMaps | None
) -> Case:
    frame = CaseFrame(units=document.units, coordinate_system=document.coordinate_system)
    labels = _labels(document, files, label_maps)
    structures = with_overlaps(_structures(document, frame, files, labels))
    findings = _stated(document.findings)
    landmarks = {
        level: MappingProxyType({name: frame.point(point) for name, point in points.items()})
        for level, points in _stated(document.landmarks).items()
    }
    position = document.patient_position
    stated_position = PatientPosition(position) if position else None
    return Case(
        name=document.name,
        structures=structures,
        digest=case_digest(structures, stated_position, findings, landmarks),
        patient_position=stated_position,
        findings=MappingProxyType(findings),
        landmarks=MappingProxyType(landmarks),
        provenance=MappingProxyType(dict(document.provenance)),
        warnings=case_warnings(structures, findings),
    )


def _structures(
    document: CaseDocument,
    frame: CaseFrame,
    files: Callable[[str], bytes],
    labels: LabelSurfaces | None,
) -> list[Structure]:
    structures: list[Structure] = []
    total = 0
    for index, entry in enumerate(document.structures):
        structure = structure_from(entry, f"structures[{index}]", frame, files, labels)
        total += len(structure.mesh.faces)
        if total > MAX_CASE_TRIANGLES:
            raise CaseError(
                f"the case has more than {MAX_CASE_TRIANGLES} triangles; decimate its surfaces",
                field="structures", code="too-large",
            )  # fmt: skip
        structures.append(structure)
    return structures


def _stated(sections: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what was said per level, without what was left out."""
    return {
        level: MappingProxyType(section.model_dump(exclude_none=True))
        for level, section in sections.items()
    }
