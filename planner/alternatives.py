"""Alternatives: what a class has to offer beside its safest path.

There are two sorts. Another summit: the safest path of a neighbourhood elsewhere. And trades: the
safest path under one more demand, which is to be no longer than so much, no more
oblique than so much, or right on to the middle of the target. The demands are read off a lattice
of the class's lines: they ask for most of what can be had, and where little can be had, for
nothing. "Safest" counts from the preferred distances here, none of which is given up.

All of it starts from the lattice, which turns and mirrors with the bone. What else a search came
across on its way to the best path is left alone, since that depends on how it went.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import maximum_filter

from geometry.arrays import Vector
from planner.anatomy.model import Unavailable
from planner.needles.path import Path
from planner.question import Question
from planner.scene_variant import scene_with
from planner.search.classes import ClassSearch
from planner.search.family import LineFamily, Numbers
from planner.search.polish import polish
from planner.search.scene import Scene

LATTICE = (5, 5, 6, 6)
LEFT_TO_MARGIN = 0.2  # share of what can be had that is not asked for [A]
SHORTER_MM = 10.0  # a smaller gain is not worth a path of its own [A]
STRAIGHTER = math.tan(math.radians(5.0))  # the same for slopes [A]
BEFORE_MIDDLE_MM = 0.5  # so that the middle lies well inside what is asked for

Lines = Float[np.ndarray, "_ 4"]
PerLine = Float[np.ndarray, " _"]
Vectors = Float[np.ndarray, "_ 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Room:
    """Comfortable lines of a class.

    Attributes:
        family: The class among the preferred distances.
        radius_mm: Radius of its needle.
        depth_mm: Depth of the target's middle behind the gate.
        lines: Comfortable lines of the lattice, the roomiest first.
        summits: Those that are roomier than all around them, the roomiest first.
        known: Its safest path, or the most comfortable one if that is not comfortable.
    """

    family: LineFamily
    radius_mm: float
    depth_mm: float
    lines: Lines
    summits: Lines
    known: Numbers

    def narrower(self, **demand: Any) -> LineFamily:  # noqa: ANN401 - fields of the compiled form
        """Return the family with other limits."""
        return replace(self.family, arrays=self.family.arrays._replace(**demand))

    def runs(self, lines: Lines) -> Vectors:
        """Return entry to tip of each line, gate coordinates."""
        axes = self.family.scene.from_patient.vectors(self.family.gate.axes)
        ends = [self.family.ends(x) for x in lines]
        return np.array([e[1] - e[0] for e in ends if e is not None]).reshape(-1, 3) @ axes.T


def alternatives(question: Question, search: ClassSearch) -> Iterator[Path]:
    """Yield the alternatives of a class, to be measured before anything is said of them.

    Where the safest path is not comfortable and another is, the first is the most comfortable.
    """
    room = _room(question, search)
    if room is None:
        return
    trades = (_shorter(room), _straighter(room, question.axes[1]), _deeper(room))
    others = (x for x in (_other_summit(room), *trades) if x is not None)
    yield from filter(None, map(room.family.path, (room.known, *others)))


def _room(question: Question, search: ClassSearch) -> _Room | None:
    """Return what is comfortable in a class of straight paths, if anything on the lattice is."""
    if search.straight is None or isinstance(question.region, Unavailable):
        return None
    lines_of, result = search.straight
    radius = search.needle.radius_mm
    family = replace(lines_of, scene=_preferred(question, lines_of.scene))
    lines = lattice(family)
    slack = np.array([family.slack(x) for x in lines])
    high = maximum_filter(slack.reshape(LATTICE), size=3, mode="nearest").ravel()
    order = np.argsort(-slack, kind="stable")
    roomy = order[slack[order] >= radius]
    if len(roomy) == 0:
        return None
    best = result.optima[0].line
    known = best if family.slack(best) >= radius else polish(family, lines[roomy[0]]).line
    return _Room(
        family=family, radius_mm=radius, lines=lines[roomy], known=known,
        summits=lines[roomy[slack[roomy] == high[roomy]]],
        depth_mm=float(family.gate.coordinates(question.region.centre_mm)[2]),
    )  # fmt: skip


def _preferred(question: Question, scene: Scene) -> Scene:
    """Return a scene that requires the preferred distances."""
    rules = {s.name: question.policy.rule_of(s) for s in question.prepared.case.structures}
    return scene_with(
        scene, {n: max(rules[n].preferred_mm, rules[n].hard_mm or 0.0) for n in scene.names}
    )


def lattice(family: LineFamily) -> Lines:
    """Return lines all over a family."""
    box = family.root_box()
    axes = [
        box[k] + box[4 + k] * (2.0 * (np.arange(n) + 0.5) / n - 1.0) for k, n in enumerate(LATTICE)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 4)


def _climbed(room: _Room, family: LineFamily, allowed: Bool[np.ndarray, " _"]) -> Numbers | None:
    """Return the best line of a narrower family near the roomiest one that is allowed."""
    starts = room.lines[allowed]
    if len(starts) == 0 or family.ends(starts[0]) is None:
        return None
    return polish(family, starts[0]).line


def _other_summit(room: _Room) -> Numbers | None:
    """Climb the highest summit that the known path does not stand on."""
    apart = 2.0 * room.family.root_box()[4:] / np.array(LATTICE)
    others = [x for x in room.summits if np.any(np.abs(x - room.known) > apart)]
    return polish(room.family, others[0]).line if others else None


def _limit(offered: PerLine, now: float, gain: float) -> float | None:
    """Return how small a value to ask for, or None where less than ``gain`` can be had."""
    least = float(offered.min())
    return None if now - least < gain else least + LEFT_TO_MARGIN * (now - least)


def _shorter(room: _Room) -> Numbers | None:
    *lengths, now = np.linalg.norm(room.runs(np.vstack([room.lines, room.known])), axis=1)
    limit = _limit(np.array(lengths), float(now), SHORTER_MM)
    if limit is None:
        return None
    return _climbed(room, room.narrower(usable=limit), np.array(lengths) <= limit)


def _straighter(room: _Room, posterior: Vector) -> Numbers | None:
    """Ask for slopes near those of the bone's way from back to front (a square cone)."""
    gate = room.family.gate
    ahead = gate.axes @ -posterior
    if ahead[2] <= 0.0:
        return None
    straight = ahead[:2] / ahead[2]
    runs = room.runs(np.vstack([room.lines, room.known]))
    off = np.abs(runs[:, :2] / runs[:, 2:] - straight).max(axis=1)
    limit = _limit(off[:-1], float(off[-1]), STRAIGHTER)
    if limit is None:
        return None
    low, high = np.transpose([gate.lateral_slopes, gate.cranial_slopes])
    cone = np.stack([np.maximum(low, straight - limit), np.minimum(high, straight + limit)], axis=1)
    return _climbed(room, room.narrower(cone=cone), off[:-1] <= limit)


def _deeper(room: _Room) -> Numbers | None:
    """Ask for a line that is still comfortable at the depth of the target's middle."""
    arrays = room.family.arrays
    family = room.narrower(
        normals=np.vstack([arrays.normals, [0.0, 0.0, -1.0]]),
        offsets=np.append(arrays.offsets, BEFORE_MIDDLE_MM - room.depth_mm),
    )
    if family.slack(room.known) >= room.radius_mm:
        return None
    deep = np.array([family.slack(x) >= room.radius_mm for x in room.lines])
    return _climbed(room, family, deep)
