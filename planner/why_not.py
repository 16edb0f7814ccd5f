"""Why not: what blocks a class that has no safe path, and what would open it.

Every opening comes with a witness: a path that is safe once one thing is changed, measured on the
meshes with the change. Where no witness was found nothing is said; that there is none is not
claimed.

Only metal and cement are ever taken away, never anatomy, and never what the target is told by. A
limit is lowered for one kind of structure at a time.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType

from planner.anatomy.model import Unavailable
from planner.approach import Gate, hardware_section, pedicle_gates
from planner.candidates import MeasuredClass
from planner.case import HARDWARE, Kind
from planner.hazard_margins import more_mm
from planner.needles.catalogue import CATALOGUE
from planner.needles.model import Needle
from planner.needles.path import Path, path_length_mm
from planner.policy import Policy, widening_mm
from planner.request import Approach
from planner.result import Certificate, Change, Opening
from planner.witness import Site, Trial, Witness, verified, witness

REMOVABLE = HARDWARE | {Kind.CEMENT}
LIMIT_STEP_MM = 0.01
ROUNDS = 3  # of lowering a limit and climbing again


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """An opening, and the structures that it shows to be in the way."""

    opening: Opening
    in_the_way: tuple[str, ...] = ()


def explained(site: Site, blocked: MeasuredClass, certificate: Certificate) -> Certificate:
    """Return the certificate of an infeasible class with what blocks it and what would open it.

    Of a curved needle's class a straight path that the change makes safe is a witness too: nothing
    need be deployed. Along a screw only the ways that were searched are named.
    """
    trial = Trial(
        gate=blocked.search.gate, needle=blocked.search.needle, policy=site.question.policy
    )
    found = [*_elsewhere(site, trial)]
    if trial.gate.contact is None:
        suspects = _suspects(site, blocked, certificate)
        found += [
            *_thinner(site, trial), *_longer(site, trial),
            *_lower(site, trial, blocked, suspects), *_without(site, trial, suspects),
        ]  # fmt: skip
    openings = tuple(sorted((f.opening for f in found), key=lambda o: list(Change).index(o.change)))
    in_the_way = [name for f in found for name in f.in_the_way]
    return replace(
        certificate,
        blocked_by=tuple(
            dict.fromkeys([
                *certificate.limiting_structures, *_in_window(site, trial.gate), *in_the_way
            ])
        ),
        openings=openings,
        statement=f"{certificate.statement} {told(openings)}",
    )  # fmt: skip


def told(openings: Sequence[Opening]) -> str:
    """Say in one sentence what would open a class, and to what margin."""
    if not openings:
        return "No single change that was tried would make it safe."
    *first, last = (f"{phrase(o)} (margin {o.margin_mm:.2f} mm)" for o in openings)
    ways = f"{', '.join(first)} or {last}" if first else last
    return f"It would be safe {ways}."


def phrase(o: Opening) -> str:
    """Say what a change is, to follow "it would be safe"."""
    match o.change:
        case Change.THINNER_NEEDLE | Change.LONGER_NEEDLE:
            return f"with {o.subject}"
        case Change.OTHER_SIDE:
            return f"on the {o.subject}"
        case Change.OTHER_APPROACH:
            return f"by the {o.subject} approach"
        case Change.LOWER_LIMIT:
            return f"with a hard limit of {o.hard_mm:.2f} mm for {o.subject}"
        case Change.REMOVE_STRUCTURE:
            return f"without {o.subject}"


def _suspects(site: Site, blocked: MeasuredClass, certificate: Certificate) -> tuple[str, ...]:
    """Name what may be in the way: what the search ran into, and what the best path breaks."""
    broken = () if blocked.best is None else blocked.best.broken
    filling = _in_window(site, blocked.search.gate)
    return tuple(dict.fromkeys([*broken, *certificate.limiting_structures, *filling]))


def _in_window(site: Site, gate: Gate) -> list[str]:
    """Name the metal that fills a window of which nothing is left."""
    if not gate.window.is_empty:
        return []
    metal = site.question.prepared.case.of_kind(*HARDWARE)
    return [
        s.name
        for s in metal
        if hardware_section([s], gate.origin_mm, gate.axes).intersects(gate.uncut)
    ]


def _gate(site: Site, gate: Gate, needle: Needle, without: str | None = None) -> Gate:
    """Return the gate of the same way for another needle, or with a structure taken away.

    A gate around a screw stays as it is.
    """
    question = site.question
    pedicle, anatomy = question.pedicle(gate.side), question.prepared.bone(question.bone)
    if isinstance(pedicle, Unavailable) or isinstance(anatomy, Unavailable):
        return gate
    metal = [s for s in question.prepared.case.of_kind(*HARDWARE) if s.name != without]
    return pedicle_gates(anatomy, pedicle, metal, needle.radius_mm)[gate.approach]


def _thinner(site: Site, trial: Trial) -> Iterator[_Found]:
    """Find the thickest straight needle of the catalogue, no shorter, that has a safe path.

    For a curved needle that is one thinner than its cannula.
    """
    own = trial.needle
    thinner = [
        n
        for n in CATALOGUE.values()
        if n.curved is None
        and n.outer_diameter_mm < own.outer_diameter_mm
        and n.length_mm >= own.length_mm
        and not _proved_out(site, trial.gate, n)
    ]
    thinner.sort(key=lambda n: (-n.outer_diameter_mm, n.length_mm))
    for _, alike in groupby(thinner, key=lambda n: n.outer_diameter_mm):
        needle = next(alike)
        gate = _gate(site, trial.gate, needle)
        found = witness(site, replace(trial, gate=gate, needle=needle))
        if found is not None:
            yield _Found(opening=_opening(found, Change.THINNER_NEEDLE, needle.name))
            return


def _longer(site: Site, trial: Trial) -> Iterator[_Found]:
    """Find the shortest needle of the same width, but longer, that has a safe path."""
    own = trial.needle
    longer = [
        n
        for n in CATALOGUE.values()
        if n.curved is None
        and n.outer_diameter_mm == own.outer_diameter_mm
        and n.length_mm > own.length_mm
        and not _proved_out(site, trial.gate, n)
    ]
    longer.sort(key=lambda n: n.length_mm)
    found = witness(site, replace(trial, needle=longer[-1])) if longer else None
    if found is None:
        return
    shortest = next(n for n in longer if n.usable_length_mm >= path_length_mm(found.path))
    fitting = replace(found, trial=replace(found.trial, needle=shortest))
    yield _Found(opening=_opening(fitting, Change.LONGER_NEEDLE, shortest.name))


def _proved_out(site: Site, gate: Gate, needle: Needle) -> bool:
    """Whether a needle no thicker and no shorter was proved to have no safe path of this way.

    Beside the pedicle that counts for needles of one width only: a thicker one has more room
    there, since it runs beside the pedicle as soon as it breaches the wall.
    """
    alike = gate.approach is Approach.PARAPEDICULAR
    return any(
        c.proved_out
        and c.search.needle.radius_mm <= needle.radius_mm
        and c.search.needle.usable_length_mm >= needle.usable_length_mm
        and not (alike and c.search.needle.radius_mm < needle.radius_mm)
        for c in site.of_way(gate)
    )


def _elsewhere(site: Site, trial: Trial) -> Iterator[_Found]:
    """Name the other side and the other approaches that have a safe path for the same needle."""
    own = trial.gate
    for other in site.classes:
        gate, best = other.search.gate, other.best
        if other.search.needle != trial.needle or best is None or best.margin_mm < 0.0:
            continue
        if gate.contact is not None:
            continue  # it may touch what a trial may not
        found = Witness(
            trial=replace(trial, gate=gate), path=best.path, clearances=best.clearances,
            margin_mm=best.margin_mm,
        )  # fmt: skip
        if gate.approach is own.approach:
            yield _Found(opening=_opening(found, Change.OTHER_SIDE, gate.side))
        elif gate.side is own.side:
            yield _Found(opening=_opening(found, Change.OTHER_APPROACH, gate.approach))


def _lower(
    site: Site, trial: Trial, blocked: MeasuredClass, suspects: Sequence[str]
) -> Iterator[_Found]:
    """Find the largest hard limit of each kind in the way at which there is a safe path.

    Where the best path breaks limits, only those are in its way. Limits are those that a request
    would state: what is derived is kept further away from on top of them.
    """
    broken = [] if blocked.best is None else blocked.best.broken
    for kind in dict.fromkeys(map(site.kind, broken or suspects)):
        hard = trial.policy.rule(kind).hard_mm
        found = _lowered(site, trial, blocked, kind) if hard else None
        if hard and found is not None and _limit(site, found, kind) < hard - _more(site, kind):
            near = tuple(
                c.structure
                for c in found.clearances
                if c.kind is kind and not c.traversed and c.distance_mm - widening_mm(c) < hard
            )
            opening = _opening(found, Change.LOWER_LIMIT, kind, _limit(site, found, kind))
            yield _Found(opening=opening, in_the_way=near)


def _lowered(site: Site, trial: Trial, blocked: MeasuredClass, kind: Kind) -> Witness | None:
    """Return a safe path at the largest limit that was found for a kind.

    A path says how far the limit must come down; climbing at that limit finds a path that keeps
    more, if any near it does.
    """
    known = None if blocked.best is None else blocked.best.path
    straight = known if known is not None and len(known) == 1 else None
    best = None if straight is None else _keeping(site, trial, straight, kind)
    for _ in range(ROUNDS):
        limit = 0.0 if best is None else _limit(site, best, kind)
        found = witness(site, _limited(site, trial, kind, limit))
        better = None if found is None else _keeping(site, trial, found.path, kind)
        if better is None or (best is not None and _limit(site, better, kind) <= limit):
            break
        best = better
    return best


def _keeping(site: Site, trial: Trial, path: Path, kind: Kind) -> Witness | None:
    """Lower the limit of a kind to what a path keeps, and no further; None if that does not do."""
    open_to = verified(site, _limited(site, trial, kind, 0.0), path)
    if open_to is None:
        return None
    kept = (c for c in open_to.clearances if c.kind is kind and not c.traversed)
    room = min(c.distance_mm - widening_mm(c) for c in kept) - _more(site, kind)
    limit = round(math.floor(room / LIMIT_STEP_MM) * LIMIT_STEP_MM, 2)
    return verified(site, _limited(site, trial, kind, limit), path)


def _limited(site: Site, trial: Trial, kind: Kind, stated_mm: float) -> Trial:
    """Return a trial with another stated limit for one kind."""
    rule = replace(trial.policy.rule(kind), hard_mm=stated_mm + _more(site, kind))
    rules = {**trial.policy.rules, kind: rule}
    return replace(trial, policy=Policy(rules=MappingProxyType(rules)))


def _limit(site: Site, found: Witness, kind: Kind) -> float:
    return (found.trial.policy.rule(kind).hard_mm or 0.0) - _more(site, kind)


def _more(site: Site, kind: Kind) -> float:
    return more_mm(site.question.prepared.given, site.question.bone.level, kind)


def _without(site: Site, trial: Trial, suspects: Sequence[str]) -> Iterator[_Found]:
    """Find the structures of metal or cement without which there is a safe path."""
    for name in suspects:
        if site.kind(name) not in REMOVABLE or name in site.needed:
            continue
        gate = _gate(site, trial.gate, trial.needle, without=name)
        found = witness(site, replace(trial, gate=gate, without=name))
        if found is not None:
            opening = _opening(found, Change.REMOVE_STRUCTURE, name)
            yield _Found(opening=opening, in_the_way=(name,))


def _opening(found: Witness, change: Change, subject: str, hard_mm: float | None = None) -> Opening:
    return Opening(
        change=change, subject=str(subject), hard_mm=hard_mm, margin_mm=found.margin_mm,
        approach=found.trial.gate.approach, side=found.trial.gate.side,
        needle=found.trial.needle.name, entry_skin_mm=found.path[0].start_mm,
        tip_mm=found.path[-1].end_mm,
    )  # fmt: skip
