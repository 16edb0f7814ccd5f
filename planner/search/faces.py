"""The faces of a target towards a gate, and the rules that lines entering through them keep.

Every line whose gate point lies outside a convex target enters it through exactly one face, and
where it pierces that face its tip is (or, if that point is not in bone, its tip is further on). A
line whose gate point lies in the target has its tip there. So the lines of a gate fall into
faces, each with four numbers of its own: a gate point (a, b) and a point (c, d) on the face.
All coordinates here are the gate's: lateral, cranial, along (mm).
"""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float
from shapely import MultiPolygon, Polygon

from geometry.arrays import Point, Points, unit

AHEAD_MM = 1e-3  # faces count as far as they lie this far in front of the gate plane
HULL_DIRECTIONS = 16
ON_FACE_MM = 1e-6
PAD_MM = 1e-6  # faces are taken this much too large, so that rounding cannot cut a line off


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """Lines that enter a target through one plane.

    Attributes:
        plane: Index of the target's half-space; None for lines that start inside the target, whose
            second point lies on the aim plane.
        origin: Origin of the plane, gate coordinates, mm.
        axes: Unit vectors (rows) in it.
        tip: Parameter of the tip: 1 on the face, 0 for lines that start inside.
        low: Least numbers (a, b, c, d) of its lines.
        high: Greatest.
        rules: Rows; ``row[:4] . x <= row[4]`` for every line that enters here.
    """

    plane: int | None
    origin: Point
    axes: Float[np.ndarray, "2 3"]
    tip: float
    low: Float[np.ndarray, " 4"]
    high: Float[np.ndarray, " 4"]
    rules: Float[np.ndarray, "k 5"]


def faces_of(
    window: MultiPolygon,
    cone: Float[np.ndarray, "2 2"],
    normals: Float[np.ndarray, "m 3"],
    offsets: Float[np.ndarray, " m"],
    corners: Points,
    reach: float,
) -> tuple[Face, ...]:
    """Return the faces through which lines of a gate may enter a target.

    Args:
        window: The gate's window.
        cone: Least and greatest lateral and cranial slope (rows).
        normals: Outward normals of the target's faces.
        offsets: ``normal . p <= offset`` inside, mm.
        corners: Corners of the target.
        reach: Distance of the aim plane, mm.
    """
    found = [
        _starting_inside(window, cone, normals, offsets, reach),
        *(
            _face(i, window, cone, normals[i], float(offsets[i]), corners)
            for i in range(len(offsets))
        ),
    ]
    return tuple(face for face in found if face is not None)


def _face(
    index: int,
    window: MultiPolygon,
    cone: Float[np.ndarray, "2 2"],
    normal: Point,
    offset: float,
    corners: Points,
) -> Face | None:
    """Return one face, or None where no line of the gate can enter through it."""
    low_a, low_b, high_a, high_b = window.bounds
    gate_box = np.array([[a, b, 0.0] for a in (low_a, high_a) for b in (low_b, high_b)])
    if float((gate_box @ normal).max()) <= offset:
        return None
    on_it = corners[np.abs(corners @ normal - offset) < ON_FACE_MM]
    if len(on_it) < 3:
        return None
    axes = _axes_in_plane(normal)
    hull = shapely.convex_hull(shapely.MultiPoint((on_it - on_it[0]) @ axes.T))
    middle = shapely.get_coordinates(hull.centroid)[0]  # it moves with the target
    origin = on_it[0] + middle @ axes
    outline = _in_front(shapely.transform(hull, lambda p: p - middle), origin, axes)
    if not isinstance(outline, Polygon) or outline.is_empty:
        return None
    outline = outline.buffer(PAD_MM, join_style="mitre")
    low_c, low_d, high_c, high_d = outline.bounds
    entering = np.array([[-normal[0], -normal[1], 0.0, 0.0, PAD_MM - offset]])
    return Face(
        plane=index, origin=origin, axes=axes, tip=1.0,
        low=np.array([low_a, low_b, low_c, low_d]), high=np.array([high_a, high_b, high_c, high_d]),
        rules=np.concatenate([
            _edge_rules(outline), _cone_rules(cone, origin, axes), entering, _hull_rules(window),
        ]),
    )  # fmt: skip


def _starting_inside(
    window: MultiPolygon,
    cone: Float[np.ndarray, "2 2"],
    normals: Float[np.ndarray, "m 3"],
    offsets: Float[np.ndarray, " m"],
    reach: float,
) -> Face | None:
    """Return the lines whose gate point lies in the target, or None where there are none."""
    part = shapely.box(*window.bounds)
    for normal, offset in zip(normals, offsets, strict=True):
        part = _half_plane(part, normal[:2], float(offset) + PAD_MM)
    if part.is_empty or not part.intersects(window):
        return None
    low_a, low_b, high_a, high_b = part.bounds
    origin, axes = np.array([0.0, 0.0, reach]), np.eye(3)[:2]
    slant = reach * cone
    section = np.column_stack([normals[:, :2], np.zeros((len(normals), 2)), offsets + PAD_MM])
    return Face(
        plane=None, origin=origin, axes=axes, tip=0.0,
        low=np.array([low_a, low_b, low_a + slant[0, 0], low_b + slant[1, 0]]),
        high=np.array([high_a, high_b, high_a + slant[0, 1], high_b + slant[1, 1]]),
        rules=np.concatenate([section, _cone_rules(cone, origin, axes), _hull_rules(window)]),
    )  # fmt: skip


def _axes_in_plane(normal: Point) -> Float[np.ndarray, "2 3"]:
    """Return two unit vectors in a plane, the first as lateral as can be."""
    helper = np.eye(3)[0 if abs(normal[0]) < 0.99 else 1]
    first = unit(helper - (helper @ normal) * normal)
    return np.stack([first, np.cross(normal, first)])


def _in_front(
    outline: shapely.Geometry, origin: Point, axes: Float[np.ndarray, "2 3"]
) -> shapely.Geometry:
    """Cut a face to what lies in front of the gate plane."""
    return _half_plane(outline, -axes[:, 2], float(origin[2] - AHEAD_MM))


def _half_plane(
    shape: shapely.Geometry, normal: Float[np.ndarray, " 2"], offset: float
) -> shapely.Geometry:
    """Cut a shape to ``normal . p <= offset``."""
    size = float(np.linalg.norm(normal))
    if shape.is_empty or size < 1e-12:
        return shape if offset >= 0.0 else Polygon()
    normal, offset = normal / size, offset / size
    along, far = np.array([-normal[1], normal[0]]), 1e4
    edge = offset * normal
    near, back = [edge - far * along, edge + far * along], -far * normal
    return shape.intersection(Polygon([near[0], near[1], near[1] + back, near[0] + back]))


def _edge_rules(outline: Polygon) -> Float[np.ndarray, "k 5"]:
    """Return the edges of a convex outline in (c, d) as rules."""
    ring = np.asarray(shapely.geometry.polygon.orient(outline).exterior.coords)
    along = np.diff(ring, axis=0)
    keep = np.linalg.norm(along, axis=1) > 1e-9
    along, start = along[keep], ring[:-1][keep]
    outward = np.column_stack([along[:, 1], -along[:, 0]])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    limits = np.array([(ring @ n).max() for n in outward])
    return np.column_stack([np.zeros((len(start), 2)), outward, limits])


def _cone_rules(
    cone: Float[np.ndarray, "2 2"], origin: Point, axes: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "4 5"]:
    """Return the cone of directions as rules, linear because the gate point has along 0."""
    rows = []
    for k in range(2):
        for slope, sign in ((cone[k, 0], -1.0), (cone[k, 1], 1.0)):
            # sign * (u - a - slope * w) <= 0 with u, w of the face point.
            row = np.zeros(5)
            row[k] = -sign
            row[2:4] = sign * (axes[:, k] - slope * axes[:, 2])
            row[4] = -sign * (origin[k] - slope * origin[2])
            rows.append(row)
    return np.array(rows)


def _hull_rules(window: MultiPolygon) -> Float[np.ndarray, "k 5"]:
    """Return rules in (a, b) that hold for the window's convex hull, in evenly spread directions.

    The directions along the axes are left out: the box of the face has those.
    """
    points = shapely.get_coordinates(window)
    turns = np.arange(HULL_DIRECTIONS)
    angles = 2.0 * np.pi * turns[turns % (HULL_DIRECTIONS // 4) != 0] / HULL_DIRECTIONS
    outward = np.column_stack([np.cos(angles), np.sin(angles)])
    limits = (points @ outward.T).max(axis=0)
    return np.column_stack([outward, np.zeros((len(angles), 2)), limits])
