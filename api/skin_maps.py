"""The best margin from each place of the skin, as JSON; found in a worker process."""

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from api import work
from api.documents import dump, length_mm, point_mm
from api.schemas import PlanRequestDocument
from planner.skin_map import EntryPoint, skin_map

SKIN_MAP_SCHEMA = "trocar/skin-map/1"


class SkinMapDocument(PlanRequestDocument):
    """A plan's question, and the angle between places on the skin, seen from the target."""

    step_deg: Annotated[float, Field(strict=True, ge=2.0, le=15.0)] = 3.0


_POINT = {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_TEXT = {"type": ["string", "null"]}
SKIN_MAP: dict[str, Any] = {
    "type": "object",
    "description": "Places of the skin, each with the best path found from there; null: none. "
    "A margin is achieved by that path, and no bound",
    "required": ["schema", "step_deg", "places"],
    "properties": {
        "schema": {"const": SKIN_MAP_SCHEMA},
        "step_deg": {"type": "number"},
        "places": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["entry_mm", "margin_mm", "limiting_structure", "tip_mm"],
                "properties": {
                    "entry_mm": _POINT, "margin_mm": {"type": ["number", "null"]},
                    "limiting_structure": _TEXT, "tip_mm": _POINT, "approach": _TEXT,
                    "side": _TEXT, "needle": _TEXT,
                },
            },
        },
    },
}  # fmt: skip


def skin_map_of(folder: Path, asked: SkinMapDocument) -> str:
    """Return the text of the map for a checked request."""
    found = skin_map(work.case_in(folder), asked.request(), math.radians(asked.step_deg))
    return dump({
        "schema": SKIN_MAP_SCHEMA,
        "step_deg": asked.step_deg,
        "places": [_place(one) for one in found],
    })  # fmt: skip


def _place(one: EntryPoint) -> dict[str, Any]:
    return {
        "entry_mm": point_mm(one.entry_mm),
        "margin_mm": None if one.margin_mm is None else length_mm(one.margin_mm),
        "limiting_structure": one.limiting_structure,
        "tip_mm": None if one.tip_mm is None else point_mm(one.tip_mm),
        "approach": None if one.approach is None else one.approach.value,
        "side": None if one.side is None else one.side.value,
        "needle": one.needle,
    }
