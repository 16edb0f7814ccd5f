"""Gates: the flat windows through which every path of an approach must pass.

All three approaches of one side share one plane, the pedicle's isthmus plane, cut into disjoint
windows, so that a path is classified by where it pierces the plane and by nothing else
(DOMAIN 2.1). With x lateral and y cranial from the isthmus' centre, and P its outline:

- transpedicular: P shrunk by the needle's radius, so that the needle stays within bone there;
- parapedicular: outside P, within 5 mm of it, lateral of its centre and not caudal to it, and the
  rim of P there that is narrower than the needle's radius, where it breaches the lateral wall;
- extrapedicular: beyond that strip, up to 45 mm lateral and 10 mm above P, not caudal to it.

S1 has no lateral wall to run beside. There, with A the ala next to P, both together are shrunk by
the needle's radius: transpedicular is what then lies in P, extrapedicular what lies in A;
parapedicular paths do not exist.

Left out on purpose: everything caudal to the pedicle (the exiting root runs there), everything
medial of its centre outside P (the canal), and the rim of P narrower than the needle's radius
medially and caudally (the wall towards canal and root would be breached). Hardware is cut out of
every window.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from geometry.arrays import Point, Rotation, Vector, unit
from geometry.sections import Plane, section
from planner.anatomy.model import (
    Pedicle,
    SacralPedicle,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.case import Kind, Side, Structure
from planner.contact import Contact
from planner.request import Approach

STRIP_MM = 5.0  # DOMAIN 2.1: parapedicular within about 5 mm of the lateral wall [A]
LATERAL_REACH_MM = 45.0  # paths of 60 degrees convergence still pass [A]
CRANIAL_REACH_MM = 10.0  # [A]
CONVERGENCE_RAD = (math.radians(-20.0), math.radians(60.0))  # from the sagittal plane [A]
TILT_RAD = math.radians(45.0)  # cranio-caudal, from the axial plane [A]
SACRAL = {Approach.TRANSPEDICULAR: "sacral_pedicle", Approach.EXTRAPEDICULAR: "sacral_ala"}
MOST_LEAN_RAD = math.radians(50.0)  # of a screw that is followed, from its pedicle's axis [A]
CORRIDOR_REACH_MM = 15.0  # window around a screw where there is no pedicle [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gate:
    """A window in a plane and the cone of directions through it, patient LPS.

    Attributes:
        approach: The approach whose paths pass through it.
        side: The patient's side.
        technique: What its straight paths are called; ``straight`` where that depends on the path
            (``planner.technique``).
        origin_mm: Origin of the plane.
        axes: Unit vectors (rows) lateral, cranial, and the plane's normal towards the body.
        window: The window, in (lateral, cranial) mm, hardware cut out.
        uncut: The window before hardware was cut out.
        inscribed_mm: Radius of the largest circle in the outline that a needle must fit through,
            or None where nothing has to be fitted through.
        lateral_slopes: Least and greatest slope (lateral mm per mm along the normal).
        cranial_slopes: Least and greatest slope (cranial mm per mm along the normal).
        contact: The screw that its paths slide along, if they do.
    """

    approach: Approach
    side: Side
    technique: str
    origin_mm: Point
    axes: Rotation
    window: MultiPolygon
    uncut: MultiPolygon
    inscribed_mm: float | None
    lateral_slopes: tuple[float, float]
    cranial_slopes: tuple[float, float]
    contact: Contact | None = None

    def coordinates(self, point: Point) -> Point:
        """Return (lateral, cranial, along-normal) coordinates of a patient point, mm."""
        return self.axes @ (point - self.origin_mm)

    @property
    def edges(self) -> Float[np.ndarray, "k 4"]:
        """Outline segments (a0, b0, a1, b1) of the window, its inside on their left, mm."""
        rings = [
            ring for polygon in self.window.geoms for ring in (polygon.exterior, *polygon.interiors)
        ]
        pieces = [np.asarray(ring.coords)[:, :2] for ring in rings]
        return np.concatenate([np.hstack([p[:-1], p[1:]]) for p in pieces])


def as_multipolygon(shape: BaseGeometry) -> MultiPolygon:
    """Return the areal parts of a shape above 1e-3 mm2, with their insides on the left."""
    found = [
        orient(part)
        for part in shapely.get_parts(shape)
        if isinstance(part, Polygon) and part.area > 1e-3
    ]
    return MultiPolygon(found)


def windows(pedicle: Pedicle, radius_mm: float) -> dict[Approach, MultiPolygon]:
    """Return the disjoint windows of the isthmus plane, before hardware is cut out."""
    outline = pedicle.outline
    if isinstance(pedicle, SacralPedicle):
        within = _through(pedicle).buffer(-radius_mm)
        return {
            Approach.TRANSPEDICULAR: as_multipolygon(within.intersection(outline)),
            Approach.EXTRAPEDICULAR: as_multipolygon(within.intersection(pedicle.ala)),
        }
    _, low, _, high = outline.bounds
    beside = shapely.box(0.0, low, LATERAL_REACH_MM, high + CRANIAL_REACH_MM)
    near, within = outline.buffer(STRIP_MM), outline.buffer(-radius_mm)
    off_root = shapely.box(0.0, low + radius_mm, LATERAL_REACH_MM, high)
    rim = outline.difference(within).intersection(off_root)
    strip = near.difference(outline).intersection(beside)
    return {
        Approach.TRANSPEDICULAR: as_multipolygon(within),
        Approach.PARAPEDICULAR: as_multipolygon(shapely.union(strip, rim)),
        Approach.EXTRAPEDICULAR: as_multipolygon(beside.difference(near)),
    }


def _through(pedicle: Pedicle) -> BaseGeometry:
    """Return the bone in the isthmus plane that a transpedicular needle may fill."""
    if isinstance(pedicle, SacralPedicle):
        return shapely.union(pedicle.outline, pedicle.ala)
    return pedicle.outline


def hardware_section(hardware: Iterable[Structure], origin: Point, axes: Rotation) -> BaseGeometry:
    """Return the union of the hardware's sections with a gate plane, in its coordinates."""
    shapes: list[BaseGeometry] = []
    for structure in hardware:
        offset = (structure.mesh.vertices - origin) @ axes.T
        if offset[:, 2].min() > 0.0 or offset[:, 2].max() < 0.0:
            continue
        plane = Plane(origin_mm=origin, x_axis=axes[0], y_axis=axes[1])
        shapes += section(structure.mesh, plane).polygons
    return shapely.union_all(shapes) if shapes else Polygon()


def holds_metal(pedicle: Pedicle, hardware: Iterable[Structure]) -> bool:
    """Whether metal crosses the bone of a pedicle in its isthmus plane."""
    axes = np.stack([pedicle.lateral, pedicle.cranial, pedicle.axis])
    metal = hardware_section(hardware, pedicle.centre_mm, axes)
    return bool(metal.intersects(pedicle.outline))


def slopes(axes: Rotation, frame_axes: Rotation, side: Side) -> tuple[tuple[float, float], ...]:
    """Return the slope ranges that the cone of directions (in the vertebral frame) spans here."""
    outward = frame_axes[0] if side is Side.LEFT else -frame_axes[0]
    normal = axes[2]
    # How far the plane's normal itself converges and tilts, in the vertebral frame.
    converges = math.atan2(-float(normal @ outward), -float(normal @ frame_axes[1]))
    tilts = math.atan2(float(normal @ frame_axes[2]), -float(normal @ frame_axes[1]))
    lateral = (
        -math.tan(min(CONVERGENCE_RAD[1] - converges, math.radians(70.0))),
        -math.tan(max(CONVERGENCE_RAD[0] - converges, math.radians(-70.0))),
    )
    cranial = (
        math.tan(max(-TILT_RAD - tilts, math.radians(-70.0))),
        math.tan(min(TILT_RAD - tilts, math.radians(70.0))),
    )
    return lateral, cranial


def pedicle_gates(
    anatomy: VertebraAnatomy,
    pedicle: Pedicle,
    hardware: Iterable[Structure],
    radius_mm: float,
) -> dict[Approach, Gate]:
    """Return the gates of one side for a needle of this radius.

    Args:
        anatomy: The vertebra.
        pedicle: Its pedicle on the side.
        hardware: Metal to cut out of the windows.
        radius_mm: Radius of the needle (cannula).
    """
    axes = np.stack([pedicle.lateral, pedicle.cranial, pedicle.axis])
    metal = hardware_section(hardware, pedicle.centre_mm, axes)
    lateral, cranial = slopes(axes, anatomy.frame.rotation, pedicle.side)
    sacral = isinstance(pedicle, SacralPedicle)
    bone = _through(pedicle)
    largest = shapely.maximum_inscribed_circle(bone, tolerance=0.01).length
    return {
        approach: Gate(
            approach=approach,
            side=pedicle.side,
            technique=SACRAL[approach] if sacral else "straight",
            origin_mm=pedicle.centre_mm,
            axes=axes,
            window=as_multipolygon(uncut.difference(metal)),
            uncut=uncut,
            inscribed_mm=float(largest) if approach is Approach.TRANSPEDICULAR else None,
            lateral_slopes=lateral,
            cranial_slopes=cranial,
        )
        for approach, uncut in windows(pedicle, radius_mm).items()
    }


def along_gate(contact: Contact, pedicle: Pedicle, radius_mm: float) -> Gate | Unavailable:
    """Return the gate of the paths along a screw: all windows of its side, nothing cut out.

    What the windows leave out, caudal and medial to the pedicle, is left out here too.

    Args:
        contact: The screw.
        pedicle: Its pedicle.
        radius_mm: Radius of the needle.
    """
    axes = np.stack([pedicle.lateral, pedicle.cranial, pedicle.axis])
    if contact.along @ pedicle.axis < math.cos(MOST_LEAN_RAD):
        return Unavailable(
            reason=f"{contact.screw.structure} lies too far across its pedicle to be followed"
        )
    whole = as_multipolygon(shapely.union_all(list(windows(pedicle, radius_mm).values())))
    steep = math.tan(MOST_LEAN_RAD)
    return Gate(
        approach=Approach.ALONG_SCREW,
        side=pedicle.side,
        technique="along_screw",
        origin_mm=pedicle.centre_mm,
        axes=axes,
        window=whole,
        uncut=whole,
        inscribed_mm=None,
        lateral_slopes=(-steep, steep),
        cranial_slopes=(-steep, steep),
        contact=contact,
    )


def corridor_gate(
    screw: ScrewAxis, bone: Structure, radius_mm: float, *, side: Side, left: Vector
) -> Gate | None:
    """Return the gate through the bone around a screw, where no pedicle is to be had.

    The plane is perpendicular to the screw at a third of its shaft; the window is the bone's
    section there, shrunk by the needle's radius, within 15 mm of the screw's axis.

    Args:
        screw: The screw.
        bone: The bone around it (sacrum or ilium).
        radius_mm: Radius of the needle.
        side: The patient's side.
        left: The patient's left, to settle the in-plane axes.
    """
    normal = unit(screw.tip_mm - screw.head_mm)
    outward = left if side is Side.LEFT else -left
    lateral = unit(outward - (outward @ normal) * normal)
    handed = 1.0 if side is Side.LEFT else -1.0
    axes = np.stack([lateral, handed * np.cross(normal, lateral), normal])
    origin = screw.head_mm + (screw.tip_mm - screw.head_mm) / 3.0
    bone_here = hardware_section([bone], origin, axes)
    disc = shapely.Point(0.0, 0.0).buffer(CORRIDOR_REACH_MM, quad_segs=16)
    uncut = as_multipolygon(bone_here.buffer(-radius_mm).intersection(disc))
    if uncut.is_empty:
        return None
    shaft = shapely.Point(0.0, 0.0).buffer(screw.diameter_mm / 2.0, quad_segs=16)
    steep = math.tan(math.radians(35.0))
    return Gate(
        approach=Approach.TRANSPEDICULAR if screw.level == "S1" else Approach.EXTRAPEDICULAR,
        side=side,
        technique="sacral_corridor" if bone.kind is Kind.SACRUM else "iliac_corridor",
        origin_mm=origin,
        axes=axes,
        window=as_multipolygon(uncut.difference(shaft)),
        uncut=uncut,
        inscribed_mm=None,
        lateral_slopes=(-steep, steep),
        cranial_slopes=(-steep, steep),
    )
