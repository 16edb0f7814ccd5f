"""A path along a screw, in the terms of the one who steers it: contact, arrival, bevel, slide."""

import math

import numpy as np

from geometry.arrays import Vector, unit
from geometry.frames import angle_between
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.check_points import clock_hour
from planner.contact import Contact, off_head_mm, shaft_contact
from planner.needles.model import Needle
from planner.needles.path import Arc, Line, Path
from planner.question import Question
from planner.result import Clearance, Slide
from planner.verify import least_margin

PARALLEL_RAD = math.radians(0.5)  # a drawn slide runs no further off the shaft's direction [A]
TOUCHING_MM = 0.1  # and its surface no further off the shaft [A]


def slide_of(
    contact: Contact, needle: Needle, path: Path, measured: tuple[Clearance, ...]
) -> Slide:
    """Say how a path meets the shaft that it slides along.

    The contact point is where the straight needle would meet the shaft: where its leg and the
    slide cross. A bevel's face looks at the metal there, so that the tip turns away from it
    (DOMAIN 1.3 K1, K7).

    Args:
        contact: The screw.
        needle: The needle.
        path: A line, perhaps an arc, and the slide, LPS.
        measured: Its clearances.
    """
    last, along = path[-1], contact.along
    arrival = angle_between(path[0].end_mm - path[0].start_mm, along)
    arcs = [piece for piece in path if isinstance(piece, Arc)]
    radius = arcs[0].radius_mm if arcs else math.inf
    before = radius * math.tan(0.5 * arcs[0].angle_rad) if arcs else 0.0
    crossing = last.start_mm - before * along
    station = float((crossing - contact.screw.head_mm) @ along)
    foot = contact.screw.head_mm + station * along
    outward = unit(crossing - foot)
    beside = [c for c in measured if not c.contact_allowed]
    least, limiting = least_margin(tuple(beside))
    head = off_head_mm(contact, needle, path)
    ahead = unit(path[0].end_mm - path[0].start_mm)
    return Slide(
        screw=contact.screw.structure,
        contact_mm=foot + contact.radius_mm * outward,
        contact_share=station / contact.length_mm,
        arrival_rad=arrival,
        bevel_hour=clock_hour(ahead, -outward) if needle.tip == "bevel" else None,
        slide_mm=float((last.end_mm - crossing) @ along),
        bend_radius_mm=radius,
        elastic_radius_mm=needle.elastic_radius_mm,
        margin_beside_mm=min(least, head),
        limiting_beside=contact.screw.structure if head < least else limiting,
    )


def followed(question: Question, needle: Needle, path: Path) -> Contact | None:
    """Return the screw that a drawn path slides along with its last piece, if there is one."""
    if len(path) < 2 or not isinstance(path[-1], Line) or needle.curved is not None:
        return None
    last = path[-1]
    for screw in question.prepared.hardware.screws.values():
        if not isinstance(screw, ScrewAxis) or not _near(screw, last):
            continue
        contact = shaft_contact(question.prepared.case, screw)
        if not isinstance(contact, Unavailable) and _touches(contact, needle, last):
            return contact
    return None


def _near(screw: ScrewAxis, slide: Line) -> bool:
    """Whether a piece runs along a shaft, towards its tip and beside it."""
    along = screw.tip_mm - screw.head_mm
    length = float(np.linalg.norm(along))
    station = float((slide.start_mm - screw.head_mm) @ along) / length
    return 0.0 < station < length and angle_between(slide.direction, along) < PARALLEL_RAD


def _touches(contact: Contact, needle: Needle, slide: Line) -> bool:
    rho = contact.radius_mm + needle.radius_mm
    ends = (slide.start_mm, slide.end_mm)
    return all(abs(_off_axis(contact, point) - rho) <= TOUCHING_MM for point in ends)


def _off_axis(contact: Contact, point: Vector) -> float:
    offset = point - contact.screw.head_mm
    return float(np.linalg.norm(offset - (offset @ contact.along) * contact.along))
