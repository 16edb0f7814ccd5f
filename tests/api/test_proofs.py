"""Proofs over the command line: checked against the case, with the reasons where they fail."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import cli
from api.samples import DEMO_TARGET
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form
from planner.case_io import load_case, save_case
from planner.proof import write_proof
from tests.planner.proof.prover import proof_of
from tests.planner.proof.world import small_case

TARGET = target_from_short_form(DEMO_TARGET)
QUICK_REQUEST = {
    "target": TARGET, "needles": ["15G-bevel-150"], "approaches": ["transpedicular"],
    "sides": ["right"],
}  # fmt: skip
POINT_REQUEST: dict[str, Any] = {
    "target": {"type": "point", "position_mm": [4.0, -17.5, 5.0], "tolerance_mm": 9.0},
    "needles": ["15G-100"], "certificate_tolerance_mm": 3.0,
    "policy": {"canal": {"hard_mm": 1.5}},
}  # fmt: skip


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the folders of a small case and of a proof about it, by the naive prover."""
    here = tmp_path_factory.mktemp("proved")
    save_case(small_case(), here / "case")
    asked = checked(PlanRequestDocument, POINT_REQUEST)
    _, _, proof = proof_of(load_case(here / "case"), asked.request())
    write_proof(proof, asked.written_out(), here / "proof")
    return here / "case", here / "proof"


def test_a_proof_is_verified_and_what_it_proves_is_told(proved: tuple[Path, Path]) -> None:
    done = _run("verify-proof", *proved)
    assert done.exit_code == 0, done.stderr
    assert "What is proved" in done.stdout
    assert "The proof holds" in done.stdout
    assert "Hard limits other than the defaults, mm: canal 1.5." in done.stdout
    assert "not a medical device" in done.stdout


def test_a_report_as_json_is_only_json(proved: tuple[Path, Path]) -> None:
    done = _run("verify-proof", *proved, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["schema"] == "trocar/proof-report/1"
    assert (report["holds"], report["failures"]) == (True, [])
    assert report["request"]["target"] == POINT_REQUEST["target"]
    [one], [family] = report["classes"], report["families"]
    assert (one["approach"], one["side"], one["needle"]) == ("transpedicular", "left", "15G-100")
    assert family["leaves"] == sum(family["by_why"].values())
    assert one["upper_bound_mm"] < family["bound_mm"]
    assert len(report["unsearched"]) == 5


def test_a_proof_about_another_case_is_refused_with_the_reasons(
    proved: tuple[Path, Path], demo_folder: Path
) -> None:
    done = _run("verify-proof", demo_folder, proved[1])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "the proof is about another case" in done.stderr
    as_json = _run("verify-proof", demo_folder, proved[1], "--json")
    assert as_json.exit_code == 2
    report = json.loads(as_json.stdout)
    assert report["holds"] is False
    assert "another case" in report["failures"][0]


def test_a_proof_that_was_changed_is_refused_with_the_reasons(
    proved: tuple[Path, Path], tmp_path: Path
) -> None:
    case, proof = proved
    changed = tmp_path / "proof"
    shutil.copytree(proof, changed)
    document = json.loads((changed / "proof.json").read_text())
    document["classes"][0]["upper_bound_mm"] -= 0.1
    (changed / "proof.json").write_text(json.dumps(document))
    done = _run("verify-proof", case, changed)
    assert done.exit_code == 2
    assert "the proof does not hold: transpedicular left 15G-100: its upper bound" in done.stderr
    document["request"]["target"]["tolerance_mm"] = -1.0
    (changed / "proof.json").write_text(json.dumps(document))
    done = _run("verify-proof", case, changed)
    assert done.exit_code == 2
    assert "target.point.tolerance_mm" in done.stderr or "target.tolerance_mm" in done.stderr


def test_what_is_no_proof_is_named(demo_folder: Path, tmp_path: Path) -> None:
    done = _run("verify-proof", demo_folder, tmp_path)
    assert done.exit_code == 2
    assert "proof.json" in done.stderr


@pytest.mark.parametrize(
    "asked",
    [
        QUICK_REQUEST,
        {"target": {"type": "point", "position_mm": [1.0, 2.5, -3.0]}},
        {"target": TARGET, "policy": {"canal": {"hard_mm": 2.0}, "vessel": {"hard_mm": None}}},
        {"target": TARGET, "sides": ["right", "left", "right"], "certificate_tolerance_mm": 0.1},
    ],
)
def test_a_request_written_out_is_the_same_request(asked: dict[str, object]) -> None:
    document = checked(PlanRequestDocument, asked)
    again = checked(PlanRequestDocument, json.loads(json.dumps(document.written_out())))
    assert again.request().digest == document.request().digest
    assert again.written_out() == document.written_out()
    assert set(document.written_out()) == set(PlanRequestDocument.model_fields)
