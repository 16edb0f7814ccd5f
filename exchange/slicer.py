"""3D Slicer's segmentations (``.seg.nrrd``): layers of label maps with the segments' names."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nrrd
import numpy as np

from exchange.labels import LabelTable
from exchange.nifti import MOST_VOXELS, named_numbers, whole_numbers
from exchange.segments import Affine, Scan, Segment, labelled_segments
from planner.errors import CaseError

# Signs that take a NRRD space to LPS.
_SPACES = {
    "left-posterior-superior": (1.0, 1.0, 1.0), "lps": (1.0, 1.0, 1.0),
    "right-anterior-superior": (-1.0, -1.0, 1.0), "ras": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0), "las": (1.0, -1.0, 1.0),
}  # fmt: skip
_SEGMENT = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer|ID)")


def read_nrrd(path: Path, table: LabelTable) -> Scan:
    """Read the segments of a NRRD file; overlapping segments come in layers.

    Raises:
        CaseError: ``unreadable-file``, ``no-affine``, ``not-three-dimensional``, ``not-labels``,
            ``empty-labels`` or ``unnamed-labels``.
    """
    try:
        data, header = nrrd.read(str(path), index_order="F")
    except (nrrd.NRRDError, OSError, ValueError, EOFError, KeyError) as error:
        raise _refused(path, f"cannot be read as NRRD: {error}", "unreadable-file") from error
    if data.size > MOST_VOXELS:
        raise _refused(path, f"has more than {MOST_VOXELS} voxels; crop it", "too-large")
    if data.ndim not in {3, 4}:
        raise _refused(
            path, f"has {data.ndim} dimensions; a segmentation has 3, or 4 with layers first",
            "not-three-dimensional",
        )  # fmt: skip
    layers = data[None] if data.ndim == 3 else data
    parts = tuple(_segments(layers, _affine(header, path), header, (path, table)))
    if not parts:
        raise _refused(path, "holds no voxel of any segment; export it again", "empty-labels")
    return Scan(parts=parts)


def _affine(header: Mapping[str, Any], path: Path) -> Affine:
    signs = _SPACES.get(str(header.get("space", "")).lower())
    directions, origin = header.get("space directions"), header.get("space origin")
    if signs is None or directions is None or origin is None:
        raise _refused(
            path, "says not where its voxels lie: space, space directions and space origin are "
            f"needed, with space one of {', '.join(sorted(s for s in _SPACES if '-' in s))}",
            "no-affine",
        )  # fmt: skip
    rows = np.array([row for row in directions if row is not None], dtype=np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    affine = np.eye(4)
    if rows.shape != (3, 3) or abs(np.linalg.det(rows)) == 0.0:
        raise _refused(path, "has no three independent space directions", "no-affine")
    affine[:3, :3] = rows.T
    affine[:3, 3] = np.asarray(origin, dtype=np.float64)
    affine[:3] *= np.array(signs)[:, None]
    return affine


def _segments(
    layers: np.ndarray, affine: Affine, header: Mapping[str, Any], source: tuple[Path, LabelTable]
) -> Iterator[Segment]:
    path, table = source
    said = _said(header)
    for number, layer in enumerate(layers):
        labels = whole_numbers(layer, path.name)
        names = {value: name for (at, value), name in said.items() if at == number}
        known = names if said else named_numbers(labels, {}, path, table)
        yield from labelled_segments(labels, known, affine)


def _said(header: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    """Return the name of every segment that the header tells of, by its layer and number."""
    facts: dict[int, dict[str, str]] = {}
    for key, value in header.items():
        found = _SEGMENT.fullmatch(str(key))
        if found:
            facts.setdefault(int(found[1]), {})[found[2]] = str(value)
    return {
        (int(one.get("Layer", 0)), int(one.get("LabelValue", 1))): (
            one.get("Name") or one.get("ID") or f"Segment_{number}"
        )
        for number, one in sorted(facts.items())
    }


def _refused(path: Path, why: str, code: str) -> CaseError:
    return CaseError(f"{path.name} {why}", field="source", code=code)
