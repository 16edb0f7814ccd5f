"""Cases by digest of their bytes, and plans with fences, leases and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_LIVES = sa.text("state IN ('queued', 'running', 'done')")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cases",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.String(64), nullable=False, unique=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("cases_of_owner", "cases", ["owner", "number"])
    op.create_table(
        "case_files",
        _of("cases.case_id", "case_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "name", name="case_files_key"),
    )
    op.create_index("case_files_by_sha256", "case_files", ["sha256"])
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "owner", name="blobs_key"),
    )
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(64), primary_key=True),
        _of("cases.case_id", "case_id"),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("question", sa.String(64), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Float),
        sa.Column("answer", sa.Text),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="plans_state"
        ),
    )
    op.create_index("plans_in_order", "plans", ["state", "number"])
    op.create_index(
        "plans_once", "plans", ["case_id", "question"], unique=True,
        sqlite_where=_LIVES, postgresql_where=_LIVES,
    )  # fmt: skip
    op.create_table(
        "events",
        _of("plans.plan_id", "plan_id"),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "sequence", name="events_key"),
    )


def downgrade() -> None:
    """Remove the tables, with all that is in them."""
    for table in ("events", "plans", "blobs", "case_files", "cases"):
        op.drop_table(table)


def _of(column: str, name: str) -> sa.Column[str]:
    key = sa.ForeignKey(column, ondelete="CASCADE")
    return sa.Column(name, sa.String(64), key, nullable=False)
