"""Both pedicles of a vertebra, and how far each can be trusted.

A pedicle that looks unsound in the bone as segmented is shown as it is with the channels of screws
closed, but not claimed. What touches a flat cut, or contradicts the other side, is not trusted.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import shapely

from geometry.frames import angle_between
from geometry.mesh import TriangleMesh
from planner.anatomy.body import BodyBox
from planner.anatomy.model import Pedicle, Unavailable
from planner.anatomy.pedicle import UNUSUAL, moves_with_wall, pedicle
from planner.anatomy.scan_edge import CutEdge
from planner.anatomy.slicing import Slicer
from planner.anatomy.solid import BY_SECTIONS, Window, calmed, closed_up
from planner.case import Side

BALL_MM = 3.8  # radius of what closes channels: screws up to 7.5 mm leave none
CLOSED_UP = "shown is where it lies with channels in the bone closed"
UNCLAIMED = 0.4  # confidence in that
CUT = 0.3  # and in one that a flat cut touches
UNLIKE = 0.4  # and in two that do not mirror each other
APART_MM = 3.5  # between an isthmus and the mirror image of the other; healthy bone: 2.6 and 0.09
APART_RAD = 0.16
NEAR_MM = (2.5, 1.0)  # along the axis and across it, within which a cut touches an isthmus

Found = Pedicle | Unavailable


def both_pedicles(
    mesh: TriangleMesh, box: BodyBox, level: str | None, edges: tuple[CutEdge, ...]
) -> dict[Side, Found]:
    """Find the pedicles of both sides.

    Args:
        mesh: The bone without voids, patient LPS, mm.
        box: Its body.
        level: Its level, if known.
        edges: Where the bone is cut off flat.
    """
    bone = Slicer(calmed(mesh, BY_SECTIONS))
    found = {side: pedicle(bone, box, side, level, drawn=mesh) for side in Side}
    if not all(_sound(one) for one in found.values()):
        found = _mended(mesh, box, level, found)
    return _mirrored({side: _uncut(one, edges) for side, one in found.items()}, box)


def leaning_on(
    body: float, wall: float, found: dict[Side, Found], mesh: TriangleMesh, box: BodyBox
) -> dict[Side, Found]:
    """Trust no isthmus more than the body by which it was found.

    Some pedicles, of L5 mostly, are as thin for long or grow thinner all the way to the lamina;
    their isthmus lies where isthmuses usually lie behind the posterior wall, and is trusted no more
    than that wall.

    Args:
        body: Confidence in where the body lies and which way it faces.
        wall: Confidence in its posterior wall; no higher.
        found: The pedicles.
        mesh: The bone without voids, patient LPS, mm.
        box: The body.
    """
    if all(_trust(one) <= wall for one in found.values()):
        return found
    bone = Slicer(calmed(mesh, BY_SECTIONS))
    return {side: _leaning(one, body, wall, bone, box) for side, one in found.items()}


def _leaning(one: Found, body: float, wall: float, bone: Slicer, box: BodyBox) -> Found:
    if isinstance(one, Unavailable) or one.confidence <= wall:
        return one
    leans = wall < body and moves_with_wall(bone, box, one)
    limit = wall if leans else body
    if one.confidence <= limit:
        return one
    what = "posterior wall that places it" if leans else "body by which it was found"
    return replace(
        one, confidence=limit, cause=f"the {what} was read with confidence {limit:.2f}; {one.cause}"
    )


def _trust(found: Found) -> float:
    return 0.0 if isinstance(found, Unavailable) else found.confidence


def _sound(found: Found) -> bool:
    return _trust(found) > UNUSUAL


def _mended(
    mesh: TriangleMesh, box: BodyBox, level: str | None, found: dict[Side, Found]
) -> dict[Side, Found]:
    """Show where isthmuses that are unsound would lie with the channels in the bone closed.

    They are not claimed: closing fills the hollows along a neck too, and pulls isthmuses into them
    by up to 8 degrees, and a pedicle with open walls is no corridor of bone.
    """
    unsound = [side for side, one in found.items() if not _sound(one)]
    return found | {
        side: replace(one, confidence=UNCLAIMED, cause=f"{_reason(found[side])}; {CLOSED_UP}")
        for side, one in _closed(mesh, box, level, unsound).items()
    }


def _reason(found: Found) -> str:
    return found.reason if isinstance(found, Unavailable) else found.cause


def _closed(
    mesh: TriangleMesh, box: BodyBox, level: str | None, sides: Collection[Side]
) -> dict[Side, Pedicle]:
    """Return what is sound of some sides in the bone with its channels closed."""
    half = np.array([1.4 * box.half[0], 16.0, box.half[2] + 4.0])
    behind = box.centre + (box.half[1] + 5.0) * box.axes[1]
    closed = closed_up(mesh, Window(centre=behind, axes=box.axes, half=half), ball_mm=BALL_MM)
    if closed is None:
        return {}
    bone = Slicer(closed)
    read = {side: pedicle(bone, box, side, level) for side in sides}
    return {side: one for side, one in read.items() if isinstance(one, Pedicle) and _sound(one)}


def _uncut(found: Found, edges: tuple[CutEdge, ...]) -> Found:
    """Distrust an isthmus that a flat cut touches."""
    if isinstance(found, Unavailable):
        return found
    along_mm, aside_mm = NEAR_MM
    outline = found.outline.buffer(aside_mm)
    for edge in edges:
        offset = edge.points - found.centre_mm
        level = np.abs(offset @ found.axis) < along_mm
        near = offset[level]
        if shapely.contains_xy(outline, near @ found.lateral, near @ found.cranial).any():
            cause = "the bone is cut off flat at the isthmus, as at the edge of a scan"
            return replace(found, confidence=min(CUT, found.confidence), cause=cause)
    return found


def _apart(found: dict[Side, Found], box: BodyBox) -> tuple[float, float]:
    """Return how far two sound isthmuses are from being mirror images, mm and radians."""
    left, right = found[Side.LEFT], found[Side.RIGHT]
    if not (isinstance(left, Pedicle) and isinstance(right, Pedicle)):
        return 0.0, 0.0
    if min(left.confidence, right.confidence) <= UNUSUAL:
        return 0.0, 0.0
    flip = np.array([-1.0, 1.0, 1.0])
    here = box.axes @ (left.centre_mm - box.centre)
    there = flip * (box.axes @ (right.centre_mm - box.centre))
    turned = angle_between(box.axes @ left.axis, flip * (box.axes @ right.axis))
    return float(np.linalg.norm(here - there)), turned


def _mirrored(found: dict[Side, Found], box: BodyBox) -> dict[Side, Found]:
    """Distrust two sound isthmuses that are far from being mirror images."""
    apart_mm, apart_rad = _apart(found, box)
    if apart_mm < APART_MM and apart_rad < APART_RAD:
        return found
    cause = (
        f"left and right isthmus are {apart_mm:.1f} mm and {np.degrees(apart_rad):.0f} degrees "
        "from being mirror images"
    )
    return {
        side: replace(one, confidence=UNLIKE, cause=cause) if isinstance(one, Pedicle) else one
        for side, one in found.items()
    }
