"""The service's description of itself: what it takes and gives, written once for all routes."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api import DISCLAIMER
from api.problems import ANSWERS, MEDIA_TYPE
from api.profiles import ProfileDocument
from api.schemas import Document, EvaluationDocument, OneShotDocument, PlanRequestDocument
from api.session_schemas import SessionRequestDocument
from planner.result import Change, Status, ViewRole
from planner.session.planning import SessionOutcome

DESCRIPTION = f"""**{DISCLAIMER}** Nothing it answers may guide a procedure on a patient.

Plans straight needles to vertebral bodies and screw halos in instrumented spines, from meshes,
with exact clearances to every structure and certificates of what was searched.

Frame: patient LPS. Lengths in millimetres and angles in degrees, the unit in the field's name.
Errors are RFC 9457 problem documents that name the field. All data stays on this machine.
"""
_REF = "#/components/schemas/{model}"
_BODIES = (
    PlanRequestDocument,
    SessionRequestDocument,
    EvaluationDocument,
    OneShotDocument,
    ProfileDocument,
)
_TITLES = {answer.status: answer.title for answer in ANSWERS.values()}
_STRING, _NUMBER = {"type": "string"}, {"type": "number"}
_POINT = {"type": "array", "items": _NUMBER, "minItems": 3, "maxItems": 3}
_CASE = {
    "type": "object",
    "description": "case.json, with inline geometry or primitives",
    "required": ["schema", "name", "coordinate_system", "units", "structures"],
    "properties": {
        "schema": {"const": "trocar/case/1"},
        "name": _STRING,
        "coordinate_system": {"enum": ["LPS", "RAS"]},
        "units": {"enum": ["mm", "cm", "m"]},
        "structures": {"type": "array", "items": {"type": "object"}},
    },
}

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {"field": _STRING, "code": _STRING, "message": _STRING},
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
        "needle": _STRING,
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
        "views": {"type": "array", "items": {"$ref": _REF.format(model="View")}},
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
                "screw": _STRING,
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
                    "structure": _STRING, "kind": _STRING,
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
        "console": {"type": "object", "properties": {**_ANGLES, "assumes": _STRING}},
        "assumption": _STRING,
        "label": _STRING,
        "reachable": {"type": "boolean"},
        "plane": {"type": ["string", "null"]},
        "together_with": {"type": "array", "items": _STRING},
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
        "subject": _STRING,
        "hard_mm": {"type": ["number", "null"]},
        "margin_mm": _NUMBER,
        "approach": _STRING,
        "side": _STRING,
        "needle": _STRING,
        "entry_skin_mm": _POINT,
        "tip_mm": _POINT,
    },
}

_CERTIFICATE = {
    "type": "object",
    "description": "What was proved about one approach, side and needle",
    "required": ["approach", "side", "needle", "status", "best_margin_mm", "upper_bound_mm"],
    "properties": {
        "approach": _STRING,
        "side": _STRING,
        "needle": _STRING,
        "status": {"enum": [status.value for status in Status]},
        "best_margin_mm": {"type": ["number", "null"]},
        "upper_bound_mm": {"type": ["number", "null"]},
        "tolerance_mm": _NUMBER,
        "limiting_structures": {"type": "array", "items": _STRING},
        "boxes_examined": {"type": "integer"},
        "statement": _STRING,
        "why_not": {
            "type": ["object", "null"],
            "description": "only where the status is infeasible",
            "required": ["blocked_by", "openings"],
            "properties": {
                "blocked_by": {"type": "array", "items": _STRING},
                "openings": {"type": "array", "items": {"$ref": _REF.format(model="Opening")}},
            },
        },
    },
}

_PLAN = {
    "type": "object",
    "required": ["schema", "outcome", "explanation", "trajectories", "certificates"],
    "properties": {
        "schema": {"const": "trocar/plan/1"},
        "case_digest": _STRING,
        "request_digest": _STRING,
        "planner_version": _STRING,
        "outcome": {"enum": ["found", "no_safe_path", "target_unreachable", "stopped"]},
        "explanation": _STRING,
        "trajectories": {"type": "array", "items": {"$ref": _REF.format(model="Trajectory")}},
        "certificates": {"type": "array", "items": {"$ref": _REF.format(model="Certificate")}},
        "timings_s": {"type": "object"},
    },
}

_SESSION = {
    "type": "object",
    "description": "The answer for `targets`: the plan of each, and the paths chosen together",
    "required": ["schema", "outcome", "explanation", "targets", "order", "spacing"],
    "properties": {
        "schema": {"const": "trocar/session/1"},
        "case_digest": _STRING,
        "request_digest": _STRING,
        "planner_version": _STRING,
        "outcome": {"enum": [outcome.value for outcome in SessionOutcome]},
        "explanation": _STRING,
        "targets": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["label", "chosen_ranks", "reason", "cement", "plan"],
                "properties": {
                    "label": _STRING,
                    "chosen_ranks": {"type": "array", "items": {"type": "integer"}},
                    "reason": _STRING,
                    "cement": {"type": ["object", "null"]},
                    "plan": {"$ref": _REF.format(model="Plan")},
                },
            },
        },
        "order": {"type": "array", "items": {"type": "integer"}},
        "spacing": {"type": "object"},
        "warnings": {"type": "array", "items": _STRING},
        "timings_s": {"type": "object"},
    },
}

_PLAN_STATE = {
    "type": "object",
    "required": ["schema", "plan_id", "case_id", "state"],
    "properties": {
        "schema": {"const": "trocar/plan-state/1"},
        "plan_id": _STRING,
        "case_id": _STRING,
        "created": _STRING,
        "state": {"enum": ["queued", "running", "failed", "cancelled"]},
        "problem": {"anyOf": [{"$ref": _REF.format(model="Problem")}, {"type": "null"}]},
    },
}

CASE_BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(model="Case")}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "description": "one more part per mesh, named by the `file` it stands for",
                    "required": ["case"],
                    "properties": {"case": {"type": "string", "description": "case.json"}},
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            },
        },
    }
}

BLOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def json_body(*models: type[Document], prefer_wait: bool = False) -> dict[str, Any]:
    """Return how a route describes a JSON body that it reads itself."""
    schemas = [{"$ref": _REF.format(model=model.__name__)} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    extra: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
    }
    if prefer_wait:
        extra["parameters"] = [
            {
                "name": "Prefer",
                "in": "header",
                "schema": _STRING,
                "description": "`wait=N`: answer with the plan if it is made within N seconds",
            }
        ]
    return extra


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how a route describes the problems that it answers with."""
    schema = {"$ref": _REF.format(model="Problem")}
    return {
        status: {"description": _TITLES[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def _json_reply(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def case_reply(description: str) -> dict[str, Any]:
    """Describe a reply that is a case: checked, with its derived anatomy."""
    return _json_reply(description, {"type": "object"})


def plan_reply(*others: str) -> dict[str, Any]:
    """Describe a reply that is a plan, or one of the other schemas that are named."""
    schemas = [{"$ref": _REF.format(model=name)} for name in ("Plan", *others)]
    return _json_reply("The plan", {"anyOf": schemas} if others else schemas[0])


def state_reply() -> dict[str, Any]:
    """Describe a reply that says how far a plan is; ``Location`` says where to read it."""
    return _json_reply("Accepted; see `Location`", {"$ref": _REF.format(model="PlanState")})


def trajectory_reply() -> dict[str, Any]:
    """Describe a reply that is one measured trajectory."""
    return _json_reply("The measured path", {"$ref": _REF.format(model="Trajectory")})


def profile_reply() -> dict[str, Any]:
    """Describe a reply that says how near everything comes along a path."""
    return _json_reply("The profile", {"$ref": _REF.format(model="Profile")})


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the bodies that routes read themselves."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, bodies = models_json_schema([(model, "validation") for model in _BODIES], ref_template=_REF)
    components = document.setdefault("components", {})
    components["schemas"] = {
        **components.get("schemas", {}),
        **bodies["$defs"],
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
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            _describe_invalid_parameters(operation)
    return document


def _describe_invalid_parameters(operation: dict[str, Any]) -> None:
    """Replace the framework's own 422, which this service never sends."""
    replies = operation["responses"]
    if "HTTPValidationError" in str(replies.get("422", "")):
        replies["422"] = problems(422)[422]
