"""The axis of a needle in patient LPS: straight lines and arcs, joined end to end."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Vector, frozen, unit

# Chords replace an arc for measuring; the chord's sagitta bounds the error, mm.
ARC_SAGITTA_MM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight piece from ``start_mm`` to ``end_mm``, LPS."""

    start_mm: Point
    end_mm: Point

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_mm", frozen(self.start_mm))
        object.__setattr__(self, "end_mm", frozen(self.end_mm))

    @property
    def length_mm(self) -> float:
        """Length of the piece."""
        return float(np.linalg.norm(self.end_mm - self.start_mm))

    @property
    def direction(self) -> Vector:
        """Unit vector from start to end."""
        return unit(self.end_mm - self.start_mm)

    def chords(self) -> Points:
        """Corner points of the measured polyline, shape (2, 3)."""
        return np.stack([self.start_mm, self.end_mm])


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """A circular piece from ``start_mm`` to ``end_mm`` about ``centre_mm``, the short way round.

    ``angle_rad`` lies in (0, pi): start, end and centre then fix the plane and the sense.
    """

    start_mm: Point
    end_mm: Point
    centre_mm: Point
    radius_mm: float
    angle_rad: float

    def __post_init__(self) -> None:
        for name in ("start_mm", "end_mm", "centre_mm"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def length_mm(self) -> float:
        """Arc length, radius times angle."""
        return self.radius_mm * self.angle_rad

    def chords(self) -> Points:
        """Corner points of a polyline within ``ARC_SAGITTA_MM`` of the arc, shape (n, 3)."""
        step = 2.0 * math.acos(1.0 - ARC_SAGITTA_MM / self.radius_mm)
        count = max(2, math.ceil(self.angle_rad / step)) + 1
        out = unit(self.start_mm - self.centre_mm)
        along = self.end_mm - self.centre_mm
        side = unit(along - np.dot(along, out) * out)
        angles: Float[np.ndarray, "k 1"] = np.linspace(0.0, self.angle_rad, count)[:, None]
        points = self.centre_mm + self.radius_mm * (np.cos(angles) * out + np.sin(angles) * side)
        points[0], points[-1] = self.start_mm, self.end_mm
        return points


Segment: TypeAlias = Line | Arc
Path: TypeAlias = tuple[Segment, ...]


def path_length_mm(path: Path) -> float:
    """Return the length along the whole path, mm."""
    return sum(segment.length_mm for segment in path)


def path_chords(path: Path) -> Points:
    """Return the corner points of the polyline that stands for the path, shape (n, 3)."""
    pieces = [segment.chords() for segment in path]
    return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])
