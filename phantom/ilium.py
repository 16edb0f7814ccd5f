"""An ilium as an implicit solid round the corridor of an iliac screw, and its mesh.

It is drawn in the frame of building of the sacrum that it belongs to (``phantom.sacrum``), by eye:
a bar from the posterior superior to the anterior inferior spine, the wing above it and the bone
of the hip joint at its lower end. There is no notch and no socket.
"""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh
from phantom.body import joined
from phantom.implicit import Capsule, Field, Ripple, Values, ripple, smooth_cut, zero_surface
from planner.case import Side

JOINT_MM = 1.8  # gap to the sacrum
_BACK = np.array([47.0, 64.0, -26.0])  # the posterior superior spine, left
_FRONT = np.array([80.0, -40.0, -30.0])  # the anterior inferior spine, left
_BOX = np.array([[18.0, -80.0, -100.0], [122.0, 92.0, 84.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class IliumShape:
    """One ilium in its sacrum's frame of building.

    Attributes:
        side: The patient's side.
        scale: Factor on every length.
        ripple: Low waves over the whole surface.
    """

    side: Side
    scale: float
    ripple: Ripple

    @property
    def spines(self) -> tuple[Point, Point]:
        """The ends of the corridor: posterior superior and anterior inferior spine, mm."""
        mirror = np.array([1.0 if self.side is Side.LEFT else -1.0, 1.0, 1.0])
        return self.scale * mirror * _BACK, self.scale * mirror * _FRONT

    def distance(self, points: Points) -> Values:
        """Return the field of the bone, mm, negative inside; the sacrum is not cut out of it."""
        mirror = np.array([1.0 if self.side is Side.LEFT else -1.0, 1.0, 1.0])
        at = points * mirror / self.scale
        bars = [bar.distance(at) for bar in _bars()]
        return self.scale * joined(bars, 8.0) + self.ripple.height(points)

    def beside(self, sacrum: Field) -> Field:
        """Return the bone's field with the joint between it and a sacrum kept open."""
        return lambda points: smooth_cut(self.distance(points), sacrum(points) - JOINT_MM, 1.0)


def ilium_shape(side: Side, *, seed: int, scale: float = 1.0) -> IliumShape:
    """Draw an ilium.

    Args:
        side: The patient's side.
        seed: Settles the ripple.
        scale: Factor on every length, 0.9 to 1.1.
    """
    waves = ripple(np.random.default_rng([seed, 42 + (side is Side.RIGHT)]), amplitude_mm=0.12)
    return IliumShape(side=side, scale=scale, ripple=waves)


def ilium_mesh(
    shape: IliumShape, field: Field | None = None, *, resolution_mm: float
) -> TriangleMesh:
    """Return the bone's surface in its sacrum's frame; of a field cut from it, where given."""
    low, high = shape.scale * _BOX
    if shape.side is Side.RIGHT:
        low, high = np.array([-high[0], low[1], low[2]]), np.array([-low[0], high[1], high[2]])
    return zero_surface(field or shape.distance, low, high, resolution_mm)


def _bars() -> list[Capsule]:
    """Return corridor, wing and the bone above the hip joint, of a left ilium."""
    along = unit(_FRONT - _BACK)
    out = unit(np.cross(along, np.array([0.0, 0.0, 1.0])))
    waist = _BACK + 0.62 * (_FRONT - _BACK)
    return [
        _bar(_BACK, waist, out, (9.0, 12.0), (6.5, 9.5)),
        _bar(waist, _FRONT, out, (6.5, 9.5), (9.0, 13.0)),
        _bar(_p(64.0, 18.0, 0.0), _p(92.0, -14.0, 52.0), out, (5.0, 44.0), (4.5, 34.0)),
        _bar(_p(76.0, -26.0, -40.0), _p(70.0, -14.0, -66.0), out, (14.0, 17.0), (17.0, 17.0)),
    ]


def _p(x: float, y: float, z: float) -> Point:
    return np.array([x, y, z])


def _bar(
    start: Point, end: Point, thin: Vector, first: tuple[float, float], last: tuple[float, float]
) -> Capsule:
    return Capsule(start=start, end=end, thin=thin, start_radii=first, end_radii=last)
