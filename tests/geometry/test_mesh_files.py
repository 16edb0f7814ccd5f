"""Files: what goes out comes in again, other programs' files read alike, broken ones are named."""

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from vtkmodules.util import numpy_support
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkIOLegacy import vtkPolyDataWriter
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

from geometry.mesh import MeshError, TriangleMesh, triangle_mesh
from geometry.mesh_files import READABLE, WRITABLE, RawMesh, read_mesh, sniffed_suffix, write_mesh

SOURCE = trimesh.creation.icosphere(subdivisions=2, radius=21.0)
VTK: Any = numpy_support
CENTRE = np.array([3.0, -90.0, 980.0])


def sphere() -> TriangleMesh:
    vertices = (np.asarray(SOURCE.vertices) + CENTRE).astype(np.float32).astype(np.float64)
    return triangle_mesh(vertices, np.asarray(SOURCE.faces, dtype=np.int64))


def corners(mesh: RawMesh) -> np.ndarray:
    return mesh.vertices[mesh.faces]


def exported(mesh: TriangleMesh, kind: str, **options: int) -> bytes:
    other: Any = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    data = other.export(file_type=kind, **options)
    return data if isinstance(data, bytes) else str(data).encode()


def poly_data(mesh: TriangleMesh) -> vtkPolyData:
    points = vtkPoints()
    points.SetData(VTK.numpy_to_vtk(mesh.vertices, deep=True))
    cells = vtkCellArray()
    offsets = np.arange(0, 3 * len(mesh.faces) + 1, 3)
    cells.SetData(
        VTK.numpy_to_vtkIdTypeArray(offsets, deep=True),
        VTK.numpy_to_vtkIdTypeArray(mesh.faces.ravel(), deep=True),
    )
    data = vtkPolyData()
    data.SetPoints(points)
    data.SetPolys(cells)
    return data


def vtp_bytes(mesh: TriangleMesh, mode: str, *, zlib: bool = False, wide: bool = False) -> bytes:
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(poly_data(mesh))
    {
        "ascii": writer.SetDataModeToAscii,
        "inline": writer.SetDataModeToBinary,
        "appended": writer.SetDataModeToAppended,
        "raw": writer.SetDataModeToAppended,
    }[mode]()
    writer.SetEncodeAppendedData(mode == "appended")
    (writer.SetCompressorTypeToZLib if zlib else writer.SetCompressorTypeToNone)()
    (writer.SetHeaderTypeToUInt64 if wide else writer.SetHeaderTypeToUInt32)()
    return written(writer)


def vtk_bytes(mesh: TriangleMesh, *, binary: bool, version: int = 42) -> bytes:
    writer = vtkPolyDataWriter()
    writer.SetInputData(poly_data(mesh))
    writer.SetFileVersion(version)
    (writer.SetFileTypeToBinary if binary else writer.SetFileTypeToASCII)()
    return written(writer)


def written(writer: vtkPolyDataWriter | vtkXMLPolyDataWriter) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh"
        writer.SetFileName(str(path))
        writer.Write()
        return path.read_bytes()


def ascii_stl(mesh: TriangleMesh) -> bytes:
    facets = "".join(
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {x!r} {y!r} {z!r}\n" for x, y, z in corner.tolist())
        + " endloop\nendfacet\n"
        for corner in mesh.corners
    )
    return f"solid L3 of somebody\n{facets}endsolid L3\n".encode()


def off_bytes(mesh: TriangleMesh) -> bytes:
    rows = [" ".join(map(repr, row)) for row in mesh.vertices.tolist()]
    rows += ["3 " + " ".join(map(str, row)) + " 200 10 10" for row in mesh.faces.tolist()]
    return (
        f"OFF\n# made here\n{len(mesh.vertices)} {len(mesh.faces)} 0\n".encode()
        + "\n".join(rows).encode()
    )


def obj_bytes(mesh: TriangleMesh) -> bytes:
    rows = ["# made here", "mtllib outside.mtl", "o L3"]
    rows += ["v " + " ".join(map(repr, row)) for row in mesh.vertices.tolist()]
    rows += ["f " + " ".join(f"{i + 1}//{i + 1}" for i in row) for row in mesh.faces.tolist()]
    return "\n".join(rows).encode()


def ply_ascii(mesh: TriangleMesh) -> bytes:
    head = (
        f"ply\nformat ascii 1.0\nelement vertex {len(mesh.vertices)}\nproperty double x\n"
        "property double y\nproperty double z\nproperty uchar red\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_index\nend_header\n"
    )
    rows = [" ".join(map(repr, row)) + " 9" for row in mesh.vertices.tolist()]
    rows += ["3 " + " ".join(map(str, row)) for row in mesh.faces.tolist()]
    return head.encode() + "\n".join(rows).encode()


def ply_big_endian(mesh: TriangleMesh) -> bytes:
    head = (
        f"ply\r\nformat binary_big_endian 1.0\r\nelement face {len(mesh.faces)}\r\n"
        "property uchar flag\r\nproperty list ushort uint vertex_indices\r\n"
        f"element vertex {len(mesh.vertices)}\r\nproperty float x\r\nproperty float y\r\n"
        "property float z\r\nend_header\r\n"
    )
    faces = b"".join(struct.pack(">BH3I", 7, 3, *row) for row in mesh.faces.tolist())
    return head.encode() + faces + mesh.vertices.astype(">f4").tobytes()


FILES: dict[str, tuple[str, Callable[[TriangleMesh], bytes]]] = {
    "ply, ours": ("ply", lambda m: write_mesh(m, ".ply")),
    "ply, trimesh": ("ply", lambda m: exported(m, "ply")),
    "ply, ascii": ("ply", ply_ascii),
    "ply, big endian, faces first": ("ply", ply_big_endian),
    "stl, ours": ("stl", lambda m: write_mesh(m, "STL")),
    "stl, trimesh": ("stl", lambda m: exported(m, "stl")),
    "stl, ascii": ("stl", ascii_stl),
    "obj": ("obj", obj_bytes),
    "obj, trimesh": ("obj", lambda m: exported(m, "obj", digits=12)),
    "off": ("off", off_bytes),
    "off, trimesh": ("off", lambda m: exported(m, "off", digits=12)),
    "glb, ours": ("glb", lambda m: write_mesh(m, ".glb")),
    "glb, trimesh": ("glb", lambda m: exported(m, "glb")),
    "vtk, ascii 4": ("vtk", lambda m: vtk_bytes(m, binary=False)),
    "vtk, binary 4": ("vtk", lambda m: vtk_bytes(m, binary=True)),
    "vtk, ascii 5": ("vtk", lambda m: vtk_bytes(m, binary=False, version=51)),
    "vtk, binary 5": ("vtk", lambda m: vtk_bytes(m, binary=True, version=51)),
    "vtp, ascii": ("vtp", lambda m: vtp_bytes(m, "ascii")),
    "vtp, inline": ("vtp", lambda m: vtp_bytes(m, "inline")),
    "vtp, inline, zlib": ("vtp", lambda m: vtp_bytes(m, "inline", zlib=True)),
    "vtp, inline, zlib, 64": ("vtp", lambda m: vtp_bytes(m, "inline", zlib=True, wide=True)),
    "vtp, appended": ("vtp", lambda m: vtp_bytes(m, "appended")),
    "vtp, appended, zlib": ("vtp", lambda m: vtp_bytes(m, "appended", zlib=True)),
    "vtp, raw": ("vtp", lambda m: vtp_bytes(m, "raw")),
    "vtp, raw, zlib, 64": ("vtp", lambda m: vtp_bytes(m, "raw", zlib=True, wide=True)),
}
BYTES = {name: (suffix, make(sphere())) for name, (suffix, make) in FILES.items()}


def read_or_error(data: bytes, suffix: str) -> RawMesh | MeshError:
    """Any other exception is a failure of the test."""
    try:
        return read_mesh(data, suffix)
    except MeshError as error:
        return error


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_back_the_same_triangles(name: str) -> None:
    suffix, data = BYTES[name]
    mesh = read_mesh(data, suffix)
    expected = sphere()
    assert mesh.faces.shape == expected.faces.shape
    assert np.abs(corners(mesh) - expected.corners).max() < 1e-6
    assert len(mesh.vertices) == len(expected.vertices)


@pytest.mark.parametrize("name", FILES)
def test_the_format_is_recognised_without_a_name(name: str) -> None:
    suffix, data = BYTES[name]
    assert sniffed_suffix(data) == suffix


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_off_anywhere_is_refused(name: str) -> None:
    suffix, data = BYTES[name]
    counted = suffix != "obj"  # an OBJ declares no counts
    whole = data.rstrip()
    for end in np.linspace(0, len(whole) - 2, 40).astype(int):
        cut = whole[:end]
        mesh = read_or_error(cut, suffix)
        if isinstance(mesh, RawMesh):
            last_digits = suffix in {"off", "vtk", "ply", "stl"} and end > len(whole) - 12
            assert len(mesh.faces) > 0
            assert not counted or last_digits or b"POINT_DATA" in whole, (name, end)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None)
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
       front=st.booleans())  # fmt: skip
def test_damage_gives_a_named_error_or_triangles_never_an_empty_success(
    name: str, edits: list[tuple[float, int]], front: bool
) -> None:
    suffix, data = BYTES[name]
    damaged = bytearray(data)
    reach = min(len(damaged), 600) if front else len(damaged)
    for where, value in edits:
        damaged[min(int(where * reach), reach - 1)] = value
    mesh = read_or_error(bytes(damaged), suffix)
    if isinstance(mesh, RawMesh):
        assert len(mesh.faces) > 0
        assert np.isfinite(mesh.vertices).all()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), suffix=st.sampled_from(sorted(READABLE)))
def test_random_bytes_are_refused(data: bytes, suffix: str) -> None:
    with pytest.raises(MeshError):
        read_mesh(data, suffix)


def code_of(data: bytes, suffix: str) -> str:
    with pytest.raises(MeshError) as caught:
        read_mesh(data, suffix)
    return caught.value.code


PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


@pytest.mark.parametrize("suffix", READABLE)
def test_a_file_of_no_bytes_is_refused(suffix: str) -> None:
    assert code_of(b"", suffix) == "empty-file"


@pytest.mark.parametrize("suffix", READABLE)
def test_a_picture_under_a_false_name_is_refused(suffix: str) -> None:
    assert code_of(PNG, suffix) in {"unknown-format", "malformed", "truncated", "count-mismatch"}


@pytest.mark.parametrize("suffix", [".png", "", "ply.gz", "nii"])
def test_other_suffixes_are_refused_with_the_choices(suffix: str) -> None:
    with pytest.raises(MeshError, match="ply, stl, obj, off, glb, vtp, vtk"):
        read_mesh(b"x", suffix)


def test_headers_that_promise_billions_are_refused_before_anything_is_allocated() -> None:
    many = 4_000_000_000
    stl = bytes(80) + struct.pack("<I", many) + bytes(50)
    assert code_of(stl, "stl") == "truncated"
    for kind in ("ascii", "binary_little_endian"):
        ply = (
            f"ply\nformat {kind} 1.0\nelement vertex {many}\nproperty float x\nproperty float y\n"
            f"property float z\nelement face {many}\nproperty list uchar int vertex_indices\n"
            "end_header\n0 0 0\n"
        )
        assert code_of(ply.encode(), "ply") == "truncated"
    assert code_of(f"OFF\n{many} {many} 0\n0 0 0\n".encode(), "off") == "truncated"
    head = "# vtk DataFile Version 3.0\nt\n{}\nDATASET POLYDATA\nPOINTS {} float\n0 0 0"
    assert code_of(head.format("ASCII", many).encode(), "vtk") == "truncated"
    assert code_of(head.format("BINARY", many).encode(), "vtk") == "truncated"
    vtp = vtp_bytes(sphere(), "raw").replace(b'NumberOfPolys="320"', b'NumberOfPolys="3200000000"')
    assert code_of(vtp, "vtp") == "too-large"


def test_a_compressed_block_never_inflates_beyond_what_is_declared() -> None:
    data = vtp_bytes(sphere(), "raw", zlib=True)
    bomb = data.replace(b'NumberOfPoints="162"', b'NumberOfPoints="161"')
    assert bomb != data
    assert code_of(bomb, "vtp") == "count-mismatch"


def test_extra_bytes_after_the_declared_ones_are_refused() -> None:
    for name in ("ply, ours", "stl, ours", "glb, ours", "ply, ascii", "off"):
        suffix, data = BYTES[name]
        assert code_of(data + b"\n7 7 7 7", suffix) == "count-mismatch", name


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE VTKFile [<!ENTITY a "aaaa">]>',
        b'<!DOCTYPE VTKFile SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_vtp_with_a_document_type_is_refused(doctype: bytes) -> None:
    data = vtp_bytes(sphere(), "ascii").replace(b"<VTKFile", doctype + b"<VTKFile", 1)
    assert code_of(data, "vtp") == "unsafe-xml"


def test_vertices_that_are_not_numbers_are_counted() -> None:
    vertices = sphere().vertices.copy()
    vertices[:5, 1] = np.nan
    bad = TriangleMesh(vertices=vertices, faces=sphere().faces, is_closed=True)
    for suffix in WRITABLE:
        with np.errstate(invalid="ignore"):
            data = write_mesh(bad, suffix)
        assert code_of(data, suffix) in {"non-finite", "malformed"}, suffix
    with pytest.raises(MeshError, match="5 of 162"):
        read_mesh(write_mesh(bad, "ply"), "ply")


def test_a_signalling_not_a_number_is_refused_like_any_other() -> None:
    data = bytearray(write_mesh(sphere(), "stl"))
    data[96:100] = b"\x01\x00\x80\x7f"
    assert code_of(bytes(data), "stl") == "non-finite"


def test_indices_out_of_range_are_refused() -> None:
    faces = sphere().faces.copy()
    faces[3, 1] = 162
    bad = TriangleMesh(vertices=sphere().vertices, faces=faces, is_closed=False)
    assert code_of(write_mesh(bad, "ply"), "ply") == "index-out-of-range"
    assert code_of(write_mesh(bad, "glb"), "glb") == "index-out-of-range"
    assert code_of(off_bytes(bad), "off") == "index-out-of-range"
    assert code_of(obj_bytes(bad), "obj") == "index-out-of-range"
    assert code_of(ply_ascii(bad), "ply") == "index-out-of-range"


def test_a_surface_of_no_triangle_is_refused() -> None:
    assert code_of(bytes(84), "stl") == "no-triangles"
    assert code_of(b"v 0 0 0\nv 1 0 0\n", "obj") == "no-triangles"
    assert code_of(b"OFF\n1 0 0\n0 0 0\n", "off") == "no-triangles"
    empty = ply_ascii(TriangleMesh(
        vertices=sphere().vertices, faces=np.zeros((0, 3), dtype=np.int64), is_closed=False
    ))  # fmt: skip
    assert code_of(empty, "ply") == "no-triangles"


def test_welding_keeps_the_order_of_first_appearance() -> None:
    mesh = sphere()
    welded = read_mesh(write_mesh(mesh, "stl"), "stl")
    moved = TriangleMesh(
        vertices=np.round(mesh.vertices @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]], 4),
        faces=mesh.faces,
        is_closed=True,
    )
    assert np.array_equal(read_mesh(write_mesh(moved, "stl"), "stl").faces, welded.faces)


def test_the_shared_meshes_read_as_another_library_reads_them(shared_cases: Path) -> None:
    for path in sorted(shared_cases.glob("*/meshes/*"))[::9]:
        mesh = read_mesh(path.read_bytes(), path.suffix)
        other: Any = trimesh.load(path, process=False)
        assert np.array_equal(corners(mesh), other.vertices[other.faces]), path.name
