"""Sections are exact on exact solids, move with the mesh, and say when a mesh is open."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from geometry.frames import RigidTransform
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.sections import Plane, filled, parts, plane_through, section

X, Y, Z = np.eye(3)


def mesh_of(source: trimesh.Trimesh) -> TriangleMesh:
    return triangle_mesh(np.asarray(source.vertices), np.asarray(source.faces, dtype=np.int64))


def cube(size: float = 10.0) -> TriangleMesh:
    return mesh_of(trimesh.creation.box(extents=(size, size, size)))


def together(*meshes: TriangleMesh) -> TriangleMesh:
    offsets = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return triangle_mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=False)]),
    )


def turned_in(mesh: TriangleMesh) -> TriangleMesh:
    return triangle_mesh(mesh.vertices, mesh.faces[:, ::-1])


def level(z: float) -> Plane:
    return Plane(origin_mm=np.array([0.0, 0.0, z]), x_axis=X, y_axis=Y)


def test_a_cube_is_cut_into_a_square_of_its_own_size() -> None:
    cut = section(cube(), level(1.3))
    assert cut.open_chains == 0
    assert cut.area_mm2 == pytest.approx(100.0, abs=1e-12)
    assert cut.polygons[0].bounds == pytest.approx((-5.0, -5.0, 5.0, 5.0))


def test_the_diagonal_of_a_cube_is_a_regular_hexagon() -> None:
    cut = section(cube(), plane_through(np.zeros(3), X + Y + Z, Z))
    assert cut.area_mm2 == pytest.approx(0.75 * np.sqrt(3.0) * 100.0, abs=1e-9)


def test_vertices_in_the_plane_neither_break_nor_double_the_outline() -> None:
    octahedron = mesh_of(trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)])))
    for plane in (level(0.0), plane_through(np.zeros(3), X + Y, Z)):
        cut = section(octahedron, plane)
        assert cut.open_chains == 0
        assert len(cut.polygons) == 1
    assert section(octahedron, level(0.0)).area_mm2 == pytest.approx(2.0)


def test_a_face_in_the_plane_belongs_to_one_side_only() -> None:
    above, below = section(cube(), level(5.0)), section(cube(), level(-5.0))
    assert above.area_mm2 + below.area_mm2 == pytest.approx(100.0)


def test_a_cavity_is_a_hole_and_a_solid_in_it_an_island() -> None:
    nested = together(cube(10.0), turned_in(cube(6.0)), cube(2.0))
    cut = section(nested, level(0.1))
    assert cut.area_mm2 == pytest.approx(100.0 - 36.0 + 4.0)
    assert [len(p.interiors) for p in cut.polygons] == [1, 0]
    assert filled(cut.polygons[0]).area == pytest.approx(100.0)


def test_overlapping_solids_count_once() -> None:
    shifted = triangle_mesh(cube().vertices + 5.0 * X, cube().faces)
    cut = section(together(cube(), shifted), level(0.1))
    assert cut.area_mm2 == pytest.approx(150.0)
    assert len(cut.polygons) == 1


def test_a_plane_that_misses_gives_nothing() -> None:
    cut = section(cube(), level(6.0))
    assert cut.polygons == ()
    assert cut.at(0.0, 0.0) is None


def test_a_hole_in_the_mesh_is_reported_and_bridged() -> None:
    source = mesh_of(trimesh.creation.icosphere(subdivisions=3, radius=10.0))
    middle = source.corners.mean(axis=1)
    kept = np.linalg.norm(middle - np.array([10.0, 0.0, 0.0]), axis=1) > 2.0
    cut = section(triangle_mesh(source.vertices, source.faces[kept]), level(0.1))
    assert cut.open_chains == 1
    assert cut.area_mm2 == pytest.approx(section(source, level(0.1)).area_mm2, rel=0.02)


@pytest.mark.parametrize("axis", [X, Y, Z])
def test_a_section_moves_with_the_mesh(axis: np.ndarray) -> None:
    source = mesh_of(trimesh.creation.torus(major_radius=20.0, minor_radius=6.0))
    plane = plane_through(np.array([3.0, 1.0, 2.0]), np.array([0.3, 0.2, 1.0]), Y)
    motion = RigidTransform(
        target="elsewhere",
        source="patient",
        rotation=Rotation.from_rotvec(0.25 * np.pi * axis).as_matrix(),
        translation_mm=np.array([900.0, -700.0, 300.0]),
    )
    moved = Plane(
        origin_mm=motion.points(plane.origin_mm),
        x_axis=motion.vectors(plane.x_axis),
        y_axis=motion.vectors(plane.y_axis),
    )
    before, after = section(source, plane), section(source.moved(motion), moved)
    assert len(before.polygons) == len(after.polygons)
    for one, other in zip(before.polygons, after.polygons, strict=True):
        assert one.symmetric_difference(other).area < 1e-6


def test_the_piece_at_a_point_is_the_one_there() -> None:
    far = triangle_mesh(cube(4.0).vertices + 20.0 * X, cube(4.0).faces)
    cut = section(together(cube(), far), level(0.1))
    piece = cut.at(19.0, 0.0)
    assert piece is not None
    assert piece.area == pytest.approx(16.0)
    assert [p.area for p in parts(piece.buffer(0.0))] == pytest.approx([16.0])
