"""All the anatomy of a case, each structure read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from planner.anatomy.corridor import Corridor, corridors
from planner.anatomy.derived import DerivedAnatomy, derived_anatomy
from planner.anatomy.model import (
    CageEnds,
    Pedicle,
    RodLine,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.anatomy.reader import AnatomyReader
from planner.anatomy.ribs import RibGap, rib_gaps
from planner.case import HARDWARE, Case, Kind, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAnatomy:
    """What was read from a case's meshes, by structure name.

    Attributes:
        vertebrae: Vertebrae from T1 down, and the first sacral segment under the sacrum's name.
        screws: Every screw's shaft.
        rods: Every rod's centreline.
        cages: Every cage's bearing faces.
        corridors: What metal leaves free of each pedicle that was read, by bone and side.
        ribs: How the ribs of its level lie beside each vertebra that was read.
        derived: What the case lacks, as far as its bones tell.
    """

    vertebrae: Mapping[str, VertebraAnatomy | Unavailable]
    screws: Mapping[str, ScrewAxis | Unavailable]
    rods: Mapping[str, RodLine | Unavailable]
    cages: Mapping[str, CageEnds | Unavailable]
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
    return CaseAnatomy(
        vertebrae=MappingProxyType(bones),
        screws=MappingProxyType({s.name: reader.screw(s) for s in case.of_kind(Kind.SCREW)}),
        rods=MappingProxyType({r.name: reader.rod(r) for r in case.of_kind(Kind.ROD)}),
        cages=MappingProxyType({c.name: reader.cage(c) for c in case.of_kind(Kind.CAGE)}),
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
