"""From voxels to a surface that neither shrinks nor loses what is thin.

The surface is that of marching cubes, half-way between voxels inside and outside, so that what is
one voxel thick is kept. Its steps are then smoothed by Taubin's filter, which does not shrink, and
no point may leave its place by half a voxel, whatever the filter does. Measured by
``benchmarks.surfaces``; figures in docs/how-to/import.md.
"""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags_array
from skimage.measure import marching_cubes

from exchange.segments import Affine, Segment
from geometry.arrays import Faces, Points
from geometry.mesh import TriangleMesh, triangle_mesh

FILTER = (0.5, -0.53)  # Taubin 1995: what shrinks by the one step grows by the other
ROUNDS = 10
FREE = 0.45  # of a voxel, that a point may move along each axis


def surface_of(segment: Segment, *, rounds: int = ROUNDS) -> TriangleMesh:
    """Return the closed surface of a segment, wound outward, patient LPS, mm.

    Args:
        segment: Voxels in patient LPS.
        rounds: How often the filter is applied; 0 leaves the steps.
    """
    mesh = _surface_by("lewiner", segment, rounds)
    return mesh if mesh.is_closed else _surface_by("lorensen", segment, rounds)


def _surface_by(method: str, segment: Segment, rounds: int) -> TriangleMesh:
    """Return the surface by one table of cases.

    Lewiner's joins voxels that touch along an edge, which keeps slanted walls whole, but leaves a
    hole where four stand crosswise about a face. Lorensen's parts them, and leaves none.
    """
    padded = np.pad(segment.voxels, 1)
    steps, faces, _, _ = marching_cubes(  # type: ignore[no-untyped-call]
        padded.astype(np.float32), 0.5, method=method
    )
    voxels = steps.astype(np.float64) - 1.0
    faces = faces.astype(np.int64)
    smooth = _smoothed(voxels, faces, segment.lps_from_voxel, rounds)
    vertices = _applied(segment.lps_from_voxel, smooth)
    mesh = triangle_mesh(vertices, faces)
    return mesh if mesh.volume_mm3 > 0.0 else triangle_mesh(vertices, faces[:, ::-1])


def _smoothed(voxels: Points, faces: Faces, affine: Affine, rounds: int) -> Points:
    """Smooth in millimetres, each point within its voxel."""
    mean = _neighbours_mean(faces, len(voxels))
    vertices = _applied(affine, voxels)
    back = np.linalg.inv(affine)
    for _ in range(rounds):
        for share in FILTER:
            vertices = vertices + share * (mean @ vertices - vertices)
    moved = np.clip(_applied(back, vertices) - voxels, -FREE, FREE)
    return voxels + moved


def _neighbours_mean(faces: Faces, count: int) -> csr_matrix:
    """Return the matrix that takes each vertex to the mean of its neighbours."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ones = np.ones(len(ends), dtype=np.float64)
    beside = coo_matrix((ones, (ends[:, 0], ends[:, 1])), shape=(count, count)).tocsr()
    beside = ((beside + beside.T) > 0).astype(np.float64)
    degree = np.maximum(np.asarray(beside.sum(axis=1)).ravel(), 1.0)
    return csr_matrix(diags_array(1.0 / degree) @ beside)


def _applied(affine: Affine, points: Points) -> Points:
    return points @ affine[:3, :3].T + affine[:3, 3]
