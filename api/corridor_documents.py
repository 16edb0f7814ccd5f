"""What is said about ways past metal, ribs, foramina, and what was derived for a case."""

from typing import Any

import numpy as np
import shapely
from shapely import LinearRing

from api.documents import length_mm, point_mm
from planner.anatomy.corridor import WALL_MM, Corridor
from planner.anatomy.derived import DerivedAnatomy, Missing
from planner.anatomy.foramina import Foramen
from planner.anatomy.model import Pedicle
from planner.anatomy.ribs import RibGap
from planner.case import Structure
from planner.policy import WIDENED_MM

SIMPLER_MM = 0.02  # how far an outline as written may lie from the one that was measured


def corridor_document(pedicle: Pedicle, corridor: Corridor) -> dict[str, Any]:
    """Return one way through an isthmus; points are patient LPS, in the plane of the isthmus."""
    rings = [
        ring
        for piece in corridor.free.geoms
        for ring in (piece.exterior, *piece.interiors)
    ]  # fmt: skip
    return {
        "place": corridor.place.value,
        "area_mm2": length_mm(corridor.area_mm2),
        "circle": {
            "centre_mm": point_mm(_lifted(pedicle, np.array([corridor.circle_mm]))[0]),
            "radius_mm": length_mm(corridor.radius_mm),
        },
        "preferred_radius_mm": length_mm(corridor.preferred_radius_mm),
        "gauges": list(corridor.gauges),
        "preferred_gauges": list(corridor.preferred_gauges),
        "wall_margin_mm": WALL_MM[0],
        "outlines_mm": [outline_mm(pedicle, ring) for ring in rings],
    }


def outline_mm(pedicle: Pedicle, ring: LinearRing) -> list[list[float]]:
    """Return a ring in the plane of an isthmus as patient points."""
    corners = np.asarray(shapely.simplify(ring, SIMPLER_MM).coords)[:-1]
    return [point_mm(point) for point in _lifted(pedicle, corners)]


def _lifted(pedicle: Pedicle, in_plane: np.ndarray) -> np.ndarray:
    return pedicle.centre_mm + in_plane @ np.stack([pedicle.lateral, pedicle.cranial])


def rib_document(gap: RibGap) -> dict[str, Any]:
    """Return how a rib lies beside the vertebra of its level."""
    return {
        "structure": gap.rib,
        "side": gap.side.value,
        "head_mm": point_mm(gap.head_mm),
        "gap_mm": length_mm(gap.gap_mm),
        "window_mm": None if gap.window_mm is None else length_mm(gap.window_mm),
    }


def derived_document(derived: DerivedAnatomy) -> dict[str, Any]:
    """Return what a case lacks: what was derived in its place, and what is missing."""
    return {
        "structures": [_structure(structure) for structure in derived.structures],
        "foramina": [_foramen(foramen) for foramen in derived.foramina],
        "missing": [_missing(missing) for missing in derived.missing],
    }


def _structure(structure: Structure) -> dict[str, Any]:
    low, high = structure.mesh.bounds
    return {
        "name": structure.name,
        "kind": structure.kind.value,
        "level": structure.level,
        "side": None if structure.side is None else structure.side.value,
        "bounds_mm": [point_mm(low), point_mm(high)],
        "widened_mm": WIDENED_MM[structure.kind],
        "confidence": 0.0 if structure.derived is None else structure.derived.confidence,
        "reason": None if structure.derived is None else structure.derived.cause,
    }


def _foramen(foramen: Foramen) -> dict[str, Any]:
    return {
        "level": foramen.level,
        "below": foramen.below,
        "side": foramen.side.value,
        "centre_mm": point_mm(foramen.centre_mm),
        "height_mm": length_mm(foramen.height_mm),
        "root_mm": [point_mm(foramen.root_start_mm), point_mm(foramen.root_end_mm)],
        "confidence": foramen.confidence,
        "reason": foramen.cause,
    }


def _missing(missing: Missing) -> dict[str, Any]:
    return {
        "kind": missing.kind.value,
        "levels": list(missing.levels),
        "side": None if missing.side is None else missing.side.value,
        "reason": missing.reason,
    }
