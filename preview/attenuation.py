"""How much of an X-ray each structure takes away, from its mesh alone.

One energy, 60 keV, near the mean of a filtered 80 to 100 kV beam; no scatter, no hardening, no
noise. Linear coefficients are mass coefficients (NIST, Hubbell and Seltzer, NISTIR 5632: muscle
0.2048, cortical bone 0.3148, lung 0.2053, titanium 0.766, iron 1.205 cm2/g) times density. What
lies inside soft tissue adds the difference to it; metal in bone is counted over the whole bone.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from geometry.mesh import TriangleMesh
from geometry.projection import ConeBeam, chord_lengths
from planner.case import BONE, HARDWARE, Kind, Structure

SOFT_PER_MM = 0.0215  # muscle, 1.05 g/cm3
CORTEX_PER_MM = 0.0604  # cortical bone, 1.92 g/cm3
MARROW_PER_MM = 0.0265  # of a mixture, 15 % of it cortical bone by volume [A]
LUNG_PER_MM = 0.0053  # inflated, 0.26 g/cm3
TITANIUM_PER_MM = 0.348  # 4.54 g/cm3
STEEL_PER_MM = 0.948  # as iron, 7.87 g/cm3
CEMENT_PER_MM = 0.23  # acrylic with 30 % barium sulphate by weight [M]
CORTEX_MM = 1.0  # thickness of the shell of a vertebra [A]
MOST_CORTEX_MM = 6.0  # of one crossing, however slanting [A]
BODY_MM = 220.0  # soft tissue along every ray where no skin is given [A]

Lengths: TypeAlias = Float[np.ndarray, "h w"]

_SOLID: Mapping[Kind, float] = MappingProxyType({
    **dict.fromkeys(HARDWARE, TITANIUM_PER_MM - SOFT_PER_MM),
    Kind.CEMENT: CEMENT_PER_MM - SOFT_PER_MM,
    Kind.PLEURA: LUNG_PER_MM - SOFT_PER_MM,
    Kind.SKIN: SOFT_PER_MM,
})  # fmt: skip


def attenuation(
    structures: Iterable[Structure],
    needles: Iterable[TriangleMesh],
    beam: ConeBeam,
    size: tuple[int, int],
    pixel_mm: float,
) -> Lengths:
    """Return minus the logarithm of the share of X-rays that reach every pixel.

    Structures that are not closed have no inside and are left out (``left_out`` names them), as
    are those that look like the soft tissue around them.

    Args:
        structures: The case's.
        needles: Closed meshes of steel.
        beam: The beam.
        size: Width and height, pixels.
        pixel_mm: Side of a pixel on the detector.
    """
    shown = [structure for structure in structures if structure.mesh.is_closed]
    bones = [s.mesh for s in shown if s.kind in BONE]
    inside, cortex = chord_lengths(
        bones, beam, size, pixel_mm, wall_mm=CORTEX_MM, most_wall_mm=MOST_CORTEX_MM
    )
    total = (CORTEX_PER_MM - MARROW_PER_MM) * cortex + (MARROW_PER_MM - SOFT_PER_MM) * inside
    if not any(structure.kind is Kind.SKIN for structure in shown):
        total += SOFT_PER_MM * BODY_MM
    solid = {STEEL_PER_MM - SOFT_PER_MM: list(needles)}
    for structure in shown:
        if structure.kind in _SOLID:
            solid.setdefault(_SOLID[structure.kind], []).append(structure.mesh)
    for more_per_mm, meshes in solid.items():
        total += more_per_mm * chord_lengths(meshes, beam, size, pixel_mm)[0]
    return np.maximum(total, 0.0)


def left_out(structures: Iterable[Structure]) -> tuple[str, ...]:
    """Return the names of structures that should show but have no inside."""
    seen = BONE | set(_SOLID)
    return tuple(s.name for s in structures if s.kind in seen and not s.mesh.is_closed)
