"""Level-by-level measures of vertebrae as the planner reads them, beside the published means.

Of S1 stands here what is read; height of its body, width and axis of its pedicles are set in adult
proportion, and with them the spacing of their centres.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeGuard

import numpy as np

from geometry.exact import MeshDistance
from phantom.morphometry import PHANTOM_LEVELS, morphometry
from phantom.sacrum import sacrum_mesh, sacrum_shape
from phantom.vertebra import vertebra_mesh, vertebra_shape
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.morphometry import ACCEPTED, NORMS
from planner.anatomy.pedicle_measures import pedicle_walls, sagittal_angle, transverse_angle
from planner.anatomy.reader import AnatomyReader
from planner.anatomy.sacral_pedicle import SEEN as CANAL_SEEN
from planner.anatomy.sacrum import sacrum_anatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure

ANGLE_RANGE = math.radians(18.0)  # about the mean, within which a convergence counts as adult
SACRAL = "S1"
SURE = 0.5  # confidence from which a pedicle is measured
LENGTHS = (
    "body width", "body depth", "body height", "pedicle width", "pedicle height", "chord",
    "pedicle spacing", "canal width", "canal depth",
)  # fmt: skip
ANGLES = ("convergence", "descent")
# From the entry along the pedicle's axis to the anterior cortex, mm (DOMAIN 4.1).
CHORD_MM = MappingProxyType(
    {
        "T1": 30.3, "T2": 33.0, "T3": 36.0, "T4": 37.7, "T5": 40.0, "T6": 41.0, "T7": 42.0,
        "T8": 43.0, "T9": 44.0, "T10": 45.0, "T11": 46.0, "T12": 47.2, "L1": 48.0, "L2": 49.0,
        "L3": 50.0, "L4": 50.0, "L5": 50.0,
    }
)  # fmt: skip
# Adult means of what is read of S1 (DOMAIN 4.1, middle of a range); the height of its pedicles is
# 13.6 mm after P:okutan and 20.7 after P:saluja.
SACRAL_MM = MappingProxyType(
    {
        "body width": 50.0, "body depth": 32.0, "pedicle height": 17.15, "chord": 51.0,
        "canal width": 29.5, "canal depth": 17.5,
    }
)  # fmt: skip
_AHEAD_MM, _BACK_MM = 90.0, 60.0  # from an isthmus, beyond which its bone ends
_BEHIND_MM = 45.0  # from a posterior wall, within which its lamina lies
_HEIGHTS = np.linspace(-0.45, 0.45, 10)  # of a body, at which the lamina is looked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A vertebra and what was read from it."""

    bone: Structure
    anatomy: VertebraAnatomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure at one level: mm, or degrees for the pedicle's two angles.

    Attributes:
        level: Level label.
        measure: What was measured.
        published: Adult mean.
        ours: Mean over the vertebrae read.
        least: Smallest value.
        most: Largest value.
        count: How many values it is the mean of.
        inside: Whether all of them lie in the accepted range.
    """

    level: str
    measure: str
    published: float
    ours: float
    least: float
    most: float
    count: int
    inside: bool


def population(
    *, seeds: Iterable[int] = (1,), scales: Iterable[float] = (1.0,), resolution_mm: float = 1.4
) -> Iterator[Measured | Unavailable]:
    """Read drawn vertebrae of every level, seed and scale."""
    for level in PHANTOM_LEVELS:
        for seed in seeds:
            for scale in scales:
                shape = vertebra_shape(morphometry(level, scale=scale), seed=seed)
                mesh = vertebra_mesh(shape, shape.distance, resolution_mm=resolution_mm)
                bone = Structure(name=level, kind=Kind.VERTEBRA, mesh=mesh, level=level)
                yield _measured(bone, vertebra_anatomy(bone))


def sacra(
    *, seeds: Iterable[int] = (1,), scales: Iterable[float] = (1.0,), resolution_mm: float = 1.4
) -> Iterator[Measured | Unavailable]:
    """Read drawn sacra of every seed and scale."""
    for seed in seeds:
        for scale in scales:
            shape = sacrum_shape(seed=seed, scale=scale)
            mesh = sacrum_mesh(shape, resolution_mm=resolution_mm)
            bone = Structure(name=SACRAL, kind=Kind.SACRUM, mesh=mesh, level=SACRAL)
            yield _measured(bone, sacrum_anatomy(bone))


def read_bones(case: Case) -> Iterator[Measured | Unavailable]:
    """Read every vertebra and sacrum of a case."""
    reader = AnatomyReader(case)
    bones = (*case.of_kind(Kind.VERTEBRA), *case.of_kind(Kind.SACRUM))
    return (_measured(bone, reader.bone(bone)) for bone in bones)


def _measured(bone: Structure, found: VertebraAnatomy | Unavailable) -> Measured | Unavailable:
    return found if isinstance(found, Unavailable) else Measured(bone=bone, anatomy=found)


def morphometry_table(read: Iterable[Measured | Unavailable]) -> tuple[Row, ...]:
    """Compare what was read with the published means, level by level, cranial first."""
    by_level: dict[str, list[Measured]] = {}
    for found in read:
        if isinstance(found, Measured):
            by_level.setdefault(found.anatomy.level, []).append(found)
    return tuple(
        row for level in NORMS if level in by_level for row in _rows(level, by_level[level])
    )


def side_difference_mm(anatomy: VertebraAnatomy) -> float | None:
    """Return how far the left isthmus is from the right one's mirror image, mm, if both exist."""
    left, right = (anatomy.pedicles[side] for side in (Side.LEFT, Side.RIGHT))
    if isinstance(left, Unavailable) or isinstance(right, Unavailable):
        return None
    mirrored = anatomy.frame.points(right.centre_mm) * np.array([-1.0, 1.0, 1.0])
    return float(np.linalg.norm(anatomy.frame.points(left.centre_mm) - mirrored))


def chord_mm(distance: MeshDistance, pedicle: Pedicle) -> float | None:
    """Return the length of the bone along a pedicle's axis, through its isthmus, mm.

    None where the isthmus' centre is no bone, as where a screw was taken out.
    """
    if not distance.contains(pedicle.centre_mm):
        return None
    ends = (pedicle.centre_mm + reach * pedicle.axis for reach in (_AHEAD_MM, -_BACK_MM))
    first = [distance.crossings(pedicle.centre_mm, end) for end in ends]
    if min(map(len, first)) == 0:
        return None
    return float(first[0][0] * _AHEAD_MM + first[1][0] * _BACK_MM)


def canal_depth_mm(distance: MeshDistance, anatomy: VertebraAnatomy) -> float | None:
    """Return how far the nearest bone behind the posterior wall is, in the midline, mm.

    None where there is none, as after a laminectomy.
    """
    out, wall = anatomy.frame.inverse(), 0.5 * anatomy.body.depth_mm
    depths = []
    for height in _HEIGHTS * anatomy.body.posterior_height_mm:
        ends = out.points(np.array([[0.0, wall - 3.0, height], [0.0, wall + _BEHIND_MM, height]]))
        hits = distance.crossings(*ends)
        if distance.contains(ends[0]) and len(hits) > 1:
            depths.append(float(hits[1] - hits[0]) * (_BEHIND_MM + 3.0))
    return min(depths, default=None)


def _rows(level: str, measured: list[Measured]) -> Iterator[Row]:
    lengths, means = _lengths(measured), _published_mm(level)
    low, high = ACCEPTED
    for measure, mean in means.items():
        ours = lengths[measure]
        if level == SACRAL and not ours:  # it was segmented without its canal
            continue
        inside = all(low * mean <= value <= high * mean for value in ours)
        yield _row(level, measure, mean, ours, inside=inside)
    if level == SACRAL:
        return
    pedicles = [(one.anatomy, p) for one in measured for p in _sure(one.anatomy)]
    for measure, angle_of, mean in zip(
        ANGLES,
        (transverse_angle, sagittal_angle),
        (NORMS[level].convergence_rad, morphometry(level).pedicle_sagittal_angle),
        strict=True,
    ):
        angles = [angle_of(a.frame, p) for a, p in pedicles]
        inside = all(abs(angle - mean) < ANGLE_RANGE for angle in angles)
        degrees = [math.degrees(angle) for angle in angles]
        yield _row(level, measure, math.degrees(mean), degrees, inside=inside)


def _published_mm(level: str) -> Mapping[str, float]:
    """Return the adult means of what is measured at a level, mm."""
    if level == SACRAL:
        return SACRAL_MM
    norm, size = NORMS[level], morphometry(level)
    means = (
        norm.body_width_mm, norm.body_depth_mm, norm.body_height_mm, norm.pedicle_width_mm,
        norm.pedicle_height_mm, CHORD_MM[level], size.pedicle_spacing_mm, size.canal_width_mm,
        size.canal_depth_mm,
    )  # fmt: skip
    return dict(zip(LENGTHS, means, strict=True))


def _lengths(measured: list[Measured]) -> dict[str, list[float]]:
    """Return every length that was read of some vertebrae, mm."""
    found = [one.anatomy for one in measured]
    solids = [(MeshDistance(one.bone.mesh), one.anatomy) for one in measured]
    pedicles = [pedicle for anatomy in found for pedicle in _sure(anatomy)]
    chords = [chord_mm(solid, pedicle) for solid, anatomy in solids for pedicle in _sure(anatomy)]
    pairs = [both for anatomy in found if (both := _both(anatomy)) is not None]
    canals = [both for anatomy in found if _shows_canal(anatomy) and (both := _both(anatomy))]
    depths = [canal_depth_mm(solid, anatomy) for solid, anatomy in solids if _shows_canal(anatomy)]
    values = (
        [anatomy.body.width_mm for anatomy in found],
        [anatomy.body.depth_mm for anatomy in found],
        [anatomy.body.posterior_height_mm for anatomy in found],
        [pedicle.width_mm for pedicle in pedicles],
        [pedicle.height_mm for pedicle in pedicles],
        [chord for chord in chords if chord is not None],
        [float(np.linalg.norm(left.centre_mm - right.centre_mm)) for left, right in pairs],
        [_canal_width_mm(left, right) for left, right in canals],
        [depth for depth in depths if depth is not None],
    )
    return dict(zip(LENGTHS, values, strict=True))


def _shows_canal(anatomy: VertebraAnatomy) -> bool:
    """Tell whether a canal was seen; a sacrum may be segmented without one."""
    return anatomy.level != SACRAL or all(p.confidence >= CANAL_SEEN for p in _sure(anatomy))


def _sure(anatomy: VertebraAnatomy) -> list[Pedicle]:
    return [pedicle for pedicle in anatomy.pedicles.values() if _is_sure(pedicle)]


def _is_sure(found: Pedicle | Unavailable) -> TypeGuard[Pedicle]:
    return isinstance(found, Pedicle) and found.confidence >= SURE


def _both(anatomy: VertebraAnatomy) -> tuple[Pedicle, Pedicle] | None:
    """Return the left and the right pedicle if both were read well."""
    left, right = (anatomy.pedicles[side] for side in (Side.LEFT, Side.RIGHT))
    return (left, right) if _is_sure(left) and _is_sure(right) else None


def _canal_width_mm(left: Pedicle, right: Pedicle) -> float:
    """Return how far the medial walls of both isthmuses are apart, mm."""
    return float(np.linalg.norm(pedicle_walls(left).medial_mm - pedicle_walls(right).medial_mm))


def _row(level: str, measure: str, mean: float, ours: list[float], *, inside: bool) -> Row:
    average = float(np.mean(ours)) if ours else math.nan
    return Row(
        level=level, measure=measure, published=mean, ours=average,
        least=min(ours, default=math.nan), most=max(ours, default=math.nan), count=len(ours),
        inside=inside and bool(ours),
    )  # fmt: skip
