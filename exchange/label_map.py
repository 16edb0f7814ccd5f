"""The label map that a case.json may name: one NIfTI file whose labels are structures of the case.

It lies where its own affine says, in patient coordinates and mm, whatever frame and unit the case
states for its meshes.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from exchange.importing import prepared
from exchange.labels import NO_TABLE, LabelTable
from exchange.nifti import read_nifti
from exchange.segments import Segment
from exchange.surface import surface_of
from geometry.mesh_files import RawMesh
from planner.case import Kind
from planner.case_io import LabelSurface, LabelSurfaces
from planner.errors import CaseError

SUFFIXES = (".nii", ".nii.gz")
_NUMBERED = LabelTable(names={number: str(number) for number in range(1, 1 << 16)}, roles={})


def label_surfaces(name: str, data: bytes) -> LabelSurfaces:
    """Return what draws the surfaces of a label map's labels.

    A label is a number, or a name that the file's header tells (as TotalSegmentator writes them).

    Args:
        name: The file's path in the case.
        data: Its bytes.

    Raises:
        CaseError: ``unknown-format`` if it is not called as NIfTI is. What is drawn may further
            raise ``unknown-label``, and what reading NIfTI does.
    """
    suffix = next((s for s in reversed(SUFFIXES) if name.lower().endswith(s)), None)
    if suffix is None:
        raise CaseError(
            f"{name!r} is no label map that a case may name: it has to end in "
            f"{' or '.join(SUFFIXES)}; trocar import reads others",
            field="labelmap", code="unknown-format",
        )  # fmt: skip

    @cache
    def segments(*, numbered: bool) -> Mapping[str, Segment]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"labelmap{suffix}"
            path.write_bytes(data)
            scan = read_nifti(path, _NUMBERED if numbered else NO_TABLE)
        return {part.label: part for part in scan.parts if isinstance(part, Segment)}

    def drawn(label: int | str, kind: Kind) -> LabelSurface:
        there = segments(numbered=isinstance(label, int))
        if str(label) not in there:
            raise CaseError(
                f"{name} has no label {label!r}; it has {', '.join(list(there)[:40])}",
                field="label", code="unknown-label",
            )  # fmt: skip
        segment = there[str(label)]
        mesh = surface_of(prepared(segment, kind))
        return LabelSurface(
            surface=RawMesh(vertices=mesh.vertices, faces=mesh.faces),
            error_mm=0.5 * float(segment.spacing_mm.max()),
        )

    return drawn
