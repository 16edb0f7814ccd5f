"""Has the plans of the ledger made: takes them up in order, and writes down what came of each.

A worker that dies over a plan is not the plan's fault until several have; a service that stops
leaves its plans in the ledger, and the next one takes them up.
"""

import asyncio
import contextlib
import time
from typing import NamedTuple
from weakref import WeakValueDictionary

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import DBAPIError

from api.documents import dump
from api.engines import Engine
from api.logs import log
from api.metrics import Metrics
from api.problems import StorageError, WorkerLostError, problem_of
from api.storage.ledger import OPEN, Ledger, State, StoredPlan

_IDLE_S = 2.0  # how often leases are looked at when nothing else happens
_LEASE_GRACE_S = 60.0
_RECOVERY_S = 5.0


class Progress(NamedTuple):
    """What is being done for a plan, and the share of it that is done, 0 to 1."""

    stage: str
    share: float


class Dispatcher:
    """Has plans worked on, as many at a time as there are workers.

    Args:
        ledger: Where plans wait.
        engine: Who makes them.
        max_job_s: Longest that one may take.
        max_attempts: Workers that may die over one plan.
        metrics: Where attempts are counted.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        engine: Engine,
        max_job_s: float,
        max_attempts: int,
        metrics: Metrics,
    ) -> None:
        self._ledger, self._engine = ledger, engine
        self._lease_s = max_job_s + _LEASE_GRACE_S
        self._max_attempts = max_attempts
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._changed: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self.progress: dict[str, Progress] = {}
        self.is_working = False

    async def run(self, lanes: int) -> None:
        """Work until cancelled; what is under way then is left for the next service."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(lanes):
                    group.create_task(self._lane())
                self.is_working = True
        finally:
            self.is_working = False

    def wake(self) -> None:
        """Say that there is a new plan."""
        self._wake.set()

    def forget(self, plan_id: str) -> None:
        """End the work on a plan that was cancelled or deleted."""
        attempt = self._attempts.get(plan_id)
        if attempt is not None:
            attempt.cancel()
        self._tell(plan_id)

    def watch(self, plan_id: str) -> asyncio.Event:
        """Return what is set when something happens to a plan next."""
        event = self._changed.get(plan_id) or asyncio.Event()
        self._changed[plan_id] = event
        return event

    async def settled(self, plan_id: str, owner: str, timeout_s: float) -> StoredPlan:
        """Return a plan once it is settled, or as it is when the time is over.

        Raises:
            UnknownIdError: If the owner has none of that id, or not any more.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while True:
            happened = self.watch(plan_id)  # before reading, so that nothing is missed
            plan = await run_in_threadpool(self._ledger.plan, plan_id, owner)
            if plan.state not in OPEN or loop.time() >= until:
                return plan
            await happens(happened, until - loop.time())

    async def _lane(self) -> None:
        while True:
            self._wake.clear()
            try:
                plan = await run_in_threadpool(self._ledger.claim, self._lease_s)
                if plan is None:
                    await happens(self._wake, _IDLE_S)
                    await run_in_threadpool(self._ledger.requeue_overdue)
                    continue
            except DBAPIError:
                log().exception("the ledger cannot be read or written")
                await asyncio.sleep(_RECOVERY_S)
                continue
            await self._work_on(plan)

    async def _work_on(self, plan: StoredPlan) -> None:
        attempt = asyncio.create_task(self._attempt(plan))
        self._attempts[plan.plan_id] = attempt
        try:
            await asyncio.wait({attempt})
        finally:
            attempt.cancel()
            [ended] = await asyncio.gather(attempt, return_exceptions=True)
            del self._attempts[plan.plan_id]
            self.progress.pop(plan.plan_id, None)
            self._tell(plan.plan_id)
        if isinstance(ended, Exception):
            log().error("a plan could not be settled", plan_id=plan.plan_id, exc_info=ended)

    async def _attempt(self, plan: StoredPlan) -> None:
        """Have a plan made and write it down, or why there is none."""
        self._tell(plan.plan_id)
        since_s = time.perf_counter()
        # Gathered, because whatever went wrong, the plan must not stay open.
        [answer] = await asyncio.gather(self._answer(plan), return_exceptions=True)
        took_s = time.perf_counter() - since_s
        if isinstance(answer, str):
            self._metrics.attempted("done", took_s)
            await run_in_threadpool(self._ledger.settle, plan, State.DONE, answer)
            return
        if not isinstance(answer, Exception):
            raise answer
        problem = problem_of(answer)
        text = dump(problem.document())
        if isinstance(answer, StorageError):
            await asyncio.sleep(_RECOVERY_S)
        if isinstance(answer, WorkerLostError | StorageError):
            self._metrics.attempted("lost", took_s)
            await run_in_threadpool(self._ledger.lost, plan, text, self._max_attempts)
            return
        if problem.answer.status == 500:
            log().error("a plan failed", plan_id=plan.plan_id, exc_info=answer)
        self._metrics.attempted("failed", took_s)
        await run_in_threadpool(self._ledger.settle, plan, State.FAILED, text)

    async def _answer(self, plan: StoredPlan) -> str:
        loop = asyncio.get_running_loop()

        def heard(stage: str, share: float) -> None:
            loop.call_soon_threadsafe(self._report, plan.plan_id, Progress(stage, share))

        return await self._engine.make(plan, heard)

    def _report(self, plan_id: str, progress: Progress) -> None:
        if plan_id in self._attempts:
            self.progress[plan_id] = progress
            self._tell(plan_id)

    def _tell(self, plan_id: str) -> None:
        event = self._changed.pop(plan_id, None)
        if event is not None:
            event.set()


async def happens(event: asyncio.Event, timeout_s: float) -> None:
    """Wait for an event, or until the time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
