"""This project as an engine among the others: the shipped compiled queries over many lines."""

import numpy as np

from benchmarks._kernels import lines as loops
from benchmarks.scenes import Lines, Surroundings
from benchmarks.timing import Engine
from geometry import _kernels

JUST_ABOVE_MM = 1e-3


def exact_each(around: Surroundings) -> Engine:
    """Distance of every obstacle to the axis, exactly, in a compiled loop over lines."""
    trees = [d.tree for d in around.distances]

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty((len(trees), len(lines)))
        for tree, row in zip(trees, out, strict=True):
            loops.exact_lines(tree, lines.starts_mm, lines.ends_mm, _kernels.FAR, row)
        return out.T

    return Engine(name="trocar, exact triangle tree", version="", answer=answer)


def exact_each_called(around: Surroundings) -> Engine:
    """The same, one call from Python per line and structure, as the capsule libraries are used."""
    trees = [d.tree for d in around.distances]

    def answer(lines: Lines) -> np.ndarray:
        pairs = zip(lines.starts_mm, lines.ends_mm, strict=True)
        return np.array([
            [_kernels.segment_query(tree, a, b, _kernels.FAR)[0] for tree in trees]
            for a, b in pairs
        ])  # fmt: skip

    return Engine(name="trocar, the same called line by line", version="", answer=answer)


def signed_each(around: Surroundings) -> Engine:
    """What a plan shows: signed, with depth inside, both closest points; cut off at zero here."""

    def answer(lines: Lines) -> np.ndarray:
        pairs = zip(lines.starts_mm, lines.ends_mm, strict=True)
        found = [[d.segment(a, b).distance_mm for d in around.distances] for a, b in pairs]
        return np.maximum(np.array(found), 0.0)

    return Engine(
        name="trocar, MeshDistance.segment (signed, with points)", version="", answer=answer
    )  # fmt: skip


def exact_least(around: Surroundings) -> Engine:
    """The one number over all obstacles, exactly: the merged tree, below what the field names."""
    space = around.scene.space

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty(len(lines))
        loops.least_lines(space, lines.starts_mm, lines.ends_mm, out)
        return out

    return Engine(name="trocar, exact merged tree", version="", answer=answer)


def field_least(around: Surroundings) -> Engine:
    """The one number over all obstacles, from the search's field, as the search's seeds are."""
    grid = around.scene.field.grid

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty(len(lines))
        far = _kernels.FAR
        _kernels.trace_lines(grid, lines.starts_mm, lines.ends_mm, far, -far, out)
        return out

    return Engine(name="trocar, field", version="", answer=answer)


def field_allows(around: Surroundings, radius_mm: float) -> Engine:
    """Whether a needle keeps every margin, by the field alone.

    The planner itself asks this of the meshes only; the kernel is the one of its seeds.
    """
    grid = around.scene.field.grid

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty(len(lines))
        cap = radius_mm + JUST_ABOVE_MM
        _kernels.trace_lines(grid, lines.starts_mm, lines.ends_mm, cap, radius_mm, out)
        return out >= radius_mm

    return Engine(name="trocar, field", version="", answer=answer)


def proved_allows(around: Surroundings, radius_mm: float) -> Engine:
    """Whether a needle keeps every margin: the field refuses, the meshes decide the rest."""

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty(len(lines), dtype=np.bool_)
        scene = around.scene
        loops.proved_allows(
            scene.tree, scene.field.grid, lines.starts_mm, lines.ends_mm, radius_mm, out
        )
        return out

    return Engine(name="trocar, field then meshes (true)", version="", answer=answer)
