"""What case.json may say: every name, every choice, and nothing else.

Lengths whose names end in ``_mm`` are millimetres always; ``units`` is the unit of mesh files.
``coordinate_system`` is the frame of both.
"""

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)
from pydantic_core import PydanticCustomError

from planner.case import LEVELS, Kind, PatientPosition, Side

SCHEMA = "trocar/case/1"
UNITS: dict[str, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
COORDINATE_SYSTEMS = ("LPS", "RAS")
MAX_STRUCTURES = 512
MAX_ERROR_MM = 10.0
GEOMETRIES = ("file", "blob", "vertices_mm", "cylinder", "tube", "box", "ellipsoid", "label")


def _one_of(code: str, choices: Iterable[str]) -> Callable[[str], str]:
    """Return a check that a text is one of the choices, which the error lists."""
    known = tuple(choices)

    def check(value: str) -> str:
        if value not in known:
            raise PydanticCustomError(
                code,
                "{value} is not one of {choices}",
                {"value": repr(value[:60]), "choices": ", ".join(known)},
            )
        return value

    return check


def _plain_name(value: str) -> str:
    plain = value.strip() == value and value.isprintable() and not set(value) & set('/\\"<>|?*:')
    if not plain or value.startswith("."):
        raise PydanticCustomError(
            "bad-name",
            "{value} cannot name a structure: no slashes, no control characters, no spaces at "
            "either end, no dot first",
            {"value": repr(value[:60])},
        )
    return value


Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
Corners = Annotated[list[int], Field(min_length=3, max_length=3)]
Axes = Annotated[list[Triple], Field(min_length=3, max_length=3)]
Positive = Annotated[float, Field(gt=0.0)]
Level = Annotated[str, AfterValidator(_one_of("unknown-level", LEVELS))]
KindName = Annotated[str, AfterValidator(_one_of("unknown-kind", [k.value for k in Kind]))]
Endplate = Annotated[
    str, AfterValidator(_one_of("unknown-endplate", ["superior", "inferior", "both"]))
]
SideName = Annotated[str, AfterValidator(_one_of("unknown-side", [s.value for s in Side]))]


class _Document(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class CylinderDocument(_Document):
    """A straight bar, such as a screw's shaft from its head to its tip."""

    head_mm: Triple
    tip_mm: Triple
    diameter_mm: Positive


class TubeDocument(_Document):
    """A bent bar, such as a rod."""

    points_mm: Annotated[list[Triple], Field(min_length=2, max_length=10_000)]
    diameter_mm: Positive


class BoxDocument(_Document):
    """A box: full extents along its axes (rows; the patient's axes where left out)."""

    centre_mm: Triple
    size_mm: Triple
    axes: Axes | None = None


class EllipsoidDocument(_Document):
    """An ellipsoid: half extents along its axes (rows; the patient's axes where left out)."""

    centre_mm: Triple
    radii_mm: Triple
    axes: Axes | None = None


class StructureDocument(_Document):
    """One structure with exactly one geometry."""

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_name)]
    kind: KindName
    level: Level | None = None
    side: SideName | None = None
    file: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    blob: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    vertices_mm: list[Triple] | None = None
    faces: list[Corners] | None = None
    cylinder: CylinderDocument | None = None
    tube: TubeDocument | None = None
    box: BoxDocument | None = None
    ellipsoid: EllipsoidDocument | None = None
    label: int | str | None = None
    segmentation_error_mm: Annotated[float, Field(ge=0.0, le=MAX_ERROR_MM)] | None = None

    @property
    def geometry(self) -> str:
        """Which of ``GEOMETRIES`` it was given by."""
        return next(name for name in GEOMETRIES if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_geometry(self) -> "StructureDocument":
        given = [name for name in GEOMETRIES if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "no-geometry" if not given else "several-geometries",
                "{name} needs exactly one geometry, not {given}; use one of {choices}",
                {
                    "name": repr(self.name),
                    "given": " and ".join(given) or "none",
                    "choices": ", ".join(GEOMETRIES),
                },
            )
        if (self.faces is None) != (self.vertices_mm is None):
            raise PydanticCustomError(
                "no-geometry",
                "{name} needs vertices_mm and faces together",
                {"name": repr(self.name)},
            )
        return self


class FindingsDocument(_Document):
    """What is known about one level and cannot be seen in its mesh."""

    lamina_removed: bool | None = None
    facets_removed: bool | None = None
    costovertebral_joint_removed: bool | None = None
    chest_wall_resected: bool | None = None
    posterior_wall_broken: bool | None = None
    endplate_broken: Endplate | None = None
    paraspinal_fluid: bool | None = None
    fusion_mass: bool | None = None
    metal_artefact: bool | None = None
    suspected_infection: bool | None = None
    uncorrected_coagulopathy: bool | None = None
    height_loss_percent: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    failure_type: Annotated[int, Field(ge=1, le=4)] | None = None
    sins_score: Annotated[int, Field(ge=0, le=18)] | None = None


class LandmarksDocument(_Document):
    """Anatomy of one level as the caller states it, in place of what is derived."""

    body_centre_mm: Triple | None = None
    posterior_wall_mm: Triple | None = None
    left_pedicle_mm: Triple | None = None
    right_pedicle_mm: Triple | None = None


class CaseDocument(_Document):
    """case.json."""

    schema_: Annotated[
        str, Field(alias="schema"), AfterValidator(_one_of("unknown-schema", [SCHEMA]))
    ]
    name: Annotated[str, Field(max_length=400)] = ""
    coordinate_system: Annotated[
        str, AfterValidator(_one_of("unknown-coordinate-system", COORDINATE_SYSTEMS))
    ]
    units: Annotated[str, AfterValidator(_one_of("unknown-units", UNITS))]
    patient_position: (
        Annotated[
            str,
            AfterValidator(_one_of("unknown-patient-position", [p.value for p in PatientPosition])),
        ]
        | None
    ) = None
    structures: Annotated[list[StructureDocument], Field(min_length=1, max_length=MAX_STRUCTURES)]
    labelmap: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    landmarks: dict[Level, LandmarksDocument] = {}
    findings: dict[Level, FindingsDocument] = {}
    provenance: dict[str, JsonValue] = {}


MODELS: dict[str, type[_Document]] = {
    "": CaseDocument,
    "structures": StructureDocument,
    "structures.cylinder": CylinderDocument,
    "structures.tube": TubeDocument,
    "structures.box": BoxDocument,
    "structures.ellipsoid": EllipsoidDocument,
    "findings": FindingsDocument,
    "landmarks": LandmarksDocument,
}
CHOICES: dict[str, tuple[str, ...]] = {
    "schema": (SCHEMA,),
    "coordinate_system": COORDINATE_SYSTEMS,
    "units": tuple(UNITS),
    "kind": tuple(kind.value for kind in Kind),
}
