"""Local refinement of a line to the exact optimum of its neighbourhood.

The slack of a line is the smallest of many smooth functions: its distances to single surface
points less their offsets. Nearest points along the line are witnesses; in a trust region their
distances are replaced by tangents, the best line of that model is a small quadratic programme,
and it is taken if the exact slack agrees (sequential quadratic programming; Nocedal and Wright,
Numerical Optimization, ch. 18). A tiny strictly concave preference for the middle of window and
target makes the optimum unique where clearance alone leaves it open, so that the same anatomy
always gives the same path, however it lies in the scanner.
"""

from dataclasses import dataclass

import clarabel
import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from geometry import _kernels as mesh_kernels
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers

PREFERENCE = 3e-5  # mm of slack per squared mm away from the preferred line, at gate and aim
PIECES = 16  # stretches of a line that contribute a witness each
MEMORY = 8
ROUNDS = 60
GAIN_MM = 1e-9  # a model that promises less has nothing left to give
TRUST_MM = 4.0
SETTLED_MM = 1e-3
SOLVER_TOLERANCE = 1e-11
RESTORATIONS = 6
RESCUES = 40
GRAZING = 0.1  # cosine between a line and the skin's normal below which its plane says nothing
INSET_MM = 1e-6  # rules are kept by this much, so that rounding cannot break them

CURVATURE = sparse.csc_matrix(np.diag([1.0, 1.0, 1.0, 1.0, 0.0]))
TRUST_BOX = np.hstack([np.vstack([np.eye(4), -np.eye(4)]), np.zeros((8, 1))])
SETTINGS = clarabel.DefaultSettings()
SETTINGS.verbose = False
SETTINGS.tol_gap_abs = SETTINGS.tol_gap_rel = SETTINGS.tol_feas = SOLVER_TOLERANCE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """A path that no near one beats.

    Attributes:
        line: Its numbers: four of a line, six of a curved path.
        slack_mm: Its exact slack.
        worth_mm: Its slack less what it strays from the preferred line; decides between optima.
    """

    line: Float[np.ndarray, " n"]
    slack_mm: float
    worth_mm: float


def polish(family: LineFamily, start: Numbers) -> Optimum:
    """Climb from a line of the family to the best one near it; never to a worse one."""
    line, worth, trust = start.copy(), line_worth(family, start), TRUST_MM
    recent = [_witnesses(family, start)]
    for _ in range(ROUNDS):
        x, promised = _model_optimum(family, line, np.concatenate(recent[-MEMORY:]), trust)
        if promised - worth < GAIN_MM:
            # Perhaps the solver's failure at this size of step, so smaller ones are tried as well.
            trust *= 0.25
            if trust < SETTLED_MM:
                break
            continue
        x = _restored(family, x)
        value = line_worth(family, x)
        if value > -mesh_kernels.FAR / 2.0:
            recent.append(_witnesses(family, x))
        kept = (value - worth) / (promised - worth)
        if kept > 0.1:
            line, worth = x, value
        trust = min(2.0 * trust, TRUST_MM) if kept > 0.7 else trust * (1.0 if kept > 0.3 else 0.5)
        if trust < INSET_MM:
            break
    return Optimum(line=line, slack_mm=family.slack(line), worth_mm=worth)


def preferences(family: LineFamily, lines: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Return what each line's straying from the preferred one costs, mm."""
    return PREFERENCE * ((lines - family.preferred) ** 2).sum(axis=1)


def line_worth(family: LineFamily, x: Numbers) -> float:
    """Return a line's slack less its preference, mm."""
    return family.slack(x) - float(preferences(family, x[None, :])[0])


def _witnesses(family: LineFamily, x: Numbers) -> Float[np.ndarray, "k 4"]:
    """Return surface points nearest to pieces of the line and their offsets, scene frame."""
    ends = family.ends(x)
    if ends is None:
        return np.empty((0, 4))
    found = np.empty((PIECES, 4))
    _kernels.nearest_points(family.scene.tree, *ends, PIECES, found)
    return found


def rescued(family: LineFamily, x: Numbers) -> Optimum | None:
    """Climb from the path nearest to a line that is none, if it can be found."""
    x = _restored(family, x, RESCUES)
    return polish(family, x) if family.slack(x) > -mesh_kernels.FAR else None


def _restored(family: LineFamily, x: Numbers, times: int = RESTORATIONS) -> Numbers:
    """Step back inside rules that curve away from their tangents, the most broken one first."""
    plane = _entry_plane(family, x)
    rows = _kernels.RULES + len(family.arrays.offsets)
    none, values, slopes = np.empty((0, 4)), np.empty(rows), np.empty((rows, 4))
    for _ in range(times):
        _kernels.constraints(family.arrays, x, none, plane, values)
        worst = int(values.argmin())
        if values[worst] >= -1e-12:
            break
        _kernels.constraint_slopes(family.arrays, x, none, plane, slopes)
        size = float(slopes[worst] @ slopes[worst])
        if size < 1e-6:
            break
        x = x + slopes[worst] * (INSET_MM - values[worst]) / size
    return x


def _entry_plane(family: LineFamily, x: Numbers) -> Float[np.ndarray, " 4"]:
    """Return normal and offset of the plane of the skin where a line enters, scene frame.

    Square to the line where it grazes the skin.
    """
    skin = family.scene.skin
    if not skin.present:
        return np.append(skin.plane_normal, skin.plane_offset_mm)
    start, step = _kernels.line_points(family.arrays, x)
    entry = start + _kernels.skin_exit(family.arrays, skin.tree, start, step) * step
    _, found, *_ = mesh_kernels.point_query(skin.tree, *entry, mesh_kernels.FAR)
    first, second, third = skin.tree.corners[found]
    normal, ahead = np.cross(second - first, third - first), step / np.linalg.norm(step)
    if abs(normal @ ahead) <= GRAZING * np.linalg.norm(normal):
        normal = ahead
    return np.append(normal, normal @ entry)


def _walls(family: LineFamily, x: Numbers, reach_mm: float) -> Float[np.ndarray, "k 3"]:
    """Return the window's edges near the gate point: inward normal (2) and distance to them.

    Edges that the point lies behind (across a reflex corner) do not confine it.
    """
    edges = family.arrays.edges
    along = edges[:, 2:] - edges[:, :2]
    length = np.linalg.norm(along, axis=1)
    along = along / length[:, None]
    offset = x[:2] - edges[:, :2]
    inward = np.column_stack([-along[:, 1], along[:, 0]])
    room = np.einsum("ij,ij->i", offset, inward)
    beyond = np.einsum("ij,ij->i", offset, along)
    beyond = np.maximum(np.maximum(-beyond, beyond - length), 0.0)
    near = (room >= -INSET_MM) & (np.hypot(room, beyond) <= 2.0 * reach_mm)
    return np.column_stack([inward, np.maximum(room, 0.0)])[near]


def _model_optimum(
    family: LineFamily, x0: Numbers, witnesses: Float[np.ndarray, "k 4"], trust_mm: float
) -> tuple[Numbers, float]:
    """Return the best line of the model in a trust region, and the worth the model promises."""
    plane = _entry_plane(family, x0)
    rows = len(witnesses) + _kernels.RULES + len(family.arrays.offsets)
    is_slack = (np.arange(rows) < len(witnesses)).astype(np.float64)
    values, slopes = np.empty(rows), np.empty((rows, 4))
    _kernels.constraints(family.arrays, x0, witnesses, plane, values)
    _kernels.constraint_slopes(family.arrays, x0, witnesses, plane, slopes)
    # The face by which the tip enters the target is kept by definition, whatever the step.
    entered = (is_slack == 0.0) & (np.abs(values) < INSET_MM) & (np.abs(slopes).max(axis=1) < 1e-6)
    values -= (1.0 - is_slack) * INSET_MM
    # The window is kept by its walls, all of those near by, not by the nearest of them alone.
    values[entered | (np.arange(rows) == len(witnesses))] = 1.0
    walls = _walls(family, x0, trust_mm)
    values = np.concatenate([values, walls[:, 2] - INSET_MM])
    matrix = np.zeros((len(values), 5))
    matrix[:rows, :4], matrix[:rows, 4], matrix[rows:, :2] = slopes, -is_slack, walls[:, :2]
    least = float(values[: len(witnesses)].min())
    values[: len(witnesses)] -= least
    near = _within_reach(matrix, values, trust_mm)
    step = _quadratic_programme(family.preferred - x0, matrix[near], values[near], trust_mm)
    x = x0 + np.clip(step, -trust_mm, trust_mm)
    promised = least + float((values[:rows] + slopes @ (x - x0))[: len(witnesses)].min())
    return x, promised - float(preferences(family, x[None, :])[0])


def _within_reach(
    matrix: Float[np.ndarray, "m 5"], room: Float[np.ndarray, " m"], trust_mm: float
) -> Bool[np.ndarray, " m"]:
    """Tell which rows ``room + matrix (step, y) >= 0`` may hold at the optimum of a trust region.

    No row changes by more than ``reach`` there, so y is at most the least of what the rows of
    slack can become, and a row that stays above that (or above 0, for a rule) says nothing.
    """
    reach = trust_mm * np.abs(matrix[:, :4]).sum(axis=1)
    of_slack = matrix[:, 4] < 0.0
    most = float((room + reach)[of_slack].min())
    return room - reach <= np.where(of_slack, most, 0.0)


def _quadratic_programme(
    wish: Numbers, matrix: Float[np.ndarray, "m 5"], room: Float[np.ndarray, " m"], trust_mm: float
) -> Numbers:
    """Return the step that maximises the common slack y less the preference for ``wish``.

    Unknowns are the step (4), within the trust region, and y: ``room + matrix (step, y) >= 0``.
    """
    rows = np.vstack([-matrix, TRUST_BOX])
    count = len(rows)
    dense = sparse.csc_matrix(
        (rows.ravel(order="F"), np.tile(np.arange(count), 5), count * np.arange(6)),
        shape=rows.shape,
    )
    solution = clarabel.DefaultSolver(
        CURVATURE, np.append(-wish, -0.5 / PREFERENCE), dense,
        np.concatenate([room, np.full(8, trust_mm)]), [clarabel.NonnegativeConeT(count)], SETTINGS,
    ).solve()  # fmt: skip
    return np.array(solution.x[:4])
