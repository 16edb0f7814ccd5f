"""Plans made by nodes on other machines, through a Dask scheduler; see docs/service.md.

What crosses: the name of ``attempt_at_node`` and one byte string of MessagePack there, one back.
Dask itself unpickles what it is sent, so only our own processes may reach it: over mutual TLS, or
on one machine. Nodes have no database; they fetch cases by digest from the object store, and keep
none of their bytes on the disk once an attempt is over.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import distributed
import msgspec
from distributed.comm.core import CommClosedError
from distributed.security import Security
from fastapi.concurrency import run_in_threadpool

from api.engines import Hearer, made_by
from api.logs import log, trace_of
from api.problems import (
    ANSWERS,
    FaultError,
    Problem,
    ProblemError,
    StorageError,
    WorkerLostError,
    problem_of,
)
from api.settings import Settings
from api.storage.bundle import CASES, CONTENTS, write_list
from api.storage.ledger import StoredPlan
from api.storage.objects import ObjectContents
from api.storage.store import Store
from api.workers import Workers, prepare_to_start_workers

_PROGRESS = "trocar-progress"
_AGAIN_S = 2.0
_CONNECT_S = 10.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, as a node is told of it.

    Attributes:
        attempt: Plan and fence, which no other attempt has.
        case_id: The case.
        files: What it is made of: digests in the object store by name.
        request: The checked request.
    """

    attempt: str
    case_id: str
    files: dict[str, str]
    request: dict[str, Any]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt: a plan's text, a problem, a lost worker, or a fault of ours."""

    answer: str | None = None
    problem: Problem | None = None
    lost: str | None = None
    fault: str | None = None


class DaskEngine:
    """The nodes of a cluster.

    Args:
        settings: Where its scheduler is, and how to show who we are.
        store: What cases are made of.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._client: distributed.Client | None = None
        self._connecting = asyncio.Lock()
        self._hearers: dict[str, Hearer] = {}

    async def make(self, plan: StoredPlan, heard: Hearer) -> str:
        """Return the text of the plan; waits until there is a scheduler. See ``Engine``."""
        files = await run_in_threadpool(self._store.files_of, plan.case_id)
        attempt = f"{plan.plan_id}-{plan.fence}"
        asked = Asked(attempt=attempt, case_id=plan.case_id, files=files, request=plan.request)
        client = await self._connected()
        self._hearers[attempt] = heard
        try:
            return _answer(await self._outcome(client, asked))
        finally:
            del self._hearers[attempt]

    def nodes(self) -> int:
        """Return how many nodes there are."""
        client = self._client
        if client is None or client.status != "running":
            return 0
        return len(client.scheduler_info().get("workers", ()))

    def is_ready(self) -> bool:
        """Tell whether there is a scheduler with a node."""
        return self.nodes() > 0

    async def connect(self) -> None:
        """Have a connection, before the first plan needs it, and again whenever it was lost."""
        while True:
            await self._connected()
            await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        """Let go of the scheduler; attempts under way are given up there."""
        if self._client is not None:
            await self._client.close()

    async def _outcome(self, client: distributed.Client, asked: Asked) -> Outcome:
        future = client.submit(
            attempt_at_node, msgspec.msgpack.encode(asked), key=asked.attempt, pure=False, retries=0
        )
        try:
            return msgspec.msgpack.decode(await future, type=Outcome)
        except (asyncio.CancelledError, distributed.CancelledError) as error:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                raise WorkerLostError("the scheduler of the cluster was lost") from error
            with contextlib.suppress(OSError, RuntimeError):
                await asyncio.shield(client.run(forget_at_node, asked.attempt))
            raise
        except (distributed.KilledWorker, CommClosedError, OSError, RuntimeError) as error:
            raise WorkerLostError("the node that did the work was lost") from error
        finally:
            future.release()

    async def _connected(self) -> distributed.Client:
        """Return a connection to the scheduler, as soon as there is one."""
        async with self._connecting:
            while self._client is None or self._client.status != "running":
                if self._client is not None:
                    await self._client.close()
                    self._client = None
                try:
                    self._client = await distributed.Client(
                        self._settings.engine, security=security(self._settings),
                        asynchronous=True, timeout=_CONNECT_S, set_as_default=False,
                    )  # fmt: skip
                    self._client.subscribe_topic(_PROGRESS, self._heard)
                except OSError:
                    log().warning("no scheduler answers at TROCAR_ENGINE")
                    await asyncio.sleep(_AGAIN_S)
            return self._client

    def _heard(self, event: tuple[float, tuple[str, str, float]]) -> None:
        attempt, stage, share = event[1]
        hearer = self._hearers.get(attempt)
        if hearer is not None:
            hearer(stage, share)


def _answer(outcome: Outcome) -> str:
    if outcome.problem is not None:
        raise ProblemError(outcome.problem)
    if outcome.lost is not None:
        raise WorkerLostError(outcome.lost)
    if outcome.answer is None:
        raise FaultError(outcome.fault or "")
    return outcome.answer


class Node:
    """What makes plans on one machine; there is one in a process."""

    here: "Node | None" = None

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        (folder / CASES).mkdir()
        self._contents = ObjectContents(folder / CONTENTS, settings.object_store or "")
        self._workers = Workers(
            count=settings.workers, max_waiting=0, memory_bytes=settings.max_worker_bytes,
            timeout_s=settings.max_job_s,
        )  # fmt: skip
        self._attempts: dict[str, asyncio.Task[str]] = {}
        self._in_hand: dict[str, int] = {}
        self.dask: distributed.Worker | None = None

    async def outcome(self, asked: Asked) -> Outcome:
        """Return what comes of an attempt."""
        task = asyncio.create_task(self._made(asked))
        self._attempts[asked.attempt] = task
        try:
            return Outcome(answer=await task)
        except (WorkerLostError, StorageError) as error:
            return Outcome(lost=str(error))
        except asyncio.CancelledError:
            return Outcome(lost="the attempt was given up")
        except ProblemError as error:
            return Outcome(problem=error.problem)
        except tuple(ANSWERS) as error:
            return Outcome(problem=problem_of(error))
        except Exception as error:  # noqa: BLE001  the node's own edge: told to the service
            return Outcome(fault=str(error) if isinstance(error, FaultError) else trace_of(error))
        finally:
            del self._attempts[asked.attempt]

    def forget(self, attempt: str) -> None:
        """End an attempt that nobody waits for any more."""
        task = self._attempts.get(attempt)
        if task is not None:
            task.cancel()

    async def _made(self, asked: Asked) -> str:
        loop = asyncio.get_running_loop()

        def heard(stage: str, share: float) -> None:
            if self.dask is not None:
                told = (asked.attempt, stage, share)
                loop.call_soon_threadsafe(self.dask.log_event, _PROGRESS, told)

        async with self._brought(asked) as folder:
            return await made_by(self._workers, folder, asked.request, heard)

    @asynccontextmanager
    async def _brought(self, asked: Asked) -> AsyncIterator[Path]:
        """Yield the folder of a case, whose bytes are here only as long as somebody works on it."""
        folder, digests = self._folder / CASES / asked.case_id, set(asked.files.values())
        for digest in digests:
            self._in_hand[digest] = self._in_hand.get(digest, 0) + 1
        try:
            for digest in digests:
                await run_in_threadpool(self._contents.bring, digest)
            await run_in_threadpool(write_list, folder, asked.files)
            yield folder
        finally:
            for digest in digests:
                self._in_hand[digest] -= 1
                if not self._in_hand[digest]:
                    del self._in_hand[digest]
                    self._contents.let_go(digest)

    def close(self) -> None:
        """End all processes."""
        self._workers.close()


async def attempt_at_node(asked: bytes) -> bytes:
    """Make an attempt at the node that this runs in; called by Dask."""
    if Node.here is None:
        raise RuntimeError("only `trocar node` makes plans; this Dask worker is another's")
    outcome = await Node.here.outcome(msgspec.msgpack.decode(asked, type=Asked))
    return msgspec.msgpack.encode(outcome)


async def forget_at_node(attempt: str) -> None:
    """End an attempt, if it is this node's; called by Dask at all nodes."""
    if Node.here is not None:
        Node.here.forget(attempt)


async def run_node(settings: Settings) -> None:
    """Make plans for whoever asks the scheduler, until this is cancelled."""
    prepare_to_start_workers()
    with tempfile.TemporaryDirectory(prefix="trocar-node-") as temporary:
        Node.here = node = Node(settings, Path(temporary))
        try:
            while True:
                with contextlib.suppress(OSError, TimeoutError):
                    await _serve(settings, node, temporary)
                log().warning("no scheduler answers at TROCAR_ENGINE")
                await asyncio.sleep(_AGAIN_S)
        finally:
            node.close()


async def _serve(settings: Settings, node: Node, folder: str) -> None:
    """Serve one scheduler until it goes."""
    async with distributed.Worker(
        settings.engine, security=security(settings), nthreads=settings.workers,
        local_directory=folder, dashboard_address="127.0.0.1:0", memory_limit=0,
        death_timeout=_CONNECT_S,
    ) as dask:  # fmt: skip
        node.dask = dask
        await dask.finished()


def security(settings: Settings) -> Security:
    """Return how this process shows who it is, and whom it trusts; nothing on one machine."""
    if settings.engine_ca is None:
        return Security()
    shown = {
        f"tls_{role}_{part}": str(path)
        for role in ("client", "worker", "scheduler")
        for part, path in (("cert", settings.engine_certificate), ("key", settings.engine_key))
    }
    return Security(tls_ca_file=str(settings.engine_ca), require_encryption=True, **shown)
