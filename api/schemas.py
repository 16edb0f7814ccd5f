"""What may be asked, as JSON: checked here, in degrees and millimetres, then handed inward.

Unknown keys, numbers given as text and non-finite numbers are refused; every mistake is told at
once, by field, with the choices there are. What is answered is in ``documents``.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from api.c_arms import AskedCArm, asked_c_arm
from api.digests import canonical_digest
from api.validation import invalid_request
from planner.case import LEVELS, Kind, PatientPosition, Side
from planner.errors import RequestError
from planner.needles.catalogue import DEFAULT_NEEDLES, needle_named
from planner.needles.path import Arc, Line, Path, Segment
from planner.policy import DEFAULTS, Policy, policy_with
from planner.request import (
    BY_WINDOW,
    DEFAULT_C_ARM,
    AnteriorBody,
    Approach,
    Beside,
    BesideScrew,
    CageEnd,
    CageInterface,
    ErrorProfile,
    EvaluationRequest,
    FreePoint,
    Intent,
    Lesion,
    PlanRequest,
    ScrewHalo,
    ScrewTip,
    TargetSpec,
)

# Nothing in an operating room is farther than this from the origin of a scan, mm.
_FARTHEST_MM = 1e5
# Written paths carry four decimals; their pieces must join, and arcs close, within this, mm.
_JOIN_TOLERANCE_MM = 0.01


class Document(BaseModel):
    """What all requests share: unknown keys are mistakes, and nothing is changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _level(value: str) -> str:
    if value not in LEVELS:
        raise PydanticCustomError("unknown-level", "use one of {levels}", {"levels": _list(LEVELS)})
    return value


def _needle(value: str) -> str:
    return _known(value, needle_named)


def _known(value: str, look_up: Callable[[str], object]) -> str:
    """Return ``value`` if the catalogue has it; the catalogue's own words are kept otherwise."""
    try:
        look_up(value)
    except RequestError as error:
        raise PydanticCustomError("unknown-name", "{why}", {"why": str(error)}) from error
    return value


def _list(choices: Iterable[str]) -> str:
    return ", ".join(choices)


Millimetres: TypeAlias = Annotated[float, Field(strict=True)]
Coordinate: TypeAlias = Annotated[float, Field(strict=True, ge=-_FARTHEST_MM, le=_FARTHEST_MM)]
Position: TypeAlias = Annotated[list[Coordinate], Field(min_length=3, max_length=3)]
Margin: TypeAlias = Annotated[float, Field(strict=True, ge=0.0, le=1000.0)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
LevelName: TypeAlias = Annotated[
    str, Field(json_schema_extra={"enum": list(LEVELS)}), AfterValidator(_level)
]
NeedleName: TypeAlias = Annotated[str, Field(max_length=100), AfterValidator(_needle)]


class AnteriorBodyDocument(Document):
    """The anterior third of a vertebral body."""

    type: Literal["anterior_body"]
    level: LevelName
    intent: Intent = Intent.FRACTURE

    def spec(self) -> TargetSpec:
        """Return the target."""
        return AnteriorBody(level=self.level, intent=self.intent)


class ScrewHaloDocument(Document):
    """The lost bone around a loose screw."""

    type: Literal["screw_halo"]
    screw: Name

    def spec(self) -> TargetSpec:
        """Return the target."""
        return ScrewHalo(screw=self.screw)


class ScrewTipDocument(Document):
    """The bone beside a screw's tip."""

    type: Literal["screw_tip"]
    screw: Name

    def spec(self) -> TargetSpec:
        """Return the target."""
        return ScrewTip(screw=self.screw)


class BesideScrewDocument(Document):
    """The bone of the body next to a screw's shaft, outside its lucency, on one side of it."""

    type: Literal["beside_screw"]
    screw: Name
    place: Beside = Beside.MEDIAL

    def spec(self) -> TargetSpec:
        """Return the target."""
        return BesideScrew(screw=self.screw, place=self.place)


class CageInterfaceDocument(Document):
    """The bone against one end of a cage."""

    type: Literal["cage_interface"]
    cage: Name
    end: CageEnd

    def spec(self) -> TargetSpec:
        """Return the target."""
        return CageInterface(cage=self.cage, end=self.end)


class LesionDocument(Document):
    """A segmented lesion."""

    type: Literal["lesion"]
    structure: Name

    def spec(self) -> TargetSpec:
        """Return the target."""
        return Lesion(structure=self.structure)


class PointDocument(Document):
    """A point, and how far from it the tip may end."""

    type: Literal["point"]
    position_mm: Position
    tolerance_mm: Annotated[float, Field(strict=True, ge=0.01, le=50.0)] = 2.0

    def spec(self) -> FreePoint:
        """Return the target."""
        return FreePoint(
            position_mm=np.array(self.position_mm, dtype=np.float64),
            tolerance_mm=self.tolerance_mm,
        )


TargetDocument: TypeAlias = Annotated[
    AnteriorBodyDocument
    | ScrewHaloDocument
    | ScrewTipDocument
    | BesideScrewDocument
    | CageInterfaceDocument
    | LesionDocument
    | PointDocument,
    Field(discriminator="type"),
]


class RuleDocument(Document):
    """Margins for one kind of structure; what is left out keeps its default.

    ``hard_mm`` null makes the kind advisory: measured and shown, never barred. A ``preferred_mm``
    below ``hard_mm`` counts as ``hard_mm``.
    """

    hard_mm: Margin | None = None
    preferred_mm: Margin | None = None

    def margins(self, kind: Kind) -> tuple[float | None, float]:
        """Return (hard, preferred), mm, over the defaults of ``kind``."""
        given = self.model_fields_set
        hard = self.hard_mm if "hard_mm" in given else DEFAULTS[kind].hard_mm
        preferred = DEFAULTS[kind].preferred_mm if self.preferred_mm is None else self.preferred_mm
        return hard, max(preferred, hard or 0.0)


PolicyDocument: TypeAlias = dict[Kind, RuleDocument]


def _policy(document: PolicyDocument) -> Policy:
    return policy_with({kind: rule.margins(kind) for kind, rule in document.items()})


class PlanningOptions(Document):
    """What may be chosen beside the target; everything has a default."""

    approaches: Annotated[list[Approach], Field(min_length=1, max_length=10)] = list(BY_WINDOW)
    sides: Annotated[list[Side], Field(min_length=1, max_length=10)] = list(Side)
    needles: Annotated[list[NeedleName], Field(min_length=1, max_length=20)] = list(DEFAULT_NEEDLES)
    policy: PolicyDocument = {}
    max_trajectories: Annotated[int, Field(strict=True, ge=1, le=50)] = 5
    certificate_tolerance_mm: Annotated[float, Field(strict=True, ge=0.01, le=5.0)] = 0.25
    c_arm: AskedCArm = DEFAULT_C_ARM
    patient_position: PatientPosition | None = None
    error_profile: ErrorProfile = ErrorProfile.FREEHAND_FLUOROSCOPY


class PlanRequestDocument(PlanningOptions):
    """One question to the planner. Everything but ``target`` has a default."""

    target: TargetDocument

    def request(self) -> PlanRequest:
        """Return the request, with the digest of its fully defaulted form."""
        policy = _policy(self.policy)
        return PlanRequest(
            target=self.target.spec(),
            approaches=tuple(a for a in Approach if a in self.approaches),
            sides=tuple(s for s in Side if s in self.sides),
            needles=tuple(dict.fromkeys(self.needles)),
            policy=policy,
            max_trajectories=self.max_trajectories,
            certificate_tolerance_mm=self.certificate_tolerance_mm,
            c_arm=asked_c_arm(self.c_arm),
            patient_position=self.patient_position,
            error_profile=self.error_profile,
            digest=canonical_digest(self._canonical(policy)),
        )

    def written_out(self) -> dict[str, Any]:
        """Return the request as JSON with every default in it; it reads as the same request."""
        policy = _policy(self.policy)
        rules = {
            kind.value: {"hard_mm": rule.hard_mm, "preferred_mm": rule.preferred_mm}
            for kind, rule in policy.rules.items()
        }
        return {**self._canonical(policy), "policy": rules}

    def _canonical(self, policy: Policy) -> dict[str, Any]:
        """Return every choice in force, so that two ways to ask the same have one digest."""
        return {
            **self.model_dump(mode="json", exclude={"policy"}),
            "approaches": [a.value for a in Approach if a in self.approaches],
            "sides": [s.value for s in Side if s in self.sides],
            "needles": list(dict.fromkeys(self.needles)),
            "policy": {
                kind.value: [rule.hard_mm, rule.preferred_mm] for kind, rule in policy.rules.items()
            },
        }


def _require_length(piece: "LineDocument | ArcDocument") -> None:
    if math.dist(piece.start_mm, piece.end_mm) < _JOIN_TOLERANCE_MM:
        raise PydanticCustomError("no-length", "start_mm and end_mm are the same point")


class LineDocument(Document):
    """A straight piece of a path."""

    type: Literal["line"]
    start_mm: Position
    end_mm: Position

    @model_validator(mode="after")
    def _has_length(self) -> "LineDocument":
        _require_length(self)
        return self

    def segment(self) -> Segment:
        """Return the piece."""
        return Line(start_mm=np.array(self.start_mm), end_mm=np.array(self.end_mm))


class ArcDocument(Document):
    """A circular piece of a path, the short way round its centre."""

    type: Literal["arc"]
    start_mm: Position
    end_mm: Position
    centre_mm: Position
    radius_mm: Annotated[float, Field(strict=True, ge=1.0, le=1000.0)]
    angle_deg: Annotated[float, Field(strict=True, ge=0.1, lt=180.0)]

    @model_validator(mode="after")
    def _closes(self) -> "ArcDocument":
        _require_length(self)
        radii = [math.dist(end, self.centre_mm) for end in (self.start_mm, self.end_mm)]
        chord = 2.0 * self.radius_mm * math.sin(math.radians(self.angle_deg) / 2.0)
        off = max(
            *(abs(radius - self.radius_mm) for radius in radii),
            abs(chord - math.dist(self.start_mm, self.end_mm)),
        )
        if off > _JOIN_TOLERANCE_MM:
            raise PydanticCustomError(
                "inconsistent-arc",
                "start_mm, end_mm, centre_mm, radius_mm and angle_deg disagree by {off} mm",
                {"off": f"{off:.3f}"},
            )
        return self

    def segment(self) -> Segment:
        """Return the piece."""
        return Arc(
            start_mm=np.array(self.start_mm),
            end_mm=np.array(self.end_mm),
            centre_mm=np.array(self.centre_mm),
            radius_mm=self.radius_mm,
            angle_rad=math.radians(self.angle_deg),
        )


SegmentDocument: TypeAlias = Annotated[LineDocument | ArcDocument, Field(discriminator="type")]


def _joined(pieces: list[SegmentDocument]) -> list[SegmentDocument]:
    for index, (before, after) in enumerate(itertools.pairwise(pieces)):
        gap = math.dist(before.end_mm, after.start_mm)
        if gap > _JOIN_TOLERANCE_MM:
            raise PydanticCustomError(
                "broken-path",
                "piece {after} starts {gap} mm away from the end of piece {before}",
                {"before": index, "after": index + 1, "gap": f"{gap:.3f}"},
            )
    return pieces


PathDocument: TypeAlias = Annotated[
    list[SegmentDocument], Field(min_length=1, max_length=100), AfterValidator(_joined)
]


class EvaluationDocument(Document):
    """A path somebody drew, from skin to tip, to be measured as it is."""

    path: PathDocument
    needle: NeedleName
    target: TargetDocument | None = None
    policy: PolicyDocument = {}
    c_arm: AskedCArm = DEFAULT_C_ARM
    patient_position: PatientPosition | None = None
    error_profile: ErrorProfile = ErrorProfile.FREEHAND_FLUOROSCOPY

    def request(self) -> EvaluationRequest:
        """Return the request."""
        path: Path = tuple(piece.segment() for piece in self.path)
        return EvaluationRequest(
            path=path,
            needle=self.needle,
            target=None if self.target is None else self.target.spec(),
            policy=_policy(self.policy),
            c_arm=asked_c_arm(self.c_arm),
            patient_position=self.patient_position,
            error_profile=self.error_profile,
        )


class OneShotDocument(Document):
    """A case and what is asked of it, in one body."""

    case: dict[str, Any]
    request: PlanRequestDocument


_Asked = TypeVar("_Asked", bound=Document)


def checked(kind: type[_Asked], document: Mapping[str, Any]) -> _Asked:
    """Return ``document`` as ``kind``.

    Raises:
        InvalidRequestError: Naming every field that is wrong, and the choices it has.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise invalid_request(error, document) from error
