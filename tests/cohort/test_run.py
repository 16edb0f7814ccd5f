"""Running a cohort: what is done is kept whole, a stopped run goes on, lost workers cost nothing."""

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cohort.engines import engine_named
from cohort.run import run_cohort
from cohort.spec import BUILT_IN, SERIES, Spec, spine_name
from cohort.store import keep, missing, open_folder
from planner.errors import RequestError

SPEC = BUILT_IN["bilateral-t4-l5"]


def _record(number: int) -> dict[str, Any]:
    return {"spine": spine_name(number), "targets": [], "times_s": {}}


class Stopping:
    """An engine that does some spines, last first, and is stopped."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.asked: list[int] = []

    def __call__(self, _: Mapping[str, Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        self.asked += numbers
        for number in list(reversed(numbers))[: self.after]:
            yield _record(number)
        if len(numbers) > self.after:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first, second = Stopping(5), Stopping(100)
    with pytest.raises(KeyboardInterrupt):
        run_cohort(SPEC, tmp_path, first, lambda *state: told.append(state))
    assert not (tmp_path / "report.html").exists()
    written = run_cohort(SPEC, tmp_path, second, lambda *state: told.append(state))
    assert first.asked == list(range(SPEC.size))
    assert second.asked == list(range(SPEC.size - 5))
    assert told[6] == (5, SPEC.size)
    assert told[-1] == (SPEC.size, SPEC.size)
    assert all(path.exists() for path in written)


def test_a_file_that_was_being_written_counts_as_missing(tmp_path: Path) -> None:
    open_folder(tmp_path, SPEC)
    keep(tmp_path, _record(3))
    whole = tmp_path / "spines" / f"{spine_name(3)}.json"
    assert json.loads(whole.read_text(encoding="utf-8")) == _record(3)
    (tmp_path / "spines" / f"{spine_name(4)}.json.part").write_text('{"spine": "0000')
    assert missing(tmp_path, SPEC) == [n for n in range(SPEC.size) if n != 3]


def test_a_folder_of_another_cohort_is_refused(tmp_path: Path) -> None:
    open_folder(tmp_path, SPEC)
    open_folder(tmp_path, SPEC)
    with pytest.raises(RequestError, match="another cohort") as refused:
        open_folder(tmp_path, Spec(name=SPEC.name, series=SPEC.series, seed=2))
    assert refused.value.field == "out"


def test_an_unknown_engine_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(RequestError, match="local, dask"):
        engine_named("ray", 2)


def lethal(fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Kill the process that works on spine 2, once."""
    mark = Path(fields["folder"]) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _record(number)


@pytest.mark.parametrize("name", ["local", "dask"])
def test_spines_of_a_worker_that_dies_are_worked_on_again(name: str, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the cluster extra is not installed")
    engine = engine_named(name, 2, work=lethal)
    records = list(engine({"folder": str(tmp_path)}, range(4)))
    assert (tmp_path / "died").exists()
    assert sorted(r["spine"] for r in records) == [spine_name(n) for n in range(4)]


def test_the_published_mix_is_that_of_the_series() -> None:
    stories = SERIES["published"].stories
    loose = [level[0] for s in stories for level, _ in s.loose_screws]
    within = [level[0] for s in stories for level in s.within.split()]
    adjacent = [level[0] for s in stories for level in s.junctional.split()]
    cages = [level[0] for s in stories for level in s.cages.split()]
    assert (len(stories), len(loose), len(cages)) == (31, 42, 7)
    assert (len(within), len(adjacent)) == (12, 11)
    levels = [*loose, *within, *adjacent, *cages]
    assert [levels.count(part) for part in "TLSi"] == [32, 24, 13, 3]
    assert [s.loose_screws[0][0] for s in SERIES["bilateral"].stories] == [
        *(f"T{n}" for n in range(4, 13)), *(f"L{n}" for n in range(1, 6)),
    ]  # fmt: skip


def test_a_spine_is_the_same_wherever_it_is_drawn_and_others_differ() -> None:
    first, again, copy = SPEC.patient(6), SPEC.patient(6), SPEC.patient(6 + SPEC.size)
    assert first == again
    assert copy.story == first.story
    assert copy.recipe != first.recipe
    other = Spec(name="x", series=SPEC.series, seed=2).patient(6)
    assert other.recipe.seed != first.recipe.seed
