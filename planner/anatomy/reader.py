"""Reads the anatomy of one case, each structure when it is first asked for and only once."""

from dataclasses import replace

import numpy as np

from geometry.arrays import Point, Rotation
from planner.anatomy.hardware import CRANIAL, LEFT, cage_ends, rod_line, screw_axis
from planner.anatomy.model import CageEnds, RodLine, ScrewAxis, Unavailable, VertebraAnatomy
from planner.anatomy.sacrum import sacrum_anatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure


class AnatomyReader:
    """The anatomy behind a case's meshes; what cannot be read is said with its reason."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._bones: dict[str, VertebraAnatomy | Unavailable] = {}

    def bone(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        """Return the anatomy of a vertebra, or of the first sacral segment."""
        if bone.name not in self._bones:
            self._bones[bone.name] = self._read(bone)
        return self._bones[bone.name]

    def screw(self, screw: Structure) -> ScrewAxis | Unavailable:
        """Return a screw's shaft; a side that is not stated is where its head lies."""
        holders = self._case.of_kind(Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM)
        axis = screw_axis(screw, bones=holders)
        if isinstance(axis, Unavailable) or axis.side is not None:
            return axis
        near = self._nearest(axis.head_mm, 1)
        if not near:
            return axis
        on_left = near[0].frame.points(axis.head_mm)[0] > 0.0
        return replace(axis, side=Side.LEFT if on_left else Side.RIGHT)

    def rod(self, rod: Structure) -> RodLine | Unavailable:
        """Return a rod's centreline, cranial end first."""
        axes = self._mean_axes(rod.mesh.vertices.mean(axis=0))
        return rod_line(rod, up=axes[2])

    def cage(self, cage: Structure) -> CageEnds | Unavailable:
        """Return a cage's bearing faces, found along the axes of its two neighbours."""
        axes = self._mean_axes(cage.mesh.vertices.mean(axis=0))
        return cage_ends(cage, up=axes[2], left=axes[0])

    def _read(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        if bone.kind is Kind.VERTEBRA:
            canals = self._case.of_kind(Kind.CANAL)
            return vertebra_anatomy(bone, canal=canals[0] if canals else None)
        if bone.kind is Kind.SACRUM:
            last = [v for v in self._case.of_kind(Kind.VERTEBRA) if v.level == "L5"]
            above = self.bone(last[0]) if last else None
            return sacrum_anatomy(bone, l5=above if isinstance(above, VertebraAnatomy) else None)
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
