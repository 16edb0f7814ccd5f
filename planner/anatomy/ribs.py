"""Ribs beside a thoracic vertebra: where their heads lie, and the gaps to pedicle and body."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.spatial import cKDTree

from geometry.arrays import Point
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh
from geometry.sections import Plane, section
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.case import Side, Structure

NEAREST = 40  # vertices of either surface that are measured to the other surface


@dataclass(frozen=True, slots=True, kw_only=True)
class RibGap:
    """How a rib lies beside the vertebra of its level.

    Attributes:
        rib: Name of the rib's structure.
        side: The patient's side on which it lies.
        head_mm: Its head: the point nearest to the middle of the body, LPS.
        gap_mm: From rib to vertebra, between vertices and surfaces; negative where they overlap.
        window_mm: In the plane of the isthmus, from the pedicle's outline to the rib: the way
            between pedicle and rib (DOMAIN K5). None where the rib does not cross that plane or
            the pedicle was not read.
    """

    rib: str
    side: Side
    head_mm: Point
    gap_mm: float
    window_mm: float | None


def rib_gaps(
    bone: VertebraAnatomy, vertebra: Structure, ribs: Iterable[Structure]
) -> tuple[RibGap, ...]:
    """Measure the ribs of a vertebra's level; ribs of another level or of none are left out."""
    return tuple(_gap(bone, vertebra, rib) for rib in ribs if rib.level == bone.level)


def _gap(bone: VertebraAnatomy, vertebra: Structure, rib: Structure) -> RibGap:
    local = bone.frame.points(rib.mesh.vertices)
    head = int(np.linalg.norm(local, axis=1).argmin())
    side = Side.LEFT if local[head, 0] > 0.0 else Side.RIGHT
    pedicle = bone.pedicles[side]
    return RibGap(
        rib=rib.name, side=side, head_mm=rib.mesh.vertices[head],
        gap_mm=min(_apart(rib.mesh, vertebra.mesh), _apart(vertebra.mesh, rib.mesh)),
        window_mm=_window(pedicle, rib) if isinstance(pedicle, Pedicle) else None,
    )  # fmt: skip


def _apart(vertices_of: TriangleMesh, surface: TriangleMesh) -> float:
    """Return the least signed distance from a mesh's vertices to another mesh's surface, mm."""
    near, _ = cKDTree(surface.vertices).query(vertices_of.vertices)
    nearest = np.argsort(near, kind="stable")[:NEAREST]
    distance = MeshDistance(surface)
    return min(distance.point(vertex)[0] for vertex in vertices_of.vertices[nearest])


def _window(pedicle: Pedicle, rib: Structure) -> float | None:
    plane = Plane(origin_mm=pedicle.centre_mm, x_axis=pedicle.lateral, y_axis=pedicle.cranial)
    crossing = section(rib.mesh, plane).polygons
    if not crossing:
        return None
    return float(pedicle.outline.distance(shapely.union_all(crossing)))
