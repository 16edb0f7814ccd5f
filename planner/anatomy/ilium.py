"""The corridor of an iliac screw: straight bone from the posterior to the anterior inferior spine.

It is where straight lines from the posterior end forward have the most bone around them: the mean
of many, each weighted by the bone around its middle. Nothing is ever the best of a list, so noise
does not make it jump. That it runs above the greater sciatic notch follows from its staying inside
the bone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from geometry.arrays import Point, Points, Vector, unit
from geometry.distance_field import DistanceField, signed_distance_field
from geometry.exact import MeshDistance
from geometry.frames import RigidTransform, frame_from_axes
from planner.anatomy.model import Unavailable
from planner.case import Structure

STEP_MM = 2.0
SAMPLES = 48  # along a line
ENDS = 160  # points tried at either end
POSTERIOR_MM = 30.0  # from the hindmost bone, where the line may begin
SHORTEST_MM = 85.0  # iliac screws are 70 to 110 mm long (DOMAIN 3.5)
LEAST_RADIUS_MM = 3.0  # below it not even the thinnest iliac screw is held
ENOUGH_MM = 5.0  # radius of the thickest screw: where the bone has less, the corridor ends
LENGTH_WORTH = 0.015  # mm of radius that a mm of length is worth, among lines to begin with
END_DEPTH_MM = 3.0
LONGEST_MM = 100.0  # each way from the middle
MIDDLE_MM = 45.0  # each way from the middle, where lines are compared
ASIDE_MM = np.linspace(-8.0, 8.0, 7)  # by which their two ends are moved across
LIKELY_MM = (0.5, 0.3)  # less radius at which a line weighs 1/e: to begin with, then
STEPS = 60
SETTLED_MM = 0.02
SURE_RADIUS_MM = 4.5  # adult corridors are wider than 9 mm
CRANIAL = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IliumAnatomy:
    """An ilium's corridor, patient LPS, mm.

    Attributes:
        structure: Name of the bone's structure.
        frame: ``ilium_from_patient``: origin at the corridor's middle, y backwards along it, z
            cranial, x to the patient's left.
        posterior_mm: Where it begins, at the posterior superior spine.
        anterior_mm: Where it ends, above the hip joint.
        axis: Unit vector from back to front.
        radius_mm: Radius of a straight bar along it that stays in the bone, up to ``ENOUGH_MM``.
        confidence: 0 to 1.
        cause: Why the confidence is what it is.
    """

    structure: str
    frame: RigidTransform
    posterior_mm: Point
    anterior_mm: Point
    axis: Vector
    radius_mm: float
    confidence: float
    cause: str

    @property
    def length_mm(self) -> float:
        """Length of the corridor, mm."""
        return float(np.linalg.norm(self.anterior_mm - self.posterior_mm))


def ilium_anatomy(bone: Structure) -> IliumAnatomy | Unavailable:
    """Find the corridor of an iliac screw.

    Args:
        bone: One ilium or hip bone, closed, patient LPS; it may be tilted by up to 30 degrees.
    """
    if not bone.mesh.is_closed:
        return Unavailable(reason="the ilium's mesh is open, so it has no inside to run through")
    low, high = bone.mesh.bounds
    field = signed_distance_field(
        MeshDistance(bone.mesh).tree,
        low_mm=low - STEP_MM,
        high_mm=high + STEP_MM,
        spacing_mm=STEP_MM,
    )
    ends = _end_points(field)
    if ends is None:
        return Unavailable(reason="the ilium has no bone thick enough at its posterior end")
    line = _roomiest(field, *ends)
    if line is None:
        return Unavailable(
            reason=f"no straight line of {SHORTEST_MM:.0f} mm runs forward inside the ilium"
        )
    middle, axis, waist = line
    if waist < LEAST_RADIUS_MM:
        return Unavailable(
            reason=f"the ilium's straight corridor is only {max(0.0, 2.0 * waist):.1f} mm wide"
        )
    back, front = _reach(field, middle, axis, min(waist, ENOUGH_MM))
    return _described(bone, middle - back * axis, middle + front * axis, waist)


def _end_points(
    field: DistanceField,
) -> tuple[Float[np.ndarray, "b 3"], Float[np.ndarray, "f 3"]] | None:
    """Return points well inside the bone near its hindmost end, and in its front half."""
    deep = np.argwhere(field.values < -END_DEPTH_MM)
    if len(deep) == 0:
        return None
    points = field.origin_mm + deep * field.spacing_mm
    y, z = points[:, 1], points[:, 2]
    upper = z > 0.5 * (z.min() + z.max()) - 20.0
    back = points[upper & (y > y[upper].max() - POSTERIOR_MM)]
    front = points[upper & (y < 0.5 * (y.min() + y.max()))]
    if len(back) == 0 or len(front) == 0:
        return None
    return _spread(back), _spread(front)


def _spread(points: Points) -> Float[np.ndarray, "_ 3"]:
    """Take points evenly through a list."""
    return points[np.unique(np.linspace(0, len(points) - 1, ENDS).astype(np.int64))]


def _depths(field: DistanceField, places: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """Return how deep places lie in the bone, mm; negative outside."""
    at = ((places - field.origin_mm) / field.spacing_mm).reshape(-1, 3).T
    depth = -map_coordinates(field.values, at, order=1, mode="nearest")
    return np.asarray(depth.reshape(places.shape[:-1]))


def _radii(field: DistanceField, starts: Points, ends: Points) -> Float[np.ndarray, " n"]:
    """Return the least depth of lines inside the bone, mm."""
    share = np.linspace(0.0, 1.0, SAMPLES)[:, None, None]
    return _depths(field, starts * (1.0 - share) + ends * share).min(axis=0)


def _roomiest(
    field: DistanceField, back: Float[np.ndarray, "b 3"], front: Float[np.ndarray, "f 3"]
) -> tuple[Point, Vector, float] | None:
    """Return the middle, the direction and the radius of the line with the most bone around it."""
    line = _first_line(field, back, front)
    if line is None:
        return None
    middle, axis = line
    for _ in range(STEPS):
        backward, forward = _reach(field, middle, axis, END_DEPTH_MM)
        if backward + forward < SHORTEST_MM:
            return None
        centred = middle + 0.5 * (forward - backward) * axis
        start, end = _moved_aside(field, centred - MIDDLE_MM * axis, centred + MIDDLE_MM * axis)
        change = float(np.linalg.norm(0.5 * (start + end) - middle))
        middle, axis = 0.5 * (start + end), unit(end - start)
        if change < SETTLED_MM:
            break
    waist = _radii(field, (middle - MIDDLE_MM * axis)[None], (middle + MIDDLE_MM * axis)[None])
    return middle, axis, float(waist[0])


def _first_line(
    field: DistanceField, back: Float[np.ndarray, "b 3"], front: Float[np.ndarray, "f 3"]
) -> tuple[Point, Vector] | None:
    """Return the mean of lines between two lists of points that have bone around them."""
    first, second = (a.ravel() for a in np.meshgrid(*map(np.arange, map(len, (back, front)))))
    length = np.linalg.norm(front[second] - back[first], axis=1)
    kept = length > SHORTEST_MM
    if not kept.any():
        return None
    starts, ends = back[first[kept]], front[second[kept]]
    worth = _radii(field, starts, ends) + LENGTH_WORTH * length[kept]
    weights = _likely(worth, LIKELY_MM[0])
    start, end = weights @ starts, weights @ ends
    return 0.5 * (start + end), unit(end - start)


def _likely(worth: Float[np.ndarray, " n"], scale: float) -> Float[np.ndarray, " n"]:
    weights = np.exp((worth - worth.max()) / scale)
    return np.asarray(weights / weights.sum())


def _moved_aside(field: DistanceField, start: Point, end: Point) -> tuple[Point, Point]:
    """Return a line's ends moved across it to the mean of those about it that have bone around."""
    axis = unit(end - start)
    x = unit(np.cross(axis, CRANIAL))
    y = np.cross(axis, x)
    aside = np.stack(np.meshgrid(*4 * [ASIDE_MM], indexing="ij"), axis=-1).reshape(-1, 4)
    starts = start + aside[:, :1] * x + aside[:, 1:2] * y
    ends = end + aside[:, 2:3] * x + aside[:, 3:] * y
    weights = _likely(_radii(field, starts, ends), LIKELY_MM[1])
    return weights @ starts, weights @ ends


def _reach(
    field: DistanceField, middle: Point, axis: Vector, depth_mm: float
) -> tuple[float, float]:
    """Return how far back and forward a line stays so deep in the bone, mm."""
    travel = np.arange(0.0, LONGEST_MM, STEP_MM)
    back, front = (
        _depths(field, middle + way * travel[:, None] * axis) - depth_mm for way in (-1.0, 1.0)
    )
    return _first_zero(travel, back), _first_zero(travel, front)


def _first_zero(travel: Float[np.ndarray, " n"], spare: Float[np.ndarray, " n"]) -> float:
    """Return where values that begin above zero first cross it."""
    below = int(np.argmax(spare < 0.0))
    if below == 0:
        return float(travel[-1]) if spare[0] >= 0.0 else 0.0
    high, low = spare[below - 1], spare[below]
    return float(travel[below - 1] + (travel[below] - travel[below - 1]) * high / (high - low))


def _described(bone: Structure, start: Point, end: Point, waist: float) -> IliumAnatomy:
    axis = unit(end - start)
    cranial = unit(CRANIAL - (CRANIAL @ axis) * axis)
    left = np.cross(-axis, cranial)
    radius = min(waist, ENOUGH_MM)
    sure = waist >= SURE_RADIUS_MM
    said = (
        f"a straight corridor {2.0 * radius:.0f} mm wide and {np.linalg.norm(end - start):.0f} "
        f"long, {2.0 * waist:.0f} wide in its middle"
    )
    return IliumAnatomy(
        structure=bone.name,
        frame=frame_from_axes(
            name=bone.name,
            origin_mm=0.5 * (start + end),
            axes=np.stack([left, -axis, cranial]),
        ),
        posterior_mm=start,
        anterior_mm=end,
        axis=axis,
        radius_mm=radius,
        confidence=0.8 if sure else 0.5,
        cause=said if sure else f"{said}, narrower than adults' usually are",
    )
