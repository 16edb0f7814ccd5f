"""The time as it is written into records."""

from datetime import UTC, datetime, timedelta


def now(offset_s: float = 0.0) -> str:
    """Return the time in UTC, or so much later, to the second."""
    return (datetime.now(UTC) + timedelta(seconds=offset_s)).isoformat(timespec="seconds")


def age_s(recorded: str) -> float:
    """Return how long ago a recorded time was."""
    return (datetime.now(UTC) - datetime.fromisoformat(recorded)).total_seconds()
