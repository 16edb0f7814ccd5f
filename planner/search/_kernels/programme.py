"""The best step of a model: the least of linear functions, less a small square, within rules.

Maximises ``y - bend |step - wish|^2`` over steps (4) and y, where every row of slack keeps
``y <= room + slope . step``, every rule ``0 <= room + slope . step``, and no number moves by more
than ``trust``. A primal active-set method (Nocedal and Wright, Numerical Optimization, 16.5): rows
that hold are kept as equations until one of them pulls the wrong way. The multipliers of the rows
of slack add up to 1, so one of them always holds, and with it the objective is strictly concave.
"""

import numba
import numpy as np

from geometry._kernels import OPTIONS

MOST_TURNS = 200
HOLDS = 5  # rows that can hold at once: four numbers and y
ALONG = 1e-9  # a row that falls by less of a step's size is parallel to it
SINGULAR = 1e-14
PULL = 1e-12  # a multiplier this far below zero pulls the wrong way


@numba.njit(**OPTIONS)
def _slope(rows, row, k):
    """Return slope ``k`` of a row; beyond the rows are the sides of the box of steps."""
    side = row - rows.shape[0]
    if side < 0:
        return rows[row, k]
    if side // 2 != k:
        return 0.0
    return 1.0 if side % 2 == 0 else -1.0


@numba.njit(**OPTIONS)
def _solve(matrix, right, n):
    """Solve ``matrix[:n, :n] z = right[:n]`` in place by elimination; return whether it could."""
    for i in range(n):
        pivot = i
        for j in range(i + 1, n):
            if abs(matrix[j, i]) > abs(matrix[pivot, i]):
                pivot = j
        if abs(matrix[pivot, i]) < SINGULAR:
            return False
        for k in range(i, n):
            matrix[i, k], matrix[pivot, k] = matrix[pivot, k], matrix[i, k]
        right[i], right[pivot] = right[pivot], right[i]
        for j in range(i + 1, n):
            share = matrix[j, i] / matrix[i, i]
            for k in range(i, n):
                matrix[j, k] -= share * matrix[i, k]
            right[j] -= share * right[i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    return True


@numba.njit(**OPTIONS)
def _towards(rows, slacks, active, held, wish, bend, step, pull, move):
    """Set ``move`` (4,) to the way to the best step at which the active rows hold.

    Also ``pull`` (held,), their multipliers, and returns how y changes, and whether it could.
    """
    matrix, right = np.empty((HOLDS + 1, HOLDS + 1)), np.empty(HOLDS + 1)
    for i in range(held):
        right[i] = 0.0
        for k in range(4):
            right[i] -= 2.0 * bend * _slope(rows, active[i], k) * (wish[k] - step[k])
        for j in range(held):
            product = 0.0
            for k in range(4):
                product += _slope(rows, active[i], k) * _slope(rows, active[j], k)
            matrix[i, j] = product
        of_slack = 1.0 if active[i] < slacks else 0.0
        matrix[i, held], matrix[held, i] = -of_slack, of_slack
    matrix[held, held], right[held] = 0.0, 1.0
    if not _solve(matrix, right, held + 1):
        return 0.0, False
    for k in range(4):
        move[k] = wish[k] - step[k]
        for i in range(held):
            move[k] += _slope(rows, active[i], k) * right[i] / (2.0 * bend)
    for i in range(held):
        pull[i] = right[i]
    return right[held] / (2.0 * bend), True


@numba.njit(**OPTIONS)
def _blocked(rows, room, slacks, active, held, trust, step, y, move, rise):
    """Return how much of a move can be made, at most 1, and the row that then holds, or -1."""
    size = 0.0
    for k in range(4):
        size = max(size, abs(move[k]))
    share, block = 1.0, -1
    for row in range(rows.shape[0] + 8):
        side, of_slack = row - rows.shape[0], row < slacks
        if side < 0:
            left, rate = room[row] - (y if of_slack else 0.0), -rise if of_slack else 0.0
            for k in range(4):
                left += rows[row, k] * step[k]
                rate += rows[row, k] * move[k]
        else:
            sign = 1.0 if side % 2 == 0 else -1.0
            left, rate = trust + sign * step[side // 2], sign * move[side // 2]
        if rate >= -ALONG * size or max(left, 0.0) >= -share * rate:
            continue
        known = False
        for i in range(held):
            known = known or active[i] == row
        if not known:
            share, block = max(left, 0.0) / -rate, row
    return share, block


@numba.njit(**OPTIONS)
def best_step(rows, room, slacks, wish, bend, trust, step):
    """Set ``step`` (4,) to the best step; return its y, and whether it is surely the best.

    Args:
        rows: (n, 4) slopes; the first ``slacks`` are of slack, at least one, the others rules.
        room: (n,) value of each row at no step; rules have room.
        slacks: How many rows bound y.
        wish: (4,) where the square is least.
        bend: Its factor, above zero.
        trust: No number moves by more.
        step: Filled.
    """
    active, pull, move = np.empty(HOLDS, np.int64), np.empty(HOLDS), np.empty(4)
    active[0], held = 0, 1
    for i in range(slacks):
        if room[i] < room[active[0]]:
            active[0] = i
    y = room[active[0]]
    step[:] = 0.0
    for _ in range(MOST_TURNS):
        rise, solved = _towards(rows, slacks, active, held, wish, bend, step, pull, move)
        if not solved:
            return y, False
        if held < HOLDS:  # as many rows as unknowns leave nothing to move
            share, block = _blocked(rows, room, slacks, active, held, trust, step, y, move, rise)
            for k in range(4):
                step[k] += share * move[k]
            y += share * rise
            if block >= 0:
                active[held] = block
                held += 1
                continue
        worst = 0
        for i in range(held):
            if pull[i] < pull[worst]:
                worst = i
        if pull[worst] >= -PULL:
            return y, True
        held -= 1
        active[worst] = active[held]
    return y, False
