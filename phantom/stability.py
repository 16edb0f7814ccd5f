"""How steady pedicles are read: ``python -m phantom stability``.

Every level, whole and operated, is read as drawn, turned, meshed half and twice as densely, and
with noise on its vertices; the first sacral segment whole only. What is claimed is compared with
the whole bone as drawn. Vertebrae and sacra of given cases are read as they are and with noise.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.arrays import unit
from geometry.frames import PATIENT, RigidTransform, angle_between
from geometry.mesh import TriangleMesh, triangle_mesh
from phantom.implicit import Field, zero_surface
from phantom.morphometry import PHANTOM_LEVELS, morphometry
from phantom.operated import OPERATIONS
from phantom.population import SACRAL
from phantom.sacrum import SacrumShape, sacrum_shape
from phantom.vertebra import VertebraShape, vertebra_shape
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.sacrum import sacrum_anatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure
from planner.case_io import load_case
from planner.question import LEAST_TRUST

CENTRE_MM, AXIS_DEG = 1.0, 3.0  # by which a claimed pedicle may move
SPACING_MM = 1.5
ROOM_MM = 12.0  # around a vertebra, for what is grown on it
NOISE_MM = 0.3
CHANGES = ("as drawn", "turned", "half density", "double density", "noise")
TURN = RigidTransform(
    target="moved",
    source=PATIENT,
    rotation=Rotation.from_rotvec(np.radians(45.0) * unit(np.array([0.6, -0.6, 0.5]))).as_matrix(),
    translation_mm=np.array([123.4, -80.3, 55.1]),
)
WHOLE = "whole"
VARIANTS = (WHOLE, *OPERATIONS)
LEVELS = (*PHANTOM_LEVELS, SACRAL)
_Found = VertebraAnatomy | Unavailable
_Shape = VertebraShape | SacrumShape
RESECTED: Mapping[str, tuple[Side, ...]] = MappingProxyType(
    {
        "left_pedicle_resected": (Side.LEFT,),
        "both_pedicles_resected": (Side.LEFT, Side.RIGHT),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One pedicle of one bone in one state, against the whole bone as drawn.

    Attributes:
        level: Level label.
        variant: ``whole``, or the operation.
        change: What was done to the mesh, one of ``CHANGES``.
        side: The patient's side.
        off: How far the isthmus' centre moved (mm) and its axis turned (degrees); None if no
            pedicle is claimed, infinite if one is that was taken out.
        reason: Why it is not claimed.
    """

    level: str
    variant: str
    change: str
    side: Side
    off: tuple[float, float] | None
    reason: str = ""

    @property
    def is_wrong(self) -> bool:
        """Tell whether it is claimed beyond the limits."""
        return self.off is not None and not (self.off[0] < CENTRE_MM and self.off[1] < AXIS_DEG)


def noisy(mesh: TriangleMesh, seed: int) -> TriangleMesh:
    """Return a mesh with every coordinate off by ``NOISE_MM`` (standard deviation)."""
    off = np.random.default_rng(seed).normal(0.0, NOISE_MM, mesh.vertices.shape)
    return triangle_mesh(mesh.vertices + off, mesh.faces)


def claimed(found: VertebraAnatomy | Unavailable, side: Side) -> Pedicle | str:
    """Return a pedicle that would be planned through, or why there is none."""
    if isinstance(found, Unavailable):
        return found.reason
    pedicle = found.pedicles[side]
    if isinstance(pedicle, Unavailable):
        return pedicle.reason
    return pedicle if pedicle.confidence >= LEAST_TRUST else pedicle.cause


def _drawn(shape: _Shape, field: Field, coarser: float = 1.0) -> TriangleMesh:
    low, high = shape.bounds
    room = 0.0 if isinstance(shape, SacrumShape) else ROOM_MM
    return zero_surface(field, low - room, high + room, coarser * SPACING_MM)


def states(shape: _Shape, field: Field, seeds: Sequence[int]) -> Iterator[tuple[str, TriangleMesh]]:
    """Yield one of ``CHANGES`` and the mesh of a field after it; noise once for every seed."""
    plain = _drawn(shape, field)
    yield "as drawn", plain
    yield "turned", plain.moved(TURN)
    yield "half density", _drawn(shape, field, 2.0**0.5)
    yield "double density", _drawn(shape, field, 0.5**0.5)
    for seed in seeds:
        yield "noise", noisy(plain, seed)


def readings(
    level: str,
    *,
    seed: int,
    variants: Sequence[str] = VARIANTS,
    noises: int = 1,
) -> Iterator[Reading]:
    """Read one drawn bone in every variant and change.

    Args:
        level: ``T1`` to ``L5``, ``S1``.
        seed: Settles its asymmetry and the noise.
        variants: ``whole`` and names of operations, of which a sacrum has none.
        noises: How often noise is drawn.
    """
    shape, fields = _drawings(level, seed)
    whole = _read(level, _drawn(shape, shape.distance))
    for variant in variants:
        if variant not in fields:
            continue
        field = fields[variant]
        for change, mesh in states(shape, field, range(seed, seed + noises)):
            yield from _compared(level, variant, change, (_read(level, mesh), whole))


def _drawings(level: str, seed: int) -> tuple[_Shape, dict[str, Field]]:
    """Return a drawn bone and its fields, whole and operated."""
    if level == SACRAL:
        sacrum = sacrum_shape(seed=seed)
        return sacrum, {WHOLE: sacrum.distance}
    shape = vertebra_shape(morphometry(level), seed=seed)
    operated = {name: operation(shape) for name, operation in OPERATIONS.items()}
    return shape, {WHOLE: shape.distance, **operated}


def case_readings(case: Case, *, seed: int, noises: int) -> Iterator[Reading]:
    """Read every vertebra and sacrum of a case as it is, then with noise."""
    for bone in (*case.of_kind(Kind.VERTEBRA), *case.of_kind(Kind.SACRUM)):
        level = SACRAL if bone.kind is Kind.SACRUM else bone.level or bone.name
        whole = _read(level, bone.mesh)
        for at in range(seed, seed + noises):
            noise = _read(level, noisy(bone.mesh, at))
            yield from _compared(level, case.name, "noise", (noise, whole))


def _compared(
    level: str, variant: str, change: str, found: tuple[_Found, _Found]
) -> Iterator[Reading]:
    """Compare both pedicles of a reading, the first, with those of the whole bone."""
    for side in Side:
        now, before = (claimed(one, side) for one in found)
        off, reason = None, now if isinstance(now, str) else ""
        if isinstance(now, Pedicle):
            off = _off(now, before, turned=change == "turned")
            off = (np.inf, np.inf) if side in RESECTED.get(variant, ()) else off
        yield Reading(
            level=level, variant=variant, change=change, side=side, off=off, reason=reason
        )


def _read(level: str, mesh: TriangleMesh) -> _Found:
    if level == SACRAL:
        return sacrum_anatomy(Structure(name=level, kind=Kind.SACRUM, mesh=mesh))
    return vertebra_anatomy(Structure(name=level, kind=Kind.VERTEBRA, mesh=mesh, level=level))


def _off(now: Pedicle, before: Pedicle | str, *, turned: bool) -> tuple[float, float]:
    """Return how far a pedicle moved, mm, and turned, degrees."""
    if isinstance(before, str):
        return np.inf, np.inf
    back = TURN.inverse()
    centre = back.points(now.centre_mm) if turned else now.centre_mm
    axis = back.vectors(now.axis) if turned else now.axis
    moved = float(np.linalg.norm(centre - before.centre_mm))
    return moved, float(np.degrees(angle_between(axis, before.axis)))


def _row(name: str, found: list[Reading]) -> str:
    offs = np.array([r.off for r in found if r.off is not None]).reshape(-1, 2)
    worst = offs.max(axis=0) if len(offs) else np.zeros(2)
    wrong = sum(r.is_wrong for r in found)
    return f"| {name} | {len(found)} | {len(offs)} | {worst[0]:.2f} | {worst[1]:.1f} | {wrong} |\n"


def table(found: Sequence[Reading]) -> str:
    """Return Markdown: a row for every variant, change and level, and what is wrong."""
    head = "| | pedicles | claimed | centre off, mm | axis off, degrees | beyond limits |\n"
    rows = [
        _row(name, [r for r in found if getattr(r, attribute) == name])
        for attribute in ("variant", "change", "level")
        for name in dict.fromkeys(getattr(r, attribute) for r in found)
    ]
    wrong = [
        f"* {r.level} {r.side}, {r.variant}, {r.change}: {r.off[0]:.2f} mm, {r.off[1]:.1f} deg\n"
        for r in found
        if r.is_wrong and r.off
    ]
    rule = "|---|---:|---:|---:|---:|---:|\n"
    return "".join([head, rule, *rows, _row("all", list(found)), "\n", *wrong])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 0 if no claimed pedicle lies beyond the limits, else 1."""
    parser = argparse.ArgumentParser(prog="python -m phantom stability", description=__doc__)
    parser.add_argument("cases", nargs="*", type=Path, help="bundles; none: drawn vertebrae")
    parser.add_argument("--levels", nargs="+", default=LEVELS, choices=LEVELS)
    parser.add_argument("--seed", type=int, default=3, help="settles asymmetry and noise")
    parser.add_argument("--noises", type=int, default=1, help="how often noise is drawn")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    arguments = parser.parse_args(argv)
    often = {"seed": arguments.seed, "noises": arguments.noises}
    found = [r for case in arguments.cases for r in case_readings(load_case(case), **often)] or [
        r
        for level in arguments.levels
        for r in readings(level, variants=arguments.variants, **often)
    ]
    sys.stdout.write(table(found))
    return 1 if any(r.is_wrong for r in found) else 0
