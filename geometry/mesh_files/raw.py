"""What a reader hands on: points and triangles that are complete, finite and consistent.

Whether they make a sensible surface is judged in ``mesh_check``.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from geometry.arrays import Faces, Points, frozen, frozen_indices
from geometry.mesh import MeshError

MAX_TRIANGLES = 5_000_000
MAX_COORDINATE = 1e9
EXPORT_AGAIN = "export the surface again as triangles and check the file's size"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawMesh:
    """Triangles as a file gave them, in the file's own unit and frame.

    Attributes:
        vertices: Positions, float64, shape (n, 3), read-only, all finite.
        faces: Vertex indices, int64, shape (m, 3), read-only, m >= 1, all in range.

    Raises:
        MeshError: ``no-triangles``, ``non-finite``, ``too-large`` or ``index-out-of-range``.
    """

    vertices: Points
    faces: Faces

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", frozen(self.vertices))
        object.__setattr__(self, "faces", frozen_indices(self.faces))
        if len(self.faces) == 0:
            raise MeshError("no-triangles", f"there is no triangle in it; {EXPORT_AGAIN}")
        require_triangles_within_limit(len(self.faces))
        bad = int((~np.isfinite(self.vertices)).any(axis=1).sum())
        if bad:
            raise MeshError(
                "non-finite",
                f"{bad} of {len(self.vertices)} vertices have a coordinate that is not a finite "
                "number; remove them or segment the structure again",
            )
        if len(self.vertices) and float(np.abs(self.vertices).max()) > MAX_COORDINATE:
            largest = float(np.abs(self.vertices).max())
            raise MeshError(
                "too-large", f"a coordinate of {largest:.3g} is no position in a patient"
            )
        outside = int(((self.faces < 0) | (self.faces >= len(self.vertices))).any(axis=1).sum())
        if outside:
            raise MeshError(
                "index-out-of-range",
                f"{outside} of {len(self.faces)} triangles refer to a vertex that is not among "
                f"the {len(self.vertices)} in the file; {EXPORT_AGAIN}",
            )


def require_triangles_within_limit(count: int) -> None:
    """Refuse more triangles than one structure may have, before anything is allocated."""
    if count > MAX_TRIANGLES:
        raise MeshError(
            "too-large",
            f"{count} triangles are more than the {MAX_TRIANGLES} that one structure may have; "
            "decimate it",
        )


def first_occurrence(rows: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """Return, for every row, the index of the first row that is exactly equal to it."""
    if len(rows) == 0:
        return np.zeros(0, dtype=np.int64)
    normalised = rows + 0.0  # -0.0 becomes 0.0
    order = np.lexsort(normalised.T)
    ordered = normalised[order]
    starts: Bool[np.ndarray, " n"] = np.ones(len(rows), dtype=bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(rows), dtype=np.int64)
    # lexsort is stable, so that the first of each run is the earliest row
    first[order] = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    return first


def welded(corners: Float[np.ndarray, "m 3 3"]) -> RawMesh:
    """Join triangles given by their corners where corners are exactly equal.

    Vertices keep the order of their first appearance, so that a moved file welds alike.
    """
    points = corners.reshape(-1, 3)
    first = first_occurrence(points)
    kept = np.flatnonzero(first == np.arange(len(points)))
    number = np.empty(len(points), dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return RawMesh(vertices=points[kept], faces=number[first].reshape(-1, 3))
