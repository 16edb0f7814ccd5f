"""Where points fall, what solids cover and how long rays run inside them, against slow twins."""

import numpy as np
import pytest
import shapely
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float

from geometry.arrays import Points, Vector, frozen, unit
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.projection import (
    BLOCKED,
    FREE,
    UNSURE,
    ConeBeam,
    chord_lengths,
    outlined,
    shadows,
    silhouette,
)

directions = st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


def beam_along(direction: object, isocentre: object = (0.0, 0.0, 0.0)) -> ConeBeam:
    return ConeBeam(
        direction=unit(np.array(direction, dtype=np.float64)),
        isocentre_mm=frozen(np.array(isocentre, dtype=np.float64)),
        source_to_isocentre_mm=700.0,
        source_to_detector_mm=1000.0,
    )


def meshed(solid: trimesh.Trimesh) -> TriangleMesh:
    return triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


RING = meshed(trimesh.creation.torus(12.0, 3.0, major_sections=24, minor_sections=10))
BOX = meshed(trimesh.creation.box(extents=[20.0, 12.0, 8.0]))
SOLIDS = pytest.mark.parametrize("mesh", [RING, BOX], ids=["ring", "box"])


def in_triangles(mesh: TriangleMesh, origin: Vector, ray: Vector) -> Float[np.ndarray, " k"]:
    """Distances at which a ray crosses the mesh (Moeller and Trumbore), in no order."""
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    across = np.cross(ray, c - a)
    det = np.einsum("ij,ij->i", b - a, across)
    u = np.einsum("ij,ij->i", origin - a, across) / det
    back = np.cross(origin - a, b - a)
    v = back @ ray / det
    hit = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0)
    return (np.einsum("ij,ij->i", c - a, back) / det)[hit]


def pixel_rays(beam: ConeBeam, size: tuple[int, int], pixel: float) -> Float[np.ndarray, "h w 3"]:
    width, height = size
    x = (np.arange(width) + 0.5 - width / 2.0) * pixel
    y = -(np.arange(height) + 0.5 - height / 2.0) * pixel
    rays = (
        beam.source_to_detector_mm * beam.direction
        + x[None, :, None] * beam.right
        + y[:, None, None] * beam.up
    )
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def test_a_patient_seen_from_the_front_has_left_on_the_right_and_is_magnified() -> None:
    front = beam_along([0.0, -1.0, 0.0])
    np.testing.assert_allclose(front.right, [1.0, 0.0, 0.0], atol=1e-12)
    flat = front.project(np.array([[7.0, 0.0, 0.0], [0.0, 50.0, 10.0], [0.0, -50.0, 10.0]]))
    np.testing.assert_allclose(
        flat, [[10.0, 0.0], [0.0, 10.0 * 1000 / 650], [0.0, 10.0 * 1000 / 750]], atol=1e-9
    )


def test_a_prone_patient_seen_from_behind_has_left_on_the_left() -> None:
    np.testing.assert_allclose(beam_along([0.0, 1.0, 0.0]).right, [-1.0, 0.0, 0.0], atol=1e-12)


def test_a_beam_along_the_body_has_anterior_up() -> None:
    np.testing.assert_allclose(beam_along([0.0, 0.0, 1.0]).up, [0.0, -1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    ("sod", "sid", "depth", "times"),
    [(720.0, 1190.0, 0.0, 1.6528), (720.0, 1190.0, 50.0, 1.5455), (720.0, 1190.0, -50.0, 1.7761),
     (810.0, 1195.0, 0.0, 1.4753), (530.0, 1020.0, 0.0, 1.9245)],
)  # fmt: skip
def test_things_near_the_source_are_magnified_more(
    sod: float, sid: float, depth: float, times: float
) -> None:
    beam = ConeBeam(
        direction=np.array([0.0, -1.0, 0.0]), isocentre_mm=np.zeros(3),
        source_to_isocentre_mm=sod, source_to_detector_mm=sid,
    )  # fmt: skip
    flat = beam.project(np.array([[1.0, -depth, 0.0]]))
    np.testing.assert_allclose(flat, [[times, 0.0]], atol=5e-5)
    assert depth or beam.magnification == pytest.approx(times, abs=5e-5)


@given(directions)
def test_right_up_and_direction_are_square_and_of_length_one(direction: Vector) -> None:
    beam = beam_along(direction)
    axes = np.stack([beam.right, beam.up, beam.direction])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)


@SOLIDS
@settings(max_examples=15, deadline=None)
@given(direction=directions)
def test_a_silhouette_is_the_union_of_the_projected_triangles(
    mesh: TriangleMesh, direction: Vector
) -> None:
    beam = beam_along(direction, [3.0, -2.0, 5.0])
    triangles = shapely.polygons(beam.project(mesh.vertices)[mesh.faces])
    union = shapely.union_all(triangles[shapely.area(triangles) > 1e-9])
    covered = silhouette(outlined(mesh), beam)
    assert covered.symmetric_difference(union).area <= 1e-6 * union.area


def test_a_ring_seen_from_above_has_a_hole() -> None:
    covered = silhouette(outlined(RING), beam_along([0.0, 0.0, 1.0]))
    assert len(covered.interiors) == 1


def test_an_open_mesh_has_no_outline() -> None:
    with pytest.raises(ValueError, match="closed"):
        outlined(triangle_mesh(BOX.vertices, BOX.faces[1:]))


@SOLIDS
@settings(max_examples=8, deadline=None)
@given(direction=directions)
def test_chords_are_what_ray_casting_finds(mesh: TriangleMesh, direction: Vector) -> None:
    beam, size = beam_along(direction, [1.3, 0.7, -0.4]), (26, 22)
    chord, _ = chord_lengths([mesh], beam, size, 2.1)
    cast = np.zeros_like(chord)
    for row, rays in enumerate(pixel_rays(beam, size, 2.1)):
        for column, ray in enumerate(rays):
            crossed = np.sort(in_triangles(mesh, beam.source_mm, ray))
            if len(crossed) % 2 == 0:
                cast[row, column] = (crossed[1::2] - crossed[::2]).sum()
            else:  # through an edge or a corner, which the slow twin counts twice
                cast[row, column] = chord[row, column]
    np.testing.assert_allclose(chord, cast, atol=1e-6)


@SOLIDS
@pytest.mark.parametrize("direction", [[0, -1, 0], [1, 0, 0], [0, 0, 1], [0.3, 0.9, -0.2]])
def test_rays_are_inside_exactly_where_the_silhouette_is(
    mesh: TriangleMesh, direction: list[float]
) -> None:
    # Along an axis, edges and corners of the box fall on the middles of pixels.
    beam, size, pixel = beam_along(direction), (80, 80), 0.5
    chord, _ = chord_lengths([mesh], beam, size, pixel)
    x = (np.arange(80) + 0.5 - 40.0) * pixel
    covered = silhouette(outlined(mesh), beam)
    middles = np.meshgrid(x, -x)
    within = shapely.contains_xy(covered.buffer(-1e-7), *middles)
    touched = shapely.contains_xy(covered.buffer(1e-7), *middles)
    assert (chord[within] > 0.0).all()
    assert (chord[~touched] == 0.0).all()
    assert chord.min() > -1e-9


def test_a_ray_square_through_a_box_crosses_its_thickness_and_two_walls() -> None:
    chord, wall = chord_lengths(
        [BOX], beam_along([0.0, -1.0, 0.0]), (1, 1), 0.01, wall_mm=1.5, most_wall_mm=6.0
    )
    assert chord[0, 0] == pytest.approx(12.0, abs=1e-6)
    assert wall[0, 0] == pytest.approx(3.0, abs=1e-6)


def test_a_wall_is_never_longer_than_the_ray_inside_nor_than_allowed() -> None:
    chord, wall = chord_lengths(
        [RING], beam_along([0.2, 1.0, 0.1]), (60, 60), 0.8, wall_mm=2.5, most_wall_mm=6.0
    )
    assert (wall <= chord).all()
    assert 12.0 < wall.max() <= 24.0  # four crossings at most


def test_a_line_is_in_shadow_exactly_where_a_beam_along_it_is_covered(
    rng: np.random.Generator,
) -> None:
    rod = meshed(trimesh.creation.cylinder(2.5, 60.0, sections=12))
    open_box = triangle_mesh(BOX.vertices + np.array([0.0, 25.0, 0.0]), BOX.faces[2:])
    points: Points = rng.normal(size=(6, 3)) * 8.0 + [14.0, 9.0, 0.0]
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    found = shadows([rod, open_box], points, axes, half=1.2, cells=16)
    middles = (np.arange(16) + 0.5) * 0.15 - 1.2
    assert 0.05 < found.blocked.mean() < 0.95
    for k, row, column in np.ndindex(found.blocked.shape):
        ray = middles[column] * axes[0] + middles[row] * axes[1] + axes[2]
        crossed = [len(in_triangles(m, points[k], ray)) > 0 for m in (rod, open_box)]
        assert found.blocked[k, row, column] == any(crossed)


def test_what_is_sure_of_a_line_is_so_and_only_outlines_are_unsure(
    rng: np.random.Generator,
) -> None:
    plate = meshed(trimesh.creation.box(extents=[40.0, 2.0, 40.0]))
    plate = triangle_mesh(plate.vertices + np.array([-20.0, 30.0, 0.0]), plate.faces)
    points = np.array([[-10.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    found = shadows([plate], points, np.eye(3)[[0, 2, 1]], half=1.2, cells=200)
    beams = rng.normal(size=(300, 3)) * [0.4, 0.0, 0.4] + rng.choice([-1.0, 1.0], (300, 1)) * [
        [0.0, 1.0, 0.0]
    ]
    sources = -700.0 * beams / np.linalg.norm(beams, axis=1, keepdims=True)
    seen, solid = found.seen_from(sources), MeshDistance(plate)
    for k, point in enumerate(points):
        met = solid.pierced_by(sources, sources + 2.0 * (point - sources))
        sure = seen[:, k] != UNSURE
        assert 0.8 < sure.mean() < 1.0
        assert {FREE, BLOCKED} <= set(seen[sure, k])
        np.testing.assert_array_equal(seen[sure, k] == BLOCKED, met[sure])


def test_a_line_outside_the_raster_is_unsure() -> None:
    points = np.zeros((1, 3))
    found = shadows([BOX], points, np.eye(3)[[0, 2, 1]], half=1.2, cells=20)
    beyond = found.seen_from(-700.0 * np.array([[0.8, 0.6, 0.0]]))
    assert beyond.tolist() == [[UNSURE]]


def test_segments_are_pierced_where_they_are_crossed(rng: np.random.Generator) -> None:
    solid = MeshDistance(RING)
    starts, ends = rng.uniform(-25.0, 25.0, (2, 400, 3))
    crossed = [len(solid.crossings(a, b)) > 0 for a, b in zip(starts, ends, strict=True)]
    np.testing.assert_array_equal(solid.pierced_by(starts, ends), crossed)
    assert 0.02 < np.mean(crossed) < 0.98
