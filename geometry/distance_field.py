"""Distance fields on grids: for searching, never the last word.

A field holds ``min(distance - offset, cap)`` at grid nodes. That function is 1-Lipschitz, so its
trilinear interpolation is off by at most ``spacing * sqrt(sum f_k (1 - f_k)) <= 0.866 spacing``
where f_k are the fractional grid coordinates (proof in ``_kernels.interpolate``).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from geometry import _kernels
from geometry.arrays import Point, frozen

THREADS = 2
MAX_NODES = 40_000_000
LEVELS = (4, 2, 1)  # node steps of a ceiling field, coarse to fine
# A coarse cell is looked into if one of its corners is below this many of its own steps.
NEAR_STEPS = 1.25


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
        value, bound = _kernels.interpolate(self.grid, x, y, z)
        return float(value), float(bound)

    @property
    def grid(self) -> _kernels.Grid:
        """The same for compiled callers."""
        return _kernels.Grid(self.values, self.origin_mm, self.spacing_mm)


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
    values = np.empty(_shape(low, high_mm, spacing_mm, 1))
    _by_planes(
        values.shape[0], 1, partial(_kernels.fill_grid, tree, low, spacing_mm, cap_mm, values)
    )
    values.setflags(write=False)
    return DistanceField(origin_mm=low, spacing_mm=spacing_mm, cap_mm=cap_mm, values=values)


def ceiling_field(
    tree: _kernels.Tree, *, low_mm: Point, high_mm: Point, spacing_mm: float
) -> DistanceField:
    """Sample distance - offset of a triangle tree over a box, exact near surfaces only.

    No node is ever below the true value, so a value plus its interpolation bound is an upper
    bound everywhere. Far from surfaces a node is the interpolation between nodes 2 or 4 steps
    apart plus its error bound, which costs next to nothing.

    Args:
        tree: Triangles with their offsets.
        low_mm: Lowest corner of the box.
        high_mm: Highest corner of the box; the grid may reach up to 4 steps beyond it.
        spacing_mm: Finest grid step.

    Raises:
        ValueError: If the grid would have more than ``MAX_NODES`` nodes.
    """
    low = frozen(low_mm)
    values = np.empty(_shape(low, high_mm, spacing_mm, LEVELS[0]), dtype=np.float32)
    for step in LEVELS:
        near = -1.0 if step == LEVELS[0] else NEAR_STEPS * 2 * step * spacing_mm
        fill = partial(_kernels.fill_level, tree, low, spacing_mm, step, near, values)
        _by_planes(values.shape[0], step, fill)
    values.setflags(write=False)
    return DistanceField(
        origin_mm=low, spacing_mm=spacing_mm, cap_mm=_kernels.FAR, values=values
    )  # fmt: skip


def _shape(low: Point, high_mm: Point, spacing_mm: float, step: int) -> tuple[int, ...]:
    """Return how many nodes cover a box along each axis: a multiple of ``step``, and one more."""
    cells = np.ceil((np.asarray(high_mm) - low) / (spacing_mm * step)).astype(int)
    shape = np.maximum(cells, 1) * step + 1
    if int(np.prod(shape)) > MAX_NODES:
        raise ValueError(f"a grid of {shape.tolist()} nodes is too large; raise spacing_mm")
    return tuple(int(n) for n in shape)


def _by_planes(count: int, step: int, fill: Callable[[int, int], None]) -> None:
    """Call ``fill(start, stop)`` for runs of every ``step``-th plane, on all threads."""
    runs = np.array_split(np.arange(0, count, step), THREADS * 4)
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(fill, int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]:
            done.result()


def signed_distance_field(
    tree: _kernels.Tree, *, low_mm: Point, high_mm: Point, spacing_mm: float
) -> DistanceField:
    """Sample the signed distance to closed surfaces (negative inside any of them) over a box.

    Args:
        tree: Triangles of closed, outward surfaces with offset 0.
        low_mm: Lowest corner of the box.
        high_mm: Highest corner of the box.
        spacing_mm: Grid step.
    """
    field = slack_field(
        tree, low_mm=low_mm, high_mm=high_mm, spacing_mm=spacing_mm, cap_mm=_kernels.FAR
    )
    inside = np.zeros(field.values.shape, dtype=np.int8)
    _kernels.flood_signs(tree, field.origin_mm, spacing_mm, field.values, inside)
    values = np.where(inside == 2, -field.values, field.values)
    values.setflags(write=False)
    return DistanceField(
        origin_mm=field.origin_mm, spacing_mm=spacing_mm, cap_mm=_kernels.FAR, values=values
    )
