"""What boxes of lines, their witnesses and rules prove: one function per rule of inference.

Lines of a face are ``x = (a, b, c, d)``; the point at t is ``p_x(t) = (1 - t) P + t Q``, linear in
x (``planner.proof.model``). A path starts at its *entry*, where the line, followed backwards from
t = 0, first meets the skin, and ends at its *tip*, the first t >= 0 in the target region and inside
a *holder* of needles (the bone, a lucency, a lesion). Its slack is the least of
``|p_x(t) - q| - required(q)`` over its t and all points q of the obstacles' surfaces.

A box of half-widths h about x0 moves the point at t by at most
``rho(t) = |1-t| hypot(h_a, h_b) + |t| hypot(h_c, h_d)``, which is convex in t. All points of its
lines between t0 and t1, their *tube*, lie within ``max(rho(t0), rho(t1))`` of the segment from
``p_x0(t0)`` to ``p_x0(t1)``: a surface that is further away from the segment meets none of them.

All is shown for lines that keep to window, cone, region and length with ``ROUNDING_MM`` to spare:
that much float64 may blur the rules of a face (``faces``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import shapely
from jaxtyping import Bool, Float

from geometry._kernels import segment_query
from geometry.arrays import Points
from geometry.exact import MeshDistance
from planner.proof import LENGTH_RULE, FamilyProof, Leaves, Why
from planner.proof_check.statement import ROUNDING_MM, Space

Lines = Float[np.ndarray, "n 4"]
PerLeaf = Float[np.ndarray, " n"]
Holds = Bool[np.ndarray, " n"]
LOST = 1e-14  # of the terms of a sum, by rounding
PerWitness = Float[np.ndarray, " m"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Boxes of lines, each of one face.

    Attributes:
        family: Their family.
        x: Their centres.
        h: Their half-widths.
        origin: F of the face of each.
        axes: f1 and f2 of the face of each.
        tip_t: Where a line enters the region: 1, or 0 where it starts inside it.
        reach_t: What all paths reach before their tips.
        back_t: What all paths reach after their entries.
    """

    family: FamilyProof
    x: Lines
    h: Lines
    origin: Points
    axes: Float[np.ndarray, "n 2 3"]
    tip_t: PerLeaf
    reach_t: PerLeaf
    back_t: PerLeaf

    def __getitem__(self, chosen: np.ndarray) -> "Boxes":
        """Return some of the boxes."""
        return replace(
            self, x=self.x[chosen], h=self.h[chosen], origin=self.origin[chosen],
            axes=self.axes[chosen], tip_t=self.tip_t[chosen], reach_t=self.reach_t[chosen],
            back_t=self.back_t[chosen],
        )  # fmt: skip

    def ends(self, corner: tuple[int, ...] = (0, 0, 0, 0)) -> tuple[Points, Points]:
        """Return P and Q of the centre of every box, or of the corner in this direction."""
        x = self.x + np.array(corner) * self.h
        first = self.family.origin_mm + x[:, :2] @ self.family.axes[:2]
        return first, self.origin + (x[:, 2:, None] * self.axes).sum(axis=1)

    def points(self, t: PerLeaf, corner: tuple[int, ...] = (0, 0, 0, 0)) -> Points:
        """Return ``p_x(t)`` of the centre of every box, or of the corner in this direction."""
        first, second = self.ends(corner)
        return first + t[:, None] * (second - first)

    @property
    def widths(self) -> tuple[PerLeaf, PerLeaf]:
        """How far P and Q are from the centre's at most, mm."""
        return np.hypot(self.h[:, 0], self.h[:, 1]), np.hypot(self.h[:, 2], self.h[:, 3])

    def rho(self, t: PerLeaf) -> PerLeaf:
        """Return how far the points at t are from the centre's at most, mm."""
        first, second = self.widths
        return np.abs(1.0 - t) * first + np.abs(t) * second


def boxes_of(family: FamilyProof) -> Boxes:
    """Return the leaves of a family as boxes."""
    leaves, faces, of = family.leaves, family.faces, family.leaves.face_of
    low, high = (np.array([getattr(f, name) for f in faces]).reshape(-1, 4)[of]
                 for name in ("low", "high"))  # fmt: skip
    width = np.ldexp(high - low, -leaves.level.astype(np.int64))
    return Boxes(
        family=family, x=low + width * (leaves.index + 0.5), h=width / 2.0,
        origin=np.array([f.origin_mm for f in faces]).reshape(-1, 3)[of],
        axes=np.array([f.axes for f in faces]).reshape(-1, 2, 3)[of],
        tip_t=np.array([0.0 if f.plane is None else 1.0 for f in faces])[of],
        reach_t=leaves.reach_t, back_t=leaves.back_t,
    )  # fmt: skip


class Tubes:
    """Measures which tubes miss which surfaces, and counts them."""

    def __init__(self) -> None:
        self.measured = 0

    def miss(
        self, surfaces: tuple[MeshDistance, ...], boxes: Boxes, t0: PerLeaf, t1: PerLeaf
    ) -> Holds:
        """No line of the box meets a surface between t0 and t1: its tube is narrower (above)."""
        self.measured += len(t0) * len(surfaces)
        widths = np.maximum(np.maximum(boxes.rho(t0), boxes.rho(t1)), ROUNDING_MM)
        segments = zip(boxes.points(t0), boxes.points(t1), widths, strict=True)
        trees = [surface.tree for surface in surfaces]
        # Triangle -1: none is nearer to the segment than the tube is wide.
        found = [all(segment_query(tree, *one)[1] == -1 for tree in trees) for one in segments]
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
        least = np.minimum.reduceat(finer, starts)
        sizes = np.diff(starts, append=len(cell))
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
    window = boxes.family.window
    (a, b), (h, k) = boxes.x[:, :2].T, np.maximum(boxes.h[:, :2].T - ROUNDING_MM, 0.0)
    shapely.prepare(window)
    return ~shapely.intersects(window, shapely.box(a - h, b - k, a + h, b + k))


def breaks_rule(boxes: Boxes, leaves: Leaves) -> Holds:
    """All lines of the box break one same rule: ``row @ x > limit`` even where it is least."""
    holds = np.zeros(len(boxes.x), dtype=np.bool_)
    for k, face in enumerate(boxes.family.faces):
        here = leaves.face_of == k
        rows, limits = face.rules[:, :4], face.rules[:, 4]
        least = boxes.x[here] @ rows.T - boxes.h[here] @ np.abs(rows).T
        holds[here] = np.any(least > limits, axis=1)
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


def has_left(boxes: Boxes) -> Holds:
    """All lines of the box are outside one same half-space of the region at reach_t.

    They were inside it at tip_t <= reach_t, so they never come back.
    """
    family = boxes.family
    heights = boxes.points(boxes.reach_t) @ family.normals.T - family.offsets
    left = np.any(heights > boxes.rho(boxes.reach_t)[:, None], axis=1)
    return left & (boxes.reach_t >= boxes.tip_t)


def is_outside(surface: MeshDistance, points: Points) -> Holds:
    """Whether points lie outside, as does one that can be joined to another without crossing."""
    found, known = [], None
    for point in points:
        joined = known is not None and segment_query(surface.tree, known, point, ROUNDING_MM)[1] < 0
        found.append(joined or not surface.contains(point))
        known = point if found[-1] else known
    return np.array(found, dtype=np.bool_)


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


def too_long(boxes: Boxes) -> Holds:
    """All paths of the box are longer than the needle: they run from back_t to reach_t at least.

    From P to Q a line is no shorter than the centre's less what both may move.
    """
    first, second = boxes.ends()
    shortest = np.linalg.norm(second - first, axis=1) - sum(boxes.widths)
    usable = boxes.family.usable_length_mm - ROUNDING_MM
    return (boxes.reach_t - boxes.back_t) * np.maximum(shortest, 0.0) > usable


def witnesses_reached(leaves: Leaves) -> Holds:
    """Every path of a leaf reaches every t of its witnesses: they lie from back_t to reach_t."""
    beyond = leaves.t > leaves.reach_t[leaves.owner]
    before = leaves.t < leaves.back_t[leaves.owner]
    return np.bincount(leaves.owner, beyond | before, len(leaves.why)) == 0.0


def weighed_bounds(space: Space, leaves: Leaves, boxes: Boxes) -> PerLeaf:
    """Return the bound on slack that each leaf's witnesses and rules show; inf without a witness.

    For a path, with weights that add up to 1 and mu >= 0,
    ``slack <= sum weight (|p_x(t) - q| - required) + sum mu (limit - row @ x)``, because no path
    breaks a rule. The right side is convex in x: over a box it is greatest at a corner. To the
    room under a rule is added what float64 may have lost of it.
    """
    owner, held = leaves.owner, boxes[leaves.owner]
    q, required = surface_points(space, leaves)
    share = leaves.weight / np.bincount(owner, leaves.weight)[owner]
    rows = rule_rows(leaves, boxes)
    bounds = np.full(len(leaves.why), -np.inf)
    for corner in product((-1, 1), repeat=4):
        apart = np.linalg.norm(held.points(leaves.t, corner) - q, axis=1)
        means = np.bincount(owner, share * (apart - required), len(bounds))
        x = (boxes.x + np.array(corner) * boxes.h)[leaves.rule_owner]
        room = rows[:, 4] - (rows[:, :4] * x).sum(axis=1)
        room += LOST * (np.abs(rows[:, 4]) + np.abs(rows[:, :4] * x).sum(axis=1))
        means += np.bincount(leaves.rule_owner, leaves.mu * room, len(bounds))
        bounds = np.maximum(bounds, means)
    shown = np.diff(leaves.first_witness) > 0
    shown[owner[np.isnan(required)]] = False
    return np.where(leaves.why == Why.BOUNDED, np.where(shown, bounds, np.inf), -np.inf)


def rule_rows(leaves: Leaves, boxes: Boxes) -> Float[np.ndarray, "k 5"]:
    """Return the row of every weighed rule.

    For the needle's length: with ``D = Q - P`` and D0 that of the centre, a path is no shorter than
    ``(reach_t - back_t) |D| >= (reach_t - back_t) D0 @ D / |D0|``, which is linear in x.
    """
    held, family = boxes[leaves.rule_owner], boxes.family
    first, second = held.ends()
    along = (held.reach_t - held.back_t)[:, None] * unit_rows(second - first)
    slopes = np.hstack([-along @ family.axes[:2].T, (held.axes @ along[..., None])[..., 0]])
    middle = (along * (second - first)).sum(axis=1) - (slopes * held.x).sum(axis=1)
    rows = np.column_stack([slopes, family.usable_length_mm - middle])
    for k, face in enumerate(family.faces):
        here = (leaves.face_of[leaves.rule_owner] == k) & (leaves.rule != LENGTH_RULE)
        rows[here] = face.rules[leaves.rule[here]]
    return rows


def unit_rows(vectors: Points) -> Points:
    """Return vectors scaled to length one."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def surface_points(space: Space, leaves: Leaves) -> tuple[Points, PerWitness]:
    """Return each witness's point q, and what its obstacle requires; nan where there is none."""
    counts = np.array([len(corners) for corners in space.corners])
    structure = np.minimum(leaves.structure, len(counts) - 1)
    there = (leaves.structure == structure) & (leaves.face < counts[structure])
    place = np.where(there, (np.cumsum(counts) - counts)[structure] + leaves.face, 0)
    v0, v1, v2 = np.moveaxis(np.concatenate(space.corners)[place], 1, 0)
    q = v0 + leaves.uv[:, :1] * (v1 - v0) + leaves.uv[:, 1:] * (v2 - v0)
    return q, np.where(there, space.required_mm[structure], np.nan)
