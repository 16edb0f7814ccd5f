"""A case with everything that is derived from it, each thing computed once and kept."""

import numpy as np

from geometry.arrays import Point, Rotation
from geometry.exact import MeshDistance
from planner.anatomy.hardware import cage_ends
from planner.anatomy.model import CageEnds, ScrewAxis, Unavailable, VertebraAnatomy
from planner.anatomy.screw import screw_axis
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Structure
from planner.errors import RequestError


class PreparedCase:
    """A case, its anatomy and its distance queries, for as many plans as are asked of it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._distances: dict[str, MeshDistance] = {}
        self._bones: dict[str, VertebraAnatomy | Unavailable] = {}

    def distance(self, structure: Structure) -> MeshDistance:
        """Return the exact distance queries of a structure's original mesh, patient LPS."""
        if structure.name not in self._distances:
            self._distances[structure.name] = MeshDistance(structure.mesh)
        return self._distances[structure.name]

    def bone(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        """Return the anatomy of a vertebra or sacrum, or why it could not be derived."""
        if bone.name not in self._bones:
            self._bones[bone.name] = self._read(bone)
        return self._bones[bone.name]

    def _read(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        if bone.kind is not Kind.VERTEBRA:
            return Unavailable(reason=f"no pedicles are derived for a {bone.kind}")
        canals = self.case.of_kind(Kind.CANAL)
        return vertebra_anatomy(bone, canal=canals[0] if canals else None)

    def screw(self, name: str, *, field: str) -> ScrewAxis:
        """Return the axis of the screw called ``name``.

        Raises:
            RequestError: If there is no such screw, or its axis could not be derived.
        """
        holders = self.case.of_kind(Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM)
        axis = screw_axis(self._of_kind(name, Kind.SCREW, field), bones=holders)
        if isinstance(axis, Unavailable):
            raise _underivable(name, field, axis)
        return axis

    def cage(self, name: str, *, field: str) -> CageEnds:
        """Return the bearing faces of the cage called ``name``.

        Raises:
            RequestError: If there is no such cage, or its faces could not be derived.
        """
        cage = self._of_kind(name, Kind.CAGE, field)
        axes = self._axes_near(cage.mesh.vertices.mean(axis=0))
        ends = cage_ends(cage) if axes is None else cage_ends(cage, up=axes[2], left=axes[0])
        if isinstance(ends, Unavailable):
            raise _underivable(name, field, ends)
        return ends

    def lesion(self, name: str, *, field: str) -> Structure:
        """Return the lesion called ``name``.

        Raises:
            RequestError: If there is no such lesion.
        """
        return self._of_kind(name, Kind.LESION, field)

    def nearest_bone(self, point: Point) -> Structure:
        """Return the vertebra, sacrum or ilium that contains or is nearest to a point.

        Raises:
            RequestError: If the case has none.
        """
        bones = self.case.of_kind(Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM)
        if not bones:
            raise RequestError(
                "the case has no vertebra, sacrum or ilium to plan in",
                field="target", code="no-bone",
            )  # fmt: skip
        return min(bones, key=lambda bone: self.distance(bone).point(point)[0])

    def _axes_near(self, point: Point) -> Rotation | None:
        """Return mean axes of the two vertebrae nearest to a point, if they can be read."""
        near = sorted(
            self.case.of_kind(Kind.VERTEBRA),
            key=lambda v: float(np.linalg.norm(v.mesh.vertices.mean(axis=0) - point)),
        )[:2]
        read = [a for a in map(self.bone, near) if isinstance(a, VertebraAnatomy)]
        return sum((a.frame.rotation for a in read), np.zeros((3, 3))) if read else None

    def _of_kind(self, name: str, kind: Kind, field: str) -> Structure:
        structure = self.case.structure(name, field_name=field)
        if structure.kind is not kind:
            there = ", ".join(s.name for s in self.case.of_kind(kind)) or "none"
            raise RequestError(
                f"{name!r} is a {structure.kind}, not a {kind}; the case's are: {there}",
                field=field, code="wrong-kind",
            )  # fmt: skip
        return structure


def _underivable(name: str, field: str, why: Unavailable) -> RequestError:
    """Return the error for a structure whose geometry could not be read."""
    return RequestError(f"{name}: {why.reason}", field=field, code="anatomy-unavailable")
