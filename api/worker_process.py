"""The inside of a worker process, whatever it works on: how it starts, listens, answers and ends.

Kept light: what a job needs is loaded with the job, or by ``worker_preload`` before.
"""

import contextlib
import ctypes
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from api.problems import ANSWERS, problem_of

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        function: Called for the answer.
        talks: Whether it takes a ``Talk`` to tell and hear things while it works.
    """

    function: Callable[..., object]
    talks: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a job tells before it answers."""

    value: object


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake of ours in a job: where it happened, for the log."""

    trace: str


class Talk:
    """What a job can tell the service and hear from it while it works."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def say(self, value: object) -> None:
        """Tell something; from any thread."""
        with self._lock:
            self._channel.send(Said(value))

    def newest(self) -> bytes | None:
        """Wait until something is heard and return the newest of it, or None at the end."""
        message: bytes | None = self._channel.recv()
        while message is not None and self._channel.poll():
            message = self._channel.recv()
        return message


def serve(channel: Connection, memory_bytes: int) -> None:
    """Do one job after the other until the service goes.

    Args:
        channel: Brings jobs, takes answers.
        memory_bytes: Address space that this process may use.
    """
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(memory_bytes)
    with contextlib.suppress(EOFError, OSError):
        while True:
            job = channel.recv()
            # What was said to a job that had ended already is not for the next one.
            if isinstance(job, Job):
                channel.send(_answer(job, channel))


def die_with_parent() -> None:
    """Have this process killed when the one that started it dies, also inside a native call."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answer(job: Job, channel: Connection) -> object:
    try:
        return job.function(Talk(channel)) if job.talks else job.function()
    except tuple(ANSWERS) as error:
        return problem_of(error)
    except Exception:  # noqa: BLE001  the process's own edge: told to the service, which logs it
        return Fault(traceback.format_exc())


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  there is none on Windows

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
