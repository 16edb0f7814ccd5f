"""Closed surfaces stretched over rings: tubes, screws, ribs, the sac and the skin."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from geometry.arrays import Points, Vector
from geometry.mesh import TriangleMesh, triangle_mesh

Rings = Float[np.ndarray, "rings segments 3"]
Amounts = Float[np.ndarray, "n"]


def lofted(rings: Rings) -> TriangleMesh:
    """Return the closed surface over rings of equally many points, its ends fanned shut.

    The winding is turned outward whichever way the rings run.
    """
    count, segments, _ = rings.shape
    tips = np.stack([rings[0].mean(axis=0), rings[-1].mean(axis=0)])
    vertices = np.concatenate([rings.reshape(-1, 3), tips])
    here = np.arange(segments)
    after = (here + 1) % segments
    faces = [
        np.stack([np.full(segments, count * segments), after, here], axis=1),
        np.stack([here, after], axis=1)[:, [0, 1, 1]] + (count - 1) * segments,
    ]
    faces[1][:, 2] = count * segments + 1
    for ring in range(count - 1):
        a, b = ring * segments, (ring + 1) * segments
        faces.append(np.stack([a + here, a + after, b + after], axis=1))
        faces.append(np.stack([a + here, b + after, b + here], axis=1))
    triangles = np.concatenate(faces)
    mesh = triangle_mesh(vertices, triangles)
    return mesh if mesh.volume_mm3 > 0.0 else triangle_mesh(vertices, triangles[:, ::-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A smooth centreline with an elliptic cross-section that may change along it.

    Attributes:
        points: Centreline, shape (n, 3), mm.
        across: Semi-axes across ``side`` directions, shape (n,), mm.
        along: The other semi-axes, shape (n,), mm.
        side: Direction of the first semi-axis; only its part across the centreline counts.
    """

    points: Points
    across: Amounts
    along: Amounts
    side: Vector


def smoothed(
    points: Points, *, step_mm: float, values: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "m columns"]:
    """Return spline samples, shape (m, 3 + k), about ``step_mm`` apart, values carried along."""
    travel = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    count = max(round(float(travel[-1]) / step_mm), 2) + 1
    places = np.linspace(0.0, float(travel[-1]), count)
    path = CubicSpline(travel, points, bc_type="natural")(places)
    carried = [np.interp(places, travel, column) for column in values.T]
    return np.column_stack([path, *carried])


def course(
    points: Points, radii: Float[np.ndarray, "n 2"], *, side: Vector, step_mm: float
) -> Course:
    """Return a smooth course through points with semi-axes (across, along) at each."""
    rows = smoothed(points, step_mm=step_mm, values=radii)
    return Course(points=rows[:, :3], across=rows[:, 3], along=rows[:, 4], side=side)


def tube(line: Course, *, segments: int) -> TriangleMesh:
    """Return the closed surface around a course, with ends rounded over their own radius."""
    tangents = np.gradient(line.points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    first = line.side - (tangents @ line.side)[:, None] * tangents
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangents, first)
    angles = 2.0 * np.pi * np.arange(segments) / segments
    cosine, sine = np.cos(angles)[None, :, None], np.sin(angles)[None, :, None]
    flat = (
        line.across[:, None, None] * cosine * first[:, None, :]
        + line.along[:, None, None] * sine * second[:, None, :]
    )
    rings = line.points[:, None, :] + flat
    heights = np.array([0.95, 0.8, 0.5])
    shares = np.sqrt(1.0 - heights**2)
    caps = []
    for end, sign in ((0, -1.0), (-1, 1.0)):
        reach = min(float(line.across[end]), float(line.along[end]))
        centres = line.points[end] + (sign * reach) * heights[:, None] * tangents[end]
        caps.append(centres[:, None, :] + shares[:, None, None] * flat[end])
    return lofted(np.concatenate([caps[0], rings, caps[1][::-1]]))
