"""The benchmarks' own bookkeeping: what is compared is comparable, and nothing is left unsaid."""

import numpy as np
import pytest

from benchmarks import ours, peers, sampled
from benchmarks.bars import BARS, Bar, final
from benchmarks.peers import assembled
from benchmarks.report import Reached, Table, markdown, text
from benchmarks.scenes import Lines, Surroundings, bundled, mixed_lines, surroundings
from benchmarks.timing import Engine, Pace, rates


@pytest.fixture(scope="module")
def around() -> Surroundings:
    return surroundings(bundled())


def test_samples_cover_each_line_end_to_end_in_steps_no_longer_than_asked(
    rng: np.random.Generator,
) -> None:
    lines = mixed_lines(50, rng)
    points, begins = lines.samples(1.0)
    pieces = np.split(points, begins[1:])
    assert len(pieces) == len(lines)
    for piece, start, end in zip(pieces, lines.starts_mm, lines.ends_mm, strict=True):
        np.testing.assert_allclose(piece[[0, -1]], [start, end], atol=1e-12)
        assert np.linalg.norm(np.diff(piece, axis=0), axis=1).max() <= 1.0 + 1e-12


def test_our_engines_agree_on_what_they_all_measure(
    around: Surroundings, rng: np.random.Generator
) -> None:
    lines = mixed_lines(40, rng)
    each = ours.exact_each(around).answer(lines)
    np.testing.assert_array_equal(each, ours.exact_each_called(around).answer(lines))
    least = (each - around.margins_mm).min(axis=1)
    np.testing.assert_allclose(ours.exact_least(around).answer(lines), least, atol=1e-9)
    allowed = ours.proved_allows(around, 1.0).answer(lines)
    np.testing.assert_array_equal(allowed, least >= 1.0)


def test_sampling_the_map_errs_by_no_more_than_the_field_and_half_a_step(
    around: Surroundings, rng: np.random.Generator
) -> None:
    lines = mixed_lines(40, rng)
    exact = ours.exact_least(around).answer(lines)
    error = 0.5 + 0.867 * around.scene.field.spacing_mm
    for engine in (sampled.scipy_map(around), ours.field_least(around)):
        assert np.abs(engine.answer(lines) - exact).max() <= error


def test_a_peer_that_is_not_installed_is_named_with_the_reason(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PEERS", {"no_such_library": "none"})
    engines, missing = assembled(
        {"absent": lambda _: _of(peers.library("no_such_library").__name__), "here": _named}, around
    )
    assert [e.name for e in engines] == ["here"]
    assert [(m.name, "no_such_library" in m.why) for m in missing] == [("absent", True)]
    assert peers.version_of("no_such_library").startswith("missing")


def test_engines_are_timed_on_lines_that_begin_alike() -> None:
    seen: dict[str, set[float]] = {"fast": set(), "slow": set()}
    lines = Lines(starts_mm=np.arange(90.0).reshape(-1, 3), ends_mm=np.zeros((30, 3)))

    def engine(name: str) -> Engine:
        def answer(some: Lines) -> np.ndarray:
            seen[name].add(float(some.starts_mm[0, 0]))
            return np.zeros(len(some))

        return Engine(name=name, version="", answer=answer)

    measured = rates([engine("fast"), engine("slow")], lines, Pace(repeats=2, seconds=1e-3))
    assert [r.engine.name for r in measured] == ["fast", "slow"]
    assert seen == {"fast": {0.0}, "slow": {0.0}}


def test_every_bar_stands_in_the_final_table_measured_or_not() -> None:
    rows = final({"exact/coal": Reached(value=7.9, limit="why")}).rows
    assert len(rows) == len(BARS)
    assert rows[0][2:] == (7.9, "no", "why")
    assert {row[3] for row in rows[1:]} == {"not measured"}
    assert all(row[4] for row in rows)


def test_a_bar_is_met_on_its_own_side_only() -> None:
    assert [Bar(goal="", least=2.0).met(v) for v in (1.9, 2.0, 3.0)] == ["no", "yes", "yes"]
    assert [Bar(goal="", most=2.0).met(v) for v in (1.9, 2.0, 3.0)] == ["yes", "yes", "no"]


def test_figures_are_written_with_three_digits() -> None:
    assert [text(c) for c in (None, 0.123456, 12345.6, 7, "x")] == [
        "-", "0.123", "12,300", "7", "x",
    ]  # fmt: skip
    table = Table(title="T", columns=("a", "b"), rows=[("x", 0.5)], note="N")
    assert markdown(table).splitlines()[-3:] == ["| x | 0.5 |", "", "N"]


def _of(name: str) -> Engine:
    return Engine(name=name, version="", answer=lambda lines: np.zeros(len(lines)))


def _named(_around: Surroundings) -> Engine:
    return _of("here")
