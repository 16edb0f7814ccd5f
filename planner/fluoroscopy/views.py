"""The C-arm views that go with a needle or a vertebra: which way the beam runs, and on which side.

Every view is a line through the patient, and either end of it may carry the detector: the pair
``u`` and ``-u`` shows the same projection. The preferred end is taken unless only the other one
is within the C-arm's reach. Angles and reach are in ``c_arm``.
"""

import numpy as np

from geometry.arrays import Vector, frozen, unit
from geometry.frames import RigidTransform
from planner.case import PatientPosition
from planner.fluoroscopy.c_arm import (
    CArm,
    angles_from_beam,
    beam_from_angles,
    console_angles,
    detector_place,
    view_name,
)
from planner.result import View, ViewRole

# Needles come in from behind, so a patient of whom nothing was said lies prone, head first.
DEFAULT_POSITION = PatientPosition.HFP
PATIENT_LEFT = frozen([1.0, 0.0, 0.0])
PATIENT_POSTERIOR = frozen([0.0, 1.0, 0.0])

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
    return _view(ViewRole.BULLS_EYE, -unit(direction), c_arm, position_or_default(position))


def progress(
    direction: Vector,
    c_arm: CArm,
    position: PatientPosition | None = None,
    frame_left: Vector | None = None,
) -> View:
    """Return the view from the side: the beam is square to the needle, as near lateral as can be.

    Of the two ends of that line the detector takes the one that the C-arm turns less for (which
    keeps it above the table), and left where both are equal; unless only the other is in reach.
    """
    lies = position_or_default(position)
    to_left = square_beam(direction, PATIENT_LEFT if frame_left is None else frame_left)
    turn_left, turn_right = (abs(console_angles(end, lies)[0]) for end in (to_left, -to_left))
    shorter = -to_left if turn_right < turn_left - _SAME_TURN_RAD else to_left
    return _view(ViewRole.PROGRESS, shorter, c_arm, lies)


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
    frame: RigidTransform, *, c_arm: CArm, position: PatientPosition | None = None
) -> tuple[View, ...]:
    """Return the true AP (detector behind, where it can be) and the true lateral of a vertebra.

    Args:
        frame: ``vertebra_from_patient``: x left, y posterior, z superior.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies; head-first prone when not stated.
    """
    lies = position_or_default(position)
    left, posterior = frame.rotation[0], frame.rotation[1]
    return (
        _view(ViewRole.TRUE_AP, posterior, c_arm, lies),
        _view(ViewRole.TRUE_LATERAL, left, c_arm, lies),
    )


def console_assumes(view: View) -> str:
    """Say what must hold for a view's console angles, as ``HFP patient, detector posterior``."""
    beam = beam_from_angles(view.primary_rad, view.secondary_rad)
    return f"{view.assumed_position.value} patient, detector {detector_place(beam)}"


def _view(role: ViewRole, preferred: Vector, c_arm: CArm, position: PatientPosition) -> View:
    """Build the view along ``preferred``, or its mirror if only that can be reached."""
    reachable = [beam for beam in (preferred, -preferred) if c_arm.reaches(beam, position)]
    beam = reachable[0] if reachable else preferred
    primary, secondary = angles_from_beam(beam)
    console_primary, console_secondary = console_angles(beam, position)
    return View(
        role=role,
        primary_rad=primary,
        secondary_rad=secondary,
        console_primary_rad=console_primary,
        console_secondary_rad=console_secondary,
        assumed_position=position,
        label=view_name(primary, secondary),
        reachable=bool(reachable),
    )
