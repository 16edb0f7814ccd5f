"""A case with everything that is derived from it, each thing computed once and kept."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from geometry.arrays import Point
from geometry.exact import MeshDistance
from planner.anatomy.derived import DerivedAnatomy, derived_anatomy
from planner.anatomy.levels import told_levels
from planner.anatomy.model import (
    CageEnds,
    HardwareAnatomy,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.anatomy.reader import AnatomyReader
from planner.case import Case, Kind, Structure
from planner.errors import RequestError

_Made = TypeVar("_Made")
MOST_KEPT = 4  # spaces around bones, some tens of megabytes each


class PreparedCase:
    """A case, its anatomy and its distance queries, for as many plans as are asked of it.

    Args:
        case: The case as it was given; kept as ``given``.
    """

    def __init__(self, case: Case) -> None:
        self.given = case
        self._distances: dict[str, MeshDistance] = {}
        self._anatomy = AnatomyReader(case)
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    @cached_property
    def derived(self) -> DerivedAnatomy:
        """What the case lacks and its bones tell."""
        bones = self.given.of_kind(Kind.VERTEBRA, Kind.SACRUM)
        return derived_anatomy(self.given, {bone.name: self.bone(bone) for bone in bones})

    @cached_property
    def case(self) -> Case:
        """The case with what was derived for it: what is planned on, measured and proved.

        That is the canal, roots and pleura it lacks, and levels that only neighbours tell.
        """
        told = told_levels(self.given)
        labelled = tuple(replace(s, level=told.get(s.name, s.level)) for s in self.given.structures)
        return self.derived.added_to(replace(self.given, structures=labelled))

    @cached_property
    def hardware(self) -> HardwareAnatomy:
        """Every screw, rod and cage, parts of fused metal included."""
        return self._anatomy.hardware()

    def kept(self, key: tuple[Any, ...], make: Callable[[], _Made]) -> _Made:
        """Return what ``make`` made for this key before, or makes now; the last few are kept."""
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        made: _Made = self._kept[key]
        return made

    def distance(self, structure: Structure) -> MeshDistance:
        """Return the exact distance queries of a structure's original mesh, patient LPS."""
        if structure.name not in self._distances:
            self._distances[structure.name] = MeshDistance(structure.mesh)
        return self._distances[structure.name]

    def bone(self, bone: Structure) -> VertebraAnatomy | Unavailable:
        """Return the anatomy of a vertebra or sacrum, or why it could not be derived."""
        return self._anatomy.bone(bone)

    def screw(self, name: str, *, field: str) -> ScrewAxis:
        """Return the axis of the screw called ``name``, or of that part of fused metal (``m#2``).

        Raises:
            RequestError: If there is no such screw, or its axis could not be derived.
        """
        axis = self._anatomy.screw_named(name)
        if axis is None:
            axis = self._anatomy.screw(self._of_kind(name, Kind.SCREW, field))
        if isinstance(axis, Unavailable):
            raise _underivable(name, field, axis)
        return axis

    def cage(self, name: str, *, field: str) -> CageEnds:
        """Return the bearing faces of the cage called ``name``.

        Raises:
            RequestError: If there is no such cage, or its faces could not be derived.
        """
        ends = self._anatomy.cage(self._of_kind(name, Kind.CAGE, field))
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
