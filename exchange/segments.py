"""What a segmentation holds: named voxels or named surfaces, where they lie, and who said so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.ndimage import find_objects

from geometry.arrays import Point
from geometry.frames import lps_from_ras
from geometry.mesh_files import RawMesh

Affine = Float[np.ndarray, "4 4"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """The voxels of one name, cut out of their volume.

    Attributes:
        label: What the segmentation calls it.
        voxels: Which voxels of the box around it belong to it.
        lps_from_voxel: From an index of the box to the voxel's centre in patient LPS, mm.
        cut: Whether it reaches the edge of the volume, where it may go on.
    """

    label: str
    voxels: Bool[np.ndarray, "i j k"]
    lps_from_voxel: Affine
    cut: bool = False

    @property
    def spacing_mm(self) -> Point:
        """Distances between neighbouring voxels along the three axes of the volume, mm."""
        spacing: Point = np.linalg.norm(self.lps_from_voxel[:3, :3], axis=0)
        return spacing

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel."""
        return abs(float(np.linalg.det(self.lps_from_voxel[:3, :3])))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A surface of one name, in patient LPS and mm."""

    label: str
    mesh: RawMesh


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """All that one source holds.

    Attributes:
        parts: Segments and models, in the source's order.
        frame_of_reference: DICOM Frame of Reference UID, where the source states one.
        notes: What a person should know about how it was read.
    """

    parts: tuple[Segment | Model, ...]
    frame_of_reference: str | None = None
    notes: tuple[str, ...] = ()


def segment_in(
    label: str, inside: Bool[np.ndarray, "i j k"], lps_from_voxel: Affine
) -> Segment | None:
    """Cut the voxels of one name out of a volume; None if there are none.

    Args:
        label: What the segmentation calls it.
        inside: Which voxels of the volume belong to it.
        lps_from_voxel: From an index of the volume to the voxel's centre, mm.
    """
    low, high = [], []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(inside.any(axis=others))
        if len(filled) == 0:
            return None
        low.append(int(filled[0]))
        high.append(int(filled[-1]) + 1)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return Segment(
        label=label,
        voxels=np.ascontiguousarray(inside[window]),
        lps_from_voxel=moved_to(lps_from_voxel, np.array(low)),
        cut=min(low) == 0 or any(b == n for b, n in zip(high, inside.shape, strict=True)),
    )


def labelled_segments(
    labels: Shaped[np.ndarray, "i j k"], names: Mapping[int, str], lps_from_voxel: Affine
) -> Iterator[Segment]:
    """Yield the segments of a label map that have a name, by their numbers.

    Args:
        labels: The number of every voxel.
        names: What each number is called.
        lps_from_voxel: From an index of the volume to the voxel's centre, mm.
    """
    for number, box in enumerate(find_objects(labels), start=1):
        if box is None or number not in names:
            continue
        ends = [(part.start, part.stop, n) for part, n in zip(box, labels.shape, strict=True)]
        yield Segment(
            label=names[number],
            voxels=labels[box] == number,
            lps_from_voxel=moved_to(lps_from_voxel, np.array([first for first, _, _ in ends])),
            cut=any(first == 0 or last == n for first, last, n in ends),
        )


def moved_to(lps_from_voxel: Affine, first: Shaped[np.ndarray, "3"]) -> Affine:
    """Return the affine of the box that begins at voxel ``first``."""
    moved = lps_from_voxel.copy()
    moved[:3, 3] += lps_from_voxel[:3, :3] @ first
    return moved


def lps_affine(ras_from_voxel: Affine) -> Affine:
    """Turn an affine to RAS, as NIfTI has it, into one to LPS."""
    affine = np.array(ras_from_voxel, dtype=np.float64)
    affine[:3] = lps_from_ras(affine[:3].T).T
    return affine
