"""Reports: shares counted right, every failure told, the same bytes twice but for the times."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from cohort.counts import Share, blockers, blocking, by_needle, share, spines, spread, targets_of
from cohort.report import report
from cohort.run import run_cohort
from cohort.spec import BUILT_IN, WITHIN, spine_name
from cohort.store import records
from cohort.tables import write_tables
from cohort.work import plan_record
from planner.case import Side
from planner.case_io import load_case
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, PlanRequest

SPEC = BUILT_IN["published-72"]
NEEDLES = ("15G-bevel-150", "11G-120")


def _class(needle: str, status: str, **more: object) -> dict[str, Any]:
    one: dict[str, Any] = {
        "approach": "transpedicular", "side": "left", "needle": needle, "status": status,
        "best_margin_mm": 0.5, "upper_bound_mm": 0.6, "tolerance_mm": 0.25, "boxes": 900,
        "limited_by": ["rod_L"], "blocked_by": [], "would_open": [], "statement": "said",
    }  # fmt: skip
    return {**one, **more}


def _target(name: str, level: str, *, found: bool) -> dict[str, Any]:
    best = {
        "approach": "transpedicular", "side": "left", "technique": "residual_corridor",
        "needle": NEEDLES[0], "margin_mm": 0.5, "limiting_structure": "rod_L", "length_mm": 91.0,
        "obliquity_deg": 20.0, "breach_probability": 0.1, "bulls_eye": "LPO 20 CRA 5",
        "bulls_eye_primary_deg": 160.0, "bulls_eye_secondary_deg": 5.0,
        "bulls_eye_reachable": True, "plastic_bend": False,
    }  # fmt: skip
    closed = {
        "blocked_by": ["screw_<T8>_L"], "best_margin_mm": -0.5, "upper_bound_mm": -0.4,
        "would_open": ["thin"],
    }  # fmt: skip
    return {
        "target": name, "level": level, "region": "thoracic", "failure": "loose screw", "way": "",
        "outcome": "found" if found else "no_safe_path", "explanation": f"told about {name}",
        "best": best if found else None,
        "classes": [
            _class(NEEDLES[0], "found" if found else "infeasible", **({} if found else closed)),
            _class(NEEDLES[1], "infeasible", **closed),
        ],
    }  # fmt: skip


def _records(seconds: float) -> list[dict[str, Any]]:
    spine = {"sex": "female", "scale": 0.96, "pedicle_width": 1.0, "scoliotic": False}
    return [
        {
            **spine, "spine": f"{number:06d}", "targets": targets,
            "times_s": {"drawing": seconds, **{t["target"]: seconds for t in targets}},
        }
        for number, targets in enumerate((
            [_target("a-1", "T8", found=True), _target("a-2", "T10", found=False)],
            [_target("b-1", "T8", found=True)],
        ))
    ]  # fmt: skip


def test_shares_count_targets_spines_and_needles() -> None:
    targets = targets_of(_records(1.0))
    assert share(targets) == Share(part=2, whole=3)
    assert spines(targets) == Share(part=1, whole=2)
    first, second = (by_needle(targets, lambda _: True)[needle] for needle in NEEDLES)
    assert (first.safe, first.closed) == (Share(part=2, whole=3), Share(part=1, whole=3))
    assert (second.safe, second.closed) == (Share(part=0, whole=3), Share(part=3, whole=3))
    assert second.closed_by == ("rod", "screw")
    assert by_needle(targets, lambda approach: approach == "along_screw") == {}


def test_a_class_without_a_way_counts_nowhere() -> None:
    none = _class("a", "stopped", best_margin_mm=None, upper_bound_mm=None, boxes=0)
    assert by_needle([{"classes": [none]}], lambda _: True) == {}


def test_what_blocks_is_counted_by_its_sort_once_for_each_class() -> None:
    names = ["screw_T8_L", "screw_T8_R", "derived_root_T7_left", "T9"]
    one = _class("a", "infeasible", blocked_by=names, limited_by=["pleura_L"])
    open_one = _class("b", "found", limited_by=["aorta"])
    assert blocking([one, one, open_one]) == {
        "derived root": 2, "pleura": 2, "screw": 2, "vertebra": 2,
    }  # fmt: skip


def test_a_class_that_is_not_decided_counts_as_safe_only_with_a_path() -> None:
    open_ended = [_class("a", "stopped", best_margin_mm=m) for m in (None, -0.1, 0.2)]
    for one, safe in zip(open_ended, (False, False, True), strict=True):
        (ends,) = by_needle([{"classes": [one]}], lambda _: True).values()
        assert ends.safe.part == safe
        assert ends.undecided.part == (not safe)
        assert ends.closed.part == 0


def test_a_way_is_told_with_what_closes_it_and_what_would_open_it() -> None:
    ((way, said),) = blockers(_target("x", "T8", found=False))
    assert way == "transpedicular left"
    assert "2 of 2 needles" in said
    assert "screw_<T8>_L" in said
    assert said.endswith("it would be safe thin")


def test_quartiles_of_few_values_are_told_and_none_is_a_dash() -> None:
    assert spread([]) == "-"
    assert spread([2.0]) == "2.0 / 2.0 / 2.0 / 2.0 / 2.0"
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == "1.0 / 2.0 / 3.0 / 4.0 / 5.0"


def test_the_page_tells_every_failure_escapes_names_and_needs_nothing_else() -> None:
    page = report(SPEC, _records(1.0))
    assert "told about a-2" in page
    assert "told about a-1" not in page
    assert "screw_&lt;T8&gt;_L" in page
    assert "<T8>" not in page
    assert "2/3 (67 %)" in page
    assert "not a medical device" in page
    assert not [word for word in ("<script", "<link", "src=", "http") if word in page]


def test_two_runs_differ_in_their_times_alone(tmp_path: Path) -> None:
    quick, slow = (report(SPEC, _records(s)).split('<section id="times">') for s in (1.0, 9.0))
    assert quick[0] == slow[0]
    assert quick[1] != slow[1]
    for folder, seconds in (("quick", 1.0), ("slow", 9.0)):
        (tmp_path / folder).mkdir()
        write_tables(_records(seconds), tmp_path / folder)
    for name, same in (("targets", True), ("classes", True), ("times", False)):
        both = [(tmp_path / f / f"{name}.parquet").read_bytes() for f in ("quick", "slow")]
        assert (both[0] == both[1]) is same, name


def test_tables_hold_a_row_for_each_target_and_each_class(tmp_path: Path) -> None:
    write_tables(_records(1.0), tmp_path)
    targets = parquet.read_table(tmp_path / "targets.parquet").to_pylist()
    assert [t["target"] for t in targets] == ["a-1", "a-2", "b-1"]
    assert targets[0]["margin_mm"] == pytest.approx(0.5)
    assert targets[1]["margin_mm"] is None
    classes = parquet.read_table(tmp_path / "classes.parquet").to_pylist()
    assert len(classes) == 6
    assert classes[-1]["blocked_by"] == ["screw_<T8>_L"]


SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
CLOCK = itertools.count(1.0)


def _planned(_: Mapping[str, Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Work on two spines: a part of a sample, through a pedicle with a thick or a thin needle."""
    kept = {"L3", "dural_sac", "screw_L3_L"}
    case = load_case(SAMPLE)
    part = replace(case, structures=tuple(s for s in case.structures if s.name in kept))
    prepared = PreparedCase(part)
    for number in sorted({0, 1} & set(numbers)):
        request = PlanRequest(
            target=AnteriorBody(level="L3"), approaches=(Approach.TRANSPEDICULAR,),
            sides=(Side.LEFT,), needles=(("8G-150", NEEDLES[0])[number],), max_trajectories=1,
        )  # fmt: skip
        spine = spine_name(number)
        head = {"level": "L3", "region": "lumbar", "failure": WITHIN, "way": ""}
        target = {"target": f"{spine}-1", **head, **plan_record(plan(prepared, request))}
        body = {"sex": "female", "scale": 1.0, "pedicle_width": 1.0, "scoliotic": False}
        times = {name: next(CLOCK) for name in ("drawing", target["target"])}
        yield {"spine": spine, **body, "targets": [target], "times_s": times}


def _stopped(fields: Mapping[str, Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Work on the last of them, and be stopped."""
    yield from _planned(fields, [1])
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Run a cohort of two real spines twice; the second time it is stopped and goes on."""
    first, second = (tmp_path_factory.mktemp("run") for _ in range(2))
    run_cohort(SPEC, first, _planned, lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        run_cohort(SPEC, second, _stopped, lambda *_: None)
    assert len(list(records(second))) == 1
    run_cohort(SPEC, second, _planned, lambda *_: None)
    return first, second


def test_a_cohort_that_was_stopped_and_went_on_is_the_same_bytes_but_for_its_times(
    runs: tuple[Path, Path],
) -> None:
    pages = [(f / "report.html").read_text().split('<section id="times">') for f in runs]
    assert pages[0][0] == pages[1][0]
    assert pages[0][1] != pages[1][1]
    for name in ("targets", "classes"):
        first, second = ((f / f"{name}.parquet").read_bytes() for f in runs)
        assert first == second, name


def test_every_failure_in_a_report_is_explained_by_its_certificates(
    runs: tuple[Path, Path],
) -> None:
    page = (runs[0] / "report.html").read_text()
    closed, found = targets_of(records(runs[0]))
    assert (closed["outcome"], found["outcome"]) == ("no_safe_path", "found")
    for one in closed["classes"]:
        assert one["status"] == "infeasible"
        assert one["upper_bound_mm"] < 0.0
        assert one["blocked_by"] == ["screw_L3_L"]
        assert one["would_open"]
        for said in (*one["blocked_by"], one["would_open"][0]):
            assert escape(said) in page
    assert escape(closed["explanation"]) in page
    assert escape(found["explanation"]) not in page
