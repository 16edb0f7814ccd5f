"""Adult vertebral morphometry by level, to tell a plausible reading from an implausible one.

Sources: Panjabi 1991 and 1992 for bodies and canals, Kaur 2015, Lien 2007, Tan 2004 and Masharawi
2008 as compiled for pedicles; spread between studies is 20 to 70 percent. Transverse angles are
those of Zindrick 1987 and Kaur 2015 at the ends, interpolated between.
"""

import math
from dataclasses import dataclass

ACCEPTED = (0.6, 1.5)  # times the mean: what still counts as an adult of some kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """Mean adult dimensions of one level, mm.

    Attributes:
        body_width_mm: Superior endplate, left to right.
        body_depth_mm: Superior endplate, front to back.
        body_height_mm: At the posterior wall.
        pedicle_width_mm: At the isthmus, left to right.
        pedicle_height_mm: At the isthmus, up to down.
        convergence_rad: How far the pedicle's axis leans to the midline on its way forward.
    """

    body_width_mm: float
    body_depth_mm: float
    body_height_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    convergence_rad: float


def _norm(
    width: float, depth: float, height: float, across: float, tall: float, degrees: float
) -> Norm:
    return Norm(
        body_width_mm=width,
        body_depth_mm=depth,
        body_height_mm=height,
        pedicle_width_mm=across,
        pedicle_height_mm=tall,
        convergence_rad=math.radians(degrees),
    )


NORMS = {
    "T1": _norm(24.5, 18.5, 14.1, 9.3, 9.0, 35.0),
    "T2": _norm(24.9, 19.6, 15.6, 7.5, 10.3, 28.0),
    "T3": _norm(24.6, 22.7, 15.7, 6.0, 10.4, 22.0),
    "T4": _norm(24.5, 23.3, 16.2, 4.5, 10.3, 17.0),
    "T5": _norm(24.9, 24.3, 16.2, 5.0, 10.6, 14.0),
    "T6": _norm(26.2, 26.0, 17.4, 5.5, 10.2, 11.0),
    "T7": _norm(27.8, 27.4, 18.2, 6.0, 10.4, 9.0),
    "T8": _norm(29.5, 27.9, 18.7, 6.3, 10.9, 8.0),
    "T9": _norm(30.6, 29.3, 19.3, 6.3, 12.0, 7.0),
    "T10": _norm(31.9, 30.5, 20.2, 6.5, 13.7, 5.0),
    "T11": _norm(35.2, 31.9, 21.3, 7.8, 15.0, 0.0),
    "T12": _norm(39.2, 32.8, 22.7, 8.3, 15.0, -4.0),
    "L1": _norm(41.2, 34.1, 23.8, 8.6, 15.4, 6.0),
    "L2": _norm(42.6, 34.6, 24.3, 8.3, 14.9, 8.0),
    "L3": _norm(44.1, 35.2, 23.8, 10.2, 14.5, 12.0),
    "L4": _norm(46.6, 35.5, 24.1, 14.1, 14.2, 18.0),
    "L5": _norm(47.3, 34.7, 22.9, 18.6, 14.7, 27.0),
    "S1": _norm(50.0, 32.0, 28.0, 22.0, 13.6, 41.0),
}


def likest_norm(width_mm: float, depth_mm: float, height_mm: float) -> Norm:
    """Return the vertebra from T1 to L5 whose mean body is nearest to these sizes, in ratios."""

    def unlike(norm: Norm) -> float:
        pairs = (
            (width_mm, norm.body_width_mm),
            (depth_mm, norm.body_depth_mm),
            (height_mm, norm.body_height_mm),
        )
        return sum(math.log(found / mean) ** 2 for found, mean in pairs)

    return min((norm for level, norm in NORMS.items() if level != "S1"), key=unlike)
