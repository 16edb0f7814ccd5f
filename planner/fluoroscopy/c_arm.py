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
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from geometry.arrays import Vector, frozen, unit
from planner.case import PatientPosition, Side
from planner.errors import RequestError

# Within this of a pole the primary angle means nothing; within this of -pi it is +pi.
ANGLE_EPSILON_RAD = 1e-9
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
    """

    name: str
    description: str
    primary_rad: tuple[float, float]
    secondary_rad: tuple[float, float]
    source_to_isocentre_mm: float
    source_to_detector_mm: float
    source: str

    def reaches(self, beam: Vector, position: PatientPosition) -> bool:
        """Tell whether the beam's console angles lie within the ranges, ends included."""
        primary, secondary = console_angles(beam, position)
        return _within(primary, self.primary_rad) and _within(secondary, self.secondary_rad)


def _within(angle_rad: float, limits_rad: tuple[float, float]) -> bool:
    low, high = limits_rad
    return low - ANGLE_EPSILON_RAD <= angle_rad <= high + ANGLE_EPSILON_RAD


def _range(low_deg: float, high_deg: float) -> tuple[float, float]:
    return math.radians(low_deg), math.radians(high_deg)


_ENTRIES = (
    CArm(
        name="generic-floor", description="floor-standing angiography unit, frontal plane",
        primary_rad=_range(-100.0, 100.0), secondary_rad=_range(-45.0, 45.0),
        source_to_isocentre_mm=750.0, source_to_detector_mm=1050.0,
        source="planner default [A], DOMAIN 5.4",
    ),
    CArm(
        name="generic-ceiling", description="ceiling-hung angiography unit, frontal plane",
        primary_rad=_range(-120.0, 120.0), secondary_rad=_range(-45.0, 45.0),
        source_to_isocentre_mm=750.0, source_to_detector_mm=1050.0,
        source="planner default [A]: as generic-floor, with 20 degrees more rotation either way",
    ),
    CArm(
        name="generic-lateral-plane", description="lateral plane of a biplane unit",
        primary_rad=_range(65.0, 115.0), secondary_rad=_range(-30.0, 30.0),
        source_to_isocentre_mm=750.0, source_to_detector_mm=1050.0,
        source="planner default [A], DOMAIN 5.4",
    ),
    CArm(
        name="innova-3131-frontal", description="GE Innova 3131, frontal plane",
        primary_rad=_range(-117.0, 105.0), secondary_rad=_range(-45.0, 50.0),
        source_to_isocentre_mm=720.0, source_to_detector_mm=1190.0,
        source="[R:SlicerHeart], DOMAIN 5.4",
    ),
    CArm(
        name="cios-mobile", description="Siemens Cios mobile C-arm from the side of the table",
        primary_rad=_range(-40.0, 110.0), secondary_rad=_range(-45.0, 45.0),
        source_to_isocentre_mm=530.0, source_to_detector_mm=1020.0,
        source="[R:deepdrr], DOMAIN 5.4; orbital rotation taken as the primary angle [A]",
    ),
)  # fmt: skip

C_ARMS: Mapping[str, CArm] = MappingProxyType({c_arm.name: c_arm for c_arm in _ENTRIES})


def c_arm_named(name: str, *, field: str = "c_arm") -> CArm:
    """Return the catalogue's C-arm of that name.

    Raises:
        RequestError: If there is none; the message lists the names there are.
    """
    try:
        return C_ARMS[name]
    except KeyError:
        names = ", ".join(C_ARMS)
        raise RequestError(
            f"{name!r} is not in the C-arm catalogue; it has: {names}",
            field=field, code="unknown-c-arm",
        ) from None  # fmt: skip
