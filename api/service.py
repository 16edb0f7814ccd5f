"""The service behind the routes: the store, the workers, and the plans that are under way."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from api import work
from api.bundle import CaseBundle
from api.documents import dump
from api.problems import problem_of
from api.settings import Settings
from api.store import State, Store, StoredCase, StoredPlan
from api.workers import Workers, prepare_to_start_workers

_log = logging.getLogger("trocar")


@dataclass(slots=True, kw_only=True)
class Service:
    """Everything that lives as long as the service does."""

    settings: Settings
    store: Store
    workers: Workers
    live: Workers
    under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def accept_case(self, bundle: CaseBundle) -> StoredCase:
        """Keep a case if it can be read, with what is found in it.

        Raises:
            ProblemError: If it cannot be used; nothing of it is kept.
        """
        case_id = await run_in_threadpool(self.store.write_bundle, bundle)
        accepted = False
        try:
            folder = self.store.folder_of(case_id)
            description = await self.workers.run(case_id, work.describe, folder)
            stored = await run_in_threadpool(self.store.add_case, case_id, description)
            accepted = True
        finally:
            if not accepted:
                await run_in_threadpool(self.store.discard_bundle, case_id)
        return stored

    def start_plan(self, plan: StoredPlan) -> asyncio.Task[None]:
        """Start working on a plan that the store knows, and return the work."""
        task = asyncio.create_task(self._make_plan(plan))
        self.under_way[plan.plan_id] = task
        task.add_done_callback(lambda _: self.under_way.pop(plan.plan_id, None))
        return task

    async def _make_plan(self, plan: StoredPlan) -> None:
        """Make a plan and remember it, or remember why there is none."""
        # Gathered, because whatever went wrong, the plan must not stay open.
        [answer] = await asyncio.gather(self._plan_text(plan), return_exceptions=True)
        if isinstance(answer, str):
            await self._settle(plan, State.DONE, answer)
            return
        if not isinstance(answer, Exception):
            raise answer
        problem = problem_of(answer)
        if problem.answer.status == 500:
            _log.error("plan %s failed", plan.plan_id, exc_info=answer)
        await self._settle(plan, State.FAILED, dump(problem.document()))

    async def _plan_text(self, plan: StoredPlan) -> str:
        async with self.workers.turn(plan.case_id) as worker:
            await self._settle(plan, State.RUNNING, None)
            folder = self.store.folder_of(plan.case_id)
            return await worker.do(work.plan_case, folder, plan.request)

    async def _settle(self, plan: StoredPlan, state: State, answer: str | None) -> None:
        await run_in_threadpool(self.store.settle_plan, plan.plan_id, state, answer)

    async def close(self) -> None:
        """Stop: what is under way is given up and marked as interrupted at the next start."""
        for task in list(self.under_way.values()):
            task.cancel()
        await asyncio.gather(*self.under_way.values(), return_exceptions=True)
        await run_in_threadpool(self.live.close)
        await run_in_threadpool(self.workers.close)
        self.store.close()


@asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    """Yield a service with its workers warming up, and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="trocar-") as temporary:
        prepare_to_start_workers()
        service = Service(
            settings=settings,
            store=Store(settings.data_folder or Path(temporary)),
            workers=_workers(settings, settings.workers, settings.max_waiting),
            live=_workers(settings, settings.live_sessions, 0),
        )
        warming = asyncio.create_task(service.workers.warm_up(work.load))
        try:
            yield service
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await service.close()


def _workers(settings: Settings, count: int, max_waiting: int) -> Workers:
    return Workers(
        count=count,
        max_waiting=max_waiting,
        memory_bytes=settings.max_worker_bytes,
        timeout_s=settings.max_job_s,
    )


def service_of(request: HTTPConnection) -> Service:
    """Return the service that answers this request."""
    service: Service = request.app.state.service
    return service
