"""What a search sees of a case: one slack tree, one slack field and the skin, in one frame.

Slack at a point is the smallest (distance to a surface - required margin) over all obstacles.
Distances here are unsigned: inside an obstacle they are too large, never too small, so every
upper bound holds; and no path gets inside without piercing a surface, where slack is at most
zero, less than any needle's radius.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry import _kernels
from geometry.arrays import Point, Points, Vector
from geometry.distance_field import (
    DistanceField,
    ceiling_field,
    signed_distance_field,
    slack_field,
)
from geometry.exact import MeshDistance, triangle_tree
from geometry.frames import RigidTransform
from geometry.mesh import TriangleMesh
from planner.case import Case, Kind, Structure
from planner.policy import Policy, meant_to_pass
from planner.search._kernels import Cells, Space

SPACING_MM = 1.5
SKIN_SPACING_MM = 5.0
HOLDER_SPACING_MM = 1.0
# Box around a vertebra's centre, its own frame: left-right, anterior-posterior, caudal-cranial.
REGION_LOW_MM = np.array([-85.0, -40.0, -75.0])
REGION_HIGH_MM = np.array([85.0, 95.0, 75.0])
# Cells of the skin's triangles, in the same frame: paths may enter further away than bones reach.
CELL_MM = 10.0
CELLS_LOW_MM = np.array([-160.0, -40.0, -130.0])
CELLS_HIGH_MM = np.array([160.0, 280.0, 130.0])
EMPTY = np.full((1, 3, 3), 1e6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skin:
    """Where a path enters: the skin's mesh, or a plane at a stated stand-off where there is none.

    Attributes:
        tree: Triangles of the skin; a far-away dummy where there is none.
        present: Whether the case has a skin.
        field: Distance to the skin around the bone.
        cells: Its triangles by place.
        plane_normal: Posterior normal of the stand-off plane, scene frame.
        plane_offset_mm: ``normal . x`` of the plane, mm.
    """

    tree: _kernels.Tree
    present: bool
    field: DistanceField
    cells: Cells
    plane_normal: Vector
    plane_offset_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Where in a target a tip may end, scene frame.

    Attributes:
        field: Signed distance to the surface of the holders around the target.
        everywhere: Whether the whole target lies in a holder, so that nothing need be asked.
    """

    field: DistanceField
    everywhere: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Obstacles and skin of one case around one bone, in that bone's frame.

    Attributes:
        from_patient: The transform into the scene's frame.
        names: Structure names by owner index of the tree.
        tree: All obstacle triangles, offset by their required margin.
        field: Upper bounds of the slack around the bone.
        skin: Where paths enter.
        holders: Surfaces of what a tip may end in: the bone, halos and lesions, those that are
            closed; None where the bone is open, because then nobody can say.
    """

    from_patient: RigidTransform
    names: tuple[str, ...]
    tree: _kernels.Tree
    field: DistanceField
    skin: Skin
    holders: _kernels.Tree | None
    _held: dict[bytes, Held] = dataclasses.field(default_factory=dict)

    @property
    def space(self) -> Space:
        """The same for the compiled search."""
        return Space(
            self.tree, self.field.grid, self.skin.tree, self.skin.field.grid, self.skin.cells
        )

    def held(
        self, corners: Points, normals: Float[np.ndarray, "k 3"], offsets: Float[np.ndarray, " k"]
    ) -> Held:
        """Return where in a convex target a tip may end.

        Args:
            corners: The target's corners, scene frame.
            normals: Outward normals of its faces, scene frame.
            offsets: ``normal . p <= offset`` inside, mm.
        """
        key = corners.tobytes()
        if key not in self._held:
            self._held[key] = _held(self.holders, corners, normals, offsets)
        return self._held[key]


def _held(
    holders: _kernels.Tree | None,
    corners: Points,
    normals: Float[np.ndarray, "k 3"],
    offsets: Float[np.ndarray, " k"],
) -> Held:
    field = signed_distance_field(
        _far_away() if holders is None else holders,
        low_mm=corners.min(axis=0) - 2.0 * HOLDER_SPACING_MM,
        high_mm=corners.max(axis=0) + 2.0 * HOLDER_SPACING_MM,
        spacing_mm=HOLDER_SPACING_MM,
    )
    # Every point of the target has a node within this; a node that deep speaks for it.
    reach = 0.5 * 3.0**0.5 * HOLDER_SPACING_MM + 1e-6
    nodes = field.origin_mm + HOLDER_SPACING_MM * np.moveaxis(np.indices(field.values.shape), 0, -1)
    near = ((nodes @ normals.T) <= offsets + reach).all(axis=-1)
    deep = bool((field.values[near] <= -reach).all())
    return Held(field=field, everywhere=holders is None or deep)


def obstacles(case: Case, policy: Policy, entered: Structure) -> tuple[Structure, ...]:
    """Return the structures with a hard limit, other than those entered on purpose."""
    through = meant_to_pass(case, entered)
    return tuple(
        s
        for s in case.structures
        if s.name not in through and policy.rule_of(s).hard_mm is not None
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
    tree = _merged(meshes, [policy.rule_of(s).hard_mm or 0.0 for s in barred])
    return Scene(
        from_patient=frame, names=tuple(s.name for s in barred), tree=tree,
        field=ceiling_field(
            tree, low_mm=REGION_LOW_MM, high_mm=REGION_HIGH_MM, spacing_mm=SPACING_MM
        ),
        skin=_skin(case, entered, frame, stand_off_mm),
        holders=_holders(case, entered, frame),
    )  # fmt: skip


def _holders(case: Case, entered: Structure, frame: RigidTransform) -> _kernels.Tree | None:
    """Return the surfaces of what a tip may end in, or None where the bone is open."""
    closed = [s.mesh.moved(frame) for s in held_by(case, entered)]
    return _merged(closed, [0.0] * len(closed)) if closed else None


def held_by(case: Case, entered: Structure) -> tuple[Structure, ...]:
    """Return what a tip may end in: the bone, halos and lesions; nothing where the bone is open."""
    if not entered.mesh.is_closed:
        return ()
    return tuple(s for s in (entered, *case.of_kind(Kind.HALO, Kind.LESION)) if s.mesh.is_closed)


def _far_away() -> _kernels.Tree:
    return triangle_tree(EMPTY, np.zeros(1), np.zeros(1, dtype=np.int32))


def _merged(meshes: Sequence[TriangleMesh], required: Sequence[float]) -> _kernels.Tree:
    if not meshes:
        return _far_away()
    counts = [len(m.faces) for m in meshes]
    return triangle_tree(
        np.concatenate([m.corners for m in meshes]),
        np.repeat(np.asarray(required, dtype=np.float64), counts),
        np.repeat(np.arange(len(meshes)), counts),
    )


def _skin(case: Case, entered: Structure, frame: RigidTransform, stand_off_mm: float) -> Skin:
    surfaces = [s.mesh.moved(frame) for s in case.of_kind(Kind.SKIN)]
    behind = float(frame.points(entered.mesh.vertices)[:, 1].max()) + stand_off_mm
    tree = _merged(surfaces, [0.0] * len(surfaces))
    distances = slack_field(
        tree, low_mm=REGION_LOW_MM, high_mm=REGION_HIGH_MM, spacing_mm=SKIN_SPACING_MM,
        cap_mm=_kernels.FAR,
    )  # fmt: skip
    return Skin(
        tree=tree, present=bool(surfaces), field=distances, cells=_cells(tree.corners),
        plane_normal=np.array([0.0, 1.0, 0.0]), plane_offset_mm=behind,
    )  # fmt: skip


def _cells(corners: Float[np.ndarray, "m 3 3"]) -> Cells:
    """Sort triangles into the cells of a grid that their boxes touch."""
    counts = np.ceil((CELLS_HIGH_MM - CELLS_LOW_MM) / CELL_MM).astype(np.int64)
    first = np.floor((corners.min(axis=1) - CELLS_LOW_MM) / CELL_MM).astype(np.int64)
    last = np.floor((corners.max(axis=1) - CELLS_LOW_MM) / CELL_MM).astype(np.int64)
    here = np.flatnonzero(((last >= 0) & (first < counts)).all(axis=1))
    first, last = np.maximum(first[here], 0), np.minimum(last[here], counts - 1)
    sizes = last - first + 1
    many = sizes.prod(axis=1)
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    row = np.repeat(np.arange(len(here)), many)
    _, y, z = sizes[row].T
    steps = np.column_stack([within // (y * z), within // z % y, within % z])
    cell = np.ravel_multi_index((first[row] + steps).T, tuple(counts))
    order = np.argsort(cell, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=counts.prod()))])
    which = here[row[order]].astype(np.int32)
    return Cells(corners, starts, which, CELLS_LOW_MM, counts, CELL_MM)


def inside_skin(case: Case, point: Point) -> bool:
    """Whether a patient point lies within the body's surface; True where the surface is open."""
    closed = [s for s in case.of_kind(Kind.SKIN) if s.mesh.is_closed]
    return not closed or any(MeshDistance(s.mesh).contains(point) for s in closed)
