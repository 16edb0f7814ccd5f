"""Spines worked on wherever a dask scheduler has workers; they need this package, no files.

A worker is sent the name of a function, the few fields of a cohort and a number, and sends a record
back. Dask pickles these; who reaches a scheduler can run what they like on its workers, so
on a network it has to be one that asks for certificates (``tls://``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from distributed import Client, LocalCluster, as_completed


def by_dask(
    spec: Mapping[str, Any],
    numbers: Sequence[int],
    *,
    address: str | None,
    workers: int,
    work: Callable[[Mapping[str, Any], int], dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Yield the records of spines as they are done; what a lost worker had is done by another.

    Args:
        spec: The fields of the cohort.
        numbers: Of its spines.
        address: The scheduler's; None for one of this machine.
        workers: How many processes that one gets.
        work: What is done for each of them.
    """
    with _client(address, workers) as client:
        futures = [client.submit(work, dict(spec), n, pure=False) for n in numbers]
        for future, record in as_completed(futures, with_results=True):
            future.release()
            yield record


@contextmanager
def _client(address: str | None, workers: int) -> Iterator[Client]:
    """Yield a client of a scheduler, or of one with workers of this machine over TCP."""
    if address is not None:
        with Client(address) as client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
            protocol="tcp://", dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client
