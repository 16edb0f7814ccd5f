"""Requests that work, for the description: on the sample ``lumbar-fracture`` or on one box of bone.

Tests send every one of them to a running service.
"""

from typing import Any

from api.fluoro import DrawnFluoroDocument
from api.profiles import ProfileDocument
from api.schemas import EvaluationDocument, OneShotDocument, PlanRequestDocument
from api.session_schemas import SessionRequestDocument
from api.skin_maps import SkinMapDocument

SAMPLE = "lumbar-fracture"
_NEEDLE = "15G-bevel-150"
_CORNERS = [[x, y, z] for x in (-20.0, 20.0) for y in (-15.0, 15.0) for z in (-14.0, 14.0)]
_SIDES = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
CASE: dict[str, Any] = {
    "schema": "trocar/case/1",
    "name": "a box for a vertebra, and a screw beside it",
    "coordinate_system": "LPS",
    "units": "mm",
    "structures": [
        {
            "name": "L3",
            "kind": "vertebra",
            "level": "L3",
            "vertices_mm": _CORNERS,
            "faces": [[side[0], side[i], side[i + 1]] for side in _SIDES for i in (1, 2)],
        },
        {
            "name": "screw_L3_L",
            "kind": "screw",
            "level": "L3",
            "side": "left",
            "cylinder": {
                "head_mm": [28.0, 30.0, 0.0],
                "tip_mm": [24.0, -10.0, 0.0],
                "diameter_mm": 6.0,
            },
        },
    ],
}
_QUICK: dict[str, Any] = {"needles": [_NEEDLE], "approaches": ["transpedicular"]}
_L3 = {"type": "anterior_body", "level": "L3"}
_DRAWN: dict[str, Any] = {
    "needle": _NEEDLE,
    "path": [{"type": "line", "start_mm": [-52.0, 83.9, 12.2], "end_mm": [-4.4, -4.6, -7.4]}],
}
# By the name of the schema that they are examples of.
EXAMPLES: dict[str, dict[str, Any]] = {
    "Case": CASE,
    PlanRequestDocument.__name__: {"target": _L3, **_QUICK},
    SessionRequestDocument.__name__: {
        "targets": [_L3, {"type": "screw_halo", "screw": "screw_L2_L"}], **_QUICK,
    },
    EvaluationDocument.__name__: {**_DRAWN, "target": _L3},
    ProfileDocument.__name__: {**_DRAWN, "step_mm": 5.0},
    SkinMapDocument.__name__: {"target": _L3, **_QUICK, "sides": ["right"], "step_deg": 15.0},
    DrawnFluoroDocument.__name__: {**_DRAWN, "primary_deg": 180.0, "secondary_deg": 0.0},
    OneShotDocument.__name__: {"case": CASE, "request": {"target": _L3, **_QUICK}},
}  # fmt: skip


def examples(*schemas: str) -> dict[str, Any]:
    """Return the examples of a body that has one of these schemas, as OpenAPI has them."""
    return {name: {"value": EXAMPLES[name]} for name in schemas}


def link(document: dict[str, Any]) -> None:
    """Say where the ids come from that addresses ask for: a new case's, a new plan's."""
    paths = document["paths"]
    makers = {
        "case_id": (
            paths["/v1/cases"]["post"]["responses"]["201"],
            paths["/v1/samples/{name}"]["post"]["responses"]["201"],
        ),
        "plan_id": (paths["/v1/cases/{case_id}/plans"]["post"]["responses"]["202"],),
    }
    for name, replies in makers.items():
        links = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {name: f"$response.body#/{name}"},
            }
            for path, operations in paths.items()
            for operation in operations.values()
            if f"{{{name}}}" in path
        }
        for reply in replies:
            reply["links"] = links
