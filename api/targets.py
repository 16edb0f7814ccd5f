"""Targets as a person names them: in short on the command line, and checked against a case."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from api.schemas import (
    AnteriorBodyDocument,
    BesideScrewDocument,
    CageInterfaceDocument,
    LesionDocument,
    ScrewHaloDocument,
    ScrewTipDocument,
    TargetDocument,
)
from geometry.mesh import TriangleMesh
from planner.case import Case, Kind, Side, Structure
from planner.errors import RequestError

SHORT_FORMS = (
    "anterior_body:L3[:prophylactic], screw_halo:NAME, screw_tip:NAME, "
    "beside_screw:NAME[:medial], cage_interface:NAME:cranial, lesion:NAME or "
    "point:x,y,z[:tolerance]"
)
# The fields of each target but a point, in the order of its short form.
_FIELDS = {
    "anterior_body": ("level", "intent"), "screw_halo": ("screw",), "screw_tip": ("screw",),
    "beside_screw": ("screw", "place"), "cage_interface": ("cage", "end"),
    "lesion": ("structure",), "cage": ("cage",),
}  # fmt: skip
_OPTIONAL = {"intent", "place"}
_NO_SURFACE = TriangleMesh(
    vertices=np.empty((0, 3)), faces=np.empty((0, 3), dtype=np.int64), is_closed=False
)


def target_from_short_form(text: str) -> dict[str, Any]:
    """Return the JSON form of a target written in short, such as ``anterior_body:L3``.

    Raises:
        RequestError: If it is none of the short forms.
    """
    kind, *parts = text.split(":")
    if kind == "point" and len(parts) in {1, 2}:
        point: dict[str, Any] = {
            "type": kind,
            "position_mm": position_from_text(parts[0], field="target"),
        }
        if len(parts) == 2:
            point["tolerance_mm"] = _number(parts[1], field="target")
        return point
    names = _FIELDS.get(kind, ())
    needed = [name for name in names if name not in _OPTIONAL]
    if not names or not len(needed) <= len(parts) <= len(names):
        raise RequestError(
            f"{text[:100]!r} is not a target; write {SHORT_FORMS}",
            field="target", code="bad-target",
        )  # fmt: skip
    return {"type": kind, **dict(zip(names, parts, strict=False))}


def position_from_text(text: str, *, field: str) -> list[float]:
    """Return ``x,y,z`` as three numbers, mm, patient LPS.

    Raises:
        RequestError: If the text is not three numbers.
    """
    parts = text.split(",")
    if len(parts) != 3:
        raise RequestError(
            f"{text[:100]!r} is not a point; write x,y,z in mm (patient LPS)",
            field=field, code="bad-point",
        )  # fmt: skip
    return [_number(part, field=field) for part in parts]


def _number(text: str, *, field: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise RequestError(
            f"{text[:100]!r} is not a number", field=field, code="not-a-number"
        ) from error


def require_target(target: TargetDocument, structures: Sequence[dict[str, Any]]) -> None:
    """Refuse a target that a case does not have, before any work starts on it.

    Args:
        target: What is asked for.
        structures: The case's, as its description lists them.

    Raises:
        RequestError: If the level or structure is not there, or is of another kind.
    """
    case = _outline(structures)
    match target:
        case AnteriorBodyDocument(level=level):
            case.bone_of_level(level, field_name="target.level")
        case (
            ScrewHaloDocument(screw=name)
            | ScrewTipDocument(screw=name)
            | BesideScrewDocument(screw=name)
        ):
            _require_kind(case, name, Kind.SCREW, "target.screw")
        case CageInterfaceDocument(cage=name):
            _require_kind(case, name, Kind.CAGE, "target.cage")
        case LesionDocument(structure=name):
            _require_kind(case, name, Kind.LESION, "target.structure")


def _require_kind(case: Case, name: str, kind: Kind, field: str) -> None:
    structure = case.structure(name, field_name=field)
    if structure.kind is not kind:
        there = ", ".join(s.name for s in case.of_kind(kind)) or "none"
        raise RequestError(
            f"{name!r} is a {structure.kind}, not a {kind}; the case's are: {there}",
            field=field, code="wrong-kind",
        )  # fmt: skip


def _outline(structures: Sequence[dict[str, Any]]) -> Case:
    """Return the case without its surfaces: enough to know what there is in it."""
    return Case(
        name="",
        digest="",
        structures=tuple(
            Structure(
                name=row["name"],
                kind=Kind(row["kind"]),
                level=row["level"],
                side=None if row["side"] is None else Side(row["side"]),
                mesh=_NO_SURFACE,
            )
            for row in structures
        ),
    )
