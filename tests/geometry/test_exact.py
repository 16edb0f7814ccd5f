"""Exact distances: against analytic surfaces, a slow twin, and another library."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import _kernels, solids
from geometry._kernels.inside import WAYS
from geometry.exact import MeshDistance, triangle_tree
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import ellipsoid


def _from(mesh: trimesh.Trimesh) -> TriangleMesh:
    return triangle_mesh(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces))


@pytest.fixture(scope="module")
def box() -> MeshDistance:
    return MeshDistance(_from(trimesh.creation.box(extents=(20.0, 10.0, 6.0))))


@pytest.fixture(scope="module")
def bumpy() -> tuple[MeshDistance, trimesh.Trimesh]:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=10.0)
    wave = 1.0 + 0.15 * np.sin(5.0 * mesh.vertices[:, 0] / 10.0) * np.cos(mesh.vertices[:, 2] / 2.0)
    mesh.vertices *= wave[:, None]
    return MeshDistance(_from(mesh)), mesh


def test_a_segment_beside_a_box_is_as_far_as_the_face(box: MeshDistance) -> None:
    found = box.segment(np.array([-30.0, 9.0, 0.0]), np.array([30.0, 8.0, 0.0]))
    # The lower end of the slanted segment passes the box's corner edge at x = 10, y = 5.
    along = np.array([60.0, -1.0]) / np.hypot(60.0, 1.0)
    normal = np.array([-along[1], along[0]])
    expected = abs((np.array([10.0, 5.0]) - np.array([-30.0, 9.0])) @ normal)
    assert found.distance_mm == pytest.approx(expected, abs=1e-9)
    assert np.linalg.norm(found.on_segment_mm - found.on_mesh_mm) == pytest.approx(
        expected, abs=1e-9
    )


def test_a_segment_through_a_box_is_as_deep_as_its_deepest_point(box: MeshDistance) -> None:
    found = box.segment(np.array([-30.0, 0.0, 1.0]), np.array([30.0, 0.0, 1.0]))
    assert found.distance_mm == pytest.approx(-2.0, abs=1e-6)
    assert abs(found.on_segment_mm[0]) <= 8.0 + 1e-6


def test_the_deepest_point_on_a_diagonal_is_found(box: MeshDistance) -> None:
    found = box.segment(np.array([0.0, 0.0, -3.0]), np.array([0.0, 0.0, 3.0]))
    assert found.distance_mm == pytest.approx(-3.0, abs=1e-6)
    assert found.fraction == pytest.approx(0.5, abs=1e-5)


def test_an_open_mesh_has_no_inside() -> None:
    sheet = triangle_mesh(
        np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0]]), np.array([[0, 1, 2]])
    )
    found = MeshDistance(sheet).segment(np.array([2.0, 2.0, -5.0]), np.array([2.0, 2.0, 5.0]))
    assert found.distance_mm == 0.0
    assert np.allclose(found.on_mesh_mm, [2.0, 2.0, 0.0], atol=1e-12)


def test_segments_agree_with_dense_samples_of_another_library(
    bumpy: tuple[MeshDistance, trimesh.Trimesh], rng: np.random.Generator
) -> None:
    measured, mesh = bumpy
    for a, b in rng.uniform(-16.0, 16.0, size=(25, 2, 3)):
        found = measured.segment(a, b).distance_mm
        samples = a + np.linspace(0.0, 1.0, 800)[:, None] * (b - a)
        nearest = -trimesh.proximity.signed_distance(mesh, samples)
        step = float(np.linalg.norm(b - a)) / 800.0
        assert nearest.min() - step <= found <= nearest.min() + 1e-9


def test_points_agree_with_another_library(
    bumpy: tuple[MeshDistance, trimesh.Trimesh], rng: np.random.Generator
) -> None:
    measured, mesh = bumpy
    points = rng.uniform(-14.0, 14.0, size=(60, 3))
    expected = -trimesh.proximity.signed_distance(mesh, points)
    assert np.allclose([measured.point(p)[0] for p in points], expected, atol=1e-7)


def _brute(corners: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Smallest distance to every triangle by golden-section: the slow twin."""
    low, high = np.zeros(len(corners)), np.ones(len(corners))
    ratio = (np.sqrt(5.0) - 1.0) / 2.0

    def at(s: np.ndarray) -> np.ndarray:
        points = a + s[:, None] * (b - a)
        return np.linalg.norm(trimesh.triangles.closest_point(corners, points) - points, axis=1)

    for _ in range(60):
        c, d = high - ratio * (high - low), low + ratio * (high - low)
        left = at(c) < at(d)
        high, low = np.where(left, d, high), np.where(left, low, c)
    return np.minimum(at(low), at(high))


def test_segments_outside_agree_with_the_slow_twin(rng: np.random.Generator) -> None:
    mesh = _from(trimesh.creation.icosphere(subdivisions=2, radius=5.0))
    measured = MeshDistance(mesh)
    for _ in range(30):
        a, b = rng.uniform(-12.0, 12.0, size=(2, 3))
        found = measured.segment(a, b).distance_mm
        if found > 0.0:
            assert found == pytest.approx(_brute(mesh.corners, a, b).min(), abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.floats(-30.0, 30.0), st.floats(-30.0, 30.0), st.floats(-30.0, 30.0))
def test_moving_the_segment_changes_its_distance_by_no_more(x: float, y: float, z: float) -> None:
    mesh = MeshDistance(_from(trimesh.creation.box(extents=(8.0, 9.0, 10.0))))
    a, b = np.array([-20.0, 3.0, 1.0]), np.array([15.0, -2.0, 4.0])
    shift = np.array([x, y, z])
    before, after = mesh.segment(a, b).distance_mm, mesh.segment(a + shift, b + shift).distance_mm
    assert abs(after - before) <= np.linalg.norm(shift) + 1e-6


def test_a_segment_of_no_length_is_a_point(box: MeshDistance) -> None:
    point = np.array([15.0, 0.0, 0.0])
    assert box.segment(point, point).distance_mm == pytest.approx(5.0, abs=1e-12)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 65, 700])
@pytest.mark.parametrize("shift_mm", [0.0, 2000.0])
def test_a_tree_of_any_size_finds_the_least_distance_less_offset(
    rng: np.random.Generator, count: int, shift_mm: float
) -> None:
    size = rng.choice([0.1, 3.0, 40.0], size=(count, 1, 1))
    corners = rng.uniform(-30.0, 30.0, (count, 1, 3)) + size * rng.uniform(-1.0, 1.0, (count, 3, 3))
    corners += shift_mm
    offset = rng.choice([-1.0, 0.0, 2.5], size=count)
    tree = triangle_tree(corners, offset, np.zeros(count, dtype=np.int32))
    for a, b in rng.uniform(-40.0, 40.0, size=(20, 2, 3)) + shift_mm:
        value, found, s, *on_mesh = _kernels.segment_query(tree, a, b, _kernels.FAR)
        expected = _brute(corners, a, b) - offset
        assert value == pytest.approx(expected.min(), abs=1e-6)
        assert expected[tree.face[found]] == pytest.approx(value, abs=1e-6)
        apart = np.linalg.norm(a + s * (b - a) - on_mesh)
        assert apart - tree.offset[found] == pytest.approx(value, abs=1e-9)
        value, found, *on_mesh = _kernels.point_query(tree, *a, _kernels.FAR)
        nearest = trimesh.triangles.closest_point(corners, np.broadcast_to(a, (count, 3)))
        expected = np.linalg.norm(nearest - a, axis=1) - offset
        assert value == pytest.approx(expected.min(), abs=1e-9)
        # Nothing is below what is there, and a bound just above hides nothing.
        assert _kernels.segment_query(tree, a, a, value - 1e-9)[1] == -1
        assert _kernels.point_query(tree, *a, value + 1e-9)[1] >= 0


def test_a_segment_all_but_in_the_plane_of_a_triangle_is_no_hit() -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    flat = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0]])
    sheet = MeshDistance(triangle_mesh(flat @ turn.T + 100.0, np.array([[0, 1, 2]])))
    for height in (0.0, 1e-15, 1e-13, 1e-9):
        ends = np.array([[-40.0, -3.0, -height], [40.0, -3.0, height]]) @ turn.T + 100.0
        assert sheet.segment(*ends).distance_mm == pytest.approx(3.0, abs=1e-8)
        assert len(sheet.crossings(*ends)) == 0
        ends = np.array([[-40.0, 3.0, -height], [40.0, 3.0, height]]) @ turn.T + 100.0
        assert sheet.segment(*ends).distance_mm == pytest.approx(0.0, abs=1e-8)


def test_a_point_is_in_solids_that_overlap_if_its_winding_number_says_so(
    rng: np.random.Generator,
) -> None:
    overlapping = [
        ellipsoid(np.zeros(3), np.full(3, 10.0)),
        ellipsoid(np.array([5.0, 0.0, 0.0]), np.full(3, 8.0)),
        ellipsoid(np.array([0.0, 6.0, 0.0]), np.full(3, 7.0)),
    ]
    corners = np.concatenate([solid.corners for solid in overlapping])
    tree = triangle_tree(corners, np.zeros(len(corners)), np.zeros(len(corners), dtype=np.int32))
    seen = set()
    for p in rng.uniform(-14.0, 14.0, (300, 3)):
        depth = round(_kernels.winding_number(tree.corners, *p))
        assert _kernels.contains(tree, *p) == (depth > 0)
        seen.add(depth)
    assert {0, 1, 2} <= seen


@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0])
def test_a_way_out_through_an_edge_or_a_corner_does_not_mislead(size: float) -> None:
    tree = MeshDistance(solids.box(np.zeros(3), np.full(3, 2.0 * size))).tree
    for way in WAYS:
        # Straight along a way out of a solid lies a corner, then the middle of an edge.
        for corner in (np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])):
            on_edge = size * corner * np.sign(way)
            for behind in (0.3, -0.3):
                p = on_edge - behind * size * np.array(way)
                inside = bool((np.abs(p) < size).all())
                assert _kernels.contains(tree, *p) == inside
