"""The last word: clearances of a path against every structure, on the original meshes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from geometry.arrays import Point, frozen
from geometry.exact import SegmentDistance
from planner.case import Structure
from planner.contact import Contact
from planner.needles.model import Needle
from planner.needles.path import Path, path_chords
from planner.policy import Policy
from planner.prepared import PreparedCase
from planner.result import Clearance

EQUAL_MM = 1e-5  # margins closer than this limit a path equally


def clearances(
    prepared: PreparedCase,
    path: Path,
    needle: Needle,
    policy: Policy,
    traversed: frozenset[str],
    contact: Contact | None = None,
) -> tuple[Clearance, ...]:
    """Measure a path against every structure of the case.

    Args:
        prepared: The case.
        path: Skin to tip, patient LPS.
        needle: The needle; an arc is as thick as its inner needle.
        policy: What is required of each kind.
        traversed: Names of structures the needle is meant to pass through.
        contact: The screw that it may touch, if it may touch one: no distance is required from it.

    Returns:
        One clearance per structure, in the case's order.
    """
    touched = None if contact is None else contact.screw.structure

    def required_mm(structure: Structure) -> float | None:
        return 0.0 if structure.name == touched else policy.rule_of(structure).hard_mm

    measured = (
        _clearance(
            prepared, structure, path, needle,
            None if structure.name in traversed else required_mm(structure),
        )
        for structure in prepared.case.structures
    )  # fmt: skip
    return tuple(
        replace(
            c, traversed=c.structure in traversed, contact_allowed=c.structure == touched,
            advisory=c.required_mm is None and c.structure not in traversed,
        )
        for c in measured
    )  # fmt: skip


def _clearance(
    prepared: PreparedCase,
    structure: Structure,
    path: Path,
    needle: Needle,
    required: float | None,
) -> Clearance:
    surface, before = prepared.distance(structure), 0.0
    found: list[tuple[float, float, SegmentDistance]] = []
    for points, radius in needle.tubes(path):
        nearest, piece = surface.path(points)
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        depth = before + float(steps[:piece].sum() + nearest.fraction * steps[piece])
        found.append((nearest.distance_mm - radius, depth, nearest))
        before += float(steps.sum())
    distance, depth, nearest = min(found, key=lambda one: one[0])
    return Clearance(
        structure=structure.name,
        kind=structure.kind,
        distance_mm=distance,
        required_mm=required,
        margin_mm=None if required is None else distance - required,
        at_depth_mm=depth,
        nearest_point_mm=nearest.on_mesh_mm,
        path_point_mm=nearest.on_segment_mm,
        derived=structure.derived is not None,
        segmentation_error_mm=structure.segmentation_error_mm,
    )


def least_margin(measured: tuple[Clearance, ...]) -> tuple[float, str | None]:
    """Return the smallest margin and the structure that limits it (inf, None if nothing does).

    Of structures that limit equally, the first of the case is named.
    """
    limited = [(c.margin_mm, c.structure) for c in measured if c.margin_mm is not None]
    least = min((margin for margin, _ in limited), default=float("inf"))
    names = (name for margin, name in limited if margin <= least + EQUAL_MM)
    return least, next(names, None)


def first_bone(prepared: PreparedCase, bone: Structure, path: Path) -> tuple[Point, float] | None:
    """Return where the axis first pierces a bone's surface and how deep that is, from the skin."""
    points = path_chords(path)
    before = 0.0
    for start, end in pairwise(points):
        length = float(np.linalg.norm(end - start))
        crossings = prepared.distance(bone).crossings(start, end)
        if len(crossings):
            s = float(crossings[0])
            return frozen(start + s * (end - start)), before + s * length
        before += length
    return None
