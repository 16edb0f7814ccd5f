"""The gates of a question: one for every approach, side and needle that there is a way for."""

from dataclasses import dataclass, replace
from itertools import product

from planner.anatomy.model import Pedicle, ScrewAxis, Unavailable
from planner.approach import Gate, along_gate, corridor_gate, pedicle_gates
from planner.case import HARDWARE, Kind, Side
from planner.contact import Contact, shaft_contact
from planner.needles.model import Needle
from planner.question import Question
from planner.request import BY_WINDOW, Approach
from planner.target import TargetRegion

NO_WALL = "S1 goes over into the ala: it has no lateral wall that a needle could run beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatelessClass:
    """A class that was asked for and has no gate, and why."""

    approach: Approach
    side: Side
    needle: Needle
    why: Unavailable


def gates_for(
    question: Question,
    approaches: tuple[Approach, ...],
    sides: tuple[Side, ...],
    needles: list[Needle],
) -> tuple[list[tuple[Gate, Needle]], list[GatelessClass]]:
    """Return the classes to search, and those that cannot be, with the reason."""
    classes: list[tuple[Gate, Needle]] = []
    gateless: list[GatelessClass] = []
    for side, needle in product(sides, needles):
        ways = _ways(question, side, needle)
        if Approach.ALONG_SCREW in approaches:
            ways[Approach.ALONG_SCREW] = _along_screw(question, side, needle)
        for approach in approaches:
            gate = ways[approach]
            if isinstance(gate, Gate):
                classes.append((gate, needle))
            else:
                gateless.append(
                    GatelessClass(approach=approach, side=side, needle=needle, why=gate)
                )
    return classes, gateless


def _ways(question: Question, side: Side, needle: Needle) -> dict[Approach, Gate | Unavailable]:
    """Return the gate of each approach on a side, or why there is none."""
    pedicle = question.pedicle(side)
    anatomy = question.prepared.bone(question.bone)
    if _below_s1(question):
        pedicle = Unavailable(reason="the target's screw runs through the sacrum below S1")
    if not isinstance(anatomy, Unavailable) and not isinstance(pedicle, Unavailable):
        hardware = question.prepared.case.of_kind(*HARDWARE)
        none = dict.fromkeys(BY_WINDOW, Unavailable(reason=NO_WALL))
        return {**none, **pedicle_gates(anatomy, pedicle, hardware, needle.radius_mm)}
    why = pedicle if isinstance(pedicle, Unavailable) else Unavailable(reason="no anatomy")
    ways: dict[Approach, Gate | Unavailable] = dict.fromkeys(BY_WINDOW, why)
    corridor = _corridor(question, side, needle)
    if corridor is not None:
        ways[corridor.approach] = corridor
    return ways


def _below_s1(question: Question) -> bool:
    """Tell whether the target belongs to a screw that runs through the sacrum below S1."""
    screw = None if isinstance(question.region, Unavailable) else question.region.screw
    sacral = question.bone.kind is Kind.SACRUM
    return sacral and screw is not None and screw.level != "S1"


def _corridor(question: Question, side: Side, needle: Needle) -> Gate | None:
    """Return the gate around a screw of this side in a sacrum or ilium, where there is one."""
    if question.bone.kind not in {Kind.SACRUM, Kind.ILIUM}:
        return None
    screw = _screw_of(question, side)
    if screw is None:
        return None
    return corridor_gate(screw, question.bone, needle.radius_mm, side=side, left=question.axes[0])


def _along_screw(question: Question, side: Side, needle: Needle) -> Gate | Unavailable:
    """Return the gate of the paths along the target's screw, or why there is none."""
    contact = _contact(question, side, needle)
    if isinstance(contact, Unavailable):
        return contact
    pedicle = question.pedicle(side)
    if isinstance(pedicle, Pedicle) and not _below_s1(question):
        return along_gate(contact, pedicle, needle.radius_mm)
    corridor = _corridor(question, side, needle)
    if corridor is not None:
        return replace(
            corridor, approach=Approach.ALONG_SCREW, technique="along_screw",
            window=corridor.uncut, contact=contact,
        )  # fmt: skip
    if isinstance(pedicle, Unavailable):
        return pedicle
    return Unavailable(reason=f"no bone was found round {contact.screw.structure} to pass through")


def _contact(question: Question, side: Side, needle: Needle) -> Contact | Unavailable:
    """Return the screw that a needle may follow to the target, or why there is none."""
    region = question.region
    screw = region.screw if isinstance(region, TargetRegion) else None
    if screw is None:
        return Unavailable(reason="the target belongs to no screw that a needle could follow")
    if screw.side is not side:
        return Unavailable(reason=f"{screw.structure} does not lie on the {side}")
    if needle.curved is not None:
        return Unavailable(reason="a needle in a cannula does not bend along a screw")
    return shaft_contact(question.prepared.case, screw)


def _screw_of(question: Question, side: Side) -> ScrewAxis | None:
    """Return the target's screw if it is on this side, else the first sacral screw there."""
    region = question.region
    if isinstance(region, TargetRegion) and region.screw is not None:
        return region.screw if region.screw.side is side else None
    screws = question.prepared.hardware.screws.values()
    sacral = (s for s in screws if isinstance(s, ScrewAxis) and s.level == "S1")
    return next((screw for screw in sacral if screw.side is side), None)
