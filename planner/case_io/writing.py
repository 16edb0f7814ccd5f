"""A case as a folder: case.json and PLY files in LPS and millimetres."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geometry.mesh_files import write_mesh
from planner.case import Case, Cylinder, Structure, Tube
from planner.case_io.schema import SCHEMA


def save_case(case: Case, folder: Path) -> None:
    """Write a case so that reading it again gives the same digest.

    Bars stay bars; everything else becomes a PLY with 64-bit coordinates in ``meshes/``. Files of
    the same names are replaced.
    """
    meshes = folder / "meshes"
    meshes.mkdir(parents=True, exist_ok=True)
    entries = []
    for index, structure in enumerate(case.structures):
        entry = _entry(structure)
        if structure.primitive is None:
            entry["file"] = f"meshes/{_file_name(structure.name, index)}"
            (folder / entry["file"]).write_bytes(write_mesh(structure.mesh, "ply"))
        entries.append(entry)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "name": case.name,
        "coordinate_system": "LPS",
        "units": "mm",
    }
    if case.patient_position is not None:
        document["patient_position"] = case.patient_position.value
    document["structures"] = entries
    for key, section in (("findings", case.findings), ("landmarks", case.landmarks)):
        if section:
            document[key] = {level: _plain(stated) for level, stated in section.items()}
    if case.provenance:
        document["provenance"] = dict(case.provenance)
    text = json.dumps(document, indent=1, allow_nan=False)
    (folder / "case.json").write_text(text + "\n", encoding="utf-8")


def _entry(structure: Structure) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": structure.name, "kind": structure.kind.value}
    if structure.level is not None:
        entry["level"] = structure.level
    if structure.side is not None:
        entry["side"] = structure.side.value
    if structure.segmentation_error_mm > 0.0:
        entry["segmentation_error_mm"] = structure.segmentation_error_mm
    match structure.primitive:
        case Cylinder() as bar:
            entry["cylinder"] = {
                "head_mm": bar.head_mm.tolist(),
                "tip_mm": bar.tip_mm.tolist(),
                "diameter_mm": bar.diameter_mm,
            }
        case Tube() as tube:
            entry["tube"] = {
                "points_mm": np.asarray(tube.points_mm).tolist(),
                "diameter_mm": tube.diameter_mm,
            }
    return entry


def _plain(section: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in section.items()}


def _file_name(name: str, index: int) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    return f"{index:03d}_{plain}.ply"
