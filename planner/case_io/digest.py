"""The digest of a case: equal for the same content in other units, frames or files.

Coordinates enter it in LPS on a grid of 0.0001 mm. Two 32-bit files in different units differ by
more than that in their own rounding, and rightly have different digests.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from planner.case import Cylinder, PatientPosition, Structure, Tube
from planner.case_io.grid import cells

CELLS_PER_MM = 1e4


def case_digest(
    structures: Sequence[Structure],
    patient_position: PatientPosition | None,
    findings: Mapping[str, Mapping[str, Any]],
    landmarks: Mapping[str, Any],
) -> str:
    """Return the SHA-256 of what a plan depends on, hex.

    The case's title, provenance and file names are not in it.
    """
    digest = hashlib.sha256()
    head = {
        "patient_position": patient_position.value if patient_position else None,
        "findings": {level: dict(found) for level, found in findings.items()},
        "landmarks": {
            level: {name: _on_grid(point).tolist() for name, point in points.items()}
            for level, points in landmarks.items()
        },
        "structures": [_entry(structure) for structure in structures],
    }
    digest.update(json.dumps(head, sort_keys=True, separators=(",", ":")).encode())
    for structure in structures:
        digest.update(_on_grid(structure.mesh.vertices).tobytes())
        digest.update(structure.mesh.faces.astype("<i8").tobytes())
    return digest.hexdigest()


def _entry(structure: Structure) -> list[Any]:
    error = _on_grid(np.array([structure.segmentation_error_mm])).tolist()
    return [
        structure.name, structure.kind.value, structure.level,
        structure.side.value if structure.side else None, _primitive(structure.primitive),
        len(structure.mesh.vertices), len(structure.mesh.faces),
        *(error if structure.segmentation_error_mm > 0.0 else ()),
    ]  # fmt: skip


def _primitive(primitive: Cylinder | Tube | None) -> list[Any] | None:
    match primitive:
        case None:
            return None
        case Cylinder():
            ends = _on_grid(np.stack([primitive.head_mm, primitive.tip_mm])).tolist()
            return ["cylinder", ends, _on_grid(np.array([primitive.diameter_mm])).item()]
        case Tube():
            line = _on_grid(np.asarray(primitive.points_mm)).tolist()
            return ["tube", line, _on_grid(np.array([primitive.diameter_mm])).item()]


def _on_grid(values: np.ndarray) -> Int[np.ndarray, "..."]:
    return cells(values, CELLS_PER_MM).astype("<i8")
