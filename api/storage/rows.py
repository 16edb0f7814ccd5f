"""The tables, as the newest migration leaves them; ``migrations`` has how they came to be so."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
_CASE = "cases.case_id"
_LIVES = "state IN ('queued', 'running', 'done')"

cases = Table(
    "cases",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("case_id", String(64), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("created", String(32), nullable=False),
    Column("description", Text, nullable=False),
    Index("cases_of_owner", "owner", "number"),
    sqlite_autoincrement=True,
)

# The bytes a case is made of: its document under the empty name, and its mesh files.
case_files = Table(
    "case_files",
    metadata,
    Column("case_id", String(64), ForeignKey(_CASE, ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    PrimaryKeyConstraint("case_id", "name", name="case_files_key"),
    Index("case_files_by_sha256", "sha256"),
)

# Bytes that were put ahead of a case that will name them.
blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("created", String(32), nullable=False),
    PrimaryKeyConstraint("sha256", "owner", name="blobs_key"),
)

plans = Table(
    "plans",
    metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("case_id", String(64), ForeignKey(_CASE, ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("created", String(32), nullable=False),
    Column("question", String(64), nullable=False),
    Column("request", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Float),
    Column("answer", Text),
    CheckConstraint(
        "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="plans_state"
    ),
    Index("plans_in_order", "state", "number"),
    # The same question about a case is worked on once.
    Index(
        "plans_once", "case_id", "question", unique=True,
        sqlite_where=text(_LIVES), postgresql_where=text(_LIVES),
    ),
)  # fmt: skip

events = Table(
    "events",
    metadata,
    Column("plan_id", String(64), ForeignKey("plans.plan_id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    PrimaryKeyConstraint("plan_id", "sequence", name="events_key"),
)
