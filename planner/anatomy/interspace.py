"""Which interspace a cage lies in, and on which side of the midline: by the bones that it faces."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from geometry.arrays import Point
from geometry.mesh import Problem
from planner.anatomy.findings import warning
from planner.anatomy.holding import BoneSolid
from planner.anatomy.model import CageEnds, VertebraAnatomy
from planner.case import Kind, Side, Structure

BEYOND_MM = 5.0  # from a face, where the bone that it bears on is looked for [A]
OFF_MM = 5.0  # from there to bone that counts as facing it [A]
MIDLINE_MM = 4.0  # of a cage's middle from the midline: it lies on neither side [A]


def placed(
    ends: CageEnds,
    stated: Side | None,
    bones: tuple[BoneSolid, ...],
    told: Mapping[str, str],
    beside: VertebraAnatomy | None,
) -> CageEnds:
    """Return a cage with the levels of the bones above and below it, and its side.

    Args:
        ends: Its bearing faces.
        stated: The side that the case states.
        bones: Those it may bear on.
        told: Levels of unlabelled bones that their neighbours leave, by structure.
        beside: The vertebra nearest to it, whose midline counts.
    """
    above = _facing(ends.cranial_mm + BEYOND_MM * ends.axis, bones)
    below = _facing(ends.caudal_mm - BEYOND_MM * ends.axis, bones)
    if above is not None and above is below:
        above = below = None  # it stands in one bone, as after the loss of a body
    return replace(
        ends, above=_level(above, told), below=_level(below, told),
        side=stated if beside is None else _side(ends, beside),
    )  # fmt: skip


def contradicted(ends: CageEnds, cage: Structure) -> list[Problem]:
    """Return what a case states of a cage and its place contradicts."""
    found = []
    levels = (ends.above, ends.below)
    if cage.level is not None and None not in levels and cage.level not in levels:
        message = f"level {cage.level} is stated, but it lies between {ends.above} and {ends.below}"
        found.append(warning("level-contradicted", message))
    if cage.side is not None and ends.side is not None and cage.side is not ends.side:
        message = f"side {cage.side} is stated, but it lies to the {ends.side} of the midline"
        found.append(warning("side-contradicted", message))
    return found


def _facing(point: Point, bones: tuple[BoneSolid, ...]) -> Structure | None:
    """Return the vertebra or sacrum that contains a point or is nearest to it, if any is near."""
    gaps = [(b.distance.point(point)[0], i) for i, b in enumerate(bones) if b.bone.kind in _BEARING]
    gap, nearest = min(gaps, default=(np.inf, -1))
    return bones[nearest].bone if gap <= OFF_MM else None


_BEARING = (Kind.VERTEBRA, Kind.SACRUM)


def _level(bone: Structure | None, told: Mapping[str, str]) -> str | None:
    if bone is None:
        return None
    return bone.level or ("S1" if bone.kind is Kind.SACRUM else told.get(bone.name))


def _side(ends: CageEnds, beside: VertebraAnatomy) -> Side | None:
    x = float(beside.frame.points(0.5 * (ends.cranial_mm + ends.caudal_mm))[0])
    if abs(x) < MIDLINE_MM:
        return None
    return Side.LEFT if x > 0.0 else Side.RIGHT
