"""DICOM in: Segmentations (SEG) and Encapsulated STL. Both state frame and unit; both are LPS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from jaxtyping import Float, Shaped
from pydicom.errors import InvalidDicomError

from exchange.labels import role_of
from exchange.segments import Affine, Model, Scan, Segment, segment_in
from geometry.mesh import MeshError
from geometry.mesh_files import RawMesh, read_mesh
from planner.errors import CaseError

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
ENCAPSULATED_STL = "1.2.840.10008.5.1.4.1.1.104.3"
READABLE = (SEGMENTATION, LABEL_MAP, ENCAPSULATED_STL)
_ASIDE_MM = 0.02  # that frames of one volume may lie beside each other [A]
_OFF_SLICE = 0.05  # of the distance between slices, that a frame may lie off them [A]
_MM = {"mm": 1.0, "um": 0.001, "cm": 10.0, "m": 1000.0}

# SNOMED CT codes of vertebrae and their neighbours, for segments without a telling
# name.
_CODED: Mapping[str, str] = {
    "64864005": "T1", "53733008": "T2", "1626008": "T3", "73071006": "T4", "56401006": "T5",
    "45296009": "T6", "62487009": "T7", "11068009": "T8", "82687006": "T9", "7610001": "T10",
    "12989004": "T11", "23215003": "T12", "66794005": "L1", "14293000": "L2", "36470004": "L3",
    "11994002": "L4", "49668003": "L5", "54735007": "sacrum", "65985001": "S1",
    "61853006": "spinal_canal", "2748008": "spinal_cord", "15825003": "aorta",
    "64131007": "inferior_vena_cava", "3120008": "pleura", "40388003": "metal",
}  # fmt: skip


def is_dicom(path: Path) -> bool:
    """Tell by its first bytes whether a file is DICOM."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def dicom_class(path: Path) -> str:
    """Return the SOP class of a DICOM file, reading no more than its head.

    Raises:
        CaseError: ``unreadable-file``.
    """
    try:
        head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    except (InvalidDicomError, OSError, ValueError, EOFError, AttributeError) as error:
        raise _refused(path, f"cannot be read as DICOM: {error}", "unreadable-file") from error
    return str(head.get("SOPClassUID", ""))


def read_dicom(path: Path) -> Scan:
    """Read a Segmentation or an Encapsulated STL.

    Raises:
        CaseError: ``unreadable-file``, ``not-a-segmentation``, ``no-affine``, ``empty-labels``,
            ``bad-model``.
    """
    kind = dicom_class(path)
    if kind not in READABLE:
        raise _refused(
            path, "is DICOM, but neither a Segmentation nor an Encapsulated STL; give the "
            "segmentation instead of the scan", "not-a-segmentation",
        )  # fmt: skip
    try:
        dataset = pydicom.dcmread(path)
        if kind == ENCAPSULATED_STL:
            return _model(dataset, path)
        frames = np.asarray(dataset.pixel_array)
        parts = _segments(dataset, frames[None] if frames.ndim == 2 else frames, path)
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError,
            TypeError) as error:  # fmt: skip
        raise _refused(path, f"lacks what DICOM requires: {error}", "unreadable-file") from error
    if not parts:
        raise _refused(path, "holds no voxel of any segment; export it again", "empty-labels")
    is_fractional = dataset.SegmentationType == "FRACTIONAL"
    said = f"{path.name}: fractions of one half and more were taken for inside"
    return Scan(
        parts=parts,
        frame_of_reference=str(dataset.get("FrameOfReferenceUID", "")) or None,
        notes=(said,) if is_fractional else (),
    )


def _segments(
    dataset: Any,  # noqa: ANN401  attributes by DICOM keyword
    frames: Shaped[np.ndarray, "f r c"],
    path: Path,
) -> tuple[Segment, ...]:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    if len(groups) != len(frames):
        raise _refused(path, f"tells of {len(groups)} frames but has {len(frames)}", "no-affine")
    affine, slices = _placed(shared, groups, path)
    shape = (frames.shape[2], frames.shape[1], int(slices.max()) + 1)
    found = []
    for item in dataset.SegmentSequence:
        number = int(item.SegmentNumber)
        if number == 0:  # the background of a label map
            continue
        inside = np.zeros(shape, dtype=bool)
        for frame, group, place in zip(frames, groups, slices, strict=True):
            if dataset.SegmentationType == "LABELMAP":
                inside[:, :, place] |= (frame == number).T
            elif _number(group, shared) == number:
                inside[:, :, place] |= (frame > _threshold(dataset)).T
        segment = segment_in(_label(item), inside, affine)
        if segment is not None:
            found.append(segment)
    return tuple(found)


def _number(group: Any, shared: Any) -> int:  # noqa: ANN401
    """Return which segment a frame belongs to."""
    own = group if "SegmentIdentificationSequence" in group else shared
    return int(own.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _threshold(dataset: Any) -> float:  # noqa: ANN401
    if dataset.SegmentationType == "FRACTIONAL":
        return 0.5 * float(dataset.MaximumFractionalValue) - 0.5
    return 0.0


def _label(item: Any) -> str:  # noqa: ANN401
    """Return a segment's name: its own if it tells something, else what its code stands for."""
    label = str(item.get("SegmentLabel", "")).strip()
    codes = item.get("SegmentedPropertyTypeCodeSequence") or [None]
    coded = _CODED.get(str(codes[0].CodeValue), "") if codes[0] is not None else ""
    return label if role_of(label) is not None or not coded else coded


def _placed(
    shared: Any,  # noqa: ANN401
    groups: list[Any],
    path: Path,
) -> tuple[Affine, Shaped[np.ndarray, " f"]]:
    """Return where the volume lies that the frames fill, and each frame's slice in it."""
    facing = _of(groups[0], shared, "PlaneOrientationSequence").ImageOrientationPatient
    pixel = _of(groups[0], shared, "PixelMeasuresSequence")
    across, down = (np.array(facing[a : a + 3], dtype=np.float64) for a in (0, 3))
    normal = np.cross(across, down)
    corners = np.array(
        [_of(g, shared, "PlanePositionSequence").ImagePositionPatient for g in groups], dtype=float
    )
    along = corners @ normal
    aside = corners - along[:, None] * normal
    if np.ptp(aside, axis=0).max() > _ASIDE_MM:
        raise _refused(
            path, "has slices that are shifted against each other, as under a tilted gantry; "
            "resample the segmentation to a straight volume", "no-affine",
        )  # fmt: skip
    step = _step(along, pixel)
    places = (along - along.min()) / step
    slices = np.rint(places).astype(int)
    if np.abs(places - slices).max() > _OFF_SLICE:
        raise _refused(path, "has slices at uneven distances; resample it", "no-affine")
    affine = np.eye(4)
    affine[:3, 0] = across * float(pixel.PixelSpacing[1])
    affine[:3, 1] = down * float(pixel.PixelSpacing[0])
    affine[:3, 2] = normal * step
    affine[:3, 3] = corners[int(np.argmin(along))]
    return affine, slices


def _of(group: Any, shared: Any, sequence: str) -> Any:  # noqa: ANN401
    return getattr(group if sequence in group else shared, sequence)[0]


def _step(along: Float[np.ndarray, " f"], pixel: Any) -> float:  # noqa: ANN401
    """Return the distance between slices, mm: as stated, or the least there is."""
    gaps = np.diff(np.unique(np.round(along, 3)))
    stated = pixel.get("SpacingBetweenSlices")
    if stated:
        return float(stated)
    return float(gaps.min()) if len(gaps) else float(pixel.SliceThickness)


def _model(dataset: Any, path: Path) -> Scan:  # noqa: ANN401
    units = dataset.get("MeasurementUnitsCodeSequence")
    unit = str(units[0].CodeValue) if units else ""
    if unit not in _MM:
        raise _refused(
            path, f"states the unit {unit!r} for its surface; it must be one of {', '.join(_MM)}",
            "bad-model",
        )  # fmt: skip
    length = int(dataset.get("EncapsulatedDocumentLength", 0)) or None
    try:
        raw = read_mesh(bytes(dataset.EncapsulatedDocument)[:length], "stl")
    except MeshError as error:
        raise _refused(path, f"holds an STL that cannot be read: {error}", "bad-model") from error
    label = next(
        (
            str(dataset.get(key))
            for key in ("DocumentTitle", "ContentDescription", "SeriesDescription")
            if dataset.get(key)
        ),
        path.stem,
    )
    mesh = RawMesh(vertices=raw.vertices * _MM[unit], faces=raw.faces)
    return Scan(
        parts=(Model(label=label, mesh=mesh),),
        frame_of_reference=str(dataset.get("FrameOfReferenceUID", "")) or None,
    )


def _refused(path: Path, why: str, code: str) -> CaseError:
    return CaseError(f"{path.name} {why}", field="source", code=code)
