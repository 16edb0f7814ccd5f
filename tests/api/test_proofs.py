"""Proofs over the command line and over HTTP: written with a plan, checked against the case."""

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from api import cli
from api.samples import DEMO_TARGET
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form
from planner.case_io import load_case, save_case
from planner.checker.check import check_proof
from planner.proof import read_proof, write_proof
from tests.planner.proof.prover import proof_of
from tests.planner.proof.world import small_case

TARGET = target_from_short_form(DEMO_TARGET)
QUICK = ["--needle", "15G-bevel-150", "--approach", "transpedicular", "--side", "right"]
QUICK_REQUEST = {
    "target": TARGET, "needles": ["15G-bevel-150"], "approaches": ["transpedicular"],
    "sides": ["right"],
}  # fmt: skip
Trocar = Callable[..., subprocess.CompletedProcess[str]]
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


@pytest.fixture(scope="module")
def planned(trocar: Trocar, demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a proof that the command line wrote beside a plan."""
    folder = tmp_path_factory.mktemp("planned") / "proof"
    done = trocar("plan", demo_folder, "--target", DEMO_TARGET, *QUICK, "--proof", folder)
    assert done.returncode == 0, done.stderr
    assert f"wrote {folder}" in done.stderr
    return folder


def test_a_plan_comes_with_a_proof_that_holds(
    trocar: Trocar, demo_folder: Path, planned: Path
) -> None:
    done = trocar("verify-proof", demo_folder, planned)
    assert done.returncode == 0, done.stderr
    assert "The proof holds" in done.stdout


def test_a_proof_is_not_put_among_other_files(demo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = _run("plan", demo_folder, "--target", DEMO_TARGET, *QUICK, "--proof", tmp_path)
    assert done.exit_code == 2
    assert "something else than a proof" in done.stderr
    assert "searching" not in done.stderr, "refused before the work, not after it"


def test_the_request_in_a_proof_reads_as_the_same_request(planned: Path) -> None:
    whole, document = read_proof(planned)
    assert checked(PlanRequestDocument, document).request().digest == whole.request_digest


def test_a_plan_made_by_the_service_comes_with_its_proof(
    client: TestClient, demo_case_id: str, demo_folder: Path, tmp_path: Path
) -> None:
    url = client.post(
        f"/v1/cases/{demo_case_id}/plans", json=QUICK_REQUEST, headers={"Prefer": "wait=120"}
    ).headers["location"]
    reply = client.get(f"{url}/proof")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/zip"
    assert client.get(f"{url}/proof").content == reply.content
    zipfile.ZipFile(io.BytesIO(reply.content)).extractall(tmp_path / "proof")
    proof, document = read_proof(tmp_path / "proof")
    request = checked(PlanRequestDocument, document).request()
    assert check_proof(load_case(demo_folder), request, proof).holds
    [certificate] = client.get(url).json()["certificates"]
    [claim] = proof.classes
    assert certificate["upper_bound_mm"] == pytest.approx(claim.upper_bound_mm, abs=1e-4)
    assert certificate["best_margin_mm"] == pytest.approx(claim.best_margin_mm, abs=1e-4)
    assert certificate["status"] == claim.status
