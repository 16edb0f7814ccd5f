"""From what went wrong to what is said about it: one table, RFC 9457 problem documents.

A problem names the field and the remedy. It never repeats what was sent beyond one short value.
"""

from dataclasses import dataclass
from typing import Any

from geometry.mesh import MeshError
from planner.errors import CaseError, InputError, ProofError, RequestError

MEDIA_TYPE = "application/problem+json"
_LONGEST_MESSAGE = 800


class MalformedBodyError(InputError):
    """The body cannot be read at all: not JSON, not a number JSON has, a broken multipart."""


class UnsupportedMediaTypeError(InputError):
    """The body is of a type that this address does not take."""


class BodyTooLargeError(InputError):
    """The body is longer than the service reads."""


class UnknownIdError(InputError):
    """There is no case, plan or structure of that name."""


class StalePlanError(InputError):
    """The plan was made by another version of the planner: this one cannot draw or prove it."""


class PlanNotDoneError(InputError):
    """The plan has not been made, so there is nothing to draw or to prove."""


class DigestMismatchError(InputError):
    """The bytes are not those that their address says."""


class MissingBlobsError(InputError):
    """A case names bytes that have not been put; all of them are told, to be put at once."""

    def __init__(self, digests: list[str]) -> None:
        super().__init__("has not been put yet", field="blob", code="missing-blob")
        self.digests = tuple(digests)


class UnauthenticatedError(RuntimeError):
    """Nobody is known by what was shown."""


class AlreadySettledError(InputError):
    """The plan is done or has failed, so that there is nothing to cancel."""


class SeveralPlansError(InputError):
    """The answer is for several targets, and one plan was asked for."""


class ForeignOriginError(RuntimeError):
    """A page of another site asks."""


class ForeignHostError(RuntimeError):
    """The service is called by a name that it does not answer to."""


class NotReadyError(RuntimeError):
    """The service is up but cannot work yet."""


class BusyError(RuntimeError):
    """More work is waiting than the service takes on."""


class TooOftenError(RuntimeError):
    """More requests than one may make in that time."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("you ask more often than you may here; wait, and ask again")
        self.wait_s = wait_s


class WorkerLostError(RuntimeError):
    """The process that did the work died; another has taken its place."""


class StorageError(OSError):
    """Where the bytes of cases are kept cannot be reached, or has others."""


class JobTimeoutError(RuntimeError):
    """The work took longer than a job may take; its process was ended."""


class FaultError(RuntimeError):
    """A mistake of ours in a worker; the message is its trace, for the log."""


class RenderingUnavailableError(RuntimeError):
    """This machine cannot draw pictures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one class of error is answered.

    Attributes:
        status: HTTP status.
        slug: Last part of the problem's type, stable.
        title: The same for every problem of the type.
    """

    status: int
    slug: str
    title: str


ANSWERS: dict[type[Exception], Answer] = {
    MissingBlobsError: Answer(422, "missing-blobs", "Bytes that the case names are missing"),
    DigestMismatchError: Answer(409, "digest-mismatch", "The bytes are not those announced"),
    MemoryError: Answer(422, "memory", "The work needs too much memory"),
    ProofError: Answer(422, "proof", "The proof cannot be used"),
    CaseError: Answer(422, "case", "The case cannot be used"),
    MeshError: Answer(422, "case", "The case cannot be used"),
    RequestError: Answer(422, "request", "The request cannot be used"),
    MalformedBodyError: Answer(400, "malformed-body", "The body cannot be read"),
    UnsupportedMediaTypeError: Answer(415, "media-type", "The body is of the wrong type"),
    BodyTooLargeError: Answer(413, "body-too-large", "The body is too large"),
    UnknownIdError: Answer(404, "not-found", "There is no such thing"),
    UnauthenticatedError: Answer(401, "unauthenticated", "Say who you are"),
    ForeignHostError: Answer(421, "foreign-host", "The service does not answer to this name"),
    ForeignOriginError: Answer(403, "foreign-origin", "Pages of other sites may not ask"),
    AlreadySettledError: Answer(409, "already-settled", "The plan is settled already"),
    StalePlanError: Answer(409, "stale-plan", "The plan is of another planner version"),
    PlanNotDoneError: Answer(409, "not-done", "The plan is not done"),
    SeveralPlansError: Answer(409, "several-plans", "The answer holds several plans"),
    NotReadyError: Answer(503, "not-ready", "The service cannot work yet"),
    TooOftenError: Answer(429, "too-often", "Too many requests"),
    BusyError: Answer(429, "busy", "Too much work is waiting"),
    WorkerLostError: Answer(503, "worker-lost", "The work was interrupted"),
    StorageError: Answer(503, "storage", "What is kept cannot be reached"),
    JobTimeoutError: Answer(504, "timeout", "The work took too long"),
    RenderingUnavailableError: Answer(503, "rendering", "Pictures cannot be drawn here"),
}
_INTERNAL = Answer(500, "internal", "Our fault")
_BY_STATUS = {
    404: ANSWERS[UnknownIdError],
    405: Answer(405, "method", "The method is not allowed here"),
    413: ANSWERS[BodyTooLargeError],
    415: ANSWERS[UnsupportedMediaTypeError],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing that is wrong, and where."""

    field: str
    code: str
    message: str

    def document(self) -> dict[str, str]:
        """Return it as a member of ``errors``."""
        return {"field": self.field, "code": self.code, "message": clipped(self.message)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document in the making; plain data, so that it can cross between processes."""

    answer: Answer
    detail: str
    errors: tuple[FieldError, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the RFC 9457 document."""
        return {
            "type": f"/problems/{self.answer.slug}",
            "title": self.answer.title,
            "status": self.answer.status,
            "detail": clipped(self.detail),
            "errors": [error.document() for error in self.errors],
        }


class ProblemError(Exception):
    """Carries a problem that is already worked out up to whoever answers."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class InvalidRequestError(RequestError):
    """Several mistakes in one document, all told at once."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        first = errors[0]
        super().__init__(first.message, field=first.field, code=first.code)
        self.errors = errors


def clipped(message: str) -> str:
    """Return the message, shortened where a value in it runs on."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return f"{message[:_LONGEST_MESSAGE]} ..."


def problem_of(error: Exception) -> Problem:
    """Return the problem that answers ``error``, by the table above."""
    if isinstance(error, ProblemError):
        return error.problem
    answer = next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), _INTERNAL)
    return Problem(answer=answer, detail=_detail(error, answer), errors=_field_errors(error))


def problem_of_status(status: int, detail: str) -> Problem:
    """Return the problem for a status that the web framework itself arrived at."""
    answer = _BY_STATUS.get(status) or Answer(status, f"http-{status}", detail)
    return Problem(answer=answer, detail=detail)


def _detail(error: Exception, answer: Answer) -> str:
    if answer is _INTERNAL:
        return "Something failed on our side; the request itself was readable. It is in the log."
    if isinstance(error, InputError):
        return "; ".join(f"{e.field}: {e.message}" for e in _field_errors(error))
    if isinstance(error, MemoryError):
        return "it needs more memory than a job may use here; send a smaller case or coarser meshes"
    return str(error)


def _field_errors(error: Exception) -> tuple[FieldError, ...]:
    if isinstance(error, InvalidRequestError):
        return error.errors
    if isinstance(error, MissingBlobsError):
        return tuple(
            FieldError(field=f"blob {one}", code=error.code, message=str(error))
            for one in error.digests
        )
    if isinstance(error, InputError):
        return (FieldError(field=error.field, code=error.code, message=str(error)),)
    if isinstance(error, MeshError):
        return (FieldError(field="structures", code=error.code, message=str(error)),)
    return ()
