"""What a picture shows: surfaces with their looks, needles, the target, and what to frame.

A scene is plain arrays in patient LPS, mm, so that it can go to another process to be drawn
(``render``) or into a file for other programs (``export``).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, HalfspaceIntersection

from geometry.arrays import Faces, Point, Points, Rotation, frozen, unit
from planner.case import BONE, HARDWARE, Case, Kind, Structure
from planner.needles.path import path_chords
from planner.result import Plan, Trajectory
from preview.looks import LOOKS, TARGET, TARGET_BONE_OPACITY, Colour, Look, needle_colour

if TYPE_CHECKING:  # the drawing process reads this module, and has no use for compiled kernels
    from planner.target import TargetRegion

HUB_MM = 15.0  # how far a needle is drawn out of the skin
MARKER_RADIUS_MM = 2.5  # of the ball that marks the target where its region is not known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """One surface to be drawn.

    Attributes:
        name: Of the structure, or ``target``.
        vertices: Shape (n, 3), LPS, mm.
        faces: Shape (m, 3).
        is_closed: Whether it has an inside, so that it can be cut and capped.
        look: Colour and finish.
        kind: What it is; None for the target.
    """

    name: str
    vertices: Points
    faces: Faces
    is_closed: bool
    look: Look
    kind: Kind | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnNeedle:
    """One needle: its axis from skin to tip, shape (n, 3), LPS mm, at its true radius."""

    rank: int
    colour: Colour
    points_mm: Points
    radius_mm: float
    turned: bool = False

    @property
    def label(self) -> str:
        """Its rank; with a b for where it goes once it is turned in its cannula."""
        return f"{self.rank}b" if self.turned else str(self.rank)

    @property
    def hub_mm(self) -> Point:
        """Where the drawn needle ends outside the skin."""
        return self.points_mm[0] - HUB_MM * unit(self.points_mm[1] - self.points_mm[0])

    @property
    def drawn_mm(self) -> Points:
        """The axis with the piece outside the skin, shape (n + 1, 3)."""
        return np.concatenate([self.hub_mm[None], self.points_mm])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stroke:
    """A line drawn in space, such as an outline or an axis: points, shape (n, 3), LPS mm."""

    points_mm: Points
    colour: Colour
    radius_mm: float = 0.35


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Everything a picture or an exported scene needs, LPS mm.

    Attributes:
        surfaces: In the case's order, the target last.
        needles: By rank.
        framed_mm: Points of anatomy that every picture shows, shape (n, 3).
        axes: Left, posterior and superior of the target vertebra (of the patient where it is not
            known), one per row.
        target_mm: Centre of the target; None when there is none to show.
        bone: Level of the bone the target is in, or its name where no level is stated.
        strokes: Lines drawn in space; not exported.
    """

    surfaces: tuple[Surface, ...]
    needles: tuple[DrawnNeedle, ...]
    framed_mm: Points
    axes: Rotation
    target_mm: Point | None
    bone: str
    strokes: tuple[Stroke, ...] = ()


def scene_of(
    case: Case,
    plan: Plan | None,
    *,
    target: "TargetRegion | None" = None,
    axes: Rotation | None = None,
) -> Scene:
    """Return what is to be shown of a case, with a plan's needles if there is one.

    Args:
        case: The structures.
        plan: The ranked needles; without one the case alone is shown.
        target: Where tips must end; without it a ball marks the first needle's tip.
        axes: Left, posterior and superior unit vectors (rows, LPS) of the target vertebra, for
            views true to it; without them views are true to the patient.
    """
    trajectories = plan.trajectories if plan else ()
    bone = _target_bone(case, trajectories, target)
    marker = target_surface(trajectories, target)
    surfaces = tuple(surface_of(s, is_target=bone is not None and s.name == bone.name)
                     for s in case.structures)  # fmt: skip
    return Scene(
        surfaces=surfaces if marker is None else (*surfaces, marker),
        needles=tuple(needle for t in trajectories for needle in _needles(t)),
        framed_mm=_framed(case, bone),
        axes=frozen(np.eye(3) if axes is None else axes),
        target_mm=None if marker is None else frozen(marker.vertices.mean(axis=0)),
        bone=(bone.level or bone.name) if bone else "",
    )


def surface_of(structure: Structure, *, is_target: bool) -> Surface:
    """Return a structure's surface with its look; the bone of interest stands out."""
    look = LOOKS[structure.kind]
    return Surface(
        name=structure.name,
        vertices=structure.mesh.vertices,
        faces=structure.mesh.faces,
        is_closed=structure.mesh.is_closed,
        look=replace(look, opacity=TARGET_BONE_OPACITY) if is_target else look,
        kind=structure.kind,
    )


def _needles(trajectory: Trajectory) -> tuple[DrawnNeedle, ...]:
    """Return the needle, and once more where it goes when it is turned in its cannula."""
    drawn = DrawnNeedle(
        rank=trajectory.rank,
        colour=needle_colour(trajectory.rank),
        points_mm=frozen(path_chords(trajectory.path)),
        radius_mm=trajectory.outer_diameter_mm / 2.0,
    )
    second = trajectory.second_arc
    if second is None:
        return (drawn,)
    return drawn, replace(drawn, points_mm=frozen(path_chords(second.path)), turned=True)


def _target_bone(
    case: Case, trajectories: tuple[Trajectory, ...], target: "TargetRegion | None"
) -> Structure | None:
    """Return the bone the target is in: as stated, or as the first needle was meant to enter."""
    if target is not None:
        return target.bone
    if not trajectories:
        return None
    first = trajectories[0]
    entered = {c.structure for c in first.clearances if c.traversed and c.kind in BONE}
    candidates = [s for s in case.structures if s.name in entered] or list(case.of_kind(*BONE))
    gaps = [float(np.linalg.norm(s.mesh.vertices - first.tip_mm, axis=1).min()) for s in candidates]
    return candidates[int(np.argmin(gaps))] if gaps else None


def target_surface(
    trajectories: tuple[Trajectory, ...], target: "TargetRegion | None"
) -> Surface | None:
    """Return the target's surface, or a ball at the first needle's tip where it is not known."""
    if target is not None:
        halfspaces = np.column_stack([target.normals, -target.offsets])
        corners = HalfspaceIntersection(halfspaces, np.array(target.centre_mm)).intersections
    elif trajectories:
        corners = trajectories[0].tip_mm + MARKER_RADIUS_MM * _ball()
    else:
        return None
    vertices, faces = _hull(corners)
    return Surface(
        name="target", vertices=vertices, faces=faces, is_closed=True, look=TARGET, kind=None
    )


def _hull(points: Points) -> tuple[Points, Faces]:
    """Return the convex hull as a mesh wound outward."""
    hull = ConvexHull(points)
    vertices = hull.points[hull.vertices]
    renumbered = np.full(len(hull.points), -1)
    renumbered[hull.vertices] = np.arange(len(hull.vertices))
    faces = renumbered[hull.simplices]
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), hull.equations[:, :3]) < 0.0
    faces[inward] = faces[inward][:, ::-1]
    return frozen(vertices), faces


def _ball() -> Points:
    """Return 162 directions spread evenly over the sphere (golden angle)."""
    index = np.arange(162) + 0.5
    height = 1.0 - 2.0 * index / 162.0
    turn = np.pi * (1.0 + 5.0**0.5) * index
    level = np.sqrt(1.0 - height**2)
    return np.column_stack([level * np.cos(turn), level * np.sin(turn), height])


def _framed(case: Case, bone: Structure | None) -> Points:
    """Return the anatomy to frame: the target bone, else metal, else all bone, else everything."""
    if bone is not None:
        return bone.mesh.vertices
    for kinds in (HARDWARE, BONE, frozenset(Kind)):
        shown = case.of_kind(*kinds)
        if shown:
            return frozen(np.concatenate([s.mesh.vertices for s in shown]))
    raise ValueError("a case without structures cannot be shown")
