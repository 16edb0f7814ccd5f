"""Who makes plans: this machine's workers, or the nodes of a cluster; one setting chooses.

An engine only runs attempts. What was asked for, and what came of it, is the ledger's alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fastapi.concurrency import run_in_threadpool

from api import work
from api.storage.ledger import StoredPlan
from api.workers import Workers

Hearer = Callable[[str, float], None]


class Engine(Protocol):
    """Runs attempts at plans."""

    async def make(self, plan: StoredPlan, heard: Hearer) -> str:
        """Return the text of the plan; ended if cancelled.

        Args:
            plan: As it was claimed.
            heard: Told the stage and the share that is done, from any thread.

        Raises:
            WorkerLostError: If a process or a machine died over it.
            ProblemError: If it cannot be made.
            JobTimeoutError: If it took too long.
        """
        ...

    async def connect(self) -> None:
        """Stay in touch with whatever it needs, until cancelled."""
        ...

    def is_ready(self) -> bool:
        """Tell whether it could start on a plan now."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class LocalEngine:
    """The workers of this machine.

    Args:
        workers: Who makes plans, among other things; closed by whoever made them.
        at_hand: Where a worker finds a case, by its id.
    """

    def __init__(self, workers: Workers, at_hand: Callable[[str], Path]) -> None:
        self._workers, self._at_hand = workers, at_hand

    async def make(self, plan: StoredPlan, heard: Hearer) -> str:
        """Return the text of the plan; see ``Engine``."""
        folder = await run_in_threadpool(self._at_hand, plan.case_id)
        return await made_by(self._workers, folder, plan.request, heard)

    async def connect(self) -> None:
        """Do nothing: all is here."""

    def is_ready(self) -> bool:
        """Tell whether it could start on a plan now."""
        return True

    async def close(self) -> None:
        """Do nothing: the workers are others'."""


async def made_by(workers: Workers, folder: Path, request: dict[str, object], heard: Hearer) -> str:
    """Return the text of a plan that a worker makes for the case in ``folder``."""
    async with workers.patient_turn(folder.name) as worker:
        return await workers.timed(
            worker.converse(lambda said: heard(*said), work.plan_aloud, folder, request)
        )
