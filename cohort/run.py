"""A cohort from its spec to its report."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cohort.engines import Engine
from cohort.report import write_report
from cohort.spec import Spec
from cohort.store import keep, missing, open_folder, records
from cohort.tables import write_tables

Progress = Callable[[int, int], None]


def run_cohort(spec: Spec, folder: Path, engine: Engine, progress: Progress) -> list[Path]:
    """Plan the spines of a cohort that are not done, then write tables and report.

    Args:
        spec: The cohort.
        folder: Where what is done is kept; a run that was stopped goes on there.
        engine: Where the work is done.
        progress: Told how many spines are done, and of how many.

    Returns:
        The files written for people: tables and report.

    Raises:
        RequestError: If the folder holds another cohort.
    """
    open_folder(folder, spec)
    left = missing(folder, spec)
    done = spec.size - len(left)
    progress(done, spec.size)
    for record in engine(asdict(spec), left):
        keep(folder, record)
        done += 1
        progress(done, spec.size)
    found = list(records(folder))
    return [*write_tables(found, folder), write_report(spec, found, folder)]
