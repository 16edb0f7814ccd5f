"""The corridor of an iliac screw: straight bone from the posterior to the anterior inferior spine.

It is sought as the longest straight line that begins near the posterior end and has enough bone
around it.
That the line runs above the greater sciatic notch follows from its staying inside the bone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize

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
ENOUGH_MM = 5.0  # radius beyond which length counts alone
LENGTH_WORTH = 0.03  # mm of radius that a mm of length is worth
END_DEPTH_MM = 3.0
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
        radius_mm: Largest radius of a straight bar along it that stays in the bone.
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
    start, end, radius = line
    if radius < LEAST_RADIUS_MM:
        return Unavailable(
            reason=f"the ilium's straight corridor is only {2.0 * radius:.1f} mm wide"
        )
    return _described(bone, start, end, radius)


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


def _radii(field: DistanceField, starts: Points, ends: Points) -> Float[np.ndarray, " n"]:
    """Return the least depth of lines inside the bone, mm."""
    share = np.linspace(0.0, 1.0, SAMPLES)[:, None, None]
    places = (starts * (1.0 - share) + ends * share - field.origin_mm) / field.spacing_mm
    depth = -map_coordinates(field.values, places.reshape(-1, 3).T, order=1, mode="nearest")
    return depth.reshape(SAMPLES, -1).min(axis=0)


def _roomiest(
    field: DistanceField, back: Float[np.ndarray, "b 3"], front: Float[np.ndarray, "f 3"]
) -> tuple[Point, Point, float] | None:
    """Return the ends and the radius of the longest line that has enough room."""
    first, second = (a.ravel() for a in np.meshgrid(*map(np.arange, map(len, (back, front)))))
    length = np.linalg.norm(front[second] - back[first], axis=1)
    kept = length > SHORTEST_MM
    if not kept.any():
        return None
    starts, ends = back[first[kept]], front[second[kept]]
    room = np.minimum(_radii(field, starts, ends), ENOUGH_MM)
    worth = room + LENGTH_WORTH * length[kept]
    best = int(np.argmax(worth))
    line = np.concatenate([starts[best], ends[best]])

    def cost(six: Float[np.ndarray, "6"]) -> float:
        start, end = six[:3], six[3:]
        room = min(float(_radii(field, start[None], end[None])[0]), ENOUGH_MM)
        return -room - LENGTH_WORTH * float(np.linalg.norm(end - start))

    settled = minimize(cost, line, method="Nelder-Mead", options={"maxiter": 600, "xatol": 0.05})
    start, end = settled.x[:3], settled.x[3:]
    return start, end, float(_radii(field, start[None], end[None])[0])


def _described(bone: Structure, start: Point, end: Point, radius: float) -> IliumAnatomy:
    axis = unit(end - start)
    cranial = unit(CRANIAL - (CRANIAL @ axis) * axis)
    left = np.cross(-axis, cranial)
    sure = radius >= SURE_RADIUS_MM
    said = (
        f"a straight corridor {2.0 * radius:.1f} mm wide and {np.linalg.norm(end - start):.0f} long"
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
