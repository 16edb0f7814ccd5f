"""The C-arm views that go with a needle or a vertebra: which way the beam runs, and on which side.

Every view is a line through the patient, and either end of it may carry the detector: the pair
``u`` and ``-u`` shows the same projection. The preferred end is taken unless only the other one
is within the C-arm's reach. Angles and reach are in ``c_arm``.
"""

import math

import numpy as np

from geometry.arrays import Rotation, Vector, frozen, unit
from geometry.frames import angle_between
from planner.anatomy.model import ScrewAxis
from planner.case import PatientPosition, Side
from planner.fluoroscopy.c_arm import (
    CArm,
    angles_from_beam,
    beam_from_angles,
    console_angles,
    detector_place,
    view_name,
)
from planner.result import CurvePoint, TiltToPath, View, ViewRole

# Needles come in from behind, so a patient of whom nothing was said lies prone, head first.
DEFAULT_POSITION = PatientPosition.HFP
PATIENT_LEFT = frozen([1.0, 0.0, 0.0])
PATIENT_POSTERIOR = frozen([0.0, 1.0, 0.0])

CURVE_STEP_DEG = 5
FORAMEN_TURN_RAD = math.radians(40.0)  # from AP to the needle's side; 30-45 is usual [M]
_PARALLEL = 1e-6  # directions whose angle has a smaller sine have no "nearest" between them
_SAME_TURN_RAD = 1e-6


def position_or_default(*stated: PatientPosition | None) -> PatientPosition:
    """Return the first position that was stated, or head-first prone if none was."""
    return next((position for position in stated if position is not None), DEFAULT_POSITION)


def views_for(
    direction: Vector,
    *,
    c_arm: CArm,
    position: PatientPosition | None = None,
    frame_left: Vector | None = None,
) -> tuple[View, ...]:
    """Return the bull's-eye and the progress view of a needle, in this order.

    Args:
        direction: Entry to tip, patient LPS, any length.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies; head-first prone when not stated.
        frame_left: The target vertebra's left axis, LPS; the patient's when not given.
    """
    return (
        bulls_eye(direction, c_arm, position),
        progress(direction, c_arm, position, frame_left),
    )


def bulls_eye(direction: Vector, c_arm: CArm, position: PatientPosition | None = None) -> View:
    """Return the view down the needle's barrel: the beam runs along the needle.

    The detector is on the hub's side (over the back of a prone patient) unless only the side of
    the tip can be reached.
    """
    return view_along(ViewRole.BULLS_EYE, -unit(direction), c_arm, position)


def screw_bulls_eye(
    screw: ScrewAxis,
    direction: Vector,
    side: Side,
    *,
    c_arm: CArm,
    position: PatientPosition | None = None,
) -> View:
    """Return the view along a screw, and how the detector turns from it to look down the needle.

    Args:
        screw: The screw beside the path.
        direction: The needle's, entry to tip, patient LPS.
        side: The side that the needle comes from; outward is away from the midline there.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies; head-first prone when not stated.
    """
    along = unit(screw.tip_mm - screw.head_mm)
    (primary, secondary), (wanted_primary, wanted_secondary) = (
        angles_from_beam(beam) for beam in (-along, -unit(direction))
    )
    turned = math.remainder(wanted_primary - primary, 2.0 * math.pi)
    tilt = TiltToPath(
        screw=screw.structure,
        lateral_rad=-turned if side is Side.LEFT else turned,
        cranial_rad=wanted_secondary - secondary,
        angle_rad=angle_between(along, direction),
    )
    return view_along(ViewRole.SCREW_BULLS_EYE, -along, c_arm, position, tilt=tilt)


def progress(
    direction: Vector,
    c_arm: CArm,
    position: PatientPosition | None = None,
    frame_left: Vector | None = None,
) -> View:
    """Return the view from the side: the beam is square to the needle, as near lateral as can be.

    Of the two ends of that line the detector takes the one that the C-arm turns less for (which
    keeps it above the table), and left where both are equal; unless only the other is in reach.
    With it come all beams square to the needle.
    """
    lies = position_or_default(position)
    to_left = square_beam(direction, PATIENT_LEFT if frame_left is None else frame_left)
    turn_left, turn_right = (abs(console_angles(end, lies)[0]) for end in (to_left, -to_left))
    shorter = -to_left if turn_right < turn_left - _SAME_TURN_RAD else to_left
    curve = _square_curve(direction, shorter, c_arm, lies)
    return view_along(ViewRole.PROGRESS, shorter, c_arm, lies, curve=curve)


def _square_curve(
    direction: Vector, best: Vector, c_arm: CArm, position: PatientPosition
) -> tuple[CurvePoint, ...]:
    """Return the beams square to a needle, half a turn in steps; ``best`` is in the middle."""
    other = np.cross(unit(direction), best)
    points = []
    for turn_deg in range(-90 + CURVE_STEP_DEG, 91, CURVE_STEP_DEG):
        turn = math.radians(turn_deg)
        beam, reachable = _end_in_reach(
            math.cos(turn) * best + math.sin(turn) * other, c_arm, position
        )
        primary, secondary = angles_from_beam(beam)
        points.append(CurvePoint(primary_rad=primary, secondary_rad=secondary, reachable=reachable))
    return tuple(points)


def square_beam(direction: Vector, reference: Vector) -> Vector:
    """Return the beam square to ``direction`` that lies nearest to ``reference``.

    ``u = normalise(r - (r.d) d)``. A needle that runs along the reference itself has no nearest
    one; the nearest to posterior is returned then.
    """
    along = unit(direction)
    for candidate in (reference, PATIENT_POSTERIOR, PATIENT_LEFT):
        across = unit(candidate) - float(unit(candidate) @ along) * along
        if float(np.linalg.norm(across)) > _PARALLEL:
            return unit(across)
    raise AssertionError("posterior and left cannot both be parallel to one direction")


def vertebra_views(
    axes: Rotation, *, c_arm: CArm, position: PatientPosition | None = None
) -> tuple[View, ...]:
    """Return the true AP (detector behind, where it can be) and the true lateral of a vertebra.

    Args:
        axes: Its left, posterior and superior unit vectors, rows, patient LPS.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies; head-first prone when not stated.
    """
    return (
        view_along(ViewRole.TRUE_AP, axes[1], c_arm, position),
        view_along(ViewRole.TRUE_LATERAL, axes[0], c_arm, position),
    )


def foramen_view(
    axes: Rotation, side: Side, *, c_arm: CArm, position: PatientPosition | None = None
) -> View:
    """Return the oblique view that opens the foramina of the needle's side (the Scottie dog's).

    The true AP turned about the vertebra's own long axis, detector behind and to that side.
    """
    outward = 1.0 if side is Side.LEFT else -1.0
    beam = math.cos(FORAMEN_TURN_RAD) * axes[1] + outward * math.sin(FORAMEN_TURN_RAD) * axes[0]
    return view_along(ViewRole.FORAMEN, beam, c_arm, position)


def console_assumes(view: View) -> str:
    """Say what must hold for a view's console angles, as ``HFP patient, detector posterior``."""
    return f"{view.assumed_position.value} patient, detector {detector_place(beam_of(view))}"


def ct_assumption(position: PatientPosition) -> str:
    """Say what angles from a CT take for granted about how the patient lies (DOMAIN 5.4)."""
    if position in {PatientPosition.HFP, PatientPosition.FFP}:
        return (
            "taken from a CT as if the spine lay now as it did then; after a supine CT expect 3 to "
            "4 degrees of cranio-caudal difference per level: check that the endplates are square"
        )
    return (
        "taken from a CT as if the spine lay now as it did then: check that the endplates are "
        "square"
    )


def beam_of(view: View) -> Vector:
    """Return a view's beam, isocentre to detector, patient LPS."""
    return beam_from_angles(view.primary_rad, view.secondary_rad)


def view_along(
    role: ViewRole,
    preferred: Vector,
    c_arm: CArm,
    position: PatientPosition | None = None,
    *,
    tilt: TiltToPath | None = None,
    curve: tuple[CurvePoint, ...] = (),
) -> View:
    """Return the view along ``preferred``, or its mirror if only that can be reached."""
    lies = position_or_default(position)
    beam, reachable = _end_in_reach(preferred, c_arm, lies)
    plane = c_arm.plane_for(beam, lies)
    primary, secondary = angles_from_beam(beam)
    console_primary, console_secondary = console_angles(beam, lies)
    return View(
        role=role,
        primary_rad=primary,
        secondary_rad=secondary,
        console_primary_rad=console_primary,
        console_secondary_rad=console_secondary,
        assumed_position=lies,
        label=view_name(primary, secondary),
        reachable=reachable,
        plane=None if plane is None else plane.name,
        tilt=tilt,
        curve=curve,
    )


def _end_in_reach(preferred: Vector, c_arm: CArm, position: PatientPosition) -> tuple[Vector, bool]:
    """Return the end of a line that the detector takes, and whether it is in reach."""
    for beam in (preferred, -preferred):
        if c_arm.reaches(beam, position):
            return beam, True
    return preferred, False
