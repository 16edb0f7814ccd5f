"""Processes that do the heavy work, so that the service goes on answering while they do.

A worker that dies, is killed or takes too long loses only its own job, and is replaced. What runs
in there is in ``worker_process`` and ``work``.
"""

import asyncio
import atexit
import contextlib
import multiprocessing
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from api.frames import Fault, FromWorker, Job, Refused, Said, Told, framed, from_worker, job
from api.problems import (
    BusyError,
    FaultError,
    JobTimeoutError,
    ProblemError,
    WorkerLostError,
)
from api.worker_process import Talk, serve

_Asked = ParamSpec("_Asked")
_Answered = TypeVar("_Answered")
_MOST_WARM = 4
# The process may have died idle, before the job: a job is given up when it kills two.
_ATTEMPTS = 2
_FORKS = sys.platform == "linux"
# Both kinds of context are used in the same way; the one that all systems have gives the type.
_CONTEXT = cast("SpawnContext", multiprocessing.get_context("forkserver" if _FORKS else "spawn"))


def prepare_to_start_workers() -> None:
    """Start the process that workers are forked from; from a thread that outlives the workers.

    Forked from there rather than from the service, which has threads and would copy their locks.
    """
    if _FORKS:
        _CONTEXT.set_forkserver_preload(["api.worker_preload"])
        forkserver.ensure_running()


class Worker:
    """One process, started when it is first needed and again after it died.

    Args:
        memory_bytes: Address space that the process may use.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._process: BaseProcess | None = None
        self._channel: Connection | None = None
        self._thread = ThreadPoolExecutor(1)
        self._given_up = threading.Event()
        self.warm_with: list[str] = []
        # Not a daemon, which could not start the process that draws; so it is ended here.
        atexit.register(self.kill)

    async def do(
        self, function: Callable[_Asked, _Answered], *args: _Asked.args, **kwargs: _Asked.kwargs
    ) -> _Answered:
        """Run ``function`` in the process and return what it returns; killed if cancelled.

        Raises:
            WorkerLostError: If the process died over it.
            ProblemError: If the work found something wrong with what was sent.
        """
        return cast("_Answered", await self._done(job(function, args, kwargs), _unheard))

    async def converse(
        self,
        heard: Callable[[Any], None],
        function: Callable[Concatenate[Talk, _Asked], _Answered],
        *args: _Asked.args,
        **kwargs: _Asked.kwargs,
    ) -> _Answered:
        """Run ``function`` as ``do`` does, with a ``Talk`` as its first argument.

        Args:
            heard: Takes what the job says, in a thread that it may hold up.
            function: Run in the process.
            args: Its further arguments.
            kwargs: Its named arguments.
        """
        asked = job(function, args, kwargs, talks=True)
        return cast("_Answered", await self._done(asked, heard))

    def tell(self, message: bytes | None) -> None:
        """Tell the job that converses something, or None for the end. Waits while it is busy."""
        if self._channel is not None:
            self._channel.send_bytes(framed(Told(message)))

    def kill(self) -> None:
        """End the process now, whatever it is doing."""
        self._given_up.set()
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process and start none again."""
        self.kill()
        atexit.unregister(self.kill)
        self._thread.shutdown(wait=True)
        self._forget()

    async def _done(self, asked: Job, heard: Callable[[Any], None]) -> object:
        self._given_up.clear()
        loop = asyncio.get_running_loop()
        exchange = loop.run_in_executor(self._thread, self._exchange, asked, heard)
        try:
            answer = await asyncio.shield(exchange)
        except asyncio.CancelledError:
            self.kill()
            await asyncio.gather(exchange, return_exceptions=True)
            raise
        if isinstance(answer, Refused):
            raise ProblemError(answer.problem)
        if isinstance(answer, Fault):
            raise FaultError(answer.trace)
        return answer.value

    def _exchange(self, asked: Job, heard: Callable[[Any], None]) -> FromWorker:
        """Hand the job over, pass on what it says, and return its answer."""
        answered = False
        try:
            channel = self._started()
            channel.send_bytes(framed(asked))
            while isinstance(message := from_worker(channel), Said):
                heard(message.value)
            answered = True
        except (EOFError, OSError) as error:
            raise WorkerLostError(
                "the process that did the work died over it; try again later"
            ) from error
        finally:
            if not answered:
                self._forget()
        return message

    def _started(self) -> Connection:
        if self._process is not None and not self._process.is_alive():
            self._forget()
        if self._process is None or self._channel is None:
            self._channel, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(
                target=serve, args=(theirs, self._memory_bytes), daemon=False
            )
            process.start()
            theirs.close()
            self._process = process
        if self._given_up.is_set():
            self._process.kill()
        return self._channel

    def _forget(self) -> None:
        """Let go of a process that has died or must."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._channel is not None:
            self._channel.close()
        self._process, self._channel, self.warm_with = None, None, []


def _unheard(_: object) -> None:
    """Take what a job says to nobody."""


class Workers:
    """A fixed number of workers and the jobs that wait for them.

    Args:
        count: Processes.
        max_waiting: Jobs that may wait before further ones are turned away.
        memory_bytes: Address space that each may use.
        timeout_s: Longest that a job may take.
    """

    def __init__(
        self, *, count: int, max_waiting: int, memory_bytes: int, timeout_s: float
    ) -> None:
        self._all = [Worker(memory_bytes) for _ in range(count)]
        self._free = list(self._all)
        self._turn = asyncio.Semaphore(count)
        self.waiting = 0
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self.ready = False

    async def warm_up(self, load: Callable[[], object]) -> None:
        """Start every process and have it call ``load``, so that later jobs find it warm."""
        await asyncio.gather(*(self.run("", load) for _ in self._all))
        self.ready = True

    async def run(
        self,
        case_id: str,
        function: Callable[_Asked, _Answered],
        *args: _Asked.args,
        **kwargs: _Asked.kwargs,
    ) -> _Answered:
        """Run ``function`` in a worker when it is its turn; see ``turn`` and ``Worker.do``.

        Raises:
            JobTimeoutError: If it took too long.
        """
        async with self.turn(case_id) as worker:
            for _ in range(_ATTEMPTS - 1):
                with contextlib.suppress(WorkerLostError):
                    return await self.timed(worker.do(function, *args, **kwargs))
            return await self.timed(worker.do(function, *args, **kwargs))

    async def timed(self, work: Awaitable[_Answered]) -> _Answered:
        """Return what ``work`` gives within the time that a job may take.

        Raises:
            JobTimeoutError: If it took longer; its process was killed.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except TimeoutError as error:
            raise JobTimeoutError(
                f"took longer than the {self._timeout_s:g} s that a job may take here"
            ) from error

    @asynccontextmanager
    async def turn(self, case_id: str) -> AsyncIterator[Worker]:
        """Yield a free worker, rather one that has this case in memory.

        Raises:
            BusyError: If too many jobs wait already.
        """
        if self._turn.locked() and self.waiting >= self._max_waiting:
            raise BusyError(f"{self.waiting} jobs are waiting already; try again later")
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1
        with self._lent(case_id) as worker:
            yield worker

    @asynccontextmanager
    async def patient_turn(self, case_id: str) -> AsyncIterator[Worker]:
        """Yield a free worker as ``turn`` does, however many wait."""
        await self._turn.acquire()
        with self._lent(case_id) as worker:
            yield worker

    @contextlib.contextmanager
    def _lent(self, case_id: str) -> Iterator[Worker]:
        worker = self._take(case_id)
        try:
            yield worker
        finally:
            self._free.append(worker)
            self._turn.release()

    def _take(self, case_id: str) -> Worker:
        worker = next((w for w in self._free if case_id in w.warm_with), self._free[0])
        self._free.remove(worker)
        if case_id and case_id not in worker.warm_with:
            worker.warm_with = [*worker.warm_with, case_id][-_MOST_WARM:]
        return worker

    def close(self) -> None:
        """Stop all processes, whatever they are at."""
        for worker in self._all:
            worker.close()
