"""The time as it is written into records."""

from datetime import UTC, datetime


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
