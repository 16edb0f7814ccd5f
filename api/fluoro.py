"""Simulated fluoroscopy of one needle, planned or drawn by hand; runs in a worker process.

The needle is taken as it is, from the stored plan or the request, so nothing is planned again.
"""

import importlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter

from api import work
from api.problems import UnknownIdError
from api.schemas import EvaluationDocument, PathDocument, PlanRequestDocument, checked
from api.strict_json import parsed_object
from geometry.projection import ConeBeam
from planner.fluoroscopy.c_arm import CArm, beam_from_angles, console_angles, view_name
from planner.fluoroscopy.catalogue import c_arm_of
from planner.needles.catalogue import needle_named
from planner.question import Question, question_of
from planner.request import PlanRequest
from planner.target import TargetRegion

_PATH: TypeAdapter[Any] = TypeAdapter(PathDocument)


class DrawnFluoroDocument(EvaluationDocument):
    """A path somebody drew, and from where it is looked at: DICOM angles."""

    primary_deg: Annotated[float, Field(strict=True, ge=-180.0, le=180.0)]
    secondary_deg: Annotated[float, Field(strict=True, ge=-90.0, le=90.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FluoroRequest:
    """Which needle to show, from where, and with what; None for what the plan says.

    Attributes:
        rank: Of the trajectory; 0 for one that was drawn.
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
    return _picture(question, trajectory, asked)


def fluoro_of_drawn(folder: Path, drawn: DrawnFluoroDocument) -> bytes:
    """Return the picture of a path that somebody drew as PNG."""
    needle = needle_named(drawn.needle)
    shown = {
        "path": [piece.model_dump(mode="json") for piece in drawn.path],
        "tip_mm": drawn.path[-1].end_mm,
        "outer_diameter_mm": needle.outer_diameter_mm,
        "needle": needle.name,
    }
    asked = FluoroRequest(rank=0, primary_deg=drawn.primary_deg, secondary_deg=drawn.secondary_deg)
    return _picture(question_of(work.case_in(folder), drawn.request()), shown, asked)


def _picture(question: Question, trajectory: Mapping[str, Any], asked: FluoroRequest) -> bytes:
    """Return the picture of one needle as PNG."""
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
    primary, secondary = (
        math.radians(trajectory["views"][0]["dicom"][name] if stated is None else stated)
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
    named_needle = f"needle {asked.rank}" if asked.rank else "drawn needle"
    named = f"DICOM {math.degrees(primary):.1f} / {math.degrees(secondary):.1f}"
    return (
        arm.cone(direction, np.array(trajectory["tip_mm"]), question.position),
        f"{view_name(primary, secondary)}   {named}",
        (
            f"{lies}; {seen_by.name}, {reach}; seen from the detector",
            f"{named_needle}, {trajectory['needle']}, tip at the isocentre",
        ),
    )
