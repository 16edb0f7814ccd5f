"""All the anatomy of a case, each structure read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from planner.anatomy.corridor import Corridor, corridors
from planner.anatomy.derived import DerivedAnatomy, derived_anatomy
from planner.anatomy.halo import HaloRadius, halo_radius
from planner.anatomy.height import HeightLoss, height_loss
from planner.anatomy.ilium import IliumAnatomy, ilium_anatomy
from planner.anatomy.model import (
    HardwareAnatomy,
    Pedicle,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.anatomy.reader import AnatomyReader
from planner.anatomy.ribs import RibGap, rib_gaps
from planner.case import HARDWARE, LEVELS, Case, Kind, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAnatomy:
    """What was read from a case's meshes, by structure name.

    Attributes:
        vertebrae: Vertebrae from T1 down, and the first sacral segment under the sacrum's name.
        heights: What is missing of the height of each vertebral body that was read.
        ilia: The corridor of an iliac screw in each ilium.
        hardware: Every screw, rod and cage, parts of fused metal included, and what is wrong.
        halos: The lucency around every screw that a bone of the case holds, or what would be
            taken for one if it were loose.
        corridors: What metal leaves free of each pedicle that was read, by bone and side.
        ribs: How the ribs of its level lie beside each vertebra that was read.
        derived: What the case lacks, as far as its bones tell.
    """

    vertebrae: Mapping[str, VertebraAnatomy | Unavailable]
    heights: Mapping[str, HeightLoss]
    ilia: Mapping[str, IliumAnatomy | Unavailable]
    hardware: HardwareAnatomy
    halos: Mapping[str, HaloRadius]
    corridors: Mapping[tuple[str, Side], tuple[Corridor, ...]]
    ribs: Mapping[str, tuple[RibGap, ...]]
    derived: DerivedAnatomy

    def of_level(self, level: str) -> VertebraAnatomy | Unavailable:
        """Return the anatomy of a level, or why there is none."""
        for found in self.vertebrae.values():
            if isinstance(found, VertebraAnatomy) and found.level == level:
                return found
        return Unavailable(reason=f"no vertebra of level {level} was read")


def describe_case(case: Case) -> CaseAnatomy:
    """Read every vertebra, screw, rod and cage of a case, and what follows from them."""
    reader = AnatomyReader(case)
    bones = {b.name: reader.bone(b) for b in case.of_kind(Kind.VERTEBRA, Kind.SACRUM)}
    read = {name: bone for name, bone in bones.items() if isinstance(bone, VertebraAnatomy)}
    metal, ribs = case.of_kind(*HARDWARE), case.of_kind(Kind.RIB)
    hardware = reader.hardware()
    return CaseAnatomy(
        vertebrae=MappingProxyType(bones),
        heights=MappingProxyType(
            {
                name: height_loss(bone, _neighbours(bone, read))
                for name, bone in read.items()
                if case.structure(name).kind is Kind.VERTEBRA
            }
        ),
        ilia=MappingProxyType({i.name: ilium_anatomy(i) for i in case.of_kind(Kind.ILIUM)}),
        hardware=hardware,
        halos=MappingProxyType(_halos(case, bones, hardware)),
        corridors=MappingProxyType(
            {
                (name, side): corridors(pedicle, metal)
                for name, bone in read.items()
                for side, pedicle in bone.pedicles.items()
                if isinstance(pedicle, Pedicle)
            }
        ),
        ribs=MappingProxyType(
            {name: rib_gaps(bone, case.structure(name), ribs) for name, bone in read.items()}
        ),
        derived=derived_anatomy(case, bones),
    )


def _halos(
    case: Case, bones: Mapping[str, VertebraAnatomy | Unavailable], hardware: HardwareAnatomy
) -> dict[str, HaloRadius]:
    """Return the lucency around each screw in a bone of its level."""
    holders = {
        found.level if isinstance(found, VertebraAnatomy) else case.structure(name).level: name
        for name, found in bones.items()
    }
    return {
        name: halo_radius(screw, case.of_kind(Kind.HALO), case.structure(holders[screw.level]))
        for name, screw in hardware.screws.items()
        if isinstance(screw, ScrewAxis) and screw.level in holders
    }


def _neighbours(
    bone: VertebraAnatomy, read: Mapping[str, VertebraAnatomy]
) -> tuple[VertebraAnatomy, ...]:
    """Return the vertebrae of the levels next to a vertebra's."""
    if bone.level not in LEVELS:
        return ()
    at = LEVELS.index(bone.level)
    beside = LEVELS[max(at - 1, 0) : at + 2]
    return tuple(other for other in read.values() if other.level in beside and other is not bone)
