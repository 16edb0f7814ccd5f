"""Attacks on the certificates of bent paths: curved needles, and needles along a screw.

What these paths are (docs/conventions.md) is said a second time, one path at a time, in numbers of
our own: a curved path by slopes and depth of its cannula, a path along a screw by where and how it
meets the shaft. Chance and differential evolution look for better ones under the quick ceiling of
``adversary_screen``, a simplex climbs on from there, and trimesh measures what is found.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
import shapely
from jaxtyping import Float
from scipy.optimize import differential_evolution, minimize

from benchmarks.adversary_screen import Ceiling, ceiling_of
from benchmarks.adversary_space import (
    EXACTLY_MM,
    NO_PATH,
    PathSpace,
    crossings,
    path_space,
    segment_slack,
    surroundings_of,
)
from geometry.arrays import Point, Points, unit
from planner.approach import Gate
from planner.contact import Contact
from planner.needles.model import Needle
from planner.question import Question
from planner.search.along_screw import (
    CONTACT_TO,
    LEAST_PARALLEL_MM,
    LEAST_SLIDE_MM,
    MOST_ARRIVAL_RAD,
    MOST_ASKEW_RAD,
    PLASTIC,
)
from planner.search.curved import LARGEST_BEND_RAD, LEAST_BEYOND_GATE_MM

Some = Float[np.ndarray, " k"]  # the numbers of one path
CHORD_RAD = 0.06  # of the chords that stand for an arc; their sagitta is taken off the slack
LOOK_MM = 1.0  # between places where a path is screened
TIPS_MM = 0.1  # between places where a path may end
MEMBERS = 30  # of the evolving population
CLIMBING_MM = 1e-3  # how exactly a climb measures on its way
NOWHERE_MM = -10.0  # below any slack that matters: a path that breaks a rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leg:
    """A stretch of a path: a polyline, and what its slack has more than its chords' distance."""

    points: Points
    more_mm: float = 0.0


Bent = tuple[Leg, ...]
Held = Callable[[Points], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BentSpace:
    """The bent paths of one class.

    Attributes:
        lines: Gate, skin, target and obstacles.
        low: Least of a path's numbers.
        high: Greatest of them.
        course: The path of some numbers, from the gate's side of the skin on to where it may no
            longer be lengthened: its straight leg, its bend, and points where it may end.
    """

    lines: PathSpace
    low: Some
    high: Some
    course: Callable[[Some], "Course"]

    def astray(self, x: Some, held: Held) -> tuple[float, Bent]:
        """Return by how much a path breaks its rules, mm, and the path, whole if by nothing."""
        course = self.course(x)
        at, off = self._ending(course.ends, held)
        wrong = off + self._beside_gate(course)
        back, ahead = course.bend.points[:1], course.straight[None]
        step = ahead / (ahead @ self.lines.gate.axes[2])[:, None]
        depth = float(self.lines.entries(back, step)[0])
        if math.isnan(depth):
            return wrong + 50.0, ()
        leg = Leg(points=np.vstack([back + depth * step, back]))
        run = [course.bend.points[-1:], course.ends[: at : course.stride], course.ends[at : at + 1]]
        path = (leg, course.bend, Leg(points=np.vstack(run), more_mm=course.more_mm))
        length = sum(float(_lengths(part.points).sum()) for part in path)
        return wrong + max(0.0, length - self.lines.usable_mm), path

    def _ending(self, ends: Points, held: Held) -> tuple[int, float]:
        """Return the first place where a path may end, or the nearest to one, and how far off."""
        region = self.lines.around.region
        beyond = (ends @ region.normals.T - region.offsets).max(axis=1)
        inside = np.flatnonzero(beyond <= 0.0)
        if len(inside):
            kept = held(ends[inside])
            if kept.any():
                return int(inside[kept.argmax()]), 0.0
            return int(inside[0]), 1.0
        nearest = int(beyond.argmin())
        return nearest, float(beyond[nearest]) + 1.0

    def _held(self, points: Points) -> np.ndarray:
        """Whether a tip may end at each point: an odd number of walls of a holder lie ahead."""
        holders = self.lines.around.holders
        held = np.full(len(points), not holders)
        along = np.tile(self.lines.around.axes[0], (len(points), 1))
        for holder in holders:
            ahead = np.zeros(len(points), dtype=np.int64)
            for rows, hits in crossings(holder, points, along):
                np.add.at(ahead, rows[hits > 0.0], 1)
            held |= ahead % 2 == 1
        return held

    def _beside_gate(self, course: "Course") -> float:
        """Return how far beside the window a path pierces the gate plane."""
        gate = self.lines.gate
        points = np.vstack([course.bend.points, course.ends[:: course.stride], course.ends[-1:]])
        back = points[0] - 300.0 * course.straight
        local = (np.vstack([back, points]) - gate.origin_mm) @ gate.axes.T
        for a, b in pairwise(local):
            if a[2] < 0.0 <= b[2]:
                at = a + a[2] / (a[2] - b[2]) * (b - a)
                return float(shapely.distance(gate.window, shapely.Point(at[:2])))
        return 50.0

    def estimate(self, x: Some, ceiling: Ceiling) -> float:
        """Return about the slack of a path, or far less the more rules it breaks."""
        wrong, path = self.astray(x, ceiling.holds)
        if wrong > 0.0 or not path:
            return NOWHERE_MM - wrong
        return min(float(ceiling.fine(_dense(leg.points)).min()) + leg.more_mm for leg in path)

    def slack(self, x: Some, within_mm: float = EXACTLY_MM) -> float:
        """Return the slack of a path, measured on the triangles; minus infinity if it is none."""
        if (x < self.low - 1e-9).any() or (x > self.high + 1e-9).any():
            return NO_PATH
        wrong, path = self.astray(x, self._held)
        if wrong > 0.0 or not path:
            return NO_PATH
        return min(
            segment_slack(self.lines.around, a, b, within_mm) + leg.more_mm
            for leg in path
            for a, b in pairwise(leg.points)
            if float(np.linalg.norm(b - a)) > 1e-9
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """A path from its straight leg's end on.

    Attributes:
        straight: Unit vector along the leg.
        bend: What follows it whatever the tip; begins where the leg ends.
        ends: Points in a row from there on, at which it may end.
        stride: Every so-manieth of them is a corner of the polyline that stands for it.
        more_mm: Slack of that stretch beyond its chords'.
    """

    straight: Point
    bend: Leg
    ends: Points
    stride: int
    more_mm: float


def curved_space(lines: PathSpace, needle: Needle) -> BentSpace:
    """Return the paths of a curved needle: (a, b, two slopes, depth of the stop, roll)."""
    curve, gate = needle.curved, lines.gate
    if curve is None:
        raise ValueError(f"{needle.name} is a straight needle")
    most = min(curve.deployed_mm / curve.radius_mm, LARGEST_BEND_RAD)
    angles = np.arange(0.0, most, TIPS_MM / curve.radius_mm)
    spare = needle.radius_mm - curve.outer_diameter_mm / 2.0
    stride = round(CHORD_RAD / angles[1])
    sagitta = curve.radius_mm * (1.0 - math.cos(0.5 * stride * angles[1]))
    deepest = float(((lines.around.corners - gate.origin_mm) @ gate.axes[2]).max())
    slopes = np.array([gate.lateral_slopes, gate.cranial_slopes])

    def course(x: Some) -> Course:
        ahead = np.array([x[2], x[3], 1.0]) @ gate.axes
        stop = gate.origin_mm + x[:2] @ gate.axes[:2] + x[4] * ahead
        along = unit(ahead)
        first = unit(gate.axes[0] - (gate.axes[0] @ along) * along)
        aside = math.cos(x[5]) * first + math.sin(x[5]) * np.cross(along, first)
        forward, off = np.sin(angles)[:, None] * along, (1.0 - np.cos(angles))[:, None] * aside
        return Course(
            straight=along, bend=Leg(points=stop[None]), stride=stride,
            ends=stop + curve.radius_mm * (forward + off), more_mm=spare - sagitta,
        )  # fmt: skip

    return BentSpace(
        lines=lines, course=course,
        low=np.array([*lines.low[:2], *slopes[:, 0], LEAST_BEYOND_GATE_MM, -math.pi]),
        high=np.array(
            [*lines.high[:2], *slopes[:, 1], max(deepest, LEAST_BEYOND_GATE_MM), math.pi]
        ),
    )  # fmt: skip


def along_space(lines: PathSpace, contact: Contact, needle: Needle, bend_mm: float) -> BentSpace:
    """Return the paths along a screw: (angle round it, contact's station, arrival, askew)."""
    screw, along, rho = contact.screw, contact.along, contact.radius_mm + needle.radius_mm
    first = unit(lines.around.axes[0] - (lines.around.axes[0] @ along) * along)
    second = np.cross(along, first)

    def course(x: Some) -> Course:
        out = math.cos(x[0]) * first + math.sin(x[0]) * second
        round_ = np.cross(along, out)
        tilt = math.cos(x[3]) * out + math.sin(x[3]) * round_
        ahead = math.cos(x[2]) * along - math.sin(x[2]) * tilt
        met = screw.head_mm + x[1] * along + rho * out
        tangent = bend_mm * math.tan(0.5 * x[2])
        centre = met + tangent * along + bend_mm * tilt
        count = max(1, math.ceil(x[2] / CHORD_RAD))
        turns = np.linspace(x[2], 0.0, count + 1)
        arc = centre - bend_mm * (np.cos(turns)[:, None] * tilt + np.sin(turns)[:, None] * along)
        sagitta = bend_mm * (1.0 - math.cos(0.5 * x[2] / count))
        least = max(LEAST_SLIDE_MM, tangent + LEAST_PARALLEL_MM)
        runs = np.arange(least, least + 2.0 * contact.length_mm, TIPS_MM)
        return Course(
            straight=ahead, bend=Leg(points=arc, more_mm=-sagitta), stride=len(runs),
            ends=met + runs[:, None] * along, more_mm=0.0,
        )  # fmt: skip

    return BentSpace(
        lines=lines, course=course,
        low=np.array([-math.pi, 0.0, 0.0, -MOST_ASKEW_RAD]),
        high=np.array(
            [math.pi, CONTACT_TO * contact.length_mm, MOST_ARRIVAL_RAD, MOST_ASKEW_RAD]
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Breeding:
    """How hard to look: paths drawn at random, generations, exact measurements of the climb."""

    drawn: int
    generations: int
    simplex: int


def best_bent(
    question: Question,
    gate: Gate,
    needle: Needle,
    ceiling: Ceiling,
    breeding: Breeding,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the largest slack of random bent paths of a class, and of those bred from them.

    Along a screw plastic bends are looked at too, if no elastic one is found to be safe.
    """
    usable = needle.usable_length_mm
    if gate.contact is None:
        return _bred(
            curved_space(path_space(ceiling.around, gate, usable), needle), ceiling, breeding, rng
        )
    around = surroundings_of(question, ceiling.around.region, gate.contact)
    touching = ceiling_of(around, ceiling.spacing_mm)
    lines = path_space(around, gate, usable)
    random, evolved = NO_PATH, NO_PATH
    for share in (1.0, PLASTIC):
        if evolved < needle.radius_mm:
            space = along_space(lines, gate.contact, needle, share * needle.elastic_radius_mm)
            found = _bred(space, touching, breeding, rng)
            random, evolved = max(random, found[0]), max(evolved, found[1])
    return random, evolved


def _bred(
    space: BentSpace, ceiling: Ceiling, breeding: Breeding, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the largest slack of random paths, and of those bred and climbed from them."""
    some = rng.uniform(space.low, space.high, size=(breeding.drawn, len(space.low)))
    likely = np.array([space.estimate(x, ceiling) for x in some])
    first = some[np.argsort(-likely, kind="stable")[:MEMBERS]]
    found = differential_evolution(
        lambda x: -space.estimate(x, ceiling), np.column_stack([space.low, space.high]),
        strategy="rand1bin", polish=False, tol=0.0, init=first,
        maxiter=breeding.generations, rng=rng,
    )  # fmt: skip
    best, at = NO_PATH, np.asarray(found.x)

    def short_of(x: Some) -> float:
        nonlocal best, at
        slack = space.slack(x, CLIMBING_MM)
        best, at = max((best, at), (slack, x.copy()), key=itemgetter(0))
        return -slack if slack > NO_PATH else -NOWHERE_MM

    start = np.asarray(found.x)
    step = 0.01 * (space.high - space.low)
    minimize(
        short_of, start, method="Nelder-Mead",
        options={
            "maxfev": breeding.simplex,
            "initial_simplex": start + np.vstack([np.zeros(len(start)), np.diag(step)]),
        },
    )  # fmt: skip
    return max(space.slack(x) for x in first[:3]), space.slack(at)


def _lengths(points: Points) -> Float[np.ndarray, " n"]:
    return np.linalg.norm(np.diff(points, axis=0), axis=1)


def _dense(points: Points) -> Points:
    """Return points along a polyline, no farther apart than ``LOOK_MM``."""
    pieces = [points[:1]]
    for a, b in pairwise(points):
        count = max(1, math.ceil(float(np.linalg.norm(b - a)) / LOOK_MM))
        pieces.append(a + np.linspace(0.0, 1.0, count + 1)[1:, None] * (b - a))
    return np.concatenate(pieces)
