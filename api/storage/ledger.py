"""The ledger of plans: what was asked, who works on it, and what came of it.

A plan that was accepted is in here, and stays until it is settled or its case is deleted. Whoever
works on it holds a lease and a fence; what is written with a fence that was passed on is ignored,
so that a plan is settled once, whoever finishes late.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.problems import BusyError
from api.storage import rows
from api.storage.clock import age_s, now
from api.storage.database import Database
from api.storage.store import unknown


class State(StrEnum):
    """How far a plan is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (State.QUEUED, State.RUNNING)
_LIVING = (*OPEN, State.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan, or what has become of it.

    Attributes:
        request: The request as it was checked.
        fence: Counts who was given the work; only the last may settle it.
        attempts: Workers that died over it.
        answer: The plan's text once done, a problem document once failed.
    """

    plan_id: str
    case_id: str
    created: str
    request: dict[str, Any]
    state: State
    fence: int
    attempts: int
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a plan; ``sequence`` counts from 1."""

    sequence: int
    at: str
    state: State
    attempt: int


class Ledger:
    """Plans in a database. Safe to call from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._requeue(rows.plans.c.state == State.RUNNING)

    def ask(
        self, case_id: str, question: str, request: Mapping[str, Any], most_queued: int
    ) -> StoredPlan:
        """Remember that a plan was asked for; the same question finds the same plan.

        Args:
            case_id: The case.
            question: Digest of all that the answer depends on, but for the case.
            request: The checked request.
            most_queued: Plans that may wait.

        Raises:
            UnknownIdError: If the case has gone in the meantime.
            BusyError: If as many plans wait as may.
        """
        try:
            with self._database.transaction() as connection:
                known = _living(connection, case_id, question)
                if known is not None:
                    return _stored_plan(known)
                self._require_room(connection, most_queued)
                plan_id = _add(connection, case_id, question, request)
                return _stored_plan(_row(connection, plan_id))
        except IntegrityError as error:
            raise unknown("case", "case_id") from error

    def claim(self, lease_s: float) -> StoredPlan | None:
        """Return the plan that has waited longest, now running, or None if none waits."""
        with self._database.transaction() as connection:
            waiting = connection.execute(
                select(rows.plans)
                .where(rows.plans.c.state == State.QUEUED)
                .order_by(rows.plans.c.number)
                .limit(1)
            ).one_or_none()
            if waiting is None:
                return None
            _move(
                connection, waiting.plan_id, State.RUNNING,
                fence=waiting.fence + 1, lease_until=time.time() + lease_s,
            )  # fmt: skip
            return _stored_plan(_row(connection, waiting.plan_id))

    def settle(self, plan: StoredPlan, state: State, answer: str) -> bool:
        """Write what came of a claimed plan; tell whether it was still the claimer's to write."""
        with self._database.transaction() as connection:
            if not _is_held(connection, plan):
                return False
            _move(connection, plan.plan_id, state, answer=answer, lease_until=None)
        return True

    def lost(self, plan: StoredPlan, answer: str, most: int) -> None:
        """Put a claimed plan back whose worker died over it, or give it up when ``most`` did."""
        died = plan.attempts + 1
        state = State.FAILED if died >= most else State.QUEUED
        with self._database.transaction() as connection:
            if _is_held(connection, plan):
                _move(
                    connection, plan.plan_id, state, attempts=died, fence=plan.fence + 1,
                    lease_until=None, answer=answer if state is State.FAILED else None,
                )  # fmt: skip

    def requeue_overdue(self) -> int:
        """Put plans back whose lease has run out; return how many."""
        return self._requeue(
            (rows.plans.c.state == State.RUNNING) & (rows.plans.c.lease_until < time.time())
        )

    def cancel(self, plan_id: str, owner: str) -> StoredPlan:
        """Settle an open plan as cancelled, whoever works on it; others stay as they are.

        Raises:
            UnknownIdError: If the owner has none of that id.
        """
        with self._database.transaction() as connection:
            row = _row(connection, plan_id, owner)
            if row.state in OPEN:
                _move(connection, plan_id, State.CANCELLED, fence=row.fence + 1, lease_until=None)
            return _stored_plan(_row(connection, plan_id, owner))

    def open_plans(self, case_id: str) -> list[str]:
        """Return the plans of a case that are waiting or being made."""
        columns = rows.plans.c
        wanted = select(columns.plan_id).where(columns.case_id == case_id, columns.state.in_(OPEN))
        with self._database.transaction() as connection:
            return list(connection.scalars(wanted))

    def plan(self, plan_id: str, owner: str) -> StoredPlan:
        """Return a plan.

        Raises:
            UnknownIdError: If the owner has none of that id.
        """
        with self._database.transaction() as connection:
            return _stored_plan(_row(connection, plan_id, owner))

    def events(self, plan_id: str, after: int) -> list[Event]:
        """Return what happened to a plan after the event numbered ``after``."""
        columns = rows.events.c
        with self._database.transaction() as connection:
            found = connection.execute(
                select(rows.events)
                .where(columns.plan_id == plan_id, columns.sequence > after)
                .order_by(columns.sequence)
            ).all()
        return [
            Event(sequence=e.sequence, at=e.at, state=State(e.state), attempt=e.attempt)
            for e in found
        ]

    def counts(self) -> dict[State, int]:
        """Return how many plans there are in each state."""
        state = rows.plans.c.state
        with self._database.transaction() as connection:
            found = connection.execute(select(state, func.count()).group_by(state)).all()
        return {State(name): count for name, count in found}

    def oldest_queued_s(self) -> float:
        """Return for how long the plan has waited that was asked for first, or 0."""
        columns = rows.plans.c
        first = select(func.min(columns.created)).where(columns.state == State.QUEUED)
        with self._database.transaction() as connection:
            created = connection.scalar(first)
        return 0.0 if created is None else max(0.0, age_s(created))

    def _require_room(self, connection: Connection, most_queued: int) -> None:
        queued = rows.plans.c.state == State.QUEUED
        waiting = connection.scalar(select(func.count()).where(queued)) or 0
        if waiting >= most_queued:
            raise BusyError(f"{waiting} plans are waiting already; try again later")

    def _requeue(self, which: Any) -> int:  # noqa: ANN401  a condition of SQLAlchemy's
        with self._database.transaction() as connection:
            left = connection.execute(select(rows.plans).where(which)).all()
            for row in left:
                _move(connection, row.plan_id, State.QUEUED, fence=row.fence + 1, lease_until=None)
        return len(left)


def _add(connection: Connection, case_id: str, question: str, request: Mapping[str, Any]) -> str:
    plan_id = secrets.token_hex(12)
    last = connection.scalar(select(func.max(rows.plans.c.number))) or 0
    row = {
        "plan_id": plan_id, "case_id": case_id, "number": last + 1, "created": now(),
        "question": question, "request": json.dumps(request), "state": State.QUEUED,
        "fence": 0, "attempts": 0,
    }  # fmt: skip
    connection.execute(insert(rows.plans).values(row))
    _tell(connection, plan_id, State.QUEUED, 0)
    return plan_id


def _move(connection: Connection, plan_id: str, state: State, **changes: object) -> None:
    """Change a plan's state, and write that it did."""
    where = rows.plans.c.plan_id == plan_id
    connection.execute(update(rows.plans).where(where).values(state=state, **changes))
    attempts = connection.scalar(select(rows.plans.c.attempts).where(where)) or 0
    _tell(connection, plan_id, state, attempts)


def _tell(connection: Connection, plan_id: str, state: State, attempt: int) -> None:
    columns = rows.events.c
    last = select(func.max(columns.sequence)).where(columns.plan_id == plan_id)
    event = {
        "plan_id": plan_id,
        "sequence": (connection.scalar(last) or 0) + 1,
        "at": now(),
        "state": state,
        "attempt": attempt,
    }
    connection.execute(insert(rows.events).values(event))


def _is_held(connection: Connection, plan: StoredPlan) -> bool:
    """Tell whether a claimed plan is still the claimer's."""
    columns = rows.plans.c
    held = select(columns.plan_id).where(
        columns.plan_id == plan.plan_id,
        columns.fence == plan.fence,
        columns.state == State.RUNNING,
    )
    return connection.execute(held).one_or_none() is not None


def _living(connection: Connection, case_id: str, question: str) -> Row[Any] | None:
    columns = rows.plans.c
    return connection.execute(
        select(rows.plans).where(
            columns.case_id == case_id, columns.question == question, columns.state.in_(_LIVING)
        )
    ).one_or_none()


def _row(connection: Connection, plan_id: str, owner: str | None = None) -> Row[Any]:
    wanted = select(rows.plans).where(rows.plans.c.plan_id == plan_id)
    if owner is not None:
        wanted = wanted.join(rows.cases).where(rows.cases.c.owner == owner)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise unknown("plan", "plan_id")
    return row


def _stored_plan(row: Row[Any]) -> StoredPlan:
    return StoredPlan(
        plan_id=row.plan_id,
        case_id=row.case_id,
        created=row.created,
        request=json.loads(row.request),
        state=State(row.state),
        fence=row.fence,
        attempts=row.attempts,
        answer=row.answer,
    )
