"""The sheet's two tables: the views with their angles, and what is nearest to the needle."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planner.case import HARDWARE
from planner.needles.catalogue import needle_named
from planner.question import Question
from planner.result import Clearance, Trajectory, View, ViewRole
from preview.sheet_steps import hour_of, whole_hour

ROLES = {
    ViewRole.BULLS_EYE: "Bull's-eye of the needle",
    ViewRole.SCREW_BULLS_EYE: "Bull's-eye of the screw",
    ViewRole.PROGRESS: "Progress",
    ViewRole.THROW_OFF_LATERAL: "Throw-off, lateral",
    ViewRole.POSTERIOR_WALL: "Posterior wall",
    ViewRole.THROW_OFF_AP: "Throw-off, AP",
    ViewRole.TRUE_AP: "True AP of the level",
    ViewRole.TRUE_LATERAL: "True lateral of the level",
    ViewRole.FORAMEN: "Foramen",
}
MOST_CLEARANCES = 8
MOST_LETTERS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleRow:
    """One view: what it is for, its angles, what metal hides, and what else to know."""

    role: str
    label: str
    dicom: str
    console: str
    hides: str
    note: str
    reachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRow:
    """One structure near the needle.

    Attributes:
        number: In the table and on the clock face.
        cells: Structure, distance, limit, depth, 5th percentile, hour.
        state: ``ok``, ``near``, ``may touch`` or ``BREACH``.
        hour: Where it lies round the needle, seen from the hub; None where it has no direction.
        distance_mm: From the needle's surface.
        is_metal: Whether it is metal.
    """

    number: int
    cells: tuple[str, ...]
    state: str
    hour: float | None
    distance_mm: float
    is_metal: bool


def angle_rows(trajectory: Trajectory) -> Iterator[AngleRow]:
    """Yield a row for each of a needle's views, those first that it is led by."""
    shown = {view.role: view for view in trajectory.views}
    for role, words in ROLES.items():
        if role in shown:
            view = shown[role]
            yield AngleRow(
                role=words, label=view.label, dicom=_pair(view.primary_rad, view.secondary_rad, 1),
                console=console_pair(view), hides=_hides(view), note=_note(trajectory, view),
                reachable=view.reachable,
            )  # fmt: skip


def console_pair(view: View) -> str:
    """Return a view's console angles in whole degrees."""
    return _pair(view.console_primary_rad, view.console_secondary_rad, 0)


def _pair(primary_rad: float, secondary_rad: float, decimals: int) -> str:
    primary, secondary = (
        round(math.degrees(angle), decimals) for angle in (primary_rad, secondary_rad)
    )
    shown = (180.0 if primary == -180.0 else primary, secondary)
    return " / ".join(f"{angle:+.{decimals}f}" if angle else "0" for angle in shown)


def _note(trajectory: Trajectory, view: View) -> str:
    said = [] if view.reachable else ["OUT OF REACH"]
    if view.role is ViewRole.BULLS_EYE and needle_named(trajectory.needle).curved is not None:
        said.append("of the straight cannula")
    if view.tilt is not None:
        lateral, cranial = (
            round(math.degrees(a)) for a in (view.tilt.lateral_rad, view.tilt.cranial_rad)
        )
        said.append(f"then {lateral:+d}\u00b0 outward, {cranial:+d}\u00b0 cranial to the needle's")
    if view.hidden is not None and view.hidden.at_tip:
        said.append("TIP HIDDEN")
    if view.resolution_rad is not None:
        said.append(f"best to {math.degrees(view.resolution_rad):.0f}\u00b0")
    return "; ".join(said)


def _hides(view: View) -> str:
    """Return the shares that metal hides of needle's end, target and posterior wall, in percent."""
    if view.hidden is None:
        return "-"
    parts = (view.hidden.tip, view.hidden.target, view.hidden.posterior_wall)
    return " / ".join("-" if part is None else f"{100.0 * part:.0f}" for part in parts)


def clearance_rows(question: Question, trajectory: Trajectory) -> Iterator[ClearanceRow]:
    """Yield a row for the few structures that are nearest to closer than preferred."""

    def spare(clearance: Clearance) -> float:
        return clearance.distance_mm - question.policy.rule(clearance.kind).preferred_mm

    listed = sorted((c for c in trajectory.clearances if not c.traversed), key=spare)
    p5 = trajectory.breach_probability.p5_clearance_mm
    for number, clearance in enumerate(listed[:MOST_CLEARANCES], start=1):
        least, required = p5.get(clearance.structure), clearance.required_mm
        hour = hour_of(trajectory, clearance)
        yield ClearanceRow(
            number=number,
            cells=(
                shortened(clearance.structure) + (" (derived)" if clearance.derived else ""),
                f"{clearance.distance_mm:.1f}",
                "-" if required is None else f"{required:.1f}",
                f"{clearance.at_depth_mm:.0f}",
                "-" if least is None else f"{least:.1f}",
                whole_hour(hour),
            ),
            # What one needle in twenty enters is near, however much there is to spare.
            state=_state(clearance, min(spare(clearance), 0.0 if least is None else least)),
            hour=hour,
            distance_mm=clearance.distance_mm,
            is_metal=clearance.kind in HARDWARE,
        )


def shortened(name: str) -> str:
    """Return a name without its middle if it is very long."""
    return name if len(name) <= MOST_LETTERS else f"{name[:20]}\u2026{name[-14:]}"


def _state(clearance: Clearance, spare_mm: float) -> str:
    """Return a word for a clearance that has so much to spare of what is preferred."""
    if clearance.margin_mm is not None and clearance.margin_mm < 0.0:
        return "BREACH"
    if clearance.contact_allowed:
        return "may touch"
    return "near" if spare_mm < 0.0 else "ok"
