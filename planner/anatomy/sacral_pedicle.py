"""The pedicles of S1: where they end towards canal, first foramen and ala.

An S1 pedicle has no isthmus: laterally it runs into the ala without a wall. Its gate is the bone in
an upright plane that passes the canal's lateral wall where the posterior wall of the body meets it.
The normal converges as S1 screws do. There bone is bounded medially by the canal, below by the
roof of the first sacral foramen, above by the plane of the endplate. The border with the ala is a
convention: at the mean width of S1 pedicles, in proportion to the endplate. Nothing is lost beyond
it, because the ala is kept as well.

What has to be seen is the foramen's roof; without it there is no pedicle. A canal that the mesh
does not show (a solid sacrum) is taken at adult width, which lowers the confidence.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import shapely
from shapely import Polygon
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from geometry.arrays import Point
from geometry.frames import RigidTransform
from geometry.mesh import TriangleMesh
from geometry.sections import Plane, parts, section
from planner.anatomy.model import Body, Pedicle, SacralPedicle, Unavailable
from planner.anatomy.morphometry import NORMS
from planner.case import Side, Structure

CONVERGENCE_RAD = np.radians(25.0)  # middle of 12 to 37 degrees, P:asian180 (DOMAIN 2.2)
CANAL_WIDTH_MM = 29.5  # mean of adults at S1, DOMAIN 4.1
WALL_LOOK_MM = 5.0  # behind the posterior wall, where the canal's side walls are looked for [A]
WALL_HEIGHTS = (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3)  # of the body, at which they are
WIDEST_HALF_MM = 24.0  # half a canal; farther out there is no side wall [A]
HEIGHTS_MM = (8.2, 31.0)  # 0.6 x 13.6 (P:okutan) to 1.5 x 20.7 (P:saluja)
FORAMEN_WITHIN = (0.15, 0.85)  # of the pedicle's width, below which its foramen is looked for
LEAST_VOID_MM2 = 12.0  # an adult foramen has 60 or more: 10 x 8 mm, P:saluja
ALA_REACH_MM = 45.0  # from the canal; beyond it is the joint with the ilium [A]
UNLIKE_MM = 5.0  # between the heights of both pedicles [A]
SEEN, UNSEEN, UNUSUAL = 0.7, 0.5, 0.4  # confidence with the canal seen, unseen, an odd size


_Walls: TypeAlias = dict[Side, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SacralBone:
    """What the pedicles of S1 are read from.

    Attributes:
        mesh: The sacrum, patient LPS, mm.
        metal: Screws and the like; a hole that holds metal counts as bone.
        frame: ``S1_from_patient``.
        body: The body of S1, in its frame.
        canal_shows: Whether a canal was seen to end the body behind; only then does it have walls.
    """

    mesh: TriangleMesh
    metal: tuple[Structure, ...]
    frame: RigidTransform
    body: Body
    canal_shows: bool


def sacral_pedicles(bone: SacralBone) -> dict[Side, Pedicle | Unavailable]:
    """Read both S1 pedicles."""
    walls = _canal_walls(bone) if bone.canal_shows else None
    found: dict[Side, Pedicle | Unavailable] = {side: _pedicle(bone, walls, side) for side in Side}
    heights = [one.height_mm for one in found.values() if isinstance(one, Pedicle)]
    if len(heights) == len(Side) and abs(heights[0] - heights[1]) > UNLIKE_MM:
        cause = f"left and right S1 pedicle are {abs(heights[0] - heights[1]):.1f} mm unlike high"
        return {
            side: replace(one, confidence=min(UNUSUAL, one.confidence), cause=cause)
            for side, one in found.items()
            if isinstance(one, Pedicle)
        }
    return found


def _canal_walls(bone: SacralBone) -> _Walls | None:
    """Return how far the canal's side walls are from the midline, mm; None if too little shows."""
    frame, body = bone.frame, bone.body
    slant = body.superior_mm[1] / body.superior_mm[2]
    reach: list[tuple[float, float]] = []
    for height in WALL_HEIGHTS:
        up = height * body.posterior_height_mm
        behind = 0.5 * body.depth_mm + slant * up + WALL_LOOK_MM
        origin = frame.inverse().points(np.array([0.0, behind, up]))
        plane = Plane(origin_mm=origin, x_axis=frame.rotation[0], y_axis=frame.rotation[1])
        span = shapely.LineString([(-WIDEST_HALF_MM, 0.0), (WIDEST_HALF_MM, 0.0)])
        free = span.difference(shapely.union_all(section(bone.mesh, plane).polygons))
        middle = [p for p in shapely.get_parts(free) if p.distance(shapely.Point(0.0, 0.0)) < 0.5]
        low, high = (middle[0].bounds[0], middle[0].bounds[2]) if middle else (0.0, 0.0)
        if low > -WIDEST_HALF_MM and high < WIDEST_HALF_MM and high - low > 8.0:
            reach.append((high, -low))
    if 2 * len(reach) <= len(WALL_HEIGHTS):
        return None
    left, right = np.median(np.array(reach), axis=0)
    return {Side.LEFT: float(left), Side.RIGHT: float(right)}


def _pedicle(sacrum: SacralBone, walls: _Walls | None, side: Side) -> SacralPedicle | Unavailable:
    """Read one pedicle in its plane."""
    scale = sacrum.body.width_mm / NORMS["S1"].body_width_mm
    medial = 0.5 * CANAL_WIDTH_MM * scale if walls is None else walls[side]
    width = NORMS["S1"].pedicle_width_mm * scale
    plane = _plane(sacrum, side, medial)
    sign = 1.0 if side is Side.LEFT else -1.0
    bone = _bone(sacrum, plane)
    bone = bone if side is Side.LEFT else shapely.affinity.scale(bone, -1.0, 1.0, origin=(0, 0))
    half = 0.5 * sacrum.body.posterior_height_mm
    void = _foramen(bone, width, half)
    if void is None:
        return Unavailable(
            reason=f"no first sacral foramen is seen below the {side} S1 pedicle, so nothing tells "
            "where it ends"
        )
    roof = float(void.bounds[3])
    outline = _largest(bone.intersection(shapely.box(0.0, roof, width, half)))
    ala = _largest(bone.intersection(shapely.box(width, roof, ALA_REACH_MM, half)))
    if outline.area < LEAST_VOID_MM2 or roof > 0.0:
        return Unavailable(reason=f"the {side} S1 pedicle has no bone beside the canal")
    middle, height = outline.centroid, float(outline.bounds[3] - outline.bounds[1])
    confidence, cause = _trust(height, canal_shows=walls is not None)

    def lifted(point: shapely.Point) -> Point:
        return plane.lifted(sign * point.x, point.y)

    return SacralPedicle(
        side=side,
        centre_mm=lifted(middle),
        axis=_axis(sacrum, side),
        lateral=sign * plane.x_axis,
        cranial=plane.y_axis,
        outline=shapely.geometry.polygon.orient(translate(outline, -middle.x, -middle.y)),
        width_mm=float(outline.bounds[2] - outline.bounds[0]),
        height_mm=height,
        confidence=confidence,
        cause=cause,
        ala=shapely.geometry.polygon.orient(translate(ala, -middle.x, -middle.y)),
        foramen_mm=lifted(void.centroid),
    )


def _axis(sacrum: SacralBone, side: Side) -> Point:
    """Return the direction in which screws run through the pedicle, posterior to anterior, LPS."""
    left, posterior, _ = sacrum.frame.rotation
    inward = -left if side is Side.LEFT else left
    return np.cos(CONVERGENCE_RAD) * -posterior + np.sin(CONVERGENCE_RAD) * inward


def _plane(sacrum: SacralBone, side: Side, medial_mm: float) -> Plane:
    """Return the upright plane through the canal's wall, x to the patient's left."""
    left, _, cranial = sacrum.frame.rotation
    axis = _axis(sacrum, side)
    at = np.array([medial_mm if side is Side.LEFT else -medial_mm, 0.5 * sacrum.body.depth_mm, 0.0])
    across = left - (left @ axis) * axis
    return Plane(
        origin_mm=sacrum.frame.inverse().points(at),
        x_axis=across / np.linalg.norm(across),
        y_axis=cranial,
    )


def _bone(sacrum: SacralBone, plane: Plane) -> BaseGeometry:
    """Return the bone in the plane; a hole whose middle is metal was made by it: it is bone.

    Screws may touch a foramen too, but they do not run through its middle.
    """
    metal = shapely.union_all(
        [p for one in sacrum.metal for p in section(one.mesh, plane).polygons]
    )
    pieces = []
    for piece in section(sacrum.mesh, plane).polygons:
        holes = [Polygon(ring) for ring in piece.interiors]
        kept = [h for h in holes if not metal.covers(h.centroid)]
        pieces.append(Polygon(piece.exterior, [h.exterior for h in kept]))
    return shapely.union_all(pieces)


def _foramen(bone: BaseGeometry, width_mm: float, half_mm: float) -> Polygon | None:
    """Return the uppermost gap in the bone below a pedicle that is as large as a foramen."""
    low, high = (share * width_mm for share in FORAMEN_WITHIN)
    gaps = parts(shapely.box(low, -2.0 * half_mm, high, 0.0).difference(bone))
    large = [gap for gap in gaps if gap.area >= LEAST_VOID_MM2]
    return max(large, key=lambda gap: float(gap.bounds[3]), default=None)


def _largest(shape: BaseGeometry) -> Polygon:
    return max(parts(shape), key=lambda part: float(part.area), default=Polygon())


def _trust(height_mm: float, *, canal_shows: bool) -> tuple[float, str]:
    """Say how far a pedicle can be relied on, and why not farther."""
    low, high = HEIGHTS_MM
    if not low <= height_mm <= high:
        return UNUSUAL, f"height {height_mm:.1f} mm is outside {low:.1f} to {high:.1f} mm at S1"
    border = f"height {height_mm:.1f} mm; its border with the ala is set at the adult mean width"
    if not canal_shows:
        return UNSEEN, f"no canal in the sacrum: its medial wall is at the adult mean; {border}"
    return SEEN, border
