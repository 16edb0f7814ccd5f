"""The metal of one case: every screw, rod and cage, told apart, labelled, and what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from geometry.arrays import Point, Rotation, unit
from geometry.mesh import Problem, TriangleMesh
from planner.anatomy.failures import (
    cage_failures,
    heads_off_rods,
    pull_out,
    rods_in_two,
    screws_in_two,
)
from planner.anatomy.findings import warning
from planner.anatomy.hardware import cage_ends, rod_line
from planner.anatomy.holding import BoneSolid, solids
from planner.anatomy.interspace import contradicted, placed
from planner.anatomy.levels import told_levels
from planner.anatomy.metal import Apart, taken_apart
from planner.anatomy.model import (
    CageEnds,
    HardwareAnatomy,
    RodLine,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.anatomy.screw import ScrewReading, large_pieces, screw_reading
from planner.anatomy.shaft import long_axis
from planner.case import HARDWARE, Case, Kind, Side, Structure

HOLDERS = (Kind.VERTEBRA, Kind.SACRUM, Kind.ILIUM)
SCREW_REACH_MM = 16.0  # of a screw's surface from its axis, its head tilted
LONGEST_SCREW_MM = 135.0  # with its head
ROD_REACH = 0.9  # diameters from its line that a rod's surface may lie, as connectors do not
CLEARLY_MM = 5.0  # beside the midline, for a side to be contradicted
NEIGHBOUR_MM = 45.0  # from a cage to the middles of the bodies that it lies between

_Line = TypeVar("_Line", ScrewAxis, RodLine)


class Implants:
    """Reads the metal of a case, each structure when it is first asked for and only once.

    Args:
        case: The case.
        bones_near: Returns the anatomy of so many vertebrae nearest to a point.
        axes_near: Returns left, posterior and superior axes (rows) about a point.
    """

    def __init__(
        self,
        case: Case,
        *,
        bones_near: Callable[[Point, int], list[VertebraAnatomy]],
        axes_near: Callable[[Point], Rotation],
    ) -> None:
        self._case = case
        self._bones_near = bones_near
        self._axes_near = axes_near
        self._read: dict[str, Apart] = {}

    @cached_property
    def _bones(self) -> tuple[BoneSolid, ...]:
        return solids(self._case.of_kind(*HOLDERS))

    def of(self, structure: Structure) -> Apart:
        """Return the instruments in a structure of metal: itself, or its parts ``<name>#1`` on."""
        if structure.name not in self._read:
            apart = self._single(structure) or self._apart(structure)
            self._read[structure.name] = self._labelled(structure, apart)
        return self._read[structure.name]

    def screw(self, structure: Structure) -> ScrewAxis | Unavailable:
        """Return the shaft of a structure that is one screw, or why it is not."""
        apart = self.of(structure)
        if structure.name in apart.screws:
            return apart.screws[structure.name].axis
        return _not_one(apart, "screw")

    def rod(self, structure: Structure) -> RodLine | Unavailable:
        """Return the centreline of a structure that is one rod, or why it is not."""
        apart = self.of(structure)
        return apart.rods.get(structure.name) or _not_one(apart, "rod")

    def cage(self, cage: Structure) -> CageEnds | Unavailable:
        """Return a cage's bearing faces, found along the axes of its neighbours, and its place."""
        middle = cage.mesh.vertices.mean(axis=0)
        axes = self._axes_near(middle)
        ends = cage_ends(cage, up=axes[2], left=axes[0])
        if isinstance(ends, Unavailable):
            return ends
        near = self._bones_near(middle, 1)
        told = told_levels(self._case)
        return placed(ends, cage.side, self._bones, told, near[0] if near else None)

    def screw_named(self, name: str) -> ScrewAxis | Unavailable | None:
        """Return the screw of this name, be it a structure or a part of one; None without one."""
        for structure in self._case.of_kind(*HARDWARE):
            if structure.name == name.partition("#")[0] and structure.kind is not Kind.CAGE:
                reading = self.of(structure).screws.get(name)
                return None if reading is None else reading.axis
        return None

    def everything(self) -> HardwareAnatomy:
        """Return every instrument of the case, and what is wrong with them."""
        metal = [s for s in self._case.of_kind(*HARDWARE) if s.kind is not Kind.CAGE]
        read = {s.name: self.of(s) for s in metal}
        screws = {name: r for apart in read.values() for name, r in apart.screws.items()}
        rods: dict[str, RodLine | Unavailable] = {}
        for structure in metal:
            rods |= read[structure.name].rods
            if structure.kind is Kind.ROD and not read[structure.name].count:
                rods[structure.name] = self.rod(structure)
            if structure.kind is Kind.SCREW and not read[structure.name].count:
                screws[structure.name] = ScrewReading(axis=self.screw(structure))
        cages = {c.name: self.cage(c) for c in self._case.of_kind(Kind.CAGE)}
        return HardwareAnatomy(
            screws=MappingProxyType({name: r.axis for name, r in screws.items()}),
            rods=MappingProxyType(rods),
            crosslinks=MappingProxyType(
                {n: line for apart in read.values() for n, line in apart.crosslinks.items()}
            ),
            cages=MappingProxyType(cages),
            findings=MappingProxyType(self._findings(read, screws, rods, cages)),
        )

    def _single(self, structure: Structure) -> Apart | None:
        """Read a structure as the one instrument it is given as, if that is all it holds."""
        name = structure.name
        if structure.kind is Kind.SCREW:
            others = tuple(s for s in self._case.of_kind(*HARDWARE) if s.name != name)
            reading = screw_reading(structure, bones=self._bones, metal=others)
            if structure.primitive is not None or _is_compact(structure.mesh, reading):
                return Apart(screws={name: reading}, rods={}, crosslinks={}, findings=())
        if structure.kind is Kind.CROSSLINK:
            slender = ScrewReading(axis=Unavailable(reason="not a screw"))
            if _is_compact(structure.mesh, slender):
                return Apart(screws={}, rods={}, crosslinks={}, findings=())
        if structure.kind is Kind.ROD:
            line = rod_line(structure, up=self._axes_near(structure.mesh.vertices.mean(axis=0))[2])
            whole = structure.primitive is not None or len(large_pieces(structure.mesh)) == 1
            if isinstance(line, RodLine) and whole and _lies_along(structure.mesh, line):
                return Apart(screws={}, rods={name: line}, crosslinks={}, findings=())
        return None

    def _apart(self, structure: Structure) -> Apart:
        """Take a structure apart; say so where it holds one instrument of another kind."""
        up = self._axes_near(structure.mesh.vertices.mean(axis=0))[2]
        apart = taken_apart(structure, bones=self._bones, up=up)
        kinds = {Kind.SCREW: apart.screws, Kind.ROD: apart.rods, Kind.CROSSLINK: apart.crosslinks}
        if apart.count == 1 and not kinds[structure.kind]:
            what = next(kind for kind, found in kinds.items() if found)
            message = f"it is given as a {structure.kind} but has the shape of a {what}"
            return replace(apart, findings=(*apart.findings, warning("kind-contradicted", message)))
        return apart

    def _labelled(self, structure: Structure, apart: Apart) -> Apart:
        """Give every instrument the side it lies on, and say where another was stated."""
        findings = list(apart.findings)
        screws = {}
        for name, reading in apart.screws.items():
            axis = reading.axis
            if not isinstance(axis, Unavailable):
                axis = self._with_side(axis, axis.head_mm, structure.side, findings)
            screws[name] = replace(reading, axis=axis)
        rods = {
            name: self._with_side(
                line, np.asarray(line.points_mm).mean(axis=0), structure.side, findings
            )
            for name, line in apart.rods.items()
        }
        return replace(apart, screws=screws, rods=rods, findings=tuple(findings))

    def _with_side(
        self, line: _Line, point: Point, stated: Side | None, findings: list[Problem]
    ) -> _Line:
        """Return an instrument with its side: by the nearest vertebra, else as stated."""
        if stated is not None and self._is_plainly(point, stated):
            return replace(line, side=stated)
        near = self._bones_near(point, 1)
        if not near:
            return replace(line, side=stated)
        x = float(near[0].frame.points(point)[0])
        there = Side.LEFT if x > 0.0 else Side.RIGHT
        if stated is not None and stated is not there and abs(x) < CLEARLY_MM:
            return replace(line, side=stated)
        if stated is not None and stated is not there:
            message = (
                f"{line.structure}: side {stated} is stated, but it lies {abs(x):.1f} mm to the "
                f"{there} of the midline of {near[0].level}, which is taken"
            )
            findings.append(warning("side-contradicted", message))
        return replace(line, side=there)

    def _is_plainly(self, point: Point, side: Side) -> bool:
        """Tell without anatomy whether a point lies well to a side of the nearest bone's middle."""
        middles = [b.mesh.vertices.mean(axis=0) for b in self._case.of_kind(Kind.VERTEBRA)]
        if not middles:
            return True
        nearest = min(middles, key=lambda m: float(np.linalg.norm(m - point)))
        x = float(point[0] - nearest[0])
        return (x if side is Side.LEFT else -x) > 2.0 * CLEARLY_MM

    def _findings(
        self,
        read: dict[str, Apart],
        screws: dict[str, ScrewReading],
        rods: dict[str, RodLine | Unavailable],
        cages: dict[str, CageEnds | Unavailable],
    ) -> dict[str, tuple[Problem, ...]]:
        """Return what is wrong, by the name of the structure or part that it is wrong with."""
        axes = {n: r.axis for n, r in screws.items() if isinstance(r.axis, ScrewAxis)}
        lines = {n: line for n, line in rods.items() if isinstance(line, RodLine)}
        own = {s.name: s for s in self._case.of_kind(*HARDWARE)}
        found: dict[str, list[Problem]] = {}
        for name, apart in read.items():
            found.setdefault(name, []).extend(apart.findings)
        for name, reading in screws.items():
            found.setdefault(name, []).extend(reading.findings)
        for name, axis in axes.items():
            found[name] += pull_out(axis, self._bones)
        seated = heads_off_rods(
            {n: (a, own[n]) for n, a in axes.items() if n in own},
            tuple(own[n] for n in lines if n in own),
        )
        single = {n: line for n, line in lines.items() if n in own}
        joining = tuple(s for n, s in own.items() if n not in single and s.kind is not Kind.CAGE)
        for more in (seated, rods_in_two(single, joining), screws_in_two(axes)):
            for name, problems in more.items():
                found.setdefault(name, []).extend(problems)
        for name, ends in cages.items():
            if isinstance(ends, CageEnds):
                found.setdefault(name, []).extend(self._cage_findings(ends, own[name]))
        return {name: tuple(problems) for name, problems in found.items() if problems}

    def _cage_findings(self, ends: CageEnds, cage: Structure) -> list[Problem]:
        middle = 0.5 * (ends.cranial_mm + ends.caudal_mm)
        near = {
            a.structure: a
            for a in self._bones_near(middle, 2)
            if np.linalg.norm(a.frame.points(middle)) < NEIGHBOUR_MM
        }
        pairs = [(b, near[b.bone.name]) for b in self._bones if b.bone.name in near]
        return [*contradicted(ends, cage), *cage_failures(ends, cage, tuple(pairs))]


def _is_compact(mesh: TriangleMesh, reading: ScrewReading) -> bool:
    """Tell whether a mesh is no larger than one screw about its axis."""
    axis = reading.axis
    if isinstance(axis, Unavailable):
        origin, along, _ = long_axis(mesh)
    else:
        origin, along = axis.head_mm, unit(axis.tip_mm - axis.head_mm)
    offset = mesh.vertices - origin
    height = offset @ along
    aside = np.linalg.norm(offset - height[:, None] * along, axis=1)
    return bool(aside.max() < SCREW_REACH_MM and np.ptp(height) < LONGEST_SCREW_MM)


def _lies_along(mesh: TriangleMesh, line: RodLine) -> bool:
    """Tell whether all of a mesh lies close to a rod's line."""
    points = np.asarray(line.points_mm)
    start, step = points[:-1], np.diff(points, axis=0)
    vertices = mesh.vertices[:: 1 + len(mesh.vertices) // 2000]
    offset = vertices[:, None, :] - start
    share = np.clip((offset * step).sum(axis=2) / (step**2).sum(axis=1), 0.0, 1.0)
    gaps = np.linalg.norm(offset - share[..., None] * step, axis=2).min(axis=1)
    return bool(gaps.max() < ROD_REACH * line.diameter_mm + 1.0)


def _not_one(apart: Apart, what: str) -> Unavailable:
    """Say why a structure is not one instrument of a kind."""
    names = ", ".join([*apart.screws, *apart.rods, *apart.crosslinks])
    if apart.count > 1:
        return Unavailable(reason=f"it holds several instruments: {names}")
    if apart.count == 1:
        return Unavailable(reason=f"it has not the shape of a {what}")
    return Unavailable(
        reason=f"no {what} is told in it: it is not one slender piece, and no bar in it was "
        "followed from a head to its end"
    )
