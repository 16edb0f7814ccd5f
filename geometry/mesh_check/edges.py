"""Edges of a triangle list: which are open or met by too many faces, and what hangs together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geometry.arrays import Faces


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edges:
    """The half-edges of a triangle list, three per face, face by face.

    Attributes:
        start: First vertex of each half-edge, shape (3 m,).
        end: Second vertex of each half-edge, shape (3 m,).
        number: Which undirected edge it belongs to, shape (3 m,).
        uses: How many half-edges each undirected edge has, shape (e,).
        balance: Half-edges from the lower to the higher vertex minus those back, shape (e,).
    """

    start: Int[np.ndarray, " h"]
    end: Int[np.ndarray, " h"]
    number: Int[np.ndarray, " h"]
    uses: Int[np.ndarray, " e"]
    balance: Int[np.ndarray, " e"]

    @property
    def unbalanced(self) -> int:
        """How many edges are not passed as often one way as the other; 0 for a closed surface."""
        return int((self.balance != 0).sum())

    @property
    def open(self) -> Bool[np.ndarray, " h"]:
        """Half-edges with no other face at their edge."""
        return self.uses[self.number] == 1

    def pairs(self) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
        """Return the face pairs at edges of exactly two faces, and whether their winding agrees."""
        shared = np.flatnonzero(self.uses[self.number] == 2)
        ordered = shared[np.argsort(self.number[shared], kind="stable")]
        first, second = ordered[0::2], ordered[1::2]
        agree = self.start[first] == self.end[second]
        return first // 3, second // 3, agree & (self.end[first] == self.start[second])


def edges_of(faces: Faces) -> Edges:
    """Return the edges of a triangle list."""
    start = faces.ravel()
    end = faces[:, [1, 2, 0]].ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    size = int(faces.max(initial=0)) + 1
    _, number, uses = np.unique(low * size + high, return_inverse=True, return_counts=True)
    balance = np.bincount(number, weights=np.where(start < end, 1.0, -1.0), minlength=len(uses))
    return Edges(start=start, end=end, number=number, uses=uses, balance=balance.astype(np.int64))


def joined(
    first: Int[np.ndarray, " p"], second: Int[np.ndarray, " p"], size: int
) -> Int[np.ndarray, " n"]:
    """Return the connected component of each of ``size`` things joined in pairs."""
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def components(faces: Faces) -> Int[np.ndarray, " m"]:
    """Return, for every face, which connected part it belongs to (by shared vertices)."""
    size = int(faces.max()) + 1
    label = joined(faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel(), size)
    return np.unique(label[faces[:, 0]], return_inverse=True)[1]
