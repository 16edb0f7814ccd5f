"""The step of a climb's model: proved best by multipliers that another solver finds."""

import numpy as np
import pytest
from jaxtyping import Float
from scipy.optimize import nnls

from planner.search import _kernels

BEND = 3e-5
SLACKS, RULES = 30, 8


def _programme(
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, " n"], Float[np.ndarray, " 4"]]:
    """Return slopes, room and wish of a model whose rules have room at no step."""
    rows = rng.normal(size=(SLACKS + RULES, 4))
    room = rng.uniform(0.0, 3.0, len(rows))
    room[rng.integers(SLACKS, len(rows))] = 0.0  # a line that stands at a wall
    return rows, room, rng.normal(scale=5.0, size=4)


def _pulls(
    rows: Float[np.ndarray, "n 4"],
    room: Float[np.ndarray, " n"],
    step: Float[np.ndarray, " 4"],
    y: float,
    trust: float,
) -> Float[np.ndarray, "k 5"]:
    """Return the gradients, by step and y, of the rows and sides that hold at a step."""
    kept = np.vstack([rows, np.eye(4), -np.eye(4)])
    of_slack = (np.arange(len(kept)) < SLACKS).astype(float)
    left = np.concatenate([room, np.full(8, trust)]) + kept @ step - of_slack * y
    assert left.min() > -1e-9
    return np.column_stack([kept, -of_slack])[left < 1e-7]


@pytest.mark.parametrize("trust", [4.0, 0.3, 1e-3])
def test_no_step_of_a_model_is_better_than_the_best(trust: float, rng: np.random.Generator) -> None:
    for _ in range(40):
        rows, room, wish = _programme(rng)
        step = np.empty(4)
        y, sure = _kernels.best_step(rows, room, SLACKS, wish, BEND, trust, step)
        assert sure
        # What is climbed is concave, so it is best where the rows that hold balance its slope.
        uphill = np.append(-2.0 * BEND * (step - wish), 1.0)
        _, unbalanced = nnls(_pulls(rows, room, step, y, trust).T, -uphill)
        assert unbalanced < 1e-7


def test_rows_told_twice_do_not_confuse_a_step(rng: np.random.Generator) -> None:
    rows, room, wish = _programme(rng)
    once, twice = np.empty(4), np.empty(4)
    alone, _ = _kernels.best_step(rows, room, SLACKS, wish, BEND, 4.0, once)
    doubled = np.vstack([rows[:SLACKS], rows[:SLACKS], rows[SLACKS:], rows[SLACKS:]])
    rooms = np.concatenate([room[:SLACKS], room[:SLACKS], room[SLACKS:], room[SLACKS:]])
    both, _ = _kernels.best_step(doubled, rooms, 2 * SLACKS, wish, BEND, 4.0, twice)
    assert both == pytest.approx(alone, abs=1e-9)
    assert twice == pytest.approx(once, abs=1e-6)
