"""One vertebra as an implicit solid with known anatomy, and its mesh."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from geometry.arrays import Point, Points, Rotation, Vector, frozen, unit
from geometry.mesh import TriangleMesh
from phantom.arch import arch_capsules, isthmus_height
from phantom.body import BodyShape, CanalShape, PedicleShape, body_shape, joined
from phantom.implicit import (
    Capsule,
    Field,
    Ripple,
    Values,
    ripple,
    smooth_cut,
    smooth_union,
    zero_surface,
)
from phantom.morphometry import PHANTOM_LEVELS, Morphometry
from planner.case import Side

ISTHMUS_BEHIND_WALL = 0.30  # part of the canal's depth
_FILLET_MM = 3.6


@dataclass(frozen=True, slots=True, kw_only=True)
class VertebraShape:
    """A vertebra in its frame of building (x left, y posterior, z cranial; mm).

    Attributes:
        size: The morphometry it was drawn from.
        body: The vertebral body.
        pedicles: Both pedicles.
        canal: The bony canal, kept free of bone.
        arch: The bars of the posterior arch by name.
        ripple: Low waves over the whole surface.
    """

    size: Morphometry
    body: BodyShape
    pedicles: Mapping[Side, PedicleShape]
    canal: CanalShape
    arch: Mapping[str, Capsule]
    ripple: Ripple

    def distance(self, points: Points) -> Values:
        """Return the field of the bone, mm, negative inside."""
        bars = [bar.distance(points) for name, bar in self.arch.items() if "transverse" not in name]
        behind = joined(bars, 3.6)
        wings = [bar.distance(points) for name, bar in self.arch.items() if "transverse" in name]
        behind = joined([behind, *wings], 3.6)
        pedicles = joined([p.distance(points) for p in self.pedicles.values()], 1.0)
        behind = smooth_union(behind, pedicles, 1.6)
        behind = smooth_cut(behind, self.canal.distance(points), 1.0)
        bone = smooth_union(behind, self.body.distance(points), _FILLET_MM)
        return bone + self.ripple.height(points)

    @property
    def bounds(self) -> tuple[Point, Point]:
        """Corners of a box that holds the bone with a margin of a few mm."""
        half = 0.5 * np.array(
            [self.body.width_mm, self.body.depth_mm, self.body.anterior_height_mm]
        )
        half[2] = max(half[2], 0.5 * self.body.posterior_height_mm)
        ends = [(-half, half)]
        for bar in self.arch.values():
            for centre, radii in ((bar.start, bar.start_radii), (bar.end, bar.end_radii)):
                ends.append((centre - max(radii), centre + max(radii)))
        low = np.min([low for low, _ in ends], axis=0) - 5.0
        return low, np.max([high for _, high in ends], axis=0) + 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndplatePlane:
    """The mean plane of an endplate: a point above the body's axis and the outward normal."""

    centre: Point
    normal: Point


def endplate_planes(body: BodyShape) -> tuple[EndplatePlane, EndplatePlane]:
    """Return the mean superior and inferior planes, in the frame of building.

    The planes are least-squares fits over the inner 85 % of the outline, as a reader's eye and
    area-weighted fits take them; the hollow of the dish lowers them slightly.
    """
    grid = np.linspace(-0.85, 0.85, 41)
    u, v = (a.ravel() for a in np.meshgrid(grid, grid, indexing="ij"))
    inside = u**2 + v**2 <= 0.85**2
    x, y = 0.5 * body.width_mm * u[inside], 0.5 * body.depth_mm * v[inside]
    planes = []
    for heights, sign in ((body.superior(x, y), 1.0), (body.inferior(x, y), -1.0)):
        design = np.stack([np.ones_like(x), x, y], axis=1)
        (level, slope_x, slope_y), *_ = np.linalg.lstsq(design, heights, rcond=None)
        normal = sign * unit([-slope_x, -slope_y, 1.0])
        planes.append(EndplatePlane(centre=frozen([0.0, 0.0, level]), normal=normal))
    return planes[0], planes[1]


def vertebral_axes(body: BodyShape) -> tuple[Point, Rotation]:
    """Return origin and axes (rows: left, posterior, cranial) as DOMAIN's vertebral frame.

    Origin at the body's centre, z bisecting the endplates; both in the frame of building.
    """
    superior, inferior = endplate_planes(body)
    cranial = unit(superior.normal - inferior.normal)
    left = unit(np.array([1.0, 0.0, 0.0]) - cranial[0] * cranial)
    origin = 0.5 * (superior.centre + inferior.centre)
    return frozen(origin), frozen([left, np.cross(cranial, left), cranial])


def vertebra_shape(size: Morphometry, *, seed: int, height_loss: float = 0.0) -> VertebraShape:
    """Draw a vertebra.

    Args:
        size: Its sizes.
        seed: Settles asymmetry and ripple; each level draws its own numbers from it.
        height_loss: Part of the anterior height lost by a fracture, 0 to 0.7.
    """
    rng = np.random.default_rng([seed, PHANTOM_LEVELS.index(size.level), 1])
    lean = float(rng.normal(0.0, 0.006))
    body = body_shape(size, height_loss=height_loss, lean=lean)
    intact = replace(body, height_loss=0.0)
    taper = 0.12 + 0.30 * size.lumbar_character
    return VertebraShape(
        size=size,
        body=body,
        pedicles={side: _pedicle(size, intact, side, rng) for side in (Side.LEFT, Side.RIGHT)},
        canal=CanalShape(
            centre_y_mm=0.5 * (size.endplate_depth_mm + size.canal_depth_mm),
            width_mm=size.canal_width_mm,
            depth_mm=size.canal_depth_mm,
            back_taper=taper,
        ),
        arch=arch_capsules(size, rng),
        ripple=ripple(rng, amplitude_mm=0.13),
    )


def _pedicle(
    size: Morphometry, body: BodyShape, side: Side, rng: np.random.Generator
) -> PedicleShape:
    """Draw one pedicle, long enough for its nose to lie inside the body."""
    sign = 1.0 if side is Side.LEFT else -1.0
    spread = rng.normal(1.0, 0.02, size=2).clip(0.95, 1.05)
    turn = rng.normal(0.0, 0.02, size=2).clip(-0.04, 0.04)
    medial = size.pedicle_transverse_angle + turn[0]
    descent = size.pedicle_sagittal_angle + turn[1]
    centre = np.array(
        [
            sign * 0.5 * size.isthmus_spacing_mm,
            0.5 * size.endplate_depth_mm + ISTHMUS_BEHIND_WALL * size.canal_depth_mm,
            isthmus_height(size),
        ]
    )
    axis = np.array(
        [
            -sign * np.sin(medial) * np.cos(descent),
            -np.cos(medial) * np.cos(descent),
            -np.sin(descent),
        ]
    )
    return PedicleShape(
        centre=centre,
        axis=axis,
        width_mm=size.pedicle_width_mm * spread[0],
        height_mm=size.pedicle_height_mm * spread[1],
        # A wide, oblique pedicle's outer corner would stand out behind; it ends earlier.
        back_mm=0.5 * size.canal_depth_mm - 0.4 * size.pedicle_width_mm * abs(np.tan(medial)),
        front_mm=_nose_reach(size, body, centre, axis),
    )


def _nose_reach(size: Morphometry, body: BodyShape, centre: Point, axis: Vector) -> float:
    """Return how far in front of the isthmus the pedicle's nose is safely inside the body, mm.

    Where a thoracic pedicle runs along the body's edge and never gets that deep, it ends where it
    is deepest; what stands out of the body there is where the rib's head sits.
    """
    reach = np.linspace(5.0, 6.0 + 0.6 * size.endplate_depth_mm, 101)
    depth = -body.distance(centre + reach[:, None] * axis)
    enough = np.minimum(0.28 * size.pedicle_width_mm + 1.5, depth.max())
    return float(reach[int(np.argmax(depth >= enough))])


def vertebra_mesh(shape: VertebraShape, field: Field, *, resolution_mm: float) -> TriangleMesh:
    """Mesh a field that differs from the shape's own at most by cuts, in the frame of building.

    Raises:
        ValueError: If the mesh does not come out as one closed surface.
    """
    low, high = shape.bounds
    mesh = zero_surface(field, low, high, resolution_mm)
    if not mesh.is_closed:
        raise ValueError(f"{shape.size.level}: the surface is not closed")
    return mesh
