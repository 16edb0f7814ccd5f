"""Polygons and triangle strips to triangles."""

import numpy as np
from jaxtyping import Int

from geometry.arrays import Faces, Points
from geometry.mesh import MeshError
from geometry.mesh_files.raw import EXPORT_AGAIN, RawMesh, require_triangles_within_limit


def polygon_mesh(
    vertices: Points, corners: Int[np.ndarray, " c"], counts: Int[np.ndarray, " p"]
) -> RawMesh:
    """Triangulate polygons given as one run of corner indices.

    Convex polygons become fans from their first corner; the others are cut ear by ear.

    Args:
        vertices: Positions, shape (n, 3).
        corners: Vertex indices of all polygons, one after the other.
        counts: Number of corners of each polygon; they add up to ``len(corners)``.

    Raises:
        MeshError: ``bad-face`` for polygons of fewer than three corners, and as ``RawMesh`` does.
    """
    if len(counts) and int(counts.min()) < 3:
        raise MeshError(
            "bad-face", f"a face with {int(counts.min())} corners is no polygon; {EXPORT_AGAIN}"
        )
    starts = np.cumsum(counts) - counts
    require_triangles_within_limit(int((counts - 2).sum()))
    owner = np.repeat(np.arange(len(counts)), counts - 2)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts - 2) - (counts - 2), counts - 2)
    anchor = starts[owner]
    faces = np.stack(
        [corners[anchor], corners[anchor + within + 1], corners[anchor + within + 2]], axis=1
    )
    mesh = RawMesh(vertices=vertices, faces=faces)
    if len(owner) == len(counts):
        return mesh
    return _with_ears_cut(mesh, owner, corners, counts)


def strip_faces(strip: Int[np.ndarray, " c"]) -> Faces:
    """Return the triangles of one strip, every second one turned to keep the winding."""
    faces = np.stack([strip[:-2], strip[1:-1], strip[2:]], axis=1)
    faces[1::2] = faces[1::2, ::-1]
    return faces


def _with_ears_cut(
    mesh: RawMesh,
    owner: Int[np.ndarray, " m"],
    corners: Int[np.ndarray, " c"],
    counts: Int[np.ndarray, " p"],
) -> RawMesh:
    """Replace the fans of polygons that are not convex."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    normals = np.cross(b - a, c - a)
    total = np.zeros((len(counts), 3))
    np.add.at(total, owner, normals)
    folded = np.unique(owner[np.einsum("ij,ij->i", normals, total[owner]) < 0.0])
    if len(folded) == 0:
        return mesh
    faces = mesh.faces.copy()
    starts = np.cumsum(counts) - counts
    for polygon in folded:
        loop = corners[starts[polygon] : starts[polygon] + counts[polygon]]
        faces[owner == polygon] = _ears(mesh.vertices, loop, total[polygon])
    return RawMesh(vertices=mesh.vertices, faces=faces)


def _ears(
    vertices: Points, loop: Int[np.ndarray, " k"], normal: np.ndarray
) -> Int[np.ndarray, "t 3"]:
    """Cut a simple polygon into triangles, ear by ear, seen along its mean normal."""
    drop = int(np.argmax(np.abs(normal)))
    flat = np.delete(vertices, drop, axis=1)[loop]
    if (normal[drop] < 0.0) != (drop == 1):
        flat = flat[:, ::-1]
    left = list(range(len(loop)))
    ears: list[list[int]] = []
    while len(left) > 3:
        at = next((i for i in range(len(left)) if _is_ear(flat, left, i)), 0)
        ears.append([left[at - 1], left[at], left[(at + 1) % len(left)]])
        del left[at]
    ears.append(left)
    return loop[np.array(ears)]


def _is_ear(flat: np.ndarray, left: list[int], at: int) -> bool:
    """Tell whether the corner is convex and no other corner lies within its triangle."""
    a, b, c = left[at - 1], left[at], left[(at + 1) % len(left)]
    if _turn(flat[a], flat[b], flat[c]) <= 0.0:
        return False
    others = flat[[i for i in left if i not in {a, b, c}]]
    inside = np.ones(len(others), dtype=bool)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, offset = flat[end] - flat[start], others - flat[start]
        inside &= edge[0] * offset[:, 1] - edge[1] * offset[:, 0] >= 0.0
    return not inside.any()


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]))
