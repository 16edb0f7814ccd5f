"""What a finished search leaves behind: boxes that cover a family, and what bounds each of them.

These are the proof. The bound of a family is the greatest of its leaves, found again from what
each leaf names and nothing else (see docs/proof.md).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from planner.search import _kernels
from planner.search.family import LineFamily

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
