"""The vertebral body, the pedicles and the canal as fields in the vertebra's own frame.

The frame of building: x left, y posterior, z cranial, origin midway between the posterior wall
and the anterior cortex and, in a vertebra that has lost no height, between the endplates.
"""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Point, Points, Rotation, Vector, frozen, unit
from phantom.implicit import (
    Values,
    ellipsoid_distance,
    smooth_common,
    smooth_cut,
    smooth_union,
    superellipse_distance,
)
from phantom.morphometry import Morphometry

_WALL_HOLLOW = 0.05  # depth of the posterior wall's hollow, part of the body's depth
_WAIST = 0.085
_RIM_MM = 2.4
_ENDPLATE_HOLLOW_MM = 1.4


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyShape:
    """A vertebral body.

    Attributes:
        width_mm: Width at the endplates.
        depth_mm: Midline depth at the endplates.
        posterior_height_mm: Height at the posterior wall.
        anterior_height_mm: Height at the anterior cortex before any fracture.
        front_taper: How much narrower the front is than the middle, 0 to 1.
        height_loss: Part of the anterior height that the superior endplate has lost, 0 to 0.7.
        lean: Sideways slope of the superior endplate, rad.
    """

    width_mm: float
    depth_mm: float
    posterior_height_mm: float
    anterior_height_mm: float
    front_taper: float
    height_loss: float
    lean: float

    def _half_height(self, y: Values) -> Values:
        forward = np.clip(0.5 - y / self.depth_mm, -0.1, 1.1)
        return 0.5 * (
            self.posterior_height_mm
            + forward * (self.anterior_height_mm - self.posterior_height_mm)
        )

    def _outline(self, x: Values, y: Values, level: Values) -> Values:
        """Distance to the axial outline: a superellipse, narrower in front, waisted between."""
        centre = 0.5 * self.depth_mm * _WALL_HOLLOW
        waist = 1.0 - level**2
        forward = np.clip((centre - y) / (0.5 * self.depth_mm), -1.0, 1.0)
        half_depth = (
            0.5 * self.depth_mm * (1.0 + _WALL_HOLLOW - _WAIST * waist * np.maximum(forward, 0.0))
        )
        bulge = 0.10 * self.height_loss * np.maximum(level, 0.0)
        half_width = 0.5 * self.width_mm * (1.0 - _WAIST * waist + bulge)
        tapered = half_width * (1.0 - self.front_taper * np.maximum(forward, 0.0) ** 1.5)
        exponent = 2.3 - 0.8 * self.front_taper
        return superellipse_distance(x, y - centre, tapered, half_depth, exponent)

    def _dish(self, x: Values, y: Values) -> Values:
        """Depth of an endplate's hollow: deepest behind the middle, nothing at the rim."""
        reach = (2.0 * x / self.width_mm) ** 2 + (2.0 * (y - 1.0) / self.depth_mm) ** 2
        return _ENDPLATE_HOLLOW_MM * np.clip(1.0 - 1.25 * reach, 0.0, 1.0)

    def _collapse(self, x: Values, y: Values) -> Values:
        """How far the superior endplate has come down: a wedge, and a dent in the middle."""
        if self.height_loss == 0.0:
            return np.zeros_like(x)
        forward = np.clip(0.75 - y / self.depth_mm, 0.0, 1.25) / 1.25
        wedge = forward * forward * (3.0 - 2.0 * forward)
        reach = (2.0 * x / self.width_mm) ** 2 + (2.0 * y / self.depth_mm) ** 2
        dent = 0.22 * np.clip(1.0 - 1.4 * reach, 0.0, 1.0) ** 2
        return self.height_loss * self.anterior_height_mm * np.minimum(1.05 * wedge + dent, 1.1)

    def superior(self, x: Values, y: Values) -> Values:
        """Return the height of the superior endplate over points of the plane, mm."""
        return (
            self._half_height(y) - self._dish(x, y) - self._collapse(x, y) + np.tan(self.lean) * x
        )

    def inferior(self, x: Values, y: Values) -> Values:
        """Return the height of the inferior endplate, mm."""
        return self._dish(x, y) - self._half_height(y)

    def distance(self, points: Points) -> Values:
        """Return the field of the body, mm."""
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        level = np.clip(z / self._half_height(y), -1.0, 1.0)
        sides = self._outline(x, y, level)
        plates = np.maximum(z - self.superior(x, y), self.inferior(x, y) - z)
        solid = smooth_common(sides, plates, _RIM_MM)
        return smooth_cut(solid, self._behind(x, y, level), 1.5)

    def _behind(self, x: Values, y: Values, level: Values) -> Values:
        """The space behind the posterior wall: a wide cylinder, waisted at mid-height."""
        depth = self.depth_mm * _WALL_HOLLOW
        radius = (0.36 * self.width_mm) ** 2 / (2.0 * depth)
        wall = 0.5 * self.depth_mm - 0.8 * (1.0 - level**2)
        return np.sqrt(x**2 + (y - wall - radius) ** 2) - radius


@dataclass(frozen=True, slots=True, kw_only=True)
class PedicleShape:
    """A pedicle: an elliptic bar with a true isthmus, wider towards both ends.

    Attributes:
        centre: Centre of the isthmus, mm.
        axis: Unit vector from back to front.
        width_mm: Width at the isthmus.
        height_mm: Height at the isthmus.
        back_mm: Length behind the isthmus.
        front_mm: Length in front of it, ending inside the body.
    """

    centre: Point
    axis: Vector
    width_mm: float
    height_mm: float
    back_mm: float
    front_mm: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", frozen(self.centre))
        object.__setattr__(self, "axis", frozen(self.axis))

    @property
    def axes(self) -> Rotation:
        """Rows: to the left, cranial, and along the axis; the first two span the isthmus."""
        left = unit(np.cross([0.0, 0.0, 1.0], self.axis))
        return frozen([left, np.cross(self.axis, left), self.axis])

    def distance(self, points: Points) -> Values:
        """Return the field of the pedicle, mm."""
        u, v, t = ((points - self.centre) @ self.axes.T).T
        back = np.clip(-t / self.back_mm, 0.0, 1.0)
        front = np.clip(t / self.front_mm, 0.0, 1.0)
        # In front it flares and then draws in to a nose that stays inside the body.
        nose = 1.0 - 0.45 * front**4
        flare = 1.6 * back**2 + 2.2 * front**2
        half_width = (0.5 * self.width_mm + flare) * nose
        half_height = (0.5 * self.height_mm + 0.6 * flare) * nose
        bar = ellipsoid_distance(u, v, np.zeros_like(u), (half_width, half_height, half_width))
        ends = np.maximum(t - self.front_mm, -self.back_mm - t)
        # rounded no farther forward than behind the isthmus, which would not be the thinnest then
        return smooth_common(bar, ends, min(0.4 * self.width_mm, self.back_mm - 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CanalShape:
    """The bony canal, a bar along z: wide at the pedicles, narrower towards the laminae.

    Attributes:
        centre_y_mm: Its middle, behind the body's centre.
        width_mm: Greatest width.
        depth_mm: Midline depth.
        back_taper: How much narrower the back is, 0 to 1.
    """

    centre_y_mm: float
    width_mm: float
    depth_mm: float
    back_taper: float

    def distance(self, points: Points) -> Values:
        """Return the field of the canal, mm; negative in the canal."""
        y = points[:, 1] - self.centre_y_mm
        back = np.clip(2.0 * y / self.depth_mm, 0.0, 1.0)
        half_width = 0.5 * self.width_mm * (1.0 - self.back_taper * back)
        half_depth = np.full_like(y, 0.5 * self.depth_mm)
        return superellipse_distance(points[:, 0], y, half_width, half_depth, 2.2)


def joined(fields: list[Values], radius_mm: float) -> Values:
    """Return the smooth union of several fields, in their order."""
    total = fields[0]
    for field in fields[1:]:
        total = smooth_union(total, field, radius_mm)
    return total


def body_shape(size: Morphometry, *, height_loss: float, lean: float) -> BodyShape:
    """Return the body of a vertebra; thoracic ones are narrower in front.

    Raises:
        ValueError: If the height loss is not within 0 to 0.7.
    """
    if not 0.0 <= height_loss <= 0.7:
        raise ValueError(f"height loss {height_loss} is outside 0 to 0.7")
    return BodyShape(
        width_mm=size.endplate_width_mm,
        depth_mm=size.endplate_depth_mm,
        posterior_height_mm=size.posterior_height_mm,
        anterior_height_mm=size.anterior_height_mm,
        front_taper=0.06 + 0.24 * (1.0 - size.lumbar_character),
        height_loss=height_loss,
        lean=lean,
    )
