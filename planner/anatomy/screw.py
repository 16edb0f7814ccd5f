"""A screw's shaft, from a mesh of any tessellation with or without thread and head."""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float

from geometry.arrays import Point, Points, Vector, unit
from geometry.mesh import TriangleMesh
from geometry.mesh_check.winding import winding_number
from geometry.sections import Plane, filled, section
from planner.anatomy.body import surface_of
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.case import Cylinder, Kind, Structure

SPACING_MM = 0.9  # of sections; at least two to a turn of thread
STEPS = 3
LEAST_SECTIONS = 8
SLENDER = 2.0  # least ratio of length to thickness
HEAD_AREA = 1.12  # times the shaft's area: where the head begins
ALIKE = 0.12  # relative difference of radius within which sections belong to one shaft
CREST = 0.9  # quantile of the sections' reaches that counts as the thread's crest
LARGEST_BEND_MM = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Profile:
    """Sections across a line: where, mean radius, reach from the line, and centroids."""

    along: Float[np.ndarray, " k"]
    radii: Float[np.ndarray, " k"]
    reaches: Float[np.ndarray, " k"]
    centroids: Points


def screw_axis(screw: Structure, *, bones: tuple[Structure, ...] = ()) -> ScrewAxis | Unavailable:
    """Find where a screw's shaft meets its head, where it ends, and how thick it is.

    Args:
        screw: A primitive, which is taken as it is, or a mesh. The tip is its farthest point along
            the axis; the diameter is the thread's outer one.
        bones: To name the level of a screw that carries none, and to tell the tip of a headless
            screw, which is the end inside bone.

    Returns:
        The shaft in patient LPS, or why it was not found.
    """
    if isinstance(screw.primitive, Cylinder):
        shaft = (screw.primitive.head_mm, screw.primitive.tip_mm, screw.primitive.diameter_mm)
    else:
        found = _shaft(screw.mesh, bones)
        if isinstance(found, Unavailable):
            return found
        shaft = found
    head, tip, diameter = shaft
    return ScrewAxis(
        structure=screw.name,
        head_mm=head,
        tip_mm=tip,
        diameter_mm=diameter,
        level=screw.level or _level_of(head, tip, bones),
        side=screw.side,
    )


def _shaft(
    mesh: TriangleMesh, bones: tuple[Structure, ...]
) -> tuple[Point, Point, float] | Unavailable:
    """Fit the line through the centroids of sections that are as thick as the shaft."""
    surface = surface_of(mesh)
    weights = np.linalg.norm(surface.areas, axis=1)
    centre = weights @ surface.points / weights.sum()
    offset = surface.points - centre
    spread, axes = np.linalg.eigh((offset * weights[:, None]).T @ offset)
    if spread[2] < SLENDER**2 * spread[1]:
        return Unavailable(reason="the screw has no long axis: it is not one slender piece")
    along = offset @ axes[:, 2]
    axis = axes[:, 2] * (1.0 if weights @ along**3 >= 0.0 else -1.0)
    profile = _profile(mesh, centre, axis)
    for _ in range(STEPS):
        if len(profile.along) < LEAST_SECTIONS:
            return Unavailable(reason="the screw's mesh is too broken to cut across its axis")
        centre, axis = _line(profile, _alike(profile.radii))
        profile = _profile(mesh, centre, axis)
    shaft = _alike(profile.radii)
    bend = np.linalg.norm(np.cross(profile.centroids - centre, axis), axis=1)
    if float(np.sqrt(shaft @ bend**2 / shaft.sum())) > LARGEST_BEND_MM:
        return Unavailable(reason="the screw's shaft is not straight; it may be bent or broken")
    turned, has_head = _towards_tip(profile, axis, bones)
    if turned @ axis < 0.0:
        axis, profile = turned, _profile(mesh, centre, turned)
    shaft = _alike(profile.radii) ** 8  # without the taper
    height = (mesh.vertices - centre) @ axis
    head = _neck(mesh, profile, shaft, centre, axis) if has_head else float(height.min())
    crest = np.quantile(profile.reaches, CREST, weights=shaft, method="inverted_cdf")
    diameter = 2.0 * float(crest)
    return centre + head * axis, centre + float(height.max()) * axis, diameter


def _profile(mesh: TriangleMesh, centre: Point, axis: Vector) -> _Profile:
    """Cut across a line at even distances over the whole length of the mesh."""
    across = np.linalg.svd(axis[None, :])[2][1:]
    height = (mesh.vertices - centre) @ axis
    count = int(np.ceil((height.max() - height.min()) / SPACING_MM))
    step = (height.max() - height.min()) / count
    stations = height.min() + (np.arange(count) + 0.5) * step
    along, radii, reaches, centroids = [], [], [], []
    for station in stations.tolist():
        plane = Plane(origin_mm=centre + station * axis, x_axis=across[0], y_axis=across[1])
        found = section(mesh, plane).polygons
        if not found:
            continue
        pieces = filled(found[0]) if len(found) == 1 else shapely.MultiPolygon(map(filled, found))
        middle = pieces.centroid
        rim = shapely.get_coordinates(pieces)
        along.append(station)
        radii.append(float(np.sqrt(pieces.area / np.pi)))
        reaches.append(float(np.linalg.norm(rim, axis=1).max()))
        centroids.append(plane.lifted(middle.x, middle.y))
    return _Profile(
        along=np.array(along),
        radii=np.array(radii),
        reaches=np.array(reaches),
        centroids=np.array(centroids).reshape(-1, 3),
    )


def _alike(radii: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Weigh sections by how near they are to the commonest radius, which is the shaft's."""
    logs = np.log(np.maximum(radii, 1e-6))
    density = np.exp(-0.5 * ((logs[:, None] - logs) / ALIKE) ** 2).sum(axis=1)
    mode = logs[int(np.argmax(density))]
    for _ in range(30):
        near = np.exp(-0.5 * ((logs - mode) / ALIKE) ** 2)
        mode = near @ logs / near.sum()
    return np.exp(-0.5 * ((logs - mode) / ALIKE) ** 2)


def _line(profile: _Profile, weights: Float[np.ndarray, " k"]) -> tuple[Point, Vector]:
    """Fit a line through centroids; a window without corners keeps the thread from tilting it."""
    middle = weights @ profile.along / weights.sum()
    sigma = np.sqrt(weights @ (profile.along - middle) ** 2 / weights.sum())
    window = np.maximum(0.0, 1.0 - ((profile.along - middle) / (1.9 * sigma)) ** 2) ** 2
    weights = weights * window / (weights @ window)
    at = weights @ profile.along
    centre = weights @ profile.centroids
    offset = profile.along - at
    return centre, unit((weights * offset) @ (profile.centroids - centre))


def _towards_tip(
    profile: _Profile, axis: Vector, bones: tuple[Structure, ...]
) -> tuple[Vector, bool]:
    """Point the axis at the tip: away from the head, else towards bone, else towards the front."""
    shaft = _alike(profile.radii)
    mean = shaft @ profile.radii / shaft.sum()
    excess = np.maximum(0.0, profile.radii / mean - 1.2)
    toward = profile.along - shaft @ profile.along / shaft.sum()
    if excess.sum() > 1.0:
        return (axis if excess @ toward < 0.0 else -axis), True
    if bones:
        ends = [profile.centroids[0], profile.centroids[-1]]
        inside = [sum(winding_number(end, b.mesh.corners) for b in bones) for end in ends]
        if abs(inside[1] - inside[0]) > 0.5:
            return (axis if inside[1] > inside[0] else -axis), False
    return (axis if axis[1] < 0.0 else -axis), False


def _neck(
    mesh: TriangleMesh,
    profile: _Profile,
    shaft: Float[np.ndarray, " k"],
    centre: Point,
    axis: Vector,
) -> float:
    """Return where the section outgrows the shaft for good on the way to the head, mm."""
    limit = np.sqrt(HEAD_AREA) * float(shaft @ profile.radii / shaft.sum())
    middle = float(shaft @ profile.along / shaft.sum())
    within = (profile.radii < limit) & (profile.along < middle)
    before = profile.along < middle
    # the shaft's end nearest to the head; single thin slots in a tulip are not the shaft
    starts = np.flatnonzero(within).tolist()
    runs = [i for i in starts if profile.radii[i : i + 3].max() < limit]
    if not runs:
        return float(profile.along[before].min())
    low = float(profile.along[max(runs[0] - 1, 0)])
    high = float(profile.along[runs[0]])
    for _ in range(20):
        station = 0.5 * (low + high)
        across = np.linalg.svd(axis[None, :])[2][1:]
        plane = Plane(origin_mm=centre + station * axis, x_axis=across[0], y_axis=across[1])
        if np.sqrt(section(mesh, plane).area_mm2 / np.pi) > limit:
            low = station
        else:
            high = station
    return float(0.5 * (low + high))


def _level_of(head: Point, tip: Point, bones: tuple[Structure, ...]) -> str | None:
    """Return the level of the bone that holds most of the shaft, if any holds some."""
    points = head + np.linspace(0.3, 1.0, 12)[:, None] * (tip - head)
    named = [b for b in bones if b.level or b.kind is Kind.SACRUM]
    held = [sum(winding_number(p, b.mesh.corners) > 0.5 for p in points) for b in named]
    if not held or max(held) == 0:
        return None
    bone = named[int(np.argmax(held))]
    return bone.level or "S1"
