"""The bone as one solid: without cavities inside it, and, where asked, with its holes closed.

Screws and cement leave channels and voids in a segmented bone. A void within the bone is a shell
of its own and is left out. A channel that breaks through a wall is closed on a grid: everything
narrower than a ball that cannot pass counts as bone (morphological closing).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from geometry.arrays import Point, Rotation
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.anatomy import _kernels

STEP_MM = 0.8
SMALL_SHARE = 0.03  # of the largest shell's volume; smaller ones say nothing about the whole
CALMING = (0.5, -0.53)
MOST_CALMINGS = 16
MARGIN_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calming:
    """How far along the surface a bone is smoothed, and which edges are too long for it, mm.

    Long edges would round off the bone: what is found by its faces needs them more than what is
    found by sections through it.
    """

    reach_mm: float
    longest_mm: float


BY_FACES = Calming(reach_mm=6.0, longest_mm=2.0)  # bodies
BY_SECTIONS = Calming(reach_mm=5.0, longest_mm=2.5)  # isthmuses, the sacrum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A box around the part of a bone that is looked at: centre, axes (rows), half extents, mm."""

    centre: Point
    axes: Rotation
    half: Point


def outer_solid(mesh: TriangleMesh) -> TriangleMesh:
    """Return the bone without voids, what floats in them, and crumbs.

    Args:
        mesh: Wound outward, in any frame, mm.
    """
    shell = _shells(mesh)
    count = int(shell.max()) + 1
    if count == 1:
        return mesh
    a, b, c = np.moveaxis(mesh.corners - mesh.vertices.mean(axis=0), 1, 0)
    volumes = np.bincount(shell, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0, count)
    largest = int(np.argmax(volumes))
    low, high = (np.full((count, 3), sign * np.inf) for sign in (1.0, -1.0))
    np.minimum.at(low, shell, mesh.corners.min(axis=1))
    np.maximum.at(high, shell, mesh.corners.max(axis=1))
    floating = np.array([_within(mesh, shell == largest, low[i], high[i]) for i in range(count)])
    kept = (volumes > SMALL_SHARE * volumes[largest]) & ~floating
    kept[largest] = True
    faces = mesh.faces[kept[shell]]
    return TriangleMesh(vertices=mesh.vertices, faces=faces, is_closed=mesh.is_closed)


def calmed(mesh: TriangleMesh, how: Calming) -> TriangleMesh:
    """Return a dense mesh with its roughness smoothed away, to find things in, not to measure.

    Pairs of umbrella steps, one shrinking and one swelling (Taubin 1995), as many as spread over
    the reach. A mesh of longer edges is returned as it is.
    """
    tails, heads = mesh.faces.ravel(), np.roll(mesh.faces, -1, axis=1).ravel()
    edge = float(np.median(np.linalg.norm(mesh.vertices[tails] - mesh.vertices[heads], axis=1)))
    if edge > how.longest_mm:
        return mesh
    n = len(mesh.vertices)
    rows, columns = np.concatenate([tails, heads]), np.concatenate([heads, tails])
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n)).tocsr()
    total = np.maximum(np.asarray(graph.sum(axis=1)), 1.0)
    vertices = mesh.vertices
    for _ in range(int(np.clip(round((how.reach_mm / edge) ** 2), 1, MOST_CALMINGS))):
        for share in CALMING:
            vertices = vertices + share * (graph @ vertices / total - vertices)
    return TriangleMesh(vertices=vertices, faces=mesh.faces, is_closed=mesh.is_closed)


def _shells(mesh: TriangleMesh) -> Int[np.ndarray, " m"]:
    """Return which connected shell each face belongs to."""
    a, b, c = mesh.faces.T
    rows, columns = np.concatenate([a, b]), np.concatenate([b, c])
    n = len(mesh.vertices)
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels[a], return_inverse=True)[1]


def _within(mesh: TriangleMesh, outer: Bool[np.ndarray, " m"], low: Point, high: Point) -> bool:
    """Tell whether the middle of a box lies inside a shell that is larger than the box."""
    a, b, c = mesh.vertices[mesh.faces[outer]].swapaxes(0, 1)
    around = (low > np.minimum(a, np.minimum(b, c)).min(axis=0)).all()
    if not around:
        return False
    a, b, c = (corner - 0.5 * (low + high) for corner in (a, b, c))
    la, lb, lc = (np.linalg.norm(corner, axis=1) for corner in (a, b, c))
    top = np.einsum("ij,ij->i", a, np.cross(b, c))
    dots = [np.einsum("ij,ij->i", p, q) for p, q in ((a, b), (b, c), (c, a))]
    below = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
    # solid angles of all triangles add up to 4 pi inside
    return bool(np.arctan2(top, below).sum() > np.pi)


def closed_up(mesh: TriangleMesh, window: Window, *, ball_mm: float) -> TriangleMesh | None:
    """Return the bone within a window with every channel closed that a ball cannot pass, or None.

    The surface lies within about half a grid step of the bone's own, but for hollows narrower than
    the ball, which are filled up to it; where the window ends, the bone is cut off.

    Args:
        mesh: The bone, patient LPS, mm.
        window: What of it is looked at, in the same frame.
        ball_mm: Its radius.
    """
    half = window.half + MARGIN_MM
    counts = np.ceil(2.0 * half / STEP_MM).astype(np.int64) + 1
    local = (mesh.vertices - window.centre) @ window.axes.T
    sheets = np.zeros(tuple(int(n) for n in counts), dtype=np.int32)
    _kernels.column_crossings((local + half) / STEP_MM, mesh.faces, sheets)
    bone = np.cumsum(sheets, axis=2) > 0
    if not bone.any():
        return None
    reach = ball_mm / STEP_MM
    grown = distance_transform_edt(~bone) < reach
    depth = distance_transform_edt(grown) - reach
    field = gaussian_filter(np.clip(depth, -2.0, 2.0), 0.7)
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = -1.0
    if field.max() <= 0.0:
        return None
    vertices, faces, _, _ = marching_cubes(field, 0.0)  # type: ignore[no-untyped-call]
    placed = (np.asarray(vertices, dtype=np.float64) * STEP_MM - half) @ window.axes
    closed = triangle_mesh(placed + window.centre, np.asarray(faces, dtype=np.int64))
    if closed.volume_mm3 < 0.0:
        closed = triangle_mesh(closed.vertices, closed.faces[:, ::-1])
    return closed
