"""Rods, cages and screws: the few lines and faces that planning needs of each."""

import numpy as np
import shapely
from jaxtyping import Float
from shapely import MultiPolygon, Polygon

from geometry.arrays import Point, Points, Vector, frozen, unit
from geometry.frames import angle_between
from geometry.mesh import TriangleMesh
from geometry.sections import plane_through, section
from planner.anatomy.body import Surface, surface_of
from planner.anatomy.model import CageEnds, RodLine, Unavailable
from planner.anatomy.screw import screw_axis
from planner.case import Structure, Tube

ROD_SPACING_MM = 2.5
ROD_STEPS = 4
CAGE_STEPS = 40
CHAMFER = 0.75  # cosine: edges broken at 45 degrees are not part of a bearing face
UNEVEN = 0.1  # relative standard deviation of a sound rod's sections, at most
WEDGE_RAD = np.radians(20.0)  # between a cage's faces; cages are made with up to about 15 degrees
CRANIAL = np.array([0.0, 0.0, 1.0])
LEFT = np.array([1.0, 0.0, 0.0])


def rod_line(rod: Structure, *, up: Vector = CRANIAL) -> RodLine | Unavailable:
    """Find a rod's centreline: through the centroids of sections across it, end to end.

    Args:
        rod: A tube, which is taken as it is, or a mesh bent by less than a right angle from the
            line through its ends.
        up: Which way is cranial; only tells the two ends apart.
    """
    if isinstance(rod.primitive, Tube):
        points = np.asarray(rod.primitive.points_mm, dtype=np.float64)
        diameter, trust = rod.primitive.diameter_mm, (1.0, "given as a tube")
    else:
        found = _centreline(rod.mesh)
        if isinstance(found, Unavailable):
            return found
        points, areas = found
        diameter = 2.0 * float(np.sqrt(np.median(areas) / np.pi))
        uneven = float(np.std(areas) / np.median(areas))
        trust = (min(1.0, UNEVEN / max(uneven, 1e-9)), f"its sections differ by {uneven:.0%}")
    if (points[0] - points[-1]) @ up < 0.0:
        points = points[::-1]
    return RodLine(
        structure=rod.name, points_mm=frozen(points), diameter_mm=diameter, side=rod.side,
        confidence=trust[0], cause=trust[1],
    )  # fmt: skip


def _centreline(mesh: TriangleMesh) -> tuple[Points, list[float]] | Unavailable:
    """Cut across the chord, then across the line found, until it stands; return the areas too."""
    surface = surface_of(mesh)
    weights = np.linalg.norm(surface.areas, axis=1)
    centre = weights @ surface.points / weights.sum()
    offset = surface.points - centre
    spread, axes = np.linalg.eigh((offset * weights[:, None]).T @ offset)
    if spread[2] < 4.0 * spread[1]:
        return Unavailable(reason="the rod has no long axis: it is not one slender piece")
    along = offset @ axes[:, 2]
    chord = axes[:, 2] * (1.0 if weights @ along**3 >= 0.0 else -1.0)
    height = (mesh.vertices - centre) @ chord
    low, high = height.min(), height.max()
    count = max(4, int(np.ceil((high - low) / ROD_SPACING_MM)))
    stations = low + (np.arange(count) + 0.5) * (high - low) / count
    line = centre + stations[:, None] * chord
    tangents = np.broadcast_to(chord, line.shape)
    areas: list[float] = []
    for _ in range(ROD_STEPS):
        line, areas = _centroids(mesh, line, tangents)
        if len(line) < 3:
            return Unavailable(reason="the rod's mesh is too broken to cut across it")
        steps = np.gradient(line, axis=0)
        tangents = steps / np.linalg.norm(steps, axis=1)[:, None]
    diameter = 2.0 * float(np.sqrt(np.median(areas) / np.pi))
    first = _end(mesh, line[0], -tangents[0], diameter)
    last = _end(mesh, line[-1], tangents[-1], diameter)
    return np.concatenate([first[None], line, last[None]]), areas


def _centroids(
    mesh: TriangleMesh, line: Points, tangents: Points
) -> tuple[Float[np.ndarray, "k 3"], list[float]]:
    """Move each point of a line to the centroid of the section there; drop those off the mesh."""
    middles, areas = [], []
    for point, tangent in zip(line, tangents, strict=True):
        plane = plane_through(point, tangent, _across(tangent))
        piece = section(mesh, plane).at(0.0, 0.0)
        if piece is not None:
            middles.append(plane.lifted(piece.centroid.x, piece.centroid.y))
            areas.append(float(piece.area))
    return np.array(middles).reshape(-1, 3), areas


def _across(axis: Vector) -> Vector:
    """Return some direction across an axis."""
    return np.linalg.svd(axis[None, :])[2][1]


def _end(mesh: TriangleMesh, point: Point, outward: Vector, diameter_mm: float) -> Point:
    """Return the rod's end beyond the last section, along the last tangent."""
    offset = mesh.vertices - point
    height = offset @ outward
    aside = np.linalg.norm(offset - height[:, None] * outward, axis=1)
    near = (aside < diameter_mm) & (height > 0.0) & (height < 4.0 * ROD_SPACING_MM)
    return point + (float(height[near].max()) if near.any() else 0.0) * outward


def cage_ends(
    cage: Structure, *, up: Vector = CRANIAL, left: Vector = LEFT
) -> CageEnds | Unavailable:
    """Find the two faces by which a cage bears on the vertebrae next to it.

    Args:
        cage: Its mesh may be hollow or serrated.
        up: About cranial, such as the mean superior axis of the neighbouring vertebrae.
        left: About the patient's left.
    """
    surface = surface_of(cage.mesh)
    axis = unit(up)
    for _ in range(CAGE_STEPS):
        upper, lower = _bearing(surface, axis), _bearing(surface, -axis)
        if upper is None or lower is None:
            return Unavailable(reason="the cage has no face that looks up or down the spine")
        turned = unit(upper[1] - lower[1])
        change = np.abs(turned - axis).max()
        axis = turned
        if change < 1e-12:
            break
    else:
        return Unavailable(reason="the cage has no two opposite bearing faces")
    middle = 0.5 * (upper[0] + lower[0])
    wedge = angle_between(upper[1], -lower[1])
    across = unit(left - (left @ axis) * axis)
    posterior = np.cross(axis, across)
    flat = (cage.mesh.vertices - middle) @ np.stack([across, posterior], axis=1)
    return CageEnds(
        structure=cage.name,
        cranial_mm=upper[0],
        caudal_mm=lower[0],
        axis=axis,
        left=across,
        posterior=posterior,
        outline=_shadow(flat[cage.mesh.faces]),
        confidence=float(np.clip(1.0 - (wedge - WEDGE_RAD) / WEDGE_RAD, 0.0, 1.0)),
        cause=f"its bearing faces differ by {np.degrees(wedge):.0f} degrees",
    )


def _bearing(surface: Surface, outward: Vector) -> tuple[Point, Vector] | None:
    """Return the centre and the mean normal of the surface that looks ``outward``."""
    sizes = np.linalg.norm(surface.areas, axis=1)
    facing = surface.areas @ outward / np.maximum(sizes, 1e-12)
    heights = surface.points @ outward
    # the outer half only: a hollow cage may have ledges inside that look the same way
    outer = heights > 0.5 * (heights.max() + heights.min())
    weights = sizes * np.maximum(0.0, facing - CHAMFER) ** 2 * outer
    if weights.sum() <= 0.0:
        return None
    normal = weights @ (surface.areas / np.maximum(sizes, 1e-12)[:, None])
    return weights @ surface.points / weights.sum(), unit(normal)


def _shadow(triangles: Float[np.ndarray, "m 3 2"]) -> Polygon | MultiPolygon:
    """Return the union of flat triangles."""
    edges = triangles[:, 1:] - triangles[:, :1]
    doubled = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    solid = triangles[np.abs(doubled) > 1e-9]
    rings = np.concatenate([solid, solid[:, :1]], axis=1)
    return shapely.union_all(shapely.polygons(rings))


__all__ = ["cage_ends", "rod_line", "screw_axis"]
