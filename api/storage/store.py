"""Cases: their bytes, what was said about them, and whose they are.

Bytes are on the disk before the row that names them, and go after it, so that a crash leaves at
worst bytes without a row, which the next start removes.
"""

import json
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json
from sqlalchemy import Connection, Row, delete, insert, select

from api.problems import DigestMismatchError, MissingBlobsError, UnknownIdError
from api.storage import rows
from api.storage.bundle import CASES, CONTENTS, DOCUMENT, CaseBundle, write_list
from api.storage.clock import now
from api.storage.contents import Arrived, Contents
from api.storage.database import Database
from api.storage.objects import ObjectContents

_MARK = "service"  # owner of what marks an object store as this database's
_BLOB_S = 24 * 3600.0  # bytes that no case has named by then are removed at the next start


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """A case that was accepted: its place in the list, and what was said about it."""

    number: int
    case_id: str
    owner: str
    created: str
    description: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedCase:
    """A case whose bytes are kept for now, but that is not accepted yet; digests by name."""

    case_id: str
    files: Mapping[str, str]


class Store:
    """Cases in a folder and a database. Safe to call from several threads.

    Args:
        folder: For the bytes.
        database: For the rest.
        object_store: Address of where the bytes are kept, if not in the folder.

    Raises:
        RuntimeError: If the object store cannot be used, or is another database's.
    """

    def __init__(self, folder: Path, database: Database, object_store: str | None = None) -> None:
        self._database = database
        self._contents = (
            Contents(folder / CONTENTS)
            if object_store is None
            else ObjectContents(folder / CONTENTS, object_store)
        )
        self._cases = folder / CASES
        self._cases.mkdir(exist_ok=True, mode=0o700)
        # What is on the disk changes under this lock, together with the rows that need it.
        self._lock = threading.Lock()
        self._in_hand: Counter[str] = Counter()
        self._tidy()

    def _tidy(self) -> None:
        """Remove what a former run left behind of cases that were not accepted, or deleted."""
        with self._lock, self._database.transaction() as connection:
            contents = set(self._contents.all())
            if self._contents.is_elsewhere:
                self._require_own(connection, contents)
            named = select(rows.case_files.c.sha256)
            stale = (
                (rows.blobs.c.created < now(-_BLOB_S))
                & (rows.blobs.c.owner != _MARK)
                & rows.blobs.c.sha256.not_in(named)
            )
            connection.execute(delete(rows.blobs).where(stale))
            known = set(connection.scalars(select(rows.cases.c.case_id)))
            for folder in self._cases.iterdir():
                if folder.name not in known:
                    shutil.rmtree(folder)
            self._sweep(connection, contents)

    def _require_own(self, connection: Connection, contents: set[str]) -> None:
        """Refuse an object store that is another database's, since what is not known is swept.

        A store is known by a mark among its bytes, which the database names.
        """
        marked = rows.blobs.c.owner == _MARK
        mark = connection.scalar(select(rows.blobs.c.sha256).where(marked))
        if mark is None and not contents:
            arrived = self._contents.arrive(BytesIO(secrets.token_bytes(32)))
            self._contents.keep(arrived)
            row = {"sha256": arrived.sha256, "owner": _MARK, "created": now()}
            connection.execute(insert(rows.blobs).values(row))
        elif mark not in contents:
            raise RuntimeError(
                "the object store, or the folder, holds bytes that this database knows nothing of; "
                "give every service a store, a folder and a database of its own"
            )

    def folder_of(self, case_id: str) -> Path:
        """Return where a worker finds a case."""
        return self._cases / case_id

    def at_hand(self, case_id: str) -> Path:
        """Return where a worker finds a case, its bytes brought there if they are kept elsewhere.

        Raises:
            UnknownIdError: If it has gone.
        """
        folder = self.folder_of(case_id)
        if self._contents.is_elsewhere:
            files = self.files_of(case_id)
            for sha256 in files.values():
                self._contents.bring(sha256)
            write_list(folder, files)
        return folder

    def files_of(self, case_id: str) -> dict[str, str]:
        """Return what a case is made of, digests by name.

        Raises:
            UnknownIdError: If it has gone.
        """
        columns = rows.case_files.c
        wanted = select(columns.name, columns.sha256).where(columns.case_id == case_id)
        with self._database.transaction() as connection:
            files = {row.name: row.sha256 for row in connection.execute(wanted)}
        if not files:
            raise unknown("case", "case_id")
        return files

    def arrive(self, bundle: CaseBundle, owner: str) -> ArrivedCase:
        """Write what was handed in; it is to be accepted or discarded.

        Raises:
            MissingBlobsError: If it names blobs that the owner has not put.
        """
        arrived: dict[str, Arrived] = {}
        taken = False
        try:
            arrived[DOCUMENT] = self._contents.arrive(BytesIO(bundle.document))
            for name, source in bundle.files.items():
                arrived[name] = self._contents.arrive(source)
            blobs = bundle.blobs()
            case = ArrivedCase(
                case_id=secrets.token_hex(12),
                files={
                    **{sha256: sha256 for sha256 in blobs},
                    **{name: one.sha256 for name, one in arrived.items()},
                },
            )
            with self._lock:
                self._require_blobs(blobs, owner)
                self._in_hand.update(case.files.values())
                for one in arrived.values():
                    self._contents.keep(one)
                write_list(self.folder_of(case.case_id), case.files)
            taken = True
        finally:
            if not taken:
                for one in arrived.values():
                    self._contents.drop(one)
        return case

    def put_blob(self, source: BinaryIO, sha256: str, owner: str) -> bool:
        """Keep bytes for a case that will name them; tell whether the owner had not put them yet.

        Raises:
            DigestMismatchError: If they have another digest.
        """
        arrived = self._contents.arrive(source)
        if arrived.sha256 != sha256:
            self._contents.drop(arrived)
            raise DigestMismatchError(
                "is not the SHA-256 of the bytes that were sent; send them again",
                field="sha256", code="digest-mismatch",
            )  # fmt: skip
        row = {"sha256": sha256, "owner": owner, "created": now()}
        with self._lock:
            self._contents.keep(arrived)
            with self._database.transaction() as connection:
                is_new = not self._has_blob(connection, sha256, owner)
                if is_new:
                    connection.execute(insert(rows.blobs).values(row))
        return is_new

    def blob(self, sha256: str, owner: str) -> Path:
        """Return where the owner's bytes of a digest are.

        Raises:
            UnknownIdError: If the owner has put none.
        """
        with self._database.transaction() as connection:
            if not self._has_blob(connection, sha256, owner):
                raise unknown("blob", "sha256")
        self._contents.bring(sha256)
        return self._contents.path(sha256)

    def _has_blob(self, connection: Connection, sha256: str, owner: str) -> bool:
        columns = rows.blobs.c
        put = select(columns.sha256).where(columns.sha256 == sha256, columns.owner == owner)
        return connection.execute(put).one_or_none() is not None

    def _require_blobs(self, blobs: list[str], owner: str) -> None:
        with self._database.transaction() as connection:
            missing = [one for one in blobs if not self._has_blob(connection, one, owner)]
        if missing:
            raise MissingBlobsError(missing)

    def discard(self, case: ArrivedCase) -> None:
        """Remove a case that was not accepted."""
        with self._lock, self._database.transaction() as connection:
            self._put_down(case)
            shutil.rmtree(self.folder_of(case.case_id), ignore_errors=True)
            self._sweep(connection, case.files.values())

    def accept(self, case: ArrivedCase, description: Mapping[str, Any], owner: str) -> StoredCase:
        """Remember a case; from now on it is there."""
        row = {
            "case_id": case.case_id,
            "owner": owner,
            "created": now(),
            "description": json.dumps(description, ensure_ascii=False, allow_nan=False),
        }
        files = [
            {"case_id": case.case_id, "name": name, "sha256": sha256}
            for name, sha256 in case.files.items()
        ]
        with self._lock:
            with self._database.transaction() as connection:
                connection.execute(insert(rows.cases).values(row))
                connection.execute(insert(rows.case_files), files)
            self._put_down(case)
        return self.case(case.case_id, owner)

    def case(self, case_id: str, owner: str) -> StoredCase:
        """Return a case.

        Raises:
            UnknownIdError: If the owner has none of that id.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                select(rows.cases).where(
                    rows.cases.c.case_id == case_id, rows.cases.c.owner == owner
                )
            ).one_or_none()
        if row is None:
            raise unknown("case", "case_id")
        return _stored_case(row)

    def cases(self, owner: str, *, after: int, limit: int) -> list[StoredCase]:
        """Return up to ``limit`` of the owner's cases after the one numbered ``after``."""
        with self._database.transaction() as connection:
            found = connection.execute(
                select(rows.cases)
                .where(rows.cases.c.owner == owner, rows.cases.c.number > after)
                .order_by(rows.cases.c.number)
                .limit(limit)
            ).all()
        return [_stored_case(row) for row in found]

    def older_than(self, created: str) -> list[tuple[str, str]]:
        """Return cases that were handed in before a time, each with its owner."""
        columns = rows.cases.c
        old = select(columns.case_id, columns.owner).where(columns.created < created)
        with self._database.transaction() as connection:
            return [(row.case_id, row.owner) for row in connection.execute(old)]

    def delete_case(self, case_id: str, owner: str) -> None:
        """Remove a case with its files and its plans, and bytes that no other case needs.

        Raises:
            UnknownIdError: If the owner has none of that id.
        """
        self.case(case_id, owner)
        with self._lock:
            with self._database.transaction() as connection:
                files = rows.case_files.c
                digests = list(
                    connection.scalars(select(files.sha256).where(files.case_id == case_id))
                )
                connection.execute(delete(rows.cases).where(rows.cases.c.case_id == case_id))
                mine = select(files.sha256).join(rows.cases).where(rows.cases.c.owner == owner)
                connection.execute(
                    delete(rows.blobs).where(
                        rows.blobs.c.owner == owner,
                        rows.blobs.c.sha256.in_(digests),
                        rows.blobs.c.sha256.not_in(mine),
                    )
                )
            shutil.rmtree(self.folder_of(case_id), ignore_errors=True)
            with self._database.transaction() as connection:
                self._sweep(connection, digests)

    def _sweep(self, connection: Connection, digests: Iterable[str]) -> None:
        """Remove those of the bytes that no row and nobody at work needs."""
        named = set(connection.scalars(select(rows.case_files.c.sha256)))
        named.update(connection.scalars(select(rows.blobs.c.sha256)))
        for sha256 in set(digests) - named - set(self._in_hand):
            self._contents.delete(sha256)

    def _put_down(self, case: ArrivedCase) -> None:
        self._in_hand.subtract(case.files.values())
        self._in_hand = +self._in_hand


def _stored_case(row: Row[Any]) -> StoredCase:
    return StoredCase(
        number=row.number,
        case_id=row.case_id,
        owner=row.owner,
        created=row.created,
        description=from_json(row.description),
    )


def unknown(what: str, field: str) -> UnknownIdError:
    """Return the error that says that there is no such thing."""
    return UnknownIdError(f"there is no {what} of this id", field=field, code=f"unknown-{what}")
