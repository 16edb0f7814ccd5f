"""A row of vertebrae along the sagittal curve, and the dural sac in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation as Turn

from geometry.arrays import Point, Points, Vector, frozen
from geometry.frames import PATIENT, RigidTransform
from geometry.mesh import TriangleMesh
from phantom.body import body_shape
from phantom.implicit import Field, Values, smooth_cut
from phantom.loft import Course, course, tube
from phantom.morphometry import PHANTOM_LEVELS, morphometry
from phantom.vertebra import (
    VertebraShape,
    endplate_planes,
    vertebra_mesh,
    vertebra_shape,
    vertebral_axes,
)

FACET_GAP_MM = 0.9
LEFT = frozen([1.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedVertebra:
    """A vertebra and where it stands.

    Attributes:
        shape: The bone in its frame of building.
        pose: ``patient_from_<level>``, from that frame.
    """

    shape: VertebraShape
    pose: RigidTransform

    @property
    def level(self) -> str:
        """Level label."""
        return self.shape.size.level

    def distance(self, points: Points) -> Values:
        """Return the bone's field at patient points, mm."""
        return self.shape.distance(self.pose.inverse().points(points))

    def point(self, x: float, y: float, z: float) -> Point:
        """Return a point of the frame of building in patient coordinates."""
        return self.pose.points(np.array([x, y, z]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deformity:
    """A curve of the whole spine: how much each vertebra is turned on the next one down, rad.

    Attributes:
        sideways: To the patient's right, as in scoliosis; at every level.
        about: About the long axis, to the patient's left; at every level.
        forward: Added kyphosis, level by level; none at those that are not named.
    """

    sideways: float = 0.0
    about: float = 0.0
    forward: tuple[tuple[str, float], ...] = ()

    def turn(self, level: str) -> Turn:
        """Return how a vertebra is turned on the next one down."""
        forward = dict(self.forward).get(level, 0.0)
        return Turn.from_rotvec([forward, self.sideways, self.about])


STRAIGHT = Deformity()
_UNCHANGED: Mapping[str, Field] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Spine:
    """Vertebrae from cranial to caudal."""

    vertebrae: tuple[PlacedVertebra, ...]

    def at(self, level: str) -> PlacedVertebra:
        """Return the vertebra of a level.

        Raises:
            ValueError: If the spine does not have it.
        """
        for vertebra in self.vertebrae:
            if vertebra.level == level:
                return vertebra
        raise ValueError(f"no {level} in this spine")


def spine(
    levels: Sequence[str],
    *,
    seed: int,
    scale: float,
    height_loss: dict[str, float],
    pedicle_width: float = 1.0,
    deformity: Deformity = STRAIGHT,
) -> Spine:
    """Stack vertebrae along the sagittal curve, the middle one at the origin.

    Args:
        levels: Neighbouring levels, cranial first.
        seed: Settles asymmetry, ripple, and slight turns between levels.
        scale: Factor on every length.
        height_loss: Part of the anterior height lost, by level; the spine above tilts with it.
        pedicle_width: Factor on the pedicles' width, on top of the scale.
        deformity: A curve on top of the usual sagittal one.

    Raises:
        ValueError: If the levels are not neighbours in this order.
    """
    first = PHANTOM_LEVELS.index(levels[0]) if levels and levels[0] in PHANTOM_LEVELS else -1
    if first < 0 or tuple(levels) != PHANTOM_LEVELS[first : first + len(levels)]:
        raise ValueError(f"levels must be neighbours, cranial first, not {', '.join(levels)}")
    usual = [morphometry(level, scale=scale) for level in levels]
    sizes = [replace(u, pedicle_width_mm=u.pedicle_width_mm * pedicle_width) for u in usual]
    shapes = [
        vertebra_shape(size, seed=seed, height_loss=height_loss.get(size.level, 0.0))
        for size in sizes
    ]
    turns = {level: deformity.turn(level) * _slight_turn(level, seed) for level in levels}
    middle = len(levels) // 2
    start = RigidTransform(
        target=PATIENT,
        source=levels[middle],
        rotation=np.eye(3),
        translation_mm=np.zeros(3),
    )
    poses = {middle: start}
    for lower in range(middle, 0, -1):
        joint = _upper_from_lower(shapes[lower - 1], shapes[lower], turns[levels[lower - 1]])
        poses[lower - 1] = poses[lower] @ joint
    for upper in range(middle, len(levels) - 1):
        joint = _upper_from_lower(shapes[upper], shapes[upper + 1], turns[levels[upper]])
        poses[upper + 1] = poses[upper] @ joint.inverse()
    placed = [PlacedVertebra(shape=shapes[i], pose=poses[i]) for i in range(len(levels))]
    return Spine(vertebrae=tuple(placed))


def _slight_turn(level: str, seed: int) -> Turn:
    rng = np.random.default_rng([seed, PHANTOM_LEVELS.index(level), 2])
    return Turn.from_rotvec(rng.normal(0.0, 0.012, size=3).clip(-0.03, 0.03))


def _forward_tilt(normal: Vector) -> float:
    return float(np.arctan2(-normal[1], normal[2]))


def _upper_from_lower(upper: VertebraShape, lower: VertebraShape, turn: Turn) -> RigidTransform:
    """Return ``lower_from_upper``: one body, the disc and the next body up.

    The bodies' angle is the level's flexion; a collapsed lower endplate tilts the upper body
    by as much as its mean plane has tilted.
    """
    intact = body_shape(lower.size, height_loss=0.0, lean=0.0)
    collapse = _forward_tilt(endplate_planes(lower.body)[0].normal) - _forward_tilt(
        endplate_planes(intact)[0].normal
    )
    bend = Turn.from_rotvec([upper.size.flexion_below + collapse, 0.0, 0.0])
    half = Turn.from_rotvec([0.5 * (upper.size.flexion_below + collapse), 0.0, 0.0])
    rotation = (bend * turn).as_matrix()
    top = endplate_planes(lower.body)[0].centre
    disc = half.apply([0.0, 0.0, upper.size.disc_below_mm])
    bottom = endplate_planes(upper.body)[1].centre
    return RigidTransform(
        target=lower.size.level,
        source=upper.size.level,
        rotation=rotation,
        translation_mm=top + disc - rotation @ bottom,
    )


def bone_meshes(
    column: Spine, *, resolution_mm: float, changed: Mapping[str, Field] = _UNCHANGED
) -> dict[str, TriangleMesh]:
    """Return every vertebra's mesh in patient coordinates, facet joints kept open.

    Args:
        column: The spine.
        resolution_mm: Edge of a grid cell.
        changed: By level, the field of a bone that differs from the one drawn by cuts only.
    """
    meshes = {}
    above: PlacedVertebra | None = None
    for vertebra in column.vertebrae:
        bone = changed.get(vertebra.level, vertebra.shape.distance)
        field = cleared(bone, vertebra.pose, above) if above else bone
        local = vertebra_mesh(vertebra.shape, field, resolution_mm=resolution_mm)
        meshes[vertebra.level] = local.moved(vertebra.pose)
        above = vertebra
    return meshes


def cleared(bone: Field, pose: RigidTransform, above: PlacedVertebra) -> Field:
    """Return a bone's field without what would touch the bone above: the facet joint's gap.

    Args:
        bone: The field, in its frame of building.
        pose: From that frame to the patient's.
        above: The next vertebra up.
    """
    joint = above.pose.inverse() @ pose

    def field(points: Points) -> Values:
        values = bone(points)
        near = (points[:, 2] > -4.0) & (values < 4.0)
        tool = np.full(len(points), 50.0)
        if near.any():
            tool[near] = above.shape.distance(joint.points(points[near]))
        return smooth_cut(values, tool - FACET_GAP_MM, 0.6)

    return field


def vertebral_frame(vertebra: PlacedVertebra) -> RigidTransform:
    """Return ``patient_from_vertebra`` with DOMAIN's axes: body centre, left, posterior, up."""
    origin, axes = vertebral_axes(vertebra.shape.body)
    local = RigidTransform(
        target=vertebra.level, source="vertebra", rotation=axes.T, translation_mm=origin
    )
    return vertebra.pose @ local


def extended(points: Points, by_mm: float) -> Float[np.ndarray, "m 3"]:
    """Return a centreline drawn out straight at both ends."""
    start, end = points[0] - points[1], points[-1] - points[-2]
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    return np.concatenate([[points[0] + by_mm * start], points, [points[-1] + by_mm * end]])


def _through(places: Points, radii: list[list[float]], by_mm: float, step_mm: float) -> Course:
    widths = np.array([radii[0], *radii, radii[-1]])
    return course(extended(places, by_mm), widths, side=LEFT, step_mm=step_mm)


def dural_sac(column: Spine, below: Sequence[tuple[Point, list[float]]] = ()) -> TriangleMesh:
    """Return the sac: a closed tube through the canals with a few mm of fat around it.

    Args:
        column: The spine.
        below: Middles and radii further down, in the sacrum's canal.
    """
    places, radii = [], []
    for vertebra in column.vertebrae:
        canal = vertebra.shape.canal
        half = 0.5 * vertebra.shape.size.posterior_height_mm
        for height in (half, -half):
            places.append(vertebra.point(0.0, canal.centre_y_mm - 0.05 * canal.depth_mm, height))
            radii.append([0.35 * canal.width_mm, 0.38 * canal.depth_mm])
    places += [place for place, _ in below]
    radii += [radius for _, radius in below]
    return tube(_through(np.array(places), radii, 22.0, 3.0), segments=36)
