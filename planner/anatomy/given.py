"""What a case gives of canal, roots and pleura, place by place: only the rest is derived.

What counts is where the meshes lie, not what they are called: a root under a wrong label neither
hides that another one is missing nor stands for it.
"""

from collections.abc import Iterable

import numpy as np

from geometry.arrays import Point
from geometry.exact import MeshDistance
from planner.anatomy.model import VertebraAnatomy
from planner.case import Case, Kind, Side, Structure

CANAL_BEHIND_MM = 9.0  # from the posterior wall to the middle of an adult canal (DOMAIN 4.1)
CANAL_OFF_MM = 7.0  # from there to a canal that counts as being there [A]
CORD = "cord"  # a nerve root so named lies in the canal and is no root that leaves it
HEIGHTS = (-0.45, 0.0, 0.45)  # of a body, at all of which its canal must be given
ROOT_OFF_MM = 10.0  # from where a foramen is about, where it could not be read [A]
ROOT_BESIDE = 0.42  # of a body's width: where roots leave, from the midline [A]
ROOT_BEHIND_MM = 4.0  # from the posterior wall to a foramen [A]
ROOT_BEYOND_MM = 3.0  # from an endplate to the middle of a foramen [A]


class Given:
    """Asks the canals, roots and pleurae of one case where they are."""

    def __init__(self, case: Case) -> None:
        self._canals = [MeshDistance(s.mesh) for s in case.of_kind(Kind.CANAL)]
        roots = (s for s in case.of_kind(Kind.NERVE_ROOT) if CORD not in s.name.lower())
        self._roots = [MeshDistance(s.mesh) for s in roots]
        self._pleurae = [s.mesh for s in case.of_kind(Kind.PLEURA)]

    def canal_at(self, bone: VertebraAnatomy) -> bool:
        """Tell whether a canal is given all along a vertebra's body."""
        return all(self._canal_near(canal_middle(bone, height)) for height in HEIGHTS)

    def canal_below(self, bone: VertebraAnatomy) -> bool:
        """Tell whether a canal is given a whole body's height below the middle of a body."""
        return self._canal_near(canal_middle(bone, -1.0))

    def root_near(self, place_mm: Point, off_mm: float = ROOT_OFF_MM) -> bool:
        """Tell whether a root passes within a distance of a patient point."""
        return any(root.point(place_mm)[0] <= off_mm for root in self._roots)

    def pleura_of(self, lung: Structure) -> bool:
        """Tell whether a pleura is given on the side that a lung lies on."""
        middle = float(lung.mesh.vertices[:, 0].mean())
        return any(float(p.bounds[0][0]) <= middle <= float(p.bounds[1][0]) for p in self._pleurae)

    def _canal_near(self, place_mm: Point) -> bool:
        return _least(self._canals, place_mm) <= CANAL_OFF_MM


def _least(surfaces: Iterable[MeshDistance], place_mm: Point) -> float:
    return min((surface.point(place_mm)[0] for surface in surfaces), default=np.inf)


def canal_middle(bone: VertebraAnatomy, height: float) -> Point:
    """Return about where the canal's middle is, patient LPS.

    Args:
        bone: A vertebra or S1, whose canal follows the slant of its body.
        height: Above the body's middle, in heights of the body.
    """
    up = height * bone.body.posterior_height_mm
    slant = bone.body.superior_mm[1] / bone.body.superior_mm[2]
    behind = 0.5 * bone.body.depth_mm + CANAL_BEHIND_MM + slant * up
    return bone.frame.inverse().points(np.array([0.0, behind, up]))


def root_place(bone: VertebraAnatomy, side: Side, up: float) -> Point:
    """Return about where a foramen is that could not be read, patient LPS.

    Args:
        bone: A vertebra next to it.
        side: The patient's side.
        up: 1 for the foramen above the vertebra, -1 for the one below.
    """
    aside = ROOT_BESIDE * bone.body.width_mm * (1.0 if side is Side.LEFT else -1.0)
    behind = 0.5 * bone.body.depth_mm + ROOT_BEHIND_MM
    high = up * (0.5 * bone.body.posterior_height_mm + ROOT_BEYOND_MM)
    return bone.frame.inverse().points(np.array([aside, behind, high]))
