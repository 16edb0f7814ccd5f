"""The database: opened, locked against a second service, and brought to the newest tables.

SQLite by default: write-ahead log, every commit flushed to the disk, one connection. PostgreSQL by
URL. Whatever was committed survives the end of this process at any moment.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError

# A folder in use by another service stays so: there is no point in waiting long.
_LOCK_WAIT_S = 0.5
_SQLITE_PRAGMAS = (
    "locking_mode = EXCLUSIVE",  # one service per folder, and no shared memory beside the log
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # What is deleted is a person's anatomy: its pages are overwritten, not just unlinked.
    "secure_delete = ON",
)
_SERVICE_LOCK = 7_462_201  # of pg_advisory_lock; any number, always the same


class Database:
    """Transactions, one at a time, from any thread.

    Args:
        folder: Where SQLite keeps its file.
        url: Of PostgreSQL; None for SQLite.

    Raises:
        RuntimeError: If another service uses the same database, or it is not one of ours.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self._lock = threading.RLock()
        self._engine = _sqlite(folder / "trocar.sqlite") if url is None else _postgres(url)
        try:
            self._migrate()
        except OperationalError as error:
            self._engine.dispose()
            where = folder if url is None else "the database"
            raise RuntimeError(f"{where} is in use by another service: {error.orig}") from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection; what is done with it happens whole and lasts, or not at all."""
        with self._lock, self._engine.begin() as connection:
            yield connection

    def is_open(self) -> bool:
        """Tell whether the database answers."""
        try:
            with self.transaction() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._engine.dispose()

    def _migrate(self) -> None:
        """Bring the tables to the newest form; whole or not at all, as all of it is one commit."""
        with self.transaction() as connection:
            known = MigrationContext.configure(connection).get_current_revision()
            if known is None and inspect(connection).has_table("cases"):
                raise RuntimeError(
                    "the data folder was written by a version before 0.2, whose tables are not "
                    "taken over; move it away, and hand the cases in again"
                )
            config = Config()
            config.set_main_option("script_location", "api.storage:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": _LOCK_WAIT_S},
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: DBAPIConnection, _: object) -> None:
        # Beginning is ours: see below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgres(url: str) -> Engine:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=1, max_overflow=0, pool_pre_ping=True,
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _connected(connection: DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = '5s'; SELECT pg_advisory_lock({_SERVICE_LOCK})")
        connection.commit()
        cursor.close()

    return engine
