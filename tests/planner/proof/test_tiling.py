"""Leaves fill their root boxes once: however they were halved, and only then."""

import numpy as np
import pytest

from planner.checker.check import tiling_failures
from planner.proof import Leaves, Why

Cells = list[tuple[int, tuple[int, ...], tuple[int, ...]]]  # face, level, index


def _leaves(cells: Cells) -> Leaves:
    count, nothing = len(cells), np.empty(0)
    return Leaves(
        face_of=np.array([face for face, _, _ in cells], dtype=np.uint8),
        level=np.array([level for _, level, _ in cells], dtype=np.uint8).reshape(-1, 4),
        index=np.array([index for _, _, index in cells], dtype=np.uint32).reshape(-1, 4),
        why=np.full(count, Why.NO_TIP, dtype=np.uint8), bound_mm=np.full(count, -np.inf),
        reach_t=np.zeros(count), back_t=np.zeros(count), beyond_t=np.zeros(count),
        plane=np.zeros((count, 4)),
        first_witness=np.zeros(count + 1, dtype=np.int64), t=nothing, weight=nothing,
        structure=nothing.astype(np.uint16), face=nothing.astype(np.uint32), uv=np.empty((0, 2)),
        first_rule=np.zeros(count + 1, dtype=np.int64), rule=nothing.astype(np.uint16), mu=nothing,
    )  # fmt: skip


def _halves(cell: tuple[int, tuple[int, ...], tuple[int, ...]], axis: int) -> Cells:
    face, level, index = cell
    finer = tuple(n + (k == axis) for k, n in enumerate(level))
    return [
        (face, finer, tuple(2 * n + half if k == axis else n for k, n in enumerate(index)))
        for half in (0, 1)
    ]


def _halved_at_random(rng: np.random.Generator, faces: int, times: int) -> Cells:
    cells: Cells = [(face, (0,) * 4, (0,) * 4) for face in range(faces)]
    for _ in range(times):
        cells += _halves(cells.pop(int(rng.integers(len(cells)))), int(rng.integers(4)))
    return cells


def _said(cells: Cells, faces: int) -> list[str]:
    return list(tiling_failures(_leaves(cells), faces))


@pytest.mark.parametrize("times", [0, 1, 2, 5, 60, 700])
@pytest.mark.parametrize("faces", [1, 3])
def test_boxes_that_were_halved_at_random_are_filled(
    rng: np.random.Generator, faces: int, times: int
) -> None:
    cells = _halved_at_random(rng, faces, times)
    rng.shuffle(cells)
    assert _said(cells, faces) == []


@pytest.mark.parametrize("times", [1, 5, 60])
def test_every_leaf_is_needed_and_only_once(rng: np.random.Generator, times: int) -> None:
    cells = _halved_at_random(rng, 2, times)
    for k in range(len(cells)):
        assert "leave a part of a root box out" in _said(cells[:k] + cells[k + 1 :], 2)[0]
        assert "overlap" in _said([*cells, cells[k]], 2)[0]


def test_a_leaf_cannot_stand_for_its_neighbour(rng: np.random.Generator) -> None:
    cells = _halved_at_random(rng, 1, 40)
    for k, (face, level, index) in enumerate(cells):
        for axis in np.flatnonzero(level):
            moved = tuple(n ^ (j == axis) for j, n in enumerate(index))
            assert _said([*cells[:k], (face, level, moved), *cells[k + 1 :]], 1)
            wider = tuple(n - (j == axis) for j, n in enumerate(level))
            there = tuple(n >> 1 if j == axis else n for j, n in enumerate(index))
            assert _said([*cells[:k], (face, wider, there), *cells[k + 1 :]], 1)


def test_a_face_without_leaves_is_not_filled() -> None:
    assert _said([(0, (0,) * 4, (0,) * 4)], 2) == ["its leaves leave a part of a root box out"]
    assert _said([(1, (0,) * 4, (0,) * 4)], 2) == ["its leaves leave a part of a root box out"]
    assert _said([], 0) == []
