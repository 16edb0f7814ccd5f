"""A mask of metal split into screws, rods, crosslinks and cages, voxel by voxel.

The instruments are told by ``planner.anatomy``; here every voxel of the mask goes to one of them,
so that nothing of the metal is lost. What is told to be none of them stays an obstacle.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import label as components

from exchange.segments import Segment, moved_to
from exchange.surface import surface_of
from geometry.arrays import Points, unit
from planner.anatomy.holding import solids
from planner.anatomy.model import CageEnds, HardwareAnatomy, RodLine, ScrewAxis
from planner.anatomy.reader import AnatomyReader
from planner.case import Case, Kind, Side, Structure

METAL = "metal"
SPECK_MM3 = 10.0  # less is noise of the threshold or a streak [A]
HEAD_MM = 16.0  # of a screw, behind its shaft [A]
HEAD_RADIUS_MM = 7.0  # [A]
ROD_SHARE = 1.15  # of its radius, within which metal is the rod's even inside a head [A]
FARTHEST = 3.0  # radii, beyond which metal belongs to no instrument
FARTHEST_MM = 5.0
CRUMB = 0.1  # of an instrument's voxels: smaller pieces apart from it go to what is nearest
CAGE_MM = (8.0, 70.0)  # longest extent
_NEIGHBOURS = np.ones((3, 3, 3), dtype=int)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instrument:
    """One piece of metal with the voxels that are its own.

    Attributes:
        name: What it is called in the case, such as ``screw_L3_L``.
        kind: What it is.
        level: Level of the bone that holds it, for a screw.
        side: The patient's side.
        segment: Its voxels.
    """

    name: str
    kind: Kind
    level: str | None
    side: Side | None
    segment: Segment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """What a voxel is measured against: a line with a radius."""

    points: Points
    radius_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Told:
    """An instrument that was told in the metal, and the lines that its metal lies about."""

    name: str
    kind: Kind
    level: str | None
    side: Side | None
    lines: tuple[_Line, ...]


def split(metal: Segment, bones: tuple[Structure, ...]) -> tuple[list[Instrument], list[str]]:
    """Split a mask of metal into its instruments.

    Args:
        metal: The mask.
        bones: Those that may hold screws and that cages may lie between, patient LPS.

    Returns:
        The instruments, every voxel in one of them but for specks; and what a person should know.
    """
    pieces, notes = _pieces(metal)
    cages, rest = [], np.zeros_like(metal.voxels)
    for piece in pieces:
        cage = _cage(_part(metal, piece), bones)
        if cage is None:
            rest |= piece
        else:
            cages.append(cage)
    if not rest.any():
        return _named_apart(cages), notes
    block = _part(metal, rest)
    hardware = _read(Structure(name=METAL, kind=Kind.SCREW, mesh=surface_of(block)), bones)
    found = list(_instruments(block, hardware))
    unclear = [one for one in found if one.level is None and one.name == METAL]
    if unclear:
        notes.append(
            f"{len(unclear)} piece{'s' * (len(unclear) > 1)} of metal could not be told to be a "
            "screw, rod or cage; an obstacle of kind screw stands for each, and no target"
        )
    return _named_apart([*found, *cages]), notes


def _pieces(metal: Segment) -> tuple[list[Bool[np.ndarray, "i j k"]], list[str]]:
    """Return the connected pieces of a mask, and what to say about specks left out."""
    numbered, count = components(metal.voxels, structure=_NEIGHBOURS)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:] * metal.voxel_mm3
    kept = [number for number in range(1, count + 1) if sizes[number - 1] >= SPECK_MM3]
    specks = [float(size) for size in sizes if size < SPECK_MM3]
    notes = []
    if specks:
        notes.append(
            f"{metal.label}: left out {len(specks)} specks of less than {SPECK_MM3:.0f} mm3, "
            f"{sum(specks):.1f} mm3 together"
        )
    return [numbered == number for number in kept], notes


def _part(segment: Segment, voxels: Bool[np.ndarray, "i j k"]) -> Segment:
    """Return some voxels of a segment, in a box of their own."""
    where = np.argwhere(voxels)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Segment(
        label=segment.label,
        voxels=voxels[window],
        lps_from_voxel=moved_to(segment.lps_from_voxel, low),
        cut=segment.cut,
    )


def _read(metal: Structure, bones: tuple[Structure, ...]) -> HardwareAnatomy:
    case = Case(name="", structures=(*bones, metal), digest="")
    return AnatomyReader(case).hardware()


def _cage(piece: Segment, bones: tuple[Structure, ...]) -> Instrument | None:
    """Return a piece as a cage, if it is compact and faces two bones, one above, one below."""
    mesh = surface_of(piece)
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    if not CAGE_MM[0] <= extent <= CAGE_MM[1]:
        return None
    ends = _read(Structure(name=METAL, kind=Kind.CAGE, mesh=mesh), bones).cages[METAL]
    if not isinstance(ends, CageEnds) or ends.above is None or ends.below is None:
        return None
    middle = 0.5 * (ends.cranial_mm + ends.caudal_mm)
    if any(solid.holds(middle) for solid in solids(bones)):
        return None  # it lies in a bone, as a screw does
    return Instrument(
        name=f"cage_{ends.above}_{ends.below}",
        kind=Kind.CAGE, level=ends.above, side=ends.side, segment=piece,
    )  # fmt: skip


def _instruments(block: Segment, hardware: HardwareAnatomy) -> Iterator[Instrument]:
    """Yield the instruments of a block with their voxels, then what belongs to none of them."""
    told = list(_told(hardware))
    owner = _owners(block, told)
    for number, one in enumerate(told, start=1):
        mine = owner == number
        if mine.any():
            yield Instrument(
                name=one.name, kind=one.kind, level=one.level, side=one.side,
                segment=_part(block, mine),
            )  # fmt: skip
    loose, count = components(owner == len(told) + 1, structure=_NEIGHBOURS)
    for number in range(1, count + 1):
        piece = _part(block, loose == number)
        yield Instrument(name=METAL, kind=Kind.SCREW, level=None, side=None, segment=piece)


def _told(hardware: HardwareAnatomy) -> Iterator[_Told]:
    """Yield the screws, rods and crosslinks that were told, with their lines."""
    for axis in hardware.screws.values():
        if isinstance(axis, ScrewAxis):
            back = axis.head_mm - HEAD_MM * unit(axis.tip_mm - axis.head_mm)
            shaft = _Line(
                points=np.stack([axis.head_mm, axis.tip_mm]), radius_mm=0.5 * axis.diameter_mm
            )
            head = _Line(points=np.stack([back, axis.head_mm]), radius_mm=HEAD_RADIUS_MM)
            yield _Told(
                name=f"screw_{axis.level}" if axis.level else "screw", kind=Kind.SCREW,
                level=axis.level, side=axis.side,
                lines=(shaft, head) if axis.has_head else (shaft,),
            )  # fmt: skip
    for kind, lines in ((Kind.ROD, hardware.rods), (Kind.CROSSLINK, hardware.crosslinks)):
        for line in lines.values():
            if isinstance(line, RodLine):
                points = np.asarray(line.points_mm)
                bar = _Line(points=points, radius_mm=0.5 * line.diameter_mm)
                yield _Told(
                    name=kind.value, kind=kind, level=None,
                    side=line.side if kind is Kind.ROD else None, lines=(bar,),
                )  # fmt: skip


def _owners(block: Segment, told: list[_Told]) -> Int[np.ndarray, "i j k"]:
    """Return the number of the instrument that each voxel belongs to, from 1; 0 outside.

    A rod goes before the head that holds it; else the instrument counts whose line is nearest in
    its own radii. What is far from all has the number after the last.
    """
    where = np.argwhere(block.voxels)
    points = where @ block.lps_from_voxel[:3, :3].T + block.lps_from_voxel[:3, 3]
    nearest = np.full(len(points), FARTHEST)
    number = np.full(len(points), len(told) + 1)
    for place, one in enumerate(told, start=1):
        for line in one.lines:
            gap = _distance(points, line.points)
            share = gap / line.radius_mm
            if one.kind is Kind.ROD:
                share = np.where(share < ROD_SHARE, 0.0, share)
            better = (share < nearest) & (gap < line.radius_mm + FARTHEST_MM)
            nearest[better], number[better] = share[better], place
    owner = np.zeros(block.voxels.shape, dtype=int)
    owner[tuple(where.T)] = number
    return _without_crumbs(owner)


def _distance(points: Points, line: Points) -> Float[np.ndarray, " n"]:
    """Return the distance of each point from a polyline, mm."""
    found = np.full(len(points), np.inf)
    for start, step in zip(line[:-1], np.diff(line, axis=0), strict=True):
        share = np.clip((points - start) @ step / max(float(step @ step), 1e-12), 0.0, 1.0)
        gap = np.linalg.norm(points - start - share[:, None] * step, axis=1)
        found = np.minimum(found, gap)
    return found


def _without_crumbs(owner: Int[np.ndarray, "i j k"]) -> Int[np.ndarray, "i j k"]:
    """Give the small pieces of an instrument that lie apart from it to what is next to them."""
    sound = np.zeros(owner.shape, dtype=bool)
    for number in range(1, int(owner.max()) + 1):
        numbered, count = components(owner == number, structure=_NEIGHBOURS)
        sizes = np.bincount(numbered.ravel(), minlength=count + 1)
        sizes[0] = 0
        sound |= (sizes >= CRUMB * sizes.max(initial=0))[numbered] & (numbered > 0)
    near = distance_transform_edt(~sound, return_distances=False, return_indices=True)
    return np.where(owner > 0, owner[tuple(near)], 0)


def _suffix(side: Side | None) -> str:
    return {Side.LEFT: "_L", Side.RIGHT: "_R", None: ""}[side]


def _named_apart(found: list[Instrument]) -> list[Instrument]:
    """Give instruments of one name their sides, then numbers."""
    seen: dict[str, int] = {}
    named = []
    for one in found:
        sided = one.name + _suffix(one.side)
        seen[sided] = seen.get(sided, 0) + 1
        name = sided if seen[sided] == 1 else f"{sided}_{seen[sided]}"
        named.append(replace(one, name=name))
    return named
