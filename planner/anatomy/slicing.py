"""Many sections of one bone, measured without drawing them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from geometry.arrays import Faces, Points
from geometry.mesh import TriangleMesh
from planner.anatomy import _kernels

_MOST_FACES = 8  # that meet in one edge and are still told apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contours:
    """Outer contours of a bone in several planes, each the one at or nearest to its origin.

    Attributes:
        areas: mm2, holes counted as bone; 0 where the plane meets no bone.
        centroids: In the frame of the bone, mm.
        apart_mm: Distance of the contour from the plane's origin; 0 inside it.
    """

    areas: Float[np.ndarray, " p"]
    centroids: Points
    apart_mm: Float[np.ndarray, " p"]


class Slicer:
    """A bone's mesh with what its sections need, prepared once."""

    def __init__(self, mesh: TriangleMesh) -> None:
        self.mesh = mesh
        self._across = _across(mesh.faces, len(mesh.vertices))

    def contours(self, planes: Float[np.ndarray, "p 3 3"]) -> Contours:
        """Measure the outer contours in planes given by origin, x and y axis (rows), mm."""
        found = np.empty((len(planes), 4))
        planes = np.ascontiguousarray(planes)
        _kernels.outer_contours(self.mesh.vertices, self.mesh.faces, self._across, planes, found)
        middles = planes[:, 0] + found[:, 1:2] * planes[:, 1] + found[:, 2:3] * planes[:, 2]
        return Contours(areas=found[:, 0], centroids=middles, apart_mm=found[:, 3])


def planes_across(origins: Points, normals: Points, up: Points) -> Float[np.ndarray, "p 3 3"]:
    """Return planes (origin, x, y per row) whose y axis is ``up`` projected into each."""
    y = up - np.einsum("ij,ij->i", up, normals)[:, None] * normals
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([origins, np.cross(y, normals), y], axis=1)


def _across(faces: Faces, count: int) -> Int[np.ndarray, "m 3"]:
    """Return the face beyond each edge, or -1; only faces wound alike are joined."""
    tails, heads = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    ahead = np.flatnonzero(tails < heads)
    back = np.flatnonzero(tails > heads)
    _, first, second = np.intersect1d(
        _ranked(tails[ahead] * count + heads[ahead]),
        _ranked(heads[back] * count + tails[back]),
        assume_unique=True,
        return_indices=True,
    )
    across = np.full(faces.size, -1, dtype=np.int64)
    across[ahead[first]] = back[second] // 3
    across[back[second]] = ahead[first] // 3
    return across.reshape(-1, 3)


def _ranked(keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Make equal keys different by numbering them."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    fresh = np.append(True, ordered[1:] != ordered[:-1])
    starts = np.flatnonzero(fresh)
    rank = np.arange(len(keys)) - starts[np.cumsum(fresh) - 1]
    unique = np.empty_like(keys)
    unique[order] = ordered * _MOST_FACES + np.minimum(rank, _MOST_FACES - 1)
    return unique
