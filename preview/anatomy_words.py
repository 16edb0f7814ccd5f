"""Sentences on what was read of a bone: how far it is to be trusted, or why it was not read."""

from collections.abc import Iterator

from planner.anatomy.corridor import Corridor, Place
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.ilium import IliumAnatomy
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.question import LEAST_TRUST


def bone_words(anatomy: CaseAnatomy, name: str) -> tuple[str, ...]:
    """Return what was read of a vertebra or sacrum and how far it is to be trusted.

    Args:
        anatomy: What was read of the case.
        name: The bone's structure.
    """
    found = anatomy.vertebrae[name]
    if isinstance(found, Unavailable):
        return (f"Not read: {found.reason}.",)
    return tuple(_vertebra_words(anatomy, found))


def _vertebra_words(anatomy: CaseAnatomy, found: VertebraAnatomy) -> Iterator[str]:
    body = found.body
    yield f"Frame and body, confidence {found.confidence:.2f}: {found.cause}."
    yield (
        f"Body {body.width_mm:.0f} x {body.depth_mm:.0f} mm, height {body.posterior_height_mm:.0f} "
        f"behind and {body.anterior_height_mm:.0f} in front."
    )
    lost = anatomy.heights.get(found.structure)
    if lost is not None and found.confidence >= LEAST_TRUST:
        yield (
            f"Height lost: {lost.posterior:.0%} behind, {lost.anterior:.0%} in front, against "
            f"{lost.source}."
        )
    for side, pedicle in found.pedicles.items():
        yield f"{side.capitalize()} {pedicle_words(pedicle)}"
        if isinstance(pedicle, Pedicle) and pedicle.confidence >= LEAST_TRUST:
            yield f"{side.capitalize()}, {_free_words(anatomy.corridors[found.structure, side])}"
    yield from (f"{warning[:1].upper()}{warning[1:]}." for warning in found.warnings)


def pedicle_words(pedicle: Pedicle | Unavailable) -> str:
    """Return what was read of a pedicle, or why nothing was."""
    if isinstance(pedicle, Unavailable):
        return f"pedicle not read: {pedicle.reason}."
    trust = "" if pedicle.confidence >= LEAST_TRUST else ", too little to plan on"
    return f"pedicle, confidence {pedicle.confidence:.2f}{trust}: {pedicle.cause}."


def ilium_words(found: IliumAnatomy | Unavailable) -> str:
    """Return what was read of an ilium, or why nothing was."""
    if isinstance(found, Unavailable):
        return f"Not read: {found.reason}."
    return f"Corridor of a screw (green), confidence {found.confidence:.2f}: {found.cause}."


def _free_words(corridors: tuple[Corridor, ...]) -> str:
    """Say what fits through an isthmus, beside the metal in it if there is any."""
    if not corridors:
        return "nothing free beside metal."
    ways = [f"{_diameter(corridor)} {corridor.place}" for corridor in corridors]
    if corridors[0].place is Place.WHOLE:
        return f"no metal in it; free: {_diameter(corridors[0])}."
    return f"free beside metal: {', '.join(ways)}."


def _diameter(corridor: Corridor) -> str:
    fits = f"{corridor.gauges[0]}G" if corridor.gauges else "no needle"
    return f"{2.0 * corridor.radius_mm:.1f} mm ({fits})"
