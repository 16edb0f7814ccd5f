"""The lucency around a loose screw: as segmented, or modelled around the shaft and said so.

DOMAIN 3.5: loosening shows as a lucency wider than 1 mm; 1.0 to 3.5 mm occur, 1.5 is assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, unit
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.anatomy.body import surface_of
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.anatomy.slices import frame_along
from planner.case import Structure

THICKNESS_MM = 1.5  # assumed where nothing tells it [A]
THICKNESSES_MM = (0.5, 4.0)  # that a gap between shaft and bone may have and be a lucency [A]
FROM = 0.25  # of the shaft, from the head: the halo counts from inside the bone [A]
TO = 0.95
OFF_CORTEX_MM = 0.4  # a modelled lucency ends this far inside the bone's surface [A]
BESIDE_MM = 0.5  # from the lucency's wall, where bone must be that holds it
STATION_MM = 1.0
TURNS = 24
LEAST_RADIAL_MM = 0.05
GAP_SHARE = 0.5  # of the directions that must meet bone for a gap to be measured


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloRadius:
    """Outer radius of the lucency around a shaft.

    Attributes:
        radius_mm: From the shaft's axis.
        modelled: Whether no lucency is segmented.
        note: How it was found, in words.
    """

    radius_mm: float
    modelled: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelledHalo:
    """A lucency that nobody segmented: its outer surface, closed, the shaft within it.

    Attributes:
        mesh: In patient LPS.
        thickness_mm: Radial, before the bone's surface limited it.
        assumption: What was assumed, in words.
    """

    mesh: TriangleMesh
    thickness_mm: float
    assumption: str


def halo_radius(axis: ScrewAxis, halos: Sequence[Structure], bone: Structure) -> HaloRadius:
    """Return the outer radius of the lucency around a screw: segmented, else modelled.

    Args:
        axis: The screw.
        halos: The case's segmented lucencies; the one of its level and side, or else the one about
            its shaft, is measured.
        bone: The bone that holds it; a hole in its mesh tells the thickness where nothing else
            does.
    """
    shaft = 0.5 * axis.diameter_mm
    own = own_halo(axis, halos)
    if own is None:
        thickness, note = _thickness(axis, bone)
        return HaloRadius(radius_mm=shaft + thickness, modelled=True, note=note)
    outer = _outer(own.mesh.vertices, axis)
    if len(outer) == 0:  # long triangles
        outer = _outer(surface_of(own.mesh).points, axis)
    if len(outer) == 0:
        note = f"{own.name} does not surround {axis.structure}: {THICKNESS_MM} mm is assumed"
        return HaloRadius(radius_mm=shaft + THICKNESS_MM, modelled=True, note=note)
    radius = float(np.median(outer))
    note = f"outer radius {radius:.1f} mm of the lucency {own.name}"
    return HaloRadius(radius_mm=radius, modelled=False, note=note)


def own_halo(axis: ScrewAxis, halos: Sequence[Structure]) -> Structure | None:
    """Return the segmented lucency of a screw: of its level and side, or about its shaft."""
    own = (
        h for h in halos
        if (h.level and (h.level, h.side) == (axis.level, axis.side)) or _around(h, axis)
    )  # fmt: skip
    return next(own, None)


def _outer(points: Points, axis: ScrewAxis) -> Float[np.ndarray, " k"]:
    """Return how far from the axis points about the middle of the shaft lie outside it, mm."""
    along, radial = _cylindrical(points, axis)
    return radial[(along > FROM) & (along < TO) & (radial > 0.5 * axis.diameter_mm)]


def _around(halo: Structure, axis: ScrewAxis) -> bool:
    """Tell whether a lucency lies around this screw: its centre is near the shaft's axis."""
    along, radial = _cylindrical(halo.mesh.vertices.mean(axis=0)[None], axis)
    return bool(0.0 < along[0] < 1.0 and radial[0] < axis.diameter_mm)


def _cylindrical(
    points: Points, axis: ScrewAxis
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return how far along the shaft points lie (0 head, 1 tip) and how far from its axis (mm)."""
    shaft = axis.tip_mm - axis.head_mm
    offset = points - axis.head_mm
    share = offset @ shaft / (shaft @ shaft)
    return share, np.linalg.norm(offset - share[:, None] * shaft, axis=1)


def gap_to_bone(axis: ScrewAxis, bone: Structure) -> float | Unavailable:
    """Return the median gap between a shaft and the wall of the hole it left in a bone's mesh, mm.

    Segmentations of bone often leave out metal and the lucency about it alike; then the hole in
    the bone's mesh is as wide as both. Where the mesh has no hole, nothing can be told.
    """
    distance = MeshDistance(bone.mesh)
    radius = 0.5 * axis.diameter_mm
    shaft = axis.tip_mm - axis.head_mm
    gaps, asked = [], 0
    for share in np.linspace(0.4, 0.9, 11):
        middle = axis.head_mm + share * shaft
        if distance.contains(middle):
            continue
        for spoke in _spokes(axis):
            asked += 1
            hits = distance.crossings(middle, middle + (radius + 6.0) * spoke)
            if len(hits):
                gaps.append(float(hits[0]) * (radius + 6.0) - radius)
    if asked < TURNS or len(gaps) < GAP_SHARE * asked:
        return Unavailable(reason=f"{bone.name} has no hole around {axis.structure} to measure")
    gap = float(np.median(gaps))
    if not THICKNESSES_MM[0] < gap < THICKNESSES_MM[1]:
        return Unavailable(
            reason=f"the hole around {axis.structure} in {bone.name} leaves a gap of {gap:.1f} mm, "
            "which is no lucency's"
        )
    return gap


def modelled_halo(
    axis: ScrewAxis, bone: Structure, *, thickness_mm: float | None = None
) -> ModelledHalo | Unavailable:
    """Model the lucency around a shaft: a capsule about it, as far as the bone reaches.

    Args:
        axis: The screw.
        bone: The bone that holds it.
        thickness_mm: Radial; if not given it is the gap to the wall of the hole in the bone's
            mesh, else the assumed one.

    Returns:
        The capsule, or why there is none: the shaft does not lie in this bone.
    """
    if thickness_mm is None:
        thickness, assumption = _thickness(axis, bone)
    else:
        thickness = thickness_mm
        assumption = f"a radial thickness of {thickness:.1f} mm around {axis.structure} is given"
    distance = MeshDistance(bone.mesh)
    shaft = axis.tip_mm - axis.head_mm
    length = float(np.linalg.norm(shaft))
    along = unit(shaft)
    inside = _span_in_bone(axis, distance, 0.5 * axis.diameter_mm + thickness + BESIDE_MM)
    if inside is None:
        return Unavailable(reason=f"the shaft of {axis.structure} does not lie in {bone.name}")
    start, stop = inside[0] * length, min(inside[1] * length, length)
    radius = 0.5 * axis.diameter_mm
    heights = np.linspace(start, stop, max(4, int(np.ceil((stop - start) / STATION_MM))))
    radii = np.full(len(heights), radius + thickness)
    if stop > length - 1e-6:  # round off beyond the tip
        turns = np.arcsin(np.array([0.4, 0.75, 0.95]))
        heights = np.concatenate([heights, length + thickness * np.sin(turns)])
        radii = np.concatenate([radii, (radius + thickness) * np.cos(turns)])
    spokes = _spokes(axis)
    rings = []
    for height, reach in zip(heights, radii, strict=True):
        middle = axis.head_mm + height * along
        room = np.array([_room(distance, middle, spoke, reach) for spoke in spokes])
        rings.append(middle + np.minimum(room, reach)[:, None] * spokes)
    return ModelledHalo(
        mesh=_capsule(np.array(rings)), thickness_mm=thickness, assumption=assumption
    )


def _thickness(axis: ScrewAxis, bone: Structure) -> tuple[float, str]:
    """Return the radial thickness of a lucency that is not segmented, and how it came about."""
    gap = gap_to_bone(axis, bone)
    if isinstance(gap, Unavailable):
        return THICKNESS_MM, (
            f"no segmented lucency around {axis.structure}: "
            f"a radial thickness of {THICKNESS_MM} mm is assumed"
        )
    return gap, (
        f"no segmented lucency around {axis.structure}: the gap of {gap:.1f} mm between the shaft "
        f"and the wall of its hole in {bone.name} is taken for it"
    )


def _span_in_bone(
    axis: ScrewAxis, distance: MeshDistance, beside: float
) -> tuple[float, float] | None:
    """Return from where to where along a shaft (0 head, 1 tip) bone is about it."""
    shaft = axis.tip_mm - axis.head_mm
    spokes = _spokes(axis)[:: TURNS // 6]
    shares = np.linspace(0.0, 1.0, 41)
    held = []
    for share in shares:
        middle = axis.head_mm + share * shaft
        ring = [distance.contains(middle + beside * spoke) for spoke in spokes]
        held.append(distance.contains(middle) or sum(ring) >= len(spokes) - 1)
    if not any(held):
        return None
    at = shares[np.array(held)]
    return float(at[0]), float(at[-1])


def _spokes(axis: ScrewAxis) -> Points:
    """Return unit directions across a shaft, all around."""
    first, second = frame_along(unit(axis.tip_mm - axis.head_mm))
    turns = 2.0 * np.pi * np.arange(TURNS) / TURNS
    return np.cos(turns)[:, None] * first + np.sin(turns)[:, None] * second


def _room(distance: MeshDistance, middle: Point, spoke: Point, reach: float) -> float:
    """Return how far a lucency may reach along a spoke and stay in bone, mm."""
    hits = distance.crossings(middle, middle + (reach + OFF_CORTEX_MM) * spoke)
    if not distance.contains(middle) or len(hits) == 0:
        return reach
    return max(LEAST_RADIAL_MM, float(hits[0]) * (reach + OFF_CORTEX_MM) - OFF_CORTEX_MM)


def _capsule(rings: Float[np.ndarray, "k t 3"]) -> TriangleMesh:
    """Return the closed surface over rings, its ends fanned shut, wound outward."""
    count, turns, _ = rings.shape
    ends = np.stack([rings[0].mean(axis=0), rings[-1].mean(axis=0)])
    here = np.arange(turns)
    after = (here + 1) % turns
    low = np.stack([after, here, np.full(turns, count * turns)], axis=1)
    last = (count - 1) * turns
    high = np.stack([last + here, last + after, np.full(turns, count * turns + 1)], axis=1)
    walls = []
    for ring in range(count - 1):
        a, b = ring * turns, (ring + 1) * turns
        walls.append(np.stack([a + here, a + after, b + after], axis=1))
        walls.append(np.stack([a + here, b + after, b + here], axis=1))
    faces = np.concatenate([low, *walls, high])
    return triangle_mesh(np.concatenate([rings.reshape(-1, 3), ends]), faces)
