"""Following a dragged target, inside a worker: the newest question is answered, stale ones dropped.

A message is ``{"id": ..., "request": {...}}``, whole in itself, so that a client that comes back
just asks again. What is kept between messages only makes the next answer quicker.
"""

import time
from concurrent.futures import Future
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, JsonValue

from api.digests import canonical_digest
from api.documents import certificate_document, dump, segment_document
from api.problems import ANSWERS, FieldError, InvalidRequestError, problem_of
from api.schemas import Document, PlanRequestDocument, PointDocument, checked
from api.strict_json import parsed_object
from api.work import case_in
from api.worker_process import Talk
from planner.errors import RequestError
from planner.live import LiveClass, LivePlanner
from planner.needles.catalogue import needle_named
from planner.request import FreePoint


class LiveDocument(Document):
    """One place of a dragged target; ``id`` comes back with the answer."""

    id: Annotated[int, Field(strict=True, ge=0, le=2**53)]
    request: PlanRequestDocument


def follow(talk: Talk, folder: Path) -> None:
    """Answer what ``talk`` brings about the case in ``folder``, until it ends."""
    followed = _Followed(talk, folder)
    talk.say(dump({"type": "ready"}))
    try:
        while (message := talk.newest()) is not None:
            followed.ask(message)
    finally:
        followed.close()


class _Followed:
    """The planner of the bone last asked for, and which question is the newest."""

    def __init__(self, talk: Talk, folder: Path) -> None:
        self._talk = talk
        self._prepared = case_in(folder)
        self._planner: LivePlanner | None = None
        self._fits = ""
        self._newest = 0

    def ask(self, message: bytes) -> None:
        """Start on a question and give up the one before; what is wrong with it is told."""
        self._newest += 1
        number, asked_id, since_s = self._newest, None, time.perf_counter()
        try:
            document = parsed_object(message, field="message")
            asked_id = _id_of(document)
            asked = checked(LiveDocument, document).request
            answer = self._asked(asked)
        except tuple(ANSWERS) as error:
            self._refuse(asked_id, error)
            return
        answer.add_done_callback(lambda done: self._tell(number, asked_id, done, since_s))

    def close(self) -> None:
        """End what is under way."""
        if self._planner is not None:
            self._planner.close()

    def _asked(self, asked: PlanRequestDocument) -> Future[tuple[LiveClass, ...]]:
        target = _point(asked)
        fits = canonical_digest(asked.model_dump(mode="json", exclude={"target"}))
        if self._planner is not None and fits == self._fits:
            try:
                return self._planner.ask(target)
            except RequestError as error:
                if error.code != "other-bone":
                    raise
        self.close()
        self._planner = None
        self._planner = LivePlanner(self._prepared, asked.request())
        self._fits = fits
        return self._planner.ask(target)

    def _tell(
        self,
        number: int,
        asked_id: int | None,
        done: Future[tuple[LiveClass, ...]],
        since_s: float,
    ) -> None:
        """Send an answer, unless a newer question has come."""
        if done.cancelled() or number != self._newest:
            return
        error = done.exception()
        if isinstance(error, Exception):
            self._refuse(asked_id, error)
            return
        answer = {
            "type": "answer",
            "id": asked_id,
            "preview": True,
            "took_s": round(time.perf_counter() - since_s, 4),
            "classes": [_class_document(one) for one in done.result()],
        }
        self._talk.say(dump(answer))

    def _refuse(self, asked_id: int | None, error: Exception) -> None:
        problem = problem_of(error).document()
        self._talk.say(dump({"type": "problem", "id": asked_id, "problem": problem}))


def _point(asked: PlanRequestDocument) -> FreePoint:
    """Return the place that is asked for; only points and straight needles can be followed."""
    target = asked.target
    wrong = [
        FieldError(
            field=f"request.needles[{index}]",
            code="curved-needle",
            message="is curved; only straight needles are followed live",
        )
        for index, name in enumerate(asked.needles)
        if needle_named(name).curved is not None
    ]
    if not isinstance(target, PointDocument):
        wrong.append(
            FieldError(
                field="request.target.type",
                code="unknown-choice",
                message="must be point: where the dragged target is now",
            )
        )
    if wrong or not isinstance(target, PointDocument):
        raise InvalidRequestError(tuple(wrong))
    return target.spec()


def _id_of(document: dict[str, JsonValue]) -> int | None:
    """Return the id of a message that may be wrong otherwise."""
    given = document.get("id")
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _class_document(one: LiveClass) -> dict[str, Any]:
    return {
        **certificate_document(one.certificate),
        "path": None if one.path is None else [segment_document(piece) for piece in one.path],
        "outer_diameter_mm": one.needle.outer_diameter_mm,
    }
