"""What is said about the metal of a case: screws, rods, cages, and what is wrong with them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from api.documents import direction, length_mm, point_mm, problem_document
from planner.anatomy.halo import HaloRadius
from planner.anatomy.model import CageEnds, HardwareAnatomy, RodLine, ScrewAxis, Unavailable
from planner.case import Side

_Read = TypeVar("_Read", ScrewAxis, RodLine, CageEnds)


def hardware_document(hardware: HardwareAnatomy, halos: Mapping[str, HaloRadius]) -> dict[str, Any]:
    """Return every instrument by structure, or by its part where several are in one mesh."""
    screws = _instruments(hardware.screws, _screw, SCREW)
    return {
        "screws": [{**one, "halo": _halo(halos.get(one["structure"]))} for one in screws],
        "rods": _instruments(hardware.rods, _rod, ROD),
        "crosslinks": _instruments(hardware.crosslinks, _rod, ROD),
        "cages": _instruments(hardware.cages, _cage, CAGE),
        "hardware_findings": [
            {"structure": name, **problem_document(finding)}
            for name, findings in hardware.findings.items()
            for finding in findings
        ],
    }


SCREW = ("head_mm", "tip_mm", "diameter_mm", "level", "side")
ROD = ("points_mm", "diameter_mm", "side")
CAGE = ("cranial_mm", "caudal_mm", "axis", "above", "below", "side")


def _instruments(
    read: Mapping[str, _Read] | Mapping[str, _Read | Unavailable],
    document: Callable[[_Read], dict[str, Any]],
    fields: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Return one entry for each, with nulls and the reason for what could not be read."""
    said = []
    for name, one in read.items():
        if isinstance(one, Unavailable):
            trust = {"available": False, "reason": one.reason, "confidence": 0.0}
            said.append({"structure": name, **dict.fromkeys(fields), **trust})
            continue
        trust = {"available": True, "reason": one.cause, "confidence": round(one.confidence, 3)}
        said.append({"structure": name, **document(one), **trust})
    return said


def _screw(screw: ScrewAxis) -> dict[str, Any]:
    return {
        "head_mm": point_mm(screw.head_mm),
        "tip_mm": point_mm(screw.tip_mm),
        "diameter_mm": length_mm(screw.diameter_mm),
        "level": screw.level,
        "side": _value(screw.side),
        "has_head": screw.has_head,
    }


def _halo(halo: HaloRadius | None) -> dict[str, Any] | None:
    """Return the lucency around a shaft, or what would be taken for one; None outside bone."""
    if halo is None:
        return None
    return {
        "radius_mm": length_mm(halo.radius_mm),
        "modelled": halo.modelled,
        "reason": halo.note,
    }


def _rod(rod: RodLine) -> dict[str, Any]:
    return {
        "points_mm": [point_mm(point) for point in np.asarray(rod.points_mm)],
        "diameter_mm": length_mm(rod.diameter_mm),
        "side": _value(rod.side),
    }


def _cage(cage: CageEnds) -> dict[str, Any]:
    return {
        "cranial_mm": point_mm(cage.cranial_mm),
        "caudal_mm": point_mm(cage.caudal_mm),
        "axis": direction(cage.axis),
        "above": cage.above,
        "below": cage.below,
        "side": _value(cage.side),
    }


def _value(side: Side | None) -> str | None:
    return None if side is None else side.value
