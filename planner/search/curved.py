"""The best path of a curved coaxial needle through a gate, and a bound that none exceeds."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from geometry import _kernels as mesh_kernels
from geometry.arrays import Point, Points
from planner.needles.model import Needle
from planner.needles.path import Arc, Line, Path
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers
from planner.search.polish import Optimum

PathNumbers = Float[np.ndarray, " 6"]
BUDGET_BOXES = 300_000
TOLERANCE_MM = 0.5  # gap at which a curved class counts as closed, unless more is asked for
BETTER_MM = 0.02
LEAST_BEYOND_GATE_MM = 5.0  # of cannula, so that its direction is its own [A]
LARGEST_BEND_RAD = math.pi / 2.0
SAMPLES = 6_000
LIKELY = 200
STARTS = 8
APART_MM = 4.0
BACK_MM = (0.0, 5.0, 10.0, 20.0)  # stops tried before the tip of a straight path
ROLLS = 8
CLIMB_MM, NEAR_MM, CLIMB_ROUNDS = 3.0, 0.5, 1_000
MOVED = 0.7  # share of the numbers that one step of a climb changes
ROLL_PER_MM = 0.125
SEED = 7
FLOOR_GAP_MM = 1e-3
CEILING_GAP_MM = 0.25  # how near the bound by the target alone comes to what it bounds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurvedResult:
    """What a search of the curved paths through one gate found; read like a ``SearchResult``.

    Attributes:
        optima: The best path's numbers (see ``_kernels.curved``) and its slack, which is a margin
            plus the cannula's radius; empty if no path was found.
        upper_bound_mm: No path has a larger slack.
        closed: Whether bound and best met to the tolerance, or nothing feasible is left.
        boxes_examined: How many boxes were examined.
        settled_by: How many boxes each structure decided, by name.
    """

    optima: tuple[Optimum, ...]
    upper_bound_mm: float
    closed: bool
    boxes_examined: int
    settled_by: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurvedFamily:
    """All paths of one curved needle through one gate to one target.

    Attributes:
        lines: The straight paths of its cannula.
        bend: The curve for compiled code.
        root: A box (centre, then half-widths) that holds every path.
    """

    lines: LineFamily
    bend: _kernels.Bend
    root: Float[np.ndarray, " 12"]

    def slack(self, y: PathNumbers) -> float:
        """Return the slack of path ``y``; hugely negative where it is no path of the family."""
        value, _ = self._measured(y)
        return float(value)

    def path(self, y: PathNumbers) -> Path | None:
        """Return path ``y`` in patient LPS, skin to tip; a line alone where nothing is deployed."""
        value, angle = self._measured(y)
        if value <= -mesh_kernels.FAR:
            return None
        along, across = np.empty(3), np.empty(3)
        _kernels.aim_curved(y, along, across)
        radius, stop = self.bend.radius, y[2:5]
        centre = stop + radius * across
        tip = centre + radius * (math.sin(angle) * along - math.cos(angle) * across)
        end, middle, last = self.in_patient(np.stack([stop, centre, tip]))
        entry = self._entry(y)
        cannula = Line(start_mm=entry, end_mm=end)
        if angle * radius < 1e-3:
            return (cannula,)
        arc = Arc(
            start_mm=end, end_mm=last, centre_mm=middle, radius_mm=radius, angle_rad=float(angle)
        )
        return cannula, arc

    def _measured(self, y: PathNumbers) -> tuple[float, float]:
        value, angle = _kernels.curved_slack(
            self.lines.arrays, self.lines.scene.space, self.bend, y, -mesh_kernels.FAR
        )
        return float(value), float(angle)

    def in_patient(self, points: Points) -> Points:
        """Return points in gate coordinates as patient LPS."""
        gate = self.lines.gate
        return gate.origin_mm + points @ gate.axes

    def _entry(self, y: PathNumbers) -> Point:
        frame = self.lines.scene.from_patient
        ends = frame.points(self.in_patient(np.array([[y[0], y[1], 0.0], y[2:5]])))
        start, step = ends[0], ends[1] - ends[0]
        t = float(_kernels.skin_exit(self.lines.arrays, self.lines.scene.skin.tree, start, step))
        entry: Point = frame.inverse().points(start + t * step)
        return entry


def curved_family(lines: LineFamily, needle: Needle) -> CurvedFamily:
    """Return the paths of a curved needle whose cannula runs through the gate of ``lines``.

    Raises:
        ValueError: If the needle has no curve.
    """
    if needle.curved is None:
        raise ValueError(f"{needle.name} is a straight needle")
    curve, cone = needle.curved, lines.arrays.cone
    most = min(curve.deployed_mm / curve.radius_mm, LARGEST_BEND_RAD)
    steepest = math.atan(float(np.hypot(*np.abs(cone).max(axis=1))))
    bend = _kernels.Bend(
        curve.radius_mm, most, needle.radius_mm - curve.outer_diameter_mm / 2.0,
        LEAST_BEYOND_GATE_MM, 1.0 / math.cos(0.5 * steepest),
    )  # fmt: skip
    return CurvedFamily(lines=lines, bend=bend, root=_root(lines, bend))


def _root(lines: LineFamily, bend: _kernels.Bend) -> Float[np.ndarray, " 12"]:
    """Return a box of all paths: stops from which an arc can reach the target, in the cone."""
    reach = 2.0 * bend.radius * math.sin(0.5 * bend.most)
    low, high = lines.corners.min(axis=0) - reach, lines.corners.max(axis=0) + reach
    low[2] = max(low[2], bend.least)
    high[2] = max(high[2], low[2])
    gate_low, gate_high = np.array(lines.gate.window.bounds).reshape(2, 2)
    depths = np.array([low[2], high[2]])
    for k in range(2):
        slant = lines.arrays.cone[k][:, None] * depths
        low[k] = max(low[k], gate_low[k] + slant[0].min())
        high[k] = max(min(high[k], gate_high[k] + slant[1].max()), low[k])
    least = np.concatenate([gate_low, low, [0.0]])
    greatest = np.concatenate([gate_high, high, [2.0 * math.pi]])
    return np.concatenate([(least + greatest) / 2.0, (greatest - least) / 2.0])


def search_curved(
    family: CurvedFamily,
    *,
    radius_mm: float,
    tolerance_mm: float = TOLERANCE_MM,
    hints: tuple[Numbers, ...] = (),
    budget: int = BUDGET_BOXES,
    stop: Int[np.ndarray, " 1"] | None = None,
) -> CurvedResult:
    """Search the paths of a curved needle for the largest slack.

    Args:
        family: The paths.
        radius_mm: Radius of the cannula: slack below it is infeasible, and proving that is enough.
        tolerance_mm: Stop once bound and best are this close.
        hints: Straight lines known to be good.
        budget: Largest number of boxes.
        stop: Set to 1 from another thread to give up; what is proved by then holds.
    """
    arrays, space = family.lines.arrays, family.lines.scene.space
    _, start = _climbed(family, _starts(family, hints), CLIMB_MM)
    best, incumbent = _climbed(family, [start], NEAR_MM)
    boxes = _new_boxes(family, budget)
    owners = np.zeros(max(len(family.lines.scene.names), 1), dtype=np.int64)
    floors = np.array([radius_mm - FLOOR_GAP_MM])
    cancelled = np.zeros(1, dtype=np.int64) if stop is None else stop
    how = _kernels.BETTER
    while how == _kernels.BETTER:
        found = incumbent.copy()
        how, slack = _kernels.branch_curved(
            arrays, space, family.bend, boxes, found, best,
            (tolerance_mm, float(budget), BETTER_MM), floors, owners, cancelled,
        )  # fmt: skip
        if slack > best:
            best, incumbent = _climbed(family, [found], NEAR_MM)
    left = boxes.bound[boxes.heap[0]] if boxes.sizes[1] > 0 else -mesh_kernels.FAR
    upper = max(float(left), float(boxes.dropped[0]), best)
    names = family.lines.scene.names
    found_one = best > -mesh_kernels.FAR
    optimum = Optimum(line=incumbent, slack_mm=best, worth_mm=best)
    return CurvedResult(
        optima=(optimum,) if found_one else (), upper_bound_mm=upper, closed=how == _kernels.CLOSED,
        boxes_examined=int(boxes.sizes[2]),
        settled_by={n: int(c) for n, c in zip(names, owners, strict=False) if c > 0},
    )  # fmt: skip


def _new_boxes(family: CurvedFamily, budget: int) -> _kernels.CurvedBoxes:
    """Return room for the boxes of a search, its root on the heap."""
    most = 2 * budget + 3
    boxes = _kernels.CurvedBoxes(
        np.empty((most, 12)), np.empty(most), np.full(most, -1, np.int8), np.zeros(most, np.int32),
        np.array([1, 1, 0]), np.full(1, -mesh_kernels.FAR),
    )  # fmt: skip
    boxes.shape[0], boxes.bound[0] = family.root, tip_ceiling_mm(family)
    return boxes


def tip_ceiling_mm(family: CurvedFamily) -> float:
    """Return a bound on the slack at any tip, and so of any path: what the target itself leaves.

    In open space the boxes hardly come down to it. Cells of the target are halved: none has a point
    with more slack than its middle's plus how far its corners are from there.
    """
    lines = family.lines
    normals, offsets = lines.arrays.normals, lines.arrays.offsets
    low, high = lines.corners.min(axis=0), lines.corners.max(axis=0)
    middles, half = (low + high)[None] / 2.0, float((high - low).max()) / 2.0
    best = float(_slack_at(family, lines.corners.mean(axis=0)[None])[0])
    octants = np.array(list(product((-0.5, 0.5), repeat=3)))
    reach, above = math.sqrt(3.0) * half, mesh_kernels.FAR
    while reach > CEILING_GAP_MM and len(middles):
        middles = (middles[:, None] + half * octants).reshape(-1, 3)
        half, reach = 0.5 * half, 0.5 * reach
        beyond = (middles @ normals.T - offsets).max(axis=1)
        middles, beyond = middles[beyond <= reach], beyond[beyond <= reach]
        slack = _slack_at(family, middles)
        best = max(best, float(slack[beyond <= 0.0].max(initial=-mesh_kernels.FAR)))
        left = slack + reach > best + CEILING_GAP_MM
        middles, above = middles[left], float((slack[left] + reach).max(initial=best))
    upper = max(best + CEILING_GAP_MM, above)
    return min(upper, mesh_kernels.FAR) + family.bend.spare + _kernels.ROUNDING_MM


def _slack_at(family: CurvedFamily, points: Points) -> Float[np.ndarray, " n"]:
    """Return the slack at points in gate coordinates, by the triangles."""
    scene = family.lines.scene
    placed = scene.from_patient.points(family.in_patient(points))
    return np.array(
        [mesh_kernels.point_query(scene.tree, *p, mesh_kernels.FAR)[0] for p in placed.tolist()]
    )


def _starts(family: CurvedFamily, hints: tuple[Numbers, ...]) -> list[PathNumbers]:
    """Return paths to climb from: straight ones stopped early, and the best of a random sample."""
    lines, rolls = family.lines, 2.0 * math.pi * np.arange(ROLLS) / ROLLS
    early = []
    for x in hints:
        ends = lines.ends(x)
        if ends is None:
            continue
        tip = lines.gate.coordinates(lines.scene.from_patient.inverse().points(ends[1]))
        gate_point = np.array([x[0], x[1], 0.0])
        along = (tip - gate_point) / np.linalg.norm(tip - gate_point)
        early += [
            np.concatenate([x[:2], tip - back * along, [roll]])
            for back in BACK_MM
            for roll in rolls
        ]
    paths = np.vstack([*early, drawn(family)])
    slack = np.empty(len(paths))
    _kernels.curved_sample(lines.arrays, lines.scene.space, family.bend, paths, slack)
    order = np.argsort(-slack, kind="stable")
    likely = [paths[i] for i in order[:LIKELY] if slack[i] > -mesh_kernels.FAR]
    return _apart(likely)[:STARTS]


def drawn(family: CurvedFamily) -> Float[np.ndarray, "n 6"]:
    """Draw paths from window to target: gate point, tip, bend angle and roll at random.

    With v from gate point to tip, h = R (1 - cos s) and l = R sin s, a cannula that runs at
    ``asin(h / |v|)`` to v, away from the bend, stops ``sqrt(v^2 - h^2) - l`` beyond the gate.
    """
    rng, bend, corners = np.random.default_rng(SEED), family.bend, family.lines.corners
    low, high = np.array(family.lines.gate.window.bounds).reshape(2, 2)
    gate_points = np.column_stack([rng.uniform(low, high, (SAMPLES, 2)), np.zeros(SAMPLES)])
    tips = rng.dirichlet(np.full(len(corners), 0.5), SAMPLES) @ corners
    angle = bend.most * rng.uniform(0.0, 1.0, SAMPLES)
    v = tips - gate_points
    size = np.linalg.norm(v, axis=1)
    aside, ahead = bend.radius * (1.0 - np.cos(angle)), bend.radius * np.sin(angle)
    v, sine = v / size[:, None], aside / size
    across = np.cross(v, rng.normal(size=(SAMPLES, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    keep = (sine < 0.9) & (size * np.sqrt(np.maximum(1.0 - sine**2, 0.0)) > ahead + bend.least)
    v, across, sine = v[keep], across[keep], sine[keep, None]
    cosine = np.sqrt(1.0 - sine**2)
    along, normal = cosine * v - sine * across, cosine * across + sine * v
    stops = gate_points[keep] + (size[keep, None] * cosine - ahead[keep, None]) * along
    # The roll of a normal n about u: its parts along the first two axes carried from e3 to u.
    carry = 1.0 / (1.0 + along[:, 2])
    first = normal[:, 0] - normal[:, 2] * along[:, 0] * carry
    second = normal[:, 1] - normal[:, 2] * along[:, 1] * carry
    roll = np.arctan2(second, first) % (2.0 * math.pi)
    return np.column_stack([gate_points[keep, :2], stops, roll])


def _apart(paths: list[PathNumbers]) -> list[PathNumbers]:
    """Drop paths whose stop and roll are near those of a better one."""
    kept: list[PathNumbers] = []
    for y in paths:
        if all(np.abs(y[:5] - other[:5]).max() > APART_MM for other in kept):
            kept.append(y)
    return kept


def _climbed(
    family: CurvedFamily, starts: list[PathNumbers], step_mm: float
) -> tuple[float, PathNumbers]:
    """Climb from every start; return the best slack and its path."""
    rng = np.random.default_rng(SEED)
    moves = rng.normal(size=(CLIMB_ROUNDS, 6)) * (rng.uniform(size=(CLIMB_ROUNDS, 6)) < MOVED)
    moves[:, 5] *= ROLL_PER_MM
    best, where = -mesh_kernels.FAR, np.zeros(6)
    for start in starts:
        y = start.copy()
        slack = _kernels.curved_climb(
            family.lines.arrays, family.lines.scene.space, family.bend, y, step_mm, moves
        )
        if slack > best:
            best, where = float(slack), y
    return best, where
