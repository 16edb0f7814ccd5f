"""Pedicle screws, rods and the lucent halos of loose screws."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Vector, frozen, unit
from geometry.mesh import TriangleMesh
from phantom.implicit import Field, evaluated
from phantom.loft import Amounts, Rings, course, lofted, tube
from phantom.morphometry import PHANTOM_LEVELS
from phantom.spine import PlacedVertebra
from planner.case import Side

ROD_DIAMETER_MM = 5.5
SEAT_BEHIND_HEAD_MM = 8.5
HEAD_MM = 14.8  # from the shaft to the tulip's top
_TULIP_RADIUS_MM = 6.3
_PITCH_MM = 2.75
_CANAL_CLEARANCE_MM = 0.3
# Extra descent and convergence that a surgeon would add, least first, rad.
_BENDS = tuple(
    sorted(
        ((d, c) for d in (-0.05, 0.0, 0.05, 0.1, 0.15) for c in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)),
        key=lambda bend: (abs(bend[0]) + bend[1], bend),
    )
)

# Diameter and length of the usual screw, mm (defaults of a public planning library).
_USUAL: dict[str, tuple[float, float]] = {
    "T1": (4.5, 28.0), "T2": (4.5, 28.0), "T3": (4.0, 28.0), "T4": (4.0, 30.0), "T5": (4.0, 30.0),
    "T6": (4.5, 30.0), "T7": (4.5, 32.0), "T8": (5.0, 35.0), "T9": (5.0, 35.0), "T10": (5.5, 35.0),
    "T11": (5.5, 40.0), "T12": (6.0, 40.0), "L1": (6.0, 45.0), "L2": (6.5, 45.0), "L3": (6.5, 45.0),
    "L4": (6.5, 45.0), "L5": (6.5, 45.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Screw:
    """A pedicle screw in patient coordinates.

    Attributes:
        level: Its vertebra.
        side: The patient's side.
        head: Where the shaft meets the head, mm.
        tip: The shaft's end, mm.
        diameter_mm: Outer diameter of the thread.
    """

    level: str
    side: Side
    head: Point
    tip: Point
    diameter_mm: float

    @property
    def axis(self) -> Vector:
        """Unit vector from head to tip."""
        return unit(self.tip - self.head)

    @property
    def length_mm(self) -> float:
        """Length of the shaft."""
        return float(np.linalg.norm(self.tip - self.head))

    @property
    def seat(self) -> Point:
        """Where the rod passes through the tulip."""
        return self.head - SEAT_BEHIND_HEAD_MM * self.axis


def usual_screw(level: str) -> tuple[float, float]:
    """Return diameter and length of the usual screw of a level, mm."""
    return _USUAL[level]


def placed_screw(
    vertebra: PlacedVertebra, side: Side, *, seed: int, size_mm: tuple[float, float] | None = None
) -> Screw:
    """Place a screw along a pedicle with a surgeon's small error, clear of canal and endplates.

    Directions are tried from the pedicle's own with growing descent and convergence, then screws
    of the neighbouring sizes, until the shaft reaches the front half of the body, stays within it
    and out of the canal.

    Raises:
        ValueError: If no screw of the size fits.
    """
    diameter, length = size_mm or usual_screw(vertebra.level)
    number = PHANTOM_LEVELS.index(vertebra.level) * 2 + (side is Side.RIGHT)
    rng = np.random.default_rng([seed, number, 3])
    errors = rng.normal(0.0, 1.0, size=(4, 4)).clip(-1.8, 1.8)
    for thinner, longer, error, bend in product((0.0, 0.5), (0.0, 5.0, -5.0), errors, _BENDS):
        drawn = _drawn(vertebra, side, error, bend)
        tip = drawn.head + (length + longer) * drawn.axis
        screw = replace(drawn, tip=tip, diameter_mm=diameter - thinner)
        if _fits(vertebra, screw):
            return screw
    raise ValueError(f"no {diameter} mm screw fits {vertebra.level} {side}")


def _drawn(
    vertebra: PlacedVertebra, side: Side, error: Float[np.ndarray, "4"], bend: tuple[float, float]
) -> Screw:
    """A screw of unit length through the isthmus, off by ``error``, at its bone entry."""
    pedicle = vertebra.shape.pedicles[side]
    axes = pedicle.axes
    offset = 0.35 * error[0] * axes[0] + 0.5 * error[1] * axes[1]
    descent, convergence = bend
    medial = -1.0 if side is Side.LEFT else 1.0
    sideways = 0.022 * error[2] + medial * convergence
    turn = sideways * axes[0] + (0.022 * error[3] - descent) * axes[1]
    axis = unit(pedicle.axis + turn)
    centre = pedicle.centre + offset
    back = np.linspace(4.0, 40.0, 145)
    field = vertebra.shape.distance(centre - back[:, None] * axis)
    entry = centre - back[int(np.argmax(field > 0.0))] * axis
    head = entry - 2.6 * axis
    return Screw(
        level=vertebra.level,
        side=side,
        head=vertebra.pose.points(head),
        tip=vertebra.pose.points(head + axis),
        diameter_mm=1.0,
    )


def _fits(vertebra: PlacedVertebra, screw: Screw) -> bool:
    inverse = vertebra.pose.inverse()
    head, tip = inverse.points(screw.head), inverse.points(screw.tip)
    path = head + np.linspace(0.0, 1.0, 60)[:, None] * (tip - head)
    radius = 0.5 * screw.diameter_mm
    canal = vertebra.shape.canal.distance(path)
    # Behind this the shaft lies in the corner where the pedicle meets the body.
    inner = path[path[:, 1] < 0.1 * vertebra.shape.size.endplate_depth_mm]
    if len(inner) == 0 or float(canal.min()) < radius + _CANAL_CLEARANCE_MM:
        return False
    return float(evaluated(vertebra.shape.distance, inner).max()) < -radius - 0.4


def screw_mesh(screw: Screw, *, segments: int = 18) -> TriangleMesh:
    """Return the screw as one closed surface: blunt tip, helical thread, neck and tulip."""
    length, radius = screw.length_mm, 0.5 * screw.diameter_mm
    angles = 2.0 * np.pi * np.arange(segments) / segments
    steps = np.arange(0.0, length - 3.0, _PITCH_MM / 7.0)
    phase = (steps[:, None] / _PITCH_MM - angles / (2.0 * np.pi)) % 1.0
    thread = np.clip(1.6 - 3.2 * np.abs(phase - 0.5), 0.0, 1.0)
    core = 0.70 * radius
    point = np.clip(0.35 + steps / 5.0, 0.0, 1.0)[:, None]
    shaft = (core + (radius - core) * thread) * point
    head = [
        (length - 2.5, core), (length - 0.6, 0.95 * radius), (length + 0.4, 4.0),
        (length + 1.6, _TULIP_RADIUS_MM - 0.6), (length + 2.2, _TULIP_RADIUS_MM),
        (length + 8.0, _TULIP_RADIUS_MM), (length + 14.2, _TULIP_RADIUS_MM),
        (length + HEAD_MM, _TULIP_RADIUS_MM - 0.6),
    ]  # fmt: skip
    heights = np.concatenate([steps, [height for height, _ in head]])
    radii = np.concatenate([shaft, [np.full(segments, value) for _, value in head]])
    return lofted(_turned(screw.tip, -screw.axis, heights, radii))


def _turned(
    origin: Point, axis: Vector, heights: Amounts, radii: Float[np.ndarray, "n segments"]
) -> Rings:
    """Return rings around an axis: one row of ``radii`` per height."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = unit(np.cross(axis, helper))
    second = np.cross(axis, first)
    angles = 2.0 * np.pi * np.arange(radii.shape[1]) / radii.shape[1]
    spokes = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    return origin + heights[:, None, None] * axis + radii[:, :, None] * spokes


def halo_mesh(bone: Field, screw: Screw, *, thickness_mm: tuple[float, float]) -> TriangleMesh:
    """Return the outer surface of the lucency around a loose screw's shaft (closed, solid).

    It is thinnest in the middle of the shaft and widest at tip and head, as a screw that wipes
    from side to side leaves it, and it ends short of the cortex.

    Args:
        bone: Field, at patient points, of the bone it lies in.
        screw: The loose screw.
        thickness_mm: Radial thickness at the middle and at the ends.
    """
    middle, ends = thickness_mm
    radius = 0.5 * screw.diameter_mm
    inside = evaluated(
        bone, screw.head + np.linspace(0, 1, 200)[:, None] * (screw.tip - screw.head)
    )
    start = float(np.argmax(inside < -0.8)) / 199.0 * screw.length_mm
    heights = np.linspace(start, screw.length_mm, 34)
    share = np.abs(2.0 * (heights - start) / (screw.length_mm - start) - 1.0) ** 1.5
    wanted = middle + (ends - middle) * share
    shafts = _turned(screw.head, screw.axis, heights, np.full((34, 24), radius))
    room = -evaluated(bone, shafts.reshape(-1, 3)).reshape(34, 24) - 0.4
    layer = np.minimum(wanted[:, None], np.maximum(room, 0.3))
    radii = radius + layer
    end = ends * np.array([0.5, 0.85, 0.98])
    heights = np.concatenate([heights, screw.length_mm + end])
    shrink = np.array([0.87, 0.53, 0.2])
    radii = np.concatenate([radii, shrink[:, None] * radii[-1]])
    return lofted(_turned(screw.head, screw.axis, heights, radii))


def rod_line(screws: list[Screw]) -> Points:
    """Return a rod's centreline through the tulips, cranial first, standing out by 9 mm.

    Raises:
        ValueError: If there are fewer than two screws.
    """
    if len(screws) < 2:
        raise ValueError("a rod needs two screws")
    seats = np.array([screw.seat for screw in screws])
    start, end = unit(seats[0] - seats[1]), unit(seats[-1] - seats[-2])
    drawn = np.concatenate([[seats[0] + 9.0 * start], seats, [seats[-1] + 9.0 * end]])
    radius = np.full((len(drawn), 2), 0.5 * ROD_DIAMETER_MM)
    return course(drawn, radius, side=frozen([1.0, 0.0, 0.0]), step_mm=4.0).points


def rod_mesh(line: Points) -> TriangleMesh:
    """Return a rod around its centreline."""
    radius = np.full((len(line), 2), 0.5 * ROD_DIAMETER_MM)
    bar = course(line, radius, side=frozen([1.0, 0.0, 0.0]), step_mm=3.0)
    return tube(bar, segments=24)
