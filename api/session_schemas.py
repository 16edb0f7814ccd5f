"""Several targets in one request, as JSON."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from api.digests import canonical_digest
from api.schemas import (
    AnteriorBodyDocument,
    BesideScrewDocument,
    CageInterfaceDocument,
    Document,
    LesionDocument,
    Name,
    PlanningOptions,
    PlanRequestDocument,
    PointDocument,
    ScrewHaloDocument,
    ScrewTipDocument,
    TargetDocument,
    checked,
)
from api.targets import require_target
from planner.errors import RequestError
from planner.request import CageEnd
from planner.session.planning import Bilateral, SessionRequest

MOST_TARGETS = 10


class CageDocument(Document):
    """Both ends of a cage: two targets."""

    type: Literal["cage"]
    cage: Name

    def ends(self) -> list[TargetDocument]:
        """Return the two targets."""
        kind = "cage_interface"
        return [CageInterfaceDocument(type=kind, cage=self.cage, end=end) for end in CageEnd]


SessionTarget: TypeAlias = Annotated[
    AnteriorBodyDocument
    | ScrewHaloDocument
    | ScrewTipDocument
    | BesideScrewDocument
    | CageInterfaceDocument
    | CageDocument
    | LesionDocument
    | PointDocument,
    Field(discriminator="type"),
]


class SessionRequestDocument(PlanningOptions):
    """Several targets for one session; the other choices hold for each of them."""

    targets: Annotated[list[SessionTarget], Field(min_length=1, max_length=MOST_TARGETS)]
    bilateral: Bilateral = Bilateral.AS_NEEDED

    @property
    def single_targets(self) -> list[TargetDocument]:
        """The targets, a cage's two ends apart."""
        return [
            one
            for target in self.targets
            for one in (target.ends() if isinstance(target, CageDocument) else [target])
        ]

    def parts(self) -> list[PlanRequestDocument]:
        """Return one request for each target."""
        shared = self.model_dump(mode="json", exclude={"targets", "bilateral"}, exclude_unset=True)
        return [
            PlanRequestDocument.model_validate(
                {**shared, "target": target.model_dump(mode="json", exclude_unset=True)}
            )
            for target in self.single_targets
        ]

    def request(self) -> SessionRequest:
        """Return the request, with the digest of its fully defaulted form."""
        requests = tuple(part.request() for part in self.parts())
        digest: dict[str, Any] = {
            "requests": [r.digest for r in requests], "bilateral": self.bilateral.value,
        }  # fmt: skip
        return SessionRequest(
            requests=requests, bilateral=self.bilateral, digest=canonical_digest(digest)
        )


Asked: TypeAlias = PlanRequestDocument | SessionRequestDocument


def asked_plan(document: Mapping[str, Any]) -> Asked:
    """Return a checked request: for several targets if it names ``targets``, else for one.

    Raises:
        InvalidRequestError: Naming every field that is wrong, and the choices it has.
    """
    if "targets" in document:
        return checked(SessionRequestDocument, document)
    return checked(PlanRequestDocument, document)


def require_targets(asked: Asked, structures: Sequence[dict[str, Any]]) -> None:
    """Refuse targets that a case does not have, before any work starts on them.

    Raises:
        RequestError: If a level or structure is not there, or is of another kind.
    """
    if isinstance(asked, PlanRequestDocument):
        require_target(asked.target, structures)
        return
    for number, target in enumerate(asked.targets):
        for one in target.ends() if isinstance(target, CageDocument) else [target]:
            try:
                require_target(one, structures)
            except RequestError as error:
                field = (error.field or "target").replace("target", f"targets[{number}]", 1)
                raise RequestError(str(error), field=field, code=error.code) from error
