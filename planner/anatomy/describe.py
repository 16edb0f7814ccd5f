"""All the anatomy of a case, each structure read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from planner.anatomy.model import CageEnds, RodLine, ScrewAxis, Unavailable, VertebraAnatomy
from planner.anatomy.reader import AnatomyReader
from planner.case import Case, Kind


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
    reader = AnatomyReader(case)
    bones = case.of_kind(Kind.VERTEBRA, Kind.SACRUM)
    return CaseAnatomy(
        vertebrae=MappingProxyType({b.name: reader.bone(b) for b in bones}),
        screws=MappingProxyType({s.name: reader.screw(s) for s in case.of_kind(Kind.SCREW)}),
        rods=MappingProxyType({r.name: reader.rod(r) for r in case.of_kind(Kind.ROD)}),
        cages=MappingProxyType({c.name: reader.cage(c) for c in case.of_kind(Kind.CAGE)}),
    )
