"""Reads the anatomy of one case, each structure when it is first asked for and only once."""

from dataclasses import replace

import numpy as np

from geometry.arrays import Point, Rotation
from planner.anatomy.hardware import CRANIAL, LEFT
from planner.anatomy.implants import Implants
from planner.anatomy.landmarks import with_landmarks
from planner.anatomy.levels import told_levels
from planner.anatomy.model import (
    CageEnds,
    HardwareAnatomy,
    RodLine,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.anatomy.sacrum import sacrum_anatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import HARDWARE, Case, Kind, Structure


class AnatomyReader:
    """The anatomy behind a case's meshes; what cannot be read is said with its reason."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._bones: dict[str, VertebraAnatomy | Unavailable] = {}
        self._implants = Implants(case, bones_near=self._nearest, axes_near=self._mean_axes)

    def bone(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        """Return the anatomy of a vertebra, or of the first sacral segment."""
        if bone.name not in self._bones:
            read = self._read(bone)
            if isinstance(read, VertebraAnatomy) and read.level in self._case.landmarks:
                read = with_landmarks(read, bone, self._case.landmarks[read.level])
            self._bones[bone.name] = read
        return self._bones[bone.name]

    def screw(self, screw: Structure) -> ScrewAxis | Unavailable:
        """Return the shaft of a structure that is one screw."""
        return self._implants.screw(screw)

    def screw_named(self, name: str) -> ScrewAxis | Unavailable | None:
        """Return a screw by its structure's name or its part's (``metal#2``); None without one."""
        return self._implants.screw_named(name)

    def rod(self, rod: Structure) -> RodLine | Unavailable:
        """Return the centreline of a structure that is one rod, cranial end first."""
        return self._implants.rod(rod)

    def cage(self, cage: Structure) -> CageEnds | Unavailable:
        """Return a cage's bearing faces, found along the axes of its two neighbours."""
        return self._implants.cage(cage)

    def hardware(self) -> HardwareAnatomy:
        """Return every screw, rod and cage, parts of fused metal included, and what is wrong."""
        return self._implants.everything()

    def _read(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        if bone.kind is Kind.VERTEBRA:
            canals = self._case.of_kind(Kind.CANAL)
            level = bone.level or told_levels(self._case).get(bone.name)
            read = vertebra_anatomy(replace(bone, level=level), canal=canals[0] if canals else None)
            if isinstance(read, Unavailable) or level == bone.level:
                return read
            told = f"the mesh carries no level; its neighbours leave only {level}"
            return replace(read, warnings=(*read.warnings, told))
        if bone.kind is Kind.SACRUM:
            last = [v for v in self._case.of_kind(Kind.VERTEBRA) if v.level == "L5"]
            above = self.bone(last[0]) if last else None
            l5 = above if isinstance(above, VertebraAnatomy) else None
            return sacrum_anatomy(bone, l5=l5, metal=self._case.of_kind(*HARDWARE))
        return Unavailable(reason=f"no pedicles are derived for an object of kind {bone.kind}")

    def _nearest(self, point: Point, count: int) -> list[VertebraAnatomy]:
        """Return the anatomy of the nearest vertebrae, as far as it can be read."""
        near = sorted(
            self._case.of_kind(Kind.VERTEBRA),
            key=lambda v: float(np.linalg.norm(v.mesh.vertices.mean(axis=0) - point)),
        )[:count]
        return [a for a in map(self.bone, near) if isinstance(a, VertebraAnatomy)]

    def _mean_axes(self, point: Point) -> Rotation:
        """Return mean left, posterior, superior axes (rows) of the two nearest vertebrae, LPS."""
        near = self._nearest(point, 2)
        if not near:
            return np.stack([LEFT, np.cross(CRANIAL, LEFT), CRANIAL])
        return sum((a.frame.rotation for a in near), np.zeros((3, 3))) / len(near)
