"""The posterior arch: laminae, articular, transverse and spinous processes as rounded bars.

Positions follow the morphometry: a lumbar and a thoracic pattern are drawn in terms of the
canal's, pedicles' and body's sizes, and transitional levels (T10 to T12) lie between them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from geometry.arrays import Vector
from phantom.implicit import Capsule
from phantom.morphometry import Morphometry

Bar = tuple[
    tuple[float, float, float],
    tuple[float, float, float],
    tuple[float, float, float],
    tuple[float, float],
    tuple[float, float],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Landmarks:
    """Positions that the arch hangs on, mm.

    ``wall`` and ``back`` are the canal's two ends, ``root_mm`` is half the depth of a lumbar
    transverse process where it leaves the pedicle, and ``size`` is a factor to the usual body.
    """

    wall: float
    back: float
    pedicle_x: float
    pedicle_z: float
    rim: float
    canal_half: float
    tip_x: float
    size: float
    root_mm: float


def isthmus_height(size: Morphometry) -> float:
    """Return the height of the pedicle's centre above the body's centre, mm."""
    return 0.46 * size.posterior_height_mm - 0.5 * size.pedicle_height_mm


def _landmarks(size: Morphometry) -> _Landmarks:
    wall = 0.5 * size.endplate_depth_mm
    return _Landmarks(
        wall=wall,
        back=wall + size.canal_depth_mm,
        pedicle_x=0.5 * size.isthmus_spacing_mm,
        pedicle_z=isthmus_height(size),
        rim=0.5 * size.posterior_height_mm,
        canal_half=0.5 * size.canal_width_mm,
        tip_x=0.5 * size.endplate_width_mm + size.transverse_reach_mm,
        size=size.posterior_height_mm / 23.0,
        root_mm=3.8 + 0.28 * max(size.pedicle_width_mm - 10.0, 0.0),
    )


def _lumbar(mark: _Landmarks, spinous: tuple[float, float]) -> dict[str, Bar]:
    """Left-sided bars and the spinous process of a lumbar vertebra, in its own frame."""
    k, back = mark.size, mark.back
    px, pz, cx, rim = mark.pedicle_x, mark.pedicle_z, mark.canal_half, mark.rim
    root = back - 4.2 * k
    length, slant = spinous
    return {
        "pillar": (
            (px + 0.5, back - 2.0 * k, pz - k), (cx + 1.0, back + 3.6 * k, 1.0 - rim),
            (0.2, 1.0, 0.2), (4.0 * k, 5.6 * k), (3.6 * k, 5.2 * k),
        ),
        "superior": (
            (px + 1.6 * k, back - 3.0 * k, pz + k), (px + 2.4 * k, back + 1.4 * k, rim + 4.6 * k),
            (0.8, -0.6, 0.0), (3.8 * k, 5.6 * k), (2.9 * k, 5.0 * k),
        ),
        "inferior": (
            (cx - 0.4, back + 2.2 * k, -3.0), (cx - 0.6, back + 5.2 * k, -rim - 6.0 * k),
            (0.6, -0.8, 0.0), (3.6 * k, 6.2 * k), (3.2 * k, 5.0 * k),
        ),
        "lamina": (
            (cx - 0.6, back - 1.0 * k, pz - 7.0 * k), (0.0, back + 3.6 * k, -5.0 * k),
            (0.35, 0.9, 0.25), (3.2 * k, 9.2 * k), (3.4 * k, 8.6 * k),
        ),
        "transverse": (
            (px + 2.0 * k, root, pz), (mark.tip_x - 3.0 * k, root + 9.0 * k, pz + 2.6 * k),
            (0.0, 1.0, 0.0), (mark.root_mm * k, 5.4 * k), (2.4 * k, 4.4 * k),
        ),
        "spinous": (
            (0.0, back + 4.0 * k, -5.5 * k),
            (0.0, back + 4.0 * k + length * math.cos(slant),
             -5.5 * k - length * math.sin(slant)),
            (1.0, 0.0, 0.0), (2.8 * k, 7.2 * k), (3.8 * k, 8.4 * k),
        ),
    }  # fmt: skip


def _thoracic(
    mark: _Landmarks, spinous: tuple[float, float], transverse_angle: float
) -> dict[str, Bar]:
    """Left-sided bars and the spinous process of a thoracic vertebra, in its own frame."""
    k, back = mark.size * 1.18, mark.back
    px, pz, cx, rim = mark.pedicle_x, mark.pedicle_z, mark.canal_half, mark.rim
    length, slant = spinous
    out = max(mark.tip_x - 4.0 * k - px - 1.5, 3.0)
    swept = min(out * math.tan(transverse_angle), 12.5 * k)
    return {
        "pillar": (
            (px + 0.4, back - 2.4 * k, pz - k), (px - 1.2, back + 2.2 * k, 1.5 - rim),
            (0.2, 1.0, 0.2), (3.0 * k, 4.4 * k), (2.6 * k, 4.4 * k),
        ),
        "superior": (
            (px - 0.4, back - 2.2 * k, pz + 2.0), (px - 1.6, back + 0.8 * k, rim + 5.4 * k),
            (0.15, 1.0, -0.25), (2.5 * k, 4.4 * k), (1.7 * k, 3.8 * k),
        ),
        "inferior": (
            (px - 1.4, back + 3.0 * k, 1.0 - rim), (px - 2.4, back + 5.6 * k, -rim - 2.6 * k),
            (0.1, 1.0, 0.15), (2.3 * k, 4.2 * k), (1.7 * k, 3.6 * k),
        ),
        "lamina": (
            (cx + 0.8, back + 0.4 * k, pz - 5.5 * k), (0.0, back + 4.4 * k, -5.5 * k),
            (0.4, 0.9, 0.2), (2.6 * k, 7.6 * k), (2.9 * k, 7.6 * k),
        ),
        "transverse": (
            (px + 1.5, back - 2.4 * k, pz - 0.5),
            (px + 1.5 + out, back - 2.4 * k + swept, pz + 2.0),
            (0.5, 0.8, 0.0), (3.6 * k, 4.8 * k), (3.8 * k, 4.4 * k),
        ),
        "spinous": (
            (0.0, back + 4.0 * k, -5.5 * k),
            (0.0, back + 4.0 * k + length * math.cos(slant),
             -5.5 * k - length * math.sin(slant)),
            (1.0, 0.0, 0.0), (2.6 * k, 6.6 * k), (2.2 * k, 3.2 * k),
        ),
    }  # fmt: skip


def _between(a: Bar, b: Bar, share: float) -> Bar:
    rows = [
        tuple((1.0 - share) * p + share * q for p, q in zip(u, v, strict=True))
        for u, v in zip(a, b, strict=True)
    ]
    return rows[0], rows[1], rows[2], rows[3], rows[4]  # type: ignore[return-value]


def arch_bars(size: Morphometry) -> Mapping[str, Bar]:
    """Return the left bars and the spinous process before any asymmetry."""
    mark = _landmarks(size)
    spinous = (size.spinous_length_mm, size.spinous_slant)
    thoracic = _thoracic(mark, spinous, size.transverse_angle)
    lumbar = _lumbar(mark, spinous)
    return MappingProxyType(
        {name: _between(thoracic[name], lumbar[name], size.lumbar_character) for name in lumbar}
    )


def _drawn(bar: Bar, mirror: Vector, rng: np.random.Generator) -> Capsule:
    """One bar with its own small deviation from the pattern, on its own side."""
    start, end, thin, start_radii, end_radii = bar
    stretch = rng.normal(1.0, 0.025, size=2).clip(0.94, 1.06)
    shift = rng.normal(0.0, 0.45, size=3).clip(-1.0, 1.0)
    return Capsule(
        start=np.asarray(start) * mirror + 0.4 * shift,
        end=np.asarray(end) * mirror + shift,
        thin=np.asarray(thin) * mirror,
        start_radii=(start_radii[0] * stretch[0], start_radii[1] * stretch[0]),
        end_radii=(end_radii[0] * stretch[1], end_radii[1] * stretch[1]),
    )


def arch_capsules(size: Morphometry, rng: np.random.Generator) -> Mapping[str, Capsule]:
    """Return the arch's bars by name (``lamina_left`` ...), each slightly off the pattern."""
    bars = dict(arch_bars(size))
    spinous = bars.pop("spinous")
    middle = np.array([1.0, 1.0, 1.0])
    sides = {"left": middle, "right": np.array([-1.0, 1.0, 1.0])}
    capsules = {
        f"{name}_{side}": _drawn(bar, mirror, rng)
        for side, mirror in sides.items()
        for name, bar in bars.items()
    }
    capsules["spinous"] = _drawn(spinous, middle, rng)
    return MappingProxyType(capsules)
