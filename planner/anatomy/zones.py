"""Parts of the vertebral body that clinical rules speak of, in patient LPS and mm."""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Point
from geometry.sections import Plane
from planner.anatomy.model import VertebraAnatomy

BASIVERTEBRAL_MM = 5.0  # radius about the vein's mouth that leaks start from (DOMAIN 6.4) [A]
ANTERIOR_THIRD = 2.0 / 3.0  # depth fraction where it begins
ANTERIOR_QUARTER = 0.75
POSTERIOR_QUARTER = 0.25  # depth fraction where it ends


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Zone:
    """A ball, patient LPS, mm."""

    centre_mm: Point
    radius_mm: float

    def contains(self, point: Point) -> bool:
        """Tell whether a patient point lies in the ball."""
        return bool(np.linalg.norm(point - self.centre_mm) <= self.radius_mm)


def depth_fraction(anatomy: VertebraAnatomy, point: Point) -> float:
    """Return how deep a patient point lies: 0 at the posterior wall, 1 at the anterior cortex.

    ``f = (D / 2 - y) / D`` with y in the vertebral frame and D the midline depth (DOMAIN 2.1);
    below 0 behind the wall, above 1 in front of the body.
    """
    depth = anatomy.body.depth_mm
    return float((0.5 * depth - anatomy.frame.points(point)[1]) / depth)


def at_depth(anatomy: VertebraAnatomy, fraction: float) -> Point:
    """Return the patient point on the midline at mid-height with a depth fraction, mm."""
    return anatomy.frame.inverse().points(
        np.array([0.0, (0.5 - fraction) * anatomy.body.depth_mm, 0.0])
    )


def midline_offset_mm(anatomy: VertebraAnatomy, point: Point) -> float:
    """Return how far a patient point lies to the patient's left of the plane of symmetry, mm."""
    return float(anatomy.frame.points(point)[0])


def posterior_wall(anatomy: VertebraAnatomy) -> Plane:
    """Return the plane of the posterior wall: origin on the midline at mid-height, x left, y up."""
    left, _, superior = anatomy.frame.rotation
    return Plane(origin_mm=at_depth(anatomy, 0.0), x_axis=left, y_axis=superior)


def basivertebral_zone(anatomy: VertebraAnatomy) -> Zone:
    """Return the zone around the basivertebral vein's mouth: midline, mid-height, at the wall."""
    return Zone(centre_mm=posterior_wall(anatomy).origin_mm, radius_mm=BASIVERTEBRAL_MM)
