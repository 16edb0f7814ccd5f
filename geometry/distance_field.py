"""Distance fields on grids: for searching, never the last word.

A field holds ``min(distance - offset, cap)`` at grid nodes. That function is 1-Lipschitz, so its
trilinear interpolation is off by at most ``spacing * sqrt(sum f_k (1 - f_k)) <= 0.866 spacing``
where f_k are the fractional grid coordinates (proof in ``_kernels.interpolate``).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry import _kernels
from geometry.arrays import Point, frozen
from geometry.exact import MeshDistance

THREADS = 2
MAX_NODES = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistanceField:
    """Values on a regular grid, in the frame of the mesh or tree it was built from.

    Attributes:
        origin_mm: Position of node (0, 0, 0).
        spacing_mm: Step between nodes, the same along all axes.
        cap_mm: Values are never above it; at it, the true value may be anything larger.
        values: Distance less offset, capped, at the nodes; shape (nx, ny, nz), mm.
    """

    origin_mm: Point
    spacing_mm: float
    cap_mm: float
    values: Float[np.ndarray, "nx ny nz"]

    def at(self, point: Point) -> tuple[float, float]:
        """Return the interpolated value at a point and its proven error bound, mm."""
        x, y, z = (float(c) for c in point)
        value, bound = _kernels.interpolate(self.values, self.origin_mm, self.spacing_mm, x, y, z)
        return float(value), float(bound)


def slack_field(
    tree: _kernels.Tree, *, low_mm: Point, high_mm: Point, spacing_mm: float, cap_mm: float
) -> DistanceField:
    """Sample min(distance - offset, cap) of a triangle tree over a box.

    Args:
        tree: Triangles with their offsets.
        low_mm: Lowest corner of the box.
        high_mm: Highest corner of the box.
        spacing_mm: Grid step.
        cap_mm: Values above it are not told apart, which makes building fast.

    Raises:
        ValueError: If the grid would have more than ``MAX_NODES`` nodes.
    """
    low = frozen(low_mm)
    shape = np.maximum(np.ceil((np.asarray(high_mm) - low) / spacing_mm).astype(int) + 1, 2)
    if int(np.prod(shape)) > MAX_NODES:
        raise ValueError(f"a grid of {shape.tolist()} nodes is too large; raise spacing_mm")
    values = np.empty(tuple(int(n) for n in shape))
    planes = np.array_split(np.arange(shape[0]), THREADS * 4)
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [
            pool.submit(
                _kernels.fill_grid, tree, low, spacing_mm, cap_mm, values, int(p[0]), int(p[-1]) + 1
            )
            for p in planes
            if len(p)
        ]:
            done.result()
    values.setflags(write=False)
    return DistanceField(origin_mm=low, spacing_mm=spacing_mm, cap_mm=cap_mm, values=values)


def signed_distance_field(
    mesh: MeshDistance, *, low_mm: Point, high_mm: Point, spacing_mm: float
) -> DistanceField:
    """Sample the signed distance to a closed mesh (negative inside) over a box.

    Raises:
        ValueError: If the mesh is open: it has no inside.
    """
    if not mesh.mesh.is_closed:
        raise ValueError("an open mesh has no inside; use slack_field for its distance")
    field = slack_field(
        mesh.tree, low_mm=low_mm, high_mm=high_mm, spacing_mm=spacing_mm, cap_mm=_kernels.FAR
    )
    inside = np.zeros(field.values.shape, dtype=np.int8)
    _kernels.flood_signs(mesh.tree, field.origin_mm, spacing_mm, field.values, inside)
    values = np.where(inside == 2, -field.values, field.values)
    values.setflags(write=False)
    return DistanceField(
        origin_mm=field.origin_mm, spacing_mm=spacing_mm, cap_mm=_kernels.FAR, values=values
    )
