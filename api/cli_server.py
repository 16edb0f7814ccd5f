"""``trocar plan --server``: the same questions, answered by a service."""

import io
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api import DISCLAIMER
from api.cli_files import announce, write_bytes, write_text
from api.client import Client, ServiceError
from api.documents import dump
from api.progress import Report, shown_progress

KEY = "TROCAR_KEY"
_FILES = ("markups.mrk.json", "sheet.pdf", "preview.png", "scene.glb", "scene.html")


def plan_at(
    server: str,
    case_path: Path,
    asked: dict[str, Any],
    *,
    out: Path | None,
    proof: Path | None,
    as_json: bool,
) -> None:
    """Have a service plan, print and write what it answers, and leave nothing there.

    Raises:
        ServiceError: If it refuses or cannot be reached.
    """
    notes: list[str] = []
    with Client(server, os.environ.get(KEY)) as client, shown_progress() as progress:
        case_id = _sent(client, case_path, progress)
        try:
            plan_id = client.ask(case_id, asked)
            for event in client.events(plan_id):
                if event.name == "progress":
                    progress(event.told["stage"], event.told["share"])
            plan = client.wait(plan_id)
            if out is not None:
                progress("drawing", 1.0)
                notes += _written(client, plan_id, plan, out)
            if proof is not None:
                notes.append(_unpacked(client.fetch(plan_id, "proof"), proof))
        finally:
            client.delete_case(case_id)
    if as_json:
        sys.stdout.write(dump(plan))
    else:
        _print(plan)
    announce(notes)


def _sent(client: Client, case_path: Path, progress: Report) -> str:
    progress("sending the case", 0.0)
    case = client.send_case(
        case_path, lambda done, total: progress("sending the case", done / max(total, 1))
    )
    return str(case["case_id"])


def _written(client: Client, plan_id: str, plan: dict[str, Any], out: Path) -> list[str]:
    """Write the plan and what the service draws of it; return what to tell about it."""
    if "targets" in plan:
        return [f"wrote {write_text(out / 'session.json', dump(plan))}"]
    notes = [f"wrote {write_text(out / 'plan.json', dump(plan))}"]
    for name in _FILES:
        try:
            notes.append(f"wrote {write_bytes(out / name, client.fetch(plan_id, name))}")
        except ServiceError as error:
            notes.append(f"no {name}: {error}")
    return notes


def _unpacked(archive: bytes, folder: Path) -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(folder)
    return f"wrote {folder}"


def _print(plan: dict[str, Any]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=168)
    table = Table(title="Safe trajectories", title_justify="left", title_style="bold")
    for column in ("target", "rank", "approach", "side", "needle", "limited by"):
        table.add_column(column)
    for column in ("margin mm", "length mm"):
        table.add_column(column, justify="right")
    plans = plan.get("targets") or [{"label": "", "plan": plan}]
    for one in plans:
        for t in one["plan"]["trajectories"]:
            table.add_row(
                one["label"], str(t["rank"]), t["approach"] or "-", t["side"] or "-", t["needle"],
                t["limiting_structure"] or "-", f"{t['margin_mm']:.2f}", f"{t['length_mm']:.1f}",
            )  # fmt: skip
    console.print(table)
    console.print(plan["explanation"], markup=False)
    console.print(f"[dim]{DISCLAIMER}[/dim]")
