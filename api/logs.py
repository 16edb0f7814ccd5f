"""What is written to the log: JSON lines on standard error, of an allow-list of facts.

Bodies, names, file names and the words of exceptions never get there: an exception is told by its
type and the places in the code that it came through. Ids are random and digests say nothing.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter, add_log_level

NAME = "trocar"
_FACTS = frozenset({
    "at", "level", "event", "request_id", "method", "route", "status", "took_ms", "owner",
    "plan_id", "trace",
})  # fmt: skip
_WHOLE = "uvicorn"  # whose messages are of starts, stops and addresses, never of what was sent
_Facts = MutableMapping[str, Any]


def trace_of(error: BaseException) -> str:
    """Return an exception's type and where it came from, without a word of what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return " < ".join([type(error).__name__, *reversed(places)])


def log() -> BoundLogger:
    """Return where facts are logged."""
    logger: BoundLogger = structlog.get_logger(NAME)
    return logger


def log_to_standard_error() -> None:
    """Have all logging of this process written as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_log_level, _at, _foreign],
            processors=[_allowed, structlog.processors.JSONRenderer()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(NAME).setLevel(logging.INFO)


def _allowed(_: object, __: str, facts: _Facts) -> _Facts:
    """Keep what is on the list, and of an exception its trace."""
    found = facts.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        facts["trace"] = trace_of(error)
    return {name: facts[name] for name in facts if name in _FACTS}


def _foreign(_: object, __: str, facts: _Facts) -> _Facts:
    """Take of other libraries' messages the words that are in their code, not what they fill in."""
    record: logging.LogRecord = facts["_record"]
    if not record.name.startswith(_WHOLE):
        facts["event"] = f"{record.name}: {record.msg if isinstance(record.msg, str) else ''}"
    facts["exc_info"] = record.exc_info
    return facts


_at = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        add_log_level,
        _at,
        ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=BoundLogger,
    logger_factory=LoggerFactory(),
)
