"""A fast ceiling on the slack of many paths at once, so that few need be measured exactly.

Around the target every node of a grid knows one triangle that is near it: the nearest sample of
each required distance is found by scipy's distance transform. The distance to any one triangle
bounds the slack from above wherever it is taken, so a path that is thrown out here is rightly
thrown out, however coarse the grid and the samples along the path.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt
from trimesh.remesh import subdivide_to_size
from trimesh.triangles import closest_point

from benchmarks.adversary_space import Depths, Surroundings, crossings
from geometry.arrays import Point, Points

# About the target, along the bone's axes: left-right, anterior-posterior, caudal-cranial.
LOW_MM, HIGH_MM = np.array([-80.0, -40.0, -75.0]), np.array([80.0, 95.0, 75.0])
HELD_MM = 0.7  # grid of where tips may end
SAMPLED = 0.8  # longest edge between samples, in spacings of the grid
FAR_MM = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ceiling:
    """Upper bounds of the slack around a target.

    Attributes:
        around: What paths may meet.
        low_mm: First node of the grid, in the bone's axes.
        spacing_mm: Of the grid.
        nearest: Sample near each node.
        samples: Points on the obstacles, patient LPS; the last one is far away.
        of: The triangle that each sample lies on.
        held: Whether a tip may end at a point, on a grid about the target; None if anywhere.
        held_low_mm: First node of that grid, patient LPS.
    """

    around: Surroundings
    low_mm: Point
    spacing_mm: float
    nearest: Int[np.ndarray, "x y z"]
    samples: Points
    of: Int[np.ndarray, " k"]
    held: np.ndarray | None
    held_low_mm: Point

    def near(self, points: Points) -> Int[np.ndarray, " n"]:
        """Return the sample that the node nearest to each point knows."""
        local = (points @ self.around.axes.T - self.low_mm) / self.spacing_mm
        index = np.clip(np.rint(local), 0, np.array(self.nearest.shape) - 1).astype(np.intp)
        return self.nearest[index[:, 0], index[:, 1], index[:, 2]]

    def rough(self, points: Points) -> Depths:
        """Return a bound at each point: the distance to a sample, less what that one requires."""
        sample = self.near(points)
        off = np.linalg.norm(points - self.samples[sample], axis=1)
        return off - self.around.required_mm[self.of[sample]]

    def fine(self, points: Points) -> Depths:
        """Return a lower bound at each point: the distance to that sample's whole triangle."""
        triangle = self.of[self.near(points)]
        on = closest_point(self.around.obstacles[triangle], points)
        return np.linalg.norm(points - on, axis=1) - self.around.required_mm[triangle]

    def holds(self, points: Points) -> np.ndarray:
        """Whether a tip may end at each point, as far as the grid can tell."""
        if self.held is None:
            return np.ones(len(points), dtype=bool)
        index = np.rint((points - self.held_low_mm) / HELD_MM).astype(np.intp)
        inside = ((index >= 0) & (index < np.array(self.held.shape))).all(axis=1)
        index = np.where(inside[:, None], index, 0)
        return inside & self.held[index[:, 0], index[:, 1], index[:, 2]]


def ceiling_of(around: Surroundings, spacing_mm: float) -> Ceiling:
    """Return the bounds around a target, on a grid of the given spacing."""
    low = around.axes @ around.region.centre_mm + LOW_MM
    shape = tuple(np.ceil((HIGH_MM - LOW_MM) / spacing_mm).astype(int) + 1)
    nodes = low + spacing_mm * np.moveaxis(np.indices(shape), 0, -1)
    samples, of = _samples(around, low, spacing_mm)
    local = samples @ around.axes.T
    at = np.rint((local - low) / spacing_mm).astype(np.intp)
    inside = ((at >= 0) & (at < np.array(shape))).all(axis=1)
    nearest, least = np.full(shape, len(samples) - 1), np.full(shape, FAR_MM)
    for required in np.unique(around.required_mm):
        chosen = np.flatnonzero(inside & (around.required_mm[of] == required))
        if not len(chosen):
            continue
        marked = np.full(shape, -1)
        marked[tuple(at[chosen].T)] = chosen
        feature = distance_transform_edt(marked < 0, return_distances=False, return_indices=True)
        sample = marked[tuple(feature)]
        off = np.linalg.norm(nodes - local[sample], axis=-1) - required
        nearest, least = np.where(off < least, sample, nearest), np.minimum(off, least)
    held, held_low = _held(around)
    return Ceiling(
        around=around, low_mm=low, spacing_mm=spacing_mm, nearest=nearest, samples=samples, of=of,
        held=held, held_low_mm=held_low,
    )  # fmt: skip


def _samples(
    around: Surroundings, low: Point, spacing_mm: float
) -> tuple[Points, Int[np.ndarray, " k"]]:
    """Return points on the obstacles within the grid, and their triangles; the last is far."""
    local = around.obstacles @ around.axes.T
    high = low + HIGH_MM - LOW_MM
    near = (local.max(axis=1) >= low).all(axis=1) & (local.min(axis=1) <= high).all(axis=1)
    chosen = np.flatnonzero(near)
    far = np.full((1, 3), FAR_MM)
    if not len(chosen):
        return far, np.zeros(1, dtype=np.int64)
    corners = around.obstacles[chosen].reshape(-1, 3)
    vertices, faces, index = subdivide_to_size(
        corners, np.arange(len(corners)).reshape(-1, 3), SAMPLED * spacing_mm, return_index=True
    )
    points = vertices[faces].mean(axis=1)
    return np.concatenate([points, far]), np.append(chosen[index], chosen[:1])


def _held(around: Surroundings) -> tuple[np.ndarray | None, Point]:
    """Return where about the target a tip may end: nodes with an odd number of walls ahead."""
    low, high = around.corners.min(axis=0), around.corners.max(axis=0)
    if not around.holders:
        return None, low
    shape = np.ceil((high - low) / HELD_MM).astype(int) + 2
    columns = np.moveaxis(np.indices((shape[1], shape[2])), 0, -1).reshape(-1, 2)
    start = low + HELD_MM * np.column_stack([np.zeros(len(columns)), columns])
    along = np.tile([HELD_MM, 0.0, 0.0], (len(start), 1))
    held = np.zeros((len(start), shape[0]), dtype=bool)
    for holder in around.holders:
        ahead = np.zeros((len(start), shape[0] + 1), dtype=np.int64)
        for rows, hits in crossings(holder, start, along):
            nodes_before = np.clip(np.ceil(hits), 0, shape[0]).astype(np.intp)
            np.add.at(ahead, (rows, nodes_before), 1)
        # A wall lies ahead of all nodes before it: of those with a smaller index.
        walls = ahead[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        held |= walls % 2 == 1
    return np.moveaxis(held.reshape(shape[1], shape[2], shape[0]), 2, 0), low


def highest(
    bound: Callable[[Points], Depths], start: Points, step: Points, depths: Float[np.ndarray, "n k"]
) -> Depths:
    """Return the least of a bound over points of each line, given by their depths."""
    points = start[:, None] + depths[:, :, None] * step[:, None]
    return bound(points.reshape(-1, 3)).reshape(depths.shape).min(axis=1)


def spread(low: Depths, high: Depths, count: int) -> Float[np.ndarray, "n k"]:
    """Return ``count`` depths from ``low`` to ``high`` for each line."""
    return low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, count)
