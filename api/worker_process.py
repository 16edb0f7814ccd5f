"""The inside of a worker process, whatever it works on: how it starts, answers and ends.

Kept light: what a job needs is loaded with the job.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

from api.problems import ANSWERS, Problem, problem_of

_Answered = TypeVar("_Answered")


def stay_with_service() -> None:
    """Prepare a new worker: leave interrupts to the service, and die when it dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    service = multiprocessing.parent_process()
    if service is not None:

        def leave() -> None:
            service.join()
            os._exit(1)

        threading.Thread(target=leave, daemon=True).start()


def answered(job: Callable[[], _Answered]) -> _Answered | Problem:
    """Return what ``job`` returns, or the problem with what the caller sent."""
    try:
        return job()
    except tuple(ANSWERS) as error:
        return problem_of(error)
