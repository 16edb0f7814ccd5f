"""The gates of a question: one for every approach, side and needle that there is a way for."""

from itertools import product

import numpy as np

from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.approach import Gate, corridor_gate, pedicle_gates
from planner.case import HARDWARE, Kind, Side
from planner.needles.model import Needle
from planner.question import Question
from planner.request import Approach
from planner.result import Certificate
from planner.search.certificate import unsearched
from planner.target import TargetRegion

CURVED = Unavailable(reason="curved paths are not searched yet")


def gates_for(
    question: Question,
    approaches: tuple[Approach, ...],
    sides: tuple[Side, ...],
    needles: list[Needle],
    tolerance_mm: float,
) -> tuple[list[tuple[Gate, Needle]], list[Certificate]]:
    """Return the classes to search, and certificates of those that cannot be, with the reason."""
    classes: list[tuple[Gate, Needle]] = []
    missing: list[Certificate] = []
    for side, needle in product(sides, needles):
        ways = {} if needle.curved else _ways(question, side, needle)
        for approach in approaches:
            gate = CURVED if needle.curved else ways[approach]
            if isinstance(gate, Gate):
                classes.append((gate, needle))
            else:
                missing.append(unsearched(approach, side, needle, gate, tolerance_mm))
    return classes, missing


def _ways(question: Question, side: Side, needle: Needle) -> dict[Approach, Gate | Unavailable]:
    """Return the gate of each approach on a side, or why there is none."""
    pedicle = question.pedicle(side)
    anatomy = question.prepared.bone(question.bone)
    if isinstance(anatomy, VertebraAnatomy) and not isinstance(pedicle, Unavailable):
        hardware = question.prepared.case.of_kind(*HARDWARE)
        return {**pedicle_gates(anatomy, pedicle, hardware, needle.radius_mm)}
    why = pedicle if isinstance(pedicle, Unavailable) else Unavailable(reason="no anatomy")
    ways: dict[Approach, Gate | Unavailable] = dict.fromkeys(Approach, why)
    corridor = _corridor(question, side, needle)
    if corridor is not None:
        ways[corridor.approach] = corridor
    return ways


def _corridor(question: Question, side: Side, needle: Needle) -> Gate | None:
    """Return the gate along the target's screw in a sacrum or ilium, on that screw's side."""
    region = question.region
    if not isinstance(region, TargetRegion) or region.screw is None:
        return None
    if question.bone.kind not in {Kind.SACRUM, Kind.ILIUM} or _side(question, region) is not side:
        return None
    return corridor_gate(
        region.screw, question.bone, needle.radius_mm, side=side, left=question.axes[0]
    )


def _side(question: Question, region: TargetRegion) -> Side:
    """Return the side of the target's screw: as stated, else by where its head lies."""
    screw = region.screw
    assert screw is not None  # noqa: S101  # the caller asks only for targets with a screw
    if screw.side is not None:
        return screw.side
    middle = np.mean([s.mesh.vertices.mean(axis=0) for s in question.prepared.case.structures
                      if s.kind in {Kind.VERTEBRA, Kind.SACRUM}], axis=0)  # fmt: skip
    return Side.LEFT if float((screw.head_mm - middle) @ question.axes[0]) > 0.0 else Side.RIGHT
