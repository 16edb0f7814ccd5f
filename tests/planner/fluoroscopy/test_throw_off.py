"""The least hidden views, against a slow search that draws metal and counts pixels."""

import math

import numpy as np
import pytest
import shapely
import trimesh
from jaxtyping import Float

from benchmarks._kernels.pixels import covered_pixels
from benchmarks.degrees import weighed
from geometry.arrays import Points, Vector, frozen, unit
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.projection import ConeBeam, outlined, silhouette, together
from planner.case import PatientPosition
from planner.fluoroscopy.catalogue import c_arm_named
from planner.fluoroscopy.marks import Marks, covered, hidden_by
from planner.fluoroscopy.throw_off import (
    WIDEST_DEG,
    Found,
    Screen,
    Zone,
    ap_zone,
    lateral_zone,
    shadows_of,
    throw_off,
)

FLOOR = c_arm_named("generic-floor")
PRONE = PatientPosition.HFP
PIXEL_MM = 0.01  # at the isocentre


def rod(start: list[float], end: list[float], diameter: float) -> TriangleMesh:
    solid = trimesh.creation.cylinder(diameter / 2.0, segment=np.array([start, end]), sections=8)
    return triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


# Two screws, the rods over them, and a screw of the next level; all of them convex.
METAL = (
    rod([24.0, 34.0, 2.0], [6.0, -12.0, -2.0], 6.5),
    rod([-24.0, 34.0, 2.0], [-6.0, -12.0, -2.0], 6.5),
    rod([25.0, 38.0, -45.0], [25.0, 38.0, 45.0], 5.5),
    rod([-25.0, 38.0, -45.0], [-25.0, 38.0, 45.0], 5.5),
    rod([24.0, 34.0, 36.0], [6.0, -10.0, 30.0], 6.5),
)
AXES = np.eye(3)


def marks_to(tip: list[float], entry: list[float], rng: np.random.Generator) -> Marks:
    end, along = np.array(tip), unit(np.array(tip) - np.array(entry))
    steps = np.linspace(-15.0, 0.0, 16)[:, None]
    wall = [[x, 17.0, z] for x in (-11.0, 0.0, 11.0) for z in np.linspace(-7.0, 7.0, 10)]
    return Marks(
        tip_mm=frozen(end + steps * along),
        target_mm=frozen(end + rng.uniform(-4.0, 4.0, (40, 3))),
        wall_mm=frozen(np.array(wall)),
    )


def found_in(
    zone: Zone, marks: Marks, needle: Vector, metal: tuple[TriangleMesh, ...] = METAL
) -> Found | None:
    return throw_off(
        zone, marks, screen(metal, marks, zone), needle=needle, c_arm=FLOOR, position=PRONE
    )


def screen(metal: tuple[TriangleMesh, ...], marks: Marks, zone: Zone) -> Screen:
    solids = tuple(MeshDistance(mesh) for mesh in metal)
    return Screen(
        metal=solids, tip=shadows_of(solids, marks.tip_mm, zone),
        anatomy=shadows_of(solids, marks.anatomy_mm, zone),
    )  # fmt: skip


def cone(beam: Vector, isocentre: Vector) -> ConeBeam:
    return FLOOR.cone(beam, isocentre, PRONE)


def counted(
    marks: Marks, beams: Float[np.ndarray, "b 3"], isocentre: Vector
) -> Float[np.ndarray, " b"]:
    """The overall share of the points that fall on pixels which the metal's triangles cover."""
    up = np.array([0.0, 0.0, 1.0]) - beams[:, 2:] * beams
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    right = np.cross(up, beams)
    source = isocentre - FLOOR.source_to_isocentre_mm * beams

    def pixels(points: Points) -> Float[np.ndarray, "b p 2"]:
        offset = points - source[:, None]
        depth = np.einsum("bpi,bi->bp", offset, beams) / FLOOR.source_to_isocentre_mm
        flat = [np.einsum("bpi,bi->bp", offset, axis) / depth for axis in (right, up)]
        return np.stack(flat, axis=-1) / PIXEL_MM

    vertices, faces = together(METAL)
    corners = pixels(vertices)
    middles = np.floor(pixels(np.concatenate([marks.tip_mm, marks.anatomy_mm]))) + 0.5
    weights = np.concatenate(marks.weights())
    views = zip(corners, middles, strict=True)
    return np.array([weights @ covered_pixels(flat, faces, places) for flat, places in views])


@pytest.mark.parametrize(
    ("zone", "tip", "entry"),
    [
        (ap_zone(AXES), [4.0, -10.0, 3.0], [40.0, 75.0, 14.0]),
        (lateral_zone(AXES), [-3.0, -9.0, -2.0], [-34.0, 70.0, 4.0]),
    ],
    ids=["near AP", "near lateral"],
)
def test_no_view_found_by_counting_pixels_is_better(
    zone: Zone, tip: list[float], entry: list[float], rng: np.random.Generator
) -> None:
    marks = marks_to(tip, entry, rng)
    needle = unit(np.array(tip) - np.array(entry))
    best = found_in(zone, marks, needle)
    assert best is not None
    every = weighed(
        zone, needle, FLOOR, PRONE, lambda beams: counted(marks, beams, marks.tip_mm[-1])
    )
    assert best.cost == pytest.approx(every.least, rel=0.02)
    assert every.cost_of(best.beam) <= 1.02 * every.least


def test_a_point_is_covered_exactly_where_it_falls_on_a_silhouette(
    rng: np.random.Generator,
) -> None:
    points = rng.uniform(-25.0, 25.0, (120, 3))
    metal = [MeshDistance(mesh) for mesh in METAL]
    for beam in (unit([0.2, 1.0, 0.3]), unit([1.0, 0.1, -0.2])):
        view = cone(beam, np.zeros(3))
        shadow = shapely.union_all([silhouette(outlined(mesh), view) for mesh in METAL])
        flat = view.project(points)
        expected = shapely.contains_xy(shadow, flat[:, 0], flat[:, 1])
        assert 10 < expected.sum() < 110
        np.testing.assert_array_equal(covered(metal, points, view), expected)


def test_the_best_view_hides_what_it_says_and_stays_good_around(rng: np.random.Generator) -> None:
    marks = marks_to([4.0, -10.0, 3.0], [40.0, 75.0, 14.0], rng)
    best = found_in(lateral_zone(AXES), marks, unit([-36.0, -85.0, -11.0]))
    assert best is not None
    metal = [MeshDistance(mesh) for mesh in METAL]
    tip: Points = marks.tip_mm[-1]
    for offset in (np.zeros(3), np.array([0.0, 7.0, 7.0]), np.array([0.0, -7.0, 7.0])):
        for turn in (0.0, 3.0, -3.0):
            c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
            beam = best.beam @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
            hidden = hidden_by(metal, marks, cone(beam, tip + offset))
            assert hidden.overall <= best.nearby + 0.02


def test_more_metal_never_makes_the_best_view_cheaper(rng: np.random.Generator) -> None:
    marks = marks_to([4.0, -10.0, 3.0], [40.0, 75.0, 14.0], rng)
    needle = unit([-36.0, -85.0, -11.0])
    for zone in (ap_zone(AXES), lateral_zone(AXES)):
        costs = []
        for count in range(1, len(METAL) + 1):
            best = found_in(zone, marks, needle, METAL[:count])
            assert best is not None
            costs.append(best.cost)
        assert costs == sorted(costs)


def test_the_best_view_is_within_reach_and_within_45_degrees(rng: np.random.Generator) -> None:
    marks = marks_to([4.0, -10.0, 3.0], [40.0, 75.0, 14.0], rng)
    for zone in (ap_zone(AXES), lateral_zone(AXES)):
        best = found_in(zone, marks, unit([-36.0, -85.0, -11.0]))
        assert best is not None
        assert FLOOR.reaches(best.beam, PRONE)
        assert abs(best.beam @ zone.axes[2]) >= math.cos(math.radians(WIDEST_DEG)) - 1e-9
        assert 0.0 <= 0.5 * best.nearby <= best.cost


def test_a_c_arm_that_cannot_come_near_ap_has_no_view_there(rng: np.random.Generator) -> None:
    marks = marks_to([4.0, -10.0, 3.0], [40.0, 75.0, 14.0], rng)
    lateral = c_arm_named("generic-lateral-plane")
    zone = ap_zone(AXES)
    hides, needle = screen(METAL, marks, zone), unit([-36.0, -85.0, -11.0])
    assert throw_off(zone, marks, hides, needle=needle, c_arm=lateral, position=PRONE) is None


def test_weights_add_up_to_one_whatever_parts_there_are(rng: np.random.Generator) -> None:
    marks = marks_to([4.0, -10.0, 3.0], [40.0, 75.0, 14.0], rng)
    empty = frozen(np.empty((0, 3)))
    for target in (marks.target_mm, empty):
        for wall in (marks.wall_mm, empty):
            some = Marks(tip_mm=marks.tip_mm, target_mm=target, wall_mm=wall)
            assert sum(w.sum() for w in some.weights()) == pytest.approx(1.0)
