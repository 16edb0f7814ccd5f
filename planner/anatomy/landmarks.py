"""Landmarks that the case states, put in the place of derived ones."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import shapely.affinity

from geometry.arrays import Point
from geometry.frames import frame_from_axes
from planner.anatomy.body import BodyBox
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.anatomy.pedicle import pedicle_at
from planner.anatomy.slicing import Slicer
from planner.case import Kind, Side, Structure

GIVEN = "given in the case"


def with_landmarks(
    anatomy: VertebraAnatomy, bone: Structure, stated: Mapping[str, Any]
) -> VertebraAnatomy:
    """Return the anatomy with the case's landmarks of its level in it, confidence 1.

    The posterior wall keeps the anterior cortex where it is; a body centre moves the origin alone.
    A pedicle's point becomes the centre of its isthmus; its axis and outline are read from the
    bone.

    Args:
        anatomy: As derived.
        bone: The structure it was derived from.
        stated: ``body_centre_mm``, ``posterior_wall_mm``, ``left_pedicle_mm``,
            ``right_pedicle_mm``, each a patient point; any may be missing.
    """
    if "posterior_wall_mm" in stated:
        anatomy = _with_wall(anatomy, np.asarray(stated["posterior_wall_mm"]))
    if "body_centre_mm" in stated:
        offset = anatomy.frame.points(np.asarray(stated["body_centre_mm"]))
        anatomy = replace(_shifted(anatomy, offset), confidence=1.0, cause=GIVEN)
    given = {s: stated[f"{s}_pedicle_mm"] for s in Side if f"{s}_pedicle_mm" in stated}
    if not given or bone.kind is not Kind.VERTEBRA:
        return anatomy
    slicer = Slicer(bone.mesh)
    box = _box(anatomy)
    pedicles = dict(anatomy.pedicles)
    for side, point in given.items():
        found = pedicle_at(slicer, box, side, anatomy.level, np.asarray(point))
        if isinstance(found, Pedicle):
            found = replace(found, confidence=1.0, cause=GIVEN)
        pedicles[side] = found
    return replace(anatomy, pedicles=MappingProxyType(pedicles))


def _with_wall(anatomy: VertebraAnatomy, wall: Point) -> VertebraAnatomy:
    """Move the posterior wall, the anterior cortex staying where it is."""
    back = float(anatomy.frame.points(wall)[1])
    depth = 0.5 * anatomy.body.depth_mm + back
    deeper = replace(anatomy, body=replace(anatomy.body, depth_mm=depth))
    return _shifted(deeper, np.array([0.0, back - 0.5 * depth, 0.0]))


def _shifted(anatomy: VertebraAnatomy, offset: Point) -> VertebraAnatomy:
    """Move the frame's origin by an offset in its own axes; the body stays where it is."""
    body = replace(
        anatomy.body,
        superior_mm=anatomy.body.superior_mm - offset,
        inferior_mm=anatomy.body.inferior_mm - offset,
        outline=shapely.affinity.translate(anatomy.body.outline, -offset[0], -offset[1]),
    )
    origin = anatomy.frame.inverse().points(offset)
    frame = frame_from_axes(name=anatomy.structure, origin_mm=origin, axes=anatomy.frame.rotation)
    return replace(anatomy, frame=frame, body=body)


def _box(anatomy: VertebraAnatomy) -> BodyBox:
    body = anatomy.body
    half = 0.5 * np.array([body.width_mm, body.depth_mm, body.posterior_height_mm])
    origin = anatomy.frame.inverse().translation_mm
    return BodyBox(centre=origin, axes=anatomy.frame.rotation, half=half)
