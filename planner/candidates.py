"""Candidates: the safe paths of all classes that a person may want to compare, measured.

They are the best path of every class, and the alternatives of each approach and side. A thicker
needle where a thinner one already runs is none: it would only have less margin.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.alternatives import alternatives
from planner.approach import Gate
from planner.needles.model import Needle
from planner.needles.path import Path, path_length_mm
from planner.policy import Policy, meant_to_pass
from planner.question import Question
from planner.reach import ends_in_target, obliquity_rad, reach_mm
from planner.result import Clearance
from planner.robustness import tolerance
from planner.search.classes import ClassSearch
from planner.verify import clearances, least_margin

SAME_TIP_MM = 4.0
SAME_ENTRY_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A safe path of a class, measured as far as comparing it with others needs.

    Attributes:
        gate: The gate it passes.
        needle: Its needle.
        path: Skin to tip, patient LPS.
        comfortable: Whether it keeps every preferred distance.
        margin_mm: The smallest margin to any structure.
        tilt_rad: Tilt about the entry up to which every hard limit provably holds.
        length_mm: Skin to tip.
        obliquity_rad: Angle to the bone's way from back to front.
        reach_mm: How much deeper the needle could go.
    """

    gate: Gate
    needle: Needle
    path: Path
    comfortable: bool
    margin_mm: float
    tilt_rad: float
    length_mm: float
    obliquity_rad: float
    reach_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredClass:
    """A searched class and its paths that end in the target, measured on the meshes.

    Attributes:
        search: The search.
        best_margin_mm: The largest margin among them; None if no path ends in the target.
        candidates: The safe ones that run where no thinner needle's does.
    """

    search: ClassSearch
    best_margin_mm: float | None
    candidates: tuple[Candidate, ...]


def same_way(a: Path, b: Path) -> bool:
    """Whether two paths of one approach and side are one way to a person: near tips and entries."""
    tips = float(np.linalg.norm(a[-1].end_mm - b[-1].end_mm))
    entries = float(np.linalg.norm(a[0].start_mm - b[0].start_mm))
    return tips < SAME_TIP_MM and entries < SAME_ENTRY_MM


def measured_classes(
    question: Question, searched: Sequence[ClassSearch]
) -> tuple[MeasuredClass, ...]:
    """Measure what the searches found, and what else each approach on each side has to offer."""
    order = sorted(
        range(len(searched)),
        key=lambda i: (searched[i].needle.radius_mm, -searched[i].needle.usable_length_mm, i),
    )
    thinner: dict[tuple[str, str], list[Candidate]] = {}
    found: dict[int, MeasuredClass] = {}
    for i in order:
        known = thinner.setdefault((searched[i].gate.approach, searched[i].gate.side), [])
        found[i] = _measured_class(question, searched[i], known)
        known += found[i].candidates
    return tuple(found[i] for i in range(len(searched)))


def _measured_class(
    question: Question, search: ClassSearch, known: Sequence[Candidate]
) -> MeasuredClass:
    """Measure the best path of a class, and its alternatives if no thinner needle has any."""
    path, measured = _best(question, search)
    if path is None or measured is None:
        return MeasuredClass(search=search, best_margin_mm=None, candidates=())
    margin, _ = least_margin(measured)
    safe: list[Candidate] = []
    if margin >= 0.0 and not _runs_by(path, known):
        safe.append(_candidate(question, search, path, measured))
    if safe and not known:
        safe += _alternatives(question, search, safe)
    best = max(margin, *(c.margin_mm for c in safe)) if safe else margin
    return MeasuredClass(search=search, best_margin_mm=best, candidates=tuple(safe))


def _best(
    question: Question, search: ClassSearch
) -> tuple[Path, tuple[Clearance, ...]] | tuple[None, None]:
    """Return the best path of a class that ends in the target, with its clearances."""
    if search.family is not None and search.result is not None:
        for optimum in search.result.optima:
            path = search.family.path(optimum.line)
            measured = None if path is None else _measured(question, search.needle, path)
            if path is not None and measured is not None:
                return path, measured
    return None, None


def _alternatives(
    question: Question, search: ClassSearch, known: Sequence[Candidate]
) -> list[Candidate]:
    """Return comfortable paths of a class that run where no other comfortable path does."""
    kept = [c for c in known if c.comfortable]
    before = len(kept)
    for path in alternatives(question, search):
        measured = None if _runs_by(path, kept) else _measured(question, search.needle, path)
        if measured is not None and is_comfortable(measured, question.policy):
            kept.append(_candidate(question, search, path, measured))
    return [c for c in kept[before:] if c.margin_mm >= 0.0]


def _runs_by(path: Path, known: Iterable[Candidate]) -> bool:
    return any(same_way(path, c.path) for c in known)


def _measured(question: Question, needle: Needle, path: Path) -> tuple[Clearance, ...] | None:
    """Measure a path that ends in the target; return None for another."""
    if not ends_in_target(question, path[-1].end_mm):
        return None
    through = meant_to_pass(question.prepared.case, question.bone)
    return clearances(question.prepared, path, needle.radius_mm, question.policy, through)


def is_comfortable(measured: Iterable[Clearance], policy: Policy) -> bool:
    """Whether every measured structure keeps its preferred distance."""
    return all(c.traversed or c.distance_mm >= policy.rule(c.kind).preferred_mm for c in measured)


def _candidate(
    question: Question, search: ClassSearch, path: Path, measured: tuple[Clearance, ...]
) -> Candidate:
    margin, _ = least_margin(measured)
    forgiven = tolerance(question, path, search.needle.radius_mm, measured)
    return Candidate(
        gate=search.gate, needle=search.needle, path=path,
        comfortable=is_comfortable(measured, question.policy), margin_mm=margin,
        tilt_rad=0.0 if forgiven is None else forgiven.angle_rad,
        length_mm=path_length_mm(path), obliquity_rad=obliquity_rad(question, path),
        reach_mm=reach_mm(question, search.needle, path),
    )  # fmt: skip
