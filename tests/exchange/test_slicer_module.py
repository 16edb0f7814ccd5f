"""The Slicer module's logic, without Slicer: the real command, on a segmentation as Slicer saves it."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import nrrd
import pytest

from exchange.segments import lps_affine
from phantom.voxels import LabelMap
from planner.case import Kind
from planner.case_io import load_case

ROOT = Path(__file__).parents[2]
RUNS: dict[str, Any] = runpy.run_path(str(ROOT / "integrations" / "slicer" / "trocar_runs.py"))
TROCAR = [sys.executable, "-c", "from api.cli import main; main()"]


def _saved(path: Path, small: LabelMap, *, first: str) -> Path:
    affine = lps_affine(small.ras_from_voxel)
    header: dict[str, Any] = {
        "space": "left-posterior-superior", "space directions": affine[:3, :3].T,
        "space origin": affine[:3, 3],
    }  # fmt: skip
    for k, name in enumerate([first, "L4", "left kidney", "Aorta"]):
        header |= {
            f"Segment{k}_Name": name, f"Segment{k}_LabelValue": str(k + 1), f"Segment{k}_Layer": "0"
        }  # fmt: skip
    nrrd.write(str(path), small.labels, header)
    return path


def test_a_segmentation_becomes_a_case(
    tmp_path: Path, small: LabelMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = _saved(tmp_path / "segmentation.seg.nrrd", small, first="L3")
    said = RUNS["imported"](TROCAR, path, tmp_path, 0.8)
    assert "wrote" in said
    case = load_case(tmp_path / "case")
    assert [s.kind for s in case.structures] == [
        Kind.VERTEBRA, Kind.VERTEBRA, Kind.ORGAN, Kind.VESSEL
    ]  # fmt: skip
    assert {s.segmentation_error_mm for s in case.structures} == {0.8}


def test_a_refusal_is_told_in_trocars_words(
    tmp_path: Path, small: LabelMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = _saved(tmp_path / "segmentation.seg.nrrd", small, first="Segment_1")
    with pytest.raises(RUNS["TrocarError"], match=r"'Segment_1'; give --labels"):
        RUNS["imported"](TROCAR, path, tmp_path)


def test_a_missing_trocar_is_told(tmp_path: Path) -> None:
    with pytest.raises(RUNS["TrocarError"], match="cannot be run"):
        RUNS["planned"]([str(tmp_path / "nowhere")], tmp_path, "anterior_body:L3")


def test_what_is_shown_is_what_the_plan_wrote(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"outcome": "found", "explanation": "two"}))
    plan = RUNS["shown"](tmp_path, "notes")
    assert (plan.outcome, plan.explanation, plan.notes) == ("found", "two", "notes")
    assert plan.scene == tmp_path / "exports" / "scene_LPS.vtp"
    command = RUNS["plan_command"](["trocar"], tmp_path, "screw_tip:screw_L3_L")
    assert command[1:5] == ["plan", str(tmp_path / "case"), "--target", "screw_tip:screw_L3_L"]
    assert "--export" in command
