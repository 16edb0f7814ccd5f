"""The sheet for the angiography suite: what stands on it, and that it stays one clean page."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from reportlab.lib.pagesizes import A4

from planner.anatomy.model import VertebraAnatomy
from planner.case_io import load_case
from planner.needles.catalogue import needle_named
from planner.needles.path import Arc, Line
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, PlanRequest
from planner.result import Outcome, Plan, Slide, Trajectory
from planner.session.planning import Chosen, Neighbours, SessionOutcome, SessionPlan
from planner.session.spacing import Nearness, Part
from planner.trajectory import drawn_trajectory
from preview.session_sheet import session_pdf
from preview.sheet import EDGE, NOTICE, sheet_pdf
from preview.sheet_steps import bevel_words, steps
from preview.sheet_tables import MOST_CLEARANCES, angle_rows, console_pair
from preview.sheet_words import Sheet, sheet_of

SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
DIGEST = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def question() -> Question:
    request = PlanRequest(target=AnteriorBody(level="L3"))
    return question_of(PreparedCase(load_case(SAMPLE)), request)


@pytest.fixture(scope="module")
def plan(question: Question, small_plan: Plan) -> Plan:
    """Two needles into L3, measured in full, as a plan would hold them."""
    anatomy = question.prepared.bone(question.bone)
    assert isinstance(anatomy, VertebraAnatomy)
    out = anatomy.frame.inverse()
    measured = []
    for rank, start in enumerate(([-38.0, 70.0, 16.0], [38.0, 70.0, 16.0]), start=1):
        entry, tip = out.points(np.array([start, [0.1 * start[0], -9.0, 2.0]]))
        path = (Line(start_mm=entry, end_mm=tip),)
        drawn = drawn_trajectory(question, needle_named("15G-bevel-150"), path)
        measured.append(replace(drawn, rank=rank, reasons=("safest",)))
    return replace(small_plan, trajectories=tuple(measured))


@pytest.fixture(scope="module")
def written(question: Question, plan: Plan) -> bytes:
    return sheet_pdf(question, plan, plan.trajectories[0], DIGEST)


def words_of(pdf: bytes) -> str:
    """All text of a PDF that has one page, with single spaces."""
    [said] = pages_of(pdf)
    return said


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page of a PDF, with single spaces."""
    document = pypdfium2.PdfDocument(pdf)
    said = []
    for page in document:
        assert page.get_size() == pytest.approx(A4, abs=0.01)
        text = page.get_textpage().get_text_range()
        said.append(" ".join(text.replace("\ufffe", "").split()))
    document.close()
    return said


def lines_of(pdf: bytes) -> Iterator[tuple[float, float, float, float]]:
    """Boxes of all pieces of text: left, bottom, right, top, points."""
    document = pypdfium2.PdfDocument(pdf)
    text = document[0].get_textpage()
    yield from [text.get_rect(index) for index in range(text.count_rects())]
    document.close()


def with_cautions(plan: Plan, *cautions: str) -> tuple[Plan, Trajectory]:
    first = replace(plan.trajectories[0], cautions=cautions)
    return replace(plan, trajectories=(first, *plan.trajectories[1:])), first


def test_the_same_plan_makes_the_same_bytes(question: Question, plan: Plan, written: bytes) -> None:
    assert sheet_pdf(question, plan, plan.trajectories[0], DIGEST) == written


def test_it_says_what_is_needed_in_the_room(plan: Plan, written: bytes) -> None:
    said, first = words_of(written), plan.trajectories[0]
    assert NOTICE in said
    assert "not a medical device" in NOTICE
    assert DIGEST in said
    for view in first.views:
        assert view.label in said
        assert console_pair(view) in said
    for part in ("L3", "15G-bevel-150", "posterior wall", "STOP", "Plan B", "Cone-beam CT", "HFP"):
        assert part in said
    assert f"{first.length_mm:.0f} mm: tip" in said


def test_no_line_stands_on_another_or_off_the_page(written: bytes) -> None:
    # Numbers on the clock may touch: structures may lie in one direction.
    lines = [box for box in lines_of(written) if box[2] - box[0] > 12.0]
    assert len(lines) > 60
    for left, bottom, right, top in lines:
        assert left >= EDGE - 1.0
        assert right <= A4[0] - EDGE + 1.0
        assert bottom >= 10.0
        assert top <= A4[1] - 10.0
    for one, other in combinations(lines, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        up = min(one[3], other[3]) - max(one[1], other[1])
        assert across <= 0.5 or up <= 0.5, (one, other)


def test_what_finds_no_room_is_counted(question: Question, plan: Plan) -> None:
    crowded, first = with_cautions(plan, *(f"caution number {n}" for n in range(200)))
    said = words_of(sheet_pdf(question, crowded, first, DIGEST))
    shown = sum(f"caution number {n} " in f"{said} " for n in range(200))
    assert 0 < shown < 200
    assert f"{200 - shown} more lines found no room" in said
    assert DIGEST in said


def test_names_are_written_as_they_are_not_as_markup(question: Question, plan: Plan) -> None:
    odd = "<b>a & b</b> <para> \x07" + "x" * 200
    said = words_of(sheet_pdf(question, *with_cautions(plan, odd), DIGEST))
    assert "<b>a & b</b> <para>" in said


def test_long_names_leave_room_for_the_clearances(question: Question, plan: Plan) -> None:
    first = plan.trajectories[0]
    long = tuple(
        replace(c, structure=f"{c.structure}_{'long' * 22}_{n:02d}"[-100:])
        for n, c in enumerate(first.clearances)
    )
    said = words_of(sheet_pdf(question, plan, replace(first, clearances=long), DIGEST))
    assert "Near the needle" in said
    assert "\u2026" in said


def test_a_plan_without_a_path_says_why(question: Question, empty_plan: Plan) -> None:
    said = words_of(sheet_pdf(question, empty_plan, None, DIGEST))
    assert "L3: no safe path" in said
    assert empty_plan.explanation in said
    assert empty_plan.outcome is Outcome.NO_SAFE_PATH
    assert NOTICE in said


@pytest.fixture(scope="module")
def sheet(question: Question, plan: Plan) -> Sheet:
    return sheet_of(question, plan, plan.trajectories[0], DIGEST)


def test_the_tightest_clearances_come_first_and_none_that_is_meant(
    question: Question, plan: Plan, sheet: Sheet
) -> None:
    assert len(sheet.clearances) == MOST_CLEARANCES
    shown = [row.cells[0].removesuffix(" (derived)") for row in sheet.clearances]
    assert {"L3", "skin"}.isdisjoint(shown)
    spare = {
        c.structure: c.distance_mm - question.policy.rule(c.kind).preferred_mm
        for c in plan.trajectories[0].clearances
        if not c.traversed
    }
    assert [spare[name] for name in shown] == sorted(spare.values())[: len(shown)]
    for row in sheet.clearances:
        assert (row.state in {"near", "BREACH"}) >= (spare[row.cells[0].split(" (")[0]] < 0.0)


def test_cautions_that_find_no_room_on_the_left_go_on_on_the_right(
    question: Question, plan: Plan
) -> None:
    many = [f"caution number {n} of those that must be read" for n in range(9)]
    said = words_of(sheet_pdf(question, *with_cautions(plan, *many), DIGEST))
    assert all(f"{caution} " in f"{said} " for caution in many)
    assert "Cautions, continued" in said


def test_a_date_of_the_scan_is_told_and_a_missing_one_as_well(
    question: Question, plan: Plan, written: bytes
) -> None:
    assert "the case tells no DATE" in words_of(written)
    prepared = PreparedCase(replace(question.prepared.given, provenance={"ct_date": "2026-03-04"}))
    dated = replace(question, prepared=prepared)
    sheet = sheet_of(dated, plan, plan.trajectories[0], DIGEST)
    assert any("CT: ct date 2026-03-04." in line for line in sheet.assumptions)


def test_a_path_along_a_screw_says_how_to_meet_it(plan: Plan) -> None:
    first = plan.trajectories[0]
    slide = Slide(
        screw="screw_L3_R", contact_mm=first.tip_mm, contact_share=0.4, arrival_rad=0.2,
        bevel_hour=8.9, slide_mm=22.0, bend_radius_mm=180.0, elastic_radius_mm=170.0,
        margin_beside_mm=1.25, limiting_beside="rod_R",
    )  # fmt: skip
    said = " ".join(bevel_words(replace(first, slide=slide)))
    for part in (
        f"Meets screw_L3_R {first.length_mm - 22.0:.0f} mm deep, 40% down", "at 11\u00b0",
        "face to 9 o'clock", "22 mm along the shaft", "radius of 180 mm", "1.25 mm", "at rod_R",
    ):  # fmt: skip
        assert part in said
    assert "STAYS BENT" not in said
    bent = replace(slide, bend_radius_mm=120.0)
    assert "STAYS BENT" in " ".join(bevel_words(replace(first, slide=bent)))


def test_a_curved_needle_says_where_to_stop_how_to_roll_and_how_far_to_send(
    question: Question, plan: Plan
) -> None:
    straight = plan.trajectories[0]
    start, end = straight.path[0].start_mm, straight.path[0].end_mm
    along = (end - start) / np.linalg.norm(end - start)
    superior = np.array([0.0, 0.0, 1.0]) - along[2] * along
    superior /= np.linalg.norm(superior)
    tip = end + 20.0 * along + 20.0 * superior
    arc = Arc(start_mm=end, end_mm=tip, centre_mm=end + 20.0 * superior, radius_mm=20.0,
              angle_rad=np.pi / 2.0)  # fmt: skip
    curved = replace(
        straight, needle="curved-13G-in-10G", path=(straight.path[0], arc), tip_mm=tip,
        length_mm=straight.length_mm + arc.length_mm,
    )  # fmt: skip
    depth = f"{straight.length_mm:.0f} mm"
    said = " ".join(bevel_words(curved))
    assert f"Stop the cannula {depth} deep" in said
    assert "opens to 12 o'clock; send it 31 mm out (radius 20 mm, 90\u00b0)" in said
    assert f"{depth}: the cannula STOPS" in " ".join(steps(question, curved))
    row = next(iter(angle_rows(curved)))
    assert "straight cannula" in row.note


def test_a_session_has_a_page_for_every_needle_it_chose_and_every_target_without(
    question: Question, plan: Plan, empty_plan: Plan
) -> None:
    first, second = plan.trajectories
    near = Nearness(distance_mm=12.4, first=Part.HUB, second=Part.SHAFT)
    request = PlanRequest(target=AnteriorBody(level="L3"))
    both, none = (
        Chosen(request=request, label=label, plan=made, ranks=ranks, reason=reason, cement=None)
        for label, made, ranks, reason in (
            ("front of L3", plan, (1, 2), "one needle from either side"),
            ("a lesion", empty_plan, (), "every way collides with the needles to L3"),
        )
    )
    session = SessionPlan(
        case_digest="c", request_digest="r", planner_version="0", outcome=SessionOutcome.SOME,
        explanation="", chosen=(none, both), order=(1,), warnings=(), timings_s={},
        neighbours=(Neighbours(first=(1, 1), second=(1, 2), near=near),),
    )  # fmt: skip
    one, two, without = pages_of(session_pdf(session, [question] * 2, [DIGEST] * 2))
    assert "1 of 2" in one
    assert "12 mm from needle 2 (hub to shaft)" in one
    assert "12 mm from needle 1 (shaft to hub)" in two
    for page, mine, other in ((one, first, second), (two, second, first)):
        assert mine.views[0].label in page
        assert other.views[0].label not in page, "a chosen needle is no plan B"
        assert "Cement is for 2 needles together" in page
    assert "no needle in this session" in without
    assert "every way collides" in without


def test_plan_b_is_the_other_path(question: Question, plan: Plan, sheet: Sheet) -> None:
    blocks = dict(sheet.blocks)
    told = next(lines for heading, lines in blocks.items() if heading.startswith("Plan B"))
    assert told[0].startswith(f"2: {plan.trajectories[1].approach} left")
    alone = replace(plan, trajectories=plan.trajectories[:1])
    lonely = sheet_of(question, alone, alone.trajectories[0], DIGEST)
    assert "There is none" in dict(lonely.blocks)[list(blocks)[2]][0]
