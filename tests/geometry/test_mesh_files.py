"""Files: what goes out comes in again, other programs' files read alike, broken ones are named."""

import json
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


def edited_glb(edit: str, value: object) -> bytes:
    data = write_mesh(sphere(), "glb")
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    place = document
    *path, last = edit.split(".")
    for key in path:
        place = place[int(key) if key.isdigit() else key]
    if value is None:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    return (
        b"glTF" + struct.pack("<II", 2, 20 + len(text) + len(rest))
        + struct.pack("<II", len(text), 0x4E4F534A) + text + rest
    )  # fmt: skip


@pytest.mark.parametrize("uri", ["secret.bin", "../secret.bin", "data:;base64,AAAA", "file:///x"])
def test_a_glb_that_refers_outside_is_refused(uri: str) -> None:
    assert code_of(edited_glb("buffers.0.uri", uri), "glb") == "external-reference"


@pytest.mark.parametrize(
    ("edit", "value", "code"),
    [
        ("accessors.0.bufferView", None, "malformed"),
        ("accessors.0.count", 10**9, "truncated"),
        ("accessors.0.count", 2, "index-out-of-range"),
        ("accessors.1.count", 7, "count-mismatch"),
        ("bufferViews.0.byteLength", 10**9, "truncated"),
        ("bufferViews.0.byteStride", 1, "truncated"),
        ("meshes.0.primitives.0.indices", 99, "malformed"),
        ("meshes.0.primitives.0.mode", 1, "no-triangles"),
        ("nodes.0.children", [0], "malformed"),
        ("extensionsRequired", ["KHR_draco_mesh_compression"], "unsupported"),
        ("meshes", {}, "malformed"),
        ("nodes.0.mesh", "0", "malformed"),
        ("nodes.0.scale", [1, 1, float("nan")], "malformed"),
    ],
)
def test_a_damaged_glb_document_is_named(edit: str, value: object, code: str) -> None:
    assert code_of(edited_glb(edit, value), "glb") == code


def test_glb_nodes_place_the_mesh_and_a_mirroring_node_keeps_it_outward() -> None:
    data = edited_glb("nodes.0.matrix", [-2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 5, 6, 7, 1])
    mesh = read_mesh(data, "glb")
    placed = triangle_mesh(mesh.vertices, mesh.faces)
    expected = sphere().vertices * [-2, 2, 2] + [5, 6, 7]
    assert np.abs(placed.vertices - expected).max() < 1e-9
    assert placed.volume_mm3 == pytest.approx(8 * sphere().volume_mm3)


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
