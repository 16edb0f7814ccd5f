"""Which bone holds a shaft."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from geometry.arrays import Point, Points, unit
from geometry.exact import MeshDistance
from planner.anatomy.slices import frame_along
from planner.case import Kind, Structure

POINTS = 12
FROM = 0.3  # of the shaft, from the head: what lies behind is in the back of the bone or outside
BESIDE_MM = (1.5, 4.0)  # from the shaft: bone there holds one that left a hole, or a loose one
RING = 6
ENCLOSED = 4  # points of a ring in bone: a pedicle's wall may be as thin as voxels
LEAST_SHARE = 0.25  # of the shaft's points


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneSolid:
    """A bone that can be asked whether points lie inside it."""

    bone: Structure
    distance: MeshDistance = field(repr=False)

    def holds(self, point: Point) -> bool:
        """Whether a point lies inside the bone."""
        return self.distance.contains(point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The bone that holds most of a shaft.

    Attributes:
        name: The bone's structure.
        kind: Its kind.
        level: Its level; S1 for a sacrum that states none, nothing for an ilium.
        share: Of the shaft's points, 0 to 1.
    """

    name: str
    kind: Kind
    level: str | None
    share: float


def solids(bones: tuple[Structure, ...]) -> tuple[BoneSolid, ...]:
    """Return bones that can be asked what they hold."""
    return tuple(BoneSolid(bone=b, distance=MeshDistance(b.mesh)) for b in bones)


def shaft_points(head: Point, tip: Point, *, start: float = FROM, count: int = POINTS) -> Points:
    """Return points along a shaft, from a share of its length to its tip."""
    return head + np.linspace(start, 1.0, count)[:, None] * (tip - head)


def inside(
    points: Points, axis_rad: tuple[Point, float], bone: BoneSolid
) -> Bool[np.ndarray, " n"]:
    """Tell which points of a line lie in bone, counting a hole that the shaft left as bone.

    Args:
        points: On the shaft's axis.
        axis_rad: The axis' unit direction and the shaft's radius, mm.
        bone: The bone.
    """
    axis, radius = axis_rad
    first, second = frame_along(axis)
    turns = 2.0 * np.pi * np.arange(RING) / RING
    around = np.outer(np.cos(turns), first) + np.outer(np.sin(turns), second)
    rings = [(radius + beside) * around for beside in BESIDE_MM]
    low, high = bone.distance.mesh.bounds
    found = np.zeros(len(points), dtype=bool)
    for i, point in enumerate(points):
        if np.all(point > low) and np.all(point < high):
            gap, _ = bone.distance.point(point)
            hole = 0.0 < gap < radius + BESIDE_MM[-1]
            found[i] = gap < 0.0 or (hole and any(_encloses(bone, point + r) for r in rings))
    return found


def _encloses(bone: BoneSolid, ring: Points) -> bool:
    return sum(bone.holds(point) for point in ring) >= ENCLOSED


def held(head: Point, tip: Point, diameter_mm: float, bones: tuple[BoneSolid, ...]) -> Held | None:
    """Return the bone that holds most of a shaft, if any holds some of it."""
    if not bones:
        return None
    points = shaft_points(head, tip)
    around = (unit(tip - head), 0.5 * diameter_mm)
    shares = [float(inside(points, around, b).mean()) for b in bones]
    most = int(np.argmax(shares))
    if shares[most] < LEAST_SHARE:
        return None
    bone = bones[most].bone
    level = bone.level or ("S1" if bone.kind is Kind.SACRUM else None)
    if bone.kind is Kind.ILIUM:
        level = None
    return Held(name=bone.name, kind=bone.kind, level=level, share=shares[most])
