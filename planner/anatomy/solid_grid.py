"""The inside of a mesh on a regular grid, and how deep each place lies in it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt

from geometry.arrays import Point, Points
from geometry.mesh import TriangleMesh

MOST_CELLS = 5_000_000
# Of a cell, differently along each axis, so that no edge of a voxel mesh meets a line of the grid.
_OFF_GRID = np.array([0.3819660113, 0.2360679775, 0.1458980338])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SolidGrid:
    """Cells of a cubic grid in the frame of the mesh.

    Attributes:
        origin_mm: Centre of cell (0, 0, 0).
        spacing_mm: Between centres.
        depth_mm: Distance of each cell's centre to the nearest cell outside, less half a cell;
            0 outside.
    """

    origin_mm: Point
    spacing_mm: float
    depth_mm: Float[np.ndarray, "nx ny nz"]

    def depths(self, points: Points) -> Float[np.ndarray, " n"]:
        """Return the depth of the cell that each point lies in; 0 outside the grid."""
        cell = np.rint((points - self.origin_mm) / self.spacing_mm).astype(np.int64)
        shape = np.array(self.depth_mm.shape)
        within = ((cell >= 0) & (cell < shape)).all(axis=1)
        found = np.zeros(len(points))
        found[within] = self.depth_mm[tuple(cell[within].T)]
        return found


def solid_grid(mesh: TriangleMesh, *, spacing_mm: float) -> SolidGrid:
    """Fill a closed mesh with cells: a cell is inside where surfaces wind about its centre.

    Overlapping parts count as their union. The spacing grows where there would be too many cells.
    """
    low, high = mesh.bounds
    extent = high - low
    spacing = max(spacing_mm, float(np.prod(extent + 2.0) / MOST_CELLS) ** (1.0 / 3.0))
    origin = low - (1.0 + _OFF_GRID) * spacing
    shape = tuple(int(n) for n in np.ceil((high - origin) / spacing) + 2)
    inside = filled((mesh.corners - origin) / spacing, (shape[0], shape[1], shape[2]))
    depth = distance_transform_edt(inside) * spacing
    return SolidGrid(
        origin_mm=origin,
        spacing_mm=spacing,
        depth_mm=np.maximum(0.0, depth - 0.5 * spacing),
    )


def filled(
    corners: Float[np.ndarray, "m 3 3"], shape: tuple[int, int, int]
) -> Bool[np.ndarray, "nx ny nz"]:
    """Tell which cells of a grid have their centre inside a closed mesh.

    Args:
        corners: The mesh's triangles, in cells: (i, j, k) is the centre of a cell of the grid.
        shape: How many cells there are.
    """
    winding = np.zeros((shape[0], shape[1], shape[2] + 1), dtype=np.int32)
    column, height, way = _crossings(corners)
    level = np.clip(np.ceil(height).astype(np.int64), 0, shape[2])
    np.add.at(winding, (column[:, 0], column[:, 1], level), way)
    return np.cumsum(winding, axis=2)[:, :, :-1] > 0


def _crossings(
    corners: Float[np.ndarray, "m 3 3"],
) -> tuple[np.ndarray, Float[np.ndarray, " k"], np.ndarray]:
    """Return where the grid's upright lines cross triangles: column, height, in (1) or out (-1)."""
    flat = corners[:, :, :2]
    low = np.ceil(flat.min(axis=1)).astype(np.int64)
    high = np.floor(flat.max(axis=1)).astype(np.int64)
    size = np.maximum(high - low + 1, 0)
    times = size[:, 0] * size[:, 1]
    face = np.repeat(np.arange(len(corners)), times)
    place = np.arange(len(face)) - np.repeat(np.cumsum(times) - times, times)
    column = low[face] + np.stack([place // size[face, 1], place % size[face, 1]], axis=1)
    a, b, c = np.moveaxis(flat[face] - column[:, None, :], 1, 0)
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    hit = (parts > 0.0).all(axis=1) | (parts < 0.0).all(axis=1)
    total = parts[hit].sum(axis=1)
    height = (parts[hit] * corners[face[hit], :, 2]).sum(axis=1) / total
    return column[hit], height, np.where(total > 0.0, -1, 1)


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
