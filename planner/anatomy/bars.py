"""Bars followed through a block of metal, from end to end and through the heads on their way."""

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from geometry.arrays import Point, Points, Vector, unit
from planner.anatomy.solid_grid import SolidGrid
from planner.anatomy.strands import Strand, strands

STEP_MM = 1.0
BACK = 7  # steps that give a bar's direction
THICK = 1.25  # times a bar's radius, and an allowance: a head, a clamp or a crossing
THICK_MM = 0.3
THIN = 0.4  # times a bar's radius: it ends
LONGEST_HEAD_MM = 30.0  # two heads side by side
PAST_CUT = 1.5  # radii about the line beyond a head without any metal: what follows is apart
RUNS_ON_MM = 4.0  # beyond a head, that a bar must show to have passed it
LONGEST_STEPS = 700
ALONG_SPINE = 0.7  # cosine to it
COVERED = 0.5  # share of a stretch's points near a bar already followed
SAME = 0.9  # the same share of a whole bar, near a rod followed later: it is part of that one
ALIKE = (0.7, 1.4)  # ratio of the radii of two pieces of one rod
TURN_RAD = np.radians(25.0)  # from one stretch of BACK steps to the next
LARGEST_MM = 5.5  # radius
BENT_RAD = np.radians(50.0)  # of a rod in a head
BENT_ALONG = 0.6  # cosine to the spine, of a rod there
FACING_RAD = np.radians(25.0)
BREAK_MM = 12.0  # longest gap of a break


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarEnd:
    """How a bar ends.

    Attributes:
        point: Where its own thickness ends, mm.
        outward: Unit direction there.
        in_head: Whether it ends in something thicker.
        exit: Where the metal ends along its direction, mm.
    """

    point: Point
    outward: Vector
    in_head: bool
    exit: Point


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bar:
    """A bar from its first end to its last.

    Attributes:
        points: Its middle line where it shows its own thickness, mm.
        radius: Its radius, mm.
        ends: Its first and last end.
        passed: How many heads it passes.
    """

    points: Points
    radius: float
    ends: tuple[BarEnd, BarEnd]
    passed: int

    @property
    def length(self) -> float:
        """From end to end, mm."""
        return float(np.linalg.norm(self.points[-1] - self.points[0]))

    @property
    def reversed(self) -> "Bar":
        """The same bar from its last end to its first."""
        return Bar(
            points=self.points[::-1],
            radius=self.radius,
            ends=self.ends[::-1],
            passed=self.passed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Two bars, by number, that face each other with nothing between, and by how much."""

    first: int
    second: int
    gap_mm: float
    step_mm: float
    kink_rad: float


def bars_in(grid: SolidGrid, *, up: Vector) -> list[Bar]:
    """Return every bar of a block of metal once.

    Args:
        grid: The metal.
        up: Along the spine: bars that run so, as rods do, are followed through heads; what lies
            across, as shafts and crosslinks do, ends in them.
    """
    found: list[Bar] = []
    for strand in strands(grid):
        if not any(_covers(bar, strand.points) > COVERED for bar in found):
            new = _followed(grid, strand, up)
            found = [*(bar for bar in found if not _goes_on(new, bar)), new]
    bars = _joined([bar for bar in found if bar.radius < LARGEST_MM], up)
    rods = [bar for bar in bars if bar.passed > 0]
    return [_held_by(bar, [r for r in rods if r is not bar]) for bar in bars]


def _held_by(bar: Bar, rods: list[Bar]) -> Bar:
    """Count an end that runs into a rod as held, though the rod is no thicker than the bar."""
    ends = []
    for end in bar.ends:
        near = [
            rod
            for rod in rods
            if np.linalg.norm(rod.points - end.exit, axis=1).min() < 2.0 * rod.radius + STEP_MM
            and abs(float(end.outward @ unit(rod.points[-1] - rod.points[0]))) < ALONG_SPINE
        ]
        ends.append(replace(end, in_head=end.in_head or bool(near)))
    return replace(bar, ends=(ends[0], ends[1]))


def _joined(bars: list[Bar], up: Vector) -> list[Bar]:
    """Join rods that end in one head from above and from below: rods are often bent there."""
    while True:
        offers = [
            (gap, i, j, a, b)
            for i, first in enumerate(bars)
            for j, second in enumerate(bars[:i])
            for a in (0, 1)
            for b in (0, 1)
            if (gap := _bent_on(first, a, second, b, up)) is not None
        ]
        if not offers:
            return bars
        _, i, j, a, b = min(offers)
        first = bars[i] if a == 1 else bars[i].reversed
        second = bars[j] if b == 0 else bars[j].reversed
        joined = Bar(
            points=np.concatenate([first.points, second.points]),
            radius=max(first, second, key=lambda bar: bar.length).radius,
            ends=(first.ends[0], second.ends[1]),
            passed=first.passed + second.passed + 1,
        )
        bars = [bar for k, bar in enumerate(bars) if k not in {i, j}] + [joined]


def _bent_on(first: Bar, a: int, second: Bar, b: int, up: Vector) -> float | None:
    """Return the distance between two ends in one head, if a rod may run on from one to other."""
    one, other = first.ends[a], second.ends[b]
    across = other.point - one.point
    gap = float(np.linalg.norm(across))
    along = min(abs(float(one.outward @ up)), abs(float(other.outward @ up)))
    turn = float(np.arccos(np.clip(-(one.outward @ other.outward), -1.0, 1.0)))
    ahead = min(float(one.outward @ across), -float(other.outward @ across))
    if not (one.in_head and other.in_head) or not 0.0 < gap < LONGEST_HEAD_MM:
        return None
    if along < BENT_ALONG or turn > BENT_RAD or ahead < np.cos(BENT_RAD) * gap:
        return None
    return gap if _alike(first, second) else None


def _goes_on(rod: Bar, bar: Bar) -> bool:
    """Tell whether a bar that ended in a head is part of a rod that passed it the other way."""
    return rod.passed > 0 and _alike(rod, bar) and _covers(rod, bar.points) >= SAME


def _alike(first: Bar, second: Bar) -> bool:
    return ALIKE[0] < first.radius / second.radius < ALIKE[1]


def _covers(bar: Bar, points: Points) -> float:
    """Return the share of points that lie in a bar."""
    gaps = np.linalg.norm(points[:, None] - bar.points, axis=2).min(axis=1)
    return float((gaps < 1.2 * bar.radius + STEP_MM).mean())


def _followed(grid: SolidGrid, strand: Strand, up: Vector) -> Bar:
    """Follow a bar both ways from the middle of a stretch of it."""
    middle = len(strand.points) // 2
    start = strand.points[middle]
    forward = unit(strand.points[-1] - strand.points[0])
    after, last, over = _walk(grid, (start, forward), strand.radius, up)
    before, first, under = _walk(grid, (start, -forward), strand.radius, up)
    return Bar(
        points=np.array([*before[:0:-1], *after]),
        radius=strand.radius,
        ends=(first, last),
        passed=over + under,
    )


def _walk(
    grid: SolidGrid, start: tuple[Point, Vector], radius: float, up: Vector
) -> tuple[list[Point], BarEnd, int]:
    """Follow a bar one way; return its points, how it ends, and how many heads it passed."""
    point, direction = start
    points, passed = [_centred(grid, point, direction, radius)], 0
    for _ in range(LONGEST_STEPS):
        at = points[-1] + STEP_MM * direction
        depth = _depth(grid, at, radius)
        if depth < THIN * radius or _is_cut(grid, at, direction, radius):
            end = BarEnd(point=points[-1], outward=direction, in_head=False, exit=at)
            return points, end, passed
        if depth > THICK * radius + THICK_MM:
            beyond, out = _through(grid, at, direction, radius)
            if beyond is None or abs(float(direction @ up)) < ALONG_SPINE:
                end = BarEnd(point=points[-1], outward=direction, in_head=True, exit=out)
                return points, end, passed
            points.append(_centred(grid, beyond, direction, radius))
            passed += 1
            direction = unit(direction + 0.5 * unit(points[-1] - points[-2]))
            continue
        points.append(_centred(grid, at, direction, radius))
        if len(points) > BACK:
            direction = unit(points[-1] - points[-1 - BACK])
        if _turns(points):  # off into another bar that it touches
            kept = points[:-BACK]
            end = BarEnd(
                point=kept[-1], outward=unit(kept[-1] - kept[-BACK]), in_head=True, exit=kept[-1]
            )
            return kept, end, passed
    end = BarEnd(point=points[-1], outward=direction, in_head=False, exit=points[-1])
    return points, end, passed


def _is_cut(grid: SolidGrid, point: Point, direction: Vector, radius: float) -> bool:
    """Tell whether there is no metal at all across a line, at a point or half a step before."""
    for at in (point - 0.5 * STEP_MM * direction, point):
        values, offset = _window(grid, at, radius)
        across = np.abs(offset @ direction) <= 0.6 * grid.spacing_mm
        if not (values[across] > 0.0).any():
            return True
    return False


def _turns(points: list[Point]) -> bool:
    """Tell whether a line turns off more sharply at its end than any bar is bent in the open."""
    recent = np.array(points[-1 - 2 * BACK :])
    steps = np.linalg.norm(np.diff(recent, axis=0), axis=1)
    if len(points) <= 2 * BACK or steps.max() > 2.5 * STEP_MM:
        return False
    now, before = points[-1] - points[-1 - BACK], points[-1 - BACK] - points[-1 - 2 * BACK]
    return bool(unit(now) @ unit(before) < np.cos(TURN_RAD))


def _through(
    grid: SolidGrid, start: Point, direction: Vector, radius: float
) -> tuple[Point | None, Point]:
    """Go straight on through something thick; return where the bar runs on, if it does.

    Returns:
        The first point beyond where the bar shows again, or none; and where the metal ends.
    """
    steps = np.arange(0.0, LONGEST_HEAD_MM + 2.0 * RUNS_ON_MM, 0.5)
    ahead = start + steps[:, None] * direction
    depths = np.array([_depth(grid, point, 2.0 * radius) for point in ahead])
    ended = depths < THIN * radius
    ended |= [_is_cut(grid, point, direction, PAST_CUT * radius) for point in ahead]
    last = int(np.argmax(ended)) if ended.any() else len(steps) - 1
    own = (depths <= THICK * radius + THICK_MM) & (depths > 0.6 * radius)
    need = int(RUNS_ON_MM / 0.5)
    for i in range(1, min(last, int(LONGEST_HEAD_MM / 0.5))):
        if own[i : i + need].all() and i + need <= last:
            return ahead[i], ahead[last]
    return None, ahead[last]


def _depth(grid: SolidGrid, point: Point, radius: float) -> float:
    """Return the greatest depth close to a point."""
    values, _ = _window(grid, point, 0.6 * radius + 0.5 * grid.spacing_mm)
    return float(values.max(initial=0.0))


def _centred(grid: SolidGrid, point: Point, direction: Vector, radius: float) -> Point:
    """Move a point across a direction to the middle of the metal about it."""
    for _ in range(2):
        values, offset = _window(grid, point, 1.1 * radius)
        weights = np.minimum(values, radius) ** 2
        if weights.sum() <= 0.0:
            return point
        shift = weights @ offset / weights.sum()
        point = point + shift - (shift @ direction) * direction
    return point


def _window(grid: SolidGrid, point: Point, reach: float) -> tuple[np.ndarray, Points]:
    """Return the depths of the cells about a point, and where they lie from it."""
    low = np.maximum(np.ceil((point - reach - grid.origin_mm) / grid.spacing_mm), 0).astype(int)
    high = np.floor((point + reach - grid.origin_mm) / grid.spacing_mm).astype(int) + 1
    high = np.minimum(high, grid.depth_mm.shape)
    if (high <= low).any():
        return np.zeros(0), np.zeros((0, 3))
    block = grid.depth_mm[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    axes = [
        grid.origin_mm[i] + grid.spacing_mm * np.arange(low[i], high[i]) - point[i]
        for i in range(3)
    ]
    offset = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    near = (offset**2).sum(axis=1) <= reach**2
    return block.ravel()[near], offset[near]


def breaks_between(bars: list[Bar], rods: Set[int]) -> list[Break]:
    """Return the pairs of ends that face each other, straight on, across a gap.

    Args:
        bars: As they were found.
        rods: Which of them are rods: of two of these one may end in a head, next to which it
            broke. Other ends must be free.
    """
    found = []
    for i, first in enumerate(bars):
        for j, second in enumerate(bars[:i]):
            for one in first.ends:
                for other in second.ends:
                    if one.in_head + other.in_head > int({i, j} <= rods):
                        continue
                    facing = _facing(one, other, min(first.radius, second.radius))
                    alike = 0.7 < first.radius / second.radius < 1.4
                    if facing is not None and alike:
                        gap, step, kink = facing
                        found.append(
                            Break(first=j, second=i, gap_mm=gap, step_mm=step, kink_rad=kink)
                        )
    return found


def _facing(one: BarEnd, other: BarEnd, radius: float) -> tuple[float, float, float] | None:
    """Return gap, step (mm) and kink (radians) of two ends that face each other.

    A free end is where the bar was last seen; one in a head counts from where the metal ends.
    """
    from_, to = (end.exit if end.in_head else end.point for end in (one, other))
    across = to - from_
    along = float(across @ one.outward)
    step = float(np.linalg.norm(across - along * one.outward))
    kink = float(np.arccos(np.clip(-(one.outward @ other.outward), -1.0, 1.0)))
    if kink > FACING_RAD or step > 2.0 * radius or not 0.0 < along < BREAK_MM:
        return None
    gap = float((other.exit - one.exit) @ one.outward) + STEP_MM
    return max(0.0, gap), step, kink
