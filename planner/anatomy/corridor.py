"""What metal leaves free of a pedicle's isthmus, on each side of it, and what fits through there.

Where metal crosses the isthmus, the plane falls into four quadrants about the metal's middle:
above, below, medial and lateral. In each the largest circle is sought whose middle lies there and
which keeps to bone and off the metal; a needle no thicker than it can pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from jaxtyping import Float
from shapely import MultiPolygon, Polygon
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from geometry.sections import Plane, parts, section
from planner.anatomy.model import Pedicle
from planner.case import Kind, Structure
from planner.needles.catalogue import OUTER_DIAMETER_MM
from planner.policy import DEFAULT_POLICY

METAL = DEFAULT_POLICY.rule(Kind.SCREW)
WALL_MM = (0.0, 1.0)  # from the isthmus' wall: never less, preferably (DOMAIN 2.3)
LEAST_AREA_MM2 = 1.0  # smaller scraps are no corridor
COARSE_MM = 0.4
REFINEMENTS = 5  # each halves the raster about the best point: to 0.0125 mm
FAR_MM = 100.0


class Place(StrEnum):
    """Where a corridor lies, as seen from the metal; ``WHOLE`` where there is none."""

    ABOVE = "above"
    BELOW = "below"
    MEDIAL = "medial"
    LATERAL = "lateral"
    WHOLE = "whole"


_QUADRANTS = {
    Place.ABOVE: Polygon([(0.0, 0.0), (FAR_MM, FAR_MM), (-FAR_MM, FAR_MM)]),
    Place.BELOW: Polygon([(0.0, 0.0), (-FAR_MM, -FAR_MM), (FAR_MM, -FAR_MM)]),
    Place.MEDIAL: Polygon([(0.0, 0.0), (-FAR_MM, FAR_MM), (-FAR_MM, -FAR_MM)]),
    Place.LATERAL: Polygon([(0.0, 0.0), (FAR_MM, -FAR_MM), (FAR_MM, FAR_MM)]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """One way past the metal, in the pedicle's (lateral, cranial) mm.

    Attributes:
        place: Where it lies.
        free: Bone there that keeps the hard distance from metal.
        circle_mm: Middle of the largest circle that keeps the hard distances, its middle there.
        radius_mm: That circle's radius, to 0.05 mm and never too large.
        preferred_radius_mm: The same for the preferred distances from metal and wall; 0 if none.
        gauges: Needles that fit, thickest first.
        preferred_gauges: Needles that fit and keep the preferred distances, thickest first.
    """

    place: Place
    free: MultiPolygon
    circle_mm: tuple[float, float]
    radius_mm: float
    preferred_radius_mm: float
    gauges: tuple[int, ...]
    preferred_gauges: tuple[int, ...]

    @property
    def area_mm2(self) -> float:
        """Area of the free bone, mm2."""
        return float(self.free.area)


def corridors(pedicle: Pedicle, hardware: Iterable[Structure]) -> tuple[Corridor, ...]:
    """Return the ways through an isthmus beside the metal in it, or the whole isthmus.

    Args:
        pedicle: The isthmus, which counts a screw's hole as bone.
        hardware: Structures that may cross it; those that do not change nothing.
    """
    metal = shapely.union_all([_outline(pedicle, structure) for structure in hardware])
    near = metal.intersection(pedicle.outline.buffer(METAL.hard_mm or 0.0))
    if near.is_empty:
        free = pedicle.outline.difference(metal)
        return _kept([_corridor(pedicle, metal, Place.WHOLE, free)])
    middle = near.centroid
    allowed = pedicle.outline.difference(metal.buffer(METAL.hard_mm or 0.0))
    return _kept(
        _corridor(pedicle, metal, place, allowed.intersection(translate(q, middle.x, middle.y)))
        for place, q in _QUADRANTS.items()
    )


def _kept(found: Iterable[Corridor | None]) -> tuple[Corridor, ...]:
    return tuple(corridor for corridor in found if corridor is not None)


def _outline(pedicle: Pedicle, structure: Structure) -> BaseGeometry:
    plane = Plane(origin_mm=pedicle.centre_mm, x_axis=pedicle.lateral, y_axis=pedicle.cranial)
    return shapely.union_all(section(structure.mesh, plane).polygons)


def _corridor(
    pedicle: Pedicle, metal: BaseGeometry, place: Place, free: BaseGeometry
) -> Corridor | None:
    """Measure the free bone of one place, or return None if there is hardly any."""
    pieces = MultiPolygon(parts(shapely.make_valid(free)))
    if pieces.area < LEAST_AREA_MM2:
        return None
    hard, preferred = (
        _largest_circle(pieces, pedicle.outline.buffer(-wall).difference(metal.buffer(gap)))
        for wall, gap in zip(WALL_MM, (METAL.hard_mm or 0.0, METAL.preferred_mm), strict=True)
    )
    return Corridor(
        place=place, free=pieces, circle_mm=hard[0], radius_mm=hard[1],
        preferred_radius_mm=preferred[1], gauges=_fitting(hard[1]),
        preferred_gauges=_fitting(preferred[1]),
    )  # fmt: skip


def _fitting(radius_mm: float) -> tuple[int, ...]:
    """Return the gauges no thicker than a circle, thickest first."""
    return tuple(g for g, d in sorted(OUTER_DIAMETER_MM.items()) if d <= 2.0 * radius_mm)


def _largest_circle(middles: MultiPolygon, room: BaseGeometry) -> tuple[tuple[float, float], float]:
    """Return the largest circle within ``room`` whose middle lies in ``middles``; radius 0 if none.

    The middle is sought on a raster, and on finer ones about the best point.
    """
    low_x, low_y, high_x, high_y = middles.bounds
    shapely.prepare(middles)
    shapely.prepare(room)
    centre = np.array([low_x + high_x, low_y + high_y]) / 2.0
    half = np.array([high_x - low_x, high_y - low_y]) / 2.0
    best, radius, step = centre, 0.0, COARSE_MM
    for _ in range(REFINEMENTS + 1):
        raster = _raster(centre, half, step)
        inside = shapely.contains_xy(middles, *raster.T) & shapely.contains_xy(room, *raster.T)
        candidates = raster[inside]
        if len(candidates):
            away = shapely.distance(room.boundary, shapely.points(candidates))
            if away.max() > radius:
                best, radius = candidates[int(away.argmax())], float(away.max())
        centre, half, step = best, np.full(2, 2.0 * step), step / 2.0
    return (float(best[0]), float(best[1])), radius


def _raster(
    centre: Float[np.ndarray, "2"], half: Float[np.ndarray, "2"], step: float
) -> Float[np.ndarray, "n 2"]:
    """Return points ``step`` apart that fill a rectangle about its centre."""
    counts = np.ceil(half / step).astype(np.int64)
    axes = [c + step * np.arange(-n, n + 1) for c, n in zip(centre, counts, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
