"""Where the spines of a cohort are worked on: here, in processes of this machine, or by dask.

Every engine takes the fields of a ``Spec`` and numbers of spines and yields their records as they
are done, in any order. A spine whose worker dies is worked on again, a few times.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from typing import Any, TypeAlias

from cohort.work import spine_record
from planner.errors import RequestError

Fields: TypeAlias = Mapping[str, Any]
Record: TypeAlias = dict[str, Any]
Work: TypeAlias = Callable[[Fields, int], Record]
Engine: TypeAlias = Callable[[Fields, Sequence[int]], Iterator[Record]]
MOST_LOSSES = 3  # of workers, before a run is given up
ENGINES = "local, dask, or the address of a dask scheduler such as tcp://host:8786"


def engine_named(name: str, workers: int, *, work: Work = spine_record) -> Engine:
    """Return an engine.

    Args:
        name: ``local``, ``dask`` (workers of this machine, over TCP), or a scheduler's address.
        workers: Processes; an address has its own.
        work: What is done for each number; a function of a module that workers can import.

    Raises:
        RequestError: If there is no such engine, or what it needs is not installed.
    """
    if name == "local":
        if workers == 1:
            return partial(in_this_process, work=work)
        return partial(in_processes, workers=workers, work=work)
    if name == "dask" or name.startswith(("tcp://", "tls://")):
        address = None if name == "dask" else name
        return partial(_dask(), address=address, workers=workers, work=work)
    raise RequestError(
        f"{name[:80]!r} is no engine; use {ENGINES}", field="engine", code="unknown-engine"
    )


def in_this_process(spec: Fields, numbers: Sequence[int], *, work: Work) -> Iterator[Record]:
    """Work on one spine after the other."""
    return (work(spec, number) for number in numbers)


def in_processes(
    spec: Fields, numbers: Sequence[int], *, workers: int, work: Work
) -> Iterator[Record]:
    """Work on as many spines at once as there are processes."""
    left = set(numbers)
    losses = 0
    while left:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        try:
            futures = {pool.submit(work, spec, n): n for n in sorted(left)}
            for future in as_completed(futures):
                record = future.result()
                left.remove(futures[future])
                yield record
        except BrokenProcessPool:
            losses += 1
            if losses > MOST_LOSSES:
                raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _dask() -> Callable[..., Iterator[Record]]:
    """Return ``cohort.by_dask.by_dask``, which is loaded only for those who ask for it.

    Raises:
        RequestError: If dask is not installed.
    """
    try:
        found: Callable[..., Iterator[Record]] = import_module("cohort.by_dask").by_dask
    except ImportError as error:
        raise RequestError(
            "needs dask: pip install 'trocar[cluster]'", field="engine", code="no-dask"
        ) from error
    return found
