"""A request put to a case: the bone it means, the region in it, and the directions there."""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Rotation
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.case import Kind, PatientPosition, Side, Structure
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.catalogue import c_arm_of
from planner.fluoroscopy.views import position_or_default
from planner.hazard_margins import with_hazards
from planner.policy import Policy
from planner.prepared import PreparedCase
from planner.request import ErrorProfile, EvaluationRequest, PlanRequest, TargetSpec
from planner.target import TargetRegion, bone_of, region_of

LEAST_TRUST = 0.5  # confidence below which no needle is planned through a pedicle [A]
STAND_OFF_MM = 15.0  # spinous tip to skin, where no skin is given [A]; DOMAIN 4.3 gives the sum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """What plan and evaluate share.

    Attributes:
        prepared: The case.
        bone: The bone the needle is meant to enter.
        region: Where the tip must end, or why that is unknown.
        axes: Left, posterior and superior unit vectors (rows) of the bone or its neighbour, LPS.
        policy: The rules in force; they are wider for what was derived.
        c_arm: The C-arm whose reach counts.
        position: The patient's position during the procedure.
        error_profile: How the needle is guided.
        target: What is to be reached; None for a drawn path without one.
    """

    prepared: PreparedCase
    bone: Structure
    region: TargetRegion | Unavailable
    axes: Rotation
    policy: Policy
    c_arm: CArm
    position: PatientPosition
    error_profile: ErrorProfile
    target: TargetSpec | None = None

    def pedicle(self, side: Side) -> Pedicle | Unavailable:
        """Return the bone's pedicle on a side, or why it has none that can be relied on."""
        anatomy = self.prepared.bone(self.bone)
        if isinstance(anatomy, Unavailable):
            return anatomy
        pedicle = anatomy.pedicles[side]
        if isinstance(pedicle, Pedicle) and pedicle.confidence < LEAST_TRUST:
            return Unavailable(
                reason=f"the {side} pedicle was read with confidence {pedicle.confidence:.2f}, too "
                f"little to plan on ({pedicle.cause}); landmarks in the case would settle it"
            )
        return pedicle


def question_of(prepared: PreparedCase, request: PlanRequest | EvaluationRequest) -> Question:
    """Find the bone, the region and the directions that a request is about.

    Raises:
        RequestError: If the request names what the case or the catalogues do not have.
    """
    if request.target is None:
        bone = prepared.nearest_bone(request.path[-1].end_mm)
    else:
        bone = bone_of(prepared, request.target)
    axes = orientation(prepared, bone)
    region = (
        Unavailable(reason="no target was given")
        if request.target is None
        else region_of(prepared, request.target, bone, axes)
    )
    return Question(
        prepared=prepared, bone=bone, target=request.target, region=region, axes=axes,
        policy=with_hazards(request.policy, prepared.given, bone.level),
        c_arm=c_arm_of(request.c_arm), position=lie_of(prepared, request.patient_position),
        error_profile=request.error_profile,
    )  # fmt: skip


def orientation(prepared: PreparedCase, bone: Structure) -> Rotation:
    """Return left, posterior, superior (rows, LPS) of a bone, or of the nearest readable vertebra.

    The patient's own axes stand in where no vertebra can be read.
    """
    anatomy = prepared.bone(bone)
    if isinstance(anatomy, VertebraAnatomy):
        return anatomy.frame.rotation
    centre = bone.mesh.vertices.mean(axis=0)
    vertebrae = sorted(
        prepared.case.of_kind(Kind.VERTEBRA),
        key=lambda v: float(np.linalg.norm(v.mesh.vertices.mean(axis=0) - centre)),
    )
    for vertebra in vertebrae:
        neighbour = prepared.bone(vertebra)
        if isinstance(neighbour, VertebraAnatomy):
            return neighbour.frame.rotation
    return np.eye(3)


def lie_of(prepared: PreparedCase, stated: PatientPosition | None) -> PatientPosition:
    """Return the patient's position: as the request, else the case states it, else prone."""
    return position_or_default(stated, prepared.case.patient_position)
