"""One case in other units and frames, and one question asked twice, give one plan, byte for byte."""

import json
from pathlib import Path

import numpy as np
import pytest

from api.documents import dump, plan_document
from geometry.mesh import TriangleMesh
from geometry.mesh_files import write_mesh
from planner.case import Case
from planner.case_io import load_case
from planner.planning import plan
from planner.request import AnteriorBody, Approach, PlanRequest

SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
PER_MM = {"mm": 1.0, "cm": 0.1, "m": 0.001}
REQUEST = PlanRequest(
    target=AnteriorBody(level="L3"),
    approaches=(Approach.TRANSPEDICULAR,),
    needles=("15G-bevel-150",),
    digest="request",
)


def _variant(folder: Path, units: str, coordinate_system: str) -> Case:
    """Write the sample in other units and axes, its meshes as 64-bit files, and read it back."""
    document = json.loads((SAMPLE / "case.json").read_text(encoding="utf-8"))
    document |= {"units": units, "coordinate_system": coordinate_system}
    sign = np.array([-1.0, -1.0, 1.0]) if coordinate_system == "RAS" else np.ones(3)
    original = load_case(SAMPLE)
    for entry in document["structures"]:
        mesh = original.structure(entry["name"]).mesh
        turned = TriangleMesh(
            vertices=mesh.vertices * sign * PER_MM[units], faces=mesh.faces, is_closed=True
        )
        entry["file"] = f"{entry['name']}.ply"
        (folder / entry["file"]).write_bytes(write_mesh(turned, ".ply"))
    (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    return load_case(folder)


def _bytes(case: Case) -> str:
    document = plan_document(plan(case, REQUEST))
    del document["timings_s"]
    return dump(document)


@pytest.fixture(scope="module")
def expected() -> str:
    return _bytes(load_case(SAMPLE))


def test_the_same_question_has_the_same_bytes(expected: str) -> None:
    assert _bytes(load_case(SAMPLE)) == expected


@pytest.mark.parametrize(("units", "axes"), [("m", "RAS"), ("cm", "LPS"), ("mm", "RAS")])
def test_units_and_axes_of_the_files_leave_no_trace(
    tmp_path: Path, expected: str, units: str, axes: str
) -> None:
    assert _bytes(_variant(tmp_path, units, axes)) == expected
