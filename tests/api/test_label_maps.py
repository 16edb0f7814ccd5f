"""Cases with a label map over HTTP: read by a worker, like any other geometry."""

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from fastapi.testclient import TestClient

from api.client import Client
from geometry.mesh_files import read_mesh
from phantom.voxels import label_map
from tests.api.conftest import block

DOCUMENT: dict[str, Any] = {
    "schema": "trocar/case/1", "name": "", "coordinate_system": "LPS", "units": "mm",
    "labelmap": "scan/labels.nii.gz",
    "structures": [{"name": "L3", "kind": "vertebra", "level": "L3", "label": 1}],
}  # fmt: skip


def labelled_case(folder: Path) -> Path:
    """Write a case whose only bone is label 1 of a label map in a folder beneath, and return it."""
    scan = label_map({"L3": [block((-20.0, -15.0, -12.0), (20.0, 15.0, 12.0))]}, (1.0, 1.0, 1.0))
    (folder / "scan").mkdir(parents=True)
    nibabel.save(
        nibabel.Nifti1Image(scan.labels, scan.ras_from_voxel), folder / "scan" / "labels.nii.gz"
    )
    (folder / "case.json").write_text(json.dumps(DOCUMENT))
    return folder


def test_a_case_with_a_label_map_is_taken_and_its_surfaces_are_served(
    client: TestClient, tmp_path: Path
) -> None:
    case = Client("", http=client).send_case(labelled_case(tmp_path / "case"))
    mesh = client.get(f"/v1/cases/{case['case_id']}/structures/L3.ply")
    assert mesh.status_code == 200
    vertices = read_mesh(mesh.content, "ply").vertices
    np.testing.assert_allclose(vertices.max(axis=0), [20.0, 15.0, 12.0], atol=1.0)


def test_a_label_that_is_not_in_the_map_is_named(client: TestClient, tmp_path: Path) -> None:
    folder = labelled_case(tmp_path / "case")
    structures = [{**DOCUMENT["structures"][0], "label": 7}]
    name = DOCUMENT["labelmap"]
    parts = [
        ("case", ("case.json", json.dumps({**DOCUMENT, "structures": structures}).encode())),
        (name, (name, (folder / name).read_bytes())),
    ]
    refused = client.post("/v1/cases", files=parts)
    assert refused.status_code == 422
    assert "no label 7; it has 1" in refused.json()["detail"]
