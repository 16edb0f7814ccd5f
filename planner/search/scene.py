"""What a search sees of a case: one slack tree, one slack field and the skin, in one frame.

Slack at a point is the smallest (distance to a surface - required margin) over all obstacles.
Distances here are unsigned: inside an obstacle they are too large, never too small, so every
upper bound holds; and no path gets inside without piercing a surface, where slack is at most
zero, less than any needle's radius.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geometry import _kernels
from geometry.arrays import Point, Vector
from geometry.distance_field import DistanceField, slack_field
from geometry.exact import MeshDistance, triangle_tree
from geometry.frames import RigidTransform
from geometry.mesh import TriangleMesh
from planner.case import Case, Kind, Structure
from planner.policy import Policy, meant_to_pass

SPACING_MM = 1.5
# Slack beyond this is not told apart by the field.
CAP_MM = 12.0
# Box around a vertebra's centre, its own frame: left-right, anterior-posterior, caudal-cranial.
REGION_LOW_MM = np.array([-85.0, -40.0, -75.0])
REGION_HIGH_MM = np.array([85.0, 95.0, 75.0])
EMPTY = np.full((1, 3, 3), 1e6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skin:
    """Where a path enters: the skin's mesh, or a plane at a stated stand-off where there is none.

    Attributes:
        tree: Triangles of the skin; a far-away dummy where there is none.
        present: Whether the case has a skin.
        plane_normal: Posterior normal of the stand-off plane, scene frame.
        plane_offset_mm: ``normal . x`` of the plane, mm.
    """

    tree: _kernels.Tree
    present: bool
    plane_normal: Vector
    plane_offset_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Obstacles and skin of one case around one bone, in that bone's frame.

    Attributes:
        from_patient: The transform into the scene's frame.
        names: Structure names by owner index of the tree.
        tree: All obstacle triangles, offset by their required margin.
        field: The slack field around the bone.
        skin: Where paths enter.
    """

    from_patient: RigidTransform
    names: tuple[str, ...]
    tree: _kernels.Tree
    field: DistanceField
    skin: Skin


def obstacles(case: Case, policy: Policy, entered: Structure) -> tuple[Structure, ...]:
    """Return the structures with a hard limit, other than those entered on purpose."""
    through = meant_to_pass(case, entered)
    return tuple(
        s
        for s in case.structures
        if s.name not in through and policy.rule(s.kind).hard_mm is not None
    )


def build_scene(
    case: Case, policy: Policy, entered: Structure, frame: RigidTransform, stand_off_mm: float
) -> Scene:
    """Prepare a case for searching around one bone.

    Args:
        case: The case.
        policy: Its hard limits become the offsets.
        entered: The bone the needle is meant to enter.
        frame: ``bone_from_patient``.
        stand_off_mm: Where there is no skin: distance of the stand-off plane behind the most
            posterior point of the bone.
    """
    barred = obstacles(case, policy, entered)
    meshes = [s.mesh.moved(frame) for s in barred]
    tree = _merged(meshes, [policy.rule(s.kind).hard_mm or 0.0 for s in barred])
    field = slack_field(
        tree, low_mm=REGION_LOW_MM, high_mm=REGION_HIGH_MM, spacing_mm=SPACING_MM, cap_mm=CAP_MM
    )
    return Scene(
        from_patient=frame, names=tuple(s.name for s in barred), tree=tree, field=field,
        skin=_skin(case, entered, frame, stand_off_mm),
    )  # fmt: skip


def _merged(meshes: Sequence[TriangleMesh], required: Sequence[float]) -> _kernels.Tree:
    if not meshes:
        return triangle_tree(EMPTY, np.zeros(1), np.zeros(1, dtype=np.int32))
    counts = [len(m.faces) for m in meshes]
    return triangle_tree(
        np.concatenate([m.corners for m in meshes]),
        np.repeat(np.asarray(required, dtype=np.float64), counts),
        np.repeat(np.arange(len(meshes)), counts),
    )


def _skin(case: Case, entered: Structure, frame: RigidTransform, stand_off_mm: float) -> Skin:
    surfaces = [s.mesh.moved(frame) for s in case.of_kind(Kind.SKIN)]
    behind = float(frame.points(entered.mesh.vertices)[:, 1].max()) + stand_off_mm
    return Skin(
        tree=_merged(surfaces, [0.0] * len(surfaces)), present=bool(surfaces),
        plane_normal=np.array([0.0, 1.0, 0.0]), plane_offset_mm=behind,
    )  # fmt: skip


def inside_skin(case: Case, point: Point) -> bool:
    """Whether a patient point lies within the body's surface; True where the surface is open."""
    closed = [s for s in case.of_kind(Kind.SKIN) if s.mesh.is_closed]
    return not closed or any(MeshDistance(s.mesh).contains(point) for s in closed)
