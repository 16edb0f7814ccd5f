"""How much error a path forgives: what is certain to be safe, and what is likely to go wrong.

The tolerance is proved, for every error up to a size; the breach probability is sampled, for errors
drawn from a profile (DOMAIN 7). Both leave the anatomy as it is and see the needle as a rigid
body that is shifted and tilted at the skin; the samples also bend it and push it too far or not
far enough. Nobody corrects the needle on its way.
"""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from geometry import _kernels
from geometry.arrays import Points, Rotation, Vector, frozen, unit
from geometry.exact import MeshDistance
from planner.needles.model import Needle
from planner.needles.path import Line, Path, path_chords
from planner.question import Question
from planner.request import ErrorProfile
from planner.result import BreachProbability, Clearance, Misplacement, Tolerance

# The tolerance is at most this share below the largest that its argument can prove.
GAP = 1e-4
SAMPLES = 1000
SEED = 7
# Largest elastic sag of 100 mm of needle; it grows with the square of the length (DOMAIN 7 [A]).
SAG_MM, SAG_LENGTH_MM = 2.0, 100.0
# Pieces of a sampled needle: what bends elastically is within 0.005 mm of its chords, and an arc of
# radius 15 within 0.013 mm.
BENT_PIECE_MM, CURVED_PIECE_MM = 10.0, 1.25
WORST_SHOWN = 3
Z_95 = 1.959963984540054
THREADS = 2

Corners: TypeAlias = Float[np.ndarray, "n k 3"]
PerSample: TypeAlias = Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementError:
    """Standard deviations of one way to place a needle.

    Attributes:
        entry_mm: Of the entry's shift, along either direction across the path.
        angle_rad: Of the tilt about the entry, in either plane through the path.
        depth_mm: Of the depth.
    """

    entry_mm: float
    angle_rad: float
    depth_mm: float


def _profile(entry_mm: float, angle_deg: float, depth_mm: float) -> PlacementError:
    return PlacementError(entry_mm=entry_mm, angle_rad=math.radians(angle_deg), depth_mm=depth_mm)


PROFILES: Mapping[ErrorProfile, PlacementError] = MappingProxyType({
    ErrorProfile.FREEHAND_FLUOROSCOPY: _profile(1.5, 2.0, 2.0),
    ErrorProfile.CT_LASER: _profile(1.0, 1.3, 1.5),
    ErrorProfile.NAVIGATION: _profile(0.8, 1.2, 1.0),
    ErrorProfile.WORST: _profile(3.0, 4.0, 4.0),
})  # fmt: skip


def tolerance(
    question: Question, path: Path, needle: Needle, measured: tuple[Clearance, ...]
) -> Tolerance | None:
    """Return how far a needle may be off while every hard limit provably still holds.

    Let slack(p) be the smallest (distance - hard limit) at a point p of the axis, less the
    needle's radius, and rho(p) the distance of p to the entry. A shift by e moves every point
    by e. A tilt by t about the entry, in whatever plane, moves p by at most
    ``2 rho(p) sin(t / 2)``, which is at most ``rho(p) t``. Distances change by no more than the
    point moves, so

    - shifts are safe up to min slack, which is the margin, and no further;
    - tilts are safe up to ``2 asin(k / 2)``, with k = min slack / rho;
    - multiples m of (shift sE, tilt sA) are safe together up to m = min slack / (sE + rho sA).

    The minima over the whole polyline that stands for the path are found by branch and bound with
    exact distances, to a share of ``GAP``, and rounded down: certified bounds, nothing is sampled.
    They are near what is true where the tightest obstacle lies beside the needle (for a ball, the
    tilt is short of it by its cube over 8), and cautious where it lies ahead of the tip, which a
    tilt does not approach.

    Args:
        question: What was asked, with the error profile that gives the proportion sE to sA.
        path: Skin to tip, patient LPS.
        needle: The needle.
        measured: The path's clearances, one per structure in the case's order.

    Returns:
        The tolerance, or None if a hard limit is broken already or there is none.
    """
    margins = [c.margin_mm for c in measured if c.margin_mm is not None and not c.contact_allowed]
    if not margins or min(margins) < 0.0:
        return None
    error = PROFILES[question.error_profile]
    tilt = _least_ratio(question, path, needle, measured, (0.0, 1.0))
    multiple = _least_ratio(question, path, needle, measured, (error.entry_mm, error.angle_rad))
    return Tolerance(
        entry_mm=min(margins),
        angle_rad=2.0 * math.asin(min(1.0, tilt / 2.0)),
        together=Misplacement(
            entry_mm=multiple * error.entry_mm,
            angle_rad=min(math.pi, multiple * error.angle_rad),
        ),
    )


def _least_ratio(
    question: Question,
    path: Path,
    needle: Needle,
    measured: tuple[Clearance, ...],
    weights: tuple[float, float],
) -> float:
    """Return a lower bound of slack / (shift + turn rho) over a path, for (shift, turn) weights."""
    entry, tubes = path[0].start_mm, needle.tubes(path)
    best = _kernels.FAR
    limited = [c for c in measured if c.required_mm is not None and not c.contact_allowed]
    for c in sorted(limited, key=lambda c: c.margin_mm or 0.0):  # the tightest prunes the rest
        structure = question.prepared.case.structure(c.structure, field_name="structure")
        tree = question.prepared.distance(structure).tree
        for points, radius in tubes:
            reserve = radius + (c.required_mm or 0.0)
            best = _kernels.least_ratio(tree, entry, points, reserve, weights, best, GAP)
    return float(best) * (1.0 - GAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Errors of unit size, the same for every path, so that paths compare fairly.

    Attributes:
        normal: Standard normal: entry (2), tilt (2), depth (1).
        sag: Share of the largest sag, uniform in [0, 1].
        around_rad: Direction of the sag across the path, uniform all round.
    """

    normal: Float[np.ndarray, "n 5"]
    sag: PerSample
    around_rad: PerSample


@cache
def standard_draws() -> Draws:
    """Return the draws that all paths share."""
    rng = np.random.default_rng(SEED)
    return Draws(
        normal=frozen(rng.standard_normal((SAMPLES, 5))),
        sag=frozen(rng.random(SAMPLES)),
        around_rad=frozen(2.0 * math.pi * rng.random(SAMPLES)),
    )


def needle_frame(direction: Vector, axes: Rotation) -> Rotation:
    """Return two unit vectors across a path, then its direction (rows), LPS.

    The first points as far cranial as it can (posterior for a path along the spine), the second
    to the side that the needle heads for. Both turn with the bone, and a mirrored bone has
    mirrored ones.
    """
    along = unit(direction)
    left, posterior, superior = axes
    guide = superior if abs(float(along @ superior)) < 0.9 else posterior
    first = unit(guide - (guide @ along) * along)
    second = np.cross(along, first)
    if (second @ left) * (along @ left) < 0.0:
        second = -second
    return np.stack([first, second, along])


@dataclass(frozen=True, slots=True, kw_only=True)
class Needles:
    """Needles that were meant to follow a path, as polylines, LPS.

    Attributes:
        nominal: Corners of the path itself.
        moved: Corners of each needle.
        shift_mm: How far each corner has moved.
    """

    nominal: Float[np.ndarray, "k 3"]
    moved: Corners
    shift_mm: Float[np.ndarray, "n k"]


def misplaced(path: Path, axes: Rotation, error: PlacementError, draws: Draws) -> Needles:
    """Return the needles that come of following a path with drawn errors.

    In this order a needle is pushed in too far or not far enough (along the path, and beyond its
    end along its last direction), sags by ``SAG_MM * sag * (s / SAG_LENGTH_MM)^2`` at the depth
    s, is tilted about the entry, and is shifted across the path.
    """
    chords = path_chords(path)
    length = float(np.linalg.norm(np.diff(chords, axis=0), axis=1).sum())
    straight = len(path) == 1 and isinstance(path[0], Line)
    piece = BENT_PIECE_MM if straight else CURVED_PIECE_MM
    share = np.linspace(0.0, 1.0, math.ceil(length / piece) + 1)
    frame = needle_frame(chords[1] - chords[0], axes)
    across = draws.normal[:, 0:2] @ frame[:2] * error.entry_mm
    lean = draws.normal[:, 2:4] @ frame[:2] * error.angle_rad
    depth = np.maximum(length + draws.normal[:, 4] * error.depth_mm, 0.0)[:, None] * share
    bend = np.stack([np.cos(draws.around_rad), np.sin(draws.around_rad)], axis=1) @ frame[:2]
    sag = SAG_MM * draws.sag[:, None] * (depth / SAG_LENGTH_MM) ** 2
    needle = _at_depth(chords, depth) - chords[0] + sag[..., None] * bend[:, None, :]
    moved = _leant(needle, frame[2], lean) + chords[0] + across[:, None, :]
    nominal = _at_depth(chords, length * share)
    shift = np.linalg.norm(moved - nominal, axis=2)
    return Needles(nominal=nominal, moved=moved, shift_mm=shift)


def _at_depth(
    chords: Points, depth_mm: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch 3"]:
    """Return the points of a polyline at depths along it, extended straight beyond its end."""
    steps = np.linalg.norm(np.diff(chords, axis=0), axis=1)
    before = np.concatenate([[0.0], np.cumsum(steps)])
    inside = np.stack([np.interp(depth_mm, before, chords[:, k]) for k in range(3)], axis=-1)
    beyond = np.maximum(depth_mm - before[-1], 0.0)
    return inside + beyond[..., None] * unit(chords[-1] - chords[-2])


def _leant(needles: Corners, along: Vector, lean: Points) -> Corners:
    """Turn needles about their origin so that ``along`` leans towards ``lean``, by its length.

    Lengths of ``lean`` are radians. Rodrigues' formula about the axis ``along x lean``.
    """
    angle = np.linalg.norm(lean, axis=1)[:, None, None]
    axis = np.cross(along, lean)[:, None, :] / np.maximum(angle, 1e-300)
    turned = np.cos(angle) * needles + np.sin(angle) * np.cross(axis, needles)
    return turned + (1.0 - np.cos(angle)) * np.sum(axis * needles, axis=-1, keepdims=True) * axis


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the samples say of one structure that some needle comes too near to."""

    clearance: Clearance
    entered: Bool[np.ndarray, " n"]
    broken: Bool[np.ndarray, " n"]
    low_mm: float


def breach_probability(
    question: Question, path: Path, needle: Needle, measured: tuple[Clearance, ...]
) -> BreachProbability:
    """Return how likely a needle meant for a path enters a structure, under an error profile.

    Needles are drawn with ``misplaced`` and measured on the original meshes. A structure is
    entered when the needle's surface comes within it. What the needle is meant to pass through
    never counts; what is advisory counts under its own name only.

    Args:
        question: What was asked, with the error profile.
        path: Skin to tip, patient LPS.
        needle: The needle.
        measured: The path's clearances, one per structure in the case's order.
    """
    draws = standard_draws()
    drawn = misplaced(path, question.axes, PROFILES[question.error_profile], draws)
    counted = [c for c in measured if not c.traversed and not c.contact_allowed]
    parts = _tubes(drawn, path, needle)

    def least(clearance: Clearance) -> PerSample:
        every = [sampled_clearances(question, clearance, r, part) for part, r in parts]
        return np.min(every, axis=0)

    with ThreadPoolExecutor(THREADS) as pool:
        sampled = list(pool.map(least, counted))
    return _summary(question, counted, sampled)


def _tubes(drawn: Needles, path: Path, needle: Needle) -> tuple[tuple[Needles, float], ...]:
    """Cut drawn needles where the cannula ends; return the parts, each with its radius."""
    if len(path) == 1:
        return ((drawn, needle.radius_along(path[0])),)
    share = path[0].length_mm / sum(piece.length_mm for piece in path)
    stop = math.ceil(share * (len(drawn.nominal) - 1))
    parts = ((slice(0, stop + 1), path[0]), (slice(stop, None), path[-1]))
    return tuple(
        (
            Needles(
                nominal=drawn.nominal[cut], moved=drawn.moved[:, cut],
                shift_mm=drawn.shift_mm[:, cut],
            ),
            needle.radius_along(piece),
        )
        for cut, piece in parts
    )  # fmt: skip


def sampled_clearances(
    question: Question, clearance: Clearance, radius_mm: float, needles: Needles
) -> PerSample:
    """Return the clearance (mm) of every misplaced needle to one structure.

    Clearances above the preferred distance count as that, those of needles whose axis enters the
    structure as minus the radius: how deep they go is not measured.
    """
    cap = _cap(question, clearance)
    if clearance.distance_mm - float(needles.shift_mm.max()) >= cap:
        return np.full(len(needles.moved), cap)
    structure = question.prepared.case.structure(clearance.structure, field_name="structure")
    distance = question.prepared.distance(structure)
    far = cap + radius_mm
    axis = _kernels.many_distances(
        distance.tree, needles.nominal, needles.moved, needles.shift_mm, far
    )
    axis[_starts_inside(distance, needles)] = 0.0
    return np.where(axis < far, axis - radius_mm, cap)


def _cap(question: Question, clearance: Clearance) -> float:
    """Return the clearance above which nobody asks how large it is, mm."""
    return max(question.policy.rule_of(clearance).preferred_mm, clearance.required_mm or 0.0)


def _starts_inside(distance: MeshDistance, needles: Needles) -> Bool[np.ndarray, " n"]:
    """Whether needles start inside a mesh: an entry shifted by less than its distance stays put."""
    away, _ = distance.point(needles.nominal[0])
    inside = np.full(len(needles.moved), away < 0.0)
    for i in np.flatnonzero(needles.shift_mm[:, 0] >= abs(away)):
        inside[i] = distance.contains(needles.moved[i, 0])
    return inside


def _summary(
    question: Question, counted: list[Clearance], drawn: list[PerSample]
) -> BreachProbability:
    seen = sorted(
        (
            _Seen(
                clearance=c, entered=values < 0.0, broken=values < (c.required_mm or 0.0),
                low_mm=float(np.quantile(values, 0.05, method="lower")),
            )
            for c, values in zip(counted, drawn, strict=True)
            if np.any(values < _cap(question, c))
        ),
        key=lambda s: (-int(s.entered.sum()), s.low_mm),
    )  # fmt: skip
    limited = [s for s in seen if s.clearance.required_mm is not None]
    close = [s for s in limited if s.low_mm < _cap(question, s.clearance)]
    nothing = np.zeros(SAMPLES, dtype=bool)
    hits = int(np.any([nothing, *(s.entered for s in limited)], axis=0).sum())
    return BreachProbability(
        profile=question.error_profile,
        samples=SAMPLES,
        seed=SEED,
        total=hits / SAMPLES,
        total_interval=wilson_interval(hits, SAMPLES),
        by_structure={s.clearance.structure: float(s.entered.mean()) for s in seen},
        margin_broken=float(np.any([nothing, *(s.broken for s in limited)], axis=0).mean()),
        worst_structure=limited[0].clearance.structure if limited else None,
        p5_clearance_mm={s.clearance.structure: s.low_mm for s in close[:WORST_SHOWN]},
    )


def wilson_interval(hits: int, samples: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson, JASA 1927;22:209-12)."""
    share, z2 = hits / samples, Z_95**2 / samples
    centre = (share + z2 / 2.0) / (1.0 + z2)
    half = Z_95 / (1.0 + z2) * math.sqrt(share * (1.0 - share) / samples + z2 / (4.0 * samples))
    return max(0.0, centre - half), min(1.0, centre + half)
