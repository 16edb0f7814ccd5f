"""The sheets of one session: a page for every needle in the order they go in, then what has none.

Each page is that of ``sheet``, of the path that was chosen for the session, which need not be the
first of its target's plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from planner.question import Question
from planner.session.planning import Chosen, Neighbours, SessionPlan
from preview.sheet import Page, page_of, pdf_of
from preview.sheet_words import refusal_of

MOST_NEAR = 2  # other needles that a page names


def session_pdf(
    session: SessionPlan, questions: Sequence[Question], digests: Sequence[str]
) -> bytes:
    """Return the sheets of a session as one PDF.

    Args:
        session: What was planned and chosen.
        questions: For each of its targets, what was planned for.
        digests: Of the document of each target's plan.
    """
    needles = [(i, rank) for i in session.order for rank in session.chosen[i].ranks]
    pages = [
        _needle_page(session, needles, at, (questions[i], digests[i]))
        for at, (i, _) in enumerate(needles)
    ]
    pages += [
        _without(one, question, digest)
        for one, question, digest in zip(session.chosen, questions, digests, strict=True)
        if not one.ranks
    ]
    return pdf_of(pages)


def _needle_page(
    session: SessionPlan, needles: list[tuple[int, int]], at: int, asked: tuple[Question, str]
) -> Page:
    target, rank = needles[at]
    one, (question, digest) = session.chosen[target], asked
    mine = next(t for t in one.trajectories if t.rank == rank)
    if len(one.ranks) > 1:
        mine = replace(mine, cement=one.cement)
    rest = tuple(t for t in one.plan.trajectories if t.rank not in one.ranks)
    page = page_of(question, replace(one.plan, trajectories=(mine, *rest)), mine, digest)
    told = " ".join(_together(session, needles, at))
    sheet = replace(
        page.sheet,
        title=f"{at + 1} of {len(needles)} \u00b7 {page.sheet.title}",
        device=(("Session", told), *page.sheet.device),
    )
    return replace(page, sheet=sheet)


def _together(session: SessionPlan, needles: list[tuple[int, int]], at: int) -> Iterator[str]:
    """Say which needle this is among the session's, what it is near, and what is for several."""
    me = needles[at]
    yield f"Needle {at + 1} of {len(needles)}."
    near = [pair for pair in session.neighbours if me in {pair.first, pair.second}]
    for pair in near[:MOST_NEAR]:
        yield _near(pair, me, needles)
    others = len(session.chosen[me[0]].ranks) - 1
    if others:
        yield f"Cement is for {others + 1} needles together."
    if len(needles) > 1:
        yield "Plan B is not checked against the other needles."


def _near(pair: Neighbours, me: tuple[int, int], needles: list[tuple[int, int]]) -> str:
    first = pair.first == me
    other, parts = (pair.second if first else pair.first), (pair.near.first, pair.near.second)
    mine, its = parts if first else parts[::-1]
    return (
        f"{pair.near.distance_mm:.0f} mm from needle {needles.index(other) + 1} ({mine} to {its})."
    )


def _without(one: Chosen, question: Question, digest: str) -> Page:
    """Return the page of a target that no needle of the session goes to."""
    sheet = refusal_of(question, one.plan, digest)
    return Page(
        sheet=replace(
            sheet,
            title=f"{one.label}: no needle in this session",
            blocks=(("In this session", (f"{one.reason}.",)), *sheet.blocks),
        )
    )
