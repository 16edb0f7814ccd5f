"""A block of metal, as thresholding gives, taken apart into screws, rods and crosslinks."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from geometry.arrays import Point, Points, Vector, frozen, unit
from geometry.mesh import Problem, TriangleMesh
from planner.anatomy.bars import ALONG_SPINE, STEP_MM, Bar, Break, bars_in, breaks_between
from planner.anatomy.findings import warning
from planner.anatomy.holding import BoneSolid
from planner.anatomy.model import RodLine, ScrewAxis, Unavailable
from planner.anatomy.screw import ScrewReading, screw_along
from planner.anatomy.slices import capped, part_of, slices
from planner.anatomy.solid_grid import solid_grid
from planner.case import Kind, Structure

SPACING_MM = 0.45
HEAD_REACH_MM = 20.0  # behind a shaft's middle, that belongs to its screw
HEAD_RADIUS_MM = 9.0
ROW_MM = 8.0  # in height, between the instruments of one row
LEAST_SHAFT_MM = 14.0
LEAST_ROD_MM = 8.0
ROD_STEP_MM = 1.0
LEAST_STRETCH = 10  # points of a free stretch of a rod, to be measured
FUSED = 0.8  # confidence in what was taken out of a block
RUNS_ON = 0.4  # the same of a rod whose end lies in a head
AGREES_RAD = np.radians(8.0)
AGREES_MM = 10.0
CRANIAL = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Apart:
    """The instruments in one mesh, named ``<structure>#1`` on, cranial to caudal and left first.

    Attributes:
        screws: Screws; one that could not be measured says why.
        rods: Rods' centrelines, cranial end first.
        crosslinks: The same of the bars between rods.
        findings: What is wrong with them.
    """

    screws: dict[str, ScrewReading]
    rods: dict[str, RodLine]
    crosslinks: dict[str, RodLine]
    findings: tuple[Problem, ...]

    @property
    def count(self) -> int:
        """How many instruments there are."""
        return len(self.screws) + len(self.rods) + len(self.crosslinks)


def taken_apart(
    structure: Structure, *, bones: tuple[BoneSolid, ...] = (), up: Vector = CRANIAL
) -> Apart:
    """Take a structure apart into its instruments.

    Args:
        structure: A mesh of metal in patient LPS, in any number of pieces.
        bones: Those that may hold its screws.
        up: About along the spine.

    Returns:
        The instruments; none if no bar was told apart. A shaft runs from a head to a free tip;
        what passes heads is a rod; what joins rods across them is a crosslink.
    """
    mesh = capped(structure.mesh)
    grid = solid_grid(mesh, spacing_mm=SPACING_MM)
    bars = bars_in(grid, up=up)
    order = _ordered(_kinds(bars, structure.kind, up))
    names = {
        number: f"{structure.name}#{place + 1}" if len(order) > 1 else structure.name
        for place, (number, _, _) in enumerate(order)
    }
    screws: dict[str, ScrewReading] = {}
    lines: dict[Kind, dict[str, RodLine]] = {Kind.ROD: {}, Kind.CROSSLINK: {}}
    for number, kind, bar in order:
        name = names[number]
        if kind is Kind.SCREW:
            screws[name] = _screw(replace(structure, name=name, level=None), mesh, bar, bones)
        else:
            lines[kind][name] = _rod(name, mesh, bar)
    kinds = {number: kind for number, kind, _ in order}
    rods = {number for number, kind in kinds.items() if kind is Kind.ROD}
    breaks = [b for b in breaks_between(bars, rods) if {b.first, b.second} <= set(names)]
    told = [_told(b, names, kinds) for b in breaks]
    for found, words in zip(breaks, told, strict=True):
        for name in {names[found.first], names[found.second]} & set(screws):
            screws[name] = ScrewReading(axis=Unavailable(reason=words.message))
    return Apart(
        screws=screws,
        rods=lines[Kind.ROD],
        crosslinks=lines[Kind.CROSSLINK],
        findings=tuple(told),
    )


def _kinds(bars: list[Bar], given: Kind, up: Vector) -> list[tuple[int, Kind, Bar]]:
    """Tell what each bar is, screws from head to tip; drop what is too short to be anything.

    Rods run along the spine or through heads; a shaft runs across it from a head to a free tip;
    a crosslink from one held end to the other.
    """
    result = []
    for number, bar in enumerate(bars):
        held = sum(end.in_head for end in bar.ends)
        along = abs(float(unit(bar.points[-1] - bar.points[0]) @ up)) > ALONG_SPINE
        if bar.passed > 0 or (along and bar.length > LEAST_ROD_MM):
            result.append((number, Kind.ROD, bar))
        elif bar.length < LEAST_SHAFT_MM or along:
            continue
        elif held == 2:
            result.append((number, Kind.CROSSLINK, bar))
        elif held == 1 or given is not Kind.ROD:
            result.append((number, Kind.SCREW, bar.reversed if bar.ends[1].in_head else bar))
        else:
            result.append((number, Kind.ROD, bar))
    return result


def _ordered(bars: list[tuple[int, Kind, Bar]]) -> list[tuple[int, Kind, Bar]]:
    """Order bars in rows from cranial to caudal, each row from left to right."""
    tops = {
        number: bar.points[0] if kind is Kind.SCREW else bar.points[bar.points[:, 2].argmax()]
        for number, kind, bar in bars
    }
    down = sorted(tops, key=lambda number: -float(tops[number][2]))
    row, rows = 0, dict.fromkeys(down, 0)
    for above, below in pairwise(down):
        row += float(tops[above][2] - tops[below][2]) > ROW_MM
        rows[below] = row
    return sorted(bars, key=lambda item: (rows[item[0]], -float(tops[item[0]][0])))


def _screw(
    screw: Structure, mesh: TriangleMesh, bar: Bar, bones: tuple[BoneSolid, ...]
) -> ScrewReading:
    """Measure one screw in the part of the mesh about its shaft and behind it."""
    head, tip = bar.points[0], bar.points[-1]
    axis = unit(tip - head)
    offset = mesh.corners.mean(axis=1) - head
    along = offset @ axis
    aside = np.linalg.norm(offset - along[:, None] * axis, axis=1)
    reach = np.where(along < 0.0, HEAD_RADIUS_MM, 2.0 * bar.radius + 1.0)
    end = float((tip - head) @ axis) + 8.0
    near = (along > -HEAD_REACH_MM) & (along < end) & (aside < reach)
    own = replace(screw, mesh=part_of(mesh, near), side=None)
    reading = screw_along(own, (0.5 * (head + tip), axis), bones=bones)
    found = reading.axis
    if isinstance(found, Unavailable):
        return reading
    if not _agrees(found, head, tip):
        reason = "it cannot be measured apart from the metal that it touches"
        return ScrewReading(axis=Unavailable(reason=reason))
    if found.confidence > FUSED:
        cause = "taken out of a block of metal"
        return replace(reading, axis=replace(found, confidence=FUSED, cause=cause))
    return reading


def _agrees(found: ScrewAxis, head: Point, tip: Point) -> bool:
    """Tell whether a shaft that was measured is the one that was followed."""
    shaft = found.tip_mm - found.head_mm
    turn = float(unit(shaft) @ unit(tip - head))
    ends = np.linalg.norm(found.head_mm - head), np.linalg.norm(found.tip_mm - tip)
    return bool(turn > np.cos(AGREES_RAD) and max(ends) < AGREES_MM)


def _rod(name: str, mesh: TriangleMesh, bar: Bar) -> RodLine:
    """Measure one rod: sections across its free stretches, a smooth line through its heads."""
    gaps = np.linalg.norm(np.diff(bar.points, axis=0), axis=1)
    stretches = np.split(bar.points, np.flatnonzero(gaps > 2.5 * STEP_MM) + 1)
    long = [s for s in stretches if len(s) >= LEAST_STRETCH]  # stubs beyond a head lead astray
    stretches = long or [bar.points]
    middles, areas = [], []
    for stretch in stretches:
        points, area = _sections(mesh, stretch, bar.radius)
        middles.append(points)
        areas.append(area)
    line = np.concatenate(middles)
    travel = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    places = np.linspace(0.0, travel[-1], max(4, round(travel[-1] / 2.5)))
    smooth = CubicSpline(travel, line)(places)
    line = np.concatenate([bar.ends[0].exit[None], smooth, bar.ends[1].exit[None]])
    line = line if line[0, 2] >= line[-1, 2] else line[::-1]
    runs_on = any(end.in_head for end in bar.ends)
    return RodLine(
        structure=name,
        points_mm=frozen(line),
        diameter_mm=2.0 * float(np.sqrt(np.median(np.concatenate(areas)) / np.pi)),
        side=None,
        confidence=RUNS_ON if runs_on else FUSED,
        cause=(
            "it ends in a head or clamp, where it may run on"
            if runs_on
            else "taken out of a block of metal"
        ),
    )


def _sections(
    mesh: TriangleMesh, line: Points, radius: float
) -> tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, " a"]]:
    """Return the centroids of sections across a stretch of a rod, and their areas square to it."""
    whole = line, np.full(1, np.pi * radius**2)
    if len(line) < LEAST_STRETCH:
        return whole
    first, axis = line[0], unit(line[-1] - line[0])
    length = float((line[-1] - first) @ axis)
    centres = mesh.corners.mean(axis=1)
    along = (centres - first) @ axis
    tall = np.flatnonzero((along > -3.0) & (along < length + 3.0))
    distance, _ = cKDTree(line).query(centres[tall])
    chosen = np.zeros(len(mesh.faces), dtype=bool)
    chosen[tall[distance < 1.4 * radius + 1.0]] = True
    cuts = slices(part_of(mesh, chosen), first, axis, spacing_mm=ROD_STEP_MM)
    on = (cuts.along > 0.0) & (cuts.along < length)
    typical = float(np.median(cuts.areas[on])) if on.any() else 0.0
    on &= (cuts.areas > 0.8 * typical) & (cuts.areas < 1.25 * typical)
    points = cuts.centroids[on]
    if len(points) < 4:
        return whole
    tangents = np.gradient(points, axis=0)
    tilt = (tangents @ axis) / np.linalg.norm(tangents, axis=1)
    return points[::2], cuts.areas[on] * np.abs(tilt)


def _told(found: Break, names: dict[int, str], kinds: dict[int, Kind]) -> Problem:
    """Put a break into a sentence."""
    both = (found.first, found.second)
    is_screw = any(kinds[number] is Kind.SCREW for number in both)
    return warning(
        "screw-broken" if is_screw else "rod-broken",
        f"{names[found.first]} and {names[found.second]} face each other {found.gap_mm:.1f} mm "
        f"apart, {found.step_mm:.1f} mm aside and with a kink of "
        f"{np.degrees(found.kink_rad):.1f} degrees: one {'shaft' if is_screw else 'rod'} in two "
        "pieces (failure type 3)",
    )
