"""The vertebral frame and the body, from the plane of symmetry and the faces of the body.

A face of the body (endplate, posterior wall, anterior cortex) is the surface that looks that way
within a smooth window over the body. It is fitted by the area it shows in that direction, which
makes the steps of a voxel mesh average out, and every estimate is continuous in the mesh.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import shapely
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from shapely import Polygon

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh
from geometry.sections import Plane, Section, filled, parts, section
from planner.anatomy import _kernels
from planner.anatomy.midsection import midsection
from planner.anatomy.model import Body, Unavailable
from planner.anatomy.symmetry import MirrorPlane

STEPS = 80
COARSE_STEPS = 8
SETTLED_MM = 1e-10
MAX_CONDITION = 1e12  # of the normal equations; beyond it a handful of triangles holds no face
COARSE_REACH_MM = 12.0  # surface farther than this from a face is not of it; canals are deeper
REACH_MM = 7.0
SMALL_TRIANGLE_MM2 = 1.0
IN_FRONT = 2.0  # what lying in front is worth, in sizes, to a piece that may be the body
LEAST_RADIUS_MM = 2.0  # of the circle in the midsagittal body; an intact adult body has 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyBox:
    """The body as an upright box in patient LPS.

    Attributes:
        centre: On the plane of symmetry, mm.
        axes: Unit axes to the left, posterior and superior, one per row.
        half: Half extents along them, mm.
    """

    centre: Point
    axes: Float[np.ndarray, "3 3"]
    half: Float[np.ndarray, "3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """A plane fitted to one face: ``height = at_centre + slope . (u, v)``, box axes, mm.

    Attributes:
        at_centre: Height over the box centre along the face's outward direction.
        slope: Rise along the two other box axes, in their order.
        spread_mm: Root mean square distance of the surface from the plane.
        coverage: Area found over the area looked at; 1 for a whole face.
    """

    at_centre: float
    slope: Float[np.ndarray, "2"]
    spread_mm: float
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """Where one face is looked for: its axis, its sign, and a window in half extents."""

    axis: int
    sign: float
    middle: tuple[float, float]
    reach: tuple[float, float]


LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "superior": Look(axis=2, sign=1.0, middle=(0.0, 0.0), reach=(0.8, 0.85)),
        "inferior": Look(axis=2, sign=-1.0, middle=(0.0, 0.0), reach=(0.8, 0.85)),
        "posterior": Look(axis=1, sign=1.0, middle=(0.0, 0.0), reach=(0.4, 0.6)),
        "anterior": Look(axis=1, sign=-1.0, middle=(0.0, 0.0), reach=(0.4, 0.6)),
        "left": Look(axis=0, sign=1.0, middle=(-0.2, 0.0), reach=(0.5, 0.6)),
        "right": Look(axis=0, sign=-1.0, middle=(-0.2, 0.0), reach=(0.5, 0.6)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """Points on a mesh's surface, each with its normal times the area it stands for."""

    points: Points
    areas: Points


def surface_of(mesh: TriangleMesh) -> Surface:
    """Sample every triangle at three inner points, exact for quadratic functions; small ones once.

    Args:
        mesh: In any frame, mm.
    """
    corners = mesh.corners
    a, b, c = np.moveaxis(corners, 1, 0)
    area = np.cross(b - a, c - a) / 2.0
    if np.linalg.norm(area, axis=1).mean() < SMALL_TRIANGLE_MM2:
        return Surface(points=corners.mean(axis=1), areas=area)
    inner = np.array([[4.0, 1.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 4.0]]) / 6.0
    points = np.einsum("kc,mcx->mkx", inner, corners).reshape(-1, 3)
    return Surface(points=points, areas=np.repeat(area / 3.0, 3, axis=0))


def _near_box(surface: Surface, box: BodyBox) -> Surface:
    """Keep the part of the surface that any face may be looked for in."""
    local = np.abs((surface.points - box.centre) @ box.axes.T)
    near = (local < 1.5 * box.half + COARSE_REACH_MM).all(axis=1)
    return Surface(points=surface.points[near], areas=surface.areas[near])


def rough_box(
    mesh: TriangleMesh, mirror: MirrorPlane, canal: TriangleMesh | None
) -> BodyBox | Unavailable:
    """Find the body in the midsagittal section: the piece with the most bone around its middle."""
    cut = midsection(mesh, mirror)
    if not cut.pieces:
        return Unavailable(reason="the plane of symmetry does not cut the bone")
    size = cut.sizes
    # a fused arch can be as wide; the body is the piece in front
    size[int(np.argmin(cut.centres_mm[:, 1]))] *= IN_FRONT
    largest = int(np.argmax(size))
    plane, left, pieces = cut.plane, cut.left, cut.pieces
    middle, radius = cut.middles[largest], float(cut.radii_mm[largest])
    if radius < LEAST_RADIUS_MM:
        return Unavailable(
            reason=f"no body at the midline: the widest bone there has a radius of {radius:.1f} mm"
        )
    arch = [p for i, p in enumerate(pieces) if i != largest]
    rear = _rear_point(plane, middle, arch, canal)
    to_rear = np.arctan2(*(rear - middle)[::-1])
    quarter = _quarter_angle(pieces[largest], middle, radius)
    turn = quarter + 0.5 * np.pi * np.round((to_rear - quarter) / (0.5 * np.pi))
    posterior = np.cos(turn) * plane.x_axis + np.sin(turn) * plane.y_axis
    half_depth, half_height, shift = _extents(pieces[largest], middle, turn, radius)
    centre = plane.lifted(*(middle + shift))
    return BodyBox(
        centre=centre,
        axes=np.stack([left, posterior, np.cross(left, posterior)]),
        half=np.array([1.25 * half_depth, half_depth, half_height]),
    )


def _rear_point(
    plane: Plane,
    middle: Float[np.ndarray, "2"],
    arch: list[Polygon],
    canal: TriangleMesh | None,
) -> Float[np.ndarray, "2"]:
    """Return a point behind the body in the midsagittal plane: canal, else arch, else patient y.

    The nearest point is taken, because thoracic spinous processes slant steeply downward.
    """
    if canal is not None:
        outline = section(canal, plane).polygons
        near = [p for p in outline if p.distance(shapely.Point(middle)) < 40.0]
        if near:
            return _nearest(shapely.union_all(near), middle)
    if arch:
        return _nearest(shapely.union_all(arch), middle)
    # nothing of the bone is left to tell: the patient's own back does
    return middle + np.array([plane.x_axis[1], plane.y_axis[1]])


def _nearest(shape: shapely.Geometry, middle: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
    """Return the point of a planar shape that is nearest to ``middle``."""
    line = shapely.shortest_line(shapely.Point(middle), shape)
    return np.array(line.coords[1])


def _quarter_angle(piece: Polygon, middle: Float[np.ndarray, "2"], radius: float) -> float:
    """Return the direction of the outline's faces, radians, known up to quarter turns.

    The outline is smoothed first, or the steps of a voxel mesh would answer instead of the bone.
    """
    step = radius / 30.0
    ring = piece.exterior
    count = int(np.ceil(ring.length / step))
    even = shapely.line_interpolate_point(ring, np.linspace(0.0, ring.length, count, False))
    outline = gaussian_filter1d(shapely.get_coordinates(even), 6.0, axis=0, mode="wrap")
    edges = np.roll(outline, -1, axis=0) - outline
    far = np.linalg.norm(outline - middle, axis=1) / (2.2 * radius)
    weights = np.maximum(0.0, 1.0 - far**2)
    steps = edges @ np.array([1.0, 1.0j])
    lengths = np.abs(steps) + 1e-12
    return float(np.angle(np.sum(weights * lengths * (steps / lengths) ** 4)) / 4.0)


def _extents(
    piece: Polygon, middle: Float[np.ndarray, "2"], turn: float, radius: float
) -> tuple[float, float, Float[np.ndarray, "2"]]:
    """Return half depth, half height and the shift of the middle, along crossing lines, mm."""
    posterior = np.array([np.cos(turn), np.sin(turn)])
    halves, shift = [], np.zeros(2)
    for axis in (posterior, np.array([-posterior[1], posterior[0]])):
        ends = middle + np.array([[-4.0 * radius], [4.0 * radius]]) * axis
        chord = shapely.LineString(ends).intersection(piece)
        spans = [np.array(g.coords) for g in getattr(chord, "geoms", [chord])]
        span = min(spans, key=lambda s: shapely.LineString(s).distance(shapely.Point(middle)))
        along = (span - middle) @ axis
        halves.append(float(0.5 * (along[-1] - along[0])))
        shift = shift + 0.5 * (along[0] + along[-1]) * axis
    return halves[0], halves[1], shift


def fit_face(surface: Surface, box: BodyBox, look: Look, reach_mm: float) -> Face | None:
    """Fit one face by the area that looks that way, near where the box has it."""
    u_axis, v_axis = (i for i in range(3) if i != look.axis)
    half = box.half[[u_axis, v_axis]]
    expected = float(box.half[look.axis])
    window = [*(half * look.middle), *(half * look.reach)]
    sums = np.empty(11)
    _kernels.face_sums(
        surface.points - box.centre,
        surface.areas,
        np.ascontiguousarray(box.axes),
        np.array([look.axis, look.sign, *window, expected, reach_mm]),
        sums,
    )
    total = sums[0]
    looked_at = 4.0 * half[0] * half[1] * look.reach[0] * look.reach[1]
    if total < 0.05 * looked_at:
        return None
    normal_matrix = sums[[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3)
    if np.linalg.cond(normal_matrix) > MAX_CONDITION:
        return None
    plane = np.linalg.solve(normal_matrix, sums[6:9])
    spread = float(np.sqrt(max(0.0, sums[9] - plane @ sums[6:9]) / total))
    # the window's own mean is 0.61 of its reach in either direction
    coverage = float(min(1.0, sums[10] / looked_at / 0.37))
    return Face(
        at_centre=expected + float(plane[0]), slope=plane[1:], spread_mm=spread, coverage=coverage
    )


def settled_box(
    surface: Surface, box: BodyBox, looks: Mapping[str, Look] = LOOKS
) -> tuple[BodyBox, dict[str, Face]] | Unavailable:
    """Move, tilt and size the box until it agrees with the faces it looks at."""
    faces: dict[str, Face] = {}
    surface = _near_box(surface, box)
    for step in range(STEPS):
        reach_mm = COARSE_REACH_MM if step < COARSE_STEPS else REACH_MM
        for name, look in looks.items():
            face = fit_face(surface, box, look, reach_mm)
            if face is None and look.axis == 0:  # a crushed side: the width stays as it is
                face = Face(at_centre=box.half[0], slope=np.zeros(2), spread_mm=0.0, coverage=0.6)
            if face is None:
                return Unavailable(reason=f"the body has no {name} face to fit")
            faces[name] = face
        moved = _agreeing_box(box, faces)
        change = max(
            np.abs(moved.centre - box.centre).max(),
            np.abs(moved.half - box.half).max(),
            20.0 * np.abs(moved.axes - box.axes).max(),
        )
        box = moved
        if change < SETTLED_MM and step > COARSE_STEPS:
            break
    return box, faces


def _agreeing_box(box: BodyBox, faces: dict[str, Face]) -> BodyBox:
    """Return the box midway between opposite faces, square to the mean of the endplates."""
    middles = [
        0.0,
        0.5 * (faces["posterior"].at_centre - faces["anterior"].at_centre),
        0.5 * (faces["superior"].at_centre - faces["inferior"].at_centre),
    ]
    opposite = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))
    half = [0.5 * (faces[a].at_centre + faces[b].at_centre) for a, b in opposite]
    # endplate y = z0 + slope * y: normals tilt by -slope (above) and +slope (below) towards y
    tilt = 0.5 * (np.arctan(faces["inferior"].slope[1]) - np.arctan(faces["superior"].slope[1]))
    left, posterior, superior = box.axes
    axes = np.stack(
        [
            left,
            np.cos(tilt) * posterior - np.sin(tilt) * superior,
            np.cos(tilt) * superior + np.sin(tilt) * posterior,
        ]
    )
    return BodyBox(centre=box.centre + np.array(middles) @ box.axes, axes=axes, half=np.array(half))


def face_turn(faces: dict[str, Face]) -> Float[np.ndarray, "2"]:
    """Return how far the body's faces are turned away from square to its left axis, radians.

    First about the superior axis (the posterior wall), then about the posterior one (the mean of
    the endplates). A sound plane of symmetry leaves both near zero.
    """
    wall = np.arctan(faces["posterior"].slope[0])
    plates = 0.5 * (np.arctan(faces["superior"].slope[0]) - np.arctan(faces["inferior"].slope[0]))
    return np.array([wall, plates])


def squared_box(box: BodyBox, faces: dict[str, Face]) -> BodyBox:
    """Return the box turned square to its own posterior wall and endplates."""
    wall, plates = np.tan(face_turn(faces))
    left, posterior, superior = box.axes
    left = unit(left + wall * posterior + plates * superior)
    superior = unit(superior - (superior @ left) * left)
    return BodyBox(
        centre=box.centre,
        axes=np.stack([left, np.cross(superior, left), superior]),
        half=box.half,
    )


def measured_body(mesh: TriangleMesh, box: BodyBox, faces: dict[str, Face]) -> Body:
    """Measure the body in its settled box."""
    left, posterior, superior = box.axes
    axial = section(mesh, Plane(origin_mm=box.centre, x_axis=left, y_axis=posterior))
    sagittal = section(mesh, Plane(origin_mm=box.centre, x_axis=posterior, y_axis=superior))
    outline = _clipped(axial, -4.0 * box.half[1], box.half[1], axis=1)
    front = _clipped(axial, -4.0 * box.half[1], 0.2 * box.half[1], axis=1)
    # the transverse processes of L5 spring from its body; they are not part of it
    low, _, high, _ = front.bounds
    outline = parts(outline.intersection(shapely.box(low, -500.0, high, 500.0)))[0]
    above, below = faces["superior"], faces["inferior"]
    return Body(
        width_mm=float(high - low),
        depth_mm=float(2.0 * box.half[1]),
        posterior_height_mm=_mean_height(sagittal, 0.6 * box.half[1], 0.95 * box.half[1]),
        anterior_height_mm=_mean_height(sagittal, -0.95 * box.half[1], -0.6 * box.half[1]),
        superior_mm=np.array([0.0, 0.0, above.at_centre]),
        superior_normal=_face_normal(above, 1.0),
        inferior_mm=np.array([0.0, 0.0, -below.at_centre]),
        inferior_normal=_face_normal(below, -1.0),
        outline=outline,
    )


def _face_normal(face: Face, sign: float) -> Vector:
    """Return the outward unit normal of an endplate, vertebral axes."""
    normal = np.array([-face.slope[0], -face.slope[1], sign])
    return normal / np.linalg.norm(normal)


def _clipped(cut: Section, low: float, high: float, *, axis: int) -> Polygon:
    """Return the part of the section at the origin within a band of one coordinate."""
    piece = cut.at(0.0, 0.0)
    if piece is None:
        return Polygon()
    bounds = [-500.0, -500.0, 500.0, 500.0]
    bounds[axis], bounds[axis + 2] = low, high
    found = parts(filled(piece).intersection(shapely.box(*bounds)))
    origin = shapely.Point(0.0, 0.0)
    return min(found, key=lambda p: (p.distance(origin), -p.area)) if found else Polygon()


def _mean_height(sagittal: Section, low: float, high: float) -> float:
    """Return the body's mean height over a band of depth in the midsagittal section, mm."""
    return float(_clipped(sagittal, low, high, axis=0).area / (high - low))
