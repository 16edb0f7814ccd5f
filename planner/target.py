"""Targets: what is asked for becomes a convex region of bone in which the needle's tip must end.

A region is a set of half-spaces ``n . x <= c`` in patient LPS. Going deeper never gains
clearance, so a path ends where it first enters the region: depth follows in closed form.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from geometry.arrays import Point, Points, Rotation, Vector, frozen, unit
from planner.anatomy.halo import FROM as HALO_FROM
from planner.anatomy.halo import halo_radius
from planner.anatomy.model import CageEnds, ScrewAxis, Unavailable, VertebraAnatomy
from planner.case import Case, Kind, Side, Structure
from planner.prepared import PreparedCase
from planner.request import (
    AnteriorBody,
    Beside,
    BesideScrew,
    CageEnd,
    CageInterface,
    FreePoint,
    Intent,
    Lesion,
    ScrewHalo,
    ScrewTip,
    TargetSpec,
)

# DOMAIN 2.5: the tip belongs in the anterior third, f >= 0.66, and keeps off the anterior cortex.
ANTERIOR_THIRD = 0.67
ANTERIOR_STAND_OFF_MM = 4.0  # DOMAIN 2.3: 3-5
ENDPLATE_STAND_OFF_MM = 3.0  # DOMAIN 2.3: tip >= 2 from the endplate, plus an axis' allowance [A]
MIDLINE_FRACTION = 0.25  # half-width of "near the midline", of the body's width [A]
TIP_NEIGHBOURHOOD_MM = 5.0  # DOMAIN 1.2 T2: a few mm beside the tip, 2-5 [A]
CAGE_SLAB_MM = (1.5, 7.0)  # slab of bone against the cage's end [A]
BESIDE_FROM = 0.4  # depth fraction in the body from which bone beside a screw is filled [A]
BESIDE_MM = 6.0  # how far from a lucency bone counts as beside the screw [A]
OFF_ENDPLATE_MM = 1.0  # a tip near a screw still ends this far inside the endplates [A]
OFF_MIDLINE = 1.0 / 3.0  # of the way to the side: a tip nearer to the midline is on neither [A]
LESION_CORE_MM = 2.0  # smallest ball about a lesion's centroid that counts as its core [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetRegion:
    """Where the tip must end: ``normals @ x <= offsets``, LPS mm, in one bone.

    Attributes:
        bone: The bone the needle is meant to enter.
        normals: Outward unit normals, shape (k, 3).
        offsets: Their offsets, shape (k,), mm.
        centre_mm: A point well inside the region.
        screw: The screw the target belongs to, if any.
        label: What it is, for people.
        left: Unit vector to the patient's left, across the bone's midline, for a target whose
            centre lies on it and both sides of which want cement; None for another.
        notes: How it was derived, where a person should know.
    """

    bone: Structure
    normals: Float[np.ndarray, "k 3"]
    offsets: Float[np.ndarray, " k"]
    centre_mm: Point
    screw: ScrewAxis | None
    label: str
    left: Vector | None = None
    notes: tuple[str, ...] = ()

    def beside_midline(self, side: Side) -> "TargetRegion | None":
        """Return the part well off the midline on one side; None where that means nothing."""
        if self.left is None:
            return None
        out = self.left if side is Side.LEFT else -self.left
        ahead = self.normals @ out
        room = (self.offsets - self.normals @ self.centre_mm)[ahead > 0.0] / ahead[ahead > 0.0]
        off = OFF_MIDLINE * float(room.min())
        return replace(
            self, centre_mm=frozen(self.centre_mm + 2.0 * off * out), left=None,
            label=f"{side} half of {self.label}", normals=frozen(np.vstack([self.normals, -out])),
            offsets=frozen(np.append(self.offsets, -(out @ self.centre_mm) - off)),
        )  # fmt: skip

    def contains(self, point: Point, *, tolerance_mm: float = 1e-6) -> bool:
        """Whether a point lies in the region, to a tolerance for rounding."""
        return bool(np.all(self.normals @ point <= self.offsets + tolerance_mm))


def _region(
    bone: Structure,
    label: str,
    normals: Points,
    points: Points,
    centre: Point,
    screw: ScrewAxis | None = None,
) -> TargetRegion:
    """Build a region from outward normals and one point on each face."""
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return TargetRegion(
        bone=bone,
        normals=frozen(normals),
        offsets=frozen(np.einsum("ij,ij->i", normals, points)),
        centre_mm=frozen(centre),
        screw=screw,
        label=label,
    )


def anterior_body(bone: Structure, anatomy: VertebraAnatomy) -> TargetRegion:
    """Return the anterior third of a body, near the midline and off the cortex (DOMAIN 2.5)."""
    body, out = anatomy.body, anatomy.frame.inverse()
    front = -body.depth_mm / 2.0
    height = min(body.anterior_height_mm, body.posterior_height_mm)
    off_endplate = min(ENDPLATE_STAND_OFF_MM, 0.25 * height)
    side = MIDLINE_FRACTION * body.width_mm
    off_front = min(ANTERIOR_STAND_OFF_MM, 0.5 * (1.0 - ANTERIOR_THIRD) * body.depth_mm)
    faces = [
        ([0.0, 1.0, 0.0], [0.0, body.depth_mm / 2.0 - ANTERIOR_THIRD * body.depth_mm, 0.0]),
        ([0.0, -1.0, 0.0], [0.0, front + off_front, 0.0]),
        ([1.0, 0.0, 0.0], [side, 0.0, 0.0]),
        ([-1.0, 0.0, 0.0], [-side, 0.0, 0.0]),
        (body.superior_normal, body.superior_mm - off_endplate * body.superior_normal),
        (body.inferior_normal, body.inferior_mm - off_endplate * body.inferior_normal),
    ]
    normals = out.vectors(np.array([n for n, _ in faces], dtype=np.float64))
    points = out.points(np.array([p for _, p in faces], dtype=np.float64))
    middle = out.points(np.array([0.0, front + 0.2 * body.depth_mm, 0.0]))
    region = _region(bone, f"anterior third of {anatomy.level}", normals, points, middle)
    return replace(region, left=frozen(out.vectors(np.array([1.0, 0.0, 0.0]))))


def _icosahedron() -> Points:
    """Return the 20 face normals of an icosahedron, symmetric about the coordinate planes."""
    g = (1.0 + 5.0**0.5) / 2.0
    signs = (-1.0, 1.0)
    normals = [[x, y, z] for x in signs for y in signs for z in signs]
    for a in signs:
        for b in signs:
            normals += [[0.0, a / g, b * g], [a / g, b * g, 0.0], [a * g, 0.0, b / g]]
    array = np.array(normals)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


# Ratio of in-radius to circumradius: the polyhedron lies wholly within the ball it stands for.
_ICOSAHEDRON_IN_RADIUS = 0.7946544722917661


def ball(
    bone: Structure,
    label: str,
    centre: Point,
    radius_mm: float,
    axes: Rotation,
    screw: ScrewAxis | None = None,
) -> TargetRegion:
    """Return an icosahedron inscribed in a ball, turned with ``axes`` (rows)."""
    normals = _icosahedron() @ axes
    points = centre + _ICOSAHEDRON_IN_RADIUS * radius_mm * normals
    return _region(bone, label, normals, points, centre, screw)


def _axes_along(along: Vector, reference: Vector) -> Rotation:
    """Return right-handed axes (rows): third along a direction, first near a reference."""
    third = unit(along)
    first = unit(reference - (reference @ third) * third)
    return np.stack([first, np.cross(third, first), third])


def screw_halo(case: Case, bone: Structure, axis: ScrewAxis, reference: Vector) -> TargetRegion:
    """Return a prism around a screw's shaft out to the halo's outer wall (DOMAIN 1.2 T1)."""
    halo = halo_radius(axis, case.of_kind(Kind.HALO), bone)
    radius = halo.radius_mm
    axes = _axes_along(axis.tip_mm - axis.head_mm, reference)
    angles = 2.0 * np.pi * np.arange(16) / 16.0
    walls = np.cos(angles)[:, None] * axes[0] + np.sin(angles)[:, None] * axes[1]
    start = axis.head_mm + HALO_FROM * (axis.tip_mm - axis.head_mm)
    normals = np.concatenate([walls, [axes[2]], [-axes[2]]])
    points = np.concatenate([start + radius * walls, [axis.tip_mm], [start]])
    middle = 0.5 * (start + axis.tip_mm)
    region = _region(bone, f"halo of {axis.structure}", normals, points, middle, axis)
    return replace(region, notes=(halo.note,))


def beside_screw(
    prepared: PreparedCase, bone: Structure, axis: ScrewAxis, place: Beside, axes: Rotation
) -> TargetRegion:
    """Return the bone of the body beside a shaft, outside its lucency (DOMAIN 1.2 T3).

    A block along the part of the shaft that lies in the body (its front half where the body could
    not be read), from the lucency's outer wall on, as wide as the lucency.
    """
    halo = halo_radius(axis, prepared.case.of_kind(Kind.HALO), bone)
    shaft = axis.tip_mm - axis.head_mm
    start = axis.head_mm + _share_before_body(prepared.bone(bone), axis) * shaft
    outward = axes[0] if (axis.head_mm - axis.tip_mm) @ axes[0] > 0.0 else -axes[0]
    if axis.side is not None:
        outward = axes[0] if axis.side is Side.LEFT else -axes[0]
    towards = {
        Beside.MEDIAL: -outward, Beside.LATERAL: outward,
        Beside.CRANIAL: axes[2], Beside.CAUDAL: -axes[2],
    }[place]  # fmt: skip
    along, aside, across = _axes_along(shaft, towards)[[2, 0, 1]]
    near, half = halo.radius_mm, halo.radius_mm
    normals = np.stack([along, -along, -aside, aside, across, -across])
    points = np.stack([
        axis.tip_mm, start, start + near * aside, start + (near + BESIDE_MM) * aside,
        start + half * across, start - half * across,
    ])  # fmt: skip
    middle = 0.5 * (start + axis.tip_mm) + (near + 0.5 * BESIDE_MM) * aside
    label = f"bone {place} of {axis.structure}"
    return replace(_region(bone, label, normals, points, middle, axis), notes=(halo.note,))


def _share_before_body(anatomy: VertebraAnatomy | Unavailable, axis: ScrewAxis) -> float:
    """Return from where on a shaft its bone counts: 0 is the head, at most 0.75.

    That is where the shaft is deep enough in the body for cement to keep off its posterior
    quarter, or the shaft's middle where the body could not be read or the shaft ends before.
    """
    if isinstance(anatomy, Unavailable):
        return 0.5
    head, tip = anatomy.frame.points(np.stack([axis.head_mm, axis.tip_mm]))
    start = (0.5 - BESIDE_FROM) * anatomy.body.depth_mm
    if not tip[1] < start < head[1]:
        return 0.5
    return min(float((head[1] - start) / (head[1] - tip[1])), 0.75)


def between_endplates(region: TargetRegion, anatomy: VertebraAnatomy | Unavailable) -> TargetRegion:
    """Cut a region to the bone between the endplates, so that no tip ends in a disc.

    A region around a screw that itself breaches an endplate keeps its centre: then it is left
    as it is, and the breach is noted.
    """
    if isinstance(anatomy, Unavailable) or region.bone.kind is not Kind.VERTEBRA:
        return region
    out, body = anatomy.frame.inverse(), anatomy.body
    normals = out.vectors(np.stack([body.superior_normal, body.inferior_normal]))
    points = out.points(np.stack([body.superior_mm, body.inferior_mm])) - OFF_ENDPLATE_MM * normals
    offsets = np.einsum("ij,ij->i", normals, points)
    if np.any(normals @ region.centre_mm > offsets - OFF_ENDPLATE_MM):
        note = f"{region.label} lies at an endplate: the tip may end in the disc"
        return replace(region, notes=(*region.notes, note))
    return replace(
        region,
        normals=frozen(np.concatenate([region.normals, normals])),
        offsets=frozen(np.concatenate([region.offsets, offsets])),
    )


def cage_interface(bone: Structure, ends: CageEnds, end: CageEnd, left: Vector) -> TargetRegion:
    """Return a slab of bone against one end of a cage (DOMAIN 1.2 T7)."""
    outward = ends.axis if end is CageEnd.CRANIAL else -ends.axis
    face = ends.cranial_mm if end is CageEnd.CRANIAL else ends.caudal_mm
    across = unit(left - (left @ outward) * outward)
    deep = np.cross(outward, across)
    low_x, low_y, high_x, high_y = ends.outline.bounds
    half = 0.5 * np.array([high_x - low_x, high_y - low_y])
    near, far = CAGE_SLAB_MM
    normals = np.stack([outward, -outward, across, -across, deep, -deep])
    points = np.stack([
        face + far * outward, face + near * outward, face + half[0] * across,
        face - half[0] * across, face + half[1] * deep, face - half[1] * deep,
    ])  # fmt: skip
    middle = face + 0.5 * (near + far) * outward
    label = f"bone against the {end.value} end of {ends.structure}"
    return _region(bone, label, normals, points, middle)


def bone_of(prepared: PreparedCase, spec: TargetSpec) -> Structure:
    """Return the bone that a target asks the needle to enter.

    Raises:
        RequestError: If the level or structure is not in the case, or is of another kind.
    """
    match spec:
        case AnteriorBody(level=level):
            return prepared.case.bone_of_level(level, field_name="target.level")
        case ScrewHalo(screw=name) | ScrewTip(screw=name) | BesideScrew(screw=name):
            axis = prepared.screw(name, field="target.screw")
            return prepared.nearest_bone(axis.head_mm + 0.7 * (axis.tip_mm - axis.head_mm))
        case CageInterface(cage=name, end=end):
            ends = prepared.cage(name, field="target.cage")
            face, outward = _cage_face(ends, end)
            return prepared.nearest_bone(face + 0.5 * sum(CAGE_SLAB_MM) * outward)
        case Lesion(structure=name):
            lesion = prepared.lesion(name, field="target.structure")
            return prepared.nearest_bone(lesion.mesh.vertices.mean(axis=0))
        case FreePoint(position_mm=position):
            return prepared.nearest_bone(position)


def region_of(
    prepared: PreparedCase, spec: TargetSpec, bone: Structure, axes: Rotation
) -> TargetRegion | Unavailable:
    """Return the region that a target stands for.

    Args:
        prepared: The case.
        spec: The target.
        bone: ``bone_of`` it.
        axes: Left, posterior, superior unit axes (rows) of the bone or of its neighbour, LPS.

    Raises:
        RequestError: If a structure it names is missing or of another kind.
    """
    match spec:
        case AnteriorBody(intent=intent):
            anatomy = prepared.bone(bone)
            if isinstance(anatomy, Unavailable):
                return anatomy
            body = anterior_body(bone, anatomy)
            return (
                body
                if intent is Intent.FRACTURE
                else replace(body, label=f"{body.label} ({intent})")
            )
        case ScrewHalo() | ScrewTip() | BesideScrew():
            near_screw = _screw_region(prepared, spec, bone, axes)
            return between_endplates(near_screw, prepared.bone(bone))
        case CageInterface(cage=name, end=end):
            return cage_interface(bone, prepared.cage(name, field="target.cage"), end, axes[0])
        case Lesion(structure=name):
            lesion = prepared.lesion(name, field="target.structure")
            depth, centre = _lesion_core(prepared, lesion)
            return ball(bone, f"core of {name}", centre, depth, axes)
        case FreePoint(position_mm=position, tolerance_mm=tolerance):
            return ball(bone, "given point", position, tolerance, axes)


def _screw_region(
    prepared: PreparedCase,
    spec: ScrewHalo | ScrewTip | BesideScrew,
    bone: Structure,
    axes: Rotation,
) -> TargetRegion:
    """Return the region of a target at a screw, before endplates cut it off."""
    axis = prepared.screw(spec.screw, field="target.screw")
    match spec:
        case ScrewHalo():
            return screw_halo(prepared.case, bone, axis, axes[0])
        case ScrewTip():
            label = f"tip of {spec.screw}"
            return ball(bone, label, axis.tip_mm, TIP_NEIGHBOURHOOD_MM, axes, axis)
        case BesideScrew(place=place):
            return beside_screw(prepared, bone, axis, place, axes)


def _lesion_core(prepared: PreparedCase, lesion: Structure) -> tuple[float, Point]:
    """Return radius and centre of a ball in a lesion: about its centroid, half way to its wall."""
    centre = lesion.mesh.vertices.mean(axis=0)
    distance, _ = prepared.distance(lesion).point(centre)
    return max(LESION_CORE_MM, -0.5 * distance), centre


def _cage_face(ends: CageEnds, end: CageEnd) -> tuple[Point, Vector]:
    """Return the centre and outward normal of one end of a cage."""
    cranial = end is CageEnd.CRANIAL
    return (ends.cranial_mm, ends.axis) if cranial else (ends.caudal_mm, -ends.axis)
