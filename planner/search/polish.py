"""Local refinement of a line to the exact optimum of its neighbourhood.

The slack of a line is the smallest of many smooth functions: its distances to single surface
points less their offsets. Witness points are collected from exact queries, the largest common
slack over them is found (a smooth problem in five unknowns), the true slack there yields new
witnesses, and so on until the two agree. A tiny strictly concave preference for the window's
middle makes the optimum unique where clearance alone leaves it open, so that the same anatomy
always gives the same path, however it lies in the scanner.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from geometry import _kernels as mesh_kernels
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers

PREFERENCE = 1e-5  # mm of slack per squared mm away from the preferred line, at gate and aim
PIECES = 6
ROUNDS = 12
AGREEMENT_MM = 1e-6
TRUST_MM = 4.0


def polish(family: LineFamily, start: Numbers, preferred: Numbers) -> tuple[float, Numbers]:
    """Climb from a line of the family to the best one near it.

    Args:
        family: The lines.
        start: Where to climb from; must be a path of the family.
        preferred: The line that flat optima lean towards.

    Returns:
        Its exact slack (mm) and the line; never worse than ``start``.
    """
    best_x, best = start.copy(), _objective(family, start, preferred)
    witnesses = _witnesses(family, start)
    trust = TRUST_MM
    for _ in range(ROUNDS):
        x = _model_optimum(family, best_x, witnesses, preferred, trust)
        value = _objective(family, x, preferred)
        if value > -mesh_kernels.FAR / 2.0:
            witnesses = np.concatenate([witnesses, _witnesses(family, x)])
        if value > best + AGREEMENT_MM:
            best_x, best = x, value
        elif np.abs(x - best_x).max() < 1e-4 or trust < 1e-3:
            break
        else:
            trust *= 0.35
    return family.slack(best_x), best_x


def _preference(x: Numbers, preferred: Numbers) -> float:
    return PREFERENCE * float(((x - preferred) ** 2).sum())


def _objective(family: LineFamily, x: Numbers, preferred: Numbers) -> float:
    return family.slack(x) - _preference(x, preferred)


def _witnesses(family: LineFamily, x: Numbers) -> Float[np.ndarray, "k 4"]:
    """Return surface points nearest to pieces of the line and their offsets, scene frame."""
    ends = family.ends(x)
    if ends is None:
        return np.empty((0, 4))
    tree = family.scene.tree
    cuts = np.linspace(ends[0], ends[1], PIECES + 1)
    found = []
    for a, b in pairwise(cuts):
        _, i, _, qx, qy, qz = mesh_kernels.segment_query(tree, a, b, mesh_kernels.FAR)
        found.append([qx, qy, qz, tree.offset[i]])
    return np.array(found)


def _model_optimum(
    family: LineFamily,
    x0: Numbers,
    witnesses: Float[np.ndarray, "k 4"],
    preferred: Numbers,
    trust_mm: float,
) -> Numbers:
    """Maximise the smallest witness slack, less the preference, within a trust region."""
    start, step = _kernels.line_points(family.arrays, x0)
    t_skin = float(_kernels.skin_exit(family.arrays, family.scene.skin.tree, start, step))

    rows = len(witnesses) + _kernels.RULES + len(family.arrays.offsets)
    counts = (np.arange(rows) < len(witnesses)).astype(np.float64)
    values, slopes = np.empty(rows), np.empty((rows, 4))

    def constraints(y: Float[np.ndarray, " 5"]) -> Float[np.ndarray, " m"]:
        _kernels.constraints(family.arrays, x0 + y[:4], witnesses, t_skin, values)
        return values - counts * y[4]

    def jacobian(y: Float[np.ndarray, " 5"]) -> Float[np.ndarray, "m 5"]:
        _kernels.constraint_slopes(family.arrays, x0 + y[:4], witnesses, t_skin, slopes)
        return np.column_stack([slopes, -counts])

    wish = preferred - x0
    first = float((constraints(np.zeros(5)) + (1.0 - counts) * mesh_kernels.FAR).min())
    done = minimize(
        lambda y: -y[4] + PREFERENCE * float(((y[:4] - wish) ** 2).sum()),
        np.concatenate([np.zeros(4), [first]]),
        jac=lambda y: np.concatenate([2.0 * PREFERENCE * (y[:4] - wish), [-1.0]]),
        method="SLSQP",
        bounds=[(-trust_mm, trust_mm)] * 4 + [(None, None)],
        constraints={"type": "ineq", "fun": constraints, "jac": jacobian},
        options={"maxiter": 60, "ftol": 1e-10},
    )
    return x0 + np.clip(done.x[:4], -trust_mm, trust_mm)
