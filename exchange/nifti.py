"""NIfTI: label maps, and masks of one class per file (TotalSegmentator writes both)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from jaxtyping import Int
from nibabel.filebasedimages import ImageFileError

from exchange.labels import LabelTable
from exchange.segments import Scan, labelled_segments, lps_affine
from geometry.mesh import MeshError
from geometry.mesh_files.xml_tree import parsed_xml
from planner.errors import CaseError

_UNITS_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
MOST_VOXELS = 2_000_000_000
_TINY = 1e-9


def read_nifti(path: Path, table: LabelTable) -> Scan:
    """Read the segments of a NIfTI file.

    Numbers get their names from the label table, then from the file's header. A file with no
    names that holds one number is a mask, called like the file.

    Raises:
        CaseError: ``unreadable-file``, ``not-three-dimensional``, ``no-affine``, ``not-labels``,
            ``empty-labels`` or ``unnamed-labels``.
    """
    name = path.name
    try:
        image: Any = nibabel.load(path)
        affine = _affine(image, name)
        labels = _labels(image, name)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        if isinstance(error, CaseError):
            raise
        raise _refused(name, f"cannot be read as NIfTI: {error}", "unreadable-file") from error
    names = named_numbers(labels, _names_in(image.header), path, table)
    parts = tuple(labelled_segments(labels, names, affine))
    if not parts:
        raise _refused(
            name, "holds no voxel that is not 0; leave the file out, or export the segmentation "
            "again", "empty-labels",
        )  # fmt: skip
    return Scan(parts=parts)


def label_name(path: Path) -> str:
    """Return what a mask's file is called without its suffixes."""
    name = path.name
    for suffix in (".gz", ".nii", ".seg", ".nrrd"):
        name = name.removesuffix(suffix)
    return name


def _affine(image: Any, name: str) -> np.ndarray:  # noqa: ANN401  nibabel's images have no common type
    header = image.header
    if not (int(header["sform_code"]) or int(header["qform_code"])):
        raise _refused(
            name, "says not where its voxels lie: neither sform nor qform is set; export it with "
            "its geometry, next to the scan that was segmented", "no-affine",
        )  # fmt: skip
    scale = _UNITS_MM.get(header.get_xyzt_units()[0], 1.0)
    affine = lps_affine(image.affine)
    affine[:3] *= scale
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < _TINY:
        raise _refused(name, "has an affine without volume", "no-affine")
    return affine


def _labels(image: Any, name: str) -> Int[np.ndarray, "i j k"]:  # noqa: ANN401
    shape = tuple(n for n in image.shape if n != 1) if len(image.shape) > 3 else image.shape
    if len(shape) != 3:
        raise _refused(
            name, f"has {len(image.shape)} dimensions ({' x '.join(map(str, image.shape))}); "
            "give one label map of 3 dimensions, or one file per class", "not-three-dimensional",
        )  # fmt: skip
    if int(np.prod(shape)) > MOST_VOXELS:
        raise _refused(name, f"has more than {MOST_VOXELS} voxels; crop it", "too-large")
    values = np.asanyarray(image.dataobj).reshape(shape)
    return whole_numbers(values, name)


def whole_numbers(values: np.ndarray, name: str) -> Int[np.ndarray, "i j k"]:
    """Return label numbers as integers.

    Raises:
        CaseError: ``not-labels`` if they are not whole numbers from 0 up.
    """
    if not np.issubdtype(values.dtype, np.integer):
        whole = np.isfinite(values) & (values == np.rint(values))
        if not whole.all():
            raise _refused(
                name, "holds values that are no labels, such as "
                f"{float(values[~whole].flat[0]):.4g}; threshold probabilities, and give the "
                "segmentation instead of the scan", "not-labels",
            )  # fmt: skip
        values = values.astype(np.int32)
    if values.size and (values.min() < 0 or values.max() > 65_535):
        raise _refused(
            name, f"holds labels from {values.min()} to {values.max()}; labels are 0 to 65535: "
            "give the segmentation instead of the scan", "not-labels",
        )  # fmt: skip
    return values.astype(np.uint16, copy=False)


def named_numbers(
    labels: np.ndarray, names: Mapping[int, str], path: Path, table: LabelTable
) -> dict[int, str]:
    """Return what the numbers that occur in a label map are called.

    Args:
        labels: The label map.
        names: The names that its file tells.
        path: The file; one number without a name is called like it.
        table: What a person says, which goes first.

    Raises:
        CaseError: ``unnamed-labels``, listing them.
    """
    there = [int(number) for number in np.flatnonzero(np.bincount(labels.ravel())) if number > 0]
    known = {**names, **table.names}
    if len(there) == 1:
        known = {there[0]: label_name(path), **known}
    nameless = [number for number in there if number not in known]
    if nameless:
        raise _refused(
            path.name, f"has labels without a name: {', '.join(map(str, nameless[:40]))}; give "
            "--labels with a table that names them, or totalsegmentator-v1 or -v2",
            "unnamed-labels",
        )  # fmt: skip
    return {number: known[number] for number in there}


def _names_in(header: Any) -> dict[int, str]:  # noqa: ANN401  of any NIfTI version
    """Return the label names that a header carries as XML, as TotalSegmentator writes them."""
    for extension in header.extensions:
        text = extension.get_content()
        text = text if isinstance(text, bytes) else str(text).encode()
        if b"<LabelTable" not in text:
            continue
        try:
            root = parsed_xml(text.strip(b"\0 \n"))
        except MeshError:
            continue  # names are asked for where the header tells none
        labels = [
            label
            for volume in root.named("VolumeInformation")
            for table in volume.named("LabelTable")
            for label in table.named("Label")
        ]
        found = {label.attributes.get("Key", ""): label.text.strip() for label in labels}
        return {int(key): name for key, name in found.items() if key.isdigit() and name}
    return {}


def _refused(name: str, why: str, code: str) -> CaseError:
    return CaseError(f"{name} {why}", field="source", code=code)
