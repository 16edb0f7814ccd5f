"""Witnesses: safe paths of classes with something changed, found by climbing and measured.

A lowered limit or a missing structure is a matter of offsets in the scene's tree, so nothing is
built anew. Climbing proves nothing: where no witness is found there may still be one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from planner.alternatives import lattice
from planner.approach import Gate
from planner.candidates import MeasuredClass
from planner.case import Kind
from planner.needles.model import Needle
from planner.needles.path import Path, path_length_mm
from planner.policy import Policy, meant_to_pass
from planner.question import Question
from planner.reach import ends_in_target
from planner.request import BesideScrew, CageInterface, ScrewHalo, ScrewTip, TargetSpec
from planner.result import Clearance
from planner.scene_variant import REMOVED_MM, scene_with
from planner.search.family import LineFamily, Numbers, line_family
from planner.search.polish import polish
from planner.search.scene import Scene
from planner.target import TargetRegion
from planner.verify import clearances, least_margin

HOPELESS_MM = -1.5  # a line with less slack is not climbed from [A]
LENGTH_ROUNDING_MM = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """What the classes of one plan share.

    Attributes:
        question: What was asked.
        region: Where the tip must end.
        scene: Obstacles and skin.
        classes: Every class that was searched, measured.
        needed: Structures that the target or a gate is told by.
    """

    question: Question
    region: TargetRegion
    scene: Scene
    classes: tuple[MeasuredClass, ...]
    needed: frozenset[str]
    _climbed: dict[object, Numbers | None] = field(default_factory=dict)

    def kind(self, name: str) -> Kind:
        """Return the kind of a structure."""
        return self.question.prepared.case.structure(name).kind

    def of_way(self, gate: Gate) -> list[MeasuredClass]:
        """Return the classes of an approach on a side."""
        way = (gate.approach, gate.side)
        return [c for c in self.classes if (c.search.gate.approach, c.search.gate.side) == way]

    def starts(self, gate: Gate) -> list[Numbers]:
        """Return the best straight lines found for an approach on a side, by any needle."""
        found = [c.search.straight for c in self.of_way(gate)]
        return [one[1].optima[0].line for one in found if one is not None and one[1].optima]

    def climbed(self, key: object, climb: Callable[[], Numbers | None]) -> Numbers | None:
        """Return where a climb leads; what has been climbed once is remembered by its key."""
        if key not in self._climbed:
            self._climbed[key] = climb()
        return self._climbed[key]


def needed_by(question: Question, target: TargetSpec) -> frozenset[str]:
    """Name the metal that a target or a gate is told by, which nobody can take away from it."""
    needed: set[str] = set()
    match target:
        case (
            ScrewHalo(screw=name)
            | ScrewTip(screw=name)
            | BesideScrew(screw=name)
            | CageInterface(cage=name)
        ):
            needed.add(name)
    if question.bone.kind in {Kind.SACRUM, Kind.ILIUM}:
        # Gates there may be planes across the screws of S1.
        needed |= {s.name for s in question.prepared.case.of_kind(Kind.SCREW) if s.level == "S1"}
    return frozenset(needed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """A class, perhaps with something changed.

    Attributes:
        gate: Its gate.
        needle: Its needle.
        policy: The rules.
        without: Name of the structure taken away, if one is.
    """

    gate: Gate
    needle: Needle
    policy: Policy
    without: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Witness:
    """A path that is safe in a trial, measured there."""

    trial: Trial
    path: Path
    clearances: tuple[Clearance, ...]
    margin_mm: float


def witness(site: Site, trial: Trial) -> Witness | None:
    """Return a safe path of a trial, as good as climbing finds it, or None if none was found."""
    if trial.gate.window.is_empty:
        return None
    offsets = _offsets(site, trial)
    family = line_family(
        trial.gate, scene_with(site.scene, offsets), site.region, trial.needle.usable_length_mm
    )
    key = (
        trial.gate.approach, trial.gate.side, trial.gate.window.wkb,
        trial.needle.usable_length_mm, *sorted(offsets.items()),
    )  # fmt: skip
    line = site.climbed(key, lambda: _climb(site, trial, family))
    path = None if line is None else family.path(line)
    return None if path is None else verified(site, trial, path)


def _climb(site: Site, trial: Trial, family: LineFamily) -> Numbers | None:
    """Climb from the most promising line that is known; None if none promises anything.

    A lattice is asked as well where what is known says little: where a structure has gone, and
    where nothing is known that fits.
    """
    starts = site.starts(trial.gate)
    slack = [family.slack(x) for x in starts]
    if trial.without is not None or max(slack, default=HOPELESS_MM) <= HOPELESS_MM:
        starts += list(lattice(family))
        slack += [family.slack(x) for x in starts[len(slack) :]]
    best = int(np.argmax(slack))
    return None if slack[best] <= HOPELESS_MM else polish(family, starts[best]).line


def verified(site: Site, trial: Trial, path: Path) -> Witness | None:
    """Measure a path on the meshes; None if it is not safe in a trial, or not right."""
    fits = path_length_mm(path) <= trial.needle.usable_length_mm + LENGTH_ROUNDING_MM
    if not fits or not ends_in_target(site.question, path[-1].end_mm):
        return None
    through = meant_to_pass(site.question.prepared.case, site.question.bone)
    measured = tuple(
        c
        for c in clearances(site.question.prepared, path, trial.needle, trial.policy, through)
        if c.structure != trial.without
    )
    margin, _ = least_margin(measured)
    if margin < 0.0:
        return None
    return Witness(trial=trial, path=path, clearances=measured, margin_mm=margin)


def _offsets(site: Site, trial: Trial) -> dict[str, float]:
    """Return the required distances that a trial changes, by structure."""
    changed = {}
    for name in site.scene.names:
        one = site.question.prepared.case.structure(name)
        required = trial.policy.rule_of(one).hard_mm
        if name == trial.without:
            changed[name] = REMOVED_MM
        elif required is not None and required != site.question.policy.rule_of(one).hard_mm:
            changed[name] = required
    return changed
