"""Throw-off views: near AP or lateral, the view in which metal hides least (DOMAIN 1.5).

All views within 45 degrees of the true one are weighed, degree by degree; nothing is sampled at
random and nothing is skipped. For every point that must be seen the metal around it is drawn once
as the directions it blocks: one look-up per point then bounds what a view hides, from below and
above. Exact rays decide between the views that these bounds leave.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import maximum_filter

from geometry.arrays import Points, Rotation, Vector
from geometry.exact import MeshDistance
from geometry.projection import BLOCKED, FREE, UNSURE, Shadows, shadows
from planner.case import PatientPosition
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.marks import Marks, meets

STEP_DEG = 1
WIDEST_DEG = 45  # from the true view [A]
# A view must stay good when angles are set 3 degrees off and the tip lies 10 mm off the isocentre,
# which is seen up to 0.8 degrees off at 750 mm.
AROUND_DEG = 4
# What a view costs beside what it hides [A]: a needle seen short, a posterior wall (or, in AP,
# endplates) seen obliquely, and the tilt from the true view itself.
SHORT_COST = 0.1
SMEAR_COST = 0.5
TILT_COST = 0.03
_OFFSETS = np.arange(-AROUND_DEG, AROUND_DEG + 1)
_DISC = _OFFSETS[:, None] ** 2 + _OFFSETS[None, :] ** 2 <= AROUND_DEG**2
_HALF = 1.25  # tangent of the widest direction, its surroundings and parallax
_CELLS = 224
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Zone:
    """The views around a true one.

    Attributes:
        axes: Rows: the direction to turn to, the one to tilt to, and the true view's beam;
            right-handed.
        keep_square: Unit vector that the beam should stay square to: posterior in lateral views,
            so that the posterior wall stays a line; superior in AP views, for the endplates.
    """

    axes: Rotation
    keep_square: Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The best view of a zone.

    Attributes:
        beam: Isocentre to detector, patient LPS.
        nearby: The largest overall share that is hidden in the views around it.
        true_nearby: The same around the true view.
        cost: What was least.
    """

    beam: Vector
    nearby: float
    true_nearby: float
    cost: float


def ap_zone(axes: Rotation) -> Zone:
    """Return the views around the true AP of a vertebra (rows left, posterior, superior)."""
    left, posterior, superior = axes
    return Zone(axes=np.stack([-left, superior, posterior]), keep_square=superior)


def lateral_zone(axes: Rotation) -> Zone:
    """Return the views around the true lateral of a vertebra (rows left, posterior, superior)."""
    left, posterior, superior = axes
    return Zone(axes=np.stack([posterior, superior, left]), keep_square=posterior)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screen:
    """What hides the marks in the views of a zone.

    Attributes:
        metal: Its surfaces.
        tip: The directions it blocks around the needle's points.
        anatomy: Those around the target's points and the wall's.
    """

    metal: tuple[MeshDistance, ...]
    tip: Shadows
    anatomy: Shadows

    def seen_from(self, sources_mm: Points) -> UInt8[np.ndarray, "n p"]:
        """Tell FREE, BLOCKED or UNSURE of the line from each source through each point."""
        return np.hstack([part.seen_from(sources_mm) for part in (self.tip, self.anatomy)])


def shadows_of(metal: Sequence[MeshDistance], points: Points, zone: Zone) -> Shadows:
    """Return which directions metal blocks around each point, for the views of a zone."""
    return shadows([m.mesh for m in metal], points, zone.axes, half=_HALF, cells=_CELLS)


def throw_off(
    zone: Zone,
    marks: Marks,
    screen: Screen,
    *,
    needle: Vector,
    c_arm: CArm,
    position: PatientPosition,
) -> Found | None:
    """Return the cheapest view of a zone within the C-arm's reach, or None if it reaches none.

    ``cost = (h + n) / 2 + 0.1 (1 - |u x d|) + 0.5 |u . k| + 0.03 |u x e|``: h is the overall share
    that is hidden, n the largest within 4 degrees, d the needle, k what to keep square, e the true
    view.

    Args:
        zone: Where to look.
        marks: What must be seen; the isocentre is at the tip.
        screen: What hides it.
        needle: Unit vector of the needle's last piece, entry to tip.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies.
    """
    beams, allowed = _beams(zone, c_arm, position)
    if not allowed.any():
        return None
    sources, to_detector = c_arm.cones_each(beams, marks.tip_mm[-1], position)
    lines, weights = screen.seen_from(sources), np.concatenate(marks.weights())
    other = _costs(zone, needle, beams)

    def cost(hidden: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        return 0.5 * (hidden + _around(hidden)) + other

    least, most = cost((lines == BLOCKED) @ weights), cost((lines != FREE) @ weights)
    chosen = allowed & (least <= most[allowed].min())
    told = chosen.copy()
    told[len(told) // 2] = True  # the true view itself
    views, points = np.nonzero((_around(told) > 0.0)[:, None] & (lines == UNSURE))
    rays = np.concatenate([marks.tip_mm, marks.anatomy_mm])[points] - sources[views]
    rays *= (to_detector[views] / np.einsum("ij,ij->i", rays, beams[views]))[:, None]
    met = meets(screen.metal, sources[views], sources[views] + rays)
    lines[views, points] = np.where(met, BLOCKED, FREE)
    hidden = (lines == BLOCKED) @ weights
    costs, nearby = np.where(chosen, cost(hidden), np.inf), _around(hidden)
    best = int(np.argmin(costs))
    return Found(
        beam=beams[best],
        nearby=float(nearby[best]),
        true_nearby=float(nearby[len(nearby) // 2]),
        cost=float(costs[best]),
    )


def _beams(
    zone: Zone, c_arm: CArm, position: PatientPosition
) -> tuple[Points, Bool[np.ndarray, " b"]]:
    """Return the beams of a zone with their surroundings, and which of them may be chosen.

    ``u = cos b (cos a e + sin a t) + sin b s``, symmetric about the true view, rows by tilt b and
    columns by turn a; of every line the end that is in reach.
    """
    widest = WIDEST_DEG + AROUND_DEG
    steps = np.radians(np.arange(-widest, widest + 1, STEP_DEG, dtype=np.float64))
    tilt, turn = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    shares = np.stack([np.cos(tilt) * np.sin(turn), np.sin(tilt), np.cos(tilt) * np.cos(turn)], -1)
    beams = shares @ zone.axes
    near = shares[:, 2] >= math.cos(math.radians(WIDEST_DEG)) - _ROUNDING
    reached = c_arm.reaches_each(beams, position)
    mirrored = ~reached & c_arm.reaches_each(-beams, position)
    return np.where(mirrored[:, None], -beams, beams), near & (reached | mirrored)


def _costs(zone: Zone, needle: Vector, beams: Points) -> Float[np.ndarray, " b"]:
    short = 1.0 - np.linalg.norm(np.cross(beams, needle), axis=-1)
    smear = np.abs(beams @ zone.keep_square)
    tilt = np.linalg.norm(np.cross(beams, zone.axes[2]), axis=-1)
    return SHORT_COST * short + SMEAR_COST * smear + TILT_COST * tilt


def _around(values: Float[np.ndarray, " b"] | Bool[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Return the largest value within 4 degrees of each beam."""
    side = math.isqrt(len(values))
    square = values.astype(np.float64).reshape(side, side)
    largest: Float[np.ndarray, " b"] = maximum_filter(
        square, footprint=_DISC, mode="nearest"
    ).ravel()
    return largest
