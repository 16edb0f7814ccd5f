"""What ``trocar plan --export`` writes: a plan for other programs, in their own formats."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.cli_files import write_bytes, write_text
from api.documents import plan_document
from exchange.encapsulated_stl import encapsulated_stl
from exchange.ranked_table import ranked_table
from exchange.vtp import FRAMES, vtp_bytes
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.errors import RequestError
from planner.prepared import PreparedCase
from planner.request import PlanRequest
from planner.result import Plan
from planner.target import bone_of


def require_exportable(asked: Mapping[str, Any], *, out: Path | None, server: str | None) -> None:
    """Refuse ``--export`` where nothing would be exported.

    Raises:
        RequestError: If there is no folder, a service plans, or several targets are asked for.
    """
    if out is None:
        raise RequestError(
            "is written under --out; give --out DIR too", field="export", code="missing-out"
        )
    if server is not None:
        raise RequestError(
            "is written where the plan is made; leave --server out", field="export",
            code="planned-elsewhere",
        )  # fmt: skip
    if "targets" in asked:
        raise RequestError(
            "is written for one target; plan each target that is to be exported by itself",
            field="export", code="several-plans",
        )  # fmt: skip


def write_exports(
    prepared: PreparedCase, request: PlanRequest, plan: Plan, folder: Path
) -> list[str]:
    """Write the ranked table, the scene as VTP and GLB, and needles and bone as DICOM.

    Returns:
        What to tell about them.
    """
    scene: Any = importlib.import_module("preview.scene").scene_of(prepared.case, plan)
    export: Any = importlib.import_module("preview.export")
    needles = {
        f"trajectory_{one.label}": triangle_mesh(*export.needle_tube(one)) for one in scene.needles
    }
    written = [write_text(folder / "trajectories.csv", ranked_table(plan_document(plan)))]
    surfaces = {**{s.name: s.mesh for s in prepared.case.structures}, **needles}
    for frame in FRAMES:
        path = folder / f"scene_{frame}.vtp"
        written.append(write_bytes(path, vtp_bytes(surfaces, frame)))
        path = folder / f"scene_{frame}.glb"
        export.write_glb(scene, path, frame=frame)
        written.append(path)
    bone = bone_of(prepared, request.target)
    written += _dicom(prepared, {bone.name: bone.mesh, **needles}, folder)
    return [f"wrote {path}" for path in written]


def _dicom(prepared: PreparedCase, surfaces: dict[str, TriangleMesh], folder: Path) -> list[Path]:
    """Write surfaces as Encapsulated STL, in the case's frame of reference."""
    return [
        write_bytes(
            folder / f"{name}.dcm", encapsulated_stl(prepared.given, name, mesh, number=number)
        )
        for number, (name, mesh) in enumerate(surfaces.items(), start=1)
    ]
