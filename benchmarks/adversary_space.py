"""The straight paths of one class, measured without any of the planner's own geometry.

What a class is (docs/conventions.md, Gates and approaches): lines through a window, within a cone,
from the skin to where they are first in the target and in bone, no longer than the needle. Here
that is said a second time, in plain arrays: rays are cast by Moeller and Trumbore's test, points
and triangles are measured by trimesh. A line is four numbers (a, b, c, d): it pierces the gate
plane at (a, b) and the plane ``reach_mm`` beyond it at (c, d). All coordinates are patient LPS, mm.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float, Int
from scipy.spatial import HalfspaceIntersection
from trimesh.triangles import closest_point

from geometry.arrays import Point, Points, Vector
from planner.approach import Gate
from planner.case import Kind
from planner.contact import Contact
from planner.policy import meant_to_pass
from planner.question import STAND_OFF_MM, Question
from planner.target import TargetRegion

Triangles = Float[np.ndarray, "m 3 3"]
Numbers = Float[np.ndarray, "n 4"]
Depths = Float[np.ndarray, " n"]

NO_PATH = -np.inf
LEAST_REACH_MM = 5.0
PAIRS = 2_000_000  # rays times triangles that are looked at in one go
GOLDEN = (5.0**0.5 - 1.0) / 2.0
EXACTLY_MM = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """What a path to one target may meet.

    Attributes:
        obstacles: Triangles of all structures with a hard limit that are not passed on purpose.
        required_mm: The hard limit of each triangle's structure.
        middles: Their centroids.
        sizes_mm: How far their corners are from there at most.
        skin: Triangles of the skin; none where the case has no skin.
        stand_off: Normal and offset of the plane where paths start if there is no skin.
        holders: Triangles of what a tip may end in, one array for each; none if nobody can say.
        region: The target.
        corners: Its corners.
        axes: Unit axes (rows) of the bone.
    """

    obstacles: Triangles
    required_mm: Float[np.ndarray, " m"]
    middles: Points
    sizes_mm: Float[np.ndarray, " m"]
    skin: Triangles
    stand_off: tuple[Vector, float]
    holders: tuple[Triangles, ...]
    region: TargetRegion
    corners: Points
    axes: Float[np.ndarray, "3 3"]


def surroundings_of(
    question: Question, region: TargetRegion, contact: Contact | None = None
) -> Surroundings:
    """Gather what a question's paths may meet; of a screw that they slide along, only its head."""
    case, bone = question.prepared.case, question.bone
    through = meant_to_pass(case, bone)
    limits = {s.name: question.policy.rule_of(s).hard_mm for s in case.structures}
    barred = [s for s in case.structures if s.name not in through and limits[s.name] is not None]
    if contact is not None:
        barred = [s for s in barred if s.name != contact.screw.structure]
        if contact.head is not None:
            barred.append(contact.head)
            limits[contact.head.name] = 0.0
    required = [np.full(len(s.mesh.faces), limits[s.name], dtype=np.float64) for s in barred]
    inside = [bone, *case.of_kind(Kind.HALO, Kind.LESION)] if bone.mesh.is_closed else []
    posterior = question.axes[1]
    planes = np.hstack([region.normals, -region.offsets[:, None]])
    none = np.empty((0, 3, 3))
    obstacles = np.concatenate([none, *(s.mesh.corners for s in barred)])
    middles = obstacles.mean(axis=1)
    return Surroundings(
        obstacles=obstacles, required_mm=np.concatenate([np.empty(0), *required]), middles=middles,
        sizes_mm=np.linalg.norm(obstacles - middles[:, None], axis=2).max(axis=1),
        skin=np.concatenate([none, *(s.mesh.corners for s in case.of_kind(Kind.SKIN))]),
        stand_off=(posterior, float((bone.mesh.vertices @ posterior).max()) + STAND_OFF_MM),
        holders=tuple(s.mesh.corners for s in inside if s.mesh.is_closed),
        region=region, corners=HalfspaceIntersection(planes, region.centre_mm).intersections,
        axes=question.axes,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PathSpace:
    """The lines of one class.

    Attributes:
        around: What they may meet.
        gate: What they pass through.
        usable_mm: How long they may be from skin to tip.
        reach_mm: Distance from the gate plane to the plane of the last two numbers.
        low: Least of the four numbers over all lines that touch the target.
        high: Greatest of the same.
        skin: The skin behind the gate that lines of the cone can meet.
    """

    around: Surroundings
    gate: Gate
    usable_mm: float
    reach_mm: float
    low: Float[np.ndarray, " 4"]
    high: Float[np.ndarray, " 4"]
    skin: Triangles

    def placed(self, lines: Numbers) -> tuple[Points, Points]:
        """Return gate points, and steps per mm of depth beyond the gate plane."""
        slopes = (lines[:, 2:] - lines[:, :2]) / self.reach_mm
        across, along = self.gate.axes[:2], self.gate.axes[2]
        return self.gate.origin_mm + lines[:, :2] @ across, slopes @ across + along

    def passes(self, lines: Numbers) -> np.ndarray:
        """Whether each line lies in the window and in the cone."""
        slopes = (lines[:, 2:] - lines[:, :2]) / self.reach_mm
        cone = np.array([self.gate.lateral_slopes, self.gate.cranial_slopes])
        kept = ((slopes >= cone[:, 0]) & (slopes <= cone[:, 1])).all(axis=1)
        return kept & shapely.contains_xy(self.gate.window, lines[:, 0], lines[:, 1])

    def targeted(self, start: Points, step: Points) -> tuple[Depths, Depths]:
        """Return the depths (>= 0) between which lines are in the target; first > last if never."""
        normals, offsets = self.around.region.normals, self.around.region.offsets
        beyond, rate = start @ normals.T - offsets, step @ normals.T
        with np.errstate(divide="ignore", invalid="ignore"):
            at = -beyond / rate
        first = np.where(rate < 0.0, at, 0.0).max(axis=1, initial=0.0)
        last = np.where(rate > 0.0, at, np.inf).min(axis=1)
        never = ((rate == 0.0) & (beyond > 0.0)).any(axis=1)
        return np.where(never, np.inf, first), last

    def entries(self, start: Points, step: Points) -> Depths:
        """Return the depth (< 0) at which each line enters the body; NaN where it never does."""
        if len(self.around.skin):
            depth = np.full(len(start), -np.inf)
            for rows, hits in crossings(self.skin, start, step):
                behind = hits < 0.0
                np.maximum.at(depth, rows[behind], hits[behind])
            return np.where(np.isfinite(depth), depth, np.nan)
        normal, offset = self.around.stand_off
        height, rate = start @ normal - offset, step @ normal
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((rate < 0.0) & (height <= 0.0), -height / rate, np.nan)

    def tips(self, start: Points, step: Points) -> Depths:
        """Return the depth at which each line is first in target and holder; NaN if nowhere."""
        first, last = self.targeted(start, step)
        tip = np.where(first <= last, first, np.nan)
        if not self.around.holders:
            return tip
        held = np.zeros(len(start), dtype=bool)
        entered = np.full(len(start), np.inf)
        for holder in self.around.holders:
            ahead = np.zeros(len(start), dtype=np.int64)
            for rows, hits in crossings(holder, start, step):
                beyond = hits > first[rows]
                np.add.at(ahead, rows[beyond], 1)
                np.minimum.at(entered, rows[beyond], hits[beyond])
            held |= ahead % 2 == 1
        return np.where(held, tip, np.where(entered <= last, entered, np.nan))

    def slack(self, line: Float[np.ndarray, " 4"], within_mm: float = EXACTLY_MM) -> float:
        """Return the slack of one line's path, so much too large at most; NO_PATH if none."""
        if not self.passes(line[None])[0]:
            return NO_PATH
        start, step = self.placed(line[None])
        entry, tip = self.entries(start, step)[0], self.tips(start, step)[0]
        if np.isnan(entry + tip) or (tip - entry) * np.linalg.norm(step) > self.usable_mm:
            return NO_PATH
        first, last = start[0] + entry * step[0], start[0] + tip * step[0]
        return segment_slack(self.around, first, last, within_mm)

    def through(self, entry: Point, tip: Point) -> Float[np.ndarray, " 4"]:
        """Return the four numbers of the line through two points."""
        a, b = self.gate.coordinates(entry), self.gate.coordinates(tip)
        slopes = (b - a)[:2] / (b - a)[2]
        return np.concatenate([a[:2] + slopes * (at - a[2]) for at in (0.0, self.reach_mm)])


def path_space(around: Surroundings, gate: Gate, usable_mm: float) -> PathSpace:
    """Return the lines of one class."""
    local = (around.corners - gate.origin_mm) @ gate.axes.T
    reach = max(float(gate.coordinates(around.region.centre_mm)[2]), LEAST_REACH_MM)
    cone = np.array([gate.lateral_slopes, gate.cranial_slopes])
    # A line that touches the target at some depth has strayed from there by its slope at most.
    shifts = (reach - local[:, 2])[:, None, None] * cone
    aims = (local[:, :2, None] + shifts).swapaxes(1, 2).reshape(-1, 2)
    window = np.array(gate.window.bounds)
    return PathSpace(
        around=around, gate=gate, usable_mm=usable_mm, reach_mm=reach,
        low=np.concatenate([window[:2], aims.min(axis=0)]),
        high=np.concatenate([window[2:], aims.max(axis=0)]), skin=_behind(around.skin, gate, cone),
    )  # fmt: skip


def _behind(skin: Triangles, gate: Gate, cone: Float[np.ndarray, "2 2"]) -> Triangles:
    """Return the triangles that lines through the window can meet behind it (boxes overlap)."""
    local = (skin - gate.origin_mm) @ gate.axes.T
    low, high = local.min(axis=1), local.max(axis=1)
    window = np.array(gate.window.bounds)
    kept = low[:, 2] < 0.0
    for k in range(2):
        strays = np.minimum(low[:, 2:], 0.0) * cone[k]
        kept &= low[:, k] <= window[2 + k] + strays.max(axis=1, initial=0.0)
        kept &= high[:, k] >= window[k] + strays.min(axis=1, initial=0.0)
    return skin[kept]


def crossings(
    triangles: Triangles, start: Points, step: Points
) -> Iterator[tuple[Int[np.ndarray, " h"], Float[np.ndarray, " h"]]]:
    """Yield, in batches, which lines pierce a triangle and where (in steps, either way).

    Moeller and Trumbore (1997), with the triple products written as matrix products.
    """
    if not len(triangles):
        return
    # About the middle of the triangles, so that products of coordinates keep their digits.
    middle = triangles.mean(axis=(0, 1))
    v0 = triangles[:, 0] - middle
    e1, e2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal, lift1, lift2 = np.cross(e1, e2), np.cross(e1, v0), np.cross(e2, v0)
    batch = max(1, PAIRS // len(triangles))
    for at in range(0, len(start), batch):
        s, d = start[at : at + batch] - middle, step[at : at + batch]
        moment = np.cross(s, d)
        slant = -(d @ normal.T)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = (moment @ e2.T - d @ lift2.T) / slant
            v = (d @ lift1.T - moment @ e1.T) / slant
            depth = (s @ normal.T - np.einsum("ij,ij->i", v0, normal)) / slant
            pierced = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0)
        rows, columns = np.nonzero(pierced)
        yield rows + at, depth[rows, columns]


def segment_slack(around: Surroundings, start: Point, end: Point, within_mm: float) -> float:
    """Return the least distance from a segment to an obstacle, less what that one requires.

    What is returned was measured at some point of the segment: it is never too small.

    The distance to one triangle is convex along the segment, so the golden section closes in on
    its least value. A triangle is dropped once it cannot be the nearest: at first by how far its
    middle is, then by its distance at hand, which changes no faster than one moves.
    """
    middles, along = around.middles - start, end - start
    length = float(np.linalg.norm(along))
    at = np.clip(middles @ along / length**2, 0.0, 1.0)
    off = np.linalg.norm(middles - at[:, None] * along, axis=1) - around.required_mm
    best = float(off.min(initial=np.inf))
    left = np.flatnonzero(off - around.sizes_mm <= best)
    low, high = np.zeros(len(left)), np.ones(len(left))

    def slack(at: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        points = start + at[:, None] * along
        on = closest_point(around.obstacles[left], points)
        return np.linalg.norm(on - points, axis=1) - around.required_mm[left]

    first = slack(high - GOLDEN)
    second = slack(low + GOLDEN)
    while len(left) and (high[0] - low[0]) * length > within_mm:
        least = np.minimum(first, second)
        best = min(best, float(least.min(initial=np.inf)))
        near = least - (high - low) * length <= best
        left, low, high, first, second = (v[near] for v in (left, low, high, first, second))
        nearer = first <= second
        low, high = (
            np.where(nearer, low, high - GOLDEN * (high - low)),
            np.where(nearer, low + GOLDEN * (high - low), high),
        )
        probe = slack(np.where(nearer, high - GOLDEN * (high - low), low + GOLDEN * (high - low)))
        first, second = np.where(nearer, probe, second), np.where(nearer, first, probe)
    return min(best, float(slack(low).min(initial=np.inf)), float(slack(high).min(initial=np.inf)))
