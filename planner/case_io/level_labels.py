"""Levels that order and spacing of the vertebrae, the sacrum or the ribs do not bear out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from geometry.arrays import Point
from geometry.exact import MeshDistance
from planner.case import LEVELS, Kind, Structure

# Mean height of a body and the disc below it, adults, mm (DOMAIN 4.1).
STEP_MM: Mapping[str, float] = {
    "C7": 17.0, "T1": 18.1, "T2": 19.1, "T3": 18.9, "T4": 19.2, "T5": 19.7, "T6": 21.4, "T7": 22.7,
    "T8": 23.9, "T9": 25.3, "T10": 27.4, "T11": 27.3, "T12": 28.3, "L1": 30.7, "L2": 32.4,
    "L3": 32.5, "L4": 33.3, "L5": 31.7, "L6": 31.7,
}  # fmt: skip
SACRAL_MM = 40.0  # from the sacrum to the middle of L5: 20 to 30, of L4 50 or more [A]
RIB_MM = 4.0  # within which a rib's head lies on its vertebra [A]
RIB_POINTS = 2_000  # of a rib's surface that are asked
NEAREST, FARTHEST = 0.62, 1.5  # times the expected distance: two levels for one are 0.5 or 2 [A]


def doubtful_levels(structures: Sequence[Structure], centres: Mapping[str, Point]) -> Iterator[str]:
    """Yield a sentence for every pair of vertebrae whose levels do not fit how they lie.

    Args:
        structures: Those of a case; each level that two vertebrae share is left out.
        centres: Their middles by name, mm.
    """
    row = _once_each(structures)
    if len(row) < 2:
        return
    places = np.array([centres[bone.name] for bone in row])
    along = np.linalg.svd(places - places.mean(axis=0), full_matrices=False)[2][0]
    heights = places @ along
    heights = heights if np.median(np.diff(heights)) < 0.0 else -heights
    for i, (upper, lower) in enumerate(pairwise(row)):
        if heights[i] <= heights[i + 1]:
            yield (
                f"{upper.name} ({upper.level}) lies caudal to {lower.name} ({lower.level}): their "
                "levels are probably exchanged"
            )
            continue
        first, last = (LEVELS.index(bone.level or "") for bone in (upper, lower))
        levels = [level for level in LEVELS[first:last] if level != "L6" or last - first == 1]
        apart = float(np.linalg.norm(places[i] - places[i + 1]))
        ratio = apart / sum(STEP_MM[level] for level in levels)
        if not NEAREST <= ratio <= FARTHEST:
            steps = "one step" if len(levels) == 1 else f"{len(levels)} steps"
            yield (
                f"{upper.name} ({upper.level}) and {lower.name} ({lower.level}) lie {apart:.0f} mm "
                f"apart, too {'near' if ratio < NEAREST else 'far'} for {steps} between levels: "
                "one of them is probably misnumbered"
            )


def doubtful_neighbours(
    structures: Sequence[Structure], centres: Mapping[str, Point]
) -> Iterator[str]:
    """Yield a sentence for every level that sacrum or ribs contradict, as when all are shifted.

    Args:
        structures: Those of a case.
        centres: Middles of its vertebrae by name, mm.
    """
    row = _once_each(structures)
    if not row:
        return
    for sacrum in (s for s in structures if s.kind is Kind.SACRUM):
        solid = MeshDistance(sacrum.mesh)
        apart = {bone.name: solid.point(centres[bone.name])[0] for bone in row}
        last = min(row, key=lambda bone: apart[bone.name])
        if apart[last.name] < SACRAL_MM and last.level not in {"L5", "L6"}:
            yield (
                f"{last.name} ({last.level}) lies next to {sacrum.name}, where L5 belongs: all "
                "levels are probably shifted, or a vertebra is part of the sacrum"
            )
    surface = cKDTree(np.concatenate([bone.mesh.vertices for bone in row]))
    owner = np.repeat(np.arange(len(row)), [len(bone.mesh.vertices) for bone in row])
    for rib in (s for s in structures if s.kind is Kind.RIB):
        points = rib.mesh.vertices[:: max(1, len(rib.mesh.vertices) // RIB_POINTS)]
        gaps, nearest = surface.query(points)
        bone = row[owner[nearest[np.argmin(gaps)]]]
        if gaps.min() < RIB_MM and str(bone.level).startswith("L"):
            yield (
                f"{rib.name} lies on {bone.name} ({bone.level}), and lumbar vertebrae bear no "
                "ribs: all levels are probably shifted, or it is a lumbar rib"
            )


def _once_each(structures: Sequence[Structure]) -> list[Structure]:
    """Return the vertebrae whose level no other has, by level, cranial first."""
    labelled = [s for s in structures if s.kind is Kind.VERTEBRA and s.level in STEP_MM]
    levels = [s.level for s in labelled]
    alone = [s for s in labelled if levels.count(s.level) == 1]
    return sorted(alone, key=lambda s: LEVELS.index(s.level or ""))
