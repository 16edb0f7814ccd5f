"""What a case lacks around a bone, in words: what was derived in its place, and what is missing."""

from collections.abc import Iterator

from planner.anatomy.model import VertebraAnatomy
from planner.case import Kind
from planner.policy import WIDENED_MM
from planner.question import Question


def derived_here(question: Question) -> Iterator[str]:
    """Say of each kind that was not segmented how it was derived, and how it is kept away from.

    Where some of a kind was segmented, what was not is named.
    """
    for kind, more in WIDENED_MM.items():
        ours = [s for s in question.prepared.case.of_kind(kind) if s.derived]
        if not ours:
            continue
        sure = min(s.derived.confidence for s in ours if s.derived)
        names = ", ".join(s.name.removeprefix("derived_") for s in ours)
        partly = f"{names} was" if question.prepared.given.of_kind(kind) else "it was"
        lacking = "not every" if question.prepared.given.of_kind(kind) else "no"
        yield (
            f"{lacking} {_plain(kind)} was segmented: {partly} derived from other structures "
            f"(confidence {sure:.2f} or more), and {more:.1f} mm more are kept from it"
        )


def missing_here(question: Question) -> Iterator[str]:
    """Say what is neither in the case nor could be derived beside the bone of a question."""
    anatomy = question.prepared.bone(question.bone)
    here = anatomy.level if isinstance(anatomy, VertebraAnatomy) else question.bone.level
    bones = {here, "S2"} if question.bone.kind is Kind.SACRUM else {here}
    for missing in question.prepared.derived.missing:
        here = next((level for level in missing.levels if level in bones), None)
        if here is not None:
            side = f"{missing.side} " if missing.side else ""
            yield f"no {side}{_plain(missing.kind)} at {here} to keep away from: {missing.reason}"


def _plain(kind: Kind) -> str:
    return kind.replace("_", " ")
