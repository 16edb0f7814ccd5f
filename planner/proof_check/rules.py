"""What boxes of lines and their witnesses prove: one function per rule, its inequality in words.

A family's lines are ``x = (a, b, c, d)``, and ``p_x(t)``, the point of line x at t, is linear in x
(``planner.proof.model``). A path starts at its *entry*, where the line, followed backwards from
t = 0, first meets the skin, and ends at its *tip*, the first t >= 0 in the target region and inside
a *holder* of needles (the bone, a lucency, a lesion). Its slack is the least of
``|p_x(t) - q| - required(q)`` over its t and all points q of the obstacles' surfaces.

A box of half-widths h about x0 moves the point at t by at most
``rho(t) = hypot(|1-t| h_a + |t| h_c, |1-t| h_b + |t| h_d)``, which is convex in t. All points of
its lines between t0 and t1, their *tube*, lie within ``max(rho(t0), rho(t1))`` of the segment from
``p_x0(t0)`` to ``p_x0(t1)``: a surface that is further away from the segment meets none of them.

The rules are shown for lines that keep to window, cone, region and length with ``ROUNDING_MM`` to
spare, so that float64 has no part in the answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import shapely
from jaxtyping import Bool, Float

from geometry._kernels import segment_query
from geometry.arrays import Points
from geometry.exact import MeshDistance
from planner.proof import FamilyProof, Leaves, Why
from planner.proof_check.statement import ROUNDING_MM, Space

Lines = Float[np.ndarray, "n 4"]
PerLeaf = Float[np.ndarray, " n"]
Holds = Bool[np.ndarray, " n"]
PerWitness = Float[np.ndarray, " m"]


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes of lines of a family: centres, half-widths, and a t that all their paths reach."""

    family: FamilyProof
    x: Lines
    h: Lines
    reach_t: PerLeaf

    def __getitem__(self, chosen: np.ndarray) -> "Boxes":
        """Return some of the boxes."""
        return Boxes(self.family, self.x[chosen], self.h[chosen], self.reach_t[chosen])

    def points(self, t: PerLeaf, corner: tuple[int, ...] = (0, 0, 0, 0)) -> Points:
        """Return ``p_x(t)`` for the centre of every box, or the corner in this direction."""
        a, b, c, d = (self.x + np.array(corner) * self.h).T
        place = np.stack([(1 - t) * a + t * c, (1 - t) * b + t * d, t * self.family.reach_mm], 1)
        return self.family.origin_mm + place @ self.family.axes

    def rho(self, t: PerLeaf) -> PerLeaf:
        """Return how far a line's point at t is from the centre's at most."""
        near, far, (a, b, c, d) = np.abs(1.0 - t), np.abs(t), self.h.T
        return np.hypot(near * a + far * c, near * b + far * d)


def boxes_of(family: FamilyProof) -> Boxes:
    """Return the leaves of a family as boxes."""
    leaves = family.leaves
    width = np.ldexp(family.high - family.low, -leaves.level.astype(np.int64))
    return Boxes(family, family.low + width * (leaves.index + 0.5), width / 2.0, leaves.reach_t)


class Tubes:
    """Measures which tubes miss which surfaces, and counts them."""

    def __init__(self) -> None:
        self.measured = 0

    def miss(
        self, surfaces: tuple[MeshDistance, ...], boxes: Boxes, t0: PerLeaf, t1: PerLeaf
    ) -> Holds:
        """No line of the box meets a surface between t0 and t1: its tube is narrower (above)."""
        self.measured += len(t0) * len(surfaces)
        widths = np.maximum(boxes.rho(t0), boxes.rho(t1)) - ROUNDING_MM
        segments = zip(
            boxes.points(t0), boxes.points(t1), np.maximum(widths, ROUNDING_MM), strict=True
        )
        trees = [surface.tree for surface in surfaces]
        # Triangle -1: none is nearer to the segment than the tube is wide.
        found = [all(segment_query(tree, *one)[1] == -1 for tree in trees) for one in segments]
        return np.array(found, dtype=np.bool_)


def root_failures(family: FamilyProof) -> Iterator[str]:
    """The root box holds every line of the family that can hit the target.

    (a, b) lies in the window. A line through a point (u, v, w) of the region, in the gate's
    coordinates, has ``c = u + slope (reach - w)``, linear in the point and in the slope: the least
    and the greatest are at a corner of the region beyond the gate, and at an end of the cone. So
    is d.
    """
    corners = region_corners(family)
    ahead = family.reach_mm - corners[:, 2]
    least, most = list(family.window.bounds[:2]), list(family.window.bounds[2:])
    for k, slopes in enumerate((family.lateral_slopes, family.cranial_slopes)):
        aims = np.array([corners[:, k] + slope * ahead for slope in slopes])
        least.append(aims.min(initial=np.inf))
        most.append(aims.max(initial=-np.inf))
    least_held, most_held = family.low - ROUNDING_MM, family.high + ROUNDING_MM
    if np.any(least_held > least) or np.any(most_held < most):
        yield "its root box does not hold every line that can hit the target"


def region_corners(family: FamilyProof) -> Points:
    """Return the corners of the target region beyond the gate, in the gate's coordinates."""
    normals = np.vstack([family.normals @ family.axes.T, [0.0, 0.0, -1.0]])
    offsets = np.append(family.offsets - family.normals @ family.origin_mm, 0.0)
    faces = np.array(list(combinations(range(len(offsets)), 3)))
    faces = faces[np.abs(np.linalg.det(normals[faces])) > ROUNDING_MM]
    points = np.linalg.solve(normals[faces], offsets[faces][..., None])[..., 0]
    return points[np.all(points @ normals.T <= offsets + ROUNDING_MM, axis=1)]


def tiling_failures(leaves: Leaves) -> Iterator[str]:
    """The leaves fill the root box exactly once.

    A cell is filled once if it is one leaf; or if it can be halved along a number along which all
    its leaves are finer than it, so that none straddles the cut, and both halves are filled once.
    """
    finer, index = leaves.level.astype(np.int64), leaves.index.astype(np.int64)
    cell, cells = np.zeros(len(finer), dtype=np.int64), 1
    # Round by round, `finer` is how much finer than its cell each leaf is; whole cells drop out.
    while cells > 0:
        order = np.argsort(cell, kind="stable")
        finer, index, cell = finer[order], index[order], cell[order]
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        if len(starts) < cells:
            yield "its leaves leave a part of the root box out"
            return
        least = np.minimum.reduceat(finer, starts)
        sizes = np.diff(starts, append=len(cell))
        whole = ~least.any(axis=1)
        if np.any(sizes[whole] > 1):
            yield "its leaves overlap, or are not halves of halves of the root box"
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


def outside_cone(boxes: Boxes) -> Holds:
    """All slopes ``(c - a) / reach`` or all ``(d - b) / reach`` of the box are out of range."""
    family = boxes.family
    slope = (boxes.x[:, 2:] - boxes.x[:, :2]) / family.reach_mm
    spread = (boxes.h[:, 2:] + boxes.h[:, :2]) / family.reach_mm
    least, most = np.transpose([family.lateral_slopes, family.cranial_slopes])
    below, above = slope + spread < least + ROUNDING_MM, slope - spread > most - ROUNDING_MM
    return np.any(below | above, axis=1)


def region_interval(boxes: Boxes) -> tuple[PerLeaf, PerLeaf]:
    """Return a t before which no line of the box is in the region, and one after which none is.

    A line's height over a face of the region is ``(1-t) G + t A``, with G its height at the gate
    and A at the aim plane, which over the box lie in [Gl, Gh] and [Al, Ah]. The least of it is
    ``(1-t) Gl + t Al`` up to t = 1 and ``(1-t) Gh + t Al`` from there. The region needs every face
    at or below 0: a face with Gl > 0 is first met at a zero of that, or never; one with Gl <= 0 is
    left for good at ``Gl / (Gl - Al)`` if Al > 0 and Al >= Gh.
    """
    family, x, h = boxes.family, boxes.x, boxes.h
    normals = family.normals @ family.axes.T
    offsets = family.offsets - family.normals @ family.origin_mm - ROUNDING_MM
    gate, gate_spread = x[:, :2] @ normals[:, :2].T - offsets, h[:, :2] @ np.abs(normals[:, :2]).T
    aim = x[:, 2:] @ normals[:, :2].T + family.reach_mm * normals[:, 2] - offsets
    aim_low = aim - h[:, 2:] @ np.abs(normals[:, :2]).T
    low, high = gate - gate_spread, gate + gate_spread
    with np.errstate(divide="ignore", invalid="ignore"):
        early, late = low / (low - aim_low), high / (high - aim_low)
    met = np.where(aim_low <= 0.0, early, np.where(aim_low < high, late, np.inf))
    left = (low <= 0.0) & (aim_low > 0.0) & (aim_low >= high)
    first = np.where(low > 0.0, met, 0.0).max(axis=1)
    return first, np.where(left, early, np.inf).min(axis=1)


def misses_target(boxes: Boxes) -> Holds:
    """No line of the box is in the region at any t >= 0: it is left before it is met."""
    first, last = region_interval(boxes)
    return first > last


def reaches(space: Space, tubes: Tubes, boxes: Boxes) -> Holds:
    """No path of the box ends before its reach_t.

    It ends in the region, so not before ``first``; and inside a holder, so not where the tube
    from there on lies outside all holders: it misses their surfaces and one point is outside.
    """
    first, _ = region_interval(boxes)
    holds = boxes.reach_t <= first
    late = np.flatnonzero(~holds)
    if space.holders:
        some, start = boxes[late], first[late]
        missed = tubes.miss(space.holders, some, start, some.reach_t)
        outside = [is_outside(holder, some.points(start)) for holder in space.holders]
        holds[late] = missed & np.all(outside, axis=0)
    return holds


def is_outside(surface: MeshDistance, points: Points) -> Holds:
    """Whether points lie outside, as does one that can be joined to another without crossing."""
    found, known = [], None
    for point in points:
        joined = known is not None and segment_query(surface.tree, known, point, ROUNDING_MM)[1] < 0
        found.append(joined or not surface.contains(point))
        known = point if found[-1] else known
    return np.array(found, dtype=np.bool_)


def in_body(space: Space, tubes: Tubes, boxes: Boxes, t: PerLeaf) -> Holds:
    """No line of the box leaves the body between t <= 0 and the gate, so every path reaches t.

    The tube misses the skin. Over a plane, ``posterior @ p_x(s) <= posterior @ p_x0(s) + rho(s)``,
    which is convex in s and therefore greatest at an end.
    """
    gate = np.zeros_like(t)
    if space.skins:
        return tubes.miss(space.skins, boxes, t, gate)
    posterior, offset = space.behind
    highest = [boxes.points(s) @ posterior + boxes.rho(s) for s in (t, gate)]
    return np.max(highest, axis=0) <= offset


def too_long(space: Space, tubes: Tubes, boxes: Boxes) -> Holds:
    """Every path of the box is longer than the needle.

    From gate to aim point a line is no shorter than ``shortest``, and it reaches both reach_t and
    ``back = reach_t - usable / shortest``, or back >= 0, which its entry is not.
    """
    family, x, h = boxes.family, boxes.x, boxes.h
    across = np.maximum(np.abs(x[:, 2:] - x[:, :2]) - h[:, 2:] - h[:, :2], 0.0)
    shortest = np.sqrt((across**2).sum(axis=1) + family.reach_mm**2)
    back = boxes.reach_t - (family.usable_length_mm - ROUNDING_MM) / shortest
    holds = back >= 0.0
    rest = np.flatnonzero(~holds)
    holds[rest] = in_body(space, tubes, boxes[rest], back[rest])
    return holds


def witnesses_reached(space: Space, tubes: Tubes, leaves: Leaves, boxes: Boxes) -> Holds:
    """Every path reaches every t of its leaf's witnesses: up to reach_t, and back ``in_body``."""
    holds, lowest = np.ones(len(leaves.why), dtype=np.bool_), np.zeros(len(leaves.why))
    np.minimum.at(lowest, leaves.owner, leaves.t)
    behind = lowest < 0.0
    holds[behind] = in_body(space, tubes, boxes[behind], lowest[behind])
    holds[leaves.owner[leaves.t > leaves.reach_t[leaves.owner]]] = False
    return holds


def witness_bounds(space: Space, leaves: Leaves, boxes: Boxes) -> PerLeaf:
    """Return the bound on slack that the witnesses of each leaf show; inf where one is no obstacle.

    ``|p_x(t) - q| - required`` is convex in x, and so is a weighted mean of such: over a box it is
    greatest at one of the 16 corners.
    """
    owner, held = leaves.owner, boxes[leaves.owner]
    q, required = surface_points(space, leaves)
    share = leaves.weight / np.bincount(owner, leaves.weight)[owner]
    bounds = np.full(len(leaves.why), -np.inf)
    for corner in product((-1, 1), repeat=4):
        distance = np.linalg.norm(held.points(leaves.t, corner) - q, axis=1)
        bounds = np.maximum(bounds, np.bincount(owner, share * (distance - required), len(bounds)))
    shown = np.diff(leaves.first_witness) > 0
    shown[owner[np.isnan(required)]] = False
    return np.where(leaves.why == Why.WITNESSES, np.where(shown, bounds, np.inf), -np.inf)


def surface_points(space: Space, leaves: Leaves) -> tuple[Points, PerWitness]:
    """Return each witness's point q, and what its obstacle requires; nan where there is none."""
    counts = np.array([len(corners) for corners in space.corners])
    structure = np.minimum(leaves.structure, len(counts) - 1)
    there = (leaves.structure == structure) & (leaves.face < counts[structure])
    place = np.where(there, (np.cumsum(counts) - counts)[structure] + leaves.face, 0)
    v0, v1, v2 = np.moveaxis(np.concatenate(space.corners)[place], 1, 0)
    q = v0 + leaves.uv[:, :1] * (v1 - v0) + leaves.uv[:, 1:] * (v2 - v0)
    return q, np.where(there, space.required_mm[structure], np.nan)
