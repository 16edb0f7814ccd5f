"""A steerable needle from a cannula that is given: the peer of the curved search.

A planner after the idea of resolution-complete search (Fu, Solovey, Salzman, Alterovitz, 2022),
written here from its description; none of its authors' code. The needle bends in any direction, to
a radius of R or more. Moves are arcs of radius R and straight ones; lengths and directions are
coarse at first and are halved down to a finest resolution, and what took fewest halvings is tried
first, so a search is finite and finds a path if the finest moves make one. From every place the one
arc that meets the target is tried, and places from which no bend can meet it are left out. It
minimises nothing but its own effort: its clearance is what it happens to be.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Rotation, unit

LENGTHS_MM = (8.0, 4.0, 2.0)  # of moves, coarse to fine
TURNS = (4, 8, 16)  # directions of a bend, coarse to fine
STEP_MM = 0.5  # between places of a move that are looked at
MOST_MOVES = 20_000
Move: TypeAlias = tuple[int, int, int]  # length, fineness of direction, direction; -1 is straight
FIRST: tuple[Move, ...] = tuple((0, 0, direction) for direction in range(-1, TURNS[0]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """A needle's tip: where, its axes (rows: ahead, and two across), and how much is out, mm."""

    at_mm: Point
    axes: Rotation
    out_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steering:
    """What a steerable needle may do.

    Attributes:
        radius_mm: Of its tightest bend.
        most_mm: How far it can be pushed out of the cannula.
        tip_mm: How near to the target its tip must end.
        free: Whether a polyline is far enough from everything.
    """

    radius_mm: float
    most_mm: float
    tip_mm: float
    free: Callable[[Points], bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steered:
    """What a search ended with: the points of a path, if there is one, and the moves it took.

    ``exhausted``: no move was left to try, so at this resolution there is no path.
    """

    points_mm: Points | None
    moves: int
    exhausted: bool


class _Frontier:
    """Moves yet to be tried; those that took fewest moves and halvings come first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Move, Pose, Points]] = []
        self._serial = count()

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, rank: int, moves: Iterable[Move], pose: Pose, path: Points) -> None:
        for move in moves:
            heapq.heappush(self._heap, (rank, next(self._serial), move, pose, path))

    def next(self) -> tuple[Move, Pose, Points, int]:
        """Take the first move, its start and the path to it; its finer ones come in its place."""
        rank, _, move, pose, path = heapq.heappop(self._heap)
        self.add(rank + 1, _finer(move), pose, path)
        return move, pose, path, rank


def steered(start: Pose, target_mm: Point, needle: Steering) -> Steered:
    """Search a path from a cannula's end to a target, fewest halvings first."""
    found = _to_target(start, target_mm, needle)
    if found is not None:
        return Steered(points_mm=found, moves=0, exhausted=False)
    frontier, moves = _Frontier(), 0
    if _may_meet(start, target_mm, needle):
        frontier.add(0, FIRST, start, start.at_mm[None])
    while frontier and moves < MOST_MOVES:
        move, pose, before, rank = frontier.next()
        moves += 1
        points, after = _moved(pose, move, needle.radius_mm)
        if after.out_mm > needle.most_mm or not needle.free(np.vstack([pose.at_mm, points])):
            continue
        near = np.linalg.norm(points - target_mm, axis=1) <= needle.tip_mm
        last = points[: int(near.argmax()) + 1] if near.any() else points
        path = np.vstack([before, last])
        found = last[-1:] if near.any() else _to_target(after, target_mm, needle)
        if found is not None:
            return Steered(points_mm=np.vstack([path, found]), moves=moves, exhausted=False)
        if _may_meet(after, target_mm, needle):
            frontier.add(rank + 1, FIRST, after, path)
    return Steered(points_mm=None, moves=moves, exhausted=not frontier)


def _finer(move: Move) -> Iterator[Move]:
    """Yield the moves that halve a move's length, or lie beside it in direction."""
    length, fineness, direction = move
    if length + 1 < len(LENGTHS_MM):
        yield length + 1, fineness, direction
    if direction >= 0 and fineness + 1 < len(TURNS) and length == 0:
        for beside in (1,) if fineness == 0 else (-1, 1):
            yield length, fineness + 1, 2 * direction + beside


def _moved(pose: Pose, move: Move, radius: float) -> tuple[Points, Pose]:
    """Return the points of a move and the pose that it ends in; direction -1 is straight on."""
    length, fineness, direction = move
    size = LENGTHS_MM[length]
    steps = np.linspace(0.0, size, round(size / STEP_MM) + 1)[1:]
    ahead, first, second = pose.axes
    if direction < 0:
        at = pose.at_mm + steps[:, None] * ahead
        return at, Pose(at_mm=at[-1], axes=pose.axes, out_mm=pose.out_mm + size)
    angle = 2.0 * math.pi * direction / TURNS[fineness]
    aside = math.cos(angle) * first + math.sin(angle) * second
    return _bent(pose, aside, radius, steps)


def _bent(
    pose: Pose, aside: Point, radius: float, steps: Float[np.ndarray, " k"]
) -> tuple[Points, Pose]:
    """Return points along an arc to the side of ``aside``, and the pose at the last of them."""
    ahead, turn = pose.axes[0], steps[:, None] / radius
    at = pose.at_mm + radius * (np.sin(turn) * ahead + (1.0 - np.cos(turn)) * aside)
    last = float(turn[-1, 0])
    forward = math.cos(last) * ahead + math.sin(last) * aside
    inward = math.cos(last) * aside - math.sin(last) * ahead
    axes = np.stack([forward, inward, np.cross(forward, inward)])
    return at, Pose(at_mm=at[-1], axes=axes, out_mm=pose.out_mm + float(steps[-1]))


def _to_target(pose: Pose, target_mm: Point, needle: Steering) -> Points | None:
    """Return the points of the arc that meets the target, if the needle can bend and reach so."""
    off = target_mm - pose.at_mm
    forward = float(off @ pose.axes[0])
    across = off - forward * pose.axes[0]
    beside = float(np.linalg.norm(across))
    if beside < 1e-6:
        length, radius = forward, math.inf
    else:
        radius = (forward**2 + beside**2) / (2.0 * beside)
        length = radius * math.atan2(forward, radius - beside)
    if forward <= 0.0 or radius < needle.radius_mm or pose.out_mm + length > needle.most_mm:
        return None
    steps = np.linspace(0.0, length, max(2, math.ceil(length / STEP_MM)) + 1)[1:]
    if math.isinf(radius):
        points = pose.at_mm + steps[:, None] * pose.axes[0]
    else:
        points, _ = _bent(pose, unit(across), radius, steps)
    return points if needle.free(np.vstack([pose.at_mm, points])) else None


def _may_meet(pose: Pose, target_mm: Point, needle: Steering) -> bool:
    """Whether some bend could still bring the tip to the target, nothing being in the way."""
    off = target_mm - pose.at_mm
    forward = float(off @ pose.axes[0])
    beside = math.sqrt(max(float(off @ off) - forward**2, 0.0))
    if float(np.linalg.norm(off)) > needle.most_mm - pose.out_mm + needle.tip_mm:
        return False
    # A circle of radius R beside the tip, all round it, is out of reach of a first bend.
    tightest = needle.radius_mm - needle.tip_mm
    return math.hypot(beside - needle.radius_mm, forward) >= tightest and forward > -needle.tip_mm
