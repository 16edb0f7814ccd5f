"""``trocar plan`` for several targets: planned, chosen together, printed and written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.cases import load_case
from api.cli_files import announce, write_bytes, write_plan, write_text
from api.documents import dump
from api.drawing import draw_session_sheets
from api.progress import shown_progress
from api.schemas import checked
from api.session_documents import session_document
from api.session_schemas import SessionRequestDocument
from api.targets import target_from_short_form
from planner.errors import RequestError
from planner.prepared import PreparedCase
from planner.session.planning import SessionPlan, plan_session


def named_targets(short_forms: Sequence[str]) -> dict[str, Any]:
    """Return what ``--target`` asks for: one target, or several (a cage alone is two).

    Raises:
        RequestError: If one is none of the short forms.
    """
    targets = [target_from_short_form(text) for text in short_forms]
    if not targets:
        return {}
    if len(targets) == 1 and targets[0]["type"] != "cage":
        return {"target": targets[0]}
    return {"targets": targets}


def session(
    case_path: Path, asked: dict[str, Any], *, out: Path | None, proof: Path | None, as_json: bool
) -> None:
    """Plan several targets; print the session and write it with the plan of each target.

    Raises:
        RequestError: If the request is wrong, or asks for a proof.
    """
    if proof is not None:
        raise RequestError(
            "is written for one target; plan each target that is to be proved by itself",
            field="proof", code="several-plans",
        )  # fmt: skip
    request = checked(SessionRequestDocument, asked).request()
    notes: list[str] = []
    with shown_progress() as progress:
        progress("reading the case", 0.0)
        prepared = PreparedCase(load_case(case_path))
        made = plan_session(prepared, request, progress=progress)
        if out is not None:
            progress("drawing", 1.0)
            text = dump(session_document(made))
            notes.append(f"wrote {write_text(out / 'session.json', text)}")
            for number, one in enumerate(made.chosen, start=1):
                notes += write_plan(prepared, one.request, one.plan, out / str(number))
            sheets = write_bytes(out / "sheet.pdf", draw_session_sheets(prepared, made))
            notes.append(f"wrote {sheets}")
    if as_json:
        sys.stdout.write(dump(session_document(made)))
    else:
        _print(Console() if sys.stdout.isatty() else Console(width=168), made)
    announce(notes)


def _print(console: Console, made: SessionPlan) -> None:
    table = Table(title="Needles of one session", title_justify="left", title_style="bold")
    for column in ("target", "approach", "side", "needle", "margin mm", "length mm", "cement ml"):
        table.add_column(column)
    for one in made.chosen:
        cement = "-" if one.cement is None else f"{one.cement.expected_ml:.1f}"
        for t in one.trajectories:
            approach = "-" if t.approach is None else t.approach.value
            side = "-" if t.side is None else t.side.value
            table.add_row(
                one.label, approach, side, t.needle, f"{t.margin_mm:.2f}", f"{t.length_mm:.1f}",
                cement,
            )  # fmt: skip
        if not one.ranks:
            table.add_row(one.label, "none", "-", "-", "-", "-", "-")
    console.print(table)
    console.print(made.explanation, markup=False)
    for pair in made.neighbours[:1]:
        console.print(
            f"The nearest two needles are {pair.near.distance_mm:.1f} mm apart "
            f"({pair.near.first} and {pair.near.second}).", markup=False,
        )  # fmt: skip
    for warning in made.warnings:
        console.print(f"  warning: {warning}", markup=False)
