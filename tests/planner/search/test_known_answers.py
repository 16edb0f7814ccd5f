"""Searches whose answer is known on paper: plates, channels, crossing rods, rings of spheres.

Everything is drawn in gate coordinates (lateral, cranial, along) and then laid anywhere in the
patient. The bone is a box around it all, so that it is the obstacles alone that decide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, hypot, pi, sin

import numpy as np
import pytest
import shapely
import trimesh
from jaxtyping import Float
from scipy.optimize import linprog
from scipy.spatial.transform import Rotation
from shapely.geometry.base import BaseGeometry

from geometry.arrays import Point, Vector, unit
from geometry.frames import frame_from_axes
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box
from planner.approach import Gate, as_multipolygon
from planner.case import Case, Kind, Side, Structure
from planner.policy import policy_with
from planner.request import Approach
from planner.search.branch_and_bound import SearchResult, search_family
from planner.search.family import LineFamily, line_family
from planner.search.scene import build_scene
from planner.target import TargetRegion

TOLERANCE_MM = 0.25
ROUNDING_MM = 1e-6
USABLE_MM = 380.0
DRAWS = 25  # of each of the four scenes, each searched for two needles
KINDS = (Kind.OTHER_BONE, Kind.ROD, Kind.VESSEL, Kind.PLEURA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Obstacles around a window, gate coordinates, and how far off them a line can keep.

    The largest distance lies between ``least_mm`` and ``most_mm``; they differ by what the
    facets of round obstacles leave open, and by nothing else.
    """

    meshes: tuple[TriangleMesh, ...]
    window: BaseGeometry
    steepest: tuple[float, float]
    least_mm: float
    most_mm: float


def _prism(
    outline: Float[np.ndarray, "k 2"], axes: Float[np.ndarray, "3 3"], centre: Point,
    length_mm: float, *, rings: int, ends: bool,
) -> TriangleMesh:  # fmt: skip
    """Return a straight bar (with ends) or channel (without) along the third of ``axes``."""
    k = len(outline)
    levels = length_mm * np.linspace(-0.5, 0.5, rings + 1)
    local = np.concatenate([np.column_stack([outline, np.full(k, z)]) for z in levels])
    here = np.arange(k)
    after = np.roll(here, -1)
    wall = np.concatenate([
        np.column_stack([here, after, after + k]), np.column_stack([here, after + k, here + k])
    ])  # fmt: skip
    faces = [wall + k * ring for ring in range(rings)]
    if ends:
        fan = np.column_stack([np.zeros(k - 2, dtype=np.int64), here[1:-1], here[2:]])
        faces += [fan[:, ::-1], fan + k * rings]
    return triangle_mesh(centre + local @ axes, np.concatenate(faces))


def _circle(n: int, radius: float, turn: float = 0.0) -> Float[np.ndarray, "n 2"]:
    angle = turn + 2.0 * pi * np.arange(n) / n
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def _axes_along(direction: Vector, turn: float) -> Float[np.ndarray, "3 3"]:
    """Return right-handed unit axes (rows), the third along a direction."""
    third = unit(direction)
    first = unit(np.cross(third, [0.3, -0.2, 0.9] if abs(third[0]) > 0.5 else [1.0, 0.1, 0.0]))
    second = np.cross(third, first)
    return np.stack([
        cos(turn) * first + sin(turn) * second, cos(turn) * second - sin(turn) * first, third
    ])  # fmt: skip


def plates(rng: np.random.Generator) -> Known:
    """Two parallel plates: no line through the gap keeps off both by more than half of it.

    Where the window leaves out the middle of the gap, its nearest point to the middle decides.
    """
    gap, turn, tilt = rng.uniform(4.0, 9.0), rng.uniform(0.0, 2.0 * pi), rng.uniform(-0.4, 0.4)
    across = np.array([cos(turn), sin(turn)])
    normal = np.array([*(cos(tilt) * across), sin(tilt)])
    axes = _axes_along(normal, rng.uniform(0.0, pi))
    middle = rng.uniform(-1.0, 1.0) * gap
    sides = tuple(
        box((middle + side * (gap / 2.0 + 2.0)) * normal, np.array([40.0, 40.0, 4.0]), axes)
        for side in (-1.0, 1.0)
    )
    low = (middle + rng.uniform(-0.4, 0.2) * gap) / cos(tilt)
    high = low + rng.uniform(0.02, 0.25) * gap
    along = np.array([-across[1], across[0]])
    left, right = rng.uniform((-3.0, 0.3), (-0.3, 3.0))
    corners = [
        u * across + v * along for u, v in ((low, left), (high, left), (high, right), (low, right))
    ]
    off_middle = max(0.0, low * cos(tilt) - middle, middle - high * cos(tilt))
    best = gap / 2.0 - off_middle
    return Known(
        meshes=sides, window=shapely.Polygon(corners), steepest=(0.6, 0.6),
        least_mm=best, most_mm=best,
    )  # fmt: skip


def channel(rng: np.random.Generator) -> Known:
    """A channel of any convex section: none keeps off its wall by more than its inscribed radius.

    The section is that of the mesh, so its inscribed circle is exact: a linear programme.
    """
    sides = int(rng.integers(3, 40))
    section = _circle(sides, 1.0, rng.uniform(0.0, pi)) * rng.uniform(2.0, 7.0, size=2)
    axes = _axes_along(np.array([*rng.uniform(-0.4, 0.4, size=2), 1.0]), rng.uniform(0.0, pi))
    centre = np.array([*rng.uniform(-3.0, 3.0, size=2), 0.0])
    mesh = _prism(
        section, axes, centre, rng.uniform(8.0, 20.0), rings=int(rng.integers(1, 6)), ends=False
    )
    # The channel's outline in the gate plane: every edge line followed along the axis to it.
    rim = section @ axes[:2]
    pierced = centre[:2] + rim[:, :2] - rim[:, 2:] / axes[2, 2] * axes[2, :2]
    return Known(
        meshes=(mesh,), window=shapely.Polygon(pierced).buffer(-0.2), steepest=(0.7, 0.7),
        least_mm=_inscribed(section), most_mm=_inscribed(section),
    )  # fmt: skip


def _inscribed(section: Float[np.ndarray, "k 2"]) -> float:
    """Return the radius of the largest circle in a convex polygon (counter-clockwise)."""
    edge = np.roll(section, -1, axis=0) - section
    outward = np.column_stack([edge[:, 1], -edge[:, 0]]) / np.linalg.norm(edge, axis=1)[:, None]
    offsets = np.einsum("ij,ij->i", outward, section)
    found = linprog(
        [0.0, 0.0, -1.0], A_ub=np.column_stack([outward, np.ones(len(edge))]), b_ub=offsets,
        bounds=[(None, None), (None, None), (0.0, None)],
    )  # fmt: skip
    return float(found.x[2])


def crossing_rods(rng: np.random.Generator) -> Known:
    """Two rods that cross at depths z and -z; the window lies in the wedge between them.

    With q the gate point's way off a rod, seen along the gate's normal, and s the line's slope
    away from it, the line passes the rod's axis at (q + z s) / sqrt(1 + s^2). Level sets of that
    are convex, and q and s, summed over both rods, are largest in the wedge's plane of symmetry,
    at the window's upper edge: so no line does better than the best one there.
    """
    half, depth = rng.uniform(0.6, 1.2), rng.uniform(2.0, 6.0)
    low, steep, sides = rng.uniform(8.0, 11.0), rng.uniform(0.05, 0.4), int(rng.integers(8, 41))
    high, width = low + rng.uniform(0.5, 3.0), rng.uniform(0.3, 1.5)
    radius = rng.uniform(0.3, 0.85) * low * sin(half)
    rods = tuple(
        _prism(
            _circle(sides, radius), _axes_along(np.array([sign * sin(half), cos(half), 0.0]), turn),
            np.array([0.0, 0.0, sign * depth]), 60.0, rings=int(rng.integers(1, 4)), ends=True,
        )
        for sign, turn in zip((1.0, -1.0), rng.uniform(0.0, pi, size=2), strict=True)
    )  # fmt: skip
    q = high * sin(half)
    s = min(steep * cos(half), depth / q)
    off_axis = (q + depth * s) / hypot(1.0, s)
    return Known(
        meshes=rods, window=shapely.box(-width, low, width, high), steepest=(steep, 0.1),
        least_mm=off_axis - radius, most_mm=off_axis - radius * cos(pi / sides),
    )  # fmt: skip


def ring_of_spheres(rng: np.random.Generator) -> Known:
    """Spheres centred on a circle: no point among them is further off all than its centre is.

    Every line passes the plane of the centres within their polygon, which holds the circle's
    centre; of its points that one is furthest from the nearest corner, and the line
    perpendicular to the plane keeps that distance all along.
    """
    ring, depth, steep = rng.uniform(7.0, 12.0), rng.uniform(-8.0, 8.0), 0.15
    angles = rng.uniform(0.0, 2.0 * pi) + 2.0 * pi * np.arange(4)[: int(rng.integers(3, 5))] / 4.0
    angles = angles * (1.0 if len(angles) == 4 else 4.0 / 3.0) + rng.uniform(-0.3, 0.3, len(angles))
    centre, radius = rng.uniform(-4.0, 4.0, size=2), rng.uniform(0.3, 0.9) * ring
    around = centre + ring * np.column_stack([np.cos(angles), np.sin(angles)])
    ball = trimesh.creation.icosphere(subdivisions=int(rng.integers(2, 4)), radius=radius)
    heights = np.abs(np.einsum("ij,ij->i", ball.face_normals, ball.triangles[:, 0]))
    spheres = tuple(
        triangle_mesh(
            ball.vertices @ Rotation.random(random_state=rng).as_matrix() + [*place, depth],
            np.asarray(ball.faces, dtype=np.int64),
        )
        for place in around
    )
    # Shrunk by how far lines of the cone stray from the window on their way to the centres.
    window = shapely.Polygon(around).convex_hull.buffer(-1.5 * steep * abs(depth) - 1e-3)
    assert window.contains(shapely.Point(centre))
    return Known(
        meshes=spheres, window=window, steepest=(steep, steep), least_mm=ring - radius,
        most_mm=ring - float(heights.min()),
    )  # fmt: skip


SCENES: tuple[Callable[[np.random.Generator], Known], ...] = (
    plates, channel, crossing_rods, ring_of_spheres,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What surrounds a scene besides its obstacles; it decides nothing about the best line."""

    required_mm: float
    kind: Kind
    deep_mm: float
    skin_mm: float | None
    tilt: Float[np.ndarray, "3 3"]


def _setting(known: Known, rng: np.random.Generator) -> Setting:
    return Setting(
        required_mm=rng.uniform(0.0, known.least_mm - 0.6),
        kind=KINDS[int(rng.integers(len(KINDS)))],
        deep_mm=rng.uniform(30.0, 40.0),
        skin_mm=rng.uniform(50.0, 90.0) if rng.uniform() < 0.7 else None,
        tilt=Rotation.from_rotvec(rng.uniform(-0.4, 0.4, size=3)).as_matrix(),
    )


def _family(known: Known, setting: Setting, side: Side, rng: np.random.Generator) -> LineFamily:
    """Lay a scene anywhere in the patient, its gate on the given side."""
    handed = 1.0 if side is Side.LEFT else -1.0
    axes = Rotation.random(random_state=rng).as_matrix() * np.array([[handed], [1.0], [1.0]])
    origin = rng.uniform(-500.0, 500.0, size=3)

    def laid(name: str, kind: Kind, mesh: TriangleMesh) -> Structure:
        faces = mesh.faces if handed > 0.0 else mesh.faces[:, ::-1]
        return Structure(
            name=name, kind=kind, mesh=triangle_mesh(origin + mesh.vertices @ axes, faces)
        )

    bone = laid("bone", Kind.VERTEBRA, _around(100.0, 130.0))
    barred = [laid(f"bar_{i}", setting.kind, mesh) for i, mesh in enumerate(known.meshes)]
    skin = [laid("skin", Kind.SKIN, _around(setting.skin_mm, 120.0))] if setting.skin_mm else []
    faces = np.array([*np.eye(3), *-np.eye(3)]) @ axes
    near, far = setting.deep_mm, setting.deep_mm + 4.0
    target = TargetRegion(
        bone=bone, normals=faces, offsets=faces @ origin + [30.0, 30.0, far, 30.0, 30.0, -near],
        centre_mm=origin + (near + 2.0) * axes[2], screw=None, label="slab",
    )  # fmt: skip
    window = as_multipolygon(known.window)
    gate = Gate(
        approach=Approach.PARAPEDICULAR, side=side, technique="straight", origin_mm=origin,
        axes=axes, window=window, uncut=window, inscribed_mm=None,
        lateral_slopes=(-known.steepest[0], known.steepest[0]),
        cranial_slopes=(-known.steepest[1], known.steepest[1]),
    )  # fmt: skip
    # The bone's own posterior points against the gate's normal, give or take.
    upright = setting.tilt @ np.stack([handed * axes[0], -axes[2], axes[1]])
    scene = build_scene(
        Case(name="known", digest="", structures=(bone, *barred, *skin)),
        policy_with({setting.kind: (setting.required_mm, setting.required_mm)}),
        bone,
        frame_from_axes(name="scene", origin_mm=target.centre_mm, axes=upright),
        15.0,
    )
    return line_family(gate, scene, target, USABLE_MM)


def _around(nearest: float, half: float) -> TriangleMesh:
    """Return a box around a scene, from ``nearest`` mm before the gate on."""
    size = np.array([2.0 * half, 2.0 * half, nearest + half])
    return box(np.array([0.0, 0.0, (half - nearest) / 2.0]), size)


def _best(result: SearchResult) -> float:
    return max((o.slack_mm for o in result.optima), default=-np.inf)


@pytest.mark.parametrize("draw", range(DRAWS))
@pytest.mark.parametrize("scene", SCENES)
def test_a_search_proves_what_is_known_on_paper(
    scene: Callable[[np.random.Generator], Known], draw: int
) -> None:
    rng = np.random.default_rng([SCENES.index(scene), draw])
    known = scene(rng)
    setting = _setting(known, rng)
    family = _family(known, setting, (Side.LEFT, Side.RIGHT)[draw % 2], rng)
    least, most = known.least_mm - setting.required_mm, known.most_mm - setting.required_mm
    thin = rng.uniform(0.1, 1.0) * (least - TOLERANCE_MM)
    thick = most + TOLERANCE_MM + rng.uniform(0.01, 1.0)
    for radius in (thin, thick):
        result = search_family(family, radius_mm=radius, tolerance_mm=TOLERANCE_MM)
        best = _best(result)
        assert best <= most + ROUNDING_MM
        assert result.upper_bound_mm >= max(least - ROUNDING_MM, best)
        assert result.closed
        if radius == thin:
            assert best >= least - TOLERANCE_MM >= radius
            assert result.upper_bound_mm <= best + TOLERANCE_MM + ROUNDING_MM
        else:
            assert result.upper_bound_mm < radius


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_has_the_same_best_and_is_proved_wherever_and_however_it_lies(
    scene: Callable[[np.random.Generator], Known],
) -> None:
    rng = np.random.default_rng(SCENES.index(scene))
    known = scene(rng)
    setting = _setting(known, rng)
    results = [
        search_family(_family(known, setting, side, rng), radius_mm=0.3, tolerance_mm=TOLERANCE_MM)
        for side in (Side.LEFT, Side.LEFT, Side.RIGHT)
    ]
    assert np.ptp([_best(result) for result in results]) < ROUNDING_MM
    # How far a bound is tightened below the tolerance may differ: a search stops when it has spent
    # its boxes, and rounding decides which of equal ones it takes first.
    assert all(result.closed for result in results)
    assert max(r.upper_bound_mm - _best(r) for r in results) <= TOLERANCE_MM + ROUNDING_MM
