"""A sacrum as an implicit solid with known anatomy, and its mesh.

Only the first two segments are drawn with care: the endplate, the canal, the pedicles of S1 with
the first foramina below them, and the alae. In the frame of building x is left, y posterior and z
cranial across the endplate of S1; the origin is the middle of its body. Sizes are published means
(DOMAIN 4.1), the rest is drawn by eye.
"""

from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np

from geometry.arrays import Point, Points
from geometry.mesh import TriangleMesh
from phantom.body import joined
from phantom.implicit import (
    Capsule,
    Field,
    Ripple,
    Values,
    ripple,
    smooth_common,
    smooth_cut,
    smooth_union,
    superellipse_distance,
    zero_surface,
)
from planner.case import Side

BODY_MM = (50.0, 32.0, 28.0)  # width, depth and height of S1, DOMAIN 4.1
CANAL_MM = (29.0, 17.5)  # width and depth at S1, DOMAIN 4.1
SLANT = 0.6  # how far the bone runs back on its way down, mm per mm
FORAMEN_MM = 5.5  # radius: 13 x 12 mm in front, Saluja 2018
FORAMEN_Z_MM = -17.0
SEGMENT_MM = 27.0  # from one foramen to the next
LENGTH_MM = 62.0  # below the middle of S1
TOP_MM = 4.0  # where a filled canal ends, above the middle of S1
FILLED_MM = 1.5  # so much beyond its walls, so that no slit is left
_LEFT = np.array([1.0, 0.0, 0.0])
_Radii: TypeAlias = tuple[float, float]
_BOX = np.array([[-68.0, -40.0, -72.0], [68.0, 92.0, 40.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class SacrumShape:
    """A sacrum in its frame of building.

    Attributes:
        scale: Factor on every length.
        solid: Whether the canal is filled, as some segmentations leave it.
        blocked: Whether the foramina are filled too.
        ripple: Low waves over the whole surface.
    """

    scale: float
    solid: bool
    blocked: bool
    ripple: Ripple

    @property
    def canal_half_width_mm(self) -> float:
        """From the midline to the canal's side wall at S1, mm."""
        return 0.5 * CANAL_MM[0] * self.scale

    @property
    def bounds(self) -> tuple[Point, Point]:
        """Low and high corner of a box around the bone, with room to spare, mm."""
        return self.scale * _BOX[0], self.scale * _BOX[1]

    def foramen_mm(self, side: Side) -> Point:
        """Return the middle of the first foramen beside the canal, frame of building, mm."""
        return self.scale * _inlet(side, FORAMEN_Z_MM)

    def distance(self, points: Points) -> Values:
        """Return the field of the bone, mm, negative inside."""
        at = points / self.scale
        bone = smooth_union(_column(at), joined([b.distance(at) for b in _bars()], 6.0), 4.0)
        canal = _canal(at)
        if self.solid:
            ends = np.maximum(at[:, 2] - TOP_MM, -LENGTH_MM - at[:, 2])
            bone = smooth_union(bone, smooth_common(canal - FILLED_MM, ends, 1.0), 1.0)
        else:
            bone = smooth_cut(bone, canal, 1.0)
        holes = reduce(np.minimum, [hole.distance(at) for hole in _foramina()])
        if self.blocked:
            bone = smooth_union(bone, joined([fill.distance(at) for fill in _fillings()], 4.0), 1.0)
        else:
            bone = smooth_cut(bone, holes, 1.0)
        return self.scale * bone + self.ripple.height(points)


def sacrum_shape(
    *, seed: int, scale: float = 1.0, solid: bool = False, blocked: bool = False
) -> SacrumShape:
    """Draw a sacrum.

    Args:
        seed: Settles the ripple.
        scale: Factor on every length, 0.9 to 1.1.
        solid: Fill the canal.
        blocked: Fill the foramina.
    """
    waves = ripple(np.random.default_rng([seed, 41]), amplitude_mm=0.12)
    return SacrumShape(scale=scale, solid=solid, blocked=blocked, ripple=waves)


def sacrum_mesh(
    shape: SacrumShape, *, resolution_mm: float, field: Field | None = None
) -> TriangleMesh:
    """Return the bone's surface in the frame of building; of a field cut from it, where given."""
    low, high = shape.bounds
    return zero_surface(field or shape.distance, low, high, resolution_mm)


def _column(at: Points) -> Values:
    """Return the fused bodies: S1 across the endplate, narrower and further back below."""
    x, y, z = at.T
    down = np.clip(-(z - 0.5 * BODY_MM[2]) / (LENGTH_MM + 0.5 * BODY_MM[2]), 0.0, 1.0)
    narrow = 1.0 - 0.55 * down
    around = superellipse_distance(
        x, y + SLANT * z, 0.5 * BODY_MM[0] * narrow, 0.5 * BODY_MM[1] * (1.0 - 0.6 * down), 2.4
    )
    ends = np.maximum(z - 0.5 * BODY_MM[2], -LENGTH_MM - z)
    return smooth_common(around, ends, 1.5)


def _bar(start: Point, end: Point, first: _Radii, last: _Radii) -> Capsule:
    return Capsule(start=start, end=end, thin=_LEFT, start_radii=first, end_radii=last)


def _bars() -> list[Capsule]:
    """Return alae, lateral masses, the back wall and the upper facets."""
    wall = 0.5 * BODY_MM[1] + CANAL_MM[1]
    bars = [
        _bar(_p(0.0, wall + 7.0, -6.0), _p(0.0, wall + 35.0, -52.0), (24.0, 6.0), (15.0, 5.0))
    ]  # fmt: skip
    for s in (-1.0, 1.0):
        bars += [
            Capsule(
                start=_p(s * 16.0, 6.0, -3.0), end=_p(s * 46.0, 14.0, -6.0),
                thin=np.array([0.0, 0.0, 1.0]), start_radii=(12.0, 16.0), end_radii=(13.0, 15.0),
            ),
            _bar(_p(s * 40.0, 14.0, -8.0), _p(s * 26.0, 44.0, -56.0), (13.0, 15.0), (8.0, 8.0)),
            _bar(_p(s * 24.0, 21.0, -4.0), _p(s * 22.0, 50.0, -50.0), (10.0, 9.0), (9.0, 6.0)),
            _bar(_p(s * 21.0, 22.0, 0.0), _p(s * 20.0, 25.0, 19.0), (6.0, 5.0), (5.0, 4.0)),
        ]  # fmt: skip
    return bars


def _canal(at: Points) -> Values:
    """Return the sacral canal, which narrows on its way down and runs out above."""
    x, y, z = at.T
    down = np.clip(-z / LENGTH_MM, 0.0, 1.0)
    middle = 0.5 * (BODY_MM[1] + CANAL_MM[1]) - SLANT * z
    half_width = 0.5 * CANAL_MM[0] * (1.0 - 0.5 * down)
    half_depth = 0.5 * CANAL_MM[1] * (1.0 - 0.4 * down)
    return superellipse_distance(x, y - middle, half_width, half_depth, 2.4)


def _foramina() -> list[Capsule]:
    """Return both upper pairs of foramina: from the canal to the front, and to the back."""
    holes = []
    for side in Side:
        for z in (FORAMEN_Z_MM, FORAMEN_Z_MM - SEGMENT_MM):
            inlet = _inlet(side, z)
            out = 1.0 if side is Side.LEFT else -1.0
            front, back = inlet + _p(out * 2.0, -60.0, -4.0), inlet + _p(out * 2.0, 40.0, 2.0)
            wide, narrow = (FORAMEN_MM, FORAMEN_MM), (4.5, 4.5)
            holes += [_bar(inlet, front, wide, wide), _bar(inlet, back, wide, narrow)]
    return holes


def _fillings() -> list[Capsule]:
    """Return what closes the foramina and the gaps beside the bodies below S1."""
    ends = [(_p(s * 20.0, 14.0, -6.0), _p(s * 16.0, 46.0, -50.0)) for s in (-1.0, 1.0)]
    return [_bar(start, end, (16.0, 18.0), (12.0, 10.0)) for start, end in ends]


def _inlet(side: Side, z: float) -> Point:
    """Return where a foramen leaves the canal, beside it and behind the body."""
    down = -z / LENGTH_MM
    aside = 0.5 * CANAL_MM[0] * (1.0 - 0.25 * down) + 4.0
    behind = 0.5 * BODY_MM[1] - SLANT * z
    return _p(aside if side is Side.LEFT else -aside, behind, z)


def _p(x: float, y: float, z: float) -> Point:
    return np.array([x, y, z])
