"""A small world with a screw in a hollow bone, and a naive prover of its own, apart from the search.

The prover halves boxes best-first and tries a handful of t on every centre line: slow, and simple
enough to be believed. It shares nothing with ``planner.search``.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
import shapely
from jaxtyping import Float

from geometry._kernels import FAR, point_query, segment_query
from geometry.arrays import Point
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box, cylinder
from planner.approach import Gate
from planner.case import Case, Cylinder, Kind, Side, Structure
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.policy import meant_to_pass
from planner.prepared import PreparedCase
from planner.proof import (
    ClassProof,
    FamilyProof,
    Leaves,
    Proof,
    StructureDigest,
    Unsearched,
    Why,
    structure_digest,
)
from planner.question import STAND_OFF_MM, Question, question_of
from planner.request import FreePoint, PlanRequest
from planner.result import Status
from planner.target import TargetRegion

Numbers = Float[np.ndarray, " 4"]
Witness = tuple[float, float, int, int, float, float]  # t, weight, structure, face, u, v
Obstacle = tuple[int, MeshDistance, float]
CORNERS = np.array(list(product((-1.0, 1.0), repeat=4)))
BUDGET = 1200
RADIUS_MM = 9.0  # of the ball that holds the target region
Proved = tuple[Case, PlanRequest, Proof]


@dataclass(frozen=True)
class Leaf:
    """A box of lines, and what is known of it."""

    level: tuple[int, ...]
    index: tuple[int, ...]
    why: Why
    reach: float = 0.0
    bound: float = -math.inf
    witnesses: tuple[Witness, ...] = ()


def _box(centre: tuple[float, ...], size: tuple[float, ...]) -> TriangleMesh:
    return box(np.array(centre, dtype=np.float64), np.array(size, dtype=np.float64))


def _small_case(*, skin: bool = True, closed: bool = True, shaft_mm: float = 6.0) -> Case:
    """Return a hollow box of bone with a screw in it, and a canal and a vessel behind it."""
    outer, inner = _box((0, 0, 0), (60, 50, 60)), _box((0, -9, 0), (40, 22, 40))
    faces = np.concatenate([outer.faces, inner.faces[:, ::-1] + len(outer.vertices)])
    bone = triangle_mesh(
        np.concatenate([outer.vertices, inner.vertices]), faces if closed else faces[:-1]
    )
    head, tip = np.array([0.0, 30.0, 0.0]), np.array([0.0, -3.0, 0.0])
    structures = [
        Structure(name="ilium", kind=Kind.ILIUM, mesh=bone),
        Structure(
            name="screw", kind=Kind.SCREW, mesh=cylinder(head, tip, shaft_mm), level="S1",
            side=Side.LEFT, primitive=Cylinder(head_mm=head, tip_mm=tip, diameter_mm=shaft_mm),
        ),
        Structure(name="canal", kind=Kind.CANAL, mesh=_box((0, 33, 22), (80, 10, 16))),
        Structure(name="vessel", kind=Kind.VESSEL, mesh=_box((22, 38, 0), (12, 8, 60))),
    ]  # fmt: skip
    if skin:
        body = _box((0, -10, 0), (240, 150, 240))
        structures.append(Structure(name="skin", kind=Kind.SKIN, mesh=body))
    return Case(name="small", structures=tuple(structures), digest="c" * 64)


REQUEST = PlanRequest(
    target=FreePoint(position_mm=np.array([4.0, -20.0, 5.0]), tolerance_mm=RADIUS_MM),
    needles=("15G-100", "curved-13G-in-10G"), certificate_tolerance_mm=2.0, digest="r" * 64,
)  # fmt: skip


class Prover:
    """Proves one family, naively."""

    def __init__(self, question: Question, gate: Gate, needle: Needle) -> None:
        region, prepared = question.region, question.prepared
        assert isinstance(region, TargetRegion)
        case = prepared.case
        through = meant_to_pass(case, question.bone)
        self.gate, self.needle, self.region = gate, needle, region
        self.reach_mm = float(gate.coordinates(region.centre_mm)[2])
        hard = [(i, s, question.policy.rule(s.kind).hard_mm) for i, s in enumerate(case.structures)]
        self.obstacles = [
            (i, prepared.distance(s), h)
            for i, s, h in hard
            if h is not None and s.name not in through
        ]
        self.bone = prepared.distance(question.bone)
        self.skins = [prepared.distance(s) for s in case.of_kind(Kind.SKIN)]
        self.posterior = question.axes[1]
        self.behind = float((question.bone.mesh.vertices @ self.posterior).max()) + STAND_OFF_MM
        self.low, self.high = self._root()
        self.best: tuple[float, np.ndarray] | None = None

    def _root(self) -> tuple[Numbers, Numbers]:
        a0, b0, a1, b1 = self.gate.window.bounds
        cone = np.array([self.gate.lateral_slopes, self.gate.cranial_slopes])
        centre = self.gate.coordinates(self.region.centre_mm)[:2]
        low = centre - RADIUS_MM - RADIUS_MM * np.abs(cone).max(axis=1)
        high = centre + RADIUS_MM + RADIUS_MM * np.abs(cone).max(axis=1)
        return np.array([a0, b0, *low]), np.array([a1, b1, *high])

    def point(self, x: np.ndarray, t: float) -> np.ndarray:
        """Return the point at t of one line, or of each of several."""
        across = ((1 - t) * x[..., :2] + t * x[..., 2:]) @ self.gate.axes[:2]
        return self.gate.origin_mm + across + t * self.reach_mm * self.gate.axes[2]

    def span(self, level: tuple[int, ...], index: tuple[int, ...]) -> tuple[Numbers, Numbers]:
        width = (self.high - self.low) / np.exp2(level)
        return self.low + width * (np.array(index) + 0.5), width / 2.0

    def examined(self, level: tuple[int, ...], index: tuple[int, ...]) -> Leaf:
        x, h = self.span(level, index)
        least, most = x - h, x + h
        if shapely.box(*least[:2], *most[:2]).disjoint(self.gate.window):
            return Leaf(level, index, Why.OUTSIDE_WINDOW)
        cone = np.array([self.gate.lateral_slopes, self.gate.cranial_slopes]) * self.reach_mm
        if np.any(most[2:] - least[:2] < cone[:, 0]) or np.any(least[2:] - most[:2] > cone[:, 1]):
            return Leaf(level, index, Why.OUTSIDE_CONE)
        first, last = self._interval(x, h)
        if first > last:
            return Leaf(level, index, Why.MISSES_TARGET)
        reach = self._reach(x, h, first, last)
        across = np.maximum(np.abs(x[2:] - x[:2]) - h[2:] - h[:2], 0.0)
        shortest = math.hypot(*across, self.reach_mm)
        back = reach - self.needle.usable_length_mm / shortest
        if back >= 0.0 or self._in_body(x, h, back):
            return Leaf(level, index, Why.TOO_LONG, reach)
        bound, witnesses = self._bound(x, h, reach, back)
        return Leaf(level, index, Why.WITNESSES, reach, bound, witnesses)

    def _interval(self, x: Numbers, h: Numbers) -> tuple[float, float]:
        """Return the first and last t at which some line of the box may be in the region."""
        first, last = 0.0, math.inf
        for normal, offset in zip(self.region.normals, self.region.offsets, strict=True):
            spread = np.abs(self.gate.axes[:2] @ normal)
            g = normal @ self.point(x, 0.0) - offset
            a = normal @ self.point(x, 1.0) - offset
            g0, g1, a0 = g - spread @ h[:2], g + spread @ h[:2], a - spread @ h[2:]
            if g0 > 0.0 and a0 > 0.0:
                first = max(first, g1 / (g1 - a0)) if a0 < g1 else math.inf
            elif g0 > 0.0:
                first = max(first, g0 / (g0 - a0))
            elif a0 > 0.0 and a0 >= g1:
                last = min(last, g0 / (g0 - a0))
        return first, last

    def _reach(self, x: Numbers, h: Numbers, first: float, last: float) -> float:
        """Go on from ``first`` while all lines of the box are in the bone's hollow."""
        if not self.bone.mesh.is_closed or self.bone.contains(self.point(x, first)):
            return first
        steps = np.linspace(first, min(last, first + 0.5), 11)[1:]
        return max((t for t in steps if self._misses(self.bone, x, h, first, t)), default=first)

    def _misses(self, surface: MeshDistance, x: Numbers, h: Numbers, t0: float, t1: float) -> bool:
        width = max(self._rho(h, t0), self._rho(h, t1)) + 1e-7
        return bool(segment_query(surface.tree, self.point(x, t0), self.point(x, t1), width)[1] < 0)

    def _rho(self, h: Numbers, t: float) -> float:
        return math.hypot(*(abs(1.0 - t) * h[:2] + abs(t) * h[2:]))

    def _in_body(self, x: Numbers, h: Numbers, t: float) -> bool:
        if self.skins:
            return all(self._misses(skin, x, h, t, 0.0) for skin in self.skins)
        ends = [self.posterior @ self.point(x, s) + self._rho(h, s) for s in (t, 0.0)]
        return max(ends) <= self.behind - 1e-7

    def _bound(
        self, x: Numbers, h: Numbers, reach: float, back: float
    ) -> tuple[float, tuple[Witness, ...]]:
        """Return the least bound by one witness, or by two of them with some weights."""
        ts = [reach * f for f in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
        behind = [t for t in np.linspace(0.0, max(back, -2.0), 9)[1:] if self._in_body(x, h, t)]
        deep, shallow = self.point(x, reach), self.point(x, min(behind, default=0.0))
        for _, surface, _ in self.obstacles:  # where the centre line is nearest to each
            s = segment_query(surface.tree, deep, shallow, FAR)[2]
            ts.append(reach + s * (min(behind, default=0.0) - reach))
        seen = [self._witness(x, h, t, o) for t in (*ts, *behind) for o in self.obstacles]
        seen.sort(key=lambda witness: witness[0].max())
        best = seen[0][0].max()
        chosen: tuple[Witness, ...] = (seen[0][1],)
        for (one, w1), (two, w2) in combinations(seen[:4], 2):
            for share in (0.25, 0.5, 0.75):
                mixed = (share * one + (1.0 - share) * two).max()
                if mixed < best:
                    best = mixed
                    chosen = ((w1[0], share, *w1[2:]), (w2[0], 1.0 - share, *w2[2:]))
        return float(best), chosen

    def _witness(
        self, x: Numbers, h: Numbers, t: float, obstacle: Obstacle
    ) -> tuple[np.ndarray, Witness]:
        """Return the 16 corner values of the obstacle's point nearest to the centre line at t."""
        structure, surface, required = obstacle
        _, found, *q = point_query(surface.tree, *self.point(x, t), FAR)
        v0, v1, v2 = surface.tree.corners[found]
        uv = np.linalg.lstsq(np.stack([v1 - v0, v2 - v0], axis=1), np.array(q) - v0, rcond=None)[0]
        u, v = np.maximum(uv, 0.0) / max(1.0, np.maximum(uv, 0.0).sum() * (1.0 + 1e-15))
        at = v0 + u * (v1 - v0) + v * (v2 - v0)
        values = np.linalg.norm(self.point(x + CORNERS * h, t) - at, axis=1) - required
        face = int(surface.tree.face[found])
        return values, (float(t), 1.0, structure, face, float(u), float(v))

    def _tried(self, x: Numbers) -> None:
        """Keep the path along ``x`` if it is one and the best so far."""
        inside = self.gate.window.contains(shapely.Point(x[:2]))
        slopes = (x[2:] - x[:2]) / self.reach_mm
        cone = np.array([self.gate.lateral_slopes, self.gate.cranial_slopes])
        if not inside or np.any(slopes < cone[:, 0]) or np.any(slopes > cone[:, 1]):
            return
        entry, tip = self._entry(x), self._tip(x)
        if (
            tip is None
            or entry is None
            or np.linalg.norm(tip - entry) > self.needle.usable_length_mm
        ):
            return
        distances = [d.segment(entry, tip).distance_mm - h for _, d, h in self.obstacles]
        margin = min(distances) - self.needle.radius_mm
        if self.best is None or margin > self.best[0]:
            self.best = (margin, np.stack([entry, tip]))

    def _tip(self, x: Numbers) -> Point | None:
        """Return where a line first is in the region and in bone."""
        gate, step = self.point(x, 0.0), self.point(x, 1.0) - self.point(x, 0.0)
        room, rate = self.region.offsets - self.region.normals @ gate, self.region.normals @ step
        first = max(0.0, (room / rate)[rate < 0.0].max())
        last = (room / rate)[rate > 0.0].min()
        start, end = gate + first * step, gate + last * step
        if first > last or not self.bone.mesh.is_closed or self.bone.contains(start):
            return start if first <= last else None
        walls = self.bone.crossings(start, end)
        return start + walls[0] * (end - start) if len(walls) else None

    def _entry(self, x: Numbers) -> Point | None:
        start, end = self.point(x, 0.0), self.point(x, -10.0)
        if self.skins:
            hits = self.skins[0].crossings(start, end)
            return start + hits[0] * (end - start) if len(hits) else None
        near, far = self.posterior @ start, self.posterior @ end
        return start + (self.behind - near) / (far - near) * (end - start) if far > near else None

    def proved(self, tolerance_mm: float) -> FamilyProof:
        """Halve the box of the largest bound until it is settled, or the budget is spent."""
        open_: list[tuple[float, int, Leaf]] = [(-math.inf, 0, self.examined((0,) * 4, (0,) * 4))]
        done: list[Leaf] = []
        for number in range(1, BUDGET):
            _, _, leaf = open_[0]
            best = self.best[0] if self.best else -math.inf
            enough = max(best + tolerance_mm, 0.0) + self.needle.radius_mm
            if leaf.bound < enough:
                break
            heapq.heappop(open_)
            x, h = self.span(leaf.level, leaf.index)
            self._tried(x)
            axis = self._axis(leaf, h)
            for half in (0, 1):
                level = tuple(n + (k == axis) for k, n in enumerate(leaf.level))
                index = tuple(2 * n + half if k == axis else n for k, n in enumerate(leaf.index))
                child = self.examined(level, index)
                if child.why is not Why.WITNESSES:
                    done.append(child)
                else:
                    heapq.heappush(open_, (-child.bound, 2 * number + half, child))
        return self._family([*done, *(leaf for _, _, leaf in open_)])

    def _axis(self, leaf: Leaf, h: Numbers) -> int:
        """Return the number that moves the point at the first witness most."""
        t = leaf.witnesses[0][0]
        moves = h * np.array([abs(1 - t), abs(1 - t), abs(t), abs(t)])
        return int(np.argmax(moves if moves.max() > 0.15 * h.max() else h))

    def _family(self, found: list[Leaf]) -> FamilyProof:
        rows = [w for leaf in found for w in leaf.witnesses]
        table = np.array(rows, dtype=np.float64).reshape(-1, 6)
        bounds = np.array([leaf.bound for leaf in found])
        leaves = Leaves(
            level=np.array([leaf.level for leaf in found], dtype=np.uint8),
            index=np.array([leaf.index for leaf in found], dtype=np.uint32),
            why=np.array([leaf.why for leaf in found], dtype=np.uint8),
            bound_mm=bounds,
            reach_t=np.array([leaf.reach for leaf in found]),
            first_witness=np.cumsum([0, *(len(leaf.witnesses) for leaf in found)]),
            t=table[:, 0], weight=table[:, 1], structure=table[:, 2].astype(np.uint16),
            face=table[:, 3].astype(np.uint32), uv=table[:, 4:],
        )  # fmt: skip
        gate = self.gate
        return FamilyProof(
            origin_mm=gate.origin_mm, axes=gate.axes, window=gate.window,
            lateral_slopes=gate.lateral_slopes, cranial_slopes=gate.cranial_slopes,
            normals=self.region.normals, offsets=self.region.offsets, reach_mm=self.reach_mm,
            usable_length_mm=self.needle.usable_length_mm, low=self.low, high=self.high,
            upper_bound_mm=float(bounds.max()), leaves=leaves,
        )  # fmt: skip


def _class_of(prover: Prover, family: FamilyProof, tolerance_mm: float) -> ClassProof:
    """Say of a family what it shows for its needle."""
    needle, gate = prover.needle, prover.gate
    best, path = prover.best or (None, None)
    upper = family.upper_bound_mm - needle.radius_mm
    upper = upper if best is None else max(upper, best)
    status = Status.INFEASIBLE if upper < 0.0 else Status.STOPPED
    if best is not None and best >= 0.0 and upper - best <= tolerance_mm:
        status = Status.FOUND
    return ClassProof(
        approach=gate.approach, side=gate.side, needle=needle.name, radius_mm=needle.radius_mm,
        family=0, status=status, best_margin_mm=best, upper_bound_mm=upper, best_path=path,
    )  # fmt: skip


def _proved(case: Case, request: PlanRequest = REQUEST) -> Proved:
    """Prove what can be said about a case with one class that has a gate."""
    question = question_of(PreparedCase(case), request)
    needles = [needle_named(name) for name in request.needles]
    [(gate, needle)], gateless = gates_for(question, request.approaches, request.sides, needles)
    prover = Prover(question, gate, needle)
    family = prover.proved(request.certificate_tolerance_mm)
    proof = Proof(
        case_digest=case.digest, request_digest=request.digest, planner_version="0",
        structures=tuple(
            StructureDigest(name=s.name, digest=structure_digest(s.mesh)) for s in case.structures
        ),
        families=(family,),
        classes=(_class_of(prover, family, request.certificate_tolerance_mm),),
        unsearched=tuple(
            Unsearched(approach=g.approach, side=g.side, needle=g.needle.name, reason=g.why.reason)
            for g in gateless
        ),
    )  # fmt: skip
    return case, request, proof


@pytest.fixture(scope="session")
def small_case() -> Callable[..., Case]:
    """Return the maker of the small world."""
    return _small_case


@pytest.fixture(scope="session")
def request_() -> PlanRequest:
    """Return a request with one class that has a gate."""
    return REQUEST


@pytest.fixture(scope="session")
def prove() -> Callable[..., Proved]:
    """Return the naive prover."""
    return _proved


@pytest.fixture(scope="session")
def proved() -> Proved:
    """Return the small world, the request and a true proof."""
    return _proved(_small_case())
