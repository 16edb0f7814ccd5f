"""The service's description of itself: what it takes and gives, written once for all routes."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api import DISCLAIMER
from api.fluoro import DrawnFluoroDocument
from api.openapi_examples import examples, link
from api.openapi_schemas import REF, SCHEMAS, STRING
from api.problems import ANSWERS, MEDIA_TYPE
from api.profiles import ProfileDocument
from api.schemas import Document, EvaluationDocument, OneShotDocument, PlanRequestDocument
from api.session_schemas import SessionRequestDocument
from api.skin_maps import SkinMapDocument

DESCRIPTION = f"""**{DISCLAIMER}** Nothing it answers may guide a procedure on a patient.

Plans straight needles to vertebral bodies and screw halos in instrumented spines, from meshes,
with exact clearances to every structure and certificates of what was searched.

Frame: patient LPS. Lengths in millimetres and angles in degrees, the unit in the field's name.
Errors are RFC 9457 problem documents that name the field. All data stays on this machine.
"""
_BODIES = (
    PlanRequestDocument,
    SessionRequestDocument,
    EvaluationDocument,
    OneShotDocument,
    ProfileDocument,
    SkinMapDocument,
    DrawnFluoroDocument,
)
# What the doorkeeper answers, whatever was asked; by whether it is about cases.
_BEFORE_ANY_ROUTE = {True: (401, 403, 421, 429), False: (403, 421)}
_TITLES = {answer.status: answer.title for answer in ANSWERS.values()}
CASE_BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(model="Case")},
                "examples": examples("Case"),
            },
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
    names = [model.__name__ for model in models]
    schemas = [{"$ref": REF.format(model=name)} for name in names]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    body = {"schema": schema, "examples": examples(*names)}
    extra: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": body}}
    }
    if prefer_wait:
        extra["parameters"] = [
            {
                "name": "Prefer",
                "in": "header",
                "schema": STRING,
                "description": "`wait=N`: answer with the plan if it is made within N seconds",
            }
        ]
    return extra


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how a route describes the problems that it answers with."""
    schema = {"$ref": REF.format(model="Problem")}
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
    schemas = [{"$ref": REF.format(model=name)} for name in ("Plan", *others)]
    return _json_reply("The plan", {"anyOf": schemas} if others else schemas[0])


def state_reply() -> dict[str, Any]:
    """Describe a reply that says how far a plan is; ``Location`` says where to read it."""
    return _json_reply("Accepted; see `Location`", {"$ref": REF.format(model="PlanState")})


def trajectory_reply() -> dict[str, Any]:
    """Describe a reply that is one measured trajectory."""
    return _json_reply("The measured path", {"$ref": REF.format(model="Trajectory")})


def profile_reply() -> dict[str, Any]:
    """Describe a reply that says how near everything comes along a path."""
    return _json_reply("The profile", {"$ref": REF.format(model="Profile")})


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the bodies that routes read themselves."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, bodies = models_json_schema([(model, "validation") for model in _BODIES], ref_template=REF)
    components = document.setdefault("components", {})
    components["schemas"] = {
        **components.get("schemas", {}),
        **bodies["$defs"],
        **SCHEMAS,
    }
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _describe_invalid_parameters(operation)
            operation["responses"] |= problems(*_BEFORE_ANY_ROUTE[path.startswith("/v1/")])
    link(document)
    return document


def _describe_invalid_parameters(operation: dict[str, Any]) -> None:
    """Replace the framework's own 422, which this service never sends."""
    replies = operation["responses"]
    if "HTTPValidationError" in str(replies.get("422", "")):
        replies["422"] = problems(422)[422]
