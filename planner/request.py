"""What is asked: a target, and the approaches, sides, needles and policy to try for it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from geometry.arrays import Point
from planner.case import PatientPosition, Side
from planner.needles.catalogue import DEFAULT_NEEDLES
from planner.needles.path import Path
from planner.policy import DEFAULT_POLICY, Policy

DEFAULT_C_ARM = "generic-floor"


class Approach(StrEnum):
    """Which window of the gate plane a path goes through (see ``planner.approach``).

    A path along a screw may go through any of them: it is told by what it slides on.
    """

    TRANSPEDICULAR = "transpedicular"
    PARAPEDICULAR = "parapedicular"
    EXTRAPEDICULAR = "extrapedicular"
    ALONG_SCREW = "along_screw"


# What is tried unless more is asked for: each of them has one window of the gate plane.
BY_WINDOW = (Approach.TRANSPEDICULAR, Approach.PARAPEDICULAR, Approach.EXTRAPEDICULAR)


class ErrorProfile(StrEnum):
    """How the needle is guided, and so how far off it may be (figures in ``robustness``)."""

    FREEHAND_FLUOROSCOPY = "freehand_fluoroscopy"
    CT_LASER = "ct_laser"
    NAVIGATION = "navigation"
    WORST = "worst"


class CageEnd(StrEnum):
    """The end of a cage."""

    CRANIAL = "cranial"
    CAUDAL = "caudal"


class Intent(StrEnum):
    """Why a body is filled: it is broken, or it is to be kept from breaking."""

    FRACTURE = "fracture"
    PROPHYLACTIC = "prophylactic"


class Beside(StrEnum):
    """Where beside a screw, as seen along it."""

    MEDIAL = "medial"
    LATERAL = "lateral"
    CRANIAL = "cranial"
    CAUDAL = "caudal"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnteriorBody:
    """The anterior third of a vertebral body."""

    level: str
    intent: Intent = Intent.FRACTURE


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrewHalo:
    """The lost bone around a loose screw."""

    screw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrewTip:
    """The bone a few millimetres beside a screw's tip."""

    screw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideScrew:
    """The bone of the body next to a screw's shaft, outside its lucency, on one side of it."""

    screw: str
    place: Beside = Beside.MEDIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CageInterface:
    """The bone against one end of a cage."""

    cage: str
    end: CageEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A segmented lesion."""

    structure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreePoint:
    """A point, LPS mm, and how far from it the tip may end."""

    position_mm: Point
    tolerance_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCArm:
    """A C-arm that the request describes itself; angles are the console's, as in the catalogue.

    Attributes:
        primary_rad: Lowest and highest primary angle, LAO positive.
        secondary_rad: Lowest and highest secondary angle, cranial positive.
        source_to_isocentre_mm: Focal spot to isocentre.
        source_to_detector_mm: Focal spot to detector.
        lateral: The second plane of a biplane unit.
        name: What people call it.
    """

    primary_rad: tuple[float, float]
    secondary_rad: tuple[float, float]
    source_to_isocentre_mm: float
    source_to_detector_mm: float
    lateral: "StatedCArm | None" = None
    name: str = "stated"


TargetSpec: TypeAlias = (
    AnteriorBody | ScrewHalo | ScrewTip | BesideScrew | CageInterface | Lesion | FreePoint
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """One question to the planner. Everything but the target has a documented default."""

    target: TargetSpec
    approaches: tuple[Approach, ...] = BY_WINDOW
    sides: tuple[Side, ...] = (Side.LEFT, Side.RIGHT)
    needles: tuple[str, ...] = DEFAULT_NEEDLES
    policy: Policy = DEFAULT_POLICY
    max_trajectories: int = 5
    certificate_tolerance_mm: float = 0.25
    c_arm: str | StatedCArm = DEFAULT_C_ARM
    patient_position: PatientPosition | None = None
    error_profile: ErrorProfile = ErrorProfile.FREEHAND_FLUOROSCOPY
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """A path somebody drew, to be measured as it is."""

    path: Path
    needle: str
    target: TargetSpec | None = None
    policy: Policy = DEFAULT_POLICY
    c_arm: str | StatedCArm = DEFAULT_C_ARM
    patient_position: PatientPosition | None = None
    error_profile: ErrorProfile = ErrorProfile.FREEHAND_FLUOROSCOPY
