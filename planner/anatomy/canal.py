"""The spinal canal where nobody segmented it: a tube through the levels, from the bones' walls.

At each level an ellipse stands between the medial walls of both pedicles, behind the posterior
wall of the body; the tube runs through the levels in the direction of each vertebra. It stands for
the dural sac, which leaves some room to the walls, and is meant to be kept away from by a widened
margin that takes this room back (``policy.WIDENED_MM``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Rotation, unit
from geometry.mesh import TriangleMesh
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.tubes import ring, tube_through
from planner.case import Side

# Mean adult depth of the bony canal, mm: Panjabi 1991 and 1992 (DOMAIN 4.1; T3 to T10 rounded [M]).
DEPTH_MM = {
    "T1": 16.4, "T2": 15.9, "T3": 16.0, "T4": 16.0, "T5": 16.0, "T6": 16.0, "T7": 16.0, "T8": 16.0,
    "T9": 16.0, "T10": 16.0, "T11": 16.0, "T12": 18.1, "L1": 19.0, "L2": 18.2, "L3": 17.5,
    "L4": 18.6, "L5": 19.7, "S1": 17.5,
}  # fmt: skip
USUAL_DEPTH_MM = 17.0
BESIDE_MM = 2.0  # epidural room between a medial wall and the sac [A]
BEFORE_MM = 1.0  # between the posterior wall and the sac [A]
LEAST_HALF_MM = 3.0  # half a sac's width below which the walls were misread [A]
BULGE_MM = 1.5  # wider on either side at the disc, where no pedicle bounds it [A]
BEYOND_MM = 8.0  # how far the tube runs on beyond the last endplates: about a disc [A]
BRIDGED_MM = 75.0  # between the middles of levels; two lumbar levels, so that one may be unreadable
STEPS = 6
TRUSTED = 0.5
DERIVED = 0.8  # of the confidence in what it was derived from [A]
ONE_SIDED = 0.8  # of that, where one pedicle is gone [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CanalLevel:
    """The canal between the pedicles of one vertebra, where it is narrowest, patient LPS.

    Attributes:
        level: The vertebra's level.
        centre_mm: Middle of the ellipse.
        axes: Left, posterior and superior unit axes of the vertebra, one per row.
        half_width_mm: Half extent to the left.
        half_depth_mm: Half extent to the back.
        up_mm: From there to beyond the upper endplate.
        down_mm: From there to beyond the lower endplate.
        confidence: 0 to 1.
    """

    level: str
    centre_mm: Point
    axes: Rotation
    half_width_mm: float
    half_depth_mm: float
    up_mm: float
    down_mm: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DerivedCanal:
    """A piece of canal, with the confidence in it and its cause."""

    mesh: TriangleMesh
    levels: tuple[str, ...]
    confidence: float
    cause: str


def canal_level(bone: VertebraAnatomy) -> CanalLevel | Unavailable:
    """Return the canal at one vertebra, between its pedicles and behind its body."""
    if bone.confidence < TRUSTED:
        return Unavailable(
            reason=f"{bone.level} was read with a confidence of only {bone.confidence:.2f}: "
            f"{bone.cause}"
        )
    walls = {side: wall for side in Side if (wall := _medial_wall(bone, side)) is not None}
    if not walls:
        return Unavailable(reason=f"no pedicle of {bone.level} shows where its canal ends sideways")
    # where one pedicle is gone, the other one's mirror image stands for it
    known = next(iter(walls.values()))
    left, right = walls.get(Side.LEFT, known), walls.get(Side.RIGHT, known)
    half_width = 0.5 * (left + right) - BESIDE_MM
    if half_width < LEAST_HALF_MM:
        return Unavailable(
            reason=f"the pedicles of {bone.level} are only {left + right:.1f} mm apart"
        )
    half_depth = 0.5 * (DEPTH_MM.get(bone.level, USUAL_DEPTH_MM) - BEFORE_MM)
    axes = _along_sacrum(bone) if bone.level == "S1" else bone.frame.rotation
    read = [p for s, p in bone.pedicles.items() if s in walls and isinstance(p, Pedicle)]
    up = float(np.mean([bone.frame.points(p.centre_mm)[2] for p in read]))
    reach = 0.5 * bone.body.posterior_height_mm + BEYOND_MM
    one_sided = 1.0 if len(walls) == len(Side) else ONE_SIDED
    on_wall = np.array([0.5 * (left - right), 0.5 * bone.body.depth_mm, 0.0])
    middle = bone.frame.inverse().points(on_wall) + (
        (BEFORE_MM + half_depth) * axes[1] + up * axes[2]
    )
    return CanalLevel(
        level=bone.level, centre_mm=middle, axes=axes,
        half_width_mm=half_width, half_depth_mm=half_depth,
        up_mm=reach - up, down_mm=reach + up,
        confidence=one_sided * min(bone.confidence, *(p.confidence for p in read)),
    )  # fmt: skip


def _along_sacrum(s1: VertebraAnatomy) -> Rotation:
    """Return S1's axes turned about its left so that the third follows the slant of its back."""
    left = s1.frame.rotation[0]
    up = unit(s1.frame.inverse().vectors(s1.body.superior_mm))
    return np.stack([left, np.cross(up, left), up])


def derived_canals(levels: Sequence[CanalLevel]) -> tuple[DerivedCanal, ...]:
    """Return the canal through levels, in pieces where levels too far apart are unknown.

    Args:
        levels: From cranial to caudal.
    """
    pieces: list[list[CanalLevel]] = []
    for level in levels:
        near = pieces and np.linalg.norm(pieces[-1][-1].centre_mm - level.centre_mm) < BRIDGED_MM
        if near:
            pieces[-1].append(level)
        else:
            pieces.append([level])
    return tuple(_tube(piece) for piece in pieces)


def _tube(levels: list[CanalLevel]) -> DerivedCanal:
    rings = [_end(levels[0], levels[0].up_mm)]
    for above, below in pairwise(levels):
        rings += [_between(above, below, step / STEPS) for step in range(STEPS)]
    rings += [_between(levels[-1], levels[-1], 0.0), _end(levels[-1], -levels[-1].down_mm)]
    names = tuple(level.level for level in levels)
    return DerivedCanal(
        mesh=tube_through(np.stack(rings)), levels=names,
        confidence=round(DERIVED * min(level.confidence for level in levels), 3),
        cause=(
            f"between the medial walls of the pedicles and behind the bodies of {', '.join(names)}"
            "; depth: adult mean"
        ),
    )  # fmt: skip


def _end(level: CanalLevel, up_mm: float) -> Float[np.ndarray, "k 3"]:
    left, posterior, superior = level.axes
    width = level.half_width_mm + BULGE_MM
    return ring(level.centre_mm + up_mm * superior, left, posterior, width, level.half_depth_mm)


def _between(above: CanalLevel, below: CanalLevel, share: float) -> Float[np.ndarray, "k 3"]:
    """Return the ring part of the way from one level to the next.

    Middles lie on the cubic that leaves each level along its vertebra.
    """
    gap = float(np.linalg.norm(above.centre_mm - below.centre_mm))
    s, t = share, 1.0 - share
    middle = (
        (1.0 + 2.0 * s) * t * t * above.centre_mm - s * t * t * gap * above.axes[2]
        + (1.0 + 2.0 * t) * s * s * below.centre_mm + t * s * s * gap * below.axes[2]
    )  # fmt: skip
    u, _, v = np.linalg.svd(t * above.axes + s * below.axes)
    left, posterior, _ = u @ v
    width = t * above.half_width_mm + s * below.half_width_mm + 4.0 * s * t * BULGE_MM
    depth = t * above.half_depth_mm + s * below.half_depth_mm
    return ring(middle, left, posterior, width, depth)


def _medial_wall(bone: VertebraAnatomy, side: Side) -> float | None:
    """Return how far from the midline a pedicle begins, mm; None if it is not to be trusted."""
    pedicle = bone.pedicles[side]
    if isinstance(pedicle, Unavailable) or pedicle.confidence < TRUSTED:
        return None
    nearest = pedicle.outline.bounds[0]
    to_left = float(bone.frame.points(pedicle.centre_mm + nearest * pedicle.lateral)[0])
    return to_left if side is Side.LEFT else -to_left
