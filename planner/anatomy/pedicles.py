"""Both pedicles of a vertebra, and how far each can be trusted.

A pedicle that looks unsound in the bone as segmented is sought again with the channels of screws
closed. What another closing shows elsewhere, touches a flat cut, or contradicts the other side, is
not trusted.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import shapely

from geometry.arrays import Vector
from geometry.frames import angle_between
from geometry.mesh import TriangleMesh
from planner.anatomy.body import BodyBox
from planner.anatomy.model import Pedicle, Unavailable
from planner.anatomy.pedicle import UNUSUAL, moves_with_wall, pedicle
from planner.anatomy.scan_edge import CutEdge
from planner.anatomy.slicing import Slicer
from planner.anatomy.solid import BY_SECTIONS, Window, calmed, closed_up, roughness_mm
from planner.case import Side

BALL_MM = np.full(3, 3.8)  # half axes of what closes channels: screws up to 7.5 mm leave none
DISC_MM = np.array([3.8, 0.01, 3.8])  # and of what stands across the neck, which has to agree
STEADY_MM, STEADY_RAD = 0.5, np.radians(1.5)  # half of what a claimed isthmus may be off
CLOSED_UP = "channels in the bone were closed to find it"
ROUGH_MM = 0.13  # noise of 0.3 mm gives 0.15 or more, steps of 1 mm voxels 0.11, drawn bone 0.1
CLOSED = 0.75  # confidence in an isthmus of a bone whose channels were closed
UNCONFIRMED = 0.4  # and in those of which the disc shows one elsewhere, or not at all
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
    calm = calmed(mesh, BY_SECTIONS)
    bone = Slicer(calm)
    found = {side: pedicle(bone, box, side, level, drawn=mesh) for side in Side}
    if not all(_sound(one) for one in found.values()):
        found = _mended(mesh, box, level, found, rough_mm=roughness_mm(mesh, calm))
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
    mesh: TriangleMesh,
    box: BodyBox,
    level: str | None,
    found: dict[Side, Found],
    *,
    rough_mm: float,
) -> dict[Side, Found]:
    """Seek what is unsound again in the bone with its channels closed, in two ways."""
    unsound = {side: one for side, one in found.items() if not _sound(one)}
    first = _closed(mesh, box, level, unsound, ball_mm=BALL_MM)
    if rough_mm > ROUGH_MM:
        doubt = f"the bone is rough by {rough_mm:.2f} mm, as much as thin walls beside channels are"
        return found | _unconfirmed(first, f"{CLOSED_UP}, but {doubt}")
    second = _closed(mesh, box, level, first, ball_mm=DISC_MM)
    return found | _confirmed(first, second)


def _closed(
    mesh: TriangleMesh, box: BodyBox, level: str | None, sides: Collection[Side], *, ball_mm: Vector
) -> dict[Side, Pedicle]:
    """Return what is sound of some sides in the bone with its channels closed by a ball."""
    if not sides:
        return {}
    half = np.array([1.4 * box.half[0], 16.0, box.half[2] + 4.0])
    behind = box.centre + (box.half[1] + 5.0) * box.axes[1]
    closed = closed_up(mesh, Window(centre=behind, axes=box.axes, half=half), ball_mm=ball_mm)
    if closed is None:
        return {}
    bone = Slicer(closed)
    read = {side: pedicle(bone, box, side, level) for side in sides}
    return {side: one for side, one in read.items() if isinstance(one, Pedicle) and _sound(one)}


def _confirmed(first: dict[Side, Pedicle], second: dict[Side, Pedicle]) -> dict[Side, Pedicle]:
    """Trust isthmuses in bone closed by the ball if the disc shows all of them in the same place.

    The ball also fills the hollows along a neck and pulls the isthmus into them; the disc, which
    stands across the neck, does not, but closes less where a wall is gone. Where they part on one
    side, the bone is not drawn well enough for the other side to be right but by chance.
    """
    doubts = [doubt for side in first if (doubt := _doubt(first[side], second.get(side)))]
    if doubts:
        return _unconfirmed(first, f"{CLOSED_UP}, but closed in another way {' and '.join(doubts)}")
    return {
        s: replace(p, confidence=CLOSED * p.confidence, cause=f"{p.cause}; {CLOSED_UP}")
        for s, p in first.items()
    }


def _unconfirmed(found: dict[Side, Pedicle], cause: str) -> dict[Side, Pedicle]:
    return {s: replace(p, confidence=UNCONFIRMED, cause=cause) for s, p in found.items()}


def _doubt(first: Pedicle, second: Pedicle | None) -> str:
    """Say how a second reading of an isthmus differs from the first; empty if hardly."""
    if second is None:
        return f"the {first.side} isthmus is not found again"
    apart_mm = float(np.linalg.norm(first.centre_mm - second.centre_mm))
    apart_rad = angle_between(first.axis, second.axis)
    if apart_mm < STEADY_MM and apart_rad < STEADY_RAD:
        return ""
    return (
        f"the {first.side} isthmus lies {apart_mm:.1f} mm and {np.degrees(apart_rad):.1f} degrees "
        "elsewhere"
    )


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
