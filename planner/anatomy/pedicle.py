"""The pedicle: its isthmus, its axis, and what hardware leaves free of it.

The isthmus is the smallest section that a plane, slid and tilted, cuts through the pedicle; its
normal is the pedicle's axis. A paraboloid is fitted to the areas of neighbouring sections and the
plane moves to its lowest point until that stands still. Nothing is ever the best of a list, so
nothing jumps. (A line through the centroids of sections would not do: lumbar pedicles are shorter
than they are tall, and the line then overshoots the tilt of the sections.)
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity
from jaxtyping import Float
from shapely import MultiPolygon, Polygon

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh
from geometry.sections import Plane, filled, parts, plane_through, section
from planner.anatomy.body import BodyBox
from planner.anatomy.model import Pedicle, Unavailable
from planner.anatomy.morphometry import ACCEPTED, NORMS
from planner.case import Side, Structure

SEARCH_MM = np.arange(0.0, 10.5, 1.0)  # back from the posterior wall
USUAL_MM = (-3.5, 7.0)  # where isthmuses lie behind the posterior wall; a lamina's neck is not one
STRAY = 0.05  # added to the log of the area per mm2 beyond that
CONVERGENCES = (0.0, 0.5, 0.9)  # radians; the oblique starts serve the pedicles of L5
SHARPNESS = 0.15  # excess of the log of the area at which a section weighs 1/e in the search
UNUSUAL = 0.4  # confidence in an isthmus of a size that adults do not have
SLIDE_MM = 1.2  # how far apart sections are compared
TILT = 0.14
STEPS = 30
SETTLED = 1e-9
LEAST_CUTS = 16  # of 19; ten unknowns are fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cut:
    """A section across a pedicle: its plane through the centroid, and its outer contour there."""

    plane: Plane
    outline: Polygon


def pedicle(
    mesh: TriangleMesh, box: BodyBox, side: Side, level: str | None
) -> Pedicle | Unavailable:
    """Find one pedicle of a vertebra.

    Args:
        mesh: The vertebra, patient LPS, mm.
        box: Its body, in the same frame.
        side: Which pedicle.
        level: For where to start and for the range check against the literature; may be unknown.

    Returns:
        The pedicle, or why it was not found.
    """
    sign = 1.0 if side is Side.LEFT else -1.0
    reason = "has no bone behind the body"
    unusual: Pedicle | None = None
    for convergence in _convergences(level):
        axis = -np.cos(convergence) * box.axes[1] - sign * np.sin(convergence) * box.axes[0]
        start = _rough_isthmus(mesh, box, sign, axis)
        if start is None:
            continue
        found = _smallest_section(mesh, box, start, axis)
        if isinstance(found, str) or not _is_plausible(found, box, sign):
            reason = found if isinstance(found, str) else "has its smallest section elsewhere"
            continue
        pedicle = _described(found, box, side, level)
        if pedicle.confidence > UNUSUAL:
            return pedicle
        unusual = unusual or pedicle
    return unusual or Unavailable(reason=f"the {side} pedicle {reason}")


def _convergences(level: str | None) -> tuple[float, ...]:
    """Return the directions to start from: what is usual at the level, then all there are."""
    norm = NORMS.get(level or "")
    return CONVERGENCES if norm is None else (norm.convergence_rad, *CONVERGENCES)


def _rough_isthmus(mesh: TriangleMesh, box: BodyBox, sign: float, axis: Vector) -> Point | None:
    """Return about where bone lateral to the canal has its smallest section across ``axis``."""
    left, posterior, superior = box.axes
    root = sign * 0.85 * box.half[0] * left + box.half[1] * posterior + 0.3 * box.half[2] * superior
    areas, centroids = [], []
    for behind in SEARCH_MM:
        cut = _cut(mesh, box.centre + root - behind * axis, axis, superior)
        if cut is None:
            continue
        middle = cut.outline.centroid
        centroid = cut.plane.lifted(middle.x, middle.y)
        if sign * (centroid - box.centre) @ left > 0.3 * box.half[0]:
            areas.append(cut.outline.area)
            centroids.append(centroid)
    if not areas:
        return None
    middles = np.array(centroids)
    cost = np.log(areas) + _stray(box, middles)
    weights = np.exp(-(cost - cost.min()) / SHARPNESS)
    return weights @ middles / weights.sum()


def _stray(box: BodyBox, points: Points) -> Float[np.ndarray, " n"]:
    """Return what the log of an area is raised by for lying too far forward or back."""
    behind = (points - box.centre) @ box.axes[1] - box.half[1]
    off = np.maximum(0.0, np.maximum(USUAL_MM[0] - behind, behind - USUAL_MM[1]))
    return STRAY * off**2


def _is_plausible(cut: _Cut, box: BodyBox, sign: float) -> bool:
    """Tell whether a smallest section lies beside the canal and looks towards the body."""
    middle = cut.outline.centroid
    local = (cut.plane.lifted(middle.x, middle.y) - box.centre) @ box.axes.T
    axis = box.axes @ cut.plane.normal
    beside = 0.35 < sign * local[0] / box.half[0] < 1.7
    behind = 0.7 * box.half[1] < local[1] < box.half[1] + 16.0
    # measured by the depth too, because a crushed body has lost its height
    level = abs(local[2]) < 1.2 * max(box.half[2], 0.7 * box.half[1])
    return bool(beside and behind and level and axis[1] < -0.5)


def _cut(mesh: TriangleMesh, near: Point, axis: Vector, up: Vector) -> _Cut | None:
    """Cut across ``axis`` through a point, and keep the piece there."""
    plane = plane_through(near, axis, up)
    piece = section(mesh, plane).at(0.0, 0.0)
    if piece is None or piece.distance(shapely.Point(0.0, 0.0)) > 5.0:
        return None
    return _Cut(plane=plane, outline=filled(piece))


# where sections are compared: along the axis, tilted laterally, tilted cranially
_DESIGN = np.array(
    [(0, 0, 0)]
    + [tuple(s * e) for e in np.eye(3, dtype=int) for s in (-1, 1)]
    + [(s, r, 0) for s in (-1, 1) for r in (-1, 1)]
    + [(s, 0, r) for s in (-1, 1) for r in (-1, 1)]
    + [(0, s, r) for s in (-1, 1) for r in (-1, 1)],
    dtype=np.float64,
)
_SQUARES = [(i, j) for i in range(3) for j in range(i, 3)]
_BASIS = np.column_stack(
    [np.ones(len(_DESIGN)), _DESIGN, *(_DESIGN[:, i] * _DESIGN[:, j] for i, j in _SQUARES)]
)


def _smallest_section(mesh: TriangleMesh, box: BodyBox, start: Point, axis: Vector) -> _Cut | str:
    """Slide and tilt the plane to where a parabola through nearby areas is smallest."""
    centre, up = start, box.axes[2]
    for _ in range(STEPS):
        cut = _cut(mesh, centre, axis, up)
        if cut is None:
            return "was lost while its smallest section was sought"
        middle = cut.outline.centroid
        centre = cut.plane.lifted(middle.x, middle.y)
        step = _downhill(mesh, box, cut.plane, centre)
        if step is None:
            return "is not separate from its surroundings"
        tilt = step[1] * cut.plane.x_axis + step[2] * cut.plane.y_axis
        centre, axis = centre + step[0] * axis, unit(axis + tilt)
        if np.abs(step).max() < SETTLED:
            break
    final = _cut(mesh, centre, axis, up)
    return final if final is not None else "was lost at its smallest section"


def _downhill(
    mesh: TriangleMesh, box: BodyBox, plane: Plane, centre: Point
) -> Float[np.ndarray, "3"] | None:
    """Return how far to slide (mm) and tilt (radians) to where the area is least."""
    scale = np.array([SLIDE_MM, TILT, TILT])
    places, areas, there = [], [], []
    for i, (slide, lateral, cranial) in enumerate(_DESIGN * scale):
        tilted = unit(plane.normal + lateral * plane.x_axis + cranial * plane.y_axis)
        cut = _cut(mesh, centre + slide * plane.normal, tilted, box.axes[2])
        if cut is not None:
            places.append(cut.plane.origin_mm)
            areas.append(cut.outline.area)
            there.append(i)
    if len(there) < LEAST_CUTS:
        return None
    logs = np.log(areas)
    # a section that spills into the lamina or the body says nothing about the isthmus
    weights = np.sqrt(np.exp(-(logs - logs.min()) / 0.5))
    costs = logs + _stray(box, np.array(places))
    basis = _BASIS[there] * weights[:, None]
    fit = np.linalg.lstsq(basis, costs * weights, rcond=None)[0]
    curve = np.zeros((3, 3))
    for (i, j), value in zip(_SQUARES, fit[4:], strict=True):
        curve[i, j] += value
        curve[j, i] += value
    values, axes = np.linalg.eigh(curve)
    stiff = np.maximum(np.abs(values), 0.02)
    step = -axes @ ((axes.T @ fit[1:4]) / stiff)
    return scale * step / max(1.0, float(np.linalg.norm(step)))


def _described(cut: _Cut, box: BodyBox, side: Side, level: str | None) -> Pedicle:
    """Express a section in the axes of its side, about its centroid."""
    middle = cut.outline.centroid
    outward = cut.plane.x_axis @ box.axes[0] * (1.0 if side is Side.LEFT else -1.0) > 0.0
    sign = 1.0 if outward else -1.0
    outline = shapely.affinity.affine_transform(
        cut.outline, [sign, 0.0, 0.0, 1.0, -sign * middle.x, -middle.y]
    )
    low_x, low_y, high_x, high_y = outline.bounds
    width, height = high_x - low_x, high_y - low_y
    confidence, cause = _trust(width, height, level)
    return Pedicle(
        side=side,
        centre_mm=cut.plane.lifted(middle.x, middle.y),
        axis=cut.plane.normal,
        lateral=sign * cut.plane.x_axis,
        cranial=cut.plane.y_axis,
        outline=shapely.geometry.polygon.orient(outline),
        width_mm=float(width),
        height_mm=float(height),
        confidence=confidence,
        cause=cause,
    )


def _trust(width_mm: float, height_mm: float, level: str | None) -> tuple[float, str]:
    """Compare the isthmus with the literature for its level."""
    norm = NORMS.get(level or "")
    if norm is None:
        return 0.7, f"no adult norm for level {level or 'unknown'} to compare the isthmus with"
    low, high = ACCEPTED
    for name, found, mean in (
        ("width", width_mm, norm.pedicle_width_mm),
        ("height", height_mm, norm.pedicle_height_mm),
    ):
        if not low <= found / mean <= high:
            return UNUSUAL, (
                f"isthmus {name} {found:.1f} mm is outside {low * mean:.1f} to "
                f"{high * mean:.1f} mm, the adult range at {level}"
            )
    return 0.95, f"isthmus {width_mm:.1f} x {height_mm:.1f} mm, within the adult range at {level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """What hardware leaves free of an isthmus, in the pedicle's (lateral, cranial) mm.

    Attributes:
        free: The outline without the hardware's sections.
        circle_centre_mm: Middle of the largest circle that fits, (lateral, cranial).
        circle_radius_mm: Its radius; 0 if nothing is free.
    """

    free: MultiPolygon
    circle_centre_mm: tuple[float, float]
    circle_radius_mm: float

    @property
    def area_mm2(self) -> float:
        """Free area, mm2."""
        return float(self.free.area)


def residual_corridor(pedicle: Pedicle, hardware: Iterable[Structure]) -> Corridor:
    """Take the hardware's sections out of the isthmus outline.

    Args:
        pedicle: The isthmus, which already counts a screw's hole as bone.
        hardware: Structures that may cross it; those that do not change nothing.
    """
    plane = Plane(origin_mm=pedicle.centre_mm, x_axis=pedicle.lateral, y_axis=pedicle.cranial)
    free: shapely.Geometry = pedicle.outline
    for structure in hardware:
        for piece in section(structure.mesh, plane).polygons:
            free = free.difference(filled(piece))
    pieces = MultiPolygon(parts(free))
    if pieces.is_empty:
        return Corridor(free=pieces, circle_centre_mm=(0.0, 0.0), circle_radius_mm=0.0)
    radius = shapely.maximum_inscribed_circle(pieces, tolerance=0.005)
    (x, y), _ = radius.coords
    return Corridor(
        free=pieces, circle_centre_mm=(float(x), float(y)), circle_radius_mm=float(radius.length)
    )
