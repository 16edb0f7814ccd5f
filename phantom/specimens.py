"""Single screws of every make and state, with their true measures, to test the reading of screws.

A specimen is drawn by its number: thread, head, what the scan cut off, tessellation and noise run
through all their combinations; lengths, diameters and poses are drawn at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from skimage.measure import marching_cubes

from geometry.arrays import Point
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box
from phantom.loft import lofted
from planner.anatomy.solid_grid import solid_grid


class Thread(StrEnum):
    """How a shaft is threaded."""

    NONE = "none"
    SINGLE = "single"
    DOUBLE = "double"
    TAPERED = "tapered core"


class Head(StrEnum):
    """What sits on a shaft."""

    TULIP = "tulip"
    SLOTTED = "slotted tulip, apart"
    BALL = "ball"
    NONE = "none"


class CutOff(StrEnum):
    """What the edge of the scan took away, and whether it left a hole."""

    NOTHING = "nothing"
    TIP = "tip"
    TIP_OPEN = "tip, open"


THREADS, HEADS, CUTS = tuple(Thread), tuple(Head), tuple(CutOff)
SEGMENTS = (8, 12, 20, 36, 64)
NOISES_MM = (0.0, 0.05, 0.1)
RINGS_PER_TURN = (6, 10, 16)
TAPER_MM = 5.0  # of a whole tip
CUT_TILT = 0.6  # tangent of the cut's slope against the axis
HEAD_LENGTH_MM = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """What a specimen is made like.

    Attributes:
        thread: How it is threaded.
        head: What sits on it.
        cut: What the scan cut off.
        segments: Points on each ring of the surface.
        rings: Rings to each turn of thread, or to 3 mm of a smooth shaft.
        noise_mm: Standard deviation of every coordinate.
        length_mm: Of the shaft as far as it is seen.
        diameter_mm: Outer diameter.
    """

    thread: Thread
    head: Head
    cut: CutOff
    segments: int
    rings: int
    noise_mm: float
    length_mm: float
    diameter_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Specimen:
    """A screw and the truth about it: where its shaft begins and ends as far as it is seen."""

    make: Make
    mesh: TriangleMesh
    head_mm: Point
    tip_mm: Point


def specimen(number: int, *, seed: int = 0) -> Specimen:
    """Draw a specimen; consecutive numbers run through threads, heads, cuts, meshes and noise."""
    rng = np.random.default_rng([seed, number])
    places = np.unravel_index(
        (number * 131) % 540, (len(THREADS), len(HEADS), len(CUTS), 5, len(NOISES_MM))
    )
    thread, head, cut, segments, noise = (int(p) for p in places)
    diameter = float(rng.choice(np.arange(3.5, 9.0, 0.5)))
    make = Make(
        thread=THREADS[thread],
        head=HEADS[head],
        cut=CUTS[cut],
        segments=SEGMENTS[segments],
        rings=RINGS_PER_TURN[int(rng.integers(3))],
        noise_mm=NOISES_MM[noise],
        length_mm=float(rng.uniform(max(20.0, 4.5 * diameter), 80.0)),
        diameter_mm=diameter,
    )
    return made(make, rng)


def made(make: Make, rng: np.random.Generator) -> Specimen:
    """Make a screw in a random pose."""
    parts = [_turned_part(make, rng), *_arms(make)]
    starts = np.cumsum([0, *(len(p.vertices) for p in parts)])
    vertices = np.concatenate([p.vertices for p in parts])
    faces = np.concatenate([p.faces + s for p, s in zip(parts, starts, strict=False)])
    vertices = vertices + make.noise_mm * rng.normal(size=vertices.shape)
    turn, shift = Rotation.random(random_state=rng), rng.uniform(-500.0, 500.0, 3)
    ends = turn.apply(np.array([[0.0, 0.0, make.length_mm], [0.0, 0.0, 0.0]])) + shift
    return Specimen(
        make=make,
        mesh=triangle_mesh(turn.apply(vertices) + shift, faces),
        head_mm=ends[0],
        tip_mm=ends[1],
    )


def _turned_part(make: Make, rng: np.random.Generator) -> TriangleMesh:
    """Return shaft and head in one: the tip at the origin, the shaft up to ``length_mm``."""
    length, radius = make.length_mm, 0.5 * make.diameter_mm
    pitch = float(rng.uniform(1.75, 3.5))
    angles = 2.0 * np.pi * np.arange(make.segments) / make.segments + rng.uniform(0.0, 6.0)
    count = max(int(length / (pitch if make.thread is not Thread.NONE else 3.0) * make.rings), 6)
    share = np.linspace(0.0, 1.0, count)[:, None]
    start = CUT_TILT * radius * np.cos(angles) if make.cut is not CutOff.NOTHING else 0.0 * angles
    heights = start + share * (length - start)
    radii = _shaft_radii(make, heights, angles, pitch)
    for height, value in _head_outline(make):
        heights = np.concatenate([heights, np.full((1, make.segments), height)])
        radii = np.concatenate([radii, np.full((1, make.segments), value)])
    rings = np.stack([radii * np.cos(angles), radii * np.sin(angles), heights], axis=2)
    mesh = lofted(rings)
    if make.cut is CutOff.TIP_OPEN:
        fan = (mesh.faces == rings.shape[0] * rings.shape[1]).any(axis=1)
        return triangle_mesh(mesh.vertices, mesh.faces[~fan])
    return mesh


def _shaft_radii(
    make: Make,
    heights: Float[np.ndarray, "n segments"],
    angles: Float[np.ndarray, " segments"],
    pitch: float,
) -> Float[np.ndarray, "n segments"]:
    """Return the shaft's radius at every point of its rings."""
    radius = 0.5 * make.diameter_mm
    whole = np.clip(0.3 + heights / TAPER_MM, 0.0, 1.0)
    point = whole if make.cut is CutOff.NOTHING else np.ones_like(heights)
    if make.thread is Thread.NONE:
        return radius * point
    starts = 2 if make.thread is Thread.DOUBLE else 1
    phase = (heights / pitch - starts * angles / (2.0 * np.pi)) % 1.0
    ridge = np.clip(1.5 - 3.0 * np.abs(phase - 0.5), 0.0, 1.0)
    rise = heights / make.length_mm
    core = radius * (0.72 if make.thread is not Thread.TAPERED else 0.62 + 0.2 * rise)
    return (core + (radius - core) * ridge) * point


def _head_outline(make: Make) -> list[tuple[float, float]]:
    """Return heights and radii of the head's rings, from the shaft's end outward."""
    length, radius = make.length_mm, 0.5 * make.diameter_mm
    wide = radius + 3.2
    if make.head is Head.NONE:
        return []
    if make.head is Head.BALL:
        low = np.arccos(min(1.0, radius / wide))
        turns = np.linspace(-low, 0.45 * np.pi, 12)
        centre = length + wide * np.sin(low)
        return [(centre + wide * np.sin(t), wide * np.cos(t)) for t in turns]
    if make.head is Head.SLOTTED:
        return [(length + 0.1, wide - 0.5), (length + 0.6, wide), (length + 3.0, wide)]
    return [(length + 0.1, wide), (length + HEAD_LENGTH_MM, wide)]


def _arms(make: Make) -> list[TriangleMesh]:
    """Return the two arms of a slotted tulip, which stand off the rest by a hair."""
    if make.head is not Head.SLOTTED:
        return []
    wide = 0.5 * make.diameter_mm + 3.2
    middle = make.length_mm + 3.4 + 5.5
    size = np.array([2.4, 1.3 * wide, 11.0])
    return [box(np.array([side * (wide - 1.2), 0.0, middle]), size) for side in (-1.0, 1.0)]


def fused(meshes: Sequence[TriangleMesh], *, spacing_mm: float) -> TriangleMesh:
    """Return the union of meshes as thresholding an image gives it: one surface of voxels."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + s for m, s in zip(meshes, starts, strict=False)]
    union = triangle_mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces))
    grid = solid_grid(union, spacing_mm=spacing_mm)
    inside = (grid.depth_mm > 0.0).astype(np.float32)
    vertices, triangles, *_ = marching_cubes(inside, 0.5)  # type: ignore[no-untyped-call]
    mesh = triangle_mesh(
        grid.origin_mm + grid.spacing_mm * vertices.astype(np.float64), triangles.astype(np.int64)
    )
    return mesh if mesh.volume_mm3 > 0.0 else triangle_mesh(mesh.vertices, mesh.faces[:, ::-1])


def errors(specimen: Specimen, head_mm: Point, tip_mm: Point) -> tuple[float, float, float]:
    """Return how far a reading's head and tip (mm) and its direction (radians) are off."""
    true, read = specimen.tip_mm - specimen.head_mm, tip_mm - head_mm
    angle = float(np.arctan2(np.linalg.norm(np.cross(true, read)), true @ read))
    head = float(np.linalg.norm(head_mm - specimen.head_mm))
    return head, float(np.linalg.norm(tip_mm - specimen.tip_mm)), angle
