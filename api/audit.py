"""The audit trail: who did what to which bytes, and when; only ever added to.

A file of JSON lines in the data folder. Each line holds the SHA-256 of the one before, so that no
line can be changed or taken out without all after it being written anew; whoever keeps the last
digest elsewhere notices that, too. It names nobody: owners are ids of keys, the rest are digests.
"""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from api.storage.clock import now
from planner.errors import RequestError

if sys.platform != "win32":
    import fcntl

FILE = "audit.jsonl"
_START = "0" * 64
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is told of one deed.

    Attributes:
        who: Owner of what was touched, or "nobody" who was turned away.
        did: Method and route, or a command.
        subject: Random id of a case or a plan, or digest of a blob.
        digest: Of the case's content, or of the plan that was shown.
        status: HTTP status, or 0 for what did not come over HTTP.
    """

    who: str
    did: str
    subject: str = ""
    digest: str = ""
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A trail that holds.

    Attributes:
        lines: How many there are.
        head: SHA-256 of the last one; to be kept elsewhere.
    """

    lines: int
    head: str


class BrokenTrailError(RequestError):
    """A line of the trail is not what the one after it says."""


class AuditTrail:
    """The trail in a file, which several processes may add to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._end, self._head, self._lines = 0, _START, 0

    def add(self, deed: Deed, *, lasting: bool) -> None:
        """Add a line.

        Args:
            deed: What it tells.
            lasting: Whether it must be on the disk before this returns; else it outlives this
                process, but perhaps not the machine.
        """
        with self._opened() as descriptor:
            number = self._lines + 1
            fields = {"line": number, "at": now(), **asdict(deed), "before": self._head}
            line = json.dumps(fields).encode() + b"\n"
            os.write(descriptor, line)
            if lasting:
                os.fsync(descriptor)
            self._end, self._head, self._lines = self._end + len(line), _sha256(line), number

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Yield the file, nobody else's meanwhile, having read what others have added."""
        with self._lock:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if sys.platform != "win32":
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_size != self._end:
                    self._catch_up(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)

    def _catch_up(self, descriptor: int) -> None:
        """Find the last whole line; half a line, of a crash, was never answered for and goes."""
        size = os.fstat(descriptor).st_size
        start = max(0, size - _LONGEST_LINE)
        os.lseek(descriptor, start, os.SEEK_SET)
        whole = os.read(descriptor, size - start).rpartition(b"\n")
        tail = whole[0] + whole[1]
        self._end = start + len(tail)
        if self._end < size:
            os.ftruncate(descriptor, self._end)
        if tail:
            last = tail.splitlines(keepends=True)[-1]
            self._head, self._lines = _sha256(last), json.loads(last)["line"]


def verified(folder: Path, head: str | None = None) -> Verified:
    """Return what holds of the trail in a data folder.

    Args:
        folder: The data folder.
        head: A digest that was the last one once.

    Raises:
        BrokenTrailError: If a line was changed, added in between or taken out, or ``head`` was
            never the last.
    """
    before, lines, seen = _START, 0, head is None
    with (folder / FILE).open("rb") as trail:
        for line in trail:
            lines += 1
            if not _follows(line, lines, before):
                raise BrokenTrailError(
                    f"line {lines} does not follow from the one before; it, or that one, is not "
                    "what was written", field="audit", code="broken-trail",
                )  # fmt: skip
            before = _sha256(line)
            seen = seen or before == head
    if not seen:
        raise BrokenTrailError(
            f"{head} was never its last digest; lines were written anew, or taken off the end",
            field="audit", code="broken-trail",
        )  # fmt: skip
    return Verified(lines=lines, head=before)


def _follows(line: bytes, number: int, before: str) -> bool:
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return (
        line.endswith(b"\n")
        and isinstance(told, dict)
        and (told.get("line"), told.get("before")) == (number, before)
    )


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
