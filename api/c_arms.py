"""C-arms in requests: by the catalogue's name, or described, in console degrees and millimetres."""

import math
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from planner.errors import RequestError
from planner.fluoroscopy.catalogue import c_arm_named
from planner.request import StatedCArm


def _named(value: str) -> str:
    """Return the name if the catalogue has it; the catalogue's own words are kept otherwise."""
    try:
        c_arm_named(value)
    except RequestError as error:
        raise PydanticCustomError("unknown-name", "{why}", {"why": str(error)}) from error
    return value


def _range(limits: list[float]) -> list[float]:
    if limits[0] >= limits[1]:
        raise PydanticCustomError("empty-range", "must be the lowest and then the highest angle")
    return limits


_Primary: TypeAlias = Annotated[float, Field(strict=True, ge=-180.0, le=180.0)]
_Secondary: TypeAlias = Annotated[float, Field(strict=True, ge=-90.0, le=90.0)]
_Distance: TypeAlias = Annotated[float, Field(strict=True, ge=200.0, le=3000.0)]


class CArmDocument(BaseModel):
    """A C-arm that is in no catalogue: its reach with the table centred, and its distances."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=100)] = "stated"
    primary_deg: Annotated[
        list[_Primary], Field(min_length=2, max_length=2), AfterValidator(_range)
    ]
    secondary_deg: Annotated[
        list[_Secondary], Field(min_length=2, max_length=2), AfterValidator(_range)
    ]
    source_to_isocentre_mm: _Distance = 750.0
    source_to_detector_mm: _Distance = 1050.0
    lateral: "CArmDocument | None" = None

    @model_validator(mode="after")
    def _detector_is_behind_the_isocentre(self) -> "CArmDocument":
        if self.source_to_detector_mm <= self.source_to_isocentre_mm:
            raise PydanticCustomError(
                "detector-before-isocentre",
                "source_to_detector_mm must be larger than source_to_isocentre_mm",
            )
        if self.lateral is not None and self.lateral.lateral is not None:
            raise PydanticCustomError("third-plane", "a biplane unit has two planes")
        return self

    def stated(self) -> StatedCArm:
        """Return it as the planner takes it."""
        return StatedCArm(
            name=self.name,
            primary_rad=(math.radians(self.primary_deg[0]), math.radians(self.primary_deg[1])),
            secondary_rad=(
                math.radians(self.secondary_deg[0]),
                math.radians(self.secondary_deg[1]),
            ),
            source_to_isocentre_mm=self.source_to_isocentre_mm,
            source_to_detector_mm=self.source_to_detector_mm,
            lateral=None if self.lateral is None else self.lateral.stated(),
        )


def _kind(value: Any) -> str:  # noqa: ANN401  whatever JSON has there
    return "described" if isinstance(value, dict | CArmDocument) else "named"


CArmName: TypeAlias = Annotated[str, Field(max_length=100), AfterValidator(_named)]
AskedCArm: TypeAlias = Annotated[
    Annotated[CArmName, Tag("named")] | Annotated[CArmDocument, Tag("described")],
    Discriminator(_kind),
]


def asked_c_arm(asked: str | CArmDocument) -> str | StatedCArm:
    """Return what a request asks for, as the planner takes it."""
    return asked if isinstance(asked, str) else asked.stated()
