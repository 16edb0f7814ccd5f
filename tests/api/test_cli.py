"""The command line: standard output is the answer, standard error is everything else."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from api import cli
from api.samples import DEMO_TARGET
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form
from tests.pages import blocks, is_part

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

README = Path(__file__).parents[2] / "README.md"
QUICK = ["--needle", "13G-150", "--approach", "transpedicular"]
Run = Callable[..., Result]
Trocar = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    def invoke(*words: str | Path) -> Result:
        return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)

    return invoke


def test_a_plan_as_json_is_only_json_and_the_same_as_over_http(
    trocar: Trocar, demo_folder: Path, client: TestClient, demo_case_id: str
) -> None:
    done = trocar("plan", demo_folder, "--target", DEMO_TARGET, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    here = json.loads(done.stdout)
    there = client.post(
        f"/v1/cases/{demo_case_id}/plans",
        json={
            "target": target_from_short_form(DEMO_TARGET),
            "needles": ["13G-150"],
            "approaches": ["transpedicular"],
        },
        headers={"Prefer": "wait=120"},
    ).json()
    assert here.pop("timings_s")
    assert there.pop("timings_s")
    assert here == there


def test_a_request_file_gives_what_the_options_leave_open(
    run: Run, demo_folder: Path, tmp_path: Path
) -> None:
    request = {
        "target": target_from_short_form("anterior_body:L2"),
        "needles": ["11G-120"],
        "approaches": ["transpedicular"],
        "sides": ["left"],
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    done = run(
        "plan", demo_folder, "--request", tmp_path / "request.json", "--needle", "13G-150", "--json"
    )
    assert done.exit_code == 0, done.stderr
    classes = [
        (c["approach"], c["side"], c["needle"]) for c in json.loads(done.stdout)["certificates"]
    ]
    assert classes == [("transpedicular", "left", "13G-150")]


def test_a_drawn_path_is_measured_against_every_structure(
    run: Run, demo_folder: Path, demo_bundle: "Bundle"
) -> None:
    words = ["--needle", "13G-150", "--entry", "40,90,0", "--tip", "0,0,0", "--json"]
    done = run("evaluate", demo_folder, *words)
    assert done.exit_code == 0, done.output
    clearances = json.loads(done.stdout)["clearances"]
    measured = [clearance["structure"] for clearance in clearances if "derived" not in clearance]
    assert set(measured) == {row["name"] for row in demo_bundle.document["structures"]}


def test_a_case_is_checked_structure_by_structure(run: Run, demo_folder: Path) -> None:
    done = run("check", demo_folder, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert {"structures", "vertebrae", "screws", "rods", "cages"} <= set(report)
    assert {"name", "kind", "problems"} <= set(report["structures"][0])
    for vertebra in report["vertebrae"]:
        for side in ("left", "right"):
            pedicle = vertebra["pedicles"][side]
            assert {"centre_mm", "axis", "width_mm", "height_mm", "available", "reason",
                    "confidence"} <= set(pedicle)  # fmt: skip
    for screw in report["screws"]:
        assert {"structure", "head_mm", "tip_mm", "diameter_mm", "level", "side"} <= set(screw)


def test_the_demonstration_leaves_what_the_readme_shows_and_says_where(
    trocar: Trocar, tmp_path: Path
) -> None:
    out = tmp_path / "somewhere" / "demo"
    done = trocar("demo", "--out", out)
    assert done.returncode == 0, done.stderr
    plan = json.loads((out / "plan.json").read_text())
    shown = [json.loads(block.text) for block in blocks(README) if block.language == "json"]
    answers = [one for one in shown if "needle" in one]
    assert len(answers) == 2
    for one in answers:
        kinds = ("trajectories", "certificates")
        assert any(is_part(one, answer) for kind in kinds for answer in plan[kind])
    assert (out / "scene.glb").exists()
    assert "<script>" in (out / "scene.html").read_text()
    assert (out / "sheet.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "preview.png").exists() or "apt-get" in done.stderr
    assert "Trajectories, best first" in done.stdout
    assert "What was searched" in done.stdout
    assert "not a medical device" in done.stdout
    assert str(out / "plan.json") in done.stderr


def test_a_synthetic_case_is_written_and_can_be_checked(run: Run, tmp_path: Path) -> None:
    done = run("phantom", "--recipe", "lumbar-fracture", "--seed", "7", "--out", tmp_path / "case")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "case" / "case.json").read_text())["schema"] == "trocar/case/1"


def test_a_bone_that_cannot_be_read_is_reported_and_still_measured(
    run: Run, small: "Bundle", tmp_path: Path
) -> None:
    case = small.write(tmp_path / "case")
    report = run("check", case, "--out", tmp_path / "out")
    assert report.exit_code == 0, report.output
    assert "Structures" in report.stdout
    [vertebra] = json.loads((tmp_path / "out" / "check.json").read_text())["vertebrae"]
    assert vertebra["frame"] is None
    assert vertebra["pedicles"]["left"]["available"] is False
    assert vertebra["reason"]
    words = ["--needle", "13G-150", "--entry", "40,90,0", "--tip", "0,0,0"]
    measured = run("evaluate", case, *words)
    assert measured.exit_code == 0, measured.output
    assert "Distances, surface to surface" in measured.stdout


SHORT_FORMS: list[tuple[str, dict[str, Any]]] = [
    ("anterior_body:L3", {"type": "anterior_body", "level": "L3"}),
    (
        "anterior_body:L3:prophylactic",
        {"type": "anterior_body", "level": "L3", "intent": "prophylactic"},
    ),
    ("beside_screw:s", {"type": "beside_screw", "screw": "s"}),
    ("beside_screw:s:cranial", {"type": "beside_screw", "screw": "s", "place": "cranial"}),
    ("screw_halo:screw_L3_L", {"type": "screw_halo", "screw": "screw_L3_L"}),
    ("screw_tip:s", {"type": "screw_tip", "screw": "s"}),
    ("cage_interface:c:cranial", {"type": "cage_interface", "cage": "c", "end": "cranial"}),
    ("lesion:tumour", {"type": "lesion", "structure": "tumour"}),
    ("point:1,-2,3.5", {"type": "point", "position_mm": [1.0, -2.0, 3.5]}),
    ("point:1,2,3:4", {"type": "point", "position_mm": [1.0, 2.0, 3.0], "tolerance_mm": 4.0}),
]


@pytest.mark.parametrize(("text", "document"), SHORT_FORMS)
def test_a_target_in_short_is_the_target_in_full(text: str, document: dict[str, Any]) -> None:
    assert target_from_short_form(text) == document
    assert checked(PlanRequestDocument, {"target": document}).target.type == document["type"]


@pytest.mark.parametrize(
    "command", ["demo", "plan", "verify-proof", "evaluate", "check", "split", "serve", "phantom"]
)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 5
