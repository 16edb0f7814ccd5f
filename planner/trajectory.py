"""From a path to a trajectory: everything a person needs to know of it, measured."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import shapely

from geometry.arrays import unit
from planner.anatomy.model import Pedicle, SacralPedicle, ScrewAxis, Unavailable
from planner.approach import STRIP_MM, Gate, windows
from planner.case import Kind, Side
from planner.contact import Contact
from planner.errors import RequestError
from planner.fluoroscopy.view_set import Subject, views_of
from planner.needles.model import Needle
from planner.needles.path import Arc, Line, Path, path_chords, path_length_mm
from planner.policy import meant_to_pass
from planner.question import Question
from planner.reach import ends_in_target, obliquity_rad, reach_mm
from planner.request import Approach
from planner.result import Clearance, SecondArc, Trajectory
from planner.robustness import breach_probability, tolerance
from planner.rules import PathFacts, cautions_of
from planner.slide import followed, slide_of
from planner.technique import technique_of
from planner.verify import clearances, first_bone, least_margin

BORDER_MM = 0.01  # a path this near to two windows belongs to both [A]
BESIDE_SCREW_MM = 15.0  # a screw no farther from the needle than this is one to aim by [A]


def trajectory(
    question: Question, gate: Gate, needle: Needle, path: Path, second: Path | None = None
) -> Trajectory:
    """Measure a path of a known class, and that of a second arc from the same cannula."""
    technique = gate.technique if gate.contact is not None else "curved"
    way = _Way(approach=gate.approach, side=gate.side, technique=technique, contact=gate.contact)
    first = _trajectory(question, needle, path, way)
    if len(path) == 1 and isinstance(path[0], Line):
        name = technique_of(question, gate, path[0], first.entry_bone_mm, first.clearances)
        first = replace(first, technique=name)
    if second is None:
        return first
    return replace(first, second_arc=_second(question, needle, first=path, path=second))


def _second(question: Question, needle: Needle, *, first: Path, path: Path) -> SecondArc:
    through = meant_to_pass(question.prepared.case, question.bone)
    measured = clearances(question.prepared, path, needle, question.policy, through)
    margin, limiting = least_margin(measured)
    return SecondArc(
        path=path, turn_rad=turn_between(first, path), clearances=measured, margin_mm=margin,
        limiting_structure=limiting,
    )  # fmt: skip


def turn_between(first: Path, second: Path) -> float:
    """Return how far a needle is turned from one arc to another of its cannula, rad, (-pi, pi].

    Clockwise as seen from the hub, which is a right-handed turn about the cannula's direction: of
    the unit vectors n from stop to centre, ``atan2(u . (n1 x n2), n1 . n2)``.

    Raises:
        ValueError: If a path has no arc.
    """
    arcs = [piece for path in (first, second) for piece in path if isinstance(piece, Arc)]
    if len(arcs) != 2:
        raise ValueError("both paths must end in an arc")
    u = unit(np.subtract(arcs[0].start_mm, first[0].start_mm))
    n1, n2 = (unit(arc.centre_mm - arc.start_mm) for arc in arcs)
    return float(np.arctan2(u @ np.cross(n1, n2), n1 @ n2))


def drawn_trajectory(question: Question, needle: Needle, path: Path) -> Trajectory:
    """Measure a path that somebody drew; approach and side are recognised from where it runs."""
    contact = followed(question, needle, path)
    if contact is not None:
        along = _Way(
            approach=Approach.ALONG_SCREW, side=contact.screw.side, technique="drawn",
            contact=contact,
        )  # fmt: skip
        return _trajectory(question, needle, path, along)
    approach, side = recognised(question, path, needle.radius_mm)
    technique = "drawn" if approach is not None else "drawn, outside every gate"
    way = _Way(approach=approach, side=side, technique=technique, contact=None)
    return _trajectory(question, needle, path, way)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Way:
    """What a path is called, and the screw that it may touch."""

    approach: Approach | None
    side: Side | None
    technique: str
    contact: Contact | None


def _trajectory(question: Question, needle: Needle, path: Path, way: _Way) -> Trajectory:
    approach, side, contact = way.approach, way.side, way.contact
    bone = question.bone
    through = meant_to_pass(question.prepared.case, bone)
    measured = clearances(question.prepared, path, needle, question.policy, through, contact)
    margin, limiting = least_margin(measured)
    touched = None if contact is None else contact.screw.structure
    at_bone = first_bone(question.prepared, bone, path)
    entry, tip = path[0].start_mm, path[-1].end_mm
    length = path_length_mm(path)
    views = views_of(_subject(question, path, approach, side, measured))
    return Trajectory(
        rank=0,
        approach=approach,
        side=side,
        technique=way.technique,
        needle=needle.name,
        entry_skin_mm=entry,
        entry_bone_mm=None if at_bone is None else at_bone[0],
        tip_mm=tip,
        path=path,
        outer_diameter_mm=needle.outer_diameter_mm,
        length_mm=length,
        depth_to_bone_mm=None if at_bone is None else at_bone[1],
        clearances=measured,
        margin_mm=margin,
        limiting_structure=limiting,
        reaches_target=ends_in_target(question, tip),
        obliquity_rad=obliquity_rad(question, path),
        reach_mm=reach_mm(question, needle, path, touched),
        tolerance=tolerance(question, path, needle, measured),
        breach_probability=breach_probability(question, path, needle, measured),
        views=views,
        cautions=cautions_of(
            PathFacts(
                question=question, needle=needle, path=path, approach=approach, measured=measured,
                views=views,
            )
        ),
        reasons=(),
        slide=None if contact is None else slide_of(contact, needle, path, measured),
    )  # fmt: skip


def _subject(
    question: Question,
    path: Path,
    approach: Approach | None,
    side: Side | None,
    measured: tuple[Clearance, ...],
) -> Subject:
    has_foramen = question.bone.kind is not Kind.ILIUM
    return Subject(
        prepared=question.prepared, path=path, region=question.region, bone=question.bone.name,
        axes=question.axes, side=side, screw=_screw_beside(question, measured),
        past_foramen=has_foramen and approach is not Approach.TRANSPEDICULAR,
        c_arm=question.c_arm, position=question.position,
    )  # fmt: skip


def _screw_beside(question: Question, measured: tuple[Clearance, ...]) -> ScrewAxis | None:
    """Return the screw that a path is aimed by: the target's own, else the nearest beside it."""
    if not isinstance(question.region, Unavailable) and question.region.screw is not None:
        return question.region.screw
    screws = sorted(
        (c for c in measured if c.kind is Kind.SCREW and c.distance_mm <= BESIDE_SCREW_MM),
        key=lambda c: c.distance_mm,
    )
    for screw in screws:
        try:
            return question.prepared.screw(screw.structure, field="screw")
        except RequestError:  # its axis could not be derived; the next one may do
            continue
    return None


def recognised(
    question: Question, path: Path, radius_mm: float
) -> tuple[Approach | None, Side | None]:
    """Name the approach and side of a path by where it pierces the isthmus planes.

    Within the outline a needle of this radius runs beside the pedicle where it breaches its
    lateral wall, as in ``planner.approach``. A path on the border of the two, within the rounding
    of a written path, belongs to both and is called transpedicular.

    Returns (None, None) for a path that passes outside every window of both sides, such as one
    through the canal, and for a bone without pedicles.
    """
    for side in Side:
        pedicle = question.pedicle(side)
        if isinstance(pedicle, Unavailable):
            continue
        pierced = _pierced(pedicle, path)
        through = None if pierced is None else _through(pedicle, pierced, radius_mm)
        if through is not None:
            return through, side
    for side in Side:
        pedicle = question.pedicle(side)
        if isinstance(pedicle, Unavailable | SacralPedicle):
            continue
        pierced = _pierced(pedicle, path)
        if pierced is None or pierced.x < 0.0 or pierced.y < pedicle.outline.bounds[1]:
            continue
        near = pedicle.outline.distance(pierced) <= STRIP_MM + BORDER_MM
        return (Approach.PARAPEDICULAR if near else Approach.EXTRAPEDICULAR), side
    return None, None


def _through(pedicle: Pedicle, pierced: shapely.Point, radius_mm: float) -> Approach | None:
    """Name the approach of a path that pierces bone in the isthmus plane; None for another."""
    if not pedicle.outline.covers(pierced):
        in_ala = isinstance(pedicle, SacralPedicle) and pedicle.ala.covers(pierced)
        return Approach.EXTRAPEDICULAR if in_ala else None
    cut = windows(pedicle, radius_mm)
    within = cut[Approach.TRANSPEDICULAR].dwithin(pierced, BORDER_MM)
    rim = Approach.PARAPEDICULAR in cut and cut[Approach.PARAPEDICULAR].covers(pierced)
    return Approach.PARAPEDICULAR if rim and not within else Approach.TRANSPEDICULAR


def _pierced(pedicle: Pedicle, path: Path) -> shapely.Point | None:
    """Return where a path, lengthened backwards if need be, pierces the isthmus plane."""
    points = path_chords(path)
    if isinstance(path[0], Line):
        points = np.concatenate([[points[0] - 200.0 * path[0].direction], points])
    axes = np.stack([pedicle.lateral, pedicle.cranial, pedicle.axis])
    local = (points - pedicle.centre_mm) @ axes.T
    for a, b in pairwise(local):
        if a[2] <= 0.0 < b[2]:
            s = -a[2] / (b[2] - a[2])
            return shapely.Point(*(a + s * (b - a))[:2])
    return None
