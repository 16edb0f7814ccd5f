"""Rigid transforms with named frames, so that chaining the wrong two fails at once.

``vertebra_from_patient @ patient_from_table`` reads left to right: the inner names must agree.
LPS is the only world frame inside the project; RAS enters and leaves here and nowhere else.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from geometry.arrays import Point, Points, Rotation, Vector, frozen

PATIENT = "patient"
ORTHONORMAL_TOLERANCE = 1e-9

_Rows = TypeVar("_Rows", Points, Point)


class FrameMismatchError(ValueError):
    """Two transforms were chained in an order that means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidTransform:
    """Coordinates in ``source`` to coordinates in ``target``: ``x_t = R x_s + t``.

    Attributes:
        target: Name of the frame that coordinates are taken to.
        source: Name of the frame that coordinates come from.
        rotation: Orthonormal matrix, determinant +1, shape (3, 3).
        translation_mm: Origin of ``source`` in ``target``, mm, shape (3,).
    """

    target: str
    source: str
    rotation: Rotation
    translation_mm: Point

    def __post_init__(self) -> None:
        rotation = frozen(self.rotation)
        off = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if not off < ORTHONORMAL_TOLERANCE or np.linalg.det(rotation) < 0.0:
            raise ValueError(f"not a rotation: R R^T differs from 1 by {off:.1e}, or it mirrors")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation_mm", frozen(self.translation_mm))

    def __matmul__(self, inner: "RigidTransform") -> "RigidTransform":
        if self.source != inner.target:
            raise FrameMismatchError(
                f"cannot chain {self.target}_from_{self.source} with "
                f"{inner.target}_from_{inner.source}: {self.source!r} is not {inner.target!r}"
            )
        return RigidTransform(
            target=self.target,
            source=inner.source,
            rotation=self.rotation @ inner.rotation,
            translation_mm=self.rotation @ inner.translation_mm + self.translation_mm,
        )

    def inverse(self) -> "RigidTransform":
        """Return the transform that takes ``target`` back to ``source``."""
        return RigidTransform(
            target=self.source,
            source=self.target,
            rotation=self.rotation.T,
            translation_mm=-self.rotation.T @ self.translation_mm,
        )

    def points(self, points: _Rows) -> _Rows:
        """Transform positions, shape (3,) or (n, 3), mm."""
        return points @ self.rotation.T + self.translation_mm

    def vectors(self, vectors: _Rows) -> _Rows:
        """Transform directions, shape (3,) or (n, 3): rotated, not moved."""
        return vectors @ self.rotation.T


def frame_from_axes(*, name: str, origin_mm: Point, axes: Rotation) -> RigidTransform:
    """Return ``name_from_patient`` for a frame given in patient coordinates.

    Args:
        name: Name of the new frame.
        origin_mm: Its origin in patient LPS, mm.
        axes: Its unit axes in patient LPS, one per row (x axis first), right-handed.
    """
    axes = np.asarray(axes, dtype=np.float64)
    return RigidTransform(
        target=name, source=PATIENT, rotation=axes, translation_mm=-axes @ origin_mm
    )


def lps_from_ras(points: Points) -> Points:
    """Turn RAS coordinates into LPS (negate x and y); it is its own inverse."""
    return points * np.array([-1.0, -1.0, 1.0])


def angle_between(a: Vector, b: Vector) -> float:
    """Return the angle between two directions, radians, accurate near 0 and pi (atan2 form)."""
    cross = np.linalg.norm(np.cross(a, b))
    return float(np.arctan2(cross, np.dot(a, b)))
