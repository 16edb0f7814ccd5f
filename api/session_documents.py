"""The answer for several targets, as JSON (schema trocar/session/1)."""

from typing import Any

from api.documents import length_mm, plan_document
from api.guidance_documents import cement_document
from planner.session.planning import Chosen, Neighbours, SessionPlan
from planner.session.spacing import GAP_MM, HUB_DIAMETER_MM, HUB_LENGTH_MM

SESSION_SCHEMA = "trocar/session/1"


def session_document(session: SessionPlan) -> dict[str, Any]:
    """Return a session: every target's whole plan, and what was chosen of each."""
    return {
        "schema": SESSION_SCHEMA,
        "case_digest": session.case_digest,
        "request_digest": session.request_digest,
        "planner_version": session.planner_version,
        "outcome": session.outcome.value,
        "explanation": session.explanation,
        "targets": [_chosen(one) for one in session.chosen],
        "order": list(session.order),
        "spacing": {
            "gap_mm": GAP_MM,
            "hub_diameter_mm": HUB_DIAMETER_MM,
            "hub_length_mm": HUB_LENGTH_MM,
            "neighbours": [_neighbours(pair) for pair in session.neighbours],
        },
        "warnings": list(session.warnings),
        "timings_s": {stage: round(seconds, 4) for stage, seconds in session.timings_s.items()},
    }


def _chosen(one: Chosen) -> dict[str, Any]:
    return {
        "label": one.label,
        "chosen_ranks": list(one.ranks),
        "reason": one.reason,
        "cement": cement_document(one.cement),
        "plan": plan_document(one.plan),
    }


def _neighbours(pair: Neighbours) -> dict[str, Any]:
    ends = {
        key: {"target": target, "rank": rank, "part": part.value}
        for key, (target, rank), part in (
            ("first", pair.first, pair.near.first), ("second", pair.second, pair.near.second),
        )
    }  # fmt: skip
    return {**ends, "distance_mm": length_mm(pair.near.distance_mm)}
