"""The ranked trajectories of a plan as a comma-separated table, for spreadsheets."""

import csv
import io
from collections.abc import Mapping
from typing import Any

_POINTS = ("entry_skin_mm", "entry_bone_mm", "tip_mm")
_PLAIN = ("approach", "side", "technique", "needle", "margin_mm", "limiting_structure",
          "length_mm", "depth_to_bone_mm", "outer_diameter_mm")  # fmt: skip
_AXES = ("left", "posterior", "superior")
COLUMNS = (
    "rank", *_PLAIN, *(f"{point}_{axis}" for point in _POINTS for axis in _AXES),
    "tolerance_entry_mm", "tolerance_angle_deg", "breach_probability", "bulls_eye", "cautions",
)  # fmt: skip


def ranked_table(plan: Mapping[str, Any]) -> str:
    """Return the trajectories of a plan document as CSV, best first; positions are LPS, mm.

    Args:
        plan: A plan as ``plan.json`` has it.
    """
    stream = io.StringIO()
    rows = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for trajectory in plan["trajectories"]:
        rows.writerow(_row(trajectory))
    return stream.getvalue()


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    row = {"rank": one["rank"], **{name: one.get(name) for name in _PLAIN}}
    for point in _POINTS:
        for axis, value in zip(_AXES, one[point] or ("",) * 3, strict=True):
            row[f"{point}_{axis}"] = value
    tolerance, breach = one.get("tolerance") or {}, one.get("breach_probability") or {}
    looks = [v["label"] for v in one.get("views", ()) if v["role"] == "bulls_eye"]
    return {
        **row,
        "tolerance_entry_mm": tolerance.get("entry_mm"),
        "tolerance_angle_deg": tolerance.get("angle_deg"),
        "breach_probability": breach.get("total"),
        "bulls_eye": looks[0] if looks else "",
        "cautions": "; ".join(one["cautions"]),
    }
