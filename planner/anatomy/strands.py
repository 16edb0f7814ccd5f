"""Stretches of bars in a block of metal: where it is deepest along lines.

Heads, clamps and crossings are thick and short; shafts and rods are thin and long. The cells that
are about as deep as any near them lie on the middles of both, apart from each other.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import label, maximum_filter
from scipy.spatial import cKDTree

from geometry.arrays import Points
from planner.anatomy.solid_grid import SolidGrid

NEAR_MM = 2.4  # a cell on a middle is about as deep as any so near
AS_DEEP = 0.78
LEAST_DEPTH_MM = 0.9
MOST_DEPTH_MM = 7.0  # deeper metal is no bar, nor next to one
LEAST_LENGTH_MM = 7.0
STEP_MM = 2.0
LARGEST_SPREAD_MM = 1.3  # of the middle's cells across a bar
CROSSING_MM = 4.0  # about a cell, where the middle's cells form no line if bars cross there
CROSSING = 0.2  # second over first spread, squared


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strand:
    """The middle of a bar between the thick places it runs into.

    Attributes:
        points: Along it, mm, about 2 apart.
        radius: Its radius, mm.
    """

    points: Points
    radius: float

    @property
    def length(self) -> float:
        """From end to end, mm."""
        return float(np.linalg.norm(self.points[-1] - self.points[0]))


def strands(grid: SolidGrid) -> list[Strand]:
    """Return stretches of bars in a block of metal, longest first."""
    depth = grid.depth_mm
    size = 2 * round(NEAR_MM / grid.spacing_mm) + 1
    deepest = maximum_filter(depth, size=size)
    middle = (depth >= AS_DEEP * deepest) & (depth >= LEAST_DEPTH_MM) & (deepest < MOST_DEPTH_MM)
    found = []
    for points in _groups(grid, middle):
        bar = _bar(grid, points)
        if bar is None:
            for piece in _without_crossings(grid, points):
                bar = _bar(grid, piece)
                found += [bar] if bar is not None else []
        else:
            found.append(bar)
    long = [b for b in found if b.length >= LEAST_LENGTH_MM]
    return sorted(long, key=lambda b: -b.length)


def _groups(
    grid: SolidGrid, chosen: Bool[np.ndarray, "nx ny nz"]
) -> list[Float[np.ndarray, "_ 3"]]:
    """Return the centres of cells that touch, group by group."""
    labels, count = label(chosen, structure=np.ones((3, 3, 3)))
    cells = np.argwhere(chosen)
    which = labels[tuple(cells.T)]
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(1, count + 2))
    points = grid.origin_mm + grid.spacing_mm * cells[order]
    return [points[a:b] for a, b in pairwise(bounds) if b - a >= 4]


def _bar(grid: SolidGrid, points: Points) -> Strand | None:
    """Return the line through a group of cells, if it is one line."""
    centre = points.mean(axis=0)
    along = (points - centre) @ np.linalg.svd(points - centre, full_matrices=False)[2][0]
    count = max(2, round(float(along.max() - along.min()) / STEP_MM))
    place = np.clip(
        ((along - along.min()) / (along.max() - along.min() + 1e-9) * count).astype(int),
        0, count - 1,
    )  # fmt: skip
    size = np.bincount(place, minlength=count)
    if (size == 0).any():
        return None
    line = np.stack([np.bincount(place, points[:, i], count) / size for i in range(3)], axis=1)
    off = points - line[place]
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-12
    off = off - np.einsum("ij,ij->i", off, tangents[place])[:, None] * tangents[place]
    spread = np.sqrt(np.bincount(place, (off**2).sum(axis=1), count) / size)
    if float(np.quantile(spread, 0.9)) > LARGEST_SPREAD_MM:
        return None
    ends = np.stack([points[along.argmin()], points[along.argmax()]])
    inner = line[1:-1] if count > 3 else line
    line = np.concatenate([_shadow(ends[:1], inner[:2]), inner, _shadow(ends[1:], inner[-2:])])
    return Strand(points=line, radius=float(np.median(grid.depths(line))) + 0.25 * grid.spacing_mm)


def _shadow(end: Float[np.ndarray, "1 3"], line: Points) -> Float[np.ndarray, "1 3"]:
    """Return an end put onto the line through two points, or as it is if they are one."""
    step = line[-1] - line[0]
    length = float(step @ step)
    if length == 0.0:
        return end
    return line[:1] + ((end[0] - line[0]) @ step / length) * step[None]


def _without_crossings(grid: SolidGrid, points: Points) -> list[Float[np.ndarray, "_ 3"]]:
    """Return the groups that are left without the cells about which the group is no line."""
    tree = cKDTree(points)
    keep = np.zeros(len(points), dtype=bool)
    for i, near in enumerate(tree.query_ball_point(points, CROSSING_MM)):
        offset = points[near] - points[near].mean(axis=0)
        spread = np.linalg.svd(offset, compute_uv=False) ** 2
        keep[i] = len(near) > 3 and spread[1] < CROSSING * spread[0]
    chosen = np.zeros(grid.depth_mm.shape, dtype=bool)
    cells = np.rint((points[keep] - grid.origin_mm) / grid.spacing_mm).astype(int)
    chosen[tuple(cells.T)] = True
    return _groups(grid, chosen)
