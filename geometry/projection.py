"""Cone-beam projection: where points fall on a detector, outlines, shadows, and lengths inside.

A beam is a source, an isocentre and a detector. Pictures are as seen from the detector, looking
back at the source: up is superior where it can be. Which beams are wanted is not here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Bool, Float, Int, UInt8
from shapely import MultiPolygon, Polygon

from geometry import _kernels
from geometry.arrays import Faces, Point, Points, Rotation, Vector, frozen, frozen_indices, unit
from geometry.mesh import TriangleMesh

FREE, BLOCKED, UNSURE = _kernels.FREE, _kernels.BLOCKED, _kernels.UNSURE
_POLE = 1e-9  # sine below which "up" along superior means nothing


def picture_axes(direction: Vector) -> tuple[Vector, Vector]:
    """Return unit vectors to the right and up on a picture, looking against ``direction``.

    Up is superior made square to the direction, anterior at a pole; ``right = up x direction``.
    """
    for reference in ([0.0, 0.0, 1.0], [0.0, -1.0, 0.0]):
        across = np.array(reference) - float(direction @ reference) * direction
        if float(np.linalg.norm(across)) > _POLE:
            up = unit(across)
            return np.cross(up, direction), up
    raise AssertionError("superior and anterior cannot both be parallel to one direction")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConeBeam:
    """X-rays from a point source through the isocentre to a flat detector square to them.

    Attributes:
        direction: Unit vector from the isocentre to the detector, patient LPS.
        isocentre_mm: Patient LPS.
        source_to_isocentre_mm: Focal spot to isocentre.
        source_to_detector_mm: Focal spot to detector.
    """

    direction: Vector
    isocentre_mm: Point
    source_to_isocentre_mm: float
    source_to_detector_mm: float

    @property
    def source_mm(self) -> Point:
        """The focal spot, patient LPS."""
        return self.isocentre_mm - self.source_to_isocentre_mm * self.direction

    @property
    def magnification(self) -> float:
        """Size on the detector over size in a plane through the isocentre."""
        return self.source_to_detector_mm / self.source_to_isocentre_mm

    @property
    def up(self) -> Vector:
        """Unit vector up on the picture: superior made square to the beam; anterior at a pole."""
        return picture_axes(self.direction)[1]

    @property
    def right(self) -> Vector:
        """Unit vector to the right on the picture, seen from the detector: ``up x direction``."""
        return picture_axes(self.direction)[0]

    def project(self, points: Points) -> Float[np.ndarray, "n 2"]:
        """Return (right, up) of points on the detector, mm, from the central ray.

        ``lambda = SID / ((X - source) . u); (x, y) = lambda ((X - source) . (right, up))``
        (DOMAIN 5.2). Points must lie in front of the source.
        """
        offset = points - self.source_mm
        reach = self.source_to_detector_mm / (offset @ self.direction)
        return reach[:, None] * (offset @ np.stack([self.right, self.up], axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutlinedMesh:
    """A closed mesh with its edges, ready for its outline from any source.

    Attributes:
        mesh: The mesh.
        edges: Vertices of every edge in the order in which its first face runs, shape (e, 2).
        sides: The edge's first and second face, shape (e, 2).
    """

    mesh: TriangleMesh
    edges: Int[np.ndarray, "e 2"]
    sides: Int[np.ndarray, "e 2"]


def outlined(mesh: TriangleMesh) -> OutlinedMesh:
    """Find the edges of a closed mesh.

    Raises:
        ValueError: If the mesh is not closed: it has no inside, and so no outline.
    """
    if not mesh.is_closed:
        raise ValueError("only a closed mesh has an outline")
    count, size = len(mesh.faces), len(mesh.vertices)
    directed = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    owner = np.tile(np.arange(count), 3)
    order = np.argsort(directed[:, 0] * size + directed[:, 1])
    back = np.argsort(directed[:, 1] * size + directed[:, 0])
    # Every directed edge has one reverse, so both orders list the same pairs.
    first = directed[order, 0] < directed[order, 1]
    return OutlinedMesh(
        mesh=mesh,
        edges=frozen_indices(directed[order][first]),
        sides=frozen_indices(np.column_stack([owner[order], owner[back]])[first]),
    )


def silhouette(outline: OutlinedMesh, beam: ConeBeam) -> Polygon | MultiPolygon:
    """Return what a mesh covers on the detector, mm: the exact union of its projected triangles.

    Only edges between a face turned to the source and one turned away can bound it. They cut the
    detector into cells, and a cell is covered where they wind about it.
    """
    seen = outline.mesh.vertices - beam.source_mm
    a, b, c = np.moveaxis(seen[outline.mesh.faces], 1, 0)
    towards = np.einsum("ij,ij->i", a, np.cross(b, c)) < 0.0
    faced = towards[outline.sides]
    turning = faced[:, 0] != faced[:, 1]
    # Run along the face that is turned to the source.
    edges = np.where(faced[turning, :1], outline.edges[turning], outline.edges[turning][:, ::-1])
    flat = beam.project(outline.mesh.vertices)
    lines = flat[edges]
    cells = shapely.get_parts(shapely.polygonize([shapely.union_all(shapely.linestrings(lines))]))
    inside = np.array([shapely.point_on_surface(cell).coords[0] for cell in cells]).reshape(-1, 2)
    covered = shapely.union_all(cells[_winding(lines, inside) != 0])
    return covered if isinstance(covered, Polygon | MultiPolygon) else MultiPolygon()


def _winding(
    lines: Float[np.ndarray, "e 2 2"], points: Float[np.ndarray, "p 2"]
) -> Int[np.ndarray, " p"]:
    """Return how often closed lines, given by their directed pieces, run around each point."""
    start, end = lines[None, :, 0], lines[None, :, 1]
    x, y = points[:, None, 0], points[:, None, 1]
    up = (start[..., 1] <= y) & (end[..., 1] > y)
    down = (start[..., 1] > y) & (end[..., 1] <= y)
    side = (end[..., 0] - start[..., 0]) * (y - start[..., 1]) - (x - start[..., 0]) * (
        end[..., 1] - start[..., 1]
    )
    turns: Int[np.ndarray, " p"] = ((up & (side > 0.0)).astype(np.int64)
                                   - (down & (side < 0.0))).sum(axis=1)  # fmt: skip
    return turns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shadows:
    """Which lines through a few points meet solid things, within a square cone of directions.

    Attributes:
        points_mm: Shape (n, 3).
        axes: Rows t, s, e, right-handed: a line's direction is ``x t + y s + e``.
        half: Lines with x and y in ``[-half, half]`` are in the raster.
        blocked: Per point, row (along s) and column (along t), whether the line through the
            cell's middle meets something.
    """

    points_mm: Points
    axes: Rotation
    half: float
    blocked: Bool[np.ndarray, "n r r"]

    def seen_from(self, sources_mm: Points) -> UInt8[np.ndarray, "n p"]:
        """Return FREE, BLOCKED or UNSURE for the line from each source through each point.

        A line is unsure where it runs within a cell of an outline: only tracing it tells.
        """
        return _kernels.look_up(
            self.blocked, self.points_mm, self.axes, self.half, np.ascontiguousarray(sources_mm)
        )


def shadows(
    meshes: Sequence[TriangleMesh], points: Points, axes: Rotation, *, half: float, cells: int
) -> Shadows:
    """Find which lines through each point meet any of the meshes, to ``cells`` squared lines."""
    vertices, faces = together(meshes)
    closed = np.concatenate([np.full(len(m.faces), m.is_closed) for m in meshes])
    blocked = np.zeros((len(points), cells, cells), dtype=np.bool_)
    _kernels.blocked_lines(
        vertices, faces, closed, np.ascontiguousarray(points), np.ascontiguousarray(axes), half,
        blocked,
    )  # fmt: skip
    blocked.setflags(write=False)
    return Shadows(points_mm=frozen(points), axes=frozen(axes), half=half, blocked=blocked)


def together(meshes: Sequence[TriangleMesh]) -> tuple[Points, Faces]:
    """Return the vertices and faces of meshes as those of one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate(
        [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    )
    return vertices, faces


def chord_lengths(
    meshes: Sequence[TriangleMesh],
    beam: ConeBeam,
    size: tuple[int, int],
    pixel_mm: float,
    *,
    wall_mm: float = 0.0,
    most_wall_mm: float = 0.0,
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return, per pixel, how much of its ray lies inside closed meshes, and how much in walls.

    What lies inside several of them counts as often.

    Args:
        meshes: Closed, patient LPS.
        beam: The beam; the central ray meets the picture's middle.
        size: Width and height of the picture, pixels.
        pixel_mm: Side of a pixel on the detector.
        wall_mm: Thickness of the wall: every crossing counts this over the cosine to the surface.
        most_wall_mm: Most that one crossing counts.
    """
    width, height = size
    right, up = picture_axes(beam.direction)
    corner = (
        beam.source_to_detector_mm * beam.direction
        - 0.5 * width * pixel_mm * right
        + 0.5 * height * pixel_mm * up
    )
    rays = np.stack([pixel_mm * right, -pixel_mm * up, corner])
    chord, wall = np.zeros((height, width)), np.zeros((height, width))
    for mesh in meshes:
        flat = beam.project(mesh.vertices)
        pixels = np.column_stack([
            width / 2.0 + flat[:, 0] / pixel_mm, height / 2.0 - flat[:, 1] / pixel_mm,
        ])  # fmt: skip
        _kernels.add_chords(
            mesh.vertices - beam.source_mm, mesh.faces, pixels, rays, wall_mm, most_wall_mm,
            chord, wall,
        )  # fmt: skip
    return chord, np.minimum(wall, chord)
