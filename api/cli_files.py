"""The files that the command line reads and writes."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from api.documents import dump, plan_document
from api.progress import Report
from api.strict_json import parsed_object
from planner.case import Case
from planner.errors import RequestError
from planner.result import Plan


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


def write_text(path: Path, text: str) -> Path:
    """Write a file, making its folder, and return its path.

    Raises:
        RequestError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(
            f"{path} cannot be written: {error.strerror}", field="out", code="unwritable"
        ) from error
    return path


def write_plan(case: Case, plan: Plan, folder: Path, *, progress: Report) -> list[str]:
    """Write plan.json and the renderings, and return what to tell about them."""
    notes = [f"wrote {write_text(folder / 'plan.json', dump(plan_document(plan)))}"]
    progress("draw", 0.95)
    # Loaded here and by name: drawing takes a second to load, and most commands do not draw.
    drawn = importlib.import_module("preview.pictures").render_preview(case, plan, folder)
    notes.append(f"wrote {drawn.scene_glb}")
    notes.append(drawn.unavailable or f"wrote {drawn.picture_png}")
    return notes


def announce(notes: Sequence[str]) -> None:
    """Say on standard error what was written."""
    for note in notes:
        typer.echo(note, err=True)
