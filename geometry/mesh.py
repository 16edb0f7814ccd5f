"""The triangle mesh: read-only arrays and the few facts every room asks of it.

Reading files is in ``mesh_files``, finding and mending defects in ``mesh_check``,
measuring distances in ``exact``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from geometry.arrays import Faces, Point, Points, frozen, frozen_indices
from geometry.frames import RigidTransform


class MeshError(ValueError):
    """A mesh that cannot be used. ``code`` is stable; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Severity(StrEnum):
    """How much a problem matters."""

    NOTE = "note"
    REPAIRED = "repaired"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something found in a structure, with numbers; unsafe findings are raised instead.

    Attributes:
        code: Stable hyphenated name, such as ``open-edges``.
        severity: Whether it was noted, repaired or needs a person to look.
        message: One English sentence with the numbers in it.
        count: How many elements are affected, where counting makes sense.
    """

    code: str
    severity: Severity
    message: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TriangleMesh:
    """Triangles in one frame, mm. Outward winding is counter-clockwise seen from outside.

    Attributes:
        vertices: Positions, shape (n, 3), read-only.
        faces: Vertex indices, shape (m, 3), read-only.
        is_closed: Whether every edge has exactly two, opposite faces, so that an inside exists.
    """

    vertices: Points
    faces: Faces
    is_closed: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", frozen(self.vertices))
        object.__setattr__(self, "faces", frozen_indices(self.faces))

    @property
    def corners(self) -> Float[np.ndarray, "m 3 3"]:
        """Corner positions of every triangle, shape (m, 3, 3), mm."""
        return self.vertices[self.faces]

    @property
    def bounds(self) -> tuple[Point, Point]:
        """Lowest and highest corner of the axis-aligned box around the mesh, mm."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    @property
    def volume_mm3(self) -> float:
        """Signed volume by the divergence theorem; positive when wound outward."""
        a, b, c = np.moveaxis(self.corners - self.vertices.mean(axis=0), 1, 0)
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)

    def moved(self, transform: RigidTransform) -> "TriangleMesh":
        """Return the same mesh with coordinates in ``transform.target``."""
        return TriangleMesh(
            vertices=transform.points(self.vertices), faces=self.faces, is_closed=self.is_closed
        )


def triangle_mesh(vertices: Points, faces: Faces) -> TriangleMesh:
    """Build a mesh, closed if every directed edge is met by its reverse exactly once."""
    faces = np.asarray(faces, dtype=np.int64)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    n = len(vertices)
    keys, counts = np.unique(directed[:, 0] * n + directed[:, 1], return_counts=True)
    reverse = np.sort((keys % n) * n + keys // n)
    closed = len(faces) > 0 and bool(counts.max() == 1) and np.array_equal(keys, reverse)
    return TriangleMesh(vertices=vertices, faces=faces, is_closed=closed)


def merged(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    """Return meshes of one frame as one, part beside part."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])[:-1]
    return TriangleMesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([m.faces + n for m, n in zip(meshes, starts, strict=True)]),
        is_closed=all(mesh.is_closed for mesh in meshes),
    )
