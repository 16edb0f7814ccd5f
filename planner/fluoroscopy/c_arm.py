"""C-arm angles, what consoles make of them, and which positions a given C-arm can reach.

A beam is the unit vector from the isocentre to the detector, which is also the direction in which
the X-rays travel, in patient LPS. DICOM's positioner angles (PS3.3 C.8.7.5.1.2) place the
*detector* about the *patient*, so they depend neither on the table nor on how the patient lies.
A console that takes every patient for head-first supine shows other numbers: those are the
console angles here, and reachability is judged on them because they are the machine's own.
Which views are wanted is in ``views``; collisions and table edges are not modelled.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float

from geometry.arrays import Point, Points, Vector, frozen, unit
from geometry.projection import ConeBeam
from planner.case import PatientPosition, Side

# Within this of a pole the primary angle means nothing; within this of -pi it is +pi.
ANGLE_EPSILON_RAD = 1e-9
LEAST_BETWEEN_PLANES_RAD = math.radians(40.0)  # planes nearer than this collide [A], DOMAIN 5.4
_EIGHTH_OF_A_TURN = math.pi / 4.0
_ROUND_THE_PATIENT = (
    "anterior", "anterior left", "left", "posterior left",
    "posterior", "posterior right", "right", "anterior right",
)  # fmt: skip

# Patient axes as the equipment sees them: u_room = D u (DOMAIN 5.2).
_ROOM_FROM_PATIENT: Mapping[PatientPosition, Vector] = MappingProxyType({
    PatientPosition.HFS: frozen([1.0, 1.0, 1.0]),
    PatientPosition.HFP: frozen([-1.0, -1.0, 1.0]),
    PatientPosition.FFS: frozen([-1.0, 1.0, -1.0]),
    PatientPosition.FFP: frozen([1.0, -1.0, -1.0]),
})  # fmt: skip


def beam_from_angles(primary_rad: float, secondary_rad: float) -> Vector:
    """Return the beam for DICOM angles: ``(cosS sinP, -cosS cosP, sinS)``, LPS.

    Args:
        primary_rad: Positioner primary angle P, LAO positive.
        secondary_rad: Positioner secondary angle S, cranial positive.
    """
    level = math.cos(secondary_rad)
    return np.array([
        level * math.sin(primary_rad),
        -level * math.cos(primary_rad),
        math.sin(secondary_rad),
    ])  # fmt: skip


def angles_from_beam(beam: Vector) -> tuple[float, float]:
    """Return DICOM (primary, secondary) of a beam, radians: ``P = atan2(x, -y)``, ``S = asin(z)``.

    The primary angle lies in (-pi, pi]; at the poles, where it is undefined, it is 0. The
    secondary is taken by atan2, which stays accurate near the poles where asin does not.

    Args:
        beam: Isocentre to detector, LPS, of any length but zero.

    Raises:
        ValueError: If the beam has no direction.
    """
    x, y, z = (float(value) for value in unit(beam))
    level = math.hypot(x, y)
    if level < ANGLE_EPSILON_RAD:
        return 0.0, math.copysign(math.pi / 2.0, z)
    return _wrapped(math.atan2(x, -y)), math.atan2(z, level)


def console_angles(beam: Vector, position: PatientPosition) -> tuple[float, float]:
    """Return (primary, secondary) as a console shows them that assumes head-first supine, radians.

    Args:
        beam: Isocentre to detector, patient LPS.
        position: How the patient really lies.
    """
    return angles_from_beam(_ROOM_FROM_PATIENT[position] * beam)


def beam_from_console(
    primary_rad: float, secondary_rad: float, position: PatientPosition
) -> Vector:
    """Return the beam, patient LPS, of a console's angles; the inverse of ``console_angles``."""
    return _ROOM_FROM_PATIENT[position] * beam_from_angles(primary_rad, secondary_rad)


def tilted_angles(
    angles_rad: tuple[float, float], *, side: Side, lateral_rad: float, cranial_rad: float
) -> tuple[float, float]:
    """Return a posterior view's DICOM angles after tilting the detector laterally and cranially.

    This is how a path beside a screw is aimed: from the screw's bull's-eye towards ``side``
    (DOMAIN 1.5 V2, V3).
    """
    primary, secondary = angles_rad
    # Seen with the detector over the back (P near pi), left is the way to +pi/2.
    outward = -lateral_rad if side is Side.LEFT else lateral_rad
    return angles_from_beam(beam_from_angles(primary + outward, secondary + cranial_rad))


def view_name(primary_rad: float, secondary_rad: float) -> str:
    """Name a view by where the detector is about the patient, to whole degrees.

    Examples: ``AP``, ``PA CRA 20``, ``L LAT``, ``LAO 30``, ``LPO 20 CRA 8``. The name refers to
    the patient, however the patient lies, and not to what a console prints.
    """
    primary, secondary = round(math.degrees(primary_rad)), round(math.degrees(secondary_rad))
    tilt = f"{'CRA' if secondary > 0 else 'CAU'} {abs(secondary)}"
    if abs(secondary) == 90:
        return tilt
    return _rotation_name(primary) + (f" {tilt}" if secondary else "")


def _rotation_name(primary_deg: int) -> str:
    named = {0: "AP", 90: "L LAT", -90: "R LAT", 180: "PA", -180: "PA"}
    if primary_deg in named:
        return named[primary_deg]
    side = "L" if primary_deg > 0 else "R"
    turn = abs(primary_deg)
    return f"{side}AO {turn}" if turn < 90 else f"{side}PO {180 - turn}"


def detector_place(beam: Vector) -> str:
    """Say on which side of the patient the detector is, such as ``posterior left``."""
    primary, secondary = angles_from_beam(beam)
    if abs(secondary) > math.pi / 2.0 - _EIGHTH_OF_A_TURN / 2.0:
        return "cranial" if secondary > 0.0 else "caudal"
    return _ROUND_THE_PATIENT[round(primary / _EIGHTH_OF_A_TURN) % 8]


def _wrapped(angle_rad: float) -> float:
    """Return the angle in (-pi, pi], with rounding noise just above -pi taken as +pi."""
    return math.pi if angle_rad <= -math.pi + ANGLE_EPSILON_RAD else angle_rad


@dataclass(frozen=True, slots=True, kw_only=True)
class CArm:
    """A C-arm's reach, in its own (console) angles with the table centred.

    Attributes:
        name: How requests name it.
        description: One line for a person.
        primary_rad: Lowest and highest console primary angle, LAO positive.
        secondary_rad: Lowest and highest console secondary angle, cranial positive.
        source_to_isocentre_mm: Focal spot to isocentre.
        source_to_detector_mm: Focal spot to detector.
        source: Where the figures come from.
        mount: What it stands or hangs on: ``floor``, ``ceiling``, ``mobile`` or ``biplane``;
            ``stated`` for one that a request describes.
        lateral: The second plane of a biplane unit, with its own reach.
    """

    name: str
    description: str
    primary_rad: tuple[float, float]
    secondary_rad: tuple[float, float]
    source_to_isocentre_mm: float
    source_to_detector_mm: float
    source: str
    mount: str
    lateral: "CArm | None" = None

    @property
    def planes(self) -> tuple["CArm", ...]:
        """The frontal plane, and the lateral one of a biplane unit."""
        frontal = replace(self, lateral=None)
        return (frontal,) if self.lateral is None else (frontal, self.lateral)

    def plane_for(self, beam: Vector, position: PatientPosition) -> "CArm | None":
        """Return the first plane whose ranges contain the beam's console angles, if any does."""
        return next((p for p in self.planes if p.reaches(beam, position)), None)

    def cone(self, beam: Vector, isocentre_mm: Point, position: PatientPosition) -> ConeBeam:
        """Return a beam's cone, of the plane that reaches it, or of the frontal one if none does.

        Args:
            beam: Isocentre to detector, unit vector, patient LPS.
            isocentre_mm: Patient LPS.
            position: How the patient lies.
        """
        plane = self.plane_for(beam, position) or self
        return ConeBeam(
            direction=frozen(beam), isocentre_mm=frozen(isocentre_mm),
            source_to_isocentre_mm=plane.source_to_isocentre_mm,
            source_to_detector_mm=plane.source_to_detector_mm,
        )  # fmt: skip

    def cones_each(
        self, beams: Points, isocentre_mm: Point, position: PatientPosition
    ) -> tuple[Points, Float[np.ndarray, " n"]]:
        """Return the sources and source-to-detector distances of the cones of many beams, mm."""
        reach = np.tile([self.source_to_isocentre_mm, self.source_to_detector_mm], (len(beams), 1))
        if self.lateral is not None:
            by_lateral = ~self.planes[0].reaches_each(beams, position)
            by_lateral &= self.lateral.reaches_each(beams, position)
            reach[by_lateral] = (
                self.lateral.source_to_isocentre_mm, self.lateral.source_to_detector_mm,
            )  # fmt: skip
        return isocentre_mm - reach[:, :1] * beams, reach[:, 1]

    def reaches(self, beam: Vector, position: PatientPosition) -> bool:
        """Tell whether the beam's console angles lie within a plane's ranges, ends included."""
        return bool(self.reaches_each(beam[None], position)[0])

    def reaches_each(self, beams: Points, position: PatientPosition) -> Bool[np.ndarray, " n"]:
        """Tell the same of many beams, shape (n, 3)."""
        room = beams * _ROOM_FROM_PATIENT[position]
        level = np.hypot(room[:, 0], room[:, 1])
        primary = np.where(level < ANGLE_EPSILON_RAD, 0.0, np.arctan2(room[:, 0], -room[:, 1]))
        primary = np.where(primary <= -math.pi + ANGLE_EPSILON_RAD, math.pi, primary)
        secondary = np.arctan2(room[:, 2], level)
        within = _within(primary, self.primary_rad) & _within(secondary, self.secondary_rad)
        if self.lateral is None:
            return within
        return within | self.lateral.reaches_each(beams, position)

    def holds_both(self, one: Vector, other: Vector, position: PatientPosition) -> bool:
        """Tell whether two projection lines can be held at once, one in each plane.

        Either end of a line will do; lines nearer to each other than 40 degrees bring the planes
        together [A].
        """
        if self.lateral is None:
            return False
        if abs(float(unit(one) @ unit(other))) > math.cos(LEAST_BETWEEN_PLANES_RAD):
            return False
        frontal = self.planes[0]

        def line_in(plane: CArm, beam: Vector) -> bool:
            return plane.reaches(beam, position) or plane.reaches(-beam, position)

        return (line_in(frontal, one) and line_in(self.lateral, other)) or (
            line_in(frontal, other) and line_in(self.lateral, one)
        )


def _within(
    angles_rad: Float[np.ndarray, " n"], limits_rad: tuple[float, float]
) -> Bool[np.ndarray, " n"]:
    low, high = limits_rad
    within: Bool[np.ndarray, " n"] = (low - ANGLE_EPSILON_RAD <= angles_rad) & (
        angles_rad <= high + ANGLE_EPSILON_RAD
    )
    return within
