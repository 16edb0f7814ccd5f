"""A naive prover, apart from the search.

It halves boxes best-first and tries a handful of t, and of rules, on every centre line:
slow, and simple enough to be believed. It shares nothing with ``planner.search``.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import shapely
from jaxtyping import Float

from geometry._kernels import FAR, point_query, segment_query
from geometry.arrays import Point
from geometry.exact import MeshDistance
from planner.anatomy.model import Unavailable
from planner.approach import Gate
from planner.case import Case, Kind
from planner.gates import GatelessClass, gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.policy import meant_to_pass
from planner.prepared import PreparedCase
from planner.proof import (
    LENGTH_RULE,
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
from planner.request import PlanRequest
from planner.result import Status
from planner.target import TargetRegion
from tests.planner.proof.faces import face_of
from tests.planner.proof.planes import NO_PLANE, Bundle
from tests.planner.proof.world import REQUEST

Box = tuple[int, Float[np.ndarray, " 4"], Float[np.ndarray, " 4"]]  # face, centre, half-widths
Numbers = Float[np.ndarray, " 4"]
Witness = tuple[float, float, int, int, float, float]  # t, weight, structure, face, u, v
Obstacle = tuple[int, MeshDistance, float]
CORNERS = np.array(list(product((-1.0, 1.0), repeat=4)))
Proved = tuple[Case, PlanRequest, Proof]


@dataclass(frozen=True)
class Leaf:
    """A box of lines, and what is known of it."""

    face: int
    level: tuple[int, ...]
    index: tuple[int, ...]
    why: Why
    reach: float = 1.0
    back: float = 0.0
    beyond: float = 0.0
    plane: tuple[float, ...] = NO_PLANE
    bound: float = -math.inf
    witnesses: tuple[Witness, ...] = ()
    rules: tuple[tuple[int, float], ...] = ()


class Prover:
    """Proves one family, naively."""

    def __init__(self, question: Question, gate: Gate, needle: Needle) -> None:
        region, prepared = question.region, question.prepared
        assert isinstance(region, TargetRegion)
        case = prepared.case
        through = meant_to_pass(case, question.bone)
        self.gate, self.needle, self.region = gate, needle, region
        self.reach_mm = max(float(gate.coordinates(region.centre_mm)[2]), 5.0)
        hard = [(i, s, question.policy.rule_of(s).hard_mm) for i, s in enumerate(case.structures)]
        self.obstacles = [
            (i, prepared.distance(s), h)
            for i, s, h in hard
            if h is not None and s.name not in through
        ]
        self.bone = prepared.distance(question.bone)
        self.skins = [prepared.distance(s) for s in case.of_kind(Kind.SKIN)]
        self.posterior = question.axes[1]
        self.behind = float((question.bone.mesh.vertices @ self.posterior).max()) + STAND_OFF_MM
        planes = [None, *range(len(region.offsets))]
        faces = [face_of(gate, region, self.reach_mm, plane) for plane in planes]
        self.faces = [face for face in faces if face is not None]
        self.best: tuple[float, np.ndarray] | None = None

    def ends(self, face: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return P and Q of one line, or of each of several."""
        to = self.faces[face]
        first = self.gate.origin_mm + x[..., :2] @ self.gate.axes[:2]
        return first, to.origin_mm + x[..., 2:] @ to.axes

    def point(self, face: int, x: np.ndarray, t: float) -> np.ndarray:
        first, second = self.ends(face, x)
        return (1.0 - t) * first + t * second

    def span(self, face: int, level: tuple[int, ...], index: tuple[int, ...]) -> tuple[Numbers, Numbers]:  # fmt: skip
        low, high = self.faces[face].low, self.faces[face].high
        width = (high - low) / np.exp2(level)
        return low + width * (np.array(index) + 0.5), width / 2.0

    def examined(self, face: int, level: tuple[int, ...], index: tuple[int, ...]) -> Leaf:
        x, h = self.span(face, level, index)
        if shapely.box(*(x - h)[:2], *(x + h)[:2]).disjoint(self.gate.window):
            return Leaf(face, level, index, Why.OUTSIDE_WINDOW)
        rules = self.faces[face].rules
        if np.any(rules[:, :4] @ x - np.abs(rules[:, :4]) @ h > rules[:, 4] + 1e-7):
            return Leaf(face, level, index, Why.BREAKS_RULE)
        box = (face, x, h)
        reach = self._reach(box)
        heights = self.region.normals @ self.point(face, x, reach) - self.region.offsets
        if np.any(heights > self._rho(h, reach) + 1e-7):
            return Leaf(face, level, index, Why.NO_TIP, reach)
        first, second = self.ends(face, x)
        shortest = float(np.linalg.norm(second - first)) - self._rho(h, 0.0) - self._rho(h, 1.0)
        needed = reach - (self.needle.usable_length_mm + 1e-6) / max(shortest, 1e-6)
        if shortest > 0.0 and (needed >= 0.0 or self._in_body(box, needed)):
            return Leaf(face, level, index, Why.TOO_LONG, reach, min(needed, 0.0))
        backs = [t for t in np.linspace(0.0, max(needed, -4.0), 9) if self._in_body(box, t)]
        # Planes make for short proofs: with few of them, there is something of everything.
        deep = sum(level) > 11 and sum(index) % 3 == 0
        beyond, plane = self._plane(box, min(backs)) if deep else (0.0, NO_PLANE)
        bound, witnesses, weighed = self._bound(box, reach, backs, plane)
        return Leaf(
            face, level, index, Why.BOUNDED, reach, min(backs), beyond, plane, bound, witnesses,
            weighed,
        )  # fmt: skip

    def _plane(self, box: Box, back: float) -> tuple[float, tuple[float, ...]]:
        """Return beyond_t and the plane before the skin, if one is known."""
        if not self.skins:
            return back, (*self.posterior, self.behind)
        flat = float((self.skins[0].mesh.vertices @ self.posterior).max())
        corners = box[1] + CORNERS * box[2]
        return self._bundle(box).flat_back(self.posterior, flat, back, corners)

    def _bundle(self, box: Box) -> Bundle:
        return Bundle(lambda y: self.ends(box[0], y), box[1], box[2])

    def _reach(self, box: Box) -> float:
        """Go on from the face while all lines of the box are in the bone's hollow."""
        face, x, _ = box
        tip = 0.0 if self.faces[face].plane is None else 1.0
        if not self.bone.mesh.is_closed or self.bone.contains(self.point(face, x, tip)):
            return tip
        steps = np.linspace(tip, tip + 0.6, 16)[1:]
        return max((t for t in steps if self._misses(self.bone, box, tip, t)), default=tip)

    def _misses(self, surface: MeshDistance, box: Box, t0: float, t1: float) -> bool:
        face, x, h = box
        width = max(self._rho(h, t0), self._rho(h, t1)) + 1e-7
        ends = self.point(face, x, t0), self.point(face, x, t1)
        return bool(segment_query(surface.tree, *ends, width)[1] < 0)

    def _rho(self, h: Numbers, t: float) -> float:
        return abs(1.0 - t) * math.hypot(*h[:2]) + abs(t) * math.hypot(*h[2:])

    def _in_body(self, box: Box, t: float) -> bool:
        if t == 0.0:
            return True
        if self.skins:
            return all(self._misses(skin, box, t, 0.0) for skin in self.skins)
        face, x, h = box
        ends = [self.posterior @ self.point(face, x, s) + self._rho(h, s) for s in (t, 0.0)]
        return max(ends) <= self.behind - 1e-7

    def _bound(
        self, box: Box, reach: float, backs: list[float], plane: tuple[float, ...]
    ) -> tuple[float, tuple[Witness, ...], tuple[tuple[int, float], ...]]:
        """Return the least bound by one or two witnesses with some weights, and by some rules."""
        face, x, h = box
        ts = [*backs, *(reach * f for f in (0.2, 0.4, 0.6, 0.8, 1.0))]
        deep, shallow = self.point(face, x, reach), self.point(face, x, min(backs))
        for _, surface, _ in self.obstacles:  # where the centre line is nearest to each
            s = segment_query(surface.tree, deep, shallow, FAR)[2]
            ts.append(min(max(reach + s * (min(backs) - reach), min(backs)), reach))
        seen = [self._witness(box, t, o) for t in ts for o in self.obstacles]
        seen.sort(key=lambda witness: witness[0].max())
        values = seen[0][0]
        chosen: tuple[Witness, ...] = (seen[0][1],)
        for (one, w1), (two, w2) in combinations(seen[:4], 2):
            for share in (0.25, 0.5, 0.75):
                mixed = share * one + (1.0 - share) * two
                if mixed.max() < values.max():
                    values = mixed
                    chosen = ((w1[0], share, *w1[2:]), (w2[0], 1.0 - share, *w2[2:]))
        corners = x + CORNERS * h
        weighed: list[tuple[int, float]] = []
        for rule, room in enumerate(self._rooms(box, reach, min(backs), plane)):
            for mu in (1.0, 0.3, 0.1):
                if (values + mu * room(corners)).max() < values.max() - 1e-3:
                    values = values + mu * room(corners)
                    weighed.append((rule, mu))
                    break
        last = len(self.faces[face].rules)
        rules = tuple((LENGTH_RULE if r == last else r, mu) for r, mu in weighed)
        return float(values.max()), tuple(chosen), rules

    def _rooms(
        self, box: Box, reach: float, back: float, plane: tuple[float, ...]
    ) -> list[Callable[..., np.ndarray]]:
        """Return what is left under every rule of a face, and under the needle's length, last."""
        face, x, _ = box
        first, second = self.ends(face, x)
        along = (reach - back) * (second - first) / np.linalg.norm(second - first)
        rooms: list[Callable[..., np.ndarray]] = [
            lambda y, row=row: row[4] - y @ row[:4] for row in self.faces[face].rules
        ]

        def length(y: np.ndarray) -> np.ndarray:
            gate, end = self.ends(face, y)
            return self.needle.usable_length_mm - (end - gate) @ along

        if any(plane):
            usable = self.needle.usable_length_mm
            return [*rooms, self._bundle(box).left_of_length(reach, plane, usable)]
        return [*rooms, length]

    def _witness(self, box: Box, t: float, obstacle: Obstacle) -> tuple[np.ndarray, Witness]:
        """Return the 16 corner values of the obstacle's point nearest to the centre line at t."""
        (face, x, h), (structure, surface, required) = box, obstacle
        _, found, *q = point_query(surface.tree, *self.point(face, x, t), FAR)
        v0, v1, v2 = surface.tree.corners[found]
        uv = np.linalg.lstsq(np.stack([v1 - v0, v2 - v0], axis=1), np.array(q) - v0, rcond=None)[0]
        u, v = np.maximum(uv, 0.0) / max(1.0, np.maximum(uv, 0.0).sum() * (1.0 + 1e-15))
        at = v0 + u * (v1 - v0) + v * (v2 - v0)
        values = np.linalg.norm(self.point(face, x + CORNERS * h, t) - at, axis=1) - required
        triangle = int(surface.tree.face[found])
        return values, (float(t), 1.0, structure, triangle, float(u), float(v))

    def tried(self, face: int, x: Numbers) -> None:
        """Keep the path along a line if it is one and the best so far."""
        path = self.path(*self.ends(face, x))
        if path is not None:
            margin = self.slack(path) - self.needle.radius_mm
            if self.best is None or margin > self.best[0]:
                self.best = (margin, path)

    def path(self, first: Point, second: Point) -> np.ndarray | None:
        """Return entry and tip of the path along a line, or None if it is no path."""
        step = (second - first) / ((second - first) @ self.gate.axes[2])
        slopes = self.gate.axes[:2] @ step
        cone = np.array([self.gate.lateral_slopes, self.gate.cranial_slopes])
        inside = self.gate.window.contains(shapely.Point(self.gate.coordinates(first)[:2]))
        if not inside or np.any(slopes < cone[:, 0]) or np.any(slopes > cone[:, 1]):
            return None
        entry, tip = self._entry(first, step), self._tip(first, step)
        if tip is None or entry is None:
            return None
        too_long = np.linalg.norm(tip - entry) > self.needle.usable_length_mm
        return None if too_long else np.stack([entry, tip])

    def slack(self, path: np.ndarray) -> float:
        return min(d.segment(*path).distance_mm - h for _, d, h in self.obstacles)

    def _tip(self, gate: Point, step: Point) -> Point | None:
        """Return where a line first is in the region and in bone."""
        room, rate = self.region.offsets - self.region.normals @ gate, self.region.normals @ step
        first = max(0.0, (room / rate)[rate < 0.0].max())
        last = (room / rate)[rate > 0.0].min()
        start, end = gate + first * step, gate + last * step
        if first > last or not self.bone.mesh.is_closed or self.bone.contains(start):
            return start if first <= last else None
        walls = self.bone.crossings(start, end)
        return start + walls[0] * (end - start) if len(walls) else None

    def _entry(self, start: Point, step: Point) -> Point | None:
        end = start - 300.0 * step
        if self.skins:
            hits = self.skins[0].crossings(start, end)
            return start + hits[0] * (end - start) if len(hits) else None
        near, far = self.posterior @ start, self.posterior @ end
        return start + (self.behind - near) / (far - near) * (end - start) if far > near else None

    def proved(self, tolerance_mm: float, budget: int) -> FamilyProof:
        """Halve the box of the largest bound until it is settled, or the budget is spent."""
        roots = [self.examined(k, (0,) * 4, (0,) * 4) for k in range(len(self.faces))]
        waiting = [(-leaf.bound, k, leaf) for k, leaf in enumerate(roots) if leaf.witnesses]
        done = [leaf for leaf in roots if not leaf.witnesses]
        heapq.heapify(waiting)
        for number in range(len(roots), budget):
            best = self.best[0] if self.best else -math.inf
            enough = max(best + tolerance_mm, 0.0) + self.needle.radius_mm
            if not waiting or waiting[0][2].bound < enough:
                break
            leaf = heapq.heappop(waiting)[2]
            x, h = self.span(leaf.face, leaf.level, leaf.index)
            self.tried(leaf.face, x)
            axis = self._axis(leaf, h)
            for half in (0, 1):
                level = tuple(n + (k == axis) for k, n in enumerate(leaf.level))
                index = tuple(2 * n + half if k == axis else n for k, n in enumerate(leaf.index))
                child = self.examined(leaf.face, level, index)
                if child.why is not Why.BOUNDED:
                    done.append(child)
                else:
                    heapq.heappush(waiting, (-child.bound, 2 * number + half, child))
        return self._family([*done, *(leaf for _, _, leaf in waiting)])

    def _axis(self, leaf: Leaf, h: Numbers) -> int:
        """Return the number that moves the point at the first witness most."""
        t = leaf.witnesses[0][0]
        moves = h * np.array([abs(1 - t), abs(1 - t), abs(t), abs(t)])
        return int(np.argmax(moves if moves.max() > 0.15 * h.max() else h))

    def _family(self, found: list[Leaf]) -> FamilyProof:
        rows = [w for leaf in found for w in leaf.witnesses]
        weighed = [w for leaf in found for w in leaf.rules]
        table = np.array(rows, dtype=np.float64).reshape(-1, 6)
        bounds = np.array([leaf.bound for leaf in found])
        leaves = Leaves(
            face_of=np.array([leaf.face for leaf in found], dtype=np.uint8),
            level=np.array([leaf.level for leaf in found], dtype=np.uint8),
            index=np.array([leaf.index for leaf in found], dtype=np.uint32),
            why=np.array([leaf.why for leaf in found], dtype=np.uint8),
            bound_mm=bounds,
            reach_t=np.array([leaf.reach for leaf in found]),
            back_t=np.array([leaf.back for leaf in found]),
            beyond_t=np.array([leaf.beyond for leaf in found]),
            plane=np.array([leaf.plane for leaf in found]),
            first_witness=np.cumsum([0, *(len(leaf.witnesses) for leaf in found)]),
            t=table[:, 0], weight=table[:, 1], structure=table[:, 2].astype(np.uint16),
            face=table[:, 3].astype(np.uint32), uv=table[:, 4:],
            first_rule=np.cumsum([0, *(len(leaf.rules) for leaf in found)]),
            rule=np.array([rule for rule, _ in weighed], dtype=np.uint16),
            mu=np.array([mu for _, mu in weighed], dtype=np.float64),
        )  # fmt: skip
        gate = self.gate
        return FamilyProof(
            origin_mm=gate.origin_mm, axes=gate.axes, window=gate.window,
            lateral_slopes=gate.lateral_slopes, cranial_slopes=gate.cranial_slopes,
            normals=self.region.normals, offsets=self.region.offsets, reach_mm=self.reach_mm,
            usable_length_mm=self.needle.usable_length_mm, faces=tuple(self.faces),
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


def prover_of(case: Case, request: PlanRequest) -> tuple[Prover, list[GatelessClass]]:
    """Return the prover of the one class that has a gate, and the other classes."""
    question = question_of(PreparedCase(case), request)
    needles = [needle_named(name) for name in request.needles]
    classes, gateless = gates_for(question, request.approaches, request.sides, needles)
    [(gate, needle)] = [(g, n) for g, n in classes if n.curved is None]
    curved = Unavailable(reason="curved")
    gateless += [
        GatelessClass(approach=g.approach, side=g.side, needle=n, why=curved)
        for g, n in classes
        if n.curved is not None
    ]
    return Prover(question, gate, needle), gateless


def proof_of(case: Case, request: PlanRequest = REQUEST, budget: int = 1000) -> Proved:
    """Prove what can be said about a case with one class that has a gate."""
    prover, gateless = prover_of(case, request)
    family = prover.proved(request.certificate_tolerance_mm, budget)
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
