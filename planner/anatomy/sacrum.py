"""The first sacral segment: its frame from the superior endplate, and its body.

The segment has no endplate below and, in many segmentations, no canal behind. What the mesh cannot
tell is taken in adult proportion to the endplate and lowers the confidence.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import shapely
from jaxtyping import Float
from shapely import Polygon

from geometry.arrays import Point, Vector, unit
from geometry.frames import angle_between, frame_from_axes
from geometry.mesh import TriangleMesh
from geometry.sections import Plane, filled, parts, section
from planner.anatomy.body import BodyBox, Face, Look, Surface, fit_face, surface_of
from planner.anatomy.model import Body, Unavailable, VertebraAnatomy
from planner.anatomy.morphometry import ACCEPTED, NORMS
from planner.anatomy.sacral_pedicle import SacralBone, sacral_pedicles
from planner.anatomy.solid import BY_SECTIONS, calmed
from planner.anatomy.symmetry import mirror_plane
from planner.case import Structure

BAND_MM = 14.0  # half width of the midline strip in which the endplate is looked for
TURN = np.radians(10.0)  # width of the kernel over directions
STEEPEST = np.radians(75.0)  # between the endplate's normal and the sacrum's long axis
RIM_MM = 2.5  # below the endplate's plane, where its width and depth are measured
START_HALF = np.array([20.0, 14.0, 0.0])
LONGEST_HALF = np.array([34.0, 24.0])
STEPS = 80
SETTLED_MM = 1e-10
OPEN_BEHIND = 1.15  # a span this many times the endplate's depth runs through a canal unseen
LOOK = Look(axis=2, sign=1.0, middle=(0.0, 0.0), reach=(0.75, 0.85))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Depth:
    """The body's extent from front to back at half its height, and whether its back was seen."""

    front: float
    back: float
    seen: bool


def sacrum_anatomy(
    bone: Structure, *, l5: VertebraAnatomy | None = None, metal: Iterable[Structure] = ()
) -> VertebraAnatomy | Unavailable:
    """Read the frame, the body and the pedicles of S1.

    Args:
        bone: The sacrum.
        l5: The vertebra above; only a check that the endplate found is the one that faces it.
        metal: Hardware of the case; holes that it fills count as bone.

    Returns:
        The anatomy in patient LPS, or why there is none.
    """
    read = _segment(bone, l5)
    if isinstance(read, Unavailable):
        return read
    segment, canal_shows = read
    seen = SacralBone(
        mesh=bone.mesh,
        metal=tuple(metal),
        frame=segment.frame,
        body=segment.body,
        canal_shows=canal_shows,
    )
    return replace(segment, pedicles=MappingProxyType(sacral_pedicles(seen)))


def _segment(
    bone: Structure, l5: VertebraAnatomy | None
) -> tuple[VertebraAnatomy, bool] | Unavailable:
    """Read the frame and the body, without pedicles, and whether a canal ends it behind."""
    mesh = calmed(bone.mesh, BY_SECTIONS)
    mirror = mirror_plane(mesh)
    left = mirror.normal * (1.0 if mirror.normal[0] >= 0.0 else -1.0)
    surface = surface_of(mesh)
    start = _rough_endplate(surface, mirror.origin_mm, left)
    if start is None:
        return Unavailable(reason="no flat surface at the upper end of the sacrum's midline")
    settled = _settled(mesh, surface, start)
    if settled is None:
        return Unavailable(reason="the upper end of the sacrum could not be fitted by an endplate")
    box, face = settled
    depth = _depth(mesh, box)
    if depth is None:
        return Unavailable(reason="the first sacral body was not met below its endplate")
    return _described(bone, box, face, depth, l5), depth.seen


def _rough_endplate(surface: Surface, on_plane: Point, left: Vector) -> BodyBox | None:
    """Find the commonest direction of the surface at the upper end, near the midline."""
    sizes = np.linalg.norm(surface.areas, axis=1)
    normals = surface.areas / np.maximum(sizes, 1e-12)[:, None]
    offset = surface.points - on_plane
    aside = offset @ left
    flat = offset - aside[:, None] * left
    flat = flat - sizes @ flat / sizes.sum()
    cranial = np.linalg.eigh((flat * sizes[:, None]).T @ flat)[1][:, 2]
    along = flat @ cranial
    if sizes @ (aside**2 * along) < 0.0:  # the wide end is the upper one
        cranial, along = -cranial, -along
    forward = np.cross(left, cranial)
    upper = np.clip((along / along.max() - 0.1) / 0.2, 0.0, 1.0)
    strip = np.maximum(0.0, 1.0 - (aside / BAND_MM) ** 2)
    weights = sizes * strip * upper * np.maximum(0.0, 1.0 - (normals @ left / 0.5) ** 2)
    angles = np.arctan2(normals @ forward, normals @ cranial)
    weights = weights * (np.abs(angles) < STEEPEST)
    if weights.sum() < 100.0:
        return None
    grid = np.linspace(-STEEPEST, STEEPEST, 151)
    heights = np.exp(-0.5 * ((grid[:, None] - angles) / TURN) ** 2) @ weights
    turn = float(grid[int(np.argmax(heights))])
    normal = np.cos(turn) * cranial + np.sin(turn) * forward
    facing = weights * np.exp(-0.5 * ((angles - turn) / TURN) ** 2)
    centre = facing @ surface.points / facing.sum()
    centre = centre - ((centre - on_plane) @ left) * left
    return BodyBox(
        centre=centre, axes=np.stack([left, np.cross(normal, left), normal]), half=START_HALF
    )


def _settled(mesh: TriangleMesh, surface: Surface, box: BodyBox) -> tuple[BodyBox, Face] | None:
    """Move, tilt and size the box until its middle is the endplate's."""
    face = None
    for step in range(STEPS):
        face = fit_face(surface, box, LOOK, 10.0 if step < 10 else 5.0)
        if face is None:
            return None
        moved = _on_endplate(mesh, box, face)
        if moved is None:
            return None
        change = np.abs(moved.centre - box.centre).max() + np.abs(moved.half - box.half).max()
        box = moved
        if change < SETTLED_MM and step > 10:
            break
    return None if face is None else (box, face)


def _on_endplate(mesh: TriangleMesh, box: BodyBox, face: Face) -> BodyBox | None:
    """Tilt and lift the box onto the fitted plane, then centre it between the rims."""
    left, posterior, superior = box.axes
    tilt = -np.arctan(face.slope[1])
    up = np.cos(tilt) * superior + np.sin(tilt) * posterior
    back = np.cos(tilt) * posterior - np.sin(tilt) * superior
    centre = box.centre + face.at_centre * superior
    deep = _rim(mesh, Plane(origin_mm=centre, x_axis=back, y_axis=up))
    if deep is None:
        return None
    centre = centre + 0.5 * (deep[0] + deep[1]) * back
    wide = _rim(mesh, Plane(origin_mm=centre, x_axis=left, y_axis=up))
    if wide is None:
        return None
    half = 0.5 * np.array([wide[1] - wide[0], deep[1] - deep[0]])
    half = np.minimum(half, LONGEST_HALF)
    return BodyBox(
        centre=centre, axes=np.stack([left, back, up]), half=np.array([half[0], half[1], 0.0])
    )


def _rim(mesh: TriangleMesh, plane: Plane) -> tuple[float, float] | None:
    """Return where the bone at the endplate ends either way, just below its plane, mm."""
    pieces = shapely.union_all([filled(p) for p in section(mesh, plane).polygons])
    sliver = parts(pieces.intersection(shapely.box(-500.0, -RIM_MM, 500.0, 500.0)))
    if not sliver:
        return None
    here = shapely.Point(0.0, -0.5 * RIM_MM)
    found = min(sliver, key=lambda p: (p.distance(here), -p.area))
    return float(found.bounds[0]), float(found.bounds[2])


def _height(box: BodyBox) -> float:
    """Return the height of S1 in adult proportion to the width of its endplate, mm."""
    norm = NORMS["S1"]
    return float(2.0 * box.half[0] * norm.body_height_mm / norm.body_width_mm)


def _depth(mesh: TriangleMesh, box: BodyBox) -> _Depth | None:
    """Measure the body along the midline at half its height."""
    plane = Plane(origin_mm=box.centre, x_axis=box.axes[1], y_axis=box.axes[2])
    level = -0.5 * _height(box)
    chord = shapely.LineString([(-200.0, level), (200.0, level)])
    spans: list[Float[np.ndarray, "2 2"]] = []
    for piece in section(mesh, plane).polygons:
        met = chord.intersection(piece)
        spans += [np.array(g.coords) for g in getattr(met, "geoms", [met]) if g.length > 3.0]
    if not spans:
        return None
    body = min(spans, key=lambda s: float(s[:, 0].min()))
    front, back = float(body[:, 0].min()), float(body[:, 0].max())
    whole = 2.0 * float(box.half[1])
    seen = back - front < OPEN_BEHIND * whole
    return _Depth(front=front, back=back if seen else front + whole, seen=seen)


def _described(
    bone: Structure, box: BodyBox, face: Face, depth: _Depth, l5: VertebraAnatomy | None
) -> VertebraAnatomy:
    """Put the origin in the middle of the body and express the body there."""
    height = _height(box)
    middle = 0.5 * (depth.front + depth.back)
    origin = box.centre + middle * box.axes[1] - 0.5 * height * box.axes[2]
    tilt = unit(np.array([-face.slope[0], -face.slope[1], 1.0]))
    endplate = np.array([0.0, -middle, 0.5 * height])
    body = Body(
        width_mm=2.0 * float(box.half[0]),
        depth_mm=depth.back - depth.front,
        posterior_height_mm=height,
        anterior_height_mm=height,
        superior_mm=endplate,
        superior_normal=tilt,
        inferior_mm=np.array([0.0, 0.0, -0.5 * height]),
        inferior_normal=np.array([0.0, 0.0, -1.0]),
        outline=_outline(bone.mesh, origin, box, depth),
    )
    confidence, cause = _trust(body, face, depth)
    return VertebraAnatomy(
        structure=bone.name,
        level="S1",
        frame=frame_from_axes(name=bone.name, origin_mm=origin, axes=box.axes),
        body=body,
        pedicles=MappingProxyType({}),
        confidence=confidence,
        cause=cause,
        warnings=_warnings(box, l5),
    )


def _outline(mesh: TriangleMesh, origin: Point, box: BodyBox, depth: _Depth) -> Polygon:
    """Return the axial outline at half height, within the endplate's width and the depth."""
    plane = Plane(origin_mm=origin, x_axis=box.axes[0], y_axis=box.axes[1])
    piece = section(mesh, plane).at(0.0, 0.0)
    if piece is None:
        return Polygon()
    half_depth = 0.5 * (depth.back - depth.front)
    window = shapely.box(-box.half[0], -500.0, box.half[0], half_depth)
    found = parts(filled(piece).intersection(window))
    return found[0] if found else Polygon()


def _trust(body: Body, face: Face, depth: _Depth) -> tuple[float, str]:
    """Say how far the reading can be trusted, and why not farther."""
    norm = NORMS["S1"]
    low, high = ACCEPTED
    if not low <= body.width_mm / norm.body_width_mm <= high:
        return 0.3, f"endplate {body.width_mm:.0f} mm wide, adult mean {norm.body_width_mm:.0f} mm"
    if face.spread_mm > 1.5:
        return 0.4, f"the endplate is only flat to {face.spread_mm:.1f} mm"
    if not depth.seen:
        return 0.5, "no canal in the sacrum: its posterior wall is set by the endplate's depth"
    return 0.7, "the height of S1 is in adult proportion to its endplate; no endplate ends it below"


def _warnings(box: BodyBox, l5: VertebraAnatomy | None) -> tuple[str, ...]:
    """Name what a person should look at."""
    if l5 is None:
        return ()
    facing = -l5.frame.inverse().vectors(l5.body.inferior_normal)
    apart = np.degrees(angle_between(facing, box.axes[2]))
    if apart > 40.0:
        return (f"the S1 endplate is {apart:.0f} degrees from the endplate of L5 that faces it",)
    return ()
