"""The faces of a target towards a gate, cut out with shapely, and the rules of their lines."""

import numpy as np
import shapely
from numpy.typing import ArrayLike

from geometry.arrays import Point
from planner.approach import Gate
from planner.checker.faces import AHEAD_MM
from planner.proof import FaceProof
from planner.target import TargetRegion

PAD_MM = 1e-6  # by which faces are too large


def face_of(
    gate: Gate, region: TargetRegion, reach_mm: float, plane: int | None
) -> FaceProof | None:
    """Return the face of a plane, or of the lines that start in the region; None if none do."""
    normals, offsets = region.normals, region.offsets
    window = shapely.get_coordinates(gate.window)
    cone = np.array([gate.lateral_slopes, gate.cranial_slopes])
    if plane is None:
        origin, axes = gate.origin_mm + reach_mm * gate.axes[2], gate.axes[:2]
        start = gate.window.intersection(_cut(gate, region, gate.origin_mm, axes, None))
        if start.is_empty:
            return None
        low, high = np.reshape(start.bounds, (2, 2))
        second = np.array([low + reach_mm * cone[:, 0], high + reach_mm * cone[:, 1]])
        rules: list[ArrayLike] = [_edges(start.convex_hull, first=True)]
    else:
        normal = normals[plane]
        if np.all(window @ (gate.axes[:2] @ normal) <= offsets[plane] - normal @ gate.origin_mm):
            return None
        centre = region.centre_mm
        origin = centre + (offsets[plane] - normal @ centre) * normal
        axes = np.linalg.svd(normal[None, :])[2][1:]
        outline = _cut(gate, region, origin, axes, plane)
        if outline.is_empty:
            return None
        low, high = np.reshape(gate.window.bounds, (2, 2))
        second = np.reshape(outline.bounds, (2, 2))
        enters = [
            *(-gate.axes[:2] @ normal),
            0.0,
            0.0,
            normal @ gate.origin_mm - offsets[plane],
        ]
        rules = [_edges(outline), _edges(gate.window.convex_hull, first=True), [enters]]
    for k, (least, most) in enumerate(cone):  # least w <= u - a <= most w
        for slope, sign in ((least, -1.0), (most, 1.0)):
            across = gate.axes[k] - slope * gate.axes[2]
            limit = -sign * across @ (origin - gate.origin_mm)
            rules.append([[*(-sign * np.eye(2)[k]), *(sign * axes @ across), limit]])
    return FaceProof(
        plane=plane, origin_mm=origin, axes=axes, low=np.concatenate([low, second[0]]),
        high=np.concatenate([high, second[1]]), rules=np.vstack(rules),
    )  # fmt: skip


def _cut(
    gate: Gate, region: TargetRegion, origin: Point, axes: np.ndarray, plane: int | None
) -> shapely.Polygon:
    """Return where a plane, from just beyond the gate on, runs in the region."""
    normals, offsets = [*region.normals], [*(region.offsets + PAD_MM)]
    if plane is not None:
        normals.append(-gate.axes[2])
        offsets.append(-gate.axes[2] @ gate.origin_mm - AHEAD_MM + PAD_MM)
    shape = shapely.box(-500.0, -500.0, 500.0, 500.0)
    for i, (normal, offset) in enumerate(zip(normals, offsets, strict=True)):
        across, room = axes @ normal, offset - normal @ origin
        size = np.linalg.norm(across)
        if i == plane or (size < 1e-12 and room >= 0.0):
            continue
        along, middle = np.array([-across[1], across[0]]) / size * 2e3, across * room / size**2
        back = -2e3 * across / size
        corners = [middle + along, middle + along + back, middle - along + back, middle - along]
        shape = shape.intersection(shapely.Polygon(corners))
    return shape


def _edges(outline: shapely.Polygon, *, first: bool = False) -> np.ndarray:
    """Return the edges of a convex outline as rules for (a, b), or for (c, d)."""
    ring = np.asarray(shapely.geometry.polygon.orient(outline).exterior.coords)
    along = np.diff(ring, axis=0)
    outward = np.column_stack([along[:, 1], -along[:, 0]])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    nothing, limits = np.zeros_like(outward), (ring @ outward.T).max(axis=0)
    return np.column_stack([outward, nothing, limits] if first else [nothing, outward, limits])
