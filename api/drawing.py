"""Hands plans and anatomy to ``preview``, which is loaded only when something is drawn."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.documents import plan_digest, plan_document
from api.problems import UnknownIdError
from planner.prepared import PreparedCase
from planner.question import orientation, question_of
from planner.request import PlanRequest, TargetSpec
from planner.result import Plan
from planner.target import TargetRegion, bone_of, region_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from planner.anatomy.describe import CaseAnatomy
    from planner.case import Case
    from planner.session.planning import SessionPlan
    from preview.anatomy_sheet import SheetResult
    from preview.pictures import PreviewResult


def draw_plan(
    prepared: PreparedCase, target: TargetSpec, plan: Plan, folder: Path
) -> "PreviewResult":
    """Write ``scene.glb``, ``scene.html`` and, where it can be drawn, ``preview.png`` of a plan.

    Args:
        prepared: The case that was planned on.
        target: What was asked for; the region it stands for is shown.
        plan: The plan to show.
        folder: Where to write.
    """
    bone = bone_of(prepared, target)
    axes = orientation(prepared, bone)
    region = region_of(prepared, target, bone, axes)
    result: PreviewResult = _preview("pictures").render_preview(
        prepared.case,
        plan,
        folder,
        target=region if isinstance(region, TargetRegion) else None,
        axes=axes,
    )
    return result


def scene_page_policy() -> str:
    """Return the Content-Security-Policy under which ``scene.html`` works, and no other script."""
    policy: str = _preview("scene_page").page_policy()
    return policy


def draw_sheet(prepared: PreparedCase, request: PlanRequest, plan: Plan, rank: int = 1) -> bytes:
    """Return the one-page sheet of a plan's trajectory, or of a plan that has none, as PDF.

    Raises:
        UnknownIdError: If the plan has trajectories, but none of that rank.
    """
    chosen = next((t for t in plan.trajectories if t.rank == rank), None)
    if chosen is None and plan.trajectories:
        raise UnknownIdError(
            f"the plan has {len(plan.trajectories)} trajectories, none of rank {rank}",
            field="rank", code="unknown-trajectory",
        )  # fmt: skip
    question, digest = question_of(prepared, request), plan_digest(plan_document(plan))
    written: bytes = _preview("sheet").sheet_pdf(question, plan, chosen, digest)
    return written


def draw_session_sheets(prepared: PreparedCase, session: "SessionPlan") -> bytes:
    """Return a page for every needle of a session, and for every target without one, as PDF."""
    questions = [question_of(prepared, one.request) for one in session.chosen]
    digests = [plan_digest(plan_document(one.plan)) for one in session.chosen]
    written: bytes = _preview("session_sheet").session_pdf(session, questions, digests)
    return written


def draw_anatomy(case: "Case", anatomy: "CaseAnatomy", folder: Path) -> "SheetResult":
    """Write ``anatomy.png``, where the machine can draw: what was read from the meshes."""
    result: SheetResult = _preview("anatomy_sheet").render_anatomy(case, anatomy, folder)
    return result


def level_sheet(case: "Case", anatomy: "CaseAnatomy") -> "tuple[Image | None, str]":
    """Return the sheet of an anatomy, or None and why this machine cannot draw it."""
    sheets, worker = _preview("anatomy_sheet"), _preview("worker")
    try:
        (page,) = sheets.sheets([(case, anatomy)])
    except worker.RenderUnavailableError as missing:
        return None, str(missing)
    return page, ""


def _preview(module: str) -> Any:  # noqa: ANN401  a module
    """Return a module of ``preview``: most commands and workers never draw, and it loads slowly."""
    return importlib.import_module(f"preview.{module}")
