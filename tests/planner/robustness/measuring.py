"""What both kinds of error are measured with: one needle, and obstacles about it."""

from collections.abc import Callable, Sequence

import numpy as np

from geometry.mesh import TriangleMesh
from geometry.solids import box, ellipsoid
from planner.case import Kind
from planner.needles.catalogue import needle_named
from planner.needles.path import Path as NeedlePath
from planner.policy import meant_to_pass
from planner.question import Question
from planner.result import Clearance
from planner.verify import clearances

SceneOf = Callable[[Kind, TriangleMesh], Question]
NEEDLE = needle_named("15G-150")
RADIUS_MM = NEEDLE.radius_mm


def measured(question: Question, path: NeedlePath) -> tuple[Clearance, ...]:
    """Return the clearances of the needle along a path."""
    through = meant_to_pass(question.prepared.case, question.bone)
    return clearances(question.prepared, path, NEEDLE, question.policy, through)


def plate(centre: Sequence[float], extents: Sequence[float]) -> TriangleMesh:
    """Return a box about a centre, mm."""
    return box(np.array(centre, dtype=float), np.array(extents, dtype=float))


def ball(centre: Sequence[float], radius: float) -> TriangleMesh:
    """Return a ball, mm."""
    return ellipsoid(np.array(centre, dtype=float), np.full(3, radius))
