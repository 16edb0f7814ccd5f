"""The faces of a family hold all of its lines, and the rules of a face hold for all of its lines.

In the gate's coordinates (lateral, cranial, along) lines start at ``P = (a, b, 0)`` in the window
and end in the target region, the convex set ``normals @ p <= offsets``. A line whose P is in the
region belongs to the face with no plane. Any other that reaches the region passes from outside to
inside the half-space of a plane i, ``normals[i] @ P > offsets[i]``, last of all at the point Q
where it enters the region: it belongs to the face of plane i, whose Q lie in region and plane.

Lines that enter the region within ``AHEAD_MM`` of the gate's plane are not spoken for.

The leaves of a family are boxes of the lines of its faces: ``Boxes``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import combinations, product

import numpy as np
import shapely
from jaxtyping import Bool, Float, UInt8
from shapely.geometry.base import BaseGeometry

from geometry.arrays import Point, Points, Vector
from planner.checker.statement import EQUAL_MM, ROUNDING_MM
from planner.proof import FaceProof, FamilyProof

AHEAD_MM = 1e-3
Pairs = Float[np.ndarray, "n 2"]
Rows = Float[np.ndarray, "r 5"]
PerLeaf = Float[np.ndarray, " n"]
Holds = Bool[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """A family's target region in the coordinates of its gate.

    Attributes:
        normals: Outward unit normals.
        offsets: Their offsets, mm.
        corners: Corners of the part in front of the gate.
        section: Where the gate's plane and window meet it, (a, b) mm.
    """

    normals: Float[np.ndarray, "m 3"]
    offsets: Float[np.ndarray, " m"]
    corners: Float[np.ndarray, "k 3"]
    section: BaseGeometry


def region_of(family: FamilyProof) -> Region:
    """Return the target region of a family, cut at the gate's plane."""
    normals = family.normals @ family.axes.T
    offsets = family.offsets - family.normals @ family.origin_mm
    front = np.vstack([normals, [0.0, 0.0, -1.0]]), np.append(offsets, -AHEAD_MM)
    at_gate = corners_of(normals[:, :2], offsets - ROUNDING_MM)
    section = shapely.convex_hull(shapely.MultiPoint(at_gate)).intersection(family.window)
    return Region(normals=normals, offsets=offsets, corners=corners_of(*front), section=section)


def corners_of(
    normals: Float[np.ndarray, "m d"], offsets: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "k d"]:
    """Return the corners of ``normals @ p <= offsets`` in two or three dimensions."""
    size = normals.shape[1]
    meeting = np.array(list(combinations(range(len(offsets)), size)), dtype=np.int64)
    meeting = meeting[np.abs(np.linalg.det(normals[meeting])) > ROUNDING_MM]
    points = np.linalg.solve(normals[meeting], offsets[meeting][..., None])[..., 0]
    return points[np.all(points @ normals.T <= offsets + ROUNDING_MM, axis=1)]


def face_failures(family: FamilyProof) -> Iterator[str]:
    """Say which face is missing, is not one of the target's, or does not hold all of its lines."""
    region = region_of(family)
    planes = [face.plane for face in family.faces]
    for plane in (None, *range(len(region.offsets))):
        if planes.count(plane) != 1 and (plane in planes or _has_lines(family, region, plane)):
            yield f"plane {plane} has {planes.count(plane)} faces, not 1"
    for k, face in enumerate(family.faces):
        if face.plane is not None and face.plane >= len(region.offsets):
            yield f"face {k}: the target has no plane {face.plane}"
        elif not _in_its_plane(family, region, face):
            yield f"face {k}: its second points do not lie in its plane"
        else:
            yield from (f"face {k}: {failure}" for failure in _left_out(family, region, face))


def _has_lines(family: FamilyProof, region: Region, plane: int | None) -> bool:
    """Whether lines may enter the region by a plane, or start in it; edges and corners do not."""
    if plane is None:
        return not region.section.is_empty
    outline = second_points(family, region, plane) @ _axes_square_to(region.normals[plane]).T
    area = shapely.convex_hull(shapely.MultiPoint(outline)).area
    return len(first_points(family, region, plane)) > 0 and area > ROUNDING_MM


def _axes_square_to(normal: Vector) -> Float[np.ndarray, "2 3"]:
    return np.linalg.svd(normal[None, :])[2][1:]


def first_points(family: FamilyProof, region: Region, plane: int | None) -> Pairs:
    """Return (a, b) that have the gate points of all lines of a face in their convex hull."""
    if plane is None:
        return shapely.get_coordinates(region.section)
    outline = shapely.get_coordinates(family.window)
    outside = outline @ region.normals[plane, :2] > region.offsets[plane]
    return outline if outside.any() else outline[:0]


def second_points(family: FamilyProof, region: Region, plane: int | None) -> Points:
    """Return points that have the second points Q of all lines of a face in their convex hull.

    On the aim plane, ``Q = (a, b, 0) + reach (slope, slope', 1)``.
    """
    if plane is not None:
        off_plane = region.corners @ region.normals[plane] - region.offsets[plane]
        return region.corners[np.abs(off_plane) <= EQUAL_MM]
    starts = first_points(family, region, None)
    slopes = np.array(list(product(family.lateral_slopes, family.cranial_slopes)))
    ends = (starts[:, None] + family.reach_mm * slopes).reshape(-1, 2)
    return np.column_stack([ends, np.full(len(ends), family.reach_mm)])


def _in_its_plane(family: FamilyProof, region: Region, face: FaceProof) -> bool:
    """Whether F lies in the face's plane, and f1 and f2 are unit vectors that span it."""
    normal, offset = np.array([0.0, 0.0, 1.0]), family.reach_mm
    if face.plane is not None:
        normal, offset = region.normals[face.plane], float(region.offsets[face.plane])
    origin, axes = in_gate(family, face)
    spanning = np.vstack([axes, normal])
    off = np.abs(spanning @ spanning.T - np.eye(3)).max()
    return bool(max(off, abs(origin @ normal - offset)) <= ROUNDING_MM)


def in_gate(family: FamilyProof, face: FaceProof) -> tuple[Point, Float[np.ndarray, "2 3"]]:
    """Return F and (f1, f2) of a face in the coordinates of the gate."""
    return family.axes @ (face.origin_mm - family.origin_mm), face.axes @ family.axes.T


def _left_out(family: FamilyProof, region: Region, face: FaceProof) -> Iterator[str]:
    """Root box and rules hold for all lines: at their P and Q that go furthest against them."""
    origin, axes = in_gate(family, face)
    firsts = first_points(family, region, face.plane)
    seconds = (second_points(family, region, face.plane) - origin) @ axes.T
    least = np.append(firsts.min(axis=0, initial=np.inf), seconds.min(axis=0, initial=np.inf))
    most = np.append(firsts.max(axis=0, initial=-np.inf), seconds.max(axis=0, initial=-np.inf))
    if np.any(face.low > least + ROUNDING_MM) or np.any(face.high < most - ROUNDING_MM):
        yield "its root box does not hold all of its lines"
    furthest = (firsts @ face.rules[:, :2].T).max(axis=0, initial=-np.inf)
    furthest += (seconds @ face.rules[:, 2:4].T).max(axis=0, initial=-np.inf)
    holds = (furthest <= face.rules[:, 4] + ROUNDING_MM) | _follows(
        face, np.vstack([cone_rules(family, face), entering_rule(region, face)])
    )
    for j in np.flatnonzero(~holds):
        yield f"rule {j} does not hold for all of its lines"


def _follows(face: FaceProof, base: Float[np.ndarray, "b 5"]) -> Bool[np.ndarray, " r"]:
    """Whether each rule is a multiple of one that holds, with no smaller limit.

    What is left of the row besides the multiple is at most its greatest over the root box.
    """
    farthest = np.maximum(np.abs(face.low), np.abs(face.high))
    rows, limits = face.rules[:, None, :4], face.rules[:, None, 4]
    times = (rows * base[:, :4]).sum(axis=2) / (base[:, :4] ** 2).sum(axis=1)
    left = np.abs(rows - times[..., None] * base[:, :4]) @ farthest
    return np.any((times > 0.0) & (times * base[:, 4] + left <= limits + ROUNDING_MM), axis=1)


def cone_rules(family: FamilyProof, face: FaceProof) -> Rows:
    """Return the cone as rules: for Q = (u, v, w), ``least w <= u - a <= most w``; so for v - b."""
    origin, axes = in_gate(family, face)
    rows = []
    for k, slopes in enumerate((family.lateral_slopes, family.cranial_slopes)):
        for slope, sign in zip(slopes, (-1.0, 1.0), strict=True):
            second, limit = axes[:, k] - slope * axes[:, 2], slope * origin[2] - origin[k]
            rows.append(sign * np.array([-(k == 0), -(k == 1), *second, limit]))
    return np.array(rows)


def entering_rule(region: Region, face: FaceProof) -> Rows:
    """Return that P lies outside the face's half-space, as a rule; none for lines inside."""
    if face.plane is None:
        return np.empty((0, 5))
    a, b, _ = -region.normals[face.plane]
    return np.array([[a, b, 0.0, 0.0, -region.offsets[face.plane]]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Boxes of lines ``x = (a, b, c, d)`` of faces (``planner.proof.model``), patient LPS.

    Attributes:
        family: Their family.
        face_of: The face of each, by its place in the family.
        x: Their centres, mm.
        h: Their half-widths, mm.
        origins: The gate's origin and F, mm.
        axes: Lateral, cranial, f1 and f2.
        tip_t: Where a line enters the region: 1, or 0 where it starts inside it.
        reach_t: What all paths are claimed to reach before their tips.
        back_t: What all paths are claimed to reach after their entries.
        beyond_t: Where all lines are claimed to have passed the plane, followed backwards.
        normal: Normal of a plane before the skin, away from the body; 0 where there is none.
        offset_mm: ``normal @ p`` on it.
    """

    family: FamilyProof
    face_of: UInt8[np.ndarray, " n"]
    x: Float[np.ndarray, "n 4"]
    h: Float[np.ndarray, "n 4"]
    origins: Float[np.ndarray, "n 2 3"]
    axes: Float[np.ndarray, "n 4 3"]
    tip_t: PerLeaf
    reach_t: PerLeaf
    back_t: PerLeaf
    beyond_t: PerLeaf
    normal: Float[np.ndarray, "n 3"]
    offset_mm: PerLeaf

    @property
    def has_plane(self) -> Holds:
        """Which boxes have a plane before the skin."""
        return np.any(self.normal != 0.0, axis=1)

    def __getitem__(self, chosen: np.ndarray) -> "Boxes":
        """Return some of the boxes."""
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)[1:]})

    def ends(self, corner: tuple[int, ...] = (0, 0, 0, 0)) -> Float[np.ndarray, "2 n 3"]:
        """Return P and Q of the centre of every box, or of the corner in this direction."""
        moved = (self.x + np.array(corner) * self.h)[..., None] * self.axes
        return np.moveaxis(self.origins + moved.reshape(-1, 2, 2, 3).sum(axis=2), 1, 0)

    def points(self, t: PerLeaf, corner: tuple[int, ...] = (0, 0, 0, 0)) -> Points:
        """Return ``p_x(t)`` of the centre of every box, or of the corner in this direction."""
        first, second = self.ends(corner)
        return first + t[:, None] * (second - first)

    def rho(self, t: PerLeaf | float) -> PerLeaf:
        """Return how far the points at t are from the centre's at most, mm."""
        a, b, c, d = self.h.T
        return np.abs(1.0 - t) * np.hypot(a, b) + np.abs(t) * np.hypot(c, d)


def boxes_of(family: FamilyProof) -> Boxes:
    """Return the leaves of a family as boxes."""
    leaves = family.leaves
    faces = [[*f.low, *f.high, *family.origin_mm, *f.origin_mm, *family.axes[:2].ravel(),
              *f.axes.ravel(), f.plane is not None] for f in family.faces]  # fmt: skip
    rows = np.array(faces, dtype=np.float64).reshape(-1, 27)[leaves.face_of]
    low, high, origins, axes, tip_t = np.split(rows, [4, 8, 14, 26], axis=1)
    width = np.ldexp(high - low, -leaves.level.astype(np.int64))
    return Boxes(
        family=family, face_of=leaves.face_of, x=low + width * (leaves.index + 0.5), h=width / 2.0,
        origins=origins.reshape(-1, 2, 3), axes=axes.reshape(-1, 4, 3), tip_t=tip_t[:, 0],
        reach_t=leaves.reach_t, back_t=leaves.back_t, beyond_t=leaves.beyond_t,
        normal=leaves.plane[:, :3], offset_mm=leaves.plane[:, 3],
    )  # fmt: skip
