"""The files that the command line reads and writes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from api.case_documents import case_document
from api.documents import dump, plan_document
from api.drawing import draw_anatomy, draw_plan, draw_sheet
from api.markups import markups_document
from api.problems import problem_of
from api.strict_json import parsed_object
from geometry.mesh import MeshError
from planner.anatomy.describe import CaseAnatomy
from planner.case import Case
from planner.errors import InputError, RequestError
from planner.prepared import PreparedCase
from planner.request import PlanRequest
from planner.result import Plan


@contextmanager
def refusals() -> Iterator[None]:
    """End a command with one sentence and status 2 where the caller's input is wrong."""
    try:
        yield
    except (InputError, MeshError) as error:
        typer.echo(f"trocar: {problem_of(error).detail}", err=True)
        raise typer.Exit(2) from error


def read_request(path: Path | None) -> dict[str, Any]:
    """Return the request in a file, or an empty one.

    Raises:
        RequestError: If the file cannot be read.
        MalformedBodyError: If it is not a JSON object.
    """
    if path is None:
        return {}
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RequestError(
            f"cannot be read: {error.strerror} ({path})", field="request", code="unreadable-file"
        ) from error
    return dict(parsed_object(raw, field="request"))


def made_folder(path: Path) -> Path:
    """Make a folder where there is none, and return it.

    Raises:
        RequestError: If it cannot be made, such as where there is a file of that name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"{path} cannot be made a folder: {error.strerror}", field="out", code="unwritable"
        ) from error
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a file as UTF-8, making its folder, and return its path.

    Raises:
        RequestError: If it cannot be written.
    """
    return write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file, making its folder, and return its path.

    Raises:
        RequestError: If it cannot be written.
    """
    made_folder(path.parent)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise RequestError(
            f"{path} cannot be written: {error.strerror}", field="out", code="unwritable"
        ) from error
    return path


def write_plan(prepared: PreparedCase, request: PlanRequest, plan: Plan, folder: Path) -> list[str]:
    """Write the plan as JSON, markups and pictures; return what to tell about them."""
    document = plan_document(plan)
    written = write_text(folder / "plan.json", dump(document))
    markups = write_text(folder / "markups.mrk.json", dump(markups_document(document)))
    drawn = draw_plan(prepared, request.target, plan, folder)
    return [
        f"wrote {written}",
        f"wrote {markups}",
        f"wrote {drawn.scene_glb}",
        f"wrote {drawn.scene_html}",
        drawn.unavailable or f"wrote {drawn.picture_png}",
    ]


def write_sheet(
    prepared: PreparedCase, request: PlanRequest, plan: Plan, folder: Path
) -> list[str]:
    """Write the sheet of a plan's first trajectory, and return what to tell about it."""
    written = write_bytes(folder / "sheet.pdf", draw_sheet(prepared, request, plan))
    return [f"wrote {written}"]


def write_check(case: Case, anatomy: CaseAnatomy, folder: Path) -> list[str]:
    """Write check.json and anatomy.png, and return what to tell about them."""
    written = write_text(folder / "check.json", dump(case_document(case, anatomy)))
    drawn = draw_anatomy(case, anatomy, folder)
    return [f"wrote {written}", drawn.unavailable or f"wrote {drawn.picture_png}"]


def announce(notes: Sequence[str]) -> None:
    """Say on standard error what was written."""
    for note in notes:
        typer.echo(note, err=True)
