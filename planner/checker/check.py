"""Checks a proof against the case and the request, without the search that made it.

What it is about is compared in ``statement``; that root boxes hold every line is shown in
``faces``, how long paths are in ``skin``. Here leaves are shown to fill these boxes and
to prove their bounds, rule by rule.

Of a line ``x = (a, b, c, d)`` (``proof.model``) the point at t is ``p_x(t) = (1 - t) P + t Q``,
linear in x. A path starts at its *entry*, where the line, followed backwards from t = 0, first
meets the skin, and ends at its *tip*, the first t >= 0 in the target and in a *holder* (bone, halo,
lesion). Its slack is the least ``|p_x(t) - q| - required(q)`` for its t and obstacles' points q.

A box of half-widths h about x0 moves the point at t by at most
``rho(t) = |1-t| hypot(h_a, h_b) + |t| hypot(h_c, h_d)``, which is convex in t. All points of its
lines between t0 and t1, their *tube*, lie within ``max(rho(t0), rho(t1))`` of the segment from
``p_x0(t0)`` to ``p_x0(t1)``: a surface that is further away from the segment meets none of them.

All is shown for lines that keep to window, cone, region and length with ``ROUNDING_MM`` to spare:
that much float64 may blur the rules of a face (``faces``).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import shapely
from jaxtyping import Float

from geometry._kernels import segment_query
from geometry.arrays import Points
from geometry.exact import MeshDistance
from planner.case import Case
from planner.checker.faces import Boxes, Holds, PerLeaf, boxes_of, face_failures
from planner.checker.skin import entries_beyond, length_rows, planes_in_use, too_long
from planner.checker.statement import (
    EQUAL,
    EQUAL_MM,
    ROUNDING_MM,
    Space,
    identity_failures,
    space_of,
    statement_failures,
)  # fmt: skip
from planner.prepared import PreparedCase
from planner.proof import LENGTH_RULE, FamilyProof, Leaves, Proof, Why
from planner.request import PlanRequest

Surfaces = tuple[MeshDistance, ...]
LOST = 1e-14  # of the terms of a sum, by rounding: added to the room under a rule
RUNNING = {Why.BOUNDED, Why.NO_TIP, Why.TOO_LONG}  # these claims rest on how far paths run


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyReport:
    """What was checked of one family: its leaves show that no path has more slack than bound_mm."""

    leaves: int
    by_why: tuple[int, ...]  # how many of them claim each Why, in its order
    tubes: int  # how many were measured against a surface
    bound_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What was checked, and each way in which the proof fails, as a sentence."""

    families: tuple[FamilyReport, ...]
    failures: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the proof proves what it claims."""
        return not self.failures


def check_proof(case: Case | PreparedCase, request: PlanRequest, proof: Proof) -> CheckReport:
    """Check that a proof is about this case and request, and that it proves what it claims.

    Raises:
        RequestError: If the request names what the case or the catalogues do not have.
    """
    prepared, reports = case if isinstance(case, PreparedCase) else PreparedCase(case), []
    failures = list(identity_failures(prepared.case, request, proof))
    if failures:  # what its witnesses lie on is then not known
        return CheckReport(families=(), failures=tuple(failures))
    space = space_of(prepared, request)
    failures += statement_failures(space, request, proof)
    for k, family in enumerate(proof.families):
        tubes, bounds = Tubes(), weighed_bounds(space, family.leaves, boxes_of(family))
        failures += [f"family {k}: {one}" for one in family_failures(space, family, tubes, bounds)]
        by_why = np.bincount(family.leaves.why, minlength=len(Why))
        reports.append(FamilyReport(
            leaves=len(bounds), by_why=tuple(by_why.tolist()), tubes=tubes.measured,
            bound_mm=float(bounds.max(initial=-np.inf)),
        ))  # fmt: skip
    return CheckReport(families=tuple(reports), failures=tuple(failures))


def family_failures(
    space: Space, family: FamilyProof, tubes: "Tubes", bounds: PerLeaf
) -> Iterator[str]:
    """Say where leaves do not hold every line, or claim what their witnesses do not show."""
    leaves, boxes, every = family.leaves, boxes_of(family), set(Why)
    if family.reach_mm <= 0.0:
        yield "its aim plane does not lie beyond the gate"
        return
    yield from face_failures(family)
    yield from tiling_failures(leaves, len(family.faces))
    # Boxes that no line keeps to can have bounds far below zero, from which many digits are lost.
    near = EQUAL_MM + EQUAL * np.abs(np.where(np.isfinite(bounds), bounds, 0.0))
    claims: list[tuple[set[Why], Callable[[Boxes], Holds], str]] = [
        ({Why.OUTSIDE_WINDOW}, outside_window, "lines may pass the gate within the window"),
        ({Why.NO_TIP}, has_left, "lines may go on in the target"),
        ({Why.TOO_LONG}, too_long, "paths may be short enough"),
        (RUNNING, lambda some: tips_beyond(space, tubes, some), "paths may end before reach_t"),
        (RUNNING, lambda some: in_body(space, tubes, some), "paths may start after back_t"),
        (RUNNING, lambda some: entries_beyond(space, some), "paths may enter before the plane"),
        (RUNNING, planes_in_use, "the plane lies askew to some of its lines"),
        ({Why.BREAKS_RULE}, breaks_rule, "lines may keep all rules"),
        (every, lambda _: witnesses_reached(leaves), "a witness lies where some path may not be"),
        (every, lambda _: leaves.bound_mm >= bounds - near, "the bound is below its witnesses'"),
        (every, lambda _: leaves.bound_mm <= bounds + near, "the bound is above its witnesses'"),
    ]
    for whys, rule, failure in claims:
        claiming = np.flatnonzero(np.isin(leaves.why, list(whys)))
        wrong = claiming[~rule(boxes[claiming])]
        if len(wrong):
            yield f"{len(wrong)} of its leaves fail: {failure} (leaf {wrong[0]} is the first)"
    if family.upper_bound_mm != leaves.bound_mm.max(initial=-np.inf):
        yield "its upper bound is not the largest of its leaves'"
    if family.upper_bound_mm < bounds.max(initial=-np.inf) - ROUNDING_MM:
        yield f"its upper bound is below what its leaves show, {bounds.max()} mm"


class Tubes:
    """Measures which tubes miss which surfaces, and counts them."""

    measured = 0

    def miss(self, surfaces: Surfaces, boxes: Boxes, t0: PerLeaf, t1: PerLeaf) -> Holds:
        """No line of the box meets a surface between t0 and t1: none (-1) is within its tube."""
        self.measured += len(t0) * len(surfaces)
        widths = np.maximum(np.maximum(boxes.rho(t0), boxes.rho(t1)), ROUNDING_MM)
        segments = zip(boxes.points(t0), boxes.points(t1), widths, strict=True)
        found = [all(segment_query(s.tree, *one)[1] == -1 for s in surfaces) for one in segments]
        return np.array(found, dtype=np.bool_)


def tiling_failures(leaves: Leaves, faces: int) -> Iterator[str]:
    """The leaves fill the root box of every face exactly once.

    A cell is filled once if it is one leaf; or if it can be halved along a number along which all
    its leaves are finer than it, so that none straddles the cut, and both halves are filled once.
    """
    finer, index = leaves.level.astype(np.int64), leaves.index.astype(np.int64)
    cell, cells = leaves.face_of.astype(np.int64), faces
    # Round by round, `finer` is how much finer than its cell each leaf is; whole cells drop out.
    while cells > 0:
        order = np.argsort(cell, kind="stable")
        finer, index, cell = finer[order], index[order], cell[order]
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        if len(starts) < cells:
            yield "its leaves leave a part of a root box out"
            return
        least, sizes = np.minimum.reduceat(finer, starts), np.diff(starts, append=len(cell))
        whole = ~least.any(axis=1)
        if np.any(sizes[whole] > 1):
            yield "its leaves overlap, or are not halves of halves of a root box"
            return
        halved = np.repeat(~whole, sizes)
        axis = np.repeat(np.argmax(least > 0, axis=1), sizes)[halved]
        parent = np.repeat(np.cumsum(~whole) - 1, sizes)[halved]
        finer, index, rows = finer[halved], index[halved], np.arange(int(halved.sum()))
        finer[rows, axis] -= 1
        cell = 2 * parent + ((index[rows, axis] >> finer[rows, axis]) & 1)
        cells = 2 * int((~whole).sum())


def outside_window(boxes: Boxes) -> Holds:
    """No gate point (a, b) of the box lies in the window."""
    (a, b), (h, k) = boxes.x[:, :2].T, np.maximum(boxes.h[:, :2].T - ROUNDING_MM, 0.0)
    shapely.prepare(boxes.family.window)
    return ~shapely.intersects(boxes.family.window, shapely.box(a - h, b - k, a + h, b + k))


def breaks_rule(boxes: Boxes) -> Holds:
    """All lines of the box break one same rule: ``row @ x > limit`` even where it is least."""
    holds = np.zeros(len(boxes.x), dtype=np.bool_)
    for k, face in enumerate(boxes.family.faces):
        here, rows = boxes.face_of == k, face.rules[:, :4]
        least = boxes.x[here] @ rows.T - boxes.h[here] @ np.abs(rows).T
        holds[here] = np.any(least > face.rules[:, 4], axis=1)
    return holds


def tips_beyond(space: Space, tubes: Tubes, boxes: Boxes) -> Holds:
    """No path of the box ends before reach_t.

    It ends in the region, so not before tip_t, and inside a holder, so not where the tube from
    there on lies outside all holders: it misses their surfaces and one point is outside.
    """
    holds = boxes.reach_t <= boxes.tip_t
    if space.holders:
        further = np.flatnonzero(~holds)
        some = boxes[further]
        missed = tubes.miss(space.holders, some, some.tip_t, some.reach_t)
        outside = [is_outside(holder, some.points(some.tip_t)) for holder in space.holders]
        holds[further] = missed & np.all(outside, axis=0)
    return holds


def is_outside(surface: MeshDistance, points: Points) -> Holds:
    """Whether points lie outside, as does one that can be joined to another without crossing."""
    found, known = [], None
    for point in points:
        joined = known is not None and segment_query(surface.tree, known, point, ROUNDING_MM)[1] < 0
        found.append(joined or not surface.contains(point))
        known = point if found[-1] else known
    return np.array(found, dtype=np.bool_)


def has_left(boxes: Boxes) -> Holds:
    """All lines of the box, inside at tip_t <= reach_t, have left one same half-space by then."""
    heights = boxes.points(boxes.reach_t) @ boxes.family.normals.T - boxes.family.offsets
    left = np.any(heights > boxes.rho(boxes.reach_t)[:, None], axis=1)
    return left & (boxes.reach_t >= boxes.tip_t)


def in_body(space: Space, tubes: Tubes, boxes: Boxes) -> Holds:
    """No line of the box leaves the body between back_t and the gate.

    The tube misses the skin. Over a plane, ``posterior @ p_x(s) <= posterior @ p_x0(s) + rho(s)``,
    which is convex in s and therefore greatest at an end.
    """
    gate, holds = np.zeros_like(boxes.back_t), boxes.back_t == 0.0
    if space.skins:
        back = np.flatnonzero(~holds)
        holds[back] = tubes.miss(space.skins, boxes[back], boxes.back_t[back], gate[back])
        return holds
    posterior, offset = space.behind
    highest = [boxes.points(s) @ posterior + boxes.rho(s) for s in (boxes.back_t, gate)]
    return holds | (np.max(highest, axis=0) <= offset)


def witnesses_reached(leaves: Leaves) -> Holds:
    """Every path of a leaf reaches every t of its witnesses: they lie from back_t to reach_t."""
    t, owner = leaves.t, leaves.owner
    missed = (t > leaves.reach_t[owner]) | (t < leaves.back_t[owner])
    return np.bincount(owner, missed, len(leaves.why)) == 0.0


def weighed_bounds(space: Space, leaves: Leaves, boxes: Boxes) -> PerLeaf:
    """Return the bound on slack that each leaf's witnesses and rules show; inf without a witness.

    For a path, with weights that add up to 1 and mu >= 0,
    ``slack <= sum weight (|p_x(t) - q| - required) + sum mu (limit - row @ x)``, because no path
    breaks a rule. The right side is convex in x: over a box it is greatest at a corner.
    """
    owner, held = leaves.owner, boxes[leaves.owner]
    q, required = space.surface_points(leaves)
    share = leaves.weight / np.bincount(owner, leaves.weight)[owner]
    rows = rule_rows(leaves, boxes[leaves.rule_owner])
    bounds = np.full(len(leaves.why), -np.inf)
    for corner in product((-1, 1), repeat=4):
        apart = np.linalg.norm(held.points(leaves.t, corner) - q, axis=1)
        means = np.bincount(owner, share * (apart - required), len(bounds))
        terms = rows[:, :4] * (boxes.x + np.array(corner) * boxes.h)[leaves.rule_owner]
        lost = LOST * (np.abs(rows[:, 4]) + np.abs(terms).sum(axis=1))
        room = rows[:, 4] - terms.sum(axis=1) + lost
        means += np.bincount(leaves.rule_owner, leaves.mu * room, len(bounds))
        bounds = np.maximum(bounds, means)
    shown = np.diff(leaves.first_witness) > 0
    shown[owner[np.isnan(required)]] = False
    return np.where(leaves.why == Why.BOUNDED, np.where(shown, bounds, np.inf), -np.inf)


def rule_rows(leaves: Leaves, held: Boxes) -> Float[np.ndarray, "k 5"]:
    """Return the row of every weighed rule; ``held`` is the box that weighs it."""
    rows = length_rows(held)
    for k, face in enumerate(held.family.faces):
        here = (held.face_of == k) & (leaves.rule != LENGTH_RULE)
        rows[here] = face.rules[leaves.rule[here]]
    return rows
