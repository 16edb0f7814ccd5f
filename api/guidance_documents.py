"""Cement and tamp guidance, as JSON, in millimetres and millilitres."""

from typing import Any

from api.rounding import LENGTH_DECIMALS, SHARE_DECIMALS, VOLUME_DECIMALS, rounded
from planner.treatment import CementGuidance, Coverage, Goal, StopSurface, TampAdvice


def cement_document(cement: CementGuidance | None) -> dict[str, Any] | None:
    """Return how much to fill and where to stop; None where there is nothing to fill."""
    if cement is None:
        return None
    return {
        "guidance_only": True,
        "goal": _goal(cement.goal),
        "cap_ml": _optional_ml(cement.cap_ml),
        "cap_by": cement.cap_by,
        "expected_ml": _ml(cement.expected_ml),
        "radius_mm": _optional_mm(cement.radius_mm),
        "coverage": coverage_document(cement.coverage),
        "ring_gap_mm": _optional_mm(cement.ring_gap_mm),
        "stops": [
            {
                "name": s.name,
                "distance_mm": rounded(s.distance_mm, LENGTH_DECIMALS),
                "stops": s.stops,
            }
            for s in cement.stops
        ],
        "checks": list(cement.checks),
        "assumptions": list(cement.assumptions),
    }


def coverage_document(coverage: Coverage | None) -> dict[str, Any] | None:
    """Return how a fill lies in a body, as shares of its anterior two-thirds."""
    if coverage is None:
        return None
    shares = {
        name: rounded(getattr(coverage, name), SHARE_DECIMALS)
        for name in ("left", "right", "cranial", "caudal", "balance", "height_span", "rearmost")
    }
    touches = {
        "touches_superior": coverage.touches_superior,
        "touches_inferior": coverage.touches_inferior,
    }
    return {**shares, **touches}


def tamp_document(tamp: TampAdvice | None) -> dict[str, Any] | None:
    """Return whether a tamp may go along a path; None for a target that takes none."""
    if tamp is None:
        return None
    return {
        "eligible": tamp.eligible,
        "reason": tamp.reason,
        "size": tamp.size,
        "cannula_gauge": tamp.gauge,
        "volume_ml": _optional_ml(tamp.volume_ml),
    }


def _stop(surface: StopSurface) -> dict[str, Any]:
    distance = rounded(surface.distance_mm, LENGTH_DECIMALS)
    return {"name": surface.name, "distance_mm": distance, "stops": surface.stops}


def _goal(goal: Goal) -> dict[str, Any]:
    return {
        "least_ml": _ml(goal.least_ml),
        "aim_ml": _ml(goal.aim_ml),
        "most_ml": _ml(goal.most_ml),
        "source": goal.source,
    }


def _ml(volume: float) -> float:
    return rounded(volume, VOLUME_DECIMALS)


def _optional_ml(volume: float | None) -> float | None:
    return None if volume is None else _ml(volume)


def _optional_mm(length: float | None) -> float | None:
    return None if length is None else rounded(length, LENGTH_DECIMALS)
