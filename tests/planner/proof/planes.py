"""Planes before the skin of the small world, and what they leave of a needle's length."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Ends = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
NO_PLANE = (0.0, 0.0, 0.0, 0.0)
SIDES_MM = 70.0  # off the middle by less, only the back of the small world's skin is near


@dataclass(frozen=True)
class Bundle:
    """The lines of a box: their P and Q by their numbers, its centre and half-widths."""

    ends: Ends
    x: Float[np.ndarray, " 4"]
    h: Float[np.ndarray, " 4"]

    def flat_back(
        self, normal: np.ndarray, flat_mm: float, back: float, corners: np.ndarray
    ) -> tuple[float, tuple[float, ...]]:
        """Return beyond_t and plane where a box enters by the flat back of the skin alone."""
        first, second = self.ends(corners)
        rates = (second - first) @ normal
        if rates.max() >= 0.0:
            return 0.0, NO_PLANE
        beyond = float(((flat_mm + 1e-6 - first @ normal) / rates).min())
        away = np.abs(first + beyond * (second - first)) @ (1.0 - np.abs(normal))
        known = beyond < back and away.max() < SIDES_MM
        return (beyond, (*normal, flat_mm)) if known else (0.0, NO_PLANE)

    def left_of_length(
        self, reach: float, plane: tuple[float, ...], usable_mm: float
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return what is left under the needle's length on the way to a plane, by differences."""
        normal, offset = np.array(plane[:3]), plane[3]
        first, second = self.ends(self.x)
        ahead = (second - first) / np.linalg.norm(second - first)

        def parts(y: np.ndarray) -> np.ndarray:
            gate, end = self.ends(y)
            to_plane = offset - ((1.0 - reach) * gate + reach * end) @ normal
            return np.array([(gate - end) @ normal, to_plane, (end - gate) @ ahead])

        at, unit = parts(self.x), np.eye(4) / 2.0
        facing, to_plane, length = parts(self.x + unit) - parts(self.x - unit)
        slope = usable_mm * facing - at[1] * length - at[2] * to_plane
        spare = (np.abs(to_plane) @ self.h) * (np.abs(length) @ self.h)
        middle = usable_mm * at[0] - at[1] * at[2] + spare
        return lambda y: (middle + (y - self.x) @ slope) / at[0]
