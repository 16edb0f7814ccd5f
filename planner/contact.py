"""What a needle may touch: the shaft of the one screw that it slides along.

Its shaft is a round bar as thick as its widest place, so that a needle that slides on it clears
every crest of the thread. Its head is an obstacle like any other, only with no distance required.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from geometry.arrays import Vector, unit
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.case import Case, Kind, Structure
from planner.needles.model import Needle
from planner.needles.path import Path

NECK_MM = 1.0  # of the shaft, next to the head, still counts as head: it widens there
THREAD_MM = 1.0  # a mesh that lies further outside the shaft that was read is no straight bar [A]
OFF_METAL_MM = 0.01  # room for rounding between a sliding needle and the thread's crests


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contact:
    """A screw that may be touched, and where.

    Attributes:
        screw: Its shaft.
        radius_mm: Of the bar that a needle slides on: no part of the shaft lies outside it.
        head: The part of the screw that must not be entered: its head, and the shaft up to
            ``NECK_MM``; None where there is none.
    """

    screw: ScrewAxis
    radius_mm: float
    head: Structure | None

    @property
    def along(self) -> Vector:
        """Unit vector along the shaft, towards its tip, LPS."""
        return unit(self.screw.tip_mm - self.screw.head_mm)

    @property
    def length_mm(self) -> float:
        """Length of the shaft."""
        return float(np.linalg.norm(self.screw.tip_mm - self.screw.head_mm))


def shaft_contact(case: Case, screw: ScrewAxis) -> Contact | Unavailable:
    """Return what of a screw may be touched, or why nothing may."""
    own = [s for s in case.of_kind(Kind.SCREW) if s.name == screw.structure]
    if not own:
        return Unavailable(
            reason=f"{screw.structure} is part of a block of metal: what of it may be touched "
            "cannot be told from what may not"
        )
    corners = own[0].mesh.corners
    along = unit(screw.tip_mm - screw.head_mm)
    station = (corners - screw.head_mm) @ along
    shaft = cut_above(corners, NECK_MM - station)
    radial = shaft - screw.head_mm
    radial = radial - (radial @ along)[..., None] * along
    radius = float(np.linalg.norm(radial, axis=-1).max(initial=0.0))
    if not 0.0 < radius <= 0.5 * screw.diameter_mm + THREAD_MM:
        return Unavailable(
            reason=f"the shaft of {screw.structure} reaches {radius:.1f} mm from its axis and is "
            f"{screw.diameter_mm:.1f} mm thick: no straight bar to slide on"
        )
    head = cut_above(corners, station - NECK_MM)
    part = replace(own[0], mesh=_soup(head)) if len(head) else None
    return Contact(screw=screw, radius_mm=radius + OFF_METAL_MM, head=part)


def off_head_mm(contact: Contact, needle: Needle, path: Path) -> float:
    """Return the least distance of a needle's surface from the screw's head, measured on its mesh.

    It is infinite where there is no head.
    """
    if contact.head is None:
        return math.inf
    surface = MeshDistance(contact.head.mesh)
    return min(
        surface.path(points)[0].distance_mm - radius for points, radius in needle.tubes(path)
    )


def cut_above(
    corners: Float[np.ndarray, "m 3 3"], height: Float[np.ndarray, "m 3"]
) -> Float[np.ndarray, "k 3 3"]:
    """Return the parts of triangles where a height, linear on each, is not positive."""
    whole = corners[(height <= 0.0).all(axis=1)]
    pieces = [whole]
    for triangle, high in zip(corners, height, strict=True):
        if high.min() <= 0.0 < high.max():
            ring = _kept(triangle, high)
            pieces.append(
                np.array([[ring[0], ring[i], ring[i + 1]] for i in range(1, len(ring) - 1)])
            )
    return np.concatenate(pieces)


def _kept(
    triangle: Float[np.ndarray, "3 3"], high: Float[np.ndarray, " 3"]
) -> list[Float[np.ndarray, " 3"]]:
    """Return the outline of what is left of a triangle that is cut."""
    ring = []
    for i in range(3):
        j = (i + 1) % 3
        if high[i] <= 0.0:
            ring.append(triangle[i])
        if (high[i] <= 0.0) != (high[j] <= 0.0):
            ring.append(triangle[i] + high[i] / (high[i] - high[j]) * (triangle[j] - triangle[i]))
    return ring


def _soup(corners: Float[np.ndarray, "m 3 3"]) -> TriangleMesh:
    return triangle_mesh(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))
