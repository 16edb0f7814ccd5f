"""A small world: a screw in a hollow box of bone, seen from the gate across the screw."""

import numpy as np

from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box, cylinder
from planner.case import Case, Cylinder, Kind, Side, Structure
from planner.request import FreePoint, PlanRequest


def _box(centre: tuple[float, ...], size: tuple[float, ...]) -> TriangleMesh:
    return box(np.array(centre, dtype=np.float64), np.array(size, dtype=np.float64))


def small_case(*, skin_mm: float | None = 66.0, closed: bool = True, shaft_mm: float = 6.0) -> Case:
    """Return a hollow box of bone with a screw, a canal and a vessel behind it, and the skin."""
    outer, inner = _box((0, 0, 0), (60, 50, 60)), _box((0, -9, 0), (40, 22, 40))
    faces = np.concatenate([outer.faces, inner.faces[:, ::-1] + len(outer.vertices)])
    bone = triangle_mesh(
        np.concatenate([outer.vertices, inner.vertices]), faces if closed else faces[:-1]
    )
    head, tip = np.array([0.0, 30.0, 0.0]), np.array([0.0, -3.0, 0.0])
    structures = [
        Structure(name="ilium", kind=Kind.ILIUM, mesh=bone),
        Structure(
            name="screw", kind=Kind.SCREW, mesh=cylinder(head, tip, shaft_mm), level="S1",
            side=Side.LEFT, primitive=Cylinder(head_mm=head, tip_mm=tip, diameter_mm=shaft_mm),
        ),
        Structure(name="canal", kind=Kind.CANAL, mesh=_box((0, 33, 22), (80, 10, 16))),
        Structure(name="vessel", kind=Kind.VESSEL, mesh=_box((22, 38, 0), (12, 8, 60))),
    ]  # fmt: skip
    if skin_mm is not None:
        body = _box((0, skin_mm - 75, 0), (240, 150, 240))
        structures.append(Structure(name="skin", kind=Kind.SKIN, mesh=body))
    return Case(name="small", structures=tuple(structures), digest="c" * 64)


REQUEST = PlanRequest(
    target=FreePoint(position_mm=np.array([4.0, -17.5, 5.0]), tolerance_mm=9.0),
    needles=("15G-100", "curved-13G-in-10G"), certificate_tolerance_mm=2.5, digest="r" * 64,
)  # fmt: skip
