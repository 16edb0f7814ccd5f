"""Whether a path passes over or under its vertebra's transverse process (DOMAIN 1.3 K4).

The process is the bone lateral of the pedicle and behind its isthmus plane. A path is compared
with the bone that lies beside it there, place by place along it.
"""

from enum import StrEnum

import numpy as np
from jaxtyping import Float

from geometry.arrays import Points
from planner.anatomy.model import Pedicle, SacralPedicle, Unavailable
from planner.case import Side
from planner.needles.path import Path
from planner.question import Question

LATERAL_MM = 6.0  # from the pedicle's lateral wall: what is farther out is the process [A]
BESIDE_MM = 4.0  # bone this near to a place, but for its height, lies beside it [A]
STEP_MM = 1.0


class Passage(StrEnum):
    """How a path passes the process; the words complete "the needle passes ..."."""

    OVER = "over"
    UNDER = "under"
    THROUGH = "through"


def passage(question: Question, path: Path) -> Passage | None:
    """Tell how a path passes the transverse process of its side.

    Args:
        question: What was asked.
        path: Skin to tip, patient LPS; its first piece is looked at.

    Returns:
        None where it runs medial of the process or beyond its tip, and where there is no pedicle
        to tell the process by.
    """
    found = question.pedicle(_side(question, path))
    if isinstance(found, Unavailable | SacralPedicle):
        return None
    bone = _beyond_wall(found, question.bone.mesh.vertices)
    start, end = path[0].start_mm, path[0].end_mm
    count = max(2, int(np.linalg.norm(end - start) / STEP_MM))
    places = _beyond_wall(found, np.linspace(start, end, count))
    told: set[Passage] = set()
    for place in places:
        beside = np.abs(bone[:, [0, 2]] - place[[0, 2]]).max(axis=1) <= BESIDE_MM
        if beside.any():
            heights = bone[beside, 1]
            told.add(
                Passage.OVER if place[1] > heights.max()
                else Passage.UNDER if place[1] < heights.min()
                else Passage.THROUGH
            )  # fmt: skip
    if not told:
        return None
    return told.pop() if len(told) == 1 else Passage.THROUGH


def _side(question: Question, path: Path) -> Side:
    """Return the side of the midline on which a path enters."""
    middle = question.bone.mesh.vertices.mean(axis=0)
    leftward = float((path[0].start_mm - middle) @ question.axes[0])
    return Side.LEFT if leftward > 0.0 else Side.RIGHT


def _beyond_wall(pedicle: Pedicle, points: Points) -> Float[np.ndarray, "m 3"]:
    """Return the points where the process would be, as (lateral, cranial, along the pedicle)."""
    axes = np.stack([pedicle.lateral, pedicle.cranial, pedicle.axis])
    local = (points - pedicle.centre_mm) @ axes.T
    _, _, wall, _ = pedicle.outline.bounds
    found: Float[np.ndarray, "m 3"] = local[
        (local[:, 0] >= wall + LATERAL_MM) & (local[:, 2] <= 0.0)
    ]
    return found
