"""A screw's shaft, from a mesh of any tessellation with or without thread and head."""

from dataclasses import dataclass

import numpy as np

from geometry.arrays import Point, Vector
from geometry.frames import angle_between
from geometry.mesh import Problem, TriangleMesh
from geometry.mesh_check.edges import components
from planner.anatomy.findings import warning
from planner.anatomy.holding import BoneSolid, Held, held, solids
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.anatomy.shaft import Shaft, fitted_shaft, long_axis
from planner.anatomy.shaft_ends import end, neck, turned
from planner.anatomy.slices import capped, part_of
from planner.case import Cylinder, Kind, Structure

LEAST_PIECE_MM = 6.0  # pieces of a screw shorter than this are parts of its head
LEAST_SHAFT = 1.4  # least length of a shaft, in diameters
DIAMETERS_MM = (2.5, 11.5)  # DOMAIN 3.5: 3.5 to 10.5, and what voxels take or add
SHORT_MM = 15.0
HEAD_MM = 1.0  # excess radius times length that makes a head, mm x mm / mm
BENT_MM = 1.0  # from straight, that is told
TOO_BENT_MM = 2.0  # from straight, where one line no longer stands for the shaft
ALIGNED_RAD = np.radians(30.0)  # between the halves of a broken screw
NEAR_MM = 15.0  # between their ends, and from a shaft's end to its head


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScrewReading:
    """A screw's axis, or why there is none, and what was found wrong with the screw."""

    axis: ScrewAxis | Unavailable
    findings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """A shaft from its head to its tip, with the signs for and against it."""

    head: Point
    tip: Point
    diameter: float
    has_head: bool
    doubts: tuple[tuple[float, str], ...]
    findings: tuple[Problem, ...]


def screw_axis(screw: Structure, *, bones: tuple[Structure, ...] = ()) -> ScrewAxis | Unavailable:
    """Find where a screw's shaft meets its head, where it ends, and how thick it is.

    Args:
        screw: A primitive, which is taken as it is, or a mesh. The tip is its farthest point along
            the axis; the diameter is the thread's outer one.
        bones: To name the level, and to tell the tip of a headless screw, which is the end inside
            bone.

    Returns:
        The shaft in patient LPS, or why it was not found.
    """
    return screw_reading(screw, bones=solids(bones)).axis


def screw_reading(
    screw: Structure, *, bones: tuple[BoneSolid, ...] = (), metal: tuple[Structure, ...] = ()
) -> ScrewReading:
    """Read a screw's axis and what is wrong with the screw.

    Args:
        screw: As for ``screw_axis``.
        bones: Those that may hold it.
        metal: The other implants; the head of a shaft that has none is next to them.
    """
    if isinstance(screw.primitive, Cylinder):
        given = screw.primitive
        seen = _Seen(
            head=given.head_mm, tip=given.tip_mm, diameter=given.diameter_mm, has_head=True,
            doubts=((1.0, "given as a cylinder"),), findings=(),
        )  # fmt: skip
        return _labelled(screw, seen, bones)
    found = _seen(screw, bones, metal)
    if isinstance(found, ScrewReading):
        return found
    return _labelled(screw, found, bones)


def screw_along(
    screw: Structure, line: tuple[Point, Vector], *, bones: tuple[BoneSolid, ...] = ()
) -> ScrewReading:
    """Read a screw whose shaft is known to lie about a line, in a mesh that may hold more.

    Args:
        screw: Its mesh need not be closed where it was cut out of its surroundings.
        line: A point near the shaft, and about its direction towards the tip.
        bones: Those that may hold it.
    """
    found = _measured(screw.mesh, line, bones, ())
    return found if isinstance(found, ScrewReading) else _labelled(screw, found, bones)


def _labelled(screw: Structure, seen: _Seen, bones: tuple[BoneSolid, ...]) -> ScrewReading:
    """Put the level by what holds the shaft; say where that is not what was stated."""
    holds = held(seen.head, seen.tip, seen.diameter, bones)
    level, findings = screw.level, list(seen.findings)
    doubts = list(seen.doubts)
    if holds is not None and holds.level is not None:
        if level is not None and level != holds.level and not _same_bone(level, holds):
            message = (
                f"level {level} is stated, but {holds.share:.0%} of the shaft lies in "
                f"{holds.name} ({holds.level}), which is taken"
            )
            findings.append(warning("level-contradicted", message))
            doubts.append((0.6, message))
            level = holds.level
        level = level or holds.level
    confidence, cause = min(doubts, key=lambda d: d[0])
    axis = ScrewAxis(
        structure=screw.name,
        head_mm=seen.head,
        tip_mm=seen.tip,
        diameter_mm=seen.diameter,
        level=level,
        side=screw.side,
        confidence=confidence,
        cause=cause,
        has_head=seen.has_head,
    )
    return ScrewReading(axis=axis, findings=tuple(findings))


def _same_bone(level: str, holds: Held) -> bool:
    """Tell whether a stated level names the bone too: a sacrum holds S1 and S2 screws alike."""
    return holds.kind in {Kind.SACRUM, Kind.ILIUM} and level in {"S1", "S2"}


def _seen(
    screw: Structure, bones: tuple[BoneSolid, ...], metal: tuple[Structure, ...]
) -> _Seen | ScrewReading:
    """Fit the shaft, tell head from tip, and look for breaks and bends."""
    mesh = capped(screw.mesh)
    shafts = _shafts(mesh)
    if isinstance(shafts, Unavailable):
        return ScrewReading(axis=shafts)
    main = shafts[0]
    broken = _broken(main, shafts[1:])
    if broken is not None:
        return ScrewReading(axis=Unavailable(reason=broken.message), findings=(broken,))
    return _measured(mesh, (main.origin, main.axis), bones, metal)


def _measured(
    mesh: TriangleMesh,
    line: tuple[Point, Vector],
    bones: tuple[BoneSolid, ...],
    metal: tuple[Structure, ...],
) -> _Seen | ScrewReading:
    """Measure the screw that lies about a line."""
    whole = fitted_shaft(mesh, *line)
    if isinstance(whole, Unavailable):
        return ScrewReading(axis=whole)
    sagitta, angle = _bend(whole)
    findings: tuple[Problem, ...] = ()
    if sagitta > BENT_MM:
        findings = (
            warning(
                "screw-bent",
                f"the shaft is bent by {np.degrees(angle):.1f} degrees: "
                f"it stands {sagitta:.1f} mm off a straight line",
            ),
        )
    if sagitta > TOO_BENT_MM:
        reason = f"the screw's shaft is not straight: {findings[0].message}"
        return ScrewReading(axis=Unavailable(reason=reason), findings=findings)
    return _with_ends(whole, mesh, findings, _away_from(whole, bones, metal))


def _shafts(mesh: TriangleMesh) -> list[Shaft] | Unavailable:
    """Return the shafts of a mesh's pieces, longest first; lumps such as a tulip are none."""
    found = []
    why = Unavailable(reason="the screw is too small to have a shaft")
    for piece in large_pieces(mesh):
        centre, axis, slender = long_axis(piece)
        shaft = fitted_shaft(piece, centre, axis)
        if isinstance(shaft, Unavailable):
            why = shaft
            continue
        length, diameter = shaft.high - shaft.low, 2.0 * shaft.crest_radius
        if not DIAMETERS_MM[0] < diameter < DIAMETERS_MM[1]:
            why = Unavailable(reason=f"it is {diameter:.1f} mm thick, as no screw's shaft is")
        elif length < LEAST_SHAFT * diameter or slender < 1.2:
            why = Unavailable(
                reason=f"the screw has no long axis: {length:.0f} mm of one thickness at "
                f"{diameter:.1f} mm in diameter are not a shaft"
            )
        else:
            found.append(shaft)
    return sorted(found, key=lambda s: s.low - s.high) or why


def large_pieces(mesh: TriangleMesh) -> list[TriangleMesh]:
    """Return the connected pieces that are long enough to matter."""
    label = components(mesh.faces)
    if label.max(initial=0) == 0:
        return [mesh]
    low = np.full((int(label.max()) + 1, 3), np.inf)
    high = -low
    np.minimum.at(low, label, mesh.corners.min(axis=1))
    np.maximum.at(high, label, mesh.corners.max(axis=1))
    large = np.flatnonzero(np.linalg.norm(high - low, axis=1) > LEAST_PIECE_MM)
    return [part_of(mesh, label == i) for i in large.tolist()]


def _broken(main: Shaft, others: list[Shaft]) -> Problem | None:
    """Tell whether another piece goes on where a shaft ends: gap, kink and step, in numbers."""
    for other in others:
        kink = angle_between(main.axis, other.axis)
        kink = min(kink, np.pi - kink)
        ends = [main.origin + s * main.axis for s in (main.low, main.high)]
        pieces = [other.origin + s * other.axis for s in (other.low, other.high)]
        gap, end, start = min(
            ((float(np.linalg.norm(p - e)), e, p) for e in ends for p in pieces),
            key=lambda item: item[0],
        )
        alike = 0.7 < other.core_radius / main.core_radius < 1.4
        if kink < ALIGNED_RAD and gap < NEAR_MM and alike:
            along = abs(float((start - end) @ main.axis))
            step = float(np.linalg.norm(np.cross(start - end, main.axis)))
            length = other.high - other.low
            return warning(
                "screw-broken",
                f"the shaft is in two pieces, {along:.1f} mm apart along it and {step:.1f} mm "
                f"across, with a kink of {np.degrees(kink):.1f} degrees; the shorter piece is "
                f"{length:.0f} mm long (failure type 3)",
            )
    return None


def _bend(shaft: Shaft) -> tuple[float, float]:
    """Return how far a shaft's middle stands off straight, mm, and its kink, radians.

    A line with one corner is fitted to the centroids, at the place that suits them best.
    """
    cuts = shaft.cuts
    radii = np.sqrt(cuts.areas / np.pi) / shaft.core_radius
    like = (radii > 0.85) & (radii < 1.18) & (cuts.mean_radii < 6.0 * shaft.core_radius)
    middle = 0.5 * (shaft.low + shaft.high)
    at = np.flatnonzero(like)
    runs = np.split(at, np.flatnonzero(np.diff(cuts.along[at]) > 2.5) + 1)
    run = min(runs, key=lambda r: np.abs(cuts.along[r] - middle).min(initial=np.inf))
    if len(run) < 12:
        return 0.0, 0.0
    z, points = cuts.along[run], cuts.centroids[run]
    low, high = float(z[0]), float(z[-1])
    best, sagitta, kink = np.inf, 0.0, 0.0
    for share in np.linspace(0.2, 0.8, 13):
        corner = low + share * (high - low)
        design = np.stack([np.ones_like(z), z, np.maximum(0.0, z - corner)], axis=1)
        values, *_ = np.linalg.lstsq(design, points, rcond=None)
        rest = float(((points - design @ values) ** 2).sum())
        if rest < best:
            before, after = values[1], values[1] + values[2]
            best, kink = rest, angle_between(before, after)
            lever = (corner - low) * (high - corner) / (high - low)
            sagitta = float(np.linalg.norm(values[2]) * lever)
    return sagitta, kink


def _away_from(shaft: Shaft, bones: tuple[BoneSolid, ...], metal: tuple[Structure, ...]) -> Vector:
    """Return which way the tip of a headless shaft is: off the metal, into bone, to the front."""
    ends = [shaft.origin + s * shaft.axis for s in (shaft.low, shaft.high)]
    if metal:
        gaps = [
            min(float(np.linalg.norm(m.mesh.vertices - e, axis=1).min()) for m in metal)
            for e in ends
        ]
        if min(gaps) < NEAR_MM and abs(gaps[1] - gaps[0]) > 5.0:
            return shaft.axis if gaps[1] > gaps[0] else -shaft.axis
    inside = [any(bone.holds(end) for bone in bones) for end in ends]
    if inside[0] != inside[1]:
        return shaft.axis if inside[1] else -shaft.axis
    return shaft.axis if shaft.axis[1] < 0.0 else -shaft.axis


def _with_ends(
    shaft: Shaft, mesh: TriangleMesh, findings: tuple[Problem, ...], headless: Vector
) -> _Seen | ScrewReading:
    """Find both ends of a shaft, and what speaks against them."""
    excess = np.maximum(0.0, shaft.cuts.mean_radii - 1.05 * shaft.crest_radius)
    step = float(np.median(np.diff(shaft.cuts.along)))
    middle = 0.5 * (shaft.low + shaft.high)
    below = step * float(excess[shaft.cuts.along < middle].sum())
    above = step * float(excess[shaft.cuts.along > middle].sum())
    if min(below, above) > max(HEAD_MM, 0.3 * max(below, above)):
        reason = "the shaft is thick at both ends: which is the head cannot be told"
        return ScrewReading(axis=Unavailable(reason=reason), findings=findings)
    has_head = max(below, above) > HEAD_MM
    if has_head:
        shaft = shaft if below > above else turned(shaft)
    else:
        shaft = shaft if headless @ shaft.axis > 0.0 else turned(shaft)
    tip, doubt = end(shaft, mesh)
    doubts = [doubt]
    if has_head:
        head = neck(shaft, mesh)
    else:
        back, _ = end(turned(shaft), mesh)
        head = -back
        doubts.append((0.6, "no head is seen: the shaft's outer end is taken for where it begins"))
    if tip - head < SHORT_MM:
        doubts.append((0.5, f"only {tip - head:.0f} mm of the shaft are seen"))
    doubts.append(
        (
            float(np.clip(0.6 / max(shaft.scatter, 1e-9), 0.0, 1.0)),
            f"the surface scatters by {shaft.scatter:.2f} mm about the shaft",
        )
    )
    doubts += [(0.4, f.message) for f in findings]
    return _Seen(
        head=shaft.origin + head * shaft.axis,
        tip=shaft.origin + tip * shaft.axis,
        diameter=2.0 * shaft.crest_radius,
        has_head=has_head,
        doubts=tuple(doubts),
        findings=findings,
    )
