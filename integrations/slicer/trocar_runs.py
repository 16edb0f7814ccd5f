"""Runs Trocar on a segmentation and tells what there is to show; knows nothing of 3D Slicer.

Needs the standard library alone, so that it runs in Slicer's own Python, beside which Trocar is
installed in an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

CASE, PLAN = "case", "plan"


class TrocarError(RuntimeError):
    """Trocar refused its input; the message is its own and names the remedy."""


@dataclass(frozen=True)
class Shown:
    """What a plan gives to show.

    Attributes:
        outcome: ``found``, ``no_safe_path``, ``target_unreachable`` or ``stopped``.
        explanation: The plan in a sentence or two.
        markups: The paths as Slicer markups, LPS.
        scene: All structures and needles as VTP, LPS.
        notes: What Trocar said while it imported and planned.
    """

    outcome: str
    explanation: str
    markups: Path
    scene: Path
    notes: str


def import_command(
    trocar: list[str], segmentation: Path, folder: Path, error_mm: float | None
) -> list[str]:
    """Return the command that makes a case of a saved segmentation (.seg.nrrd)."""
    stated = [] if error_mm is None else ["--error", f"{error_mm:g}"]
    return [*trocar, "import", str(segmentation), "--out", str(folder / CASE), *stated]


def plan_command(trocar: list[str], folder: Path, target: str) -> list[str]:
    """Return the command that plans a target and writes what is shown."""
    out = str(folder / PLAN)
    return [*trocar, "plan", str(folder / CASE), "--target", target, "--out", out, "--export"]


def imported(
    trocar: list[str], segmentation: Path, folder: Path, error_mm: float | None = None
) -> str:
    """Make a case of a segmentation; return what Trocar said.

    Raises:
        TrocarError: With Trocar's reason.
    """
    return _run(import_command(trocar, segmentation, folder, error_mm))


def planned(trocar: list[str], folder: Path, target: str) -> Shown:
    """Plan a target of the case that was imported.

    Raises:
        TrocarError: With Trocar's reason.
    """
    notes = _run(plan_command(trocar, folder, target))
    return shown(folder / PLAN, notes)


def shown(out: Path, notes: str = "") -> Shown:
    """Return what lies in a folder that ``trocar plan --export`` wrote."""
    plan = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    return Shown(
        outcome=plan["outcome"],
        explanation=plan["explanation"],
        markups=out / "markups.mrk.json",
        scene=out / "exports" / "scene_LPS.vtp",
        notes=notes,
    )


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise TrocarError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise TrocarError(said[-1] if said else f"it ended with status {done.returncode}")
    return done.stderr
