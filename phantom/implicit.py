"""Implicit surfaces: primitives, smooth unions and cuts, ripple, and the mesh of a zero level.

A field is negative inside and roughly a distance in mm near its zero level. What the shapes
stand for (bodies, pedicles, lungs) is decided elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from skimage.measure import marching_cubes

from geometry.arrays import Point, Points, Vector, frozen, unit
from geometry.mesh import TriangleMesh, triangle_mesh

Values: TypeAlias = Float[np.ndarray, " values"]
Field: TypeAlias = Callable[[Points], Values]

_CHUNK = 65_536
_SMALLEST_EDGE = 0.08


def smooth_union(a: Values, b: Values, radius_mm: float) -> Values:
    """Join two solids with a fillet of about ``radius_mm`` (quadratic polynomial minimum)."""
    overlap = np.maximum(radius_mm - np.abs(a - b), 0.0)
    return np.minimum(a, b) - overlap * overlap / (4.0 * radius_mm)


def smooth_cut(a: Values, tool: Values, radius_mm: float) -> Values:
    """Take ``tool`` out of ``a``, with edges rounded by about ``radius_mm``."""
    return -smooth_union(-a, tool, radius_mm)


def smooth_common(a: Values, b: Values, radius_mm: float) -> Values:
    """Keep what is in both solids, with edges rounded by about ``radius_mm``."""
    return -smooth_union(-a, -b, radius_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """A rounded bar from ``start`` to ``end`` with an elliptic, tapering cross-section.

    Attributes:
        start: Centre of the first end, mm.
        end: Centre of the other end, mm.
        thin: Direction of the first semi-axis; only its part across the bar counts.
        start_radii: Semi-axes at the start: along ``thin``, then across it, mm.
        end_radii: Semi-axes at the end, mm.
    """

    start: Point
    end: Point
    thin: Vector
    start_radii: tuple[float, float]
    end_radii: tuple[float, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", frozen(self.start))
        object.__setattr__(self, "end", frozen(self.end))
        object.__setattr__(self, "thin", frozen(self.thin))

    def distance(self, points: Points) -> Values:
        """Return the first-order signed distance of points, mm."""
        along = unit(self.end - self.start)
        thin = unit(self.thin - (self.thin @ along) * along)
        length = float(np.linalg.norm(self.end - self.start))
        offset = points - self.start
        travel = offset @ along
        ratio = np.clip(travel / length, 0.0, 1.0)
        u, v = offset @ thin, offset @ np.cross(along, thin)
        beyond = travel - ratio * length
        first = self.start_radii[0] + ratio * (self.end_radii[0] - self.start_radii[0])
        second = self.start_radii[1] + ratio * (self.end_radii[1] - self.start_radii[1])
        return ellipsoid_distance(u, v, beyond, (first, second, np.sqrt(first * second)))


def ellipsoid_distance(
    u: Values, v: Values, w: Values, radii: tuple[Values, Values, Values]
) -> Values:
    """Return the first-order distance to an ellipsoid (or, with ``w`` zero, an elliptic bar)."""
    a, b, c = radii
    reach = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2)
    slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2 + (w / c**2) ** 2)
    inner = -np.minimum(np.minimum(a, b), c)
    safe = np.maximum(slope, 1e-9)
    return np.where(reach < 0.05, inner, reach * (reach - 1.0) / safe)


def superellipse_distance(
    x: Values, y: Values, half_width: Values, half_depth: Values, exponent: float
) -> Values:
    """Return the first-order distance to a superellipse in the plane, mm."""
    u, v = np.abs(x) / half_width, np.abs(y) / half_depth
    reach = np.maximum((u**exponent + v**exponent) ** (1.0 / exponent), 0.2)
    shrink = reach ** (1.0 - exponent)
    slope_x = shrink * u ** (exponent - 1.0) / half_width
    slope_y = shrink * v ** (exponent - 1.0) / half_depth
    slope = np.sqrt(slope_x**2 + slope_y**2)
    steepest = 1.0 / np.minimum(half_width, half_depth)
    return (reach - 1.0) / np.maximum(slope, 0.35 * steepest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripple:
    """Low waves over a surface, so that nothing is exactly smooth or symmetric.

    Attributes:
        waves: Wave vectors, shape (k, 3), rad/mm.
        phases: Phases, shape (k,), rad.
        amplitude_mm: Standard deviation of the surface's displacement.
    """

    waves: Float[np.ndarray, "k 3"]
    phases: Values
    amplitude_mm: float

    def height(self, points: Points) -> Values:
        """Return the displacement at points, mm."""
        waves = np.sin(points @ self.waves.T + self.phases).sum(axis=1)
        return waves * (self.amplitude_mm * np.sqrt(2.0 / len(self.phases)))


def ripple(rng: np.random.Generator, *, amplitude_mm: float) -> Ripple:
    """Draw a ripple with wavelengths of 9 to 26 mm."""
    directions = rng.normal(size=(7, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = rng.uniform(9.0, 26.0, size=(7, 1))
    return Ripple(
        waves=frozen(directions * (2.0 * np.pi / lengths)),
        phases=frozen(rng.uniform(0.0, 2.0 * np.pi, size=7)),
        amplitude_mm=amplitude_mm,
    )


def zero_surface(field: Field, low: Point, high: Point, spacing_mm: float) -> TriangleMesh:
    """Mesh the zero level of a field inside a box, wound outward, vertices on the level.

    Values nearer to zero than a few hundredths of the spacing are pushed off it first: this
    keeps every triangle's edges well above rounding, and the last step puts the vertices back.

    Args:
        field: The field; the box must hold its whole solid.
        low: Lowest corner of the box, mm.
        high: Highest corner of the box, mm.
        spacing_mm: Edge of a grid cell, mm.

    Raises:
        ValueError: If the solid reaches the box, or there is none.
    """
    counts = np.ceil((high - low) / spacing_mm).astype(np.int64) + 1
    axes = [low[i] + spacing_mm * np.arange(counts[i]) for i in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    values = evaluated(field, grid)
    push = _SMALLEST_EDGE * spacing_mm
    values = np.where(np.abs(values) < push, np.where(values < 0.0, -push, push), values)
    volume = values.reshape(tuple(int(n) for n in counts))
    shell = np.concatenate([volume[[0, -1]].ravel(), volume[:, [0, -1]].ravel(),
                            volume[:, :, [0, -1]].ravel()])  # fmt: skip
    if shell.min() <= 0.0 or volume.min() >= 0.0:
        raise ValueError("the solid must lie inside the box, and there must be one")
    vertices, faces, _, _ = marching_cubes(  # type: ignore[no-untyped-call]
        volume, 0.0, spacing=(spacing_mm,) * 3, gradient_direction="ascent"
    )
    placed = _on_zero_level(field, np.asarray(vertices, dtype=np.float64) + low, spacing_mm)
    mesh = triangle_mesh(placed, np.asarray(faces, dtype=np.int64))
    if mesh.volume_mm3 < 0.0:
        mesh = triangle_mesh(placed, np.asarray(faces[:, ::-1], dtype=np.int64))
    return mesh


def evaluated(field: Field, points: Points) -> Values:
    """Evaluate a field in pieces that fit the processor's cache."""
    pieces = [field(points[i : i + _CHUNK]) for i in range(0, len(points), _CHUNK)]
    return np.concatenate(pieces)


def gradient(field: Field, points: Points, *, step_mm: float = 0.05) -> Points:
    """Return the field's gradient by central differences, shape (n, 3)."""
    columns = []
    for axis in np.eye(3) * step_mm:
        difference = evaluated(field, points + axis) - evaluated(field, points - axis)
        columns.append(difference / (2.0 * step_mm))
    return np.stack(columns, axis=1)


def _on_zero_level(field: Field, points: Points, spacing_mm: float) -> Points:
    """Move points to the zero level along the gradient, at most a third of a cell in all."""
    slope = gradient(field, points)
    squared = np.maximum((slope**2).sum(axis=1), 0.05)
    moved = points
    for _ in range(2):
        step = -(evaluated(field, moved) / squared)[:, None] * slope
        moved = moved + step
    travel = np.linalg.norm(moved - points, axis=1, keepdims=True)
    allowed = np.minimum(1.0, spacing_mm / 3.0 / np.maximum(travel, 1e-12))
    return points + (moved - points) * allowed
