"""What is said about a case that was read: its structures, what was found in them, its anatomy."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from api.corridor_documents import corridor_document, derived_document, rib_document
from api.documents import length_mm, point_mm
from geometry.mesh import Problem
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import (
    Body,
    CageEnds,
    Pedicle,
    RodLine,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.case import Case, PatientPosition, Side, Structure

CASE_SCHEMA = "trocar/case-description/1"


def case_document(case: Case, anatomy: CaseAnatomy) -> dict[str, Any]:
    """Return what ``trocar check`` and ``POST /v1/cases`` say about a case."""
    return {
        "schema": CASE_SCHEMA,
        "name": case.name,
        "digest": case.digest,
        "patient_position": _value(case.patient_position),
        "structures": [_structure(structure) for structure in case.structures],
        "vertebrae": [_with_surroundings(name, case, anatomy) for name in anatomy.vertebrae],
        "screws": [_screw(*item) for item in anatomy.screws.items()],
        "rods": [_rod(*item) for item in anatomy.rods.items()],
        "cages": [_cage(*item) for item in anatomy.cages.items()],
        "derived": derived_document(anatomy.derived),
        "findings": {level: dict(findings) for level, findings in case.findings.items()},
        "warnings": [_problem(warning) for warning in case.warnings],
    }


def _structure(structure: Structure) -> dict[str, Any]:
    low, high = structure.mesh.bounds
    return {
        "name": structure.name,
        "kind": structure.kind.value,
        "level": structure.level,
        "side": _value(structure.side),
        "source": structure.source,
        "vertices": len(structure.mesh.vertices),
        "faces": len(structure.mesh.faces),
        "closed": structure.mesh.is_closed,
        "bounds_mm": [point_mm(low), point_mm(high)],
        "problems": [_problem(problem) for problem in structure.problems],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
        "count": problem.count,
    }


def _with_surroundings(name: str, case: Case, anatomy: CaseAnatomy) -> dict[str, Any]:
    """Return a vertebra with the ways past the metal in its pedicles, and its ribs."""
    read = anatomy.vertebrae[name]
    said = _vertebra(name, read, case)
    for side, pedicle in read.pedicles.items() if isinstance(read, VertebraAnatomy) else ():
        ways = anatomy.corridors.get((name, side), ())
        said["pedicles"][side.value]["corridors"] = [
            corridor_document(pedicle, way) for way in ways if isinstance(pedicle, Pedicle)
        ]
    said["ribs"] = [rib_document(gap) for gap in anatomy.ribs.get(name, ())]
    return said


def _vertebra(name: str, vertebra: VertebraAnatomy | Unavailable, case: Case) -> dict[str, Any]:
    if isinstance(vertebra, Unavailable):
        nothing = {"level": case.structure(name).level, "frame": None, "body": None}
        pedicles = _pedicles(dict.fromkeys(Side, vertebra))
        return {"structure": name, **nothing, "pedicles": pedicles, **_missing(vertebra)}
    left, posterior, superior = vertebra.frame.rotation
    return {
        "structure": name,
        "level": vertebra.level,
        "frame": {
            "origin_mm": point_mm(vertebra.frame.inverse().translation_mm),
            "left": _direction(left),
            "posterior": _direction(posterior),
            "superior": _direction(superior),
        },
        "body": _body(vertebra.body),
        "pedicles": _pedicles(vertebra.pedicles),
        "available": True,
        "reason": vertebra.cause,
        "confidence": round(vertebra.confidence, 3),
        "warnings": list(vertebra.warnings),
    }


def _missing(unavailable: Unavailable) -> dict[str, Any]:
    """Say of anything that could not be read that it is not there, and why."""
    return {"available": False, "reason": unavailable.reason, "confidence": 0.0, "warnings": []}


def _body(body: Body) -> dict[str, float]:
    return {
        "width_mm": length_mm(body.width_mm),
        "depth_mm": length_mm(body.depth_mm),
        "posterior_height_mm": length_mm(body.posterior_height_mm),
        "anterior_height_mm": length_mm(body.anterior_height_mm),
    }


def _pedicles(pedicles: Mapping[Side, Pedicle | Unavailable]) -> dict[str, Any]:
    return {side.value: _pedicle(pedicles[side]) for side in Side if side in pedicles}


def _pedicle(pedicle: Pedicle | Unavailable) -> dict[str, Any]:
    if isinstance(pedicle, Unavailable):
        return {
            "centre_mm": None,
            "axis": None,
            "width_mm": None,
            "height_mm": None,
            "available": False,
            "reason": pedicle.reason,
            "confidence": 0.0,
        }
    return {
        "centre_mm": point_mm(pedicle.centre_mm),
        "axis": _direction(pedicle.axis),
        "width_mm": length_mm(pedicle.width_mm),
        "height_mm": length_mm(pedicle.height_mm),
        "available": True,
        "reason": pedicle.cause,
        "confidence": round(pedicle.confidence, 3),
    }


def _screw(name: str, screw: ScrewAxis | Unavailable) -> dict[str, Any]:
    if isinstance(screw, Unavailable):
        nothing = dict.fromkeys(("head_mm", "tip_mm", "diameter_mm", "level", "side"))
        return {"structure": name, **nothing, "available": False, "reason": screw.reason}
    return {
        "structure": name,
        "head_mm": point_mm(screw.head_mm),
        "tip_mm": point_mm(screw.tip_mm),
        "diameter_mm": length_mm(screw.diameter_mm),
        "level": screw.level,
        "side": _value(screw.side),
        "available": True,
        "reason": None,
    }


def _rod(name: str, rod: RodLine | Unavailable) -> dict[str, Any]:
    if isinstance(rod, Unavailable):
        nothing = dict.fromkeys(("points_mm", "diameter_mm", "side"))
        return {"structure": name, **nothing, "available": False, "reason": rod.reason}
    return {
        "structure": name,
        "points_mm": [point_mm(point) for point in np.asarray(rod.points_mm)],
        "diameter_mm": length_mm(rod.diameter_mm),
        "side": _value(rod.side),
        "available": True,
        "reason": None,
    }


def _cage(name: str, cage: CageEnds | Unavailable) -> dict[str, Any]:
    if isinstance(cage, Unavailable):
        nothing = dict.fromkeys(("cranial_mm", "caudal_mm", "axis"))
        return {"structure": name, **nothing, "available": False, "reason": cage.reason}
    return {
        "structure": name,
        "cranial_mm": point_mm(cage.cranial_mm),
        "caudal_mm": point_mm(cage.caudal_mm),
        "axis": _direction(cage.axis),
        "available": True,
        "reason": None,
    }


def _direction(vector: Iterable[float]) -> list[float]:
    return [round(float(component), 6) + 0.0 for component in vector]


def _value(member: Side | PatientPosition | None) -> str | None:
    return None if member is None else member.value
