"""All the anatomy of a case, each structure read once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from geometry.arrays import Point, Vector, unit
from planner.anatomy.hardware import CRANIAL, LEFT, cage_ends, rod_line, screw_axis
from planner.anatomy.model import CageEnds, RodLine, ScrewAxis, Unavailable, VertebraAnatomy
from planner.anatomy.sacrum import sacrum_anatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAnatomy:
    """What was read from a case's meshes, by structure name.

    Attributes:
        vertebrae: Vertebrae from T1 down, and the first sacral segment under the sacrum's name.
        screws: Every screw's shaft.
        rods: Every rod's centreline.
        cages: Every cage's bearing faces.
    """

    vertebrae: Mapping[str, VertebraAnatomy | Unavailable]
    screws: Mapping[str, ScrewAxis | Unavailable]
    rods: Mapping[str, RodLine | Unavailable]
    cages: Mapping[str, CageEnds | Unavailable]

    def of_level(self, level: str) -> VertebraAnatomy | Unavailable:
        """Return the anatomy of a level, or why there is none."""
        for found in self.vertebrae.values():
            if isinstance(found, VertebraAnatomy) and found.level == level:
                return found
        return Unavailable(reason=f"no vertebra of level {level} was read")


def describe_case(case: Case) -> CaseAnatomy:
    """Read every vertebra, screw, rod and cage of a case."""
    canals = case.of_kind(Kind.CANAL)
    canal = canals[0] if canals else None
    bones = case.of_kind(Kind.VERTEBRA)
    vertebrae = {bone.name: vertebra_anatomy(bone, canal=canal) for bone in bones}
    l5 = next((v for v in vertebrae.values() if _is_level(v, "L5")), None)
    for bone in case.of_kind(Kind.SACRUM):
        above = l5 if isinstance(l5, VertebraAnatomy) else None
        vertebrae[bone.name] = sacrum_anatomy(bone, l5=above)
    read = [v for v in vertebrae.values() if isinstance(v, VertebraAnatomy)]
    spine = [v for v in read if v.level != "S1"] or read  # the sacrum leans too far to say up
    up, left = _mean_axis(spine, 2, CRANIAL), _mean_axis(spine, 0, LEFT)
    holders = case.of_kind(Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM)
    screws = {s.name: screw_axis(s, bones=holders) for s in case.of_kind(Kind.SCREW)}
    return CaseAnatomy(
        vertebrae=MappingProxyType(vertebrae),
        screws=MappingProxyType({n: _with_side(s, read, left) for n, s in screws.items()}),
        rods=MappingProxyType({r.name: rod_line(r, up=up) for r in case.of_kind(Kind.ROD)}),
        cages=MappingProxyType({c.name: _cage(c, read) for c in case.of_kind(Kind.CAGE)}),
    )


def _is_level(found: VertebraAnatomy | Unavailable, level: str) -> bool:
    """Tell whether this is the anatomy of a level."""
    return isinstance(found, VertebraAnatomy) and found.level == level


def _mean_axis(vertebrae: list[VertebraAnatomy], row: int, otherwise: Vector) -> Vector:
    """Return the mean of one frame axis, in patient LPS."""
    if not vertebrae:
        return otherwise
    return unit(sum((v.frame.rotation[row] for v in vertebrae), np.zeros(3)))


def _nearest(vertebrae: list[VertebraAnatomy], point: Point, count: int) -> list[VertebraAnatomy]:
    """Return the vertebrae whose bodies are nearest to a point."""
    return sorted(vertebrae, key=lambda v: float(np.linalg.norm(v.frame.points(point))))[:count]


def _cage(cage: Structure, vertebrae: list[VertebraAnatomy]) -> CageEnds | Unavailable:
    """Read a cage along the mean axis of its two neighbours."""
    near = _nearest(vertebrae, cage.mesh.vertices.mean(axis=0), 2)
    return cage_ends(cage, up=_mean_axis(near, 2, CRANIAL), left=_mean_axis(near, 0, LEFT))


def _with_side(
    screw: ScrewAxis | Unavailable, vertebrae: list[VertebraAnatomy], left: Vector
) -> ScrewAxis | Unavailable:
    """Fill in the side of a screw that carries none: where its head lies off the midline."""
    if isinstance(screw, Unavailable) or screw.side is not None or not vertebrae:
        return screw
    nearest = _nearest(vertebrae, screw.head_mm, 1)[0]
    offset = (screw.head_mm - nearest.frame.inverse().translation_mm) @ left
    return replace(screw, side=Side.LEFT if offset > 0.0 else Side.RIGHT)
