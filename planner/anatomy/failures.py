"""What has failed about hardware, as far as one scan tells: breaks, pull-out, sunken cages.

Every finding states what was measured. What would need an earlier scan, such as whether a head
ever sat on its rod, is not claimed.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from geometry.arrays import Point, Points, Vector, unit
from geometry.exact import MeshDistance
from geometry.frames import angle_between
from geometry.mesh import Problem
from planner.anatomy.body import surface_of
from planner.anatomy.findings import warning
from planner.anatomy.holding import BoneSolid, held
from planner.anatomy.model import CageEnds, RodLine, ScrewAxis, VertebraAnatomy
from planner.case import Structure

OFF_ROD_MM = 3.0  # a head's gap to the rod that other heads hold [A]
ON_ROD_MM = 1.0
HEAD_POINTS = 300
REACH_MM = 40.0  # from a head to a rod that might hold it
OFF_BONE_MM = 8.0  # from the shaft's beginning to bone [A]
BEYOND_BONE_MM = 2.0  # of a tip [A]
OUTSIDE_MM = 5.0  # of a shaft between entering and leaving bone [A]
ALIGNED_RAD = np.radians(25.0)
GAP_MM = 12.0
HEAD_NEAR_MM = 8.0  # metal so near to a rod's end may be a connector that joins it
SUNK_MM = 2.0  # of a cage's face into bone [A]
BEHIND_MM = 2.0  # of a cage, behind both posterior walls [A]


def pull_out(axis: ScrewAxis, bones: tuple[BoneSolid, ...]) -> list[Problem]:
    """Return how far a shaft stands out of bone: before it, beyond it, and in between."""
    near = [b for b in bones if b.distance.segment(axis.head_mm, axis.tip_mm).distance_mm < 0.0]
    if not bones:
        return []
    if not near:
        gaps = [(b.distance.segment(axis.head_mm, axis.tip_mm).distance_mm, b) for b in bones]
        gap, bone = min(gaps, key=lambda g: g[0])
        if held(axis.head_mm, axis.tip_mm, axis.diameter_mm, bones) is not None:
            return []  # the bone's mesh has a hole where the shaft is
        message = (
            f"no bone of the case holds the shaft; the nearest, {bone.bone.name}, is {gap:.1f} mm "
            "from its axis (failure type 2 if it was in bone)"
        )
        return [warning("shaft-out-of-bone", message)]
    length = float(np.linalg.norm(axis.tip_mm - axis.head_mm))
    spans = _inside_spans(axis, near, length)
    before, beyond = spans[0][0], length - spans[-1][1]
    between = sum(b[0] - a[1] for a, b in pairwise(spans))
    found = []
    if before > OFF_BONE_MM and axis.has_head:
        message = (
            f"the head stands {before:.1f} mm off the bone (failure type 2 if it sat on the bone)"
        )
        found.append(warning("head-off-bone", message))
    if beyond > BEYOND_BONE_MM:
        message = f"the tip stands {beyond:.1f} mm beyond the bone (failure type 2 if it cut out)"
        found.append(warning("tip-out-of-bone", message))
    if between > OUTSIDE_MM:
        message = f"the shaft runs {between:.1f} mm outside bone between its two ends"
        found.append(warning("shaft-leaves-bone", message))
    return found


def _inside_spans(
    axis: ScrewAxis, near: list[BoneSolid], length: float
) -> list[tuple[float, float]]:
    """Return the stretches of a shaft's axis inside any bone, ascending, mm from the head."""
    spans = []
    for bone in near:
        cuts = [0.0, *bone.distance.crossings(axis.head_mm, axis.tip_mm).tolist(), 1.0]
        for a, b in pairwise(cuts):
            middle = axis.head_mm + 0.5 * (a + b) * (axis.tip_mm - axis.head_mm)
            if b > a and bone.holds(middle):
                spans.append((a * length, b * length))
    merged: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def heads_off_rods(
    screws: Mapping[str, tuple[ScrewAxis, Structure]], rods: tuple[Structure, ...]
) -> dict[str, list[Problem]]:
    """Return the heads that stand off the nearest rod while the rod sits in other heads.

    Args:
        screws: Axes with their meshes, by name.
        rods: The rods' meshes.
    """
    queries = {rod.name: MeshDistance(rod.mesh) for rod in rods}
    gaps: dict[str, tuple[float, str]] = {}
    for name, (axis, structure) in screws.items():
        head = _head_points(axis, structure)
        if axis.has_head and len(head) and queries:
            gaps[name] = min(
                (min(max(0.0, query.point(p)[0]) for p in head), rod)
                for rod, query in queries.items()
            )
    holding = {rod for gap, rod in gaps.values() if gap < ON_ROD_MM}
    return {
        name: [
            warning(
                "head-off-rod",
                f"the head stands {gap:.1f} mm off {rod}, which sits in other heads (failure type "
                "2 or 3 if it slipped off; a connector may be missing in the case)",
            )
        ]
        for name, (gap, rod) in gaps.items()
        if OFF_ROD_MM < gap < REACH_MM and rod in holding
    }


def _head_points(axis: ScrewAxis, structure: Structure) -> Points:
    """Return some points on the surface of a screw's head, and on the axis through it."""
    along = unit(axis.tip_mm - axis.head_mm)
    points = np.concatenate([structure.mesh.vertices, surface_of(structure.mesh).points])
    behind = (points - axis.head_mm) @ along
    head = points[behind < -1.0]
    middle = axis.head_mm + np.linspace(min(-1.0, behind.min()), -1.0, 25)[:, None] * along
    return np.concatenate([head[:: 1 + len(head) // HEAD_POINTS], middle])


def rods_in_two(
    rods: Mapping[str, RodLine], others: tuple[Structure, ...]
) -> dict[str, list[Problem]]:
    """Return the rods that face each other across a gap with no other metal near.

    Args:
        rods: Centrelines by name.
        others: The other metal, which may join them.
    """
    names = list(rods)
    found: dict[str, list[Problem]] = {}
    tree = cKDTree(np.concatenate([o.mesh.vertices for o in others])) if others else None
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            for one in _ends(rods[first]):
                for other in _ends(rods[second]):
                    met = _facing(one, other, rods[first].diameter_mm)
                    joined = tree is not None and (
                        float(tree.query(0.5 * (one[0] + other[0]))[0]) < HEAD_NEAR_MM
                    )
                    if met is None or joined:
                        continue
                    message = (
                        f"{first} and {second} face each other {met[0]:.1f} mm apart, "
                        f"{met[1]:.1f} mm aside and with a kink of {np.degrees(met[2]):.1f} "
                        "degrees: one rod in two pieces (failure type 3)"
                    )
                    for name in (first, second):
                        found.setdefault(name, []).append(warning("rod-broken", message))
    return found


def _ends(rod: RodLine) -> list[tuple[Point, Vector]]:
    """Return both ends of a rod with their outward directions."""
    points = np.asarray(rod.points_mm)
    return [(points[0], unit(points[0] - points[2])), (points[-1], unit(points[-1] - points[-3]))]


def _facing(
    one: tuple[Point, Vector], other: tuple[Point, Vector], aside_mm: float
) -> tuple[float, float, float] | None:
    """Return gap, step (mm) and kink (radians) of two ends that face each other, straight on."""
    across = other[0] - one[0]
    along = float(across @ one[1])
    step = float(np.linalg.norm(across - along * one[1]))
    kink = angle_between(one[1], -other[1])
    if kink > ALIGNED_RAD or step > aside_mm or not -0.5 * aside_mm < along < GAP_MM:
        return None
    return max(0.0, along), step, kink


def screws_in_two(screws: Mapping[str, ScrewAxis]) -> dict[str, list[Problem]]:
    """Return the shafts without a head that go on where another shaft ends."""
    found: dict[str, list[Problem]] = {}
    for name, rest in screws.items():
        for other, screw in screws.items():
            if rest.has_head or other == name or not screw.has_head:
                continue
            along = unit(screw.tip_mm - screw.head_mm)
            outward = unit(rest.head_mm - rest.tip_mm)
            met = _facing((screw.tip_mm, along), (rest.head_mm, outward), screw.diameter_mm)
            alike = 0.75 < rest.diameter_mm / screw.diameter_mm < 1.34
            if met is None or not alike:
                continue
            message = (
                f"{name} has no head and goes on where {other} ends, {met[0]:.1f} mm apart, "
                f"{met[1]:.1f} mm aside and with a kink of {np.degrees(met[2]):.1f} degrees: one "
                "shaft in two pieces (failure type 3)"
            )
            for piece in (name, other):
                found.setdefault(piece, []).append(warning("screw-broken", message))
    return found


def cage_failures(
    ends: CageEnds, cage: Structure, bones: tuple[tuple[BoneSolid, VertebraAnatomy], ...]
) -> list[Problem]:
    """Return how deep a cage's faces have sunk into bone, and how far it stands out at the back.

    Args:
        ends: The cage's bearing faces.
        cage: Its mesh.
        bones: The vertebrae next to it, with what was read of them.
    """
    found = []
    for face, outward, where in (
        (ends.cranial_mm, ends.axis, "cranial"), (ends.caudal_mm, -ends.axis, "caudal"),
    ):  # fmt: skip
        depths = [
            (_sunk(face, outward, anatomy), solid.bone.name)
            for solid, anatomy in bones
            if solid.holds(face)
        ]
        for depth, name in depths:
            if depth > SUNK_MM:
                message = f"its {where} face lies {depth:.1f} mm deep in {name}: the cage has sunk"
                found.append(warning("cage-sunk", message))
    if len(bones) >= 2:
        behind = min(_behind(cage, anatomy) for _, anatomy in bones)
        if behind > BEHIND_MM:
            message = f"the cage stands {behind:.1f} mm behind the posterior walls next to it"
            found.append(warning("cage-behind-wall", message))
    return found


def _sunk(face: Point, outward: Vector, anatomy: VertebraAnatomy) -> float:
    """Return how deep a face lies beyond the endplate that it looks at, mm."""
    local = anatomy.frame.points(face)
    body = anatomy.body
    looks_up = float(anatomy.frame.vectors(outward)[2]) > 0.0
    plate, normal = (
        (body.inferior_mm, body.inferior_normal)
        if looks_up
        else (body.superior_mm, body.superior_normal)
    )
    return float((plate - local) @ normal)


def _behind(cage: Structure, anatomy: VertebraAnatomy) -> float:
    """Return how far a cage reaches behind a body's posterior wall, mm."""
    local = anatomy.frame.points(cage.mesh.vertices)
    return float(local[:, 1].max() - 0.5 * anatomy.body.depth_mm)
