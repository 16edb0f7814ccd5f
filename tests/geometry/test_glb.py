"""GLB: self-contained or refused; nodes place what they hold."""

import json
import struct

import numpy as np
import pytest

from geometry.mesh import MeshError, TriangleMesh, triangle_mesh
from geometry.mesh_files import read_mesh, write_mesh
from geometry.solids import ellipsoid


def sphere() -> TriangleMesh:
    exact = ellipsoid(np.array([3.0, -90.0, 980.0]), np.full(3, 21.0))
    return triangle_mesh(exact.vertices.astype(np.float32).astype(np.float64), exact.faces)


def code_of(data: bytes) -> str:
    with pytest.raises(MeshError) as caught:
        read_mesh(data, "glb")
    return caught.value.code


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
    assert code_of(edited_glb("buffers.0.uri", uri)) == "external-reference"


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
    assert code_of(edited_glb(edit, value)) == code


def test_glb_nodes_place_the_mesh_and_a_mirroring_node_keeps_it_outward() -> None:
    data = edited_glb("nodes.0.matrix", [-2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 5, 6, 7, 1])
    mesh = read_mesh(data, "glb")
    placed = triangle_mesh(mesh.vertices, mesh.faces)
    expected = sphere().vertices * [-2, 2, 2] + [5, 6, 7]
    assert np.abs(placed.vertices - expected).max() < 1e-9
    assert placed.volume_mm3 == pytest.approx(8 * sphere().volume_mm3)


def test_a_mesh_shown_by_very_many_nodes_is_refused_before_it_is_copied() -> None:
    nodes = [{"children": list(range(1, 90_000))}, *[{"mesh": 0}] * 90_000]
    assert code_of(edited_glb("nodes", nodes)) == "too-large"
