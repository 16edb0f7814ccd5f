"""Candidates: the safe paths of all classes that a person may want to compare, measured.

They are the best path of every class, and the alternatives of each approach and side. A thicker
needle where a thinner one already runs is none: it would only have less margin.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.alternatives import alternatives
from planner.approach import Gate
from planner.contact import off_head_mm
from planner.needles.model import Needle
from planner.needles.path import Path, path_length_mm
from planner.policy import Policy, meant_to_pass
from planner.question import Question
from planner.reach import ends_in_target, obliquity_rad, reach_mm
from planner.result import Clearance
from planner.robustness import tolerance
from planner.search.classes import ClassSearch
from planner.search.curved import CurvedFamily
from planner.turned import both_sides, turned_paths
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
        second: The path of a curved needle that is turned in the same cannula and sent to the
            other side of the midline; None where that is not offered.
        comfortable: Whether it keeps every preferred distance.
        margin_mm: The smallest margin to any structure, of both paths if there are two.
        tilt_rad: Tilt about the entry up to which every hard limit provably holds; pi where there
            is none.
        length_mm: Skin to tip.
        obliquity_rad: Angle to the bone's way from back to front.
        reach_mm: How much deeper the needle could go.
    """

    gate: Gate
    needle: Needle
    path: Path
    second: Path | None
    comfortable: bool
    margin_mm: float
    tilt_rad: float
    length_mm: float
    obliquity_rad: float
    reach_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredPath:
    """A path with its clearances to every structure.

    Attributes:
        path: Skin to tip, patient LPS.
        clearances: One per structure.
        off_head_mm: From the head of the screw that it slides along, if it does.
    """

    path: Path
    clearances: tuple[Clearance, ...]
    off_head_mm: float = math.inf

    @property
    def margin_mm(self) -> float:
        """The smallest margin to all that it does not touch on purpose; below 0 if it enters it."""
        apart = tuple(c for c in self.clearances if not c.contact_allowed)
        entered = min((c.distance_mm for c in self.clearances if c.contact_allowed), default=0.0)
        kept = min(least_margin(apart)[0], self.off_head_mm)
        return kept if entered >= 0.0 else min(kept, entered)

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the structures whose hard limit it breaks."""
        limited = [(c.structure, c.margin_mm) for c in self.clearances]
        return tuple(name for name, margin in limited if margin is not None and margin < 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredClass:
    """A searched class and its paths that end in the target, measured on the meshes.

    Attributes:
        search: The search.
        best: The best path that it found, safe or not; None if none ends in the target.
        candidates: Safe paths that run where no thinner needle's does.
        one_sided: Whether a cannula that serves both sides of the midline was sought in vain.
    """

    search: ClassSearch
    best: MeasuredPath | None
    candidates: tuple[Candidate, ...]
    one_sided: bool = False

    @property
    def best_margin_mm(self) -> float | None:
        """The largest margin measured, if any."""
        safest = self._safest
        return None if safest is None else safest.margin_mm

    @property
    def best_path(self) -> Path | None:
        """The path of that margin."""
        safest = self._safest
        return None if safest is None else safest.path

    @property
    def _safest(self) -> MeasuredPath | Candidate | None:
        found = () if self.best is None else (self.best,)
        return max((*found, *self.candidates), key=lambda path: path.margin_mm, default=None)

    @property
    def proved_out(self) -> bool:
        """Whether it was proved to have no safe path."""
        result = self.search.result
        return result is None or result.upper_bound_mm < self.search.needle.radius_mm


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
    best = _best(question, search)
    safe: list[Candidate] = []
    if best is not None and best.margin_mm >= 0.0 and not _runs_by(best.path, known):
        safe.append(_candidate(question, search, best))
    if safe and not known:
        safe += _alternatives(question, search, safe)
    found = MeasuredClass(search=search, best=best, candidates=tuple(safe))
    settled = found.proved_out or any(c.second is not None for c in known)
    sides = None if settled else both_sides(question, search)
    if sides is None:
        return found
    pair = _turned(question, search, sides)
    return replace(found, candidates=(*safe, *pair), one_sided=not pair)


def _best(question: Question, search: ClassSearch) -> MeasuredPath | None:
    """Return the best path of a class that ends in the target."""
    if search.family is None or search.result is None:
        return None
    paths = (search.family.path(optimum.line) for optimum in search.result.optima)
    measured = (_measured(question, search, path) for path in paths if path is not None)
    return next((m for m in measured if m is not None), None)


def _alternatives(
    question: Question, search: ClassSearch, known: Sequence[Candidate]
) -> list[Candidate]:
    """Return comfortable paths of a class that run where no other comfortable path does."""
    kept = [c for c in known if c.comfortable]
    before = len(kept)
    for path in alternatives(question, search):
        measured = None if _runs_by(path, kept) else _measured(question, search, path)
        if measured is not None and is_comfortable(measured.clearances, question.policy):
            kept.append(_candidate(question, search, measured))
    return [c for c in kept[before:] if c.margin_mm >= 0.0]


def _runs_by(path: Path, known: Iterable[Candidate]) -> bool:
    return any(same_way(path, c.path) for c in known)


def _measured(question: Question, search: ClassSearch, path: Path) -> MeasuredPath | None:
    """Measure a path that ends in the target; return None for another."""
    if not ends_in_target(question, path[-1].end_mm):
        return None
    through = meant_to_pass(question.prepared.case, question.bone)
    needle, contact = search.needle, search.gate.contact
    measured = clearances(question.prepared, path, needle, question.policy, through, contact)
    off_head = math.inf if contact is None else off_head_mm(contact, needle, path)
    return MeasuredPath(path=path, clearances=measured, off_head_mm=off_head)


def is_comfortable(measured: Iterable[Clearance], policy: Policy) -> bool:
    """Whether every measured structure keeps its preferred distance."""
    return all(
        c.traversed or c.contact_allowed or c.distance_mm >= policy.rule_of(c).preferred_mm
        for c in measured
    )


def _turned(
    question: Question, search: ClassSearch, sides: tuple[CurvedFamily, CurvedFamily]
) -> list[Candidate]:
    """Return a cannula from which a curved needle safely reaches both sides of the midline."""
    measured = [_measured(question, search, path) for path in turned_paths(sides)]
    near, far = measured if len(measured) == 2 else (None, None)
    if near is None or far is None or min(near.margin_mm, far.margin_mm) < 0.0:
        return []
    return [_candidate(question, search, near, far)]


def _candidate(
    question: Question, search: ClassSearch, first: MeasuredPath, second: MeasuredPath | None = None
) -> Candidate:
    """Compare a path by its own worth, and two of one cannula by the worse."""
    both = [first] if second is None else [first, second]
    contact = search.gate.contact
    touched = None if contact is None else contact.screw.structure
    forgiven = [tolerance(question, m.path, search.needle, m.clearances) for m in both]
    return Candidate(
        gate=search.gate, needle=search.needle, path=first.path,
        second=None if second is None else second.path,
        comfortable=all(is_comfortable(m.clearances, question.policy) for m in both)
        and not search.needle.stays_bent(first.path),
        margin_mm=min(m.margin_mm for m in both),
        tilt_rad=min(math.pi if f is None else f.angle_rad for f in forgiven),
        length_mm=max(path_length_mm(m.path) for m in both),
        obliquity_rad=obliquity_rad(question, first.path),
        reach_mm=reach_mm(question, search.needle, first.path, touched),
    )  # fmt: skip
