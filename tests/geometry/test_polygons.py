"""Polygons and strips become triangles that cover the same surface."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.mesh import triangle_mesh
from geometry.mesh_files import RawMesh, read_mesh


def corners(mesh: RawMesh) -> np.ndarray:
    return mesh.vertices[mesh.faces]


def test_polygons_become_triangles_of_the_same_area() -> None:
    quads = (
        b"OFF\n8 6 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n0 0 1\n1 0 1\n1 1 1\n0 1 1\n"
        b"4 3 2 1 0\n4 4 5 6 7\n4 0 1 5 4\n4 1 2 6 5\n4 2 3 7 6\n4 3 0 4 7\n"
    )
    mesh = read_mesh(quads, "off")
    cube = triangle_mesh(mesh.vertices, mesh.faces)
    assert cube.is_closed
    assert cube.volume_mm3 == pytest.approx(1.0)


@given(shift=st.integers(0, 7), axis=st.integers(0, 2), sign=st.sampled_from([-1.0, 1.0]))
def test_a_polygon_that_is_not_convex_is_cut_without_folds(
    shift: int, axis: int, sign: float
) -> None:
    outline = np.array([[0, 0], [4, 0], [4, 4], [3, 4], [3, 1], [1, 1], [1, 4], [0, 4]], float)
    flat = np.roll(outline, shift, axis=0)[:: int(sign)]
    points = np.insert(flat, axis, 2.0, axis=1)
    text = "".join("v " + " ".join(map(str, row)) + "\n" for row in points.tolist())
    mesh = read_mesh((text + "f 1 2 3 4 5 6 7 8\n").encode(), "obj")
    a, b, c = np.moveaxis(corners(mesh), 1, 0)
    normals = np.cross(b - a, c - a) / 2.0
    assert np.linalg.norm(normals, axis=1).sum() == pytest.approx(10.0)
    assert np.abs(normals.sum(axis=0)).max() == pytest.approx(10.0)


def test_mixed_polygons_are_read_from_binary_and_text_alike() -> None:
    head = (
        "ply\nformat {} 1.0\nelement vertex 5\nproperty float x\nproperty float y\n"
        "property float z\nelement face 2\nproperty list uchar int vertex_indices\nend_header\n"
    )
    points: list[list[float]] = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0.5, 0]]
    text = head.format("ascii") + "\n".join(" ".join(map(str, p)) for p in points)
    text += "\n4 0 1 2 3\n3 1 4 2\n"
    binary = head.format("binary_little_endian").encode() + np.array(points, "<f4").tobytes()
    binary += struct.pack("<B4iB3i", 4, 0, 1, 2, 3, 3, 1, 4, 2)
    for data in (text.encode(), binary):
        assert read_mesh(data, "ply").faces.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]


def test_triangle_strips_keep_their_winding() -> None:
    text = (
        "# vtk DataFile Version 3.0\nstrip\nASCII\nDATASET POLYDATA\nPOINTS 5 float\n"
        "0 0 0 1 0 0 0 1 0 1 1 0 0 2 0\nTRIANGLE_STRIPS 1 6\n5 0 1 2 3 4\n"
        "POINT_DATA 5\nSCALARS s float\n"
    )
    mesh = read_mesh(text.encode(), "vtk")
    a, b, c = np.moveaxis(corners(mesh), 1, 0)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
