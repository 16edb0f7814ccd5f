"""What was planned, measured a second time: by trimesh against triangles, by scipy between needles."""

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
from scipy.spatial.distance import cdist
from trimesh.triangles import closest_point

from benchmarks.adversary_space import EXACTLY_MM, segment_slack, surroundings_of
from geometry.arrays import Point, Points
from planner.case import Structure
from planner.contact import Contact, shaft_contact
from planner.needles.catalogue import needle_named
from planner.needles.path import Path
from planner.question import Question
from planner.result import Trajectory
from planner.session.spacing import Bar
from planner.target import TargetRegion

EVERY_MM = 0.2


def margin_mm(question: Question, found: Trajectory, path: Path | None = None) -> float:
    """Return a path's margin to all that has a hard limit, but for the shaft it slides along.

    Args:
        question: What was asked.
        found: The trajectory.
        path: Another path of its needle in place of its own.
    """
    assert isinstance(question.region, TargetRegion)
    contact: Contact | None = None
    if found.slide is not None:
        screw = question.prepared.screw(found.slide.screw, field="screw")
        followed = shaft_contact(question.prepared.case, screw)
        assert isinstance(followed, Contact)
        contact = followed
    around = surroundings_of(question, question.region, contact)
    return min(
        segment_slack(around, a, b, EXACTLY_MM) - radius
        for points, radius in needle_named(found.needle).tubes(path or found.path)
        for a, b in pairwise(points)
    )


def apart_mm(first: Sequence[Bar], second: Sequence[Bar]) -> float:
    """Return how far apart two needles are by points along them, too much by 0.2 at most."""
    return min(
        float(cdist(_dotted(a.points_mm), _dotted(b.points_mm)).min()) - a.radius_mm - b.radius_mm
        for a, b in product(first, second)
    )


def room_mm(structures: Sequence[Structure], start: Point, end: Point) -> float:
    """Return how far points along a segment keep from the surfaces of structures, at least."""
    corners = np.concatenate([s.mesh.corners for s in structures])
    points = _dotted(np.stack([start, end]))
    return min(
        float(np.linalg.norm(closest_point(corners, at) - at, axis=1).min())
        for at in (np.broadcast_to(point, (len(corners), 3)) for point in points)
    )


def _dotted(points: Points) -> Points:
    """Return points along a polyline, no farther apart than ``EVERY_MM``."""
    pieces = [points[:1]]
    for a, b in pairwise(points):
        count = int(np.ceil(np.linalg.norm(b - a) / EVERY_MM))
        pieces.append(a + np.linspace(0.0, 1.0, count + 1)[1:, None] * (b - a))
    return np.concatenate(pieces)
