"""A made-up case as a segmentation would show it: voxels of a label map.

The truth of what is imported again is the case itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from geometry.arrays import Point
from geometry.frames import lps_from_ras
from geometry.mesh import TriangleMesh
from planner.anatomy.solid_grid import filled
from planner.case import HARDWARE, Case

MARGIN_VOXELS = 3
# Of a voxel, differently along each axis: no flat wall of a made-up mesh lies between two voxels.
_OFF_GRID = np.array([0.3819660113, 0.2360679775, 0.1458980338])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelMap:
    """Numbered voxels and where they lie.

    Attributes:
        labels: One number per voxel, 0 where there is nothing; later structures win.
        ras_from_voxel: From the index of a voxel's centre to RAS, mm (as NIfTI has it).
        names: The number of each name.
    """

    labels: Int[np.ndarray, "i j k"]
    ras_from_voxel: Float[np.ndarray, "4 4"]
    names: dict[str, int]


def label_map(
    groups: Mapping[str, Sequence[TriangleMesh]],
    spacing_mm: tuple[float, float, float],
    *,
    around: Sequence[TriangleMesh] = (),
    turned_rad: float = 0.0,
) -> LabelMap:
    """Fill the voxels of a scan that covers some meshes.

    Args:
        groups: The closed meshes of each label, patient LPS; where labels overlap, the later one
            counts.
        spacing_mm: Between voxels: columns, rows, slices.
        around: What else the scan covers; the same meshes in all give the same voxels.
        turned_rad: How far the scan's axes are turned about the patient's left, as by a gantry.
    """
    axes = Rotation.from_rotvec([turned_rad, 0.0, 0.0]).as_matrix() * np.array(spacing_mm)
    voxel_from_lps = np.linalg.inv(axes)
    meshes = [*around, *(mesh for group in groups.values() for mesh in group)]
    cells = np.concatenate([mesh.vertices for mesh in meshes]) @ voxel_from_lps.T
    low = np.floor(cells.min(axis=0)) - MARGIN_VOXELS + _OFF_GRID
    shape = np.ceil(cells.max(axis=0) - low).astype(int) + MARGIN_VOXELS
    labels = np.zeros(tuple(int(n) for n in shape), dtype=np.int16)
    for number, group in enumerate(groups.values(), start=1):
        for mesh in group:
            _fill(labels, (mesh.corners @ voxel_from_lps.T) - low, number)
    return LabelMap(
        labels=labels,
        ras_from_voxel=_ras_from_voxel(axes, axes @ low),
        names={name: number for number, name in enumerate(groups, start=1)},
    )


def scanned(case: Case, spacing_mm: tuple[float, float, float]) -> tuple[LabelMap, LabelMap | None]:
    """Return a case as its label map, small structures over large ones, and the mask of its metal.

    Both have the same voxels; the metal may lie in bone, as a threshold beside a model gives it.
    """
    metal = [s.mesh for s in case.of_kind(*HARDWARE)]
    rest = sorted(
        (s for s in case.structures if s.kind not in HARDWARE), key=lambda s: -s.mesh.volume_mm3
    )
    anatomy = label_map({s.name: [s.mesh] for s in rest}, spacing_mm, around=metal)
    if not metal:
        return anatomy, None
    return anatomy, label_map({"metal": metal}, spacing_mm, around=[s.mesh for s in rest])


def _fill(labels: np.ndarray, corners: np.ndarray, number: int) -> None:
    low = np.floor(corners.min(axis=(0, 1))).astype(int)
    high = np.ceil(corners.max(axis=(0, 1))).astype(int) + 1
    x, y, z = (int(n) for n in high - low)
    inside = filled(corners - low, (x, y, z))
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    labels[window][inside] = number


def _ras_from_voxel(axes: np.ndarray, origin: Point) -> Float[np.ndarray, "4 4"]:
    affine = np.eye(4)
    affine[:3, :3] = lps_from_ras(axes.T).T
    affine[:3, 3] = lps_from_ras(origin[None])[0]
    return affine
