"""What a case lacks and its bones tell: the canal, the exiting roots, the pleura.

A structure is derived only where the case has none: a canal level by level, a root foramen by
foramen, a pleura side by side. It becomes part of the case that is planned on, marked with its
confidence and cause, and the policy widens its margin. What cannot be derived is named with its
reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np

from geometry.mesh import TriangleMesh
from planner.anatomy.canal import DerivedCanal, canal_level, derived_canals
from planner.anatomy.foramina import Foramen, foramen, sacral_foramen
from planner.anatomy.given import Given, root_place
from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.case import LEVELS, Case, Derivation, Kind, Side, Structure

NEIGHBOURS_MM = 60.0  # between the middles of bones whose levels are not known
LUNG = "lung"  # an organ so named lies within its pleura
LUNG_CONFIDENCE = 0.9  # the pleura drapes the lung; recesses reach further


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that the case lacks and that could not be derived either.

    Attributes:
        kind: What it would have been.
        levels: Levels beside which it is missing.
        side: The patient's side, where it has one.
        reason: Why it could not be derived.
    """

    kind: Kind
    levels: tuple[str, ...]
    side: Side | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedAnatomy:
    """What was derived for a case, and what could not be.

    Attributes:
        structures: Marked with ``derived``, patient LPS.
        foramina: Those between neighbouring vertebrae, whether their roots were needed or not.
        missing: What is neither in the case nor here.
    """

    structures: tuple[Structure, ...]
    foramina: tuple[Foramen, ...]
    missing: tuple[Missing, ...]

    def added_to(self, case: Case) -> Case:
        """Return the case with these structures; its digest stays that of what was given.

        They are as far off as the bones and lungs that they were derived from may be.
        """
        error = max((s.segmentation_error_mm for s in case.structures), default=0.0)
        ours = (replace(s, segmentation_error_mm=error) for s in self.structures)
        return replace(case, structures=(*case.structures, *ours))


def derived_anatomy(
    case: Case, bones: Mapping[str, VertebraAnatomy | Unavailable]
) -> DerivedAnatomy:
    """Derive what a case lacks.

    Args:
        case: As it was given.
        bones: What was read of its vertebrae and sacrum, by structure name.
    """
    readable = [bone for bone in bones.values() if isinstance(bone, VertebraAnatomy)]
    order = sorted(readable, key=lambda bone: -float(bone.frame.inverse().translation_mm[2]))
    given = Given(case)
    foramina = list(_foramina(order, given))
    found: list[Structure | Missing] = [
        *_canals(order, given), *_roots(foramina, given), *_pleurae(case, given),
    ]  # fmt: skip
    taken = {structure.name for structure in case.structures}
    return DerivedAnatomy(
        structures=tuple(_named_apart(s, taken) for s in found if isinstance(s, Structure)),
        foramina=tuple(one for one in foramina if isinstance(one, Foramen)),
        missing=tuple(one for one in found if isinstance(one, Missing)),
    )


def _named_apart(structure: Structure, taken: set[str]) -> Structure:
    """Return a derived structure under a name that the case does not use."""
    name = structure.name
    while name in taken:
        name = f"{name}_"
    return replace(structure, name=name)


def _canals(order: list[VertebraAnatomy], given: Given) -> Iterator[Structure | Missing]:
    canals: list[DerivedCanal] = []
    for is_given, bones in groupby(order, key=given.canal_at):
        if is_given:
            continue
        levels = []
        for bone in bones:
            level = canal_level(bone)
            if isinstance(level, Unavailable):
                yield Missing(kind=Kind.CANAL, levels=(bone.level,), side=None, reason=level.reason)
            else:
                levels.append(level)
        canals += derived_canals(levels)
    if order and order[-1].level == "S1" and not given.canal_below(order[-1]):
        yield Missing(
            kind=Kind.CANAL, levels=("S2",), side=None,
            reason="only the first sacral segment is read",
        )  # fmt: skip
    for k, canal in enumerate(canals, start=1):
        yield _structure(
            "derived_canal" if len(canals) == 1 else f"derived_canal_{k}", Kind.CANAL, canal.mesh,
            Derivation(confidence=canal.confidence, cause=canal.cause),
        )  # fmt: skip


def _roots(foramina: Iterable[Foramen | Missing], given: Given) -> Iterator[Structure | Missing]:
    """Yield the roots of foramina through which none is given, and what could not be told."""
    for one in foramina:
        if isinstance(one, Missing):
            yield one
        elif not given.root_near(one.centre_mm, 0.5 * one.height_mm):
            yield _root(one)


def _foramina(order: list[VertebraAnatomy], given: Given) -> Iterator[Foramen | Missing]:
    """Yield the foramina of both sides from cranial to caudal, or why there is none.

    One that cannot be read is not missing where a root is given.
    """
    if order:
        yield from _beyond(order[0], "above", given)
    for upper, lower in pairwise(order):
        if not _are_neighbours(upper, lower):
            yield from _beyond(upper, "below", given)
            yield from _beyond(lower, "above", given)
            continue
        for side in Side:
            one = foramen(upper, lower, side)
            if isinstance(one, Foramen):
                yield one
            elif not given.root_near(root_place(upper, side, -1.0)):
                yield _missing_root((upper.level, lower.level), side, one.reason)
    if order and order[-1].level != "S1":
        yield from _beyond(order[-1], "below", given)
    elif order:
        yield from _sacral(order[-1], given)


def _sacral(s1: VertebraAnatomy, given: Given) -> Iterator[Foramen | Missing]:
    """Yield the first sacral foramina; those further down are not derived."""
    for side in Side:
        one = sacral_foramen(s1, side)
        if isinstance(one, Foramen):
            yield one
        elif not given.root_near(root_place(s1, side, -1.0)):
            yield _missing_root(("S1",), side, one.reason)
        yield _missing_root(("S2",), side, "only the first sacral segment is read")


def _beyond(bone: VertebraAnatomy, where: str, given: Given) -> Iterator[Missing]:
    for side in Side:
        if not given.root_near(root_place(bone, side, 1.0 if where == "above" else -1.0)):
            yield _missing_root((bone.level,), side, f"no vertebra {where} {bone.level} was read")


def _missing_root(levels: tuple[str, ...], side: Side, reason: str) -> Missing:
    return Missing(kind=Kind.NERVE_ROOT, levels=levels, side=side, reason=reason)


def _are_neighbours(upper: VertebraAnatomy, lower: VertebraAnatomy) -> bool:
    if upper.level in LEVELS and lower.level in LEVELS:
        steps = LEVELS.index(lower.level) - LEVELS.index(upper.level)
        return steps == 1 or (upper.level, lower.level) == ("L5", "S1")
    middles = [bone.frame.inverse().translation_mm for bone in (upper, lower)]
    return float(np.linalg.norm(middles[0] - middles[1])) < NEIGHBOURS_MM


def _root(one: Foramen) -> Structure:
    root = _structure(
        f"derived_root_{one.level}_{one.side}", Kind.NERVE_ROOT, one.root,
        Derivation(confidence=one.confidence, cause=one.cause),
    )  # fmt: skip
    return replace(root, level=one.level if one.level in LEVELS else None, side=one.side)


def _pleurae(case: Case, given: Given) -> Iterable[Structure]:
    for lung in case.of_kind(Kind.ORGAN):
        if LUNG in lung.name.lower() and not given.pleura_of(lung):
            cause = Derivation(confidence=LUNG_CONFIDENCE, cause=f"the surface of {lung.name}")
            pleura = _structure(f"derived_pleura_{lung.name}", Kind.PLEURA, lung.mesh, cause)
            yield replace(pleura, side=lung.side)


def _structure(name: str, kind: Kind, mesh: TriangleMesh, derived: Derivation) -> Structure:
    return Structure(name=name, kind=kind, mesh=mesh, source="derived", derived=derived)
