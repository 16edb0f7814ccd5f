"""What is odd about a case as a whole: sides, front and back, or levels the wrong way round, ...

Only signs along the patient's axes are judged, so that a tilted or curved spine raises nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from geometry.arrays import Point
from geometry.mesh import Problem, Severity, TriangleMesh
from planner.case import LEVELS, Kind, Side, Structure
from planner.case_io.level_labels import doubtful_levels, doubtful_neighbours

_CLEARLY_MM = 3.0
_NEAR_MM = 45.0
_BEHIND = frozenset({Kind.CANAL, Kind.ROD, Kind.CROSSLINK})


def case_warnings(
    structures: Sequence[Structure], findings: Mapping[str, Mapping[str, Any]]
) -> tuple[Problem, ...]:
    """Return everything that a person should look at before trusting a plan."""
    return (
        *_mirror_suspicion(structures),
        *_repeated_surfaces(structures),
        *_repeated_levels(structures),
        *_doubtful_levels(structures),
        *_findings_elsewhere(structures, findings),
    )


def _warning(code: str, message: str, count: int | None = None) -> Problem:
    return Problem(code=code, severity=Severity.WARNING, message=message, count=count)


def _mirror_suspicion(structures: Sequence[Structure]) -> list[Problem]:
    centres = {s.name: _centre(s.mesh) for s in structures}
    sides = _sides_swapped(structures, centres)
    front = _front_is_back(structures, centres)
    found = []
    if sides and front:
        found.append(
            "structures labelled left lie to the right, and the canal or hardware lies in front of "
            "the vertebrae: LPS and RAS are probably confused; check coordinate_system"
        )
    elif sides:
        found.append(
            "structures labelled left lie to the right of those labelled right: the surfaces are "
            "mirrored, or the sides are exchanged; check both before planning"
        )
    elif front:
        found.append(
            "the canal or hardware lies in front of the vertebrae: the surfaces are mirrored front "
            "to back, or the frame is not the one stated; check coordinate_system"
        )
    if _levels_upside_down(structures, centres):
        found.append(
            "cranial levels lie below caudal ones: the surfaces are upside down, or the levels "
            "are numbered the wrong way; check both before planning"
        )
    return [_warning("mirror-suspicion", message) for message in found]


def _centre(mesh: TriangleMesh) -> Point:
    """Return the centroid of the surface's area."""
    corners = mesh.corners
    weight = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    total = float(weight.sum())
    centroid: Point = weight @ corners.mean(axis=1) / total if total else corners.mean(axis=(0, 1))
    return centroid


def _sides_swapped(structures: Sequence[Structure], centres: Mapping[str, Point]) -> bool:
    """Tell whether most pairs of left and right structures lie the other way round."""
    groups: dict[tuple[Kind, str | None], dict[Side, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for s in structures:
        if s.side is not None:
            groups[s.kind, s.level][s.side].append(float(centres[s.name][0]))
    apart = [
        float(np.mean(sides[Side.LEFT]) - np.mean(sides[Side.RIGHT]))
        for sides in groups.values()
        if len(sides) == 2
    ]
    return _mostly_negative(apart)


def _front_is_back(structures: Sequence[Structure], centres: Mapping[str, Point]) -> bool:
    """Tell whether canal, rods and crosslinks lie in front of most vertebrae beside them."""
    behind = []
    others = [s for s in structures if s.kind in _BEHIND]
    for bone in structures:
        if bone.kind is not Kind.VERTEBRA:
            continue
        for other in others:
            vertices = other.mesh.vertices
            offset = vertices - centres[bone.name]
            near = np.linalg.norm(offset, axis=1) < _NEAR_MM
            if near.any():
                behind.append(float(offset[near, 1].mean()))
    return _mostly_negative(behind)


def _levels_upside_down(structures: Sequence[Structure], centres: Mapping[str, Point]) -> bool:
    levelled = [s for s in structures if s.kind in {Kind.VERTEBRA, Kind.SACRUM} and s.level]
    ordered = sorted(levelled, key=lambda s: LEVELS.index(s.level or ""))
    steps = [
        float(centres[upper.name][2] - centres[lower.name][2])
        for upper, lower in pairwise(ordered)
        if upper.level != lower.level
    ]
    return _mostly_negative(steps)


def _mostly_negative(values: Sequence[float]) -> bool:
    """Tell whether clearly negative values outnumber the clearly positive ones."""
    negative = sum(value < -_CLEARLY_MM for value in values)
    positive = sum(value > _CLEARLY_MM for value in values)
    return negative > positive


def _repeated_surfaces(structures: Sequence[Structure]) -> list[Problem]:
    found = []
    for a, b in combinations(structures, 2):
        same = a.mesh.vertices.shape == b.mesh.vertices.shape
        if same and np.array_equal(a.mesh.vertices, b.mesh.vertices):
            message = f"{a.name} and {b.name} have the same surface; was a file named twice?"
            found.append(_warning("repeated-surface", message))
    return found


def _repeated_levels(structures: Sequence[Structure]) -> list[Problem]:
    names: dict[str, list[str]] = defaultdict(list)
    for s in structures:
        if s.kind is Kind.VERTEBRA and s.level:
            names[s.level].append(s.name)
    return [
        _warning("repeated-level", f"level {level} is given to {' and '.join(given)}", len(given))
        for level, given in names.items()
        if len(given) > 1
    ]


def _doubtful_levels(structures: Sequence[Structure]) -> list[Problem]:
    centres = {s.name: _centre(s.mesh) for s in structures if s.kind is Kind.VERTEBRA}
    said = (*doubtful_levels(structures, centres), *doubtful_neighbours(structures, centres))
    return [_warning("doubtful-level", sentence) for sentence in said]


def _findings_elsewhere(
    structures: Sequence[Structure], findings: Mapping[str, Mapping[str, Any]]
) -> list[Problem]:
    levels = {s.level for s in structures}
    return [
        _warning("findings-elsewhere", f"findings are given for {level}, which is not in the case")
        for level in findings
        if level not in levels and level not in {"S1", "S2"}
    ]
