"""What a straight path is called among those who do it, by where it runs (DOMAIN 1.3).

One rule after the other, in the order of ``_RULES``; the first that fits names the path. Directions
are the bone's own: outward is away from the midline, on the path's side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float

from geometry.arrays import Point
from geometry.frames import angle_between
from planner.anatomy.model import Pedicle, ScrewAxis, Unavailable
from planner.approach import Gate, holds_metal
from planner.case import HARDWARE, Kind, Side
from planner.needles.path import Line
from planner.question import Question
from planner.request import Approach
from planner.result import Clearance

AT_TIP_MM = 7.0  # from a screw's tip, that counts as beside it: 2-5 [A] and a needle's width
SKEWED_RAD = np.radians(30.0)  # a way to the tip is oblique, not across
NEAR_RIB_MM = 10.0  # from a rib, that bounds the gap between pedicle and rib head [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """A straight path at one pedicle.

    Attributes:
        question: What was asked.
        gate: Its gate.
        line: Skin to tip.
        bone_mm: Where it enters the bone; None where it does not.
        measured: Its clearances.
        pedicle: The pedicle on its side.
        screw: The screw of that side and level, if there is one.
    """

    question: Question
    gate: Gate
    line: Line
    bone_mm: Point | None
    measured: tuple[Clearance, ...]
    pedicle: Pedicle
    screw: ScrewAxis | None

    @property
    def pierced(self) -> Point:
        """Where it pierces the gate plane: lateral, cranial, 0."""
        start = self.gate.coordinates(self.line.start_mm)
        end = self.gate.coordinates(self.line.end_mm)
        at: Point = start - start[2] / (end[2] - start[2]) * (end - start)
        return at


def technique_of(
    question: Question,
    gate: Gate,
    line: Line,
    bone_mm: Point | None,
    measured: tuple[Clearance, ...],
) -> str:
    """Name a straight path.

    Args:
        question: What was asked.
        gate: The gate it passes.
        line: Skin to tip, patient LPS.
        bone_mm: Where it enters the target's bone.
        measured: Its clearances.

    Returns:
        The gate's own name where it has one, else that of the first rule that fits.
    """
    pedicle = question.pedicle(gate.side)
    if gate.technique != "straight" or isinstance(pedicle, Unavailable):
        return gate.technique
    run = _Run(
        question=question, gate=gate, line=line, bone_mm=bone_mm, measured=measured,
        pedicle=pedicle, screw=_screw_here(question, gate.side),
    )  # fmt: skip
    return next(name for name in (rule(run) for rule in _RULES) if name)


def _screw_here(question: Question, side: Side) -> ScrewAxis | None:
    """Return the screw of the target's level on a side."""
    here = (question.bone.level, side)
    screws = question.prepared.hardware.screws.values()
    found = (s for s in screws if isinstance(s, ScrewAxis) and (s.level, s.side) == here)
    return next(found, None)


def _to_screw_tip(run: _Run) -> str | None:
    """K2: through the pedicle, a little oblique to its screw, to a few mm beside the tip."""
    if run.screw is None or run.gate.approach is not Approach.TRANSPEDICULAR:
        return None
    off_tip = float(np.linalg.norm(run.line.end_mm - run.screw.tip_mm))
    skew = angle_between(run.line.direction, run.screw.tip_mm - run.screw.head_mm)
    return "oblique_to_screw_tip" if off_tip <= AT_TIP_MM and skew <= SKEWED_RAD else None


def _across_screw(run: _Run) -> str | None:
    """K3: from lateral of the screw to medial of it, cranial of it or caudal."""
    if run.screw is None or run.bone_mm is None:
        return None
    rise = crossing_rise_mm(
        np.stack([run.bone_mm, run.line.end_mm]),
        np.stack([run.screw.head_mm, run.screw.tip_mm]),
        run.question.axes if run.gate.side is Side.LEFT else run.question.axes * [[-1], [1], [1]],
    )
    if rise is None:
        return None
    return "cross_over_screw" if rise > 0.0 else "cross_under_screw"


def crossing_rise_mm(
    path: Float[np.ndarray, "2 3"], screw: Float[np.ndarray, "2 3"], axes: Float[np.ndarray, "3 3"]
) -> float | None:
    """Return how far cranial of a screw a path crosses it, or None if it does not.

    Both are compared where they lie equally far in front, within both of their extents. A path
    crosses if it is lateral of the screw before that place and medial behind it.

    Args:
        path: Where it enters the bone, and its tip, LPS.
        screw: Head and tip of the shaft, LPS.
        axes: Outward, posterior and superior unit vectors (rows).
    """
    needle, shaft = path @ axes.T, screw @ axes.T
    if needle[0, 1] <= needle[1, 1] or shaft[0, 1] <= shaft[1, 1]:
        return None
    back, front = min(needle[0, 1], shaft[0, 1]), max(needle[1, 1], shaft[1, 1])
    if back <= front:
        return None
    apart = np.array([_at_depth(needle, y) - _at_depth(shaft, y) for y in (back, front)])
    if apart[0, 0] <= 0.0 or apart[1, 0] >= 0.0:
        return None
    share = apart[0, 0] / (apart[0, 0] - apart[1, 0])
    return float(apart[0, 2] + share * (apart[1, 2] - apart[0, 2]))


def _at_depth(line: Float[np.ndarray, "2 3"], y: float) -> Point:
    share = (line[0, 1] - y) / (line[0, 1] - line[1, 1])
    at: Point = line[0] + share * (line[1] - line[0])
    return at


def _through_pedicle(run: _Run) -> str | None:
    """D2, D3: through what metal leaves of a pedicle, or through one that is free of it."""
    if run.gate.approach is not Approach.TRANSPEDICULAR:
        return None
    metal = run.question.prepared.case.of_kind(*HARDWARE)
    return "residual_corridor" if holds_metal(run.pedicle, metal) else "free_pedicle"


def _by_rib(run: _Run) -> str | None:
    """K5: through the gap between the pedicle's lateral wall and a rib's head, where there is one.

    The last rib hangs down beside the upper lumbar levels, far from its head.
    """
    thoracic = (run.question.bone.level or "").startswith("T")
    if run.gate.approach is Approach.TRANSPEDICULAR or not thoracic:
        return None
    ribs = [c for c in run.measured if c.kind is Kind.RIB and c.distance_mm <= NEAR_RIB_MM]
    outward = run.gate.axes[0]
    beside = any(float((c.nearest_point_mm - c.path_point_mm) @ outward) > 0.0 for c in ribs)
    return "between_pedicle_and_rib_head" if beside else None


def _above_pedicle(run: _Run) -> str | None:
    """K9: into the body's superior wall, cranial of the pedicle's middle third."""
    if run.gate.approach is Approach.TRANSPEDICULAR:
        return None
    _, low, _, high = shapely.bounds(run.pedicle.outline)
    above = run.pierced[1] > low + 2.0 * (high - low) / 3.0
    return "superior_extrapedicular" if above else None


def _lateral(run: _Run) -> str:
    """K8: where the pedicle's lateral wall goes over into the body, or lateral of that."""
    parapedicular = run.gate.approach is Approach.PARAPEDICULAR
    return "lateral_parapedicular" if parapedicular else "lateral_extrapedicular"


_RULES: tuple[Callable[[_Run], str | None], ...] = (
    _to_screw_tip, _across_screw, _through_pedicle, _by_rib, _above_pedicle, _lateral,
)  # fmt: skip
