"""The service behind the routes: the store, the ledger, the workers, and who hands them plans."""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import DBAPIError
from starlette.requests import HTTPConnection

from api import work
from api.audit import AuditTrail, Deed
from api.digests import canonical_digest
from api.dispatcher import Dispatcher
from api.engines import Engine, LocalEngine
from api.limits import CaseLimits
from api.logs import log
from api.metrics import Metrics
from api.problems import UnknownIdError
from api.session_schemas import Asked
from api.settings import Settings
from api.storage.bundle import CaseBundle
from api.storage.clock import now
from api.storage.database import Database
from api.storage.ledger import Ledger, StoredPlan
from api.storage.store import Store, StoredCase
from api.watch import DIGEST
from api.workers import Workers, prepare_to_start_workers

LOCAL = "local"  # the owner of what is handed in where nobody has to say who they are
_DAY_S = 24 * 3600.0
_RETENTION_EVERY_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that lives as long as the service does."""

    settings: Settings
    database: Database
    store: Store
    ledger: Ledger
    workers: Workers
    engine: Engine
    live: Workers
    dispatcher: Dispatcher
    audit: AuditTrail
    metrics: Metrics

    @property
    def limits(self) -> CaseLimits:
        """How large a case may be."""
        return CaseLimits(
            structures=self.settings.max_structures, triangles=self.settings.max_triangles
        )

    async def accept_case(self, bundle: CaseBundle, owner: str) -> StoredCase:
        """Keep a case if it can be read, with what is found in it.

        Raises:
            ProblemError: If it cannot be used; nothing of it is kept.
        """
        arrived = await run_in_threadpool(self.store.arrive, bundle, owner)
        accepted = False
        try:
            folder = self.store.folder_of(arrived.case_id)
            description = await self.workers.run(
                arrived.case_id, work.describe, folder, self.limits
            )
            stored = await run_in_threadpool(self.store.accept, arrived, description, owner)
            accepted = True
        finally:
            if not accepted:
                await asyncio.shield(run_in_threadpool(self.store.discard, arrived))
        return stored

    async def folder_of(self, case_id: str) -> Path:
        """Return where a worker finds a case.

        Raises:
            UnknownIdError: If it has gone.
        """
        return await run_in_threadpool(self.store.at_hand, case_id)

    async def delete_case(self, case_id: str, owner: str) -> None:
        """Remove a case with all that hangs on it, and end the work on it.

        Raises:
            UnknownIdError: If the owner has none of that id.
        """
        await run_in_threadpool(self.store.case, case_id, owner)
        plans = await run_in_threadpool(self.ledger.open_plans, case_id)
        await run_in_threadpool(self.store.delete_case, case_id, owner)
        for plan_id in plans:
            self.dispatcher.forget(plan_id)

    async def ask(self, case_id: str, asked: Asked) -> StoredPlan:
        """Remember that a plan was asked for, and have it made; the same question only once.

        Raises:
            UnknownIdError: If the case has gone.
            BusyError: If as many plans wait as may.
        """
        question = canonical_digest([asked.request().digest, version("trocar")])
        request = asked.model_dump(mode="json", exclude_unset=True)
        plan = await run_in_threadpool(
            self.ledger.ask, case_id, question, request, self.settings.max_queued
        )
        self.dispatcher.wake()
        return plan

    async def cancel(self, plan_id: str, owner: str) -> StoredPlan:
        """Cancel an open plan: first in the ledger, then the work on it.

        Raises:
            UnknownIdError: If the owner has none of that id.
        """
        plan = await run_in_threadpool(self.ledger.cancel, plan_id, owner)
        self.dispatcher.forget(plan_id)
        return plan

    async def retain(self) -> None:
        """Delete cases that are older than the operator keeps them, for as long as this runs."""
        days = self.settings.retention_days
        while days is not None:
            try:
                await self._delete_older(now(-days * _DAY_S))
            except (DBAPIError, OSError):
                log().exception("retention: what is kept cannot be reached")
            await asyncio.sleep(_RETENTION_EVERY_S)

    async def _delete_older(self, before: str) -> None:
        for case_id, owner in await run_in_threadpool(self.store.older_than, before):
            with contextlib.suppress(UnknownIdError):  # its owner was quicker
                await self.delete_case(case_id, owner)
            deed = Deed(who=owner, did="retention", subject=case_id)
            await run_in_threadpool(self.audit.add, deed, lasting=True)


@asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    """Yield a service with its workers warming up, and stop it afterwards.

    What is under way when it stops stays in the ledger, for the next start.
    """
    with tempfile.TemporaryDirectory(prefix="trocar-") as temporary:
        prepare_to_start_workers()
        folder = settings.data_folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = await run_in_threadpool(Database, folder, settings.database_url)
        service = await run_in_threadpool(_service, settings, folder, database)
        tasks = [
            asyncio.create_task(service.workers.warm_up(work.load)),
            asyncio.create_task(service.dispatcher.run(settings.workers)),
            asyncio.create_task(service.retain()),
            asyncio.create_task(service.engine.connect()),
        ]
        try:
            yield service
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await service.engine.close()
            await run_in_threadpool(service.live.close)
            await run_in_threadpool(service.workers.close)
            database.close()


def _service(settings: Settings, folder: Path, database: Database) -> Service:
    store = Store(folder, database, settings.object_store)
    ledger = Ledger(database)
    workers = _workers(settings, settings.workers, settings.max_waiting)
    metrics = Metrics()
    engine = _engine(settings, store, workers)
    return Service(
        settings=settings,
        database=database,
        store=store,
        ledger=ledger,
        workers=workers,
        engine=engine,
        live=_workers(settings, settings.live_sessions, 0),
        dispatcher=Dispatcher(
            ledger=ledger,
            engine=engine,
            max_job_s=settings.max_job_s,
            max_attempts=settings.max_attempts,
            metrics=metrics,
        ),
        audit=AuditTrail(folder),
        metrics=metrics,
    )


def _engine(settings: Settings, store: Store, workers: Workers) -> Engine:
    """Return who makes plans, by the setting.

    Raises:
        RuntimeError: If what that needs is not installed.
    """
    if settings.engine == "local":
        return LocalEngine(workers, store.at_hand)
    try:
        cluster = import_module("api.cluster")
    except ModuleNotFoundError as error:
        raise RuntimeError(
            "TROCAR_ENGINE needs one more package: pip install 'trocar[cluster]'"
        ) from error
    engine: Engine = cluster.DaskEngine(settings, store)
    return engine


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


def owner_of(request: HTTPConnection) -> str:
    """Return whose cases the request may see."""
    owner: str = request.scope.get("owner", LOCAL)
    return owner


async def case_of(request: HTTPConnection, case_id: str) -> StoredCase:
    """Return the case that a request is about, for whoever asks; the audit trail names its digest.

    Raises:
        UnknownIdError: If they have none of that id.
    """
    store = service_of(request).store
    stored = await run_in_threadpool(store.case, case_id, owner_of(request))
    request.scope[DIGEST] = stored.description["digest"]
    return stored


async def plan_of(request: HTTPConnection, plan_id: str) -> StoredPlan:
    """Return the plan that a request is about, for whoever asks; the audit trail names its digest.

    Raises:
        UnknownIdError: If they have none of that id.
    """
    ledger = service_of(request).ledger
    plan = await run_in_threadpool(ledger.plan, plan_id, owner_of(request))
    if plan.answer is not None:
        request.scope[DIGEST] = hashlib.sha256(plan.answer.encode()).hexdigest()
    return plan
