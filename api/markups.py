"""A plan as Slicer markups (``.mrk.json``): its paths as lines and curves, patient LPS, mm.

Written for the published schema of 3D Slicer's Markups module, version 1.0.3. A straight path is a
``Line`` of two control points, a curved one a ``Curve`` whose points lie on its arc; where a curved
needle is turned in its cannula, the second way is a curve of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from api.documents import point_mm
from api.schemas import PathDocument
from planner.needles.path import path_chords

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
MEDIA_TYPE = "application/vnd.slicer.markups+json"
_PATH: TypeAdapter[PathDocument] = TypeAdapter(PathDocument)
_NOTE = "research software, not a medical device"


def markups_document(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trajectories of a plan document as Slicer markups, best first.

    Args:
        plan: A plan as ``GET /v1/plans/{plan_id}`` gives it.
    """
    markups = [m for trajectory in plan["trajectories"] for m in _markups(trajectory)]
    return {"@schema": SCHEMA, "markups": markups}


def _markups(trajectory: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rank, needle = trajectory["rank"], trajectory["needle"]
    way = f"{trajectory['approach']} {trajectory['side']}"
    told = f"{needle}, margin {trajectory['margin_mm']:.2f} mm; {_NOTE}"
    yield _markup(f"trajectory_{rank} {way}", trajectory["path"], told)
    second = trajectory["second_arc"]
    if second is not None:
        turned = (
            f"{needle} turned {second['turn_clockwise_deg']:.0f} degrees clockwise seen from its "
            f"hub, margin {second['margin_mm']:.2f} mm; {_NOTE}"
        )
        yield _markup(f"trajectory_{rank}b {way}", second["path"], turned)


def _markup(name: str, path: list[Mapping[str, Any]], told: str) -> dict[str, Any]:
    points = path_chords(tuple(piece.segment() for piece in _PATH.validate_python(path)))
    last = len(points) - 1
    return {
        "type": "Line" if len(points) == 2 else "Curve",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": True,
        "fixedNumberOfControlPoints": True,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(points),
        "controlPoints": [
            {
                "id": str(i + 1),
                "label": {0: "skin entry", last: "tip"}.get(i, ""),
                "description": told if i == 0 else "",
                "position": point_mm(point),
                "selected": True,
                "locked": True,
                "visibility": True,
                "positionStatus": "defined",
            }
            for i, point in enumerate(points)
        ],
    }
