"""Simulated fluoroscopy of one needle of a plan, from what was planned; runs in a worker process.

The needle is taken from the stored plan as it is, so nothing is planned again.
"""

import importlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from api import work
from api.problems import UnknownIdError
from api.schemas import PathDocument, PlanRequestDocument, checked
from api.strict_json import parsed_object
from geometry.projection import ConeBeam
from planner.fluoroscopy.c_arm import CArm, beam_from_angles, console_angles, view_name
from planner.fluoroscopy.catalogue import c_arm_of
from planner.question import Question, question_of
from planner.request import PlanRequest
from planner.target import TargetRegion

_PATH: TypeAdapter[Any] = TypeAdapter(PathDocument)


@dataclass(frozen=True, slots=True, kw_only=True)
class FluoroRequest:
    """Which needle to show, from where, and with what; None for what the plan says.

    Attributes:
        rank: Of the trajectory.
        primary_deg: DICOM primary angle; both angles, or the needle's bull's-eye.
        secondary_deg: DICOM secondary angle.
        c_arm: Name of the C-arm, for its distances and its reach.
    """

    rank: int
    primary_deg: float | None = None
    secondary_deg: float | None = None
    c_arm: str | None = None


def fluoro_png(folder: Path, document: Mapping[str, Any], text: str, asked: FluoroRequest) -> bytes:
    """Return the picture as PNG.

    Args:
        folder: Of the case.
        document: The checked request that was planned for.
        text: The plan.
        asked: What to show.

    Raises:
        UnknownIdError: If the plan has no trajectory of that rank.
    """
    trajectory = _ranked(parsed_object(text.encode()), asked.rank)
    request: PlanRequest = checked(PlanRequestDocument, document).request()
    question = question_of(work.case_in(folder), request)
    arm = question.c_arm if asked.c_arm is None else c_arm_of(asked.c_arm)
    beam, title, lines = _view(trajectory, question, arm, asked)
    region = question.region
    preview = importlib.import_module("preview.fluoro_image")  # most workers never draw
    shot = preview.FluoroShot(
        beam=beam,
        path=tuple(piece.segment() for piece in _PATH.validate_python(trajectory["path"])),
        radius_mm=trajectory["outer_diameter_mm"] / 2.0,
        rank=asked.rank,
        target=region if isinstance(region, TargetRegion) else None,
        title=title,
        lines=lines,
    )
    image = preview.fluoro_image(question.prepared.given, shot)
    written = io.BytesIO()
    image.save(written, format="PNG", compress_level=1)
    return written.getvalue()


def _ranked(plan: Mapping[str, Any], rank: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = next(
        (t for t in plan["trajectories"] if t["rank"] == rank), None
    )
    if found is None:
        raise UnknownIdError(
            f"the plan has {len(plan['trajectories'])} trajectories, none of rank {rank}",
            field="rank", code="unknown-trajectory",
        )  # fmt: skip
    return found


def _view(
    trajectory: Mapping[str, Any], question: Question, arm: CArm, asked: FluoroRequest
) -> tuple[ConeBeam, str, tuple[str, ...]]:
    """Return the beam through the tip, the view's name, and what to say of it."""
    bulls_eye = trajectory["views"][0]["dicom"]
    primary, secondary = (
        math.radians(bulls_eye[name] if stated is None else stated)
        for name, stated in (
            ("primary_deg", asked.primary_deg), ("secondary_deg", asked.secondary_deg),
        )
    )  # fmt: skip
    direction = beam_from_angles(primary, secondary)
    plane = arm.plane_for(direction, question.position)
    seen_by = plane or arm
    console = " / ".join(
        f"{math.degrees(angle):.1f}" for angle in console_angles(direction, question.position)
    )
    lies = f"console {console} for a patient lying {question.position.value}"
    reach = "in reach" if plane is not None else "OUT OF REACH"
    named = f"DICOM {math.degrees(primary):.1f} / {math.degrees(secondary):.1f}"
    return (
        arm.cone(direction, np.array(trajectory["tip_mm"]), question.position),
        f"{view_name(primary, secondary)}   {named}",
        (
            f"{lies}; {seen_by.name}, {reach}; seen from the detector",
            f"needle {asked.rank}, {trajectory['needle']}, tip at the isocentre",
        ),
    )
