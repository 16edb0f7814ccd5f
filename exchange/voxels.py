"""What is done to voxels before a surface is drawn round them."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes

from exchange.segments import Segment, moved_to
from geometry.arrays import Point


def filled(segment: Segment) -> Segment:
    """Fill the holes in every slice, such as a label map cuts out of a skin."""
    slices = [binary_fill_holes(one) for one in np.moveaxis(segment.voxels, 2, 0)]
    return replace(segment, voxels=np.stack(slices, axis=2))


def united(segments: list[Segment]) -> list[Segment]:
    """Unite segments of one grid into one, and leave those of other grids apart."""
    kept: list[Segment] = []
    for segment in segments:
        for place, other in enumerate(kept):
            offset = _offset(other, segment)
            if offset is not None:
                kept[place] = _union(other, segment, offset)
                break
        else:
            kept.append(segment)
    return kept


def touching(one: Segment, other: Segment) -> int:
    """Return how many voxels of a segment touch another of the same grid; 0 in another grid."""
    offset = _offset(one, other)
    if offset is None:
        return 0
    around = binary_dilation(np.pad(other.voxels, 1))
    where = np.argwhere(around) + offset.astype(int) - 1
    there = where[((where >= 0) & (where < one.voxels.shape)).all(axis=1)]
    return int(one.voxels[tuple(there.T)].sum())


def _offset(one: Segment, other: Segment) -> Point | None:
    """Return where another segment's first voxel lies in the grid of one, if it is the same."""
    axes = one.lps_from_voxel[:3, :3]
    if np.abs(axes - other.lps_from_voxel[:3, :3]).max() > 1e-4:
        return None
    offset = np.linalg.solve(axes, other.lps_from_voxel[:3, 3] - one.lps_from_voxel[:3, 3])
    whole: Point = np.rint(offset)
    return whole if np.abs(offset - whole).max() < 0.01 else None


def _union(one: Segment, other: Segment, offset: Point) -> Segment:
    first = np.minimum(0, offset).astype(int)
    last = np.maximum(one.voxels.shape, offset.astype(int) + np.array(other.voxels.shape))
    voxels = np.zeros(tuple(int(n) for n in last - first), dtype=bool)
    for segment, at in ((one, -first), (other, offset.astype(int) - first)):
        sizes = segment.voxels.shape
        window = tuple(slice(int(a), int(a) + n) for a, n in zip(at, sizes, strict=True))
        voxels[window] |= segment.voxels
    return Segment(
        label=one.label,
        voxels=voxels,
        lps_from_voxel=moved_to(one.lps_from_voxel, first),
        cut=one.cut or other.cut,
    )


def coarser(segment: Segment, *, at_most_mm: float) -> Segment:
    """Put voxels together to blocks of at most so many mm; a block counts if any voxel does."""
    factor = np.maximum(1, np.floor(at_most_mm / segment.spacing_mm + 1e-6)).astype(int)
    if (factor == 1).all():
        return segment
    pad = [(0, int(-n % f)) for n, f in zip(segment.voxels.shape, factor, strict=True)]
    voxels = np.pad(segment.voxels, pad)
    blocks = [(n // f, f) for n, f in zip(voxels.shape, (int(f) for f in factor), strict=True)]
    blocked = np.asarray(voxels.reshape([n for pair in blocks for n in pair]).any(axis=(1, 3, 5)))
    affine = segment.lps_from_voxel.copy()
    affine[:3, 3] += affine[:3, :3] @ (0.5 * (factor - 1.0))
    affine[:3, :3] *= factor
    return replace(segment, voxels=blocked, lps_from_voxel=affine)
