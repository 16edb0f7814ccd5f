"""What a finished search leaves behind: boxes that cover a family, and what bounds each of them.

These are the proof. The bound of a family is the greatest of its leaves, found again from what
each leaf names and nothing else (see docs/proof.md).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from planner.search import _kernels
from planner.search.family import LineFamily

AGAIN_MM = 1e-5  # rounding moves the sides of a moved target's faces by less
LENGTH = -1  # a row that stands for the needle's length; -2 - j stands for rule j of the face


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaves:
    """Leaf boxes of one search.

    Attributes:
        box: Centre and half-widths.
        face: Index of the face each belongs to.
        why: What settled it (``_kernels.BOUNDED`` ...).
        bound_mm: No path of the leaf has a larger slack; hugely negative where it has no path.
        run: How far paths of the leaf run (``_kernels.Scratch``): reach, back, beyond, plane.
        first: Leaf i has the rows ``first[i]:first[i + 1]`` of the following.
        row: What a row is: a surface point (0 or more), the length, or a rule.
        weight: Weight of the row.
        at: t of a surface point.
        points: Surface points (gate coordinates, mm) and their required distance.
        owner: Owner and triangle of each surface point, in the scene's tree.
    """

    box: Float[np.ndarray, "n 8"]
    face: UInt8[np.ndarray, " n"]
    why: UInt8[np.ndarray, " n"]
    bound_mm: Float[np.ndarray, " n"]
    run: Float[np.ndarray, "n 7"]
    first: Int[np.ndarray, " m"]
    row: Int[np.ndarray, " r"]
    weight: Float[np.ndarray, " r"]
    at: Float[np.ndarray, " r"]
    points: Float[np.ndarray, "p 4"]
    owner: Int[np.ndarray, "p 2"]

    def cover(self, family: LineFamily) -> bool:
        """Whether leaves of a search with the target elsewhere cover a family, once ``again``."""
        faces = np.arange(len(family.faces))
        if not np.array_equal(np.unique(self.face), faces):
            return False
        centre, half = self.box[:, :4], self.box[:, 4:]
        low = [(centre - half)[self.face == i].min(axis=0) for i in faces]
        high = [(centre + half)[self.face == i].max(axis=0) for i in faces]
        centre, half = family.roots[:, :4], family.roots[:, 4:]
        lacking = np.maximum(low - (centre - half), (centre + half) - high)
        return bool(lacking.max() <= AGAIN_MM)

    def again(
        self,
    ) -> tuple[np.ndarray, UInt8[np.ndarray, " n"], np.ndarray, np.ndarray, np.ndarray]:
        """Return the leaves as boxes to be examined: shape, face, points kept, points, owners.

        Boxes are a little wider, so that rounding in where a face lies leaves no gap.
        """
        row = np.repeat(np.arange(len(self.box)), np.diff(self.first))
        place = np.arange(len(self.row)) - self.first[row]
        named = (self.row >= 0) & (place < _kernels.POINTS)
        used, index = np.unique(self.row[named], return_inverse=True)
        kept = np.full((len(self.box), _kernels.POINTS), -1, np.int32)
        kept[row[named], place[named]] = index
        shape = self.box + np.repeat([0.0, AGAIN_MM], 4)
        return shape, self.face, kept, self.points[used], self.owner[used]


def explained(family: LineFamily, boxes: _kernels.Boxes) -> Leaves:
    """Return the leaves of a search, each with what bounds it."""
    leaf = np.flatnonzero(boxes.why[: boxes.sizes[0]] != _kernels.SPLIT)
    count = len(leaf)
    bound, first = np.empty(count), np.empty(count + 1, dtype=np.int64)
    most = _kernels.MOST_ROWS * count
    row, weight, at = np.empty(most, dtype=np.int64), np.empty(most), np.empty(most)
    _kernels.explain(
        family.arrays, family.face_arrays, family.scene.space, boxes, leaf, bound, first, row,
        weight, at,
    )  # fmt: skip
    rows, points = int(first[-1]), int(boxes.sizes[2])
    return Leaves(
        box=boxes.shape[leaf], face=boxes.face[leaf], why=boxes.why[leaf], bound_mm=bound,
        run=boxes.run[leaf], first=first, row=row[:rows].copy(), weight=weight[:rows].copy(),
        at=at[:rows].copy(), points=boxes.points[:points].copy(), owner=boxes.info[:points].copy(),
    )  # fmt: skip
