"""What is said about a case that was read: its structures, what was found in them, its anatomy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from api.corridor_documents import corridor_document, derived_document, outline_mm, rib_document
from api.documents import angle_deg, direction, length_mm, point_mm, problem_document
from api.hardware_documents import hardware_document
from geometry.arrays import Point, Vector
from geometry.frames import RigidTransform
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.height import HeightLoss
from planner.anatomy.ilium import IliumAnatomy
from planner.anatomy.model import Pedicle, SacralPedicle, Unavailable, VertebraAnatomy
from planner.anatomy.pedicle_measures import pedicle_walls, sagittal_angle, transverse_angle
from planner.anatomy.zones import (
    ANTERIOR_QUARTER,
    ANTERIOR_THIRD,
    at_depth,
    basivertebral_zone,
    posterior_wall,
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
        "ilia": [_ilium(*item) for item in anatomy.ilia.items()],
        **hardware_document(anatomy.hardware, anatomy.halos),
        "derived": derived_document(anatomy.derived),
        "findings": {level: dict(findings) for level, findings in case.findings.items()},
        "warnings": [problem_document(warning) for warning in case.warnings],
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
        "segmentation_error_mm": length_mm(structure.segmentation_error_mm),
        "bounds_mm": [point_mm(low), point_mm(high)],
        "problems": [problem_document(problem) for problem in structure.problems],
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
    said["height_loss"] = _height(anatomy.heights.get(name))
    said["ribs"] = [rib_document(gap) for gap in anatomy.ribs.get(name, ())]
    return said


def _vertebra(name: str, vertebra: VertebraAnatomy | Unavailable, case: Case) -> dict[str, Any]:
    if isinstance(vertebra, Unavailable):
        nothing = {"level": case.structure(name).level, "frame": None, "body": None}
        pedicles = {side.value: _no_pedicle(vertebra) for side in Side}
        return {"structure": name, **nothing, "pedicles": pedicles, **_missing(vertebra)}
    left, posterior, superior = vertebra.frame.rotation
    return {
        "structure": name,
        "level": vertebra.level,
        "frame": {
            "origin_mm": point_mm(vertebra.frame.inverse().translation_mm),
            "left": direction(left),
            "posterior": direction(posterior),
            "superior": direction(superior),
        },
        "body": _body(vertebra),
        "posterior_wall": _wall(vertebra),
        "basivertebral": _basivertebral(vertebra),
        "pedicles": _pedicles(vertebra.pedicles, vertebra.frame),
        "available": True,
        "reason": vertebra.cause,
        "confidence": round(vertebra.confidence, 3),
        "warnings": list(vertebra.warnings),
    }


def _missing(unavailable: Unavailable) -> dict[str, Any]:
    """Say of anything that could not be read that it is not there, and why."""
    return {"available": False, "reason": unavailable.reason, "confidence": 0.0, "warnings": []}


def _body(vertebra: VertebraAnatomy) -> dict[str, Any]:
    body, out = vertebra.body, vertebra.frame.inverse()
    corners = shapely.get_coordinates(body.outline.exterior)[:-1]
    flat = np.column_stack([corners, np.zeros(len(corners))])
    return {
        "width_mm": length_mm(body.width_mm),
        "depth_mm": length_mm(body.depth_mm),
        "posterior_height_mm": length_mm(body.posterior_height_mm),
        "anterior_height_mm": length_mm(body.anterior_height_mm),
        "superior_endplate": _endplate(out, body.superior_mm, body.superior_normal),
        "inferior_endplate": _endplate(out, body.inferior_mm, body.inferior_normal),
        "outline_mm": [point_mm(point) for point in out.points(flat)],
        "anterior_third_mm": point_mm(at_depth(vertebra, ANTERIOR_THIRD)),
        "anterior_quarter_mm": point_mm(at_depth(vertebra, ANTERIOR_QUARTER)),
        "anterior_wall_mm": point_mm(at_depth(vertebra, 1.0)),
    }


def _endplate(out: RigidTransform, middle: Point, normal: Vector) -> dict[str, Any]:
    return {"middle_mm": point_mm(out.points(middle)), "normal": direction(out.vectors(normal))}


def _wall(vertebra: VertebraAnatomy) -> dict[str, Any]:
    plane = posterior_wall(vertebra)
    return {"middle_mm": point_mm(plane.origin_mm), "normal": direction(vertebra.frame.rotation[1])}


def _basivertebral(vertebra: VertebraAnatomy) -> dict[str, Any]:
    zone = basivertebral_zone(vertebra)
    return {"centre_mm": point_mm(zone.centre_mm), "radius_mm": length_mm(zone.radius_mm)}


def _height(loss: HeightLoss | None) -> dict[str, Any] | None:
    if loss is None:
        return None
    return {
        "anterior_percent": round(100.0 * loss.anterior, 1),
        "posterior_percent": round(100.0 * loss.posterior, 1),
        "wedge_deg": angle_deg(loss.wedge_rad),
        "against": loss.source,
    }


def _ilium(name: str, ilium: IliumAnatomy | Unavailable) -> dict[str, Any]:
    if isinstance(ilium, Unavailable):
        nothing = dict.fromkeys(("posterior_mm", "anterior_mm", "axis", "radius_mm"))
        trust = {"available": False, "reason": ilium.reason, "confidence": 0.0}
        return {"structure": name, **nothing, **trust}
    return {
        "structure": name,
        "posterior_mm": point_mm(ilium.posterior_mm),
        "anterior_mm": point_mm(ilium.anterior_mm),
        "axis": direction(ilium.axis),
        "radius_mm": length_mm(ilium.radius_mm),
        "available": True,
        "reason": ilium.cause,
        "confidence": round(ilium.confidence, 3),
    }


def _pedicles(
    pedicles: Mapping[Side, Pedicle | Unavailable], frame: RigidTransform
) -> dict[str, Any]:
    return {
        side.value: _no_pedicle(one) if isinstance(one, Unavailable) else _pedicle(one, frame)
        for side, one in sorted(pedicles.items(), key=lambda item: list(Side).index(item[0]))
    }


_MEASURES = (
    "centre_mm", "axis", "width_mm", "height_mm", "transverse_deg", "sagittal_deg", "walls",
    "outline_mm",
)  # fmt: skip


def _no_pedicle(why: Unavailable) -> dict[str, Any]:
    trust = {"available": False, "reason": why.reason, "confidence": 0.0}
    return {**dict.fromkeys(_MEASURES), **trust}


def _pedicle(pedicle: Pedicle, frame: RigidTransform) -> dict[str, Any]:
    walls = pedicle_walls(pedicle)
    return {
        "centre_mm": point_mm(pedicle.centre_mm),
        "axis": direction(pedicle.axis),
        "width_mm": length_mm(pedicle.width_mm),
        "height_mm": length_mm(pedicle.height_mm),
        "transverse_deg": angle_deg(transverse_angle(frame, pedicle)),
        "sagittal_deg": angle_deg(sagittal_angle(frame, pedicle)),
        "walls": {
            "medial_mm": point_mm(walls.medial_mm),
            "lateral_mm": point_mm(walls.lateral_mm),
            "superior_mm": point_mm(walls.superior_mm),
            "inferior_mm": point_mm(walls.inferior_mm),
        },
        "outline_mm": outline_mm(pedicle, pedicle.outline.exterior),
        **(_sacral(pedicle) if isinstance(pedicle, SacralPedicle) else {}),
        "available": True,
        "reason": pedicle.cause,
        "confidence": round(pedicle.confidence, 3),
    }


def _sacral(pedicle: SacralPedicle) -> dict[str, Any]:
    """Return what bounds a pedicle of S1 to the side and below."""
    ala = pedicle.ala.exterior
    return {
        "ala_outline_mm": [] if ala.is_empty else outline_mm(pedicle, ala),
        "foramen_mm": point_mm(pedicle.foramen_mm),
    }


def _value(member: Side | PatientPosition | None) -> str | None:
    return None if member is None else member.value
