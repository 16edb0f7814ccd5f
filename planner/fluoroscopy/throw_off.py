"""Throw-off views: near AP or lateral, the view in which metal hides least (DOMAIN 1.5).

All views within 45 degrees of the true one are weighed, degree by degree; nothing is sampled at
random and nothing is skipped. For every point that must be seen the metal around it is drawn once
as the directions it blocks, and a view then costs one look-up per point.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import maximum_filter

from geometry.arrays import Points, Rotation, Vector
from geometry.mesh import TriangleMesh
from geometry.projection import Shadows, shadows
from planner.case import PatientPosition
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.marks import Marks

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


def shadows_of(metal: Sequence[TriangleMesh], points: Points, zone: Zone) -> Shadows:
    """Return which directions metal blocks around each point, for the views of a zone."""
    return shadows(metal, points, zone.axes, half=_HALF, cells=_CELLS)


def throw_off(
    zone: Zone,
    marks: Marks,
    blocked: tuple[Shadows, Shadows],
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
        blocked: The zone's blocked directions around the needle's points and the anatomy's.
        needle: Unit vector of the needle's last piece, entry to tip.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies.
    """
    beams = _grid(zone)
    flat = beams.reshape(-1, 3)
    reached = c_arm.reaches_each(flat, position)
    mirrored = ~reached & c_arm.reaches_each(-flat, position)
    flat = np.where(mirrored[:, None], -flat, flat)
    shares = np.zeros(len(flat))
    for shadow, weights in zip(blocked, marks.weights(), strict=True):
        shares += shadow.shares(weights, flat, marks.tip_mm[-1], c_arm.source_to_isocentre_mm)
    hidden = shares.reshape(beams.shape[:2])
    nearby = maximum_filter(hidden, footprint=_disc(AROUND_DEG), mode="nearest")
    cost = 0.5 * (hidden + nearby) + _costs(zone, needle, beams)
    allowed = (reached | mirrored).reshape(cost.shape) & (
        beams @ zone.axes[2] >= math.cos(math.radians(WIDEST_DEG)) - _ROUNDING
    )
    if not allowed.any():
        return None
    best = int(np.argmin(np.where(allowed, cost, np.inf)))
    return Found(
        beam=flat[best],
        nearby=float(nearby.flat[best]),
        true_nearby=float(nearby.flat[nearby.size // 2]),
        cost=float(cost.flat[best]),
    )


def _grid(zone: Zone) -> Float[np.ndarray, "r c 3"]:
    """Return the beams of a zone, rows by tilt and columns by turn, with their surroundings.

    ``u = cos b (cos a e + sin a t) + sin b s``, symmetric about the true view.
    """
    widest = WIDEST_DEG + AROUND_DEG
    steps = np.radians(np.arange(-widest, widest + 1, STEP_DEG, dtype=np.float64))
    tilt, turn = np.meshgrid(steps, steps, indexing="ij")
    shares = np.stack([np.cos(tilt) * np.sin(turn), np.sin(tilt), np.cos(tilt) * np.cos(turn)], -1)
    return shares @ zone.axes


def _costs(
    zone: Zone, needle: Vector, beams: Float[np.ndarray, "r c 3"]
) -> Float[np.ndarray, "r c"]:
    short = 1.0 - np.linalg.norm(np.cross(beams, needle), axis=-1)
    smear = np.abs(beams @ zone.keep_square)
    tilt = np.linalg.norm(np.cross(beams, zone.axes[2]), axis=-1)
    return SHORT_COST * short + SMEAR_COST * smear + TILT_COST * tilt


def _disc(radius: int) -> Bool[np.ndarray, "d d"]:
    offsets = np.arange(-radius, radius + 1)
    disc: Bool[np.ndarray, "d d"] = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2
    return disc
