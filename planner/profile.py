"""How near every structure comes along a needle: what a plot of clearance against depth shows."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from planner.case import Structure
from planner.needles.model import Needle
from planner.needles.path import Path
from planner.prepared import PreparedCase


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistanceProfile:
    """Distances of the stretches of a needle to structures.

    Attributes:
        depths_mm: The ends of the stretches along the path, from the skin (0) to the tip: one more
            than there are stretches.
        distances_mm: Of each structure by name, the smallest distance from the needle's surface
            within each stretch, negative inside; between stretches nothing is nearer.
    """

    depths_mm: Float[np.ndarray, " ends"]
    distances_mm: dict[str, Float[np.ndarray, " n"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stretch:
    points: Float[np.ndarray, "2 3"]
    radius_mm: float


def distance_profile(
    prepared: PreparedCase, path: Path, needle: Needle, step_mm: float
) -> DistanceProfile:
    """Measure every stretch of a path against every structure, on the original meshes.

    Args:
        prepared: The case.
        path: Skin to tip, patient LPS.
        needle: The needle; an arc is as thick as its inner needle.
        step_mm: No stretch is longer; each piece of the path is divided evenly.

    Returns:
        The profile; its smallest value for a structure is that structure's clearance.
    """
    stretches = [
        _Stretch(points=np.stack([a, b]), radius_mm=radius)
        for points, radius in needle.tubes(path)
        for start, end in pairwise(points)
        for a, b in pairwise(_divided(start, end, step_mm))
    ]
    lengths = np.array([float(np.linalg.norm(s.points[1] - s.points[0])) for s in stretches])
    return DistanceProfile(
        depths_mm=np.concatenate([[0.0], np.cumsum(lengths)]),
        distances_mm={s.name: _distances(prepared, s, stretches) for s in prepared.case.structures},
    )


def _divided(
    start: Float[np.ndarray, " 3"], end: Float[np.ndarray, " 3"], step_mm: float
) -> Float[np.ndarray, "n 3"]:
    count = max(1, int(np.ceil(np.linalg.norm(end - start) / step_mm)))
    return np.linspace(start, end, count + 1)


def _distances(
    prepared: PreparedCase, structure: Structure, stretches: list[_Stretch]
) -> Float[np.ndarray, " n"]:
    surface = prepared.distance(structure)
    return np.array([
        surface.segment(s.points[0], s.points[1]).distance_mm - s.radius_mm for s in stretches
    ])  # fmt: skip
