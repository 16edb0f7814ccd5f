"""Vertebrae that are one mesh in a case, as structures of their own in a new case."""

from dataclasses import replace

from planner.anatomy.fused import taken_apart
from planner.anatomy.model import Unavailable
from planner.case import LEVELS, Case, Kind, Structure
from planner.errors import RequestError


def split_case(case: Case, name: str, levels: tuple[str, ...]) -> tuple[Case, str]:
    """Return a case whose fused vertebrae are apart, and a sentence on how they were told apart.

    The sentence goes into the case's provenance; the digest is that of the case as it was until
    it has been written and read again.

    Args:
        case: As it was given.
        name: Of the structure that holds several vertebrae.
        levels: Theirs, cranial first.

    Raises:
        RequestError: If there is no such vertebra, the levels are no row of two or more, one of
            them is taken, or the vertebrae cannot be told apart safely.
    """
    bone = case.structure(name, field_name="bone")
    _check(case, bone, levels)
    parts = taken_apart(bone, levels)
    if isinstance(parts, Unavailable):
        raise RequestError(f"{name} stays whole: {parts.reason}", field="bone", code="not-split")
    sure = parts[0].derived
    told = f"confidence {sure.confidence:.2f}, {sure.cause}" if sure else ""
    said = f"{', '.join(part.name for part in parts)}: {told}"
    before = [part for s in case.structures for part in (parts if s is bone else (s,))]
    provenance = {**case.provenance, f"split {name}": said}
    return replace(case, structures=tuple(before), provenance=provenance), said


def _check(case: Case, bone: Structure, levels: tuple[str, ...]) -> None:
    """Refuse what is no vertebra, and levels that are no row or carried by other bones."""
    if bone.kind is not Kind.VERTEBRA:
        raise RequestError(
            f"{bone.name} is of kind {bone.kind}; only a vertebra is split",
            field="bone", code="not-a-vertebra",
        )  # fmt: skip
    first = LEVELS.index(levels[0]) if levels and levels[0] in LEVELS else -1
    if len(levels) < 2 or first < 0 or levels != LEVELS[first : first + len(levels)]:
        raise RequestError(
            "must be two or more neighbours, cranial first, such as L2,L3",
            field="levels", code="no-row-of-levels",
        )  # fmt: skip
    others = {s.level for s in case.of_kind(Kind.VERTEBRA) if s is not bone}
    taken = [level for level in levels if level in others]
    if taken:
        raise RequestError(
            f"another bone carries {', '.join(taken)}", field="levels", code="level-taken"
        )
