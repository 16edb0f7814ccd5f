"""What a finished search proves about one class, in numbers and in one English sentence."""

import math

from geometry._kernels import FAR
from planner.anatomy.model import Unavailable
from planner.approach import Gate
from planner.case import Side
from planner.needles.model import Needle
from planner.request import Approach
from planner.result import Certificate, Status
from planner.search.along_screw import (
    LEAST_SLIDE_MM,
    MOST_ARRIVAL_RAD,
    PLASTIC,
    contact_of,
)
from planner.search.branch_and_bound import SearchResult
from planner.search.curved import LEAST_BEYOND_GATE_MM, TOLERANCE_MM, CurvedResult

# A structure is named as limiting if it settled at least this share of the examined boxes.
NAMED_SHARE = 0.1
NO_FILE = "Proof files do not hold the boxes of bent paths: this bound is the search's own."


def certificate(
    gate: Gate,
    needle: Needle,
    result: SearchResult | CurvedResult,
    best_mm: float | None,
    tolerance_mm: float,
) -> Certificate:
    """Return the certificate of a searched class.

    Args:
        gate: Its gate.
        needle: Its needle.
        result: The search of its paths.
        best_mm: Margin of its best path, measured on the meshes; None if it has no path.
        tolerance_mm: The gap that was asked for; a curved class has a wider one of its own.
    """
    if needle.curved is not None:
        tolerance_mm = max(tolerance_mm, TOLERANCE_MM)
    empty = result.upper_bound_mm <= -FAR / 2.0
    upper = _no_path_mm(gate, needle) if empty else result.upper_bound_mm - needle.radius_mm
    if best_mm is not None:
        upper = max(upper, best_mm)
    status = Status.STOPPED
    if upper < 0.0:
        status = Status.INFEASIBLE
    elif best_mm is not None and best_mm >= 0.0 and upper - best_mm <= tolerance_mm + 1e-6:
        status = Status.FOUND
    limiting = _limiting(result)
    return Certificate(
        approach=gate.approach, side=gate.side, needle=needle.name, status=status,
        best_margin_mm=best_mm, upper_bound_mm=upper, tolerance_mm=tolerance_mm,
        limiting_structures=limiting, boxes_examined=result.boxes_examined,
        statement=(
            f"No {gate.approach} path on the {gate.side} with {needle.name}: no line through its "
            "window and within its cone reaches the target within the needle's length."
            if empty else _stated(gate, needle, status, (best_mm, upper), limiting)
        ),
    )  # fmt: skip


def blocked(gate: Gate, needle: Needle, tolerance_mm: float) -> Certificate:
    """Return the certificate of a class whose window is empty: no path can pass its gate."""
    why = (
        f"the pedicle's largest inscribed circle has a radius of {gate.inscribed_mm:.2f} mm, "
        f"the needle {needle.radius_mm:.2f} mm"
        if gate.inscribed_mm is not None and gate.uncut.is_empty
        else "hardware fills the whole window"
    )
    return Certificate(
        approach=gate.approach, side=gate.side, needle=needle.name, status=Status.INFEASIBLE,
        best_margin_mm=None, upper_bound_mm=_no_path_mm(gate, needle), tolerance_mm=tolerance_mm,
        limiting_structures=(), boxes_examined=0,
        statement=f"No {gate.approach} path on the {gate.side} with {needle.name}: {why}.",
    )  # fmt: skip


def _no_path_mm(gate: Gate, needle: Needle) -> float:
    """Return a margin that no path of an empty class can have: what it would lack at the gate."""
    if gate.inscribed_mm is not None and gate.uncut.is_empty:
        return min(gate.inscribed_mm - needle.radius_mm, -1e-6)
    return -needle.radius_mm


def unsearched(
    approach: Approach, side: Side, needle: Needle, why: Unavailable, tolerance_mm: float
) -> Certificate:
    """Return the certificate of a class that could not be searched: nothing is claimed of it."""
    return Certificate(
        approach=approach, side=side, needle=needle.name, status=Status.STOPPED,
        best_margin_mm=None, upper_bound_mm=None, tolerance_mm=tolerance_mm,
        limiting_structures=(), boxes_examined=0,
        statement=f"Not searched: {approach} {side} with {needle.name}: {why.reason}.",
    )  # fmt: skip


def claimed_without_file(proved: Certificate) -> str:
    """Say what a certificate claims of bent paths, for a proof that does not hold their boxes."""
    best, upper = proved.best_margin_mm, proved.upper_bound_mm
    found = "no path found" if best is None else f"best margin {best:.3f} mm"
    bound = "no bound" if upper is None else f"none above {upper:.3f} mm"
    return (
        f"bent paths, searched by {proved.boxes_examined:,} boxes that proof files do not hold; "
        f"claimed without them: {proved.status}, {found}, {bound}"
    )


def _limiting(result: SearchResult | CurvedResult) -> tuple[str, ...]:
    total = sum(result.settled_by.values())
    ordered = sorted(result.settled_by.items(), key=lambda item: (-item[1], item[0]))
    return tuple(name for name, count in ordered[:3] if count >= NAMED_SHARE * total)


def _stated(
    gate: Gate,
    needle: Needle,
    status: Status,
    margins_mm: tuple[float | None, float],
    limiting: tuple[str, ...],
) -> str:
    """Say what was proved, what is nearest, and whether proof files hold it."""
    if gate.contact is not None:
        told = _statement_along(gate, needle, status, margins_mm)
    else:
        told = _statement(gate, needle, status, margins_mm)
    near = f" Nearest to it: {', '.join(limiting)}." if limiting else ""
    bent = needle.curved is not None or gate.contact is not None
    return f"{told}{near}{f' {NO_FILE}' if bent else ''}"


def _statement(
    gate: Gate, needle: Needle, status: Status, margins_mm: tuple[float | None, float]
) -> str:
    best_mm, upper_mm = margins_mm
    shape = "straight" if needle.curved is None else "curved"
    way = f"{shape} {gate.approach} path on the {gate.side} with {needle.name}"
    scope = "through the gate's window, within its cone and the needle's length"
    if needle.curved is not None:
        scope += f", stopping {LEAST_BEYOND_GATE_MM:g} mm beyond the gate or further"
    if status is Status.INFEASIBLE:
        return f"No {way} {scope} has a margin above {upper_mm:.3f} mm: none is safe."
    best = "none was found" if best_mm is None else f"the best found has {best_mm:.2f} mm"
    if status is Status.FOUND:
        return f"Of every {way} {scope}, {best} and none has more than {upper_mm:.2f} mm."
    return (
        f"Stopped before a proof: of every {way} {scope}, {best}; "
        f"none has more than {upper_mm:.2f} mm."
    )


def _statement_along(
    gate: Gate, needle: Needle, status: Status, margins_mm: tuple[float | None, float]
) -> str:
    contact, (best_mm, upper_mm) = contact_of(gate), margins_mm
    way = (
        f"path along {contact.screw.structure} with {needle.name}, which meets the shaft in its "
        f"first two thirds at {math.degrees(MOST_ARRIVAL_RAD):.0f} degrees or less, bends to a "
        f"radius of {needle.elastic_radius_mm:.0f} mm, or {PLASTIC * needle.elastic_radius_mm:.0f} "
        f"mm if none of those is safe, and slides {LEAST_SLIDE_MM:g} mm or further"
    )
    apart = "to all but that shaft"
    if status is Status.INFEASIBLE:
        return f"No {way}, has a margin above {upper_mm:.3f} mm {apart}: none is safe."
    best = "none was found" if best_mm is None else f"the best found has {best_mm:.2f} mm"
    stopped = "Stopped before a proof: of every" if status is Status.STOPPED else "Of every"
    return f"{stopped} {way}, {best} {apart}; none has more than {upper_mm:.2f} mm."
