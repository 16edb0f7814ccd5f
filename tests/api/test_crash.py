"""What was accepted is finished, whatever is killed meanwhile; ``benchmarks.crash`` in short."""

from pathlib import Path

import pytest

from benchmarks.crash import run


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find processes")
def test_nothing_that_was_accepted_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    tally = run(kills=2, seed=6, folder=tmp_path, light=True)
    assert tally.kills["service"] >= 1
    assert tally.kills["process"] >= 1
    assert tally.finished == len(tally.plans) > 0
    assert (tally.lost, tally.duplicated, tally.corrupted) == (0, 0, 0)
