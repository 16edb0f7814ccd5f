"""What surgeons measure of a pedicle: its walls and its two angles."""

from dataclasses import dataclass

import numpy as np
import shapely

from geometry.arrays import Point
from geometry.frames import RigidTransform
from planner.anatomy.model import Pedicle
from planner.case import Side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PedicleWalls:
    """Where the isthmus ends each way, patient LPS, mm."""

    medial_mm: Point
    lateral_mm: Point
    superior_mm: Point
    inferior_mm: Point


def pedicle_walls(pedicle: Pedicle) -> PedicleWalls:
    """Return the outermost points of the isthmus outline."""
    corners = shapely.get_coordinates(pedicle.outline.exterior)
    lateral, cranial = corners.T

    def outermost(index: int) -> Point:
        u, v = corners[index]
        return pedicle.centre_mm + u * pedicle.lateral + v * pedicle.cranial

    return PedicleWalls(
        medial_mm=outermost(int(np.argmin(lateral))),
        lateral_mm=outermost(int(np.argmax(lateral))),
        superior_mm=outermost(int(np.argmax(cranial))),
        inferior_mm=outermost(int(np.argmin(cranial))),
    )


def transverse_angle(vertebra_from_patient: RigidTransform, pedicle: Pedicle) -> float:
    """Return how far the axis leans to the midline on its way forward, seen from above, radians."""
    x, y, _ = vertebra_from_patient.vectors(pedicle.axis)
    return float(np.arctan2(-x if pedicle.side is Side.LEFT else x, -y))


def sagittal_angle(vertebra_from_patient: RigidTransform, pedicle: Pedicle) -> float:
    """Return how far the axis descends on its way forward, seen from the side, radians."""
    _, y, z = vertebra_from_patient.vectors(pedicle.axis)
    return float(np.arctan2(-z, -y))
