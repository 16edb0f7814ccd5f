"""Foramina between neighbouring vertebrae, and where the roots run that leave through them.

A foramen lies between the pedicles of two neighbours. Its root is taken as a straight tube: from
the canal's edge close below the upper pedicle to beside its lateral wall, and a little further.
There lumbar roots lie at the height that is published for them (DOMAIN 2.2); thoracic ones run on
close below the pedicle, above the next rib. Beyond that roots spread, and nothing is claimed.
The first sacral root bends forward through the foramen that is seen below its pedicle.
"""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Point, unit
from geometry.mesh import TriangleMesh
from planner.anatomy.model import Pedicle, SacralPedicle, Unavailable, VertebraAnatomy
from planner.anatomy.tubes import round_tube
from planner.case import Side

ROOT_RADIUS_MM = 3.0  # DOMAIN 2.3: tube of this radius from the canal's edge below each pedicle
BELOW_MM = 2.0  # between the upper pedicle and the root at the canal's edge [A]
ROOT_HEIGHT = 0.455  # of the foramen, from the lower pedicle: middle of 0.42 to 0.49, P:ijss25
INTO_CANAL_MM = 2.0  # medially of the medial wall, where the sac lies [A]
BEYOND_MM = 8.0  # laterally of the lateral wall [A]
FORWARD_MM = 12.0  # from the gate of S1 to the foramen's opening in front [A]
HEIGHTS_MM = (6.0, 40.0)  # between pedicles of neighbours; outside, one of them was misread [A]
TRUSTED = 0.5
DERIVED = 0.7  # of the confidence in the pedicles [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foramen:
    """A foramen and the root that leaves through it, patient LPS.

    Attributes:
        level: Level of the upper vertebra, whose number the root bears.
        below: Level of the lower vertebra.
        side: The patient's side.
        height_mm: From the lower rim of the upper pedicle to the upper rim of the lower one.
        centre_mm: Midway between these.
        root_start_mm: Where the root's middle leaves the canal.
        root_end_mm: Where it is followed to.
        root: The tube around it.
        confidence: 0 to 1.
        cause: Why the confidence is what it is.
    """

    level: str
    below: str
    side: Side
    height_mm: float
    centre_mm: Point
    root_start_mm: Point
    root_end_mm: Point
    root: TriangleMesh
    confidence: float
    cause: str


def foramen(upper: VertebraAnatomy, lower: VertebraAnatomy, side: Side) -> Foramen | Unavailable:
    """Derive the foramen between two neighbours, or say why it cannot be told."""
    above, below = _trusted(upper, side), _trusted(lower, side)
    for pedicle in (above, below):
        if isinstance(pedicle, Unavailable):
            return pedicle
    assert isinstance(above, Pedicle)  # noqa: S101  the loop returned otherwise
    assert isinstance(below, Pedicle)  # noqa: S101
    top = above.centre_mm + above.outline.bounds[1] * above.cranial
    bottom = below.centre_mm + below.outline.bounds[3] * below.cranial
    height = float((top - bottom) @ unit(upper.frame.rotation[2] + lower.frame.rotation[2]))
    if not HEIGHTS_MM[0] <= height <= HEIGHTS_MM[1]:
        return Unavailable(
            reason=f"the {side} pedicles of {upper.level} and {lower.level} are {height:.1f} mm "
            f"apart, not {HEIGHTS_MM[0]:.0f} to {HEIGHTS_MM[1]:.0f}"
        )
    start, end = _course(above, top, bottom, lumbar=not upper.level.startswith("T"))
    return Foramen(
        level=upper.level, below=lower.level, side=side, height_mm=height,
        centre_mm=0.5 * (top + bottom), root_start_mm=start, root_end_mm=end,
        root=round_tube(np.stack([start, end]), above.axis, ROOT_RADIUS_MM),
        confidence=round(DERIVED * min(above.confidence, below.confidence), 3),
        cause=f"between the {side} pedicles of {upper.level} and {lower.level}, "
        f"{height:.1f} mm apart",
    )  # fmt: skip


def sacral_foramen(s1: VertebraAnatomy, side: Side) -> Foramen | Unavailable:
    """Return the first sacral foramen, below a pedicle of S1, or say why it cannot be told."""
    above = _trusted(s1, side)
    if isinstance(above, Unavailable):
        return above
    if not isinstance(above, SacralPedicle):
        return Unavailable(reason=f"the {side} pedicle of {s1.level} shows no sacral foramen")
    low, middle = above.outline.bounds[1], above.in_plane(above.foramen_mm)
    start = _canal_edge(s1, above, min(low - BELOW_MM - ROOT_RADIUS_MM, middle[1]))
    end = above.foramen_mm + FORWARD_MM * above.axis
    return Foramen(
        level=s1.level, below="S2", side=side, height_mm=2.0 * (low - middle[1]),
        centre_mm=above.foramen_mm, root_start_mm=start, root_end_mm=end,
        root=round_tube(np.stack([start, above.foramen_mm, end]), above.cranial, ROOT_RADIUS_MM),
        confidence=round(DERIVED * above.confidence, 3),
        cause=f"through the first sacral foramen below the {side} pedicle of S1",
    )  # fmt: skip


def _canal_edge(s1: VertebraAnatomy, above: SacralPedicle, up_mm: float) -> Point:
    """Return where a root leaves the sacral canal, behind the slanting wall of the body.

    Args:
        s1: The first sacral segment.
        above: Its pedicle on the side.
        up_mm: Height of the point over the pedicle's middle.
    """
    medial = above.outline.bounds[0] - INTO_CANAL_MM
    at = s1.frame.points(above.centre_mm + medial * above.lateral + up_mm * above.cranial)
    slant = s1.body.superior_mm[1] / s1.body.superior_mm[2]
    behind = 0.5 * s1.body.depth_mm + slant * at[2] + ROOT_RADIUS_MM
    return s1.frame.inverse().points(np.array([at[0], behind, at[2]]))


def _course(above: Pedicle, top: Point, bottom: Point, *, lumbar: bool) -> tuple[Point, Point]:
    """Return both ends of a root's middle line.

    Args:
        above: The pedicle that it runs below.
        top: Lower rim of that pedicle.
        bottom: Upper rim of the pedicle below the foramen.
        lumbar: Whether it descends on its way out.
    """
    down = bottom - top
    low = (1.0 - ROOT_HEIGHT) * float(np.linalg.norm(down))
    close = min(BELOW_MM + ROOT_RADIUS_MM, low)
    medial, _, lateral, _ = above.outline.bounds
    start = top + (medial - INTO_CANAL_MM) * above.lateral + close * unit(down)
    past = top + lateral * above.lateral + (low if lumbar else close) * unit(down)
    return start, past + BEYOND_MM * unit(past - start)


def _trusted(bone: VertebraAnatomy, side: Side) -> Pedicle | Unavailable:
    pedicle = bone.pedicles[side]
    if isinstance(pedicle, Pedicle) and pedicle.confidence < TRUSTED:
        return Unavailable(
            reason=f"the {side} pedicle of {bone.level} was read with a confidence of only "
            f"{pedicle.confidence:.2f}: {pedicle.cause}"
        )
    if isinstance(pedicle, Unavailable):
        return Unavailable(reason=f"{bone.level}: {pedicle.reason}")
    return pedicle
