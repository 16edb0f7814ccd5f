"""What the service remembers: cases as they were handed in (on disk) and plans (in SQLite).

One process owns a data folder; SQLite's exclusive lock keeps a second one out. A case's folder
is written before its row, and its row goes before its folder, so that a crash leaves at worst a
folder without a row, which the next start removes.
"""

import json
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from api.bundle import CaseBundle
from api.problems import UnknownIdError

# A folder in use by another service stays so: there is no point in waiting long.
_LOCK_WAIT_S = 0.5
_SCHEMA = """
CREATE TABLE IF NOT EXISTS cases (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  case_id TEXT NOT NULL UNIQUE,
  created TEXT NOT NULL,
  description TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS plans (
  plan_id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (case_id) ON DELETE CASCADE,
  created TEXT NOT NULL,
  state TEXT NOT NULL,
  request TEXT NOT NULL,
  answer TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS plans_of_case ON plans (case_id);
"""


class State(StrEnum):
    """How far a plan is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """A case that was accepted: its place in the list, and what was said about it."""

    number: int
    case_id: str
    created: str
    description: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan, or what has become of it.

    Attributes:
        request: The request as it was checked.
        answer: The plan's text once done, a problem document once failed.
    """

    plan_id: str
    case_id: str
    created: str
    state: State
    request: dict[str, Any]
    answer: str | None


class Store:
    """Cases and plans in one folder. Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cases = folder / "cases"
        self._cases.mkdir(exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            folder / "trocar.sqlite", check_same_thread=False, timeout=_LOCK_WAIT_S
        )
        try:
            self._open()
        except sqlite3.OperationalError as error:
            self._database.close()
            raise RuntimeError(f"{folder} is in use by another service: {error}") from error
        self._tidy()

    def _open(self) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA foreign_keys = ON")
        # What is deleted is a person's anatomy: its pages are overwritten, not just unlinked.
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.executescript(_SCHEMA)

    def _tidy(self) -> None:
        """Settle what a former run left behind: half-written cases and plans nobody works on."""
        with self._lock, self._database:
            rows = self._database.execute("SELECT case_id FROM cases").fetchall()
            self._database.execute(
                "UPDATE plans SET state = ?, answer = ? WHERE state IN (?, ?)",
                (State.FAILED, json.dumps(_INTERRUPTED), State.QUEUED, State.RUNNING),
            )
        known = {case_id for (case_id,) in rows}
        for folder in self._cases.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder)

    def close(self) -> None:
        """Let go of the folder."""
        with self._lock:
            self._database.close()

    def is_open(self) -> bool:
        """Tell whether the database answers."""
        try:
            with self._lock:
                self._database.execute("SELECT 1").fetchone()
        except sqlite3.Error:
            return False
        return True

    def folder_of(self, case_id: str) -> Path:
        """Return where a case's bundle is, or will be."""
        return self._cases / case_id

    def write_bundle(self, bundle: CaseBundle) -> str:
        """Write what was handed in and return the id it will have once it is accepted."""
        case_id = secrets.token_hex(12)
        bundle.write(self.folder_of(case_id))
        return case_id

    def discard_bundle(self, case_id: str) -> None:
        """Remove a bundle that was not accepted, or whose case is gone."""
        shutil.rmtree(self.folder_of(case_id), ignore_errors=True)

    def add_case(self, case_id: str, description: Mapping[str, Any]) -> StoredCase:
        """Remember an accepted case under the id that its bundle was written under."""
        created = _now()
        text = json.dumps(description, ensure_ascii=False, allow_nan=False)
        with self._lock, self._database:
            cursor = self._database.execute(
                "INSERT INTO cases (case_id, created, description) VALUES (?, ?, ?)",
                (case_id, created, text),
            )
        return StoredCase(
            number=cursor.lastrowid or 0,
            case_id=case_id,
            created=created,
            description=dict(description),
        )

    def case(self, case_id: str) -> StoredCase:
        """Return a case.

        Raises:
            UnknownIdError: If there is none of that id.
        """
        with self._lock:
            row = self._database.execute(
                "SELECT number, case_id, created, description FROM cases WHERE case_id = ?",
                (case_id,),
            ).fetchone()
        if row is None:
            raise _unknown("case", "case_id")
        return _stored_case(row)

    def cases(self, *, after: int, limit: int) -> list[StoredCase]:
        """Return up to ``limit`` cases handed in after the one numbered ``after``."""
        with self._lock:
            rows = self._database.execute(
                "SELECT number, case_id, created, description FROM cases"
                " WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return [_stored_case(row) for row in rows]

    def delete_case(self, case_id: str) -> None:
        """Remove a case with its files and its plans.

        Raises:
            UnknownIdError: If there is none of that id.
        """
        with self._lock, self._database:
            cursor = self._database.execute("DELETE FROM cases WHERE case_id = ?", (case_id,))
        if cursor.rowcount == 0:
            raise _unknown("case", "case_id")
        self.discard_bundle(case_id)

    def add_plan(self, case_id: str, request: Mapping[str, Any]) -> StoredPlan:
        """Remember that a plan was asked for.

        Raises:
            UnknownIdError: If the case has gone in the meantime.
        """
        plan = StoredPlan(
            plan_id=secrets.token_hex(12),
            case_id=case_id,
            created=_now(),
            state=State.QUEUED,
            request=dict(request),
            answer=None,
        )
        try:
            with self._lock, self._database:
                self._database.execute(
                    "INSERT INTO plans (plan_id, case_id, created, state, request)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (plan.plan_id, case_id, plan.created, plan.state, json.dumps(plan.request)),
                )
        except sqlite3.IntegrityError as error:
            raise _unknown("case", "case_id") from error
        return plan

    def settle_plan(self, plan_id: str, state: State, answer: str | None = None) -> None:
        """Say how far a plan is; a plan whose case was deleted meanwhile stays gone."""
        with self._lock, self._database:
            self._database.execute(
                "UPDATE plans SET state = ?, answer = ? WHERE plan_id = ?",
                (state, answer, plan_id),
            )

    def plan(self, plan_id: str) -> StoredPlan:
        """Return a plan.

        Raises:
            UnknownIdError: If there is none of that id.
        """
        with self._lock:
            row = self._database.execute(
                "SELECT plan_id, case_id, created, state, request, answer FROM plans"
                " WHERE plan_id = ?",
                (plan_id,),
            ).fetchone()
        if row is None:
            raise _unknown("plan", "plan_id")
        plan_id, case_id, created, state, request, answer = row
        return StoredPlan(
            plan_id=plan_id,
            case_id=case_id,
            created=created,
            state=State(state),
            request=json.loads(request),
            answer=answer,
        )


_INTERRUPTED = {
    "type": "/problems/worker-lost",
    "title": "The work was interrupted",
    "status": 503,
    "detail": "the service stopped before this plan was finished; ask for it again",
    "errors": [],
}


def _stored_case(row: tuple[int, str, str, str]) -> StoredCase:
    number, case_id, created, description = row
    return StoredCase(
        number=number, case_id=case_id, created=created, description=json.loads(description)
    )


def _unknown(what: str, field: str) -> UnknownIdError:
    return UnknownIdError(f"there is no {what} of this id", field=field, code=f"unknown-{what}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
