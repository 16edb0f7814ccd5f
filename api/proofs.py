"""Proofs at the borders: written beside a plan, zipped for the service, checked and reported."""

import io
import math
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api import DISCLAIMER
from api.cases import load_case
from api.progress import Report
from api.schemas import PlanRequestDocument, checked
from planner.checker.check import CheckReport, check_proof
from planner.planning import plan_with_proof
from planner.policy import DEFAULT_POLICY
from planner.prepared import PreparedCase
from planner.proof import Proof, Why, read_proof, require_place, write_proof
from planner.request import PlanRequest
from planner.result import Plan

REPORT_SCHEMA = "trocar/proof-report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A proof that was checked, the request it is about (also as JSON), and what was found."""

    proof: Proof
    request: PlanRequest
    document: Mapping[str, Any]
    report: CheckReport


def planned_with_proof(
    prepared: PreparedCase, asked: PlanRequestDocument, folder: Path, progress: Report
) -> Plan:
    """Plan, and write the proof to a folder.

    Raises:
        ProofError: If it cannot be written there.
    """
    require_place(folder)  # before the work, not after it
    made, proof = plan_with_proof(prepared, asked.request(), progress=progress)
    write_proof(proof, asked.written_out(), folder)
    return made


def proof_archive(proof: Proof, request_document: Mapping[str, Any]) -> bytes:
    """Return the folder of a proof as a zip file; the same proof makes the same bytes."""
    stream = io.BytesIO()
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(stream, "w") as archive:
        folder = Path(place) / "proof"
        write_proof(proof, request_document, folder)
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(path.name)
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def checked_proof(case_path: Path, folder: Path, progress: Report) -> Checked:
    """Check the proof in a folder against a case.

    Raises:
        ProofError: If it cannot be read.
        CaseError: If the case cannot.
        RequestError: If the request in the proof cannot be put to the case.
    """
    progress("reading the proof", 0.0)
    proof, document = read_proof(folder)
    request = checked(PlanRequestDocument, document).request()
    progress("reading the case", 0.2)
    case = load_case(case_path)
    progress("checking the proof", 0.4)
    report = check_proof(case, request, proof)
    return Checked(proof=proof, request=request, document=document, report=report)


def report_document(made: Checked) -> dict[str, Any]:
    """Return what was checked and found, as JSON."""
    proof, report = made.proof, made.report
    return {
        "schema": REPORT_SCHEMA,
        "holds": report.holds,
        "failures": list(report.failures),
        "case_digest": proof.case_digest,
        "request_digest": proof.request_digest,
        "planner_version": proof.planner_version,
        "request": made.document,
        "classes": [
            {
                "approach": c.approach, "side": c.side, "needle": c.needle, "status": c.status,
                "best_margin_mm": _finite(c.best_margin_mm),
                "upper_bound_mm": _finite(c.upper_bound_mm), "family": c.family,
            }
            for c in proof.classes
        ],
        "unsearched": [
            {"approach": u.approach, "side": u.side, "needle": u.needle, "reason": u.reason}
            for u in proof.unsearched
        ],
        "families": [
            {
                "leaves": f.leaves,
                "by_why": {why.name.lower(): f.by_why[why] for why in Why},
                "tubes": f.tubes, "bound_mm": _finite(f.bound_mm),
            }
            for f in report.families
        ],
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def print_report(console: Console, made: Checked) -> None:
    """Print what a proof that holds has proved, class by class."""
    table = Table(title="What is proved", title_justify="left", title_style="bold")
    for column in ("approach", "side", "needle", "status"):
        table.add_column(column)
    for column in ("best margin mm", "no margin above mm", "boxes", "measured tubes"):
        table.add_column(column, justify="right")
    for c in made.proof.classes:
        family = None if c.family is None else made.report.families[c.family]
        table.add_row(
            c.approach, c.side, c.needle, c.status, _shown(c.best_margin_mm),
            _shown(c.upper_bound_mm), str(family.leaves if family else 0),
            str(family.tubes if family else 0),
        )  # fmt: skip
    console.print(table)
    for u in made.proof.unsearched:
        console.print(f"  nothing of {u.approach} {u.side} {u.needle}: {u.reason}", markup=False)
    target = ", ".join(f"{key} {value}" for key, value in made.document["target"].items())
    console.print(f"\nThe proof holds for this case. Target: {target}.", markup=False)
    rules, usual = made.request.policy.rules, DEFAULT_POLICY.rules
    other = [f"{k} {rules[k].hard_mm}" for k in rules if rules[k].hard_mm != usual[k].hard_mm]
    console.print(f"Hard limits other than the defaults, mm: {', '.join(other) or 'none'}.")
    console.print(f"[dim]{DISCLAIMER}[/dim]")


def _shown(value: float | None) -> str:
    if value is None or math.isinf(value):
        return "-"
    return f"{value:.4f}" if abs(value) >= 0.0005 else f"{value:.1e}"
