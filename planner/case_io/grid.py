"""Grids on which coordinates that differ by a rounding only become equal.

The cells' borders are shifted by an odd amount: coordinates on a decimal or binary grid would
otherwise lie exactly on them, where the rounding of a unit conversion tips them over.
"""

import numpy as np
from jaxtyping import Float

from geometry.mesh import TriangleMesh

_SHIFT = 0.3819660112501051
_CELLS_PER_MM = 1e6


def cells(values: np.ndarray, per_mm: float) -> Float[np.ndarray, "..."]:
    """Return the number of the cell that each length in mm lies in, as whole floats."""
    return np.floor(values * per_mm + _SHIFT)


def on_grid(values: np.ndarray) -> Float[np.ndarray, "..."]:
    """Return lengths in mm moved to a grid of a nanometre; doing so again changes nothing."""
    return cells(values, _CELLS_PER_MM) / _CELLS_PER_MM


def mesh_on_grid(mesh: TriangleMesh) -> TriangleMesh:
    """Return a mesh with its vertices on the grid of a nanometre."""
    return TriangleMesh(vertices=on_grid(mesh.vertices), faces=mesh.faces, is_closed=mesh.is_closed)
