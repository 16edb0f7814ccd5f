"""Sacrum and ilia below a drawn spine, and their screws."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation as Turn

from geometry.arrays import Point, unit
from geometry.frames import RigidTransform
from geometry.mesh import TriangleMesh
from phantom.hardware import Screw
from phantom.ilium import IliumShape, ilium_mesh, ilium_shape
from phantom.implicit import Field, evaluated
from phantom.sacrum import BODY_MM, CANAL_MM, SLANT, SacrumShape, sacrum_mesh, sacrum_shape
from phantom.spine import PlacedVertebra, Spine, cleared
from phantom.vertebra import endplate_planes
from planner.case import Side

S1, ILIUM = "S1", "ilium"
USUAL_MM = MappingProxyType({S1: (7.0, 40.0), ILIUM: (8.0, 80.0)})  # DOMAIN 3.5
_HEAD_OUT_MM = 3.0
_COVER_MM = 0.5  # of bone round a shaft


@dataclass(frozen=True, slots=True, kw_only=True)
class Pelvis:
    """A sacrum with both ilia.

    Attributes:
        sacrum: The sacrum in its frame of building.
        ilia: The ilia in the same frame.
        pose: ``patient_from_sacrum``, from that frame.
        seed: Settles how screws were placed.
    """

    sacrum: SacrumShape
    ilia: Mapping[Side, IliumShape]
    pose: RigidTransform
    seed: int

    def field(self, level: str, side: Side) -> Field:
        """Return the field, at patient points, of the bone that a screw of a level lies in."""
        inverse = self.pose.inverse()
        sacrum: Field = self.sacrum.distance
        bone = self.ilia[side].beside(sacrum) if level == ILIUM else sacrum
        return lambda points: bone(inverse.points(points))

    def canal(self) -> list[tuple[Point, list[float]]]:
        """Return middles (patient, mm) and radii of the sac in the sacral canal."""
        middle = 0.5 * (BODY_MM[1] + CANAL_MM[1])
        found = []
        for z, part in ((8.0, 0.9), (-10.0, 0.75), (-26.0, 0.5)):
            place = self.sacrum.scale * np.array([0.0, middle - SLANT * z, z])
            radii = [0.33 * part * CANAL_MM[0], 0.33 * part * CANAL_MM[1]]
            found.append((self.pose.points(place), [self.sacrum.scale * r for r in radii]))
        return found


def pelvis_below(column: Spine, *, seed: int, scale: float) -> Pelvis:
    """Place a sacrum with its ilia below a spine that ends with L5.

    Raises:
        ValueError: If the spine ends elsewhere.
    """
    lowest = column.vertebrae[-1]
    if lowest.level != "L5":
        raise ValueError(f"a pelvis needs L5 above it, not {lowest.level}")
    flexion = lowest.shape.size.flexion_below
    whole, half = (Turn.from_rotvec([part * flexion, 0.0, 0.0]) for part in (1.0, 0.5))
    top = scale * np.array([0.0, -0.5 * SLANT * BODY_MM[2], 0.5 * BODY_MM[2]])
    disc = half.apply([0.0, 0.0, lowest.shape.size.disc_below_mm])
    bottom = endplate_planes(lowest.shape.body)[1].centre
    rotation = whole.as_matrix()
    sacrum_from_l5 = RigidTransform(
        target="sacrum", source=lowest.level, rotation=rotation,
        translation_mm=top + disc - rotation @ bottom,
    )  # fmt: skip
    return Pelvis(
        sacrum=sacrum_shape(seed=seed, scale=scale),
        ilia=MappingProxyType({s: ilium_shape(s, seed=seed, scale=scale) for s in Side}),
        pose=lowest.pose @ sacrum_from_l5.inverse(),
        seed=seed,
    )


def pelvic_meshes(
    pelvis: Pelvis, above: PlacedVertebra, *, with_ilia: bool
) -> tuple[TriangleMesh, dict[Side, TriangleMesh]]:
    """Return the sacrum, its joints with the vertebra above kept open, and the ilia; patient."""
    field = cleared(pelvis.sacrum.distance, pelvis.pose, above)
    sacrum = sacrum_mesh(pelvis.sacrum, resolution_mm=1.6, field=field).moved(pelvis.pose)
    sides = tuple(Side) if with_ilia else ()
    ilia = {
        side: ilium_mesh(
            pelvis.ilia[side], pelvis.ilia[side].beside(pelvis.sacrum.distance), resolution_mm=2.0
        ).moved(pelvis.pose)
        for side in sides
    }
    return sacrum, ilia


def pelvic_screw(
    pelvis: Pelvis, level: str, side: Side, size_mm: tuple[float, float] | None = None
) -> Screw:
    """Place a screw through S1's pedicle, or along the corridor of an ilium.

    Raises:
        ValueError: If none of the ways tried keeps it in the bone.
    """
    diameter, length = size_mm or USUAL_MM[level]
    rng = np.random.default_rng([pelvis.seed, 7, side is Side.RIGHT, level == ILIUM])
    ways = _through_s1(pelvis, side) if level == S1 else _through_ilium(pelvis, side)
    field = pelvis.field(level, side)
    error = rng.normal(0.0, 0.4, size=3).clip(-0.7, 0.7)
    for through, axis in ways:
        head = _entry(field, pelvis.pose.points(through + error), pelvis.pose.vectors(axis))
        screw = Screw(
            level=level, side=side, head=head, diameter_mm=diameter,
            tip=head + length * pelvis.pose.vectors(axis),
        )  # fmt: skip
        if _fits(field, screw):
            return screw
    raise ValueError(f"no {diameter} mm screw fits {level} {side}")


def _through_s1(pelvis: Pelvis, side: Side) -> Iterator[tuple[Point, Point]]:
    """Yield points and directions: between canal and foramen, converging; sacrum's frame."""
    out = 1.0 if side is Side.LEFT else -1.0
    for turn, descent, aside, up in product(
        (25.0, 20.0, 30.0), (0.0, -8.0, 8.0), (24.0, 26.0, 22.0), (0.0, 3.0, -3.0)
    ):
        medial, down = np.radians(turn), np.radians(descent)
        axis = np.array([-out * np.sin(medial), -np.cos(medial), -np.sin(down)])
        yield pelvis.sacrum.scale * np.array([out * aside, 22.0, up]), unit(axis)


def _through_ilium(pelvis: Pelvis, side: Side) -> Iterator[tuple[Point, Point]]:
    """Yield points and directions along the corridor; sacrum's frame."""
    back, front = pelvis.ilia[side].spines
    for share in (0.62, 0.55, 0.7):
        yield back + share * (front - back), unit(front - back)


def _entry(field: Field, through: Point, axis: Point) -> Point:
    """Return where a screw's head ends: a little out of the bone behind a point inside it."""
    back = np.linspace(0.0, 95.0, 381)
    outside = evaluated(field, through - back[:, None] * axis) > 0.0
    return through - (back[int(np.argmax(outside))] + _HEAD_OUT_MM) * axis


def _fits(field: Field, screw: Screw) -> bool:
    """Tell whether the shaft lies in bone from a little behind its head to its tip."""
    share = np.linspace((_HEAD_OUT_MM + 9.0) / screw.length_mm, 1.0, 60)
    path = screw.head + share[:, None] * (screw.tip - screw.head)
    return float(evaluated(field, path).max()) < -0.5 * screw.diameter_mm - _COVER_MM
