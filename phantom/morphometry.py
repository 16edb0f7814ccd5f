"""Published sizes of the vertebrae T1 to L5: the table, its sources, and scaling.

Centre values of adult series; the spread of pedicle width between studies alone is 21-69 %.
Sources, by column:

* ``panjabi``: Panjabi et al., Spine 1991 and 1992 (endplates, canal, lumbar pedicle width);
  the thoracic rows are recalled and agree with digitised values at T1, T11 and T12 within 0.3 mm.
* ``kaur``: Kaur et al. 2016 and the series collected with it (thoracic pedicle width and height,
  spacing of the pedicles, transverse processes, discs).
* ``lien``: Lien et al. 2007 (order of the sagittal pedicle angles; their degrees are recalled).
* ``meta``: meta-analysis of lumbar body heights, n = 1481 (anterior over posterior height).
* ``drawn``: read off anatomical drawings for this project (spinous processes, thoracic wedge,
  sagittal profile), no series behind it.
"""

import math
from dataclasses import dataclass, fields, replace

SOURCES: dict[str, str] = {
    "endplate_width_mm": "panjabi",
    "endplate_depth_mm": "panjabi",
    "posterior_height_mm": "panjabi",
    "canal_width_mm": "panjabi",
    "canal_depth_mm": "panjabi",
    "pedicle_width_mm": "panjabi (L1-L5), kaur (T1-T12)",
    "pedicle_height_mm": "kaur",
    "pedicle_transverse_angle": "kaur (T1, T12), interpolated between",
    "pedicle_sagittal_angle": "lien",
    "pedicle_spacing_mm": "kaur",
    "transverse_reach_mm": "kaur",
    "transverse_angle": "kaur",
    "disc_below_mm": "kaur",
    "anterior_ratio": "meta (L1-L5), drawn (T1-T12)",
    "spinous_length_mm": "drawn",
    "spinous_slant": "drawn",
    "flexion_below": "drawn: sums to 40 degrees over T4-T12, 53 over L1-S1",
    "lumbar_character": "drawn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Morphometry:
    """Sizes of one vertebra and of what lies between it and the next one down.

    Attributes:
        level: ``T1`` to ``L5``.
        endplate_width_mm: Width of the superior endplate.
        endplate_depth_mm: Midline depth of the superior endplate.
        posterior_height_mm: Body height at the posterior wall.
        canal_width_mm: Width of the bony canal.
        canal_depth_mm: Midline depth of the bony canal.
        pedicle_width_mm: Outer width of the pedicle at its isthmus.
        pedicle_height_mm: Outer height of the pedicle at its isthmus.
        pedicle_transverse_angle: Angle to the sagittal plane, rad; positive is tip medial.
        pedicle_sagittal_angle: Descent of the axis from back to front, rad.
        pedicle_spacing_mm: Distance between the centres of both isthmuses.
        transverse_reach_mm: How far a transverse process stands out beyond the body's edge.
        transverse_angle: Backward inclination of a transverse process to the frontal plane, rad.
        disc_below_mm: Height of the disc below.
        anterior_ratio: Anterior over posterior body height.
        spinous_length_mm: From the laminae's junction to the tip of the spinous process.
        spinous_slant: Caudal slant of the spinous process, rad.
        flexion_below: Angle between this body and the next one down, rad; kyphosis is positive.
        lumbar_character: 0 for a thoracic posterior arch, 1 for a lumbar one.
    """

    level: str
    endplate_width_mm: float
    endplate_depth_mm: float
    posterior_height_mm: float
    canal_width_mm: float
    canal_depth_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    pedicle_transverse_angle: float
    pedicle_sagittal_angle: float
    pedicle_spacing_mm: float
    transverse_reach_mm: float
    transverse_angle: float
    disc_below_mm: float
    anterior_ratio: float
    spinous_length_mm: float
    spinous_slant: float
    flexion_below: float
    lumbar_character: float

    @property
    def anterior_height_mm(self) -> float:
        """Body height at the anterior cortex, mm."""
        return self.posterior_height_mm * self.anterior_ratio

    @property
    def isthmus_spacing_mm(self) -> float:
        """Distance between the isthmus centres that fits this canal and these pedicles, mm.

        The published spacing comes from another series than canal and width, and at T5, T6 and T9
        would put the pedicles beside the body; it is held to the canal's edge plus 0.75 mm.
        """
        widest = self.canal_width_mm + self.pedicle_width_mm + 1.5
        return min(self.pedicle_spacing_mm, widest)

    def scaled(self, factor: float) -> "Morphometry":
        """Return the same vertebra with every length multiplied; angles and ratios stay.

        Raises:
            ValueError: If the factor lies outside 0.8 to 1.25, where the series no longer speak.
        """
        if not 0.8 <= factor <= 1.25:
            raise ValueError(f"scale {factor} is outside 0.8 to 1.25")
        lengths = {
            f.name: getattr(self, f.name) * factor for f in fields(self) if f.name.endswith("_mm")
        }
        return replace(self, **lengths)


# One row per level: endplate width and depth, posterior height, canal width and depth, pedicle
# width and height, transverse and sagittal pedicle angle, pedicle spacing, transverse process
# reach and angle, disc below, anterior ratio, spinous length and slant, flexion, lumbar character.
# Lengths in mm; the angles of this table are in degrees, as published.
_TABLE: dict[str, tuple[float, ...]] = {
    "T1": (
        24.5, 18.5, 14.1, 21.8, 16.4, 9.3, 9.0,
        35, 13, 31.9, 21.0, 28.9, 4.0, 0.98, 30, 30, 3, 0,
    ),
    "T2": (
        24.9, 19.6, 15.6, 19.5, 15.9, 7.5, 10.3,
        28, 17.5, 29.5, 18.4, 30.4, 3.5, 0.97, 30, 38, 4, 0,
    ),
    "T3": (
        24.6, 22.7, 15.7, 18.3, 16.0, 6.0, 10.4,
        22, 16, 26.4, 15.4, 36.0, 3.2, 0.96, 30, 44, 4, 0,
    ),
    "T4": (
        24.5, 23.3, 16.2, 17.2, 16.0, 4.5, 10.3,
        17, 15.7, 24.9, 14.2, 44.5, 3.0, 0.95, 31, 49, 5, 0,
    ),
    "T5": (
        24.9, 24.3, 16.2, 17.3, 16.0, 5.0, 10.6,
        14, 15.3, 24.9, 14.8, 54.1, 3.5, 0.94, 32, 53, 6, 0,
    ),
    "T6": (
        26.2, 26.0, 17.4, 17.3, 16.0, 5.5, 10.2,
        11, 15, 27.1, 14.5, 59.8, 4.0, 0.93, 33, 56, 6, 0,
    ),
    "T7": (
        27.8, 27.4, 18.2, 17.3, 16.0, 6.0, 10.4,
        9, 15, 25.6, 13.1, 56.4, 4.5, 0.93, 33, 57, 6, 0,
    ),
    "T8": (
        29.5, 27.9, 18.7, 17.7, 16.0, 6.3, 10.9,
        8, 14, 26.1, 11.4, 50.3, 5.2, 0.93, 32, 55, 5, 0,
    ),
    "T9": (
        30.6, 29.3, 19.3, 17.9, 16.0, 6.3, 12.0,
        7, 13, 28.4, 10.7, 43.9, 6.0, 0.94, 31, 50, 5, 0,
    ),
    "T10": (
        31.9, 30.5, 20.2, 18.2, 16.0, 6.5, 13.7,
        5, 12, 26.6, 7.7, 35.9, 7.2, 0.95, 30, 42, 4, 0.1,
    ),
    "T11": (
        35.2, 31.9, 21.3, 19.4, 16.0, 7.8, 15.0,
        0, 10, 30.9, 4.4, 23.5, 6.0, 0.94, 27, 32, 3, 0.4,
    ),
    "T12": (
        39.2, 32.8, 22.7, 22.2, 18.1, 8.3, 15.0,
        -4, 8, 32.0, 2.6, 13.1, 5.6, 0.93, 26, 24, 1, 0.75,
    ),
    "L1": (
        41.2, 34.1, 23.8, 23.7, 19.0, 8.6, 15.4,
        6, 3, 31.3, 8.2, 0.0, 6.9, 0.92, 28, 20, -5, 1,
    ),
    "L2": (
        42.6, 34.6, 24.3, 23.8, 18.2, 8.3, 14.9,
        8, 2, 32.3, 13.1, 0.0, 8.1, 0.955, 30, 18, -8, 1,
    ),
    "L3": (
        44.1, 35.2, 23.8, 24.3, 17.5, 10.2, 14.5,
        12, 0, 35.1, 16.0, 0.0, 8.7, 1.0, 30, 17, -10, 1,
    ),
    "L4": (
        46.6, 35.5, 24.1, 25.4, 18.6, 14.1, 14.2,
        18, 0, 39.2, 12.8, 0.0, 9.2, 1.04, 28, 16, -14, 1,
    ),
    "L5": (
        47.3, 34.7, 22.9, 27.1, 19.7, 18.6, 14.7,
        27.5, -2, 49.5, 15.8, 0.0, 8.8, 1.137, 22, 14, -16, 1,
    ),
}  # fmt: skip
_COLUMNS = (
    "endplate_width_mm", "endplate_depth_mm", "posterior_height_mm", "canal_width_mm",
    "canal_depth_mm", "pedicle_width_mm", "pedicle_height_mm", "pedicle_transverse_angle",
    "pedicle_sagittal_angle", "pedicle_spacing_mm", "transverse_reach_mm", "transverse_angle",
    "disc_below_mm", "anterior_ratio", "spinous_length_mm", "spinous_slant", "flexion_below",
    "lumbar_character",
)  # fmt: skip
_ANGLES = frozenset(
    {
        "pedicle_transverse_angle", "pedicle_sagittal_angle", "transverse_angle",
        "spinous_slant", "flexion_below",
    }
)  # fmt: skip

PHANTOM_LEVELS: tuple[str, ...] = tuple(_TABLE)


def morphometry(level: str, *, scale: float = 1.0) -> Morphometry:
    """Return the sizes of a vertebra.

    Args:
        level: ``T1`` to ``L5``.
        scale: Factor on every length; 0.9 to 1.1 covers sex and stature.

    Raises:
        ValueError: If the table has no such level, or the scale is out of range.
    """
    if level not in _TABLE:
        raise ValueError(f"no morphometry for {level!r}; use one of {', '.join(_TABLE)}")
    row = {
        name: math.radians(value) if name in _ANGLES else float(value)
        for name, value in zip(_COLUMNS, _TABLE[level], strict=True)
    }
    return Morphometry(level=level, **row).scaled(scale)
