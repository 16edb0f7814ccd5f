"""Writes a synthetic case as a bundle folder: case.json, binary PLY meshes, truth and source."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from geometry.mesh import TriangleMesh
from phantom.recipe import PhantomCase, Recipe, build_case, command, on_file_grid
from planner.case import Case, Structure


def ply_bytes(mesh: TriangleMesh) -> bytes:
    """Return a mesh as binary little-endian PLY; float32 halves what a repository has to carry."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(mesh.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    vertices = on_file_grid(mesh.vertices).astype("<f4")
    rows = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("corners", "<i4", (3,))])
    rows["count"] = 3
    rows["corners"] = mesh.faces
    return header.encode("ascii") + vertices.tobytes() + rows.tobytes()


def _entry(structure: Structure) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": structure.name, "kind": structure.kind.value}
    if structure.level:
        entry["level"] = structure.level
    if structure.side:
        entry["side"] = structure.side.value
    entry["file"] = f"meshes/{structure.name}.ply"
    return entry


def case_record(case: Case) -> dict[str, Any]:
    """Return the content of ``case.json``."""
    record: dict[str, Any] = {
        "schema": "trocar/case/1",
        "name": case.name,
        "coordinate_system": "LPS",
        "units": "mm",
    }
    if case.patient_position:
        record["patient_position"] = case.patient_position.value
    record["structures"] = [_entry(structure) for structure in case.structures]
    if case.findings:
        record["findings"] = {level: dict(found) for level, found in case.findings.items()}
    record["provenance"] = dict(case.provenance)
    return record


def _source(recipe: Recipe, built: PhantomCase) -> str:
    triangles = sum(len(structure.mesh.faces) for structure in built.case.structures)
    return (
        f"# {recipe.title}\n\n"
        "Synthetic: drawn by this project's generator from published mean sizes of vertebrae.\n"
        "No patient data, no scan and no third-party mesh went into it.\n\n"
        "Made with\n\n"
        f"    {command(recipe)} --out DIR\n\n"
        f"{len(built.case.structures)} structures, {triangles} triangles, patient LPS, mm.\n"
        "`truth.json` holds what was built (frames, pedicles, screw axes); no planner reads it.\n"
    )


def write_bundle(recipe: Recipe, folder: Path) -> PhantomCase:
    """Build a recipe's case and write its bundle; the same recipe gives the same bytes.

    Args:
        recipe: What to build.
        folder: Where to; made if missing, files of the same name are replaced.

    Returns:
        The case that was written, and its truth.
    """
    built = build_case(recipe)
    meshes = folder / "meshes"
    meshes.mkdir(parents=True, exist_ok=True)
    for structure in built.case.structures:
        (meshes / f"{structure.name}.ply").write_bytes(ply_bytes(structure.mesh))
    _write_json(folder / "case.json", case_record(built.case))
    _write_json(folder / "truth.json", built.truth)
    (folder / "SOURCE.md").write_text(_source(recipe, built), encoding="utf-8")
    return built


def _write_json(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
