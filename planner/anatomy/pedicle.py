"""The pedicle: its isthmus, its axis, and what hardware leaves free of it.

The isthmus is the smallest section that a plane, slid and tilted, cuts through the pedicle; its
normal is the pedicle's axis. A paraboloid is fitted to the areas of neighbouring sections and the
plane moves to its lowest point until that stands still. Nothing is ever the best of a list, so
nothing jumps. (A line through the centroids of sections would not do: lumbar pedicles are shorter
than they are tall, and the line then overshoots the tilt of the sections.)
"""

from dataclasses import dataclass, replace

import numpy as np
import shapely
import shapely.affinity
from jaxtyping import Float
from shapely import Polygon

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh
from geometry.sections import filled, plane_through, section
from planner.anatomy.body import BodyBox
from planner.anatomy.model import Pedicle, Unavailable
from planner.anatomy.morphometry import ACCEPTED, NORMS, Norm, likest_norm
from planner.anatomy.slicing import Contours, Slicer, planes_across
from planner.case import Side

SEARCH_MM = np.arange(0.0, 10.5, 1.0)  # back from the posterior wall
USUAL_MM = (-3.5, 7.0)  # where isthmuses lie behind the posterior wall; a lamina's neck is not one
STRAY = 0.05  # added to the log of the area per mm2 beyond that
CONVERGENCES = (0.0, 0.5, 0.9)  # radians; the oblique starts serve the pedicles of L5
NEAR_MM = 4.0  # between a stated centre and the smallest section that it means
SHARPNESS = 0.15  # excess of the log of the area at which a section weighs 1/e in the search
SOLID = 0.8  # share of its convex outline that any section of a whole neck fills
SOLID_BORED = 0.9  # and of one that has a channel in it
HOLE_MM2 = 0.5  # from which a hole in a section is a channel
WALL_MM = 1.1  # beside a channel; a thinner wall is open in some of the sections compared
LEAN_RAD = 0.3  # from the adult mean of the convergence; studies differ by 0.1
UNUSUAL = 0.4  # confidence in an isthmus of a size that adults do not have
SLIDE_MM = 3.4  # how far each way sections are compared: about as far as a neck stays narrow
FOLLOWS_MM = 0.7  # per millimetre of the posterior wall; necks with a waist: 0.1 to 0.6
SWING_MM = 1.2  # how far a tilt moves the outline of a section, about
MOST_TILT = 0.4
SPILL = 0.25  # excess of the log of the area at which a section weighs 1/e in the fit
WALL = 0.3  # excess at which tilting the middle section has met the lamina or the body
STEPS = 60
EASED = 29  # steps from which they get shorter, so that a plane that swings comes to rest
SETTLED = 1e-7
FARTHEST_MM = 5.0  # from a plane's origin to the bone that is cut
LEAST_CUTS = 61  # of 77, so that one end may be missing; ten unknowns are fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Isthmus:
    """The plane of a smallest section: its centroid and its normal, posterior to anterior."""

    centre: Point
    axis: Vector


def pedicle(
    bone: Slicer, box: BodyBox, side: Side, level: str | None, *, drawn: TriangleMesh | None = None
) -> Pedicle | Unavailable:
    """Find one pedicle of a vertebra.

    Args:
        bone: The vertebra, patient LPS, mm, as it is searched in.
        box: Its body, in the same frame.
        side: Which pedicle.
        level: For where to start and for the range check against the literature; may be unknown.
        drawn: The vertebra as it is measured, if that is another mesh.

    Returns:
        The pedicle, or why it was not found.
    """
    sign = 1.0 if side is Side.LEFT else -1.0
    reason = "has no bone behind the body"
    unusual: Pedicle | None = None
    for lean in (_usual(box, level).convergence_rad, *CONVERGENCES):
        axis = -np.cos(lean) * box.axes[1] - sign * np.sin(lean) * box.axes[0]
        start = _rough_isthmus(bone, box, sign, axis)
        if start is None:
            continue
        found = _smallest_section(bone, box, start, axis)
        if isinstance(found, str) or not _is_plausible(found, box, sign):
            reason = found if isinstance(found, str) else "has its smallest section elsewhere"
            continue
        pedicle = _described(drawn or bone.mesh, found, box, side, level, searched=bone.mesh)
        if pedicle is None:
            reason = "is not there in the bone as it was segmented"
            continue
        if pedicle.confidence > UNUSUAL:
            return pedicle
        unusual = unusual or pedicle
    return unusual or Unavailable(reason=f"the {side} pedicle {reason}")


def pedicle_at(
    bone: Slicer, box: BodyBox, side: Side, level: str | None, centre: Point
) -> Pedicle | Unavailable:
    """Return the pedicle whose isthmus is said to have its centre at a point.

    Its axis is that of the smallest section near the point, if there is one within ``NEAR_MM``,
    else the usual one at the level. Its outline is the bone's there, about the point.
    """
    sign = 1.0 if side is Side.LEFT else -1.0
    lean = _usual(box, level).convergence_rad
    axis = -np.cos(lean) * box.axes[1] - sign * np.sin(lean) * box.axes[0]
    here = _cuts(bone, centre[None, :], axis, box.axes[2])
    if here.areas[0] == 0.0 or here.apart_mm[0] > FARTHEST_MM:
        return Unavailable(reason=f"the case puts the {side} pedicle where there is no bone")
    found = _smallest_section(bone, box, centre, axis)
    if isinstance(found, _Isthmus) and np.linalg.norm(found.centre - centre) < NEAR_MM:
        axis = found.axis
    isthmus = _Isthmus(centre=centre, axis=axis)
    drawn = _described(bone.mesh, isthmus, box, side, level, searched=bone.mesh)
    if drawn is None:
        return Unavailable(
            reason=f"the bone has no closed section where the case puts the {side} pedicle"
        )
    along, up, _ = drawn.in_plane(centre)
    outline = shapely.affinity.translate(drawn.outline, -along, -up)
    return replace(drawn, centre_mm=centre, outline=outline)


def _usual(box: BodyBox, level: str | None) -> Norm:
    """Return what is usual at the level, or, if that is unknown, in a body of this size."""
    width, depth, height = (2.0 * box.half).tolist()
    return NORMS.get(level or "") or likest_norm(width, depth, height)


def _rough_isthmus(bone: Slicer, box: BodyBox, sign: float, axis: Vector) -> Point | None:
    """Return about where bone lateral to the canal has its smallest section across ``axis``."""
    left, posterior, superior = box.axes
    root = sign * 0.85 * box.half[0] * left + box.half[1] * posterior + 0.3 * box.half[2] * superior
    cuts = _cuts(bone, box.centre + root - SEARCH_MM[:, None] * axis, axis, superior)
    beside = sign * (cuts.centroids - box.centre) @ left > 0.3 * box.half[0]
    kept = (cuts.areas > 0.0) & (cuts.apart_mm <= FARTHEST_MM) & beside
    if not kept.any():
        return None
    middles = cuts.centroids[kept]
    cost = np.log(cuts.areas[kept]) + _stray(box, middles)
    weights = np.exp(-(cost - cost.min()) / SHARPNESS)
    return weights @ middles / weights.sum()


def _stray(box: BodyBox, points: Points) -> Float[np.ndarray, " n"]:
    """Return what the log of an area is raised by for lying too far forward or back."""
    behind = (points - box.centre) @ box.axes[1] - box.half[1]
    off = np.maximum(0.0, np.maximum(USUAL_MM[0] - behind, behind - USUAL_MM[1]))
    return STRAY * off**2


def moves_with_wall(bone: Slicer, box: BodyBox, found: Pedicle) -> bool:
    """Tell whether an isthmus goes where the posterior wall is read, rather than where it is thin.

    It does if it follows the wall, moved a millimetre either way, by more than ``FOLLOWS_MM``, or
    is then lost.
    """
    for shift_mm in (-1.0, 1.0):
        moved = replace(box, centre=box.centre + shift_mm * box.axes[1])
        again = _smallest_section(bone, moved, found.centre_mm, found.axis)
        if isinstance(again, str) or np.linalg.norm(again.centre - found.centre_mm) > FOLLOWS_MM:
            return True
    return False


def _is_plausible(found: _Isthmus, box: BodyBox, sign: float) -> bool:
    """Tell whether a smallest section lies beside the canal and looks towards the body."""
    local = (found.centre - box.centre) @ box.axes.T
    axis = box.axes @ found.axis
    beside = 0.35 < sign * local[0] / box.half[0] < 1.7
    behind = 0.7 * box.half[1] < local[1] < box.half[1] + 16.0
    # measured by the depth too, because a crushed body has lost its height
    level = abs(local[2]) < 1.2 * max(box.half[2], 0.7 * box.half[1])
    return bool(beside and behind and level and axis[1] < -0.5)


def _cuts(bone: Slicer, origins: Points, axes: Points | Vector, up: Vector) -> Contours:
    """Measure the contours at several points across one axis or across one each."""
    normals = np.broadcast_to(axes, origins.shape)
    return bone.contours(planes_across(origins, normals, np.broadcast_to(up, origins.shape)))


# Where sections are compared: along the axis, tilted laterally, tilted cranially. Every way is
# tilted by more than one angle, so that a section which just touches the lamina does not decide.
_STRAIGHT = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
_SLANTING = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0))
_TILTS = (0.75, 1.0, 1.25)
_DESIGN = np.array(
    [
        (slide, share * lateral, share * cranial)
        for ways, slides in ((_STRAIGHT, (-1.0, -0.5, 0.0, 0.5, 1.0)), (_SLANTING, (0.0,)))
        for slide in slides
        for lateral, cranial in ways
        for share in _TILTS
    ]
    + [(slide, 0.0, 0.0) for slide in (-1.0, -0.5, 0.0, 0.5, 1.0)]
)
_TILTED = (_DESIGN[:, 0] == 0.0) & ((_DESIGN != 0.0).sum(axis=1) == 1)
_SQUARES = [(i, j) for i in range(3) for j in range(i, 3)]
_BASIS = np.column_stack(
    [np.ones(len(_DESIGN)), _DESIGN, *(_DESIGN[:, i] * _DESIGN[:, j] for i, j in _SQUARES)]
)


def _smallest_section(bone: Slicer, box: BodyBox, start: Point, axis: Vector) -> _Isthmus | str:
    """Slide and tilt the plane to where a parabola through nearby areas is smallest."""
    centre, up = start, box.axes[2]
    for count in range(STEPS):
        cut = _cuts(bone, centre[None, :], axis, up)
        if cut.areas[0] == 0.0 or cut.apart_mm[0] > FARTHEST_MM:
            return "was lost while its smallest section was sought"
        centre = cut.centroids[0]
        step = _downhill(bone, box, centre, axis, np.sqrt(cut.areas[0] / np.pi))
        if step is None:
            return "is not separate from its surroundings"
        step = step * 2.0 / (2.0 + max(0, count - EASED))
        _, x_axis, y_axis = planes_across(centre[None], axis[None], up[None])[0]
        centre, axis = centre + step[0] * axis, unit(axis + step[1] * x_axis + step[2] * y_axis)
        if np.abs(step).max() < SETTLED:
            break
    last = _cuts(bone, centre[None, :], axis, up)
    return _Isthmus(centre=last.centroids[0], axis=axis)


def _downhill(
    bone: Slicer, box: BodyBox, centre: Point, axis: Vector, radius_mm: float
) -> Float[np.ndarray, "3"] | None:
    """Return how far to slide (mm) and tilt (radians) to where the area is least.

    Sections are compared all along the neck, because noise of the surface moves the lowest point
    of a narrow parabola by millimetres. Where a neck is as thin for long, what is added for lying
    too far forward or back settles where in it the isthmus is.
    """
    tilt = min(SWING_MM / radius_mm, MOST_TILT)
    scale = np.array([SLIDE_MM, tilt, tilt])
    up = box.axes[2]
    _, x_axis, y_axis = planes_across(centre[None], axis[None], up[None])[0]
    slides, laterals, cranials = (_DESIGN * scale).T
    normals = axis + laterals[:, None] * x_axis + cranials[:, None] * y_axis
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    places = centre + slides[:, None] * axis
    cuts = _cuts(bone, places, normals, up)
    there = (cuts.areas > 0.0) & (cuts.apart_mm <= FARTHEST_MM)
    if there.sum() < LEAST_CUTS:
        return None
    logs = np.log(cuts.areas[there])
    # a tilt of the middle section that spills into the lamina or the body says: not that way
    logs = np.where(_TILTED[there], np.minimum(logs, logs.min() + WALL), logs)
    # any other section that spills says nothing about the isthmus
    weights = np.exp(-0.5 * ((logs - logs.min()) / SPILL) ** 2)
    costs = logs + _stray(box, places[there])
    basis = _BASIS[there] * weights[:, None]
    fit = np.linalg.lstsq(basis, costs * weights, rcond=None)[0]
    curve = np.zeros((3, 3))
    for (i, j), value in zip(_SQUARES, fit[4:], strict=True):
        curve[i, j] += value
        curve[j, i] += value
    values, axes = np.linalg.eigh(curve)
    stiff = np.maximum(np.abs(values), 0.02)
    step = -axes @ ((axes.T @ fit[1:4]) / stiff)
    return scale * step / max(1.0, float(np.linalg.norm(step)))


def _described(
    mesh: TriangleMesh,
    found: _Isthmus,
    box: BodyBox,
    side: Side,
    level: str | None,
    *,
    searched: TriangleMesh,
) -> Pedicle | None:
    """Draw the section in the axes of its side, about its centroid; None if there is none.

    Whether the neck is whole is asked of the mesh that was searched: noise notches no isthmus.
    """
    plane = plane_through(found.centre, found.axis, box.axes[2])
    piece = section(mesh, plane).at(0.0, 0.0)
    flaw = _flaw(searched, found, box.axes[2])
    if piece is None or flaw is None:
        return None
    drawn = filled(piece)
    middle = drawn.centroid
    outward = plane.x_axis @ box.axes[0] * (1.0 if side is Side.LEFT else -1.0) > 0.0
    sign = 1.0 if outward else -1.0
    outline = shapely.affinity.affine_transform(
        drawn, [sign, 0.0, 0.0, 1.0, -sign * middle.x, -middle.y]
    )
    low_x, low_y, high_x, high_y = outline.bounds
    width, height = high_x - low_x, high_y - low_y
    confidence, cause = _trust(width, height, flaw, level)
    usual, lean = _usual(box, level).convergence_rad, _convergence(box, plane.normal, side)
    if abs(lean - usual) > LEAN_RAD and confidence > UNUSUAL:
        confidence = UNUSUAL
        cause = (
            f"the pedicle converges by {np.degrees(lean):.0f} degrees, the adult mean of such a "
            f"vertebra is {np.degrees(usual):.0f}"
        )
    return Pedicle(
        side=side,
        centre_mm=plane.lifted(middle.x, middle.y),
        axis=plane.normal,
        lateral=sign * plane.x_axis,
        cranial=plane.y_axis,
        outline=shapely.geometry.polygon.orient(outline),
        width_mm=float(width),
        height_mm=float(height),
        confidence=confidence,
        cause=cause,
    )


def _flaw(mesh: TriangleMesh, found: _Isthmus, up: Vector) -> str | None:
    """Say what is wrong with a neck along which sections were compared; empty if it is whole.

    A channel that opens the neck beside the isthmus swings it, even if it spares the isthmus. None
    if there is no bone at the isthmus.
    """
    shares, walls = [], []
    for slide in (-1.0, -0.5, 0.0, 0.5, 1.0):
        plane = plane_through(found.centre + slide * SLIDE_MM * found.axis, found.axis, up)
        piece = section(mesh, plane).at(0.0, 0.0)
        if piece is None:
            if slide == 0.0:
                return None
            continue
        holes = [hole for ring in piece.interiors if (hole := Polygon(ring)).area > HOLE_MM2]
        walls += [float(piece.exterior.distance(hole)) for hole in holes]
        if abs(slide) < 1.0:
            whole = filled(piece)
            shares.append(float(whole.area / whole.convex_hull.area))
    if min(shares) < (SOLID_BORED if walls else SOLID):
        return f"is notched: bone fills {100.0 * min(shares):.0f} % of its convex outline"
    if walls and min(walls) < WALL_MM:
        return f"has a channel in it, and beside that a wall of {min(walls):.1f} mm"
    return ""


def _convergence(box: BodyBox, axis: Vector, side: Side) -> float:
    """Return how far an axis leans to the midline on its way forward, seen from above, radians."""
    x, y, _ = box.axes @ axis
    return float(np.arctan2(-x if side is Side.LEFT else x, -y))


def _trust(width_mm: float, height_mm: float, flaw: str, level: str | None) -> tuple[float, str]:
    """Compare the isthmus with the literature for its level, and ask whether it is whole."""
    if flaw:
        return UNUSUAL, f"the neck {flaw}"
    norm = NORMS.get(level or "")
    if norm is None:
        return 0.7, f"no adult norm for level {level or 'unknown'} to compare the isthmus with"
    low, high = ACCEPTED
    for name, found, mean in (
        ("width", width_mm, norm.pedicle_width_mm),
        ("height", height_mm, norm.pedicle_height_mm),
    ):
        if not low <= found / mean <= high:
            return UNUSUAL, (
                f"isthmus {name} {found:.1f} mm is outside {low * mean:.1f} to "
                f"{high * mean:.1f} mm, the adult range at {level}"
            )
    return 0.95, f"isthmus {width_mm:.1f} x {height_mm:.1f} mm, within the adult range at {level}"
