"""The section of a bone along its plane of symmetry, and how much bone lies around each piece."""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float
from shapely import Polygon

from geometry.arrays import Point, Points, Vector
from geometry.mesh import TriangleMesh
from geometry.sections import Plane, filled, section
from planner.anatomy.symmetry import MirrorPlane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Midsection:
    """Pieces of bone in the midsagittal plane, each with its largest inscribed circle.

    Attributes:
        plane: The plane, patient LPS, mm.
        left: Unit normal to the patient's left.
        pieces: Outlines in the plane, holes filled, mm.
        middles: Centres of their circles, in the plane, mm.
        radii_mm: Of the circles.
        widths_mm: How far bone reaches from side to side through each centre.
    """

    plane: Plane
    left: Vector
    pieces: tuple[Polygon, ...]
    middles: Float[np.ndarray, "k 2"]
    radii_mm: Float[np.ndarray, " k"]
    widths_mm: Float[np.ndarray, " k"]

    @property
    def centres_mm(self) -> Points:
        """Centres of the circles, patient LPS, mm."""
        return np.array([self.plane.lifted(*middle) for middle in self.middles])

    @property
    def sizes(self) -> Float[np.ndarray, " k"]:
        """How much of a body each piece looks like, mm2.

        A crushed body can be lower than its spinous process is tall, but it is always far wider.
        """
        return self.radii_mm * self.widths_mm


def midsection(mesh: TriangleMesh, mirror: MirrorPlane) -> Midsection:
    """Cut a bone along its plane of symmetry."""
    left = mirror.normal * (1.0 if mirror.normal[0] >= 0.0 else -1.0)
    across = np.linalg.svd(left[None, :])[2][1:]
    plane = Plane(origin_mm=mirror.origin_mm, x_axis=across[0], y_axis=np.cross(left, across[0]))
    pieces = tuple(filled(p) for p in section(mesh, plane).polygons)
    circles = [shapely.maximum_inscribed_circle(p, tolerance=0.01) for p in pieces]
    middles = np.array([c.coords[0] for c in circles]).reshape(-1, 2)
    widths = [_width_at(mesh, plane.lifted(*middle), left, across[0]) for middle in middles]
    return Midsection(
        plane=plane,
        left=left,
        pieces=pieces,
        middles=middles,
        radii_mm=np.array([c.length for c in circles]),
        widths_mm=np.array(widths),
    )


def _width_at(mesh: TriangleMesh, point: Point, left: Vector, across: Vector) -> float:
    """Return how far bone reaches sideways through a point inside it, mm."""
    piece = section(mesh, Plane(origin_mm=point, x_axis=left, y_axis=across)).at(0.0, 0.0)
    if piece is None:
        return 0.0
    chord = shapely.LineString([(-200.0, 0.0), (200.0, 0.0)]).intersection(filled(piece))
    spans = [g for g in getattr(chord, "geoms", [chord]) if not g.is_empty]
    middle = shapely.Point(0.0, 0.0)
    return float(min(spans, key=lambda g: g.distance(middle)).length) if spans else 0.0
