"""What the service gives and takes, described as JSON schemas where no model of pydantic does."""

from typing import Any

from planner.result import Change, Status, ViewRole
from planner.session.planning import SessionOutcome

REF = "#/components/schemas/{model}"
STRING: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_POINT = {"type": "array", "items": _NUMBER, "minItems": 3, "maxItems": 3}
_CASE = {
    "type": "object",
    "description": "case.json, with inline geometry or primitives",
    "required": ["schema", "coordinate_system", "units", "structures"],
    "properties": {
        "schema": {"const": "trocar/case/1"},
        "name": STRING,
        "coordinate_system": {"enum": ["LPS", "RAS"]},
        "units": {"enum": ["mm", "cm", "m"]},
        "structures": {"type": "array", "items": {"type": "object"}},
    },
}

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": STRING,
        "title": STRING,
        "status": {"type": "integer"},
        "detail": STRING,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {"field": STRING, "code": STRING, "message": STRING},
            },
        },
    },
}

_TRAJECTORY = {
    "type": "object",
    "description": "One measured path; distances are surface to surface on the original meshes",
    "required": ["needle", "path", "clearances", "margin_mm", "limiting_structure"],
    "properties": {
        "rank": {"type": "integer"},
        "approach": {"type": ["string", "null"]},
        "side": {"type": ["string", "null"]},
        "needle": STRING,
        "entry_skin_mm": _POINT,
        "tip_mm": _POINT,
        "length_mm": _NUMBER,
        "margin_mm": _NUMBER,
        "limiting_structure": {"type": ["string", "null"]},
        "reaches_target": {"type": "boolean"},
        "obliquity_deg": _NUMBER,
        "reach_mm": _NUMBER,
        "path": {"type": "array", "items": {"type": "object"}},
        "clearances": {"type": "array", "items": {"type": "object"}},
        "tolerance": {"type": ["object", "null"]},
        "breach_probability": {"type": "object"},
        "views": {"type": "array", "items": {"$ref": REF.format(model="View")}},
        "cement": {"type": ["object", "null"], "description": "guidance for filling; no order"},
        "tamp": {"type": ["object", "null"]},
        "halo_overlap": {"type": ["number", "null"], "minimum": 0.0, "maximum": 1.0},
        "second_arc": {
            "type": ["object", "null"],
            "description": "A curved needle turned in its cannula, to the midline's other side",
            "properties": {
                "path": {"type": "array", "items": {"type": "object"}},
                "tip_mm": _POINT,
                "turn_clockwise_deg": _NUMBER,
                "clearances": {"type": "array", "items": {"type": "object"}},
                "margin_mm": _NUMBER,
                "limiting_structure": {"type": ["string", "null"]},
            },
        },
        "along_screw": {
            "type": ["object", "null"],
            "description": "How a needle that slides along a screw meets it",
            "properties": {
                "screw": STRING,
                "contact_mm": _POINT,
                "contact_share": _NUMBER,
                "arrival_deg": _NUMBER,
                "bevel_clock": {"type": ["string", "null"]},
                "slide_mm": _NUMBER,
                "bend_radius_mm": {"type": ["number", "null"]},
                "elastic_radius_mm": _NUMBER,
                "plastic_bend": {"type": "boolean"},
                "margin_beside_mm": _NUMBER,
                "limiting_beside": {"type": ["string", "null"]},
            },
        },
    },
}

_PROFILE = {
    "type": "object",
    "description": "Smallest distances from the needle's surface within stretches of its path",
    "required": ["depths_mm", "structures"],
    "properties": {
        "depths_mm": {
            "type": "array", "items": _NUMBER,
            "description": "Ends of the stretches, from skin to tip: one more than there are",
        },
        "structures": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "structure": STRING, "kind": STRING,
                    "distance_mm": {"type": "array", "items": _NUMBER},
                },
            },
        },
    },
}  # fmt: skip

_SHARE = {"type": ["number", "null"], "minimum": 0.0, "maximum": 1.0}
_ANGLES = {"primary_deg": _NUMBER, "secondary_deg": _NUMBER}

_VIEW = {
    "type": "object",
    "description": "One C-arm position; angles are of the detector about the patient (DICOM)",
    "required": ["role", "dicom", "console", "label", "reachable", "hardware_overlap"],
    "properties": {
        "role": {"enum": [role.value for role in ViewRole]},
        "dicom": {"type": "object", "properties": _ANGLES},
        "console": {"type": "object", "properties": {**_ANGLES, "assumes": STRING}},
        "assumption": STRING,
        "label": STRING,
        "reachable": {"type": "boolean"},
        "plane": {"type": ["string", "null"]},
        "together_with": {"type": "array", "items": STRING},
        "needle_length_share": _SHARE,
        "hardware_overlap": _SHARE,
        "tip_hidden": {"type": ["boolean", "null"]},
        "hidden": {
            "type": ["object", "null"],
            "properties": {
                "tip": _SHARE, "target": _SHARE, "posterior_wall": _SHARE, "nearby": _SHARE,
            },
        },
        "tilt_to_path": {"type": "object"},
        "curve": {"type": "array", "items": {"type": "array"}},
        "resolution_deg": _NUMBER,
    },
}  # fmt: skip

_OPENING = {
    "type": "object",
    "description": "One change that gives a safe path, with that path, measured with the change",
    "required": ["change", "subject", "hard_mm", "margin_mm", "needle", "entry_skin_mm", "tip_mm"],
    "properties": {
        "change": {"enum": [change.value for change in Change]},
        "subject": STRING,
        "hard_mm": {"type": ["number", "null"]},
        "margin_mm": _NUMBER,
        "approach": STRING,
        "side": STRING,
        "needle": STRING,
        "entry_skin_mm": _POINT,
        "tip_mm": _POINT,
    },
}

_CERTIFICATE = {
    "type": "object",
    "description": "What was proved about one approach, side and needle",
    "required": ["approach", "side", "needle", "status", "best_margin_mm", "upper_bound_mm"],
    "properties": {
        "approach": STRING,
        "side": STRING,
        "needle": STRING,
        "status": {"enum": [status.value for status in Status]},
        "best_margin_mm": {"type": ["number", "null"]},
        "upper_bound_mm": {"type": ["number", "null"]},
        "tolerance_mm": _NUMBER,
        "limiting_structures": {"type": "array", "items": STRING},
        "boxes_examined": {"type": "integer"},
        "statement": STRING,
        "why_not": {
            "type": ["object", "null"],
            "description": "only where the status is infeasible",
            "required": ["blocked_by", "openings"],
            "properties": {
                "blocked_by": {"type": "array", "items": STRING},
                "openings": {"type": "array", "items": {"$ref": REF.format(model="Opening")}},
            },
        },
    },
}

_PLAN = {
    "type": "object",
    "required": ["schema", "outcome", "explanation", "trajectories", "certificates"],
    "properties": {
        "schema": {"const": "trocar/plan/1"},
        "case_digest": STRING,
        "request_digest": STRING,
        "planner_version": STRING,
        "outcome": {"enum": ["found", "no_safe_path", "target_unreachable", "stopped"]},
        "explanation": STRING,
        "trajectories": {"type": "array", "items": {"$ref": REF.format(model="Trajectory")}},
        "certificates": {"type": "array", "items": {"$ref": REF.format(model="Certificate")}},
        "timings_s": {"type": "object"},
    },
}

_SESSION = {
    "type": "object",
    "description": "The answer for `targets`: the plan of each, and the paths chosen together",
    "required": ["schema", "outcome", "explanation", "targets", "order", "spacing"],
    "properties": {
        "schema": {"const": "trocar/session/1"},
        "case_digest": STRING,
        "request_digest": STRING,
        "planner_version": STRING,
        "outcome": {"enum": [outcome.value for outcome in SessionOutcome]},
        "explanation": STRING,
        "targets": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["label", "chosen_ranks", "reason", "cement", "plan"],
                "properties": {
                    "label": STRING,
                    "chosen_ranks": {"type": "array", "items": {"type": "integer"}},
                    "reason": STRING,
                    "cement": {"type": ["object", "null"]},
                    "plan": {"$ref": REF.format(model="Plan")},
                },
            },
        },
        "order": {"type": "array", "items": {"type": "integer"}},
        "spacing": {"type": "object"},
        "warnings": {"type": "array", "items": STRING},
        "timings_s": {"type": "object"},
    },
}

_PLAN_STATE = {
    "type": "object",
    "required": ["schema", "plan_id", "case_id", "state"],
    "properties": {
        "schema": {"const": "trocar/plan-state/1"},
        "plan_id": STRING,
        "case_id": STRING,
        "created": STRING,
        "state": {"enum": ["queued", "running", "failed", "cancelled"]},
        "problem": {"anyOf": [{"$ref": REF.format(model="Problem")}, {"type": "null"}]},
    },
}

SCHEMAS = {
    "Case": _CASE,
    "Certificate": _CERTIFICATE,
    "Opening": _OPENING,
    "Plan": _PLAN,
    "PlanState": _PLAN_STATE,
    "Problem": _PROBLEM,
    "Session": _SESSION,
    "Profile": _PROFILE,
    "Trajectory": _TRAJECTORY,
    "View": _VIEW,
}
