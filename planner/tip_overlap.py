"""How much of a needle's tip lies in the lucency of a loose screw.

A lucency can be thinner than the needle (DOMAIN 3.5), so this is a share and no yes or no.
"""

import numpy as np
from jaxtyping import Bool

from geometry.arrays import Points, unit
from planner.anatomy.halo import FROM, halo_radius, own_halo
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.anatomy.slices import frame_along
from planner.case import Kind
from planner.needles.model import Needle
from planner.needles.path import Path, path_chords
from planner.question import Question

TIP_MM = 5.0  # of the needle's end that counts as its tip [A]
SLICES = 5
DOTS = 61  # of each slice, evenly spread


def halo_overlap(question: Question, needle: Needle, path: Path) -> float | None:
    """Return the share of the needle's last 5 mm that lies in the target screw's lucency.

    The lucency is the segmented one without the shaft, or else the modelled ring around the shaft.
    Counted on points spread evenly over slices of the tip: steps of 0.003.

    Returns:
        The share, 0 to 1; None for a target that belongs to no screw.
    """
    region = question.region
    if isinstance(region, Unavailable) or region.screw is None:
        return None
    dots = _dots(path, needle.radius_along(path[-1]))
    return float(np.mean(_in_lucency(question, region.screw, dots)))


def _dots(path: Path, radius_mm: float) -> Points:
    """Return points spread evenly over slices of the needle's tip (a sunflower in each)."""
    end, before = path_chords(path)[[-1, -2]]
    back = unit(before - end)
    first, second = frame_along(back)
    number = np.arange(DOTS)
    out = radius_mm * np.sqrt((number + 0.5) / DOTS)
    turn = np.pi * (3.0 - 5.0**0.5) * number
    disc = (out * np.cos(turn))[:, None] * first + (out * np.sin(turn))[:, None] * second
    depths = TIP_MM * (np.arange(SLICES) + 0.5) / SLICES
    return (end + depths[:, None, None] * back + disc).reshape(-1, 3)


def _in_lucency(question: Question, screw: ScrewAxis, dots: Points) -> Bool[np.ndarray, " n"]:
    """Return which points lie in a screw's lucency, as segmented or else as modelled."""
    shaft = screw.tip_mm - screw.head_mm
    share = (dots - screw.head_mm) @ shaft / (shaft @ shaft)
    apart = np.linalg.norm(dots - screw.head_mm - share[:, None] * shaft, axis=1)
    in_shaft = (share <= 1.0) & (apart < 0.5 * screw.diameter_mm)
    halos = question.prepared.case.of_kind(Kind.HALO)
    own = own_halo(screw, halos)
    if own is not None and own.mesh.is_closed:
        surface = question.prepared.distance(own)
        return ~in_shaft & np.array([surface.contains(dot) for dot in dots])
    outer = halo_radius(screw, halos, question.bone).radius_mm
    return ~in_shaft & (share >= FROM) & (share <= 1.0) & (apart <= outer)
