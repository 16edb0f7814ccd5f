"""Processes that do the heavy work, so that the service goes on answering while they do.

Each worker is a pool of one: a worker that dies takes only its own job with it, and is replaced.
What runs in there is in ``worker_process`` and ``work``.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from api.problems import BusyError, Problem, ProblemError, WorkerLostError
from api.worker_process import answered, stay_with_service

_Asked = ParamSpec("_Asked")
_Answered = TypeVar("_Answered")
_MOST_WARM = 4
# The process may have died idle, before the job: a job is given up when it kills two.
_ATTEMPTS = 2


class Worker:
    """One process, started when it is first needed and again after it died."""

    def __init__(self) -> None:
        self._pool = _new_pool()
        self.warm_with: list[str] = []

    async def do(
        self, function: Callable[_Asked, _Answered], *args: _Asked.args, **kwargs: _Asked.kwargs
    ) -> _Answered:
        """Run ``function`` in the process and return what it returns.

        Raises:
            WorkerLostError: If the process died over it.
            ProblemError: If the work found something wrong with what was sent.
        """
        job = partial(function, *args, **kwargs)
        for _ in range(_ATTEMPTS):
            try:
                answer = await asyncio.wrap_future(self._pool.submit(answered, job))
            except BrokenProcessPool:
                await asyncio.to_thread(self.replace)
                continue
            if isinstance(answer, Problem):
                raise ProblemError(answer)
            return answer
        raise WorkerLostError("the process that did the work died over it; try again later")

    def replace(self) -> None:
        """Put a new process in the place of a dead one."""
        self.close()
        self._pool = _new_pool()
        self.warm_with = []

    def close(self) -> None:
        """Let the running job end and take no other."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _new_pool() -> ProcessPoolExecutor:
    # Spawned, not forked: the service has threads, and a fork would copy their locks.
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=stay_with_service,
    )


class Workers:
    """A fixed number of workers and the jobs that wait for them.

    Args:
        count: Processes.
        max_waiting: Jobs that may wait before further ones are turned away.
    """

    def __init__(self, *, count: int, max_waiting: int) -> None:
        self._all = [Worker() for _ in range(count)]
        self._free = list(self._all)
        self._turn = asyncio.Semaphore(count)
        self._waiting = 0
        self._max_waiting = max_waiting
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
        """Run ``function`` in a worker when it is its turn; see ``turn`` and ``Worker.do``."""
        async with self.turn(case_id) as worker:
            return await worker.do(function, *args, **kwargs)

    @asynccontextmanager
    async def turn(self, case_id: str) -> AsyncIterator[Worker]:
        """Yield a free worker, rather one that has this case in memory.

        Raises:
            BusyError: If too many jobs wait already.
        """
        if self._turn.locked() and self._waiting >= self._max_waiting:
            raise BusyError(f"{self._waiting} jobs are waiting already; try again later")
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
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
        """Stop all processes, after the jobs they are at."""
        for worker in self._all:
            worker.close()
