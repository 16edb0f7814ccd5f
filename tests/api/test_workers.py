"""Workers: a job that kills its process takes nobody else with it, and refusals come back whole."""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from api.problems import BusyError, FaultError, JobTimeoutError, ProblemError, WorkerLostError
from api.work import Recent
from api.worker_process import Talk
from api.workers import Workers, prepare_to_start_workers
from planner.needles.catalogue import needle_named

MEMORY_BYTES = 8 << 30


def with_workers(
    use: Callable[[Workers], Awaitable[None]],
    *,
    count: int = 1,
    max_waiting: int = 8,
    timeout_s: float = 60.0,
) -> None:
    async def run() -> None:
        prepare_to_start_workers()
        workers = Workers(
            count=count, max_waiting=max_waiting, memory_bytes=MEMORY_BYTES, timeout_s=timeout_s
        )
        try:
            await use(workers)
        finally:
            workers.close()

    asyncio.run(run())


def test_a_job_that_kills_its_process_is_reported_and_the_next_one_runs() -> None:
    async def use(workers: Workers) -> None:
        first = await workers.run("", os.getpid)
        with pytest.raises(WorkerLostError):
            await workers.run("", os._exit, 3)
        second = await workers.run("", os.getpid)
        assert second not in {first, os.getpid()}

    with_workers(use)


def test_a_process_killed_while_idle_is_replaced() -> None:
    async def use(workers: Workers) -> None:
        first = await workers.run("", os.getpid)
        os.kill(first, 9)
        # Seen by the pool or not yet: either way no other job may suffer for it.
        answers = [await workers.run("", os.getpid) for _ in range(2)]
        assert first not in answers

    with_workers(use)


def test_jobs_waiting_behind_a_killed_one_are_done() -> None:
    async def use(workers: Workers) -> None:
        answers = await asyncio.gather(
            workers.run("", os.getpid),
            workers.run("", os._exit, 3),
            workers.run("", os.getpid),
            workers.run("", os.getpid),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [int, WorkerLostError, int, int]

    with_workers(use)


def test_a_refusal_in_a_worker_comes_back_with_its_field() -> None:
    async def use(workers: Workers) -> None:
        with pytest.raises(ProblemError) as caught:
            await workers.run("", needle_named, "nail", field="needles[1]")
        [error] = caught.value.problem.errors
        assert (error.field, error.code) == ("needles[1]", "unknown-needle")

    with_workers(use)


def test_a_fault_of_ours_in_a_worker_is_told_with_its_trace() -> None:
    async def use(workers: Workers) -> None:
        first = await workers.run("", os.getpid)
        with pytest.raises(FaultError, match="ZeroDivisionError"):
            await workers.run("", divmod, 1, 0)
        assert await workers.run("", os.getpid) == first

    with_workers(use)


def test_a_cancelled_job_ends_at_once_and_the_next_one_runs() -> None:
    async def use(workers: Workers) -> None:
        first = await workers.run("", os.getpid)
        stuck = asyncio.create_task(workers.run("", time.sleep, 600.0))
        await asyncio.sleep(0.05)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        assert await workers.run("", os.getpid) != first
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)

    with_workers(use)


def test_a_job_cancelled_while_its_process_starts_is_not_done(tmp_path: Path) -> None:
    async def use(workers: Workers) -> None:
        early = asyncio.create_task(workers.run("", os.mkdir, str(tmp_path / "done")))
        await asyncio.sleep(0.001)
        early.cancel()
        with pytest.raises(asyncio.CancelledError):
            await early
        await workers.run("", os.getpid)
        assert not (tmp_path / "done").exists()

    with_workers(use)


def test_a_job_that_takes_too_long_is_ended() -> None:
    async def use(workers: Workers) -> None:
        with pytest.raises(JobTimeoutError, match=r"0\.5 s"):
            await workers.run("", time.sleep, 600.0)

    with_workers(use, timeout_s=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="needs limits that Linux keeps")
def test_a_job_that_wants_all_memory_is_refused_and_its_worker_lives() -> None:
    async def use(workers: Workers) -> None:
        first = await workers.run("", os.getpid)
        with pytest.raises(ProblemError) as caught:
            await workers.run("", bytearray, MEMORY_BYTES)
        assert caught.value.problem.answer.slug == "memory"
        assert await workers.run("", os.getpid) == first

    with_workers(use)


def _in_a_process_of_its_own() -> int:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(abs, -3).result()


def test_a_job_can_start_a_process_of_its_own() -> None:
    async def use(workers: Workers) -> None:
        assert await workers.run("", _in_a_process_of_its_own) == 3

    with_workers(use)


def _spell(talk: Talk, word: str) -> str:
    """Say the letters of a word and of what is heard; run in a worker."""
    for letter in word:
        talk.say(letter)
    while (heard := talk.newest()) is not None:
        talk.say(heard.decode())
    return word


def test_a_job_can_talk_while_it_works() -> None:
    async def use(workers: Workers) -> None:
        heard: list[str] = []

        def hear(letter: str) -> None:
            heard.append(letter)
            if letter == "c":
                worker.tell(b"!")
            elif letter == "!":
                worker.tell(None)

        async with workers.turn("") as worker:
            assert await worker.converse(hear, _spell, "abc") == "abc"
            worker.tell(b"late")
            assert await worker.do(os.getpid) > 0
        assert heard == ["a", "b", "c", "!"]

    with_workers(use)


def test_a_case_goes_to_the_worker_that_has_it_in_memory() -> None:
    async def use(workers: Workers) -> None:
        one, two = await asyncio.gather(workers.run("a", os.getpid), workers.run("b", os.getpid))
        assert one != two
        for _ in range(3):
            assert await workers.run("b", os.getpid) == two
            assert await workers.run("a", os.getpid) == one

    with_workers(use, count=2)


def test_too_many_waiting_jobs_are_turned_away() -> None:
    async def use(workers: Workers) -> None:
        running = asyncio.create_task(workers.run("", os.getpid))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await workers.run("", os.getpid)
        await running
        await workers.run("", os.getpid)

    with_workers(use, max_waiting=0)


def test_the_values_least_lately_used_are_let_go() -> None:
    recent: Recent[str] = Recent(2)
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    for name in ("a", "b", "a", "c", "a", "b"):
        assert recent.get((name,), lambda name=name: make(name)) == name  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
