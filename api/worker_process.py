"""The inside of a worker process, whatever it works on: how it starts, listens, answers and ends.

Kept light: what a job needs is loaded with the job, or by ``worker_preload`` before.
"""

import contextlib
import ctypes
import signal
import sys
import threading
from multiprocessing.connection import Connection

from api.frames import Answered, Fault, Job, Refused, Said, Told, called, for_worker, framed
from api.logs import trace_of
from api.problems import ANSWERS, problem_of

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Talk:
    """What a job can tell the service and hear from it while it works."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def say(self, value: object) -> None:
        """Tell something; from any thread."""
        with self._lock:
            self._channel.send_bytes(framed(Said(value)))

    def newest(self) -> bytes | None:
        """Wait until something is heard and return the newest of it, or None at the end."""
        message = self._heard()
        while message is not None and self._channel.poll():
            message = self._heard()
        return message

    def _heard(self) -> bytes | None:
        told = for_worker(self._channel)
        assert isinstance(told, Told)  # noqa: S101  no job is sent before this one has answered
        return told.message


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
            job = for_worker(channel)
            # What was said to a job that had ended already is not for the next one.
            if isinstance(job, Job):
                channel.send_bytes(_answer(job, channel))
                _give_memory_back()


def die_with_parent() -> None:
    """Have this process killed when the one that started it dies, also inside a native call."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answer(job: Job, channel: Connection) -> bytes:
    try:
        return framed(Answered(called(job, Talk(channel)) if job.talks else called(job)))
    except tuple(ANSWERS) as error:
        return framed(Refused(problem_of(error)))
    except Exception as error:  # noqa: BLE001  the process's own edge: told to the service
        return framed(Fault(trace_of(error)))


def _give_memory_back() -> None:
    """Return freed pages to the machine: else a worker's heap grows with the holes in it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # the GNU library's own
        trim(0)


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  there is none on Windows

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
