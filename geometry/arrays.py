"""Array types, and the one gate through which arrays enter a type (read-only from there on)."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

Point: TypeAlias = Float[np.ndarray, "3"]
Points: TypeAlias = Float[np.ndarray, "n 3"]
Vector: TypeAlias = Float[np.ndarray, "3"]
Faces: TypeAlias = Int[np.ndarray, "m 3"]
Rotation: TypeAlias = Float[np.ndarray, "3 3"]


def frozen(values: ArrayLike) -> Float[np.ndarray, "..."]:
    """Return a contiguous, read-only float64 copy of ``values``."""
    array = np.array(values, dtype=np.float64, order="C")
    array.setflags(write=False)
    return array


def frozen_indices(values: ArrayLike) -> Int[np.ndarray, "..."]:
    """Return a contiguous, read-only int64 copy of ``values``."""
    array = np.array(values, dtype=np.int64, order="C")
    array.setflags(write=False)
    return array


def unit(vector: ArrayLike) -> Vector:
    """Return the vector scaled to length one.

    Raises:
        ValueError: If the vector has no direction.
    """
    array = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(array))
    if not np.isfinite(length) or length == 0.0:
        raise ValueError(f"a direction needs a finite, non-zero vector, not {array.tolist()}")
    return array / length
