"""Mesh files and documents made to do harm, or broken: what the service must refuse by name."""

import base64
import json
import struct
import zlib
from typing import Any

import numpy as np

_TRIANGLE = np.array([[0, 0, 0], [30, 0, 0], [0, 30, 0]], dtype="<f4")
_NAN, _INF = float("nan"), float("inf")


def stl(count: int, facets: int, value: float = 1.0, tail: bytes = b"") -> bytes:
    """Return a binary STL that announces ``count`` facets and has ``facets``."""
    facet = struct.pack("<12fH", *([0.0] * 3), 0.0, 0.0, 0.0, value, 0.0, 0.0, 0.0, 9.0, 0.0, 0)
    return b"\0" * 80 + struct.pack("<I", count) + facet * facets + tail


def ply(
    body: str,
    vertices: object = 3,
    faces: object = 1,
    kind: str = "ascii",
    lists: str = "uchar int",
) -> bytes:
    """Return a PLY with this body under a header of these counts."""
    header = (
        f"ply\nformat {kind} 1.0\nelement vertex {vertices}\nproperty float x\nproperty float y\n"
        f"property float z\nelement face {faces}\nproperty list {lists} vertex_indices\nend_header\n"
    )
    return (header + body).encode()


def glb(document: dict[str, Any] | bytes, binary: bytes = b"", version: int = 2) -> bytes:
    """Return a GLB of a JSON chunk and a binary chunk."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return b"glTF" + struct.pack("<II", version, 12 + len(chunks)) + chunks


def gltf(**changes: object) -> dict[str, Any]:
    """Return the JSON of one triangle without indices, with members replaced."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }
    return {**document, **changes}


def accessor(**changes: object) -> dict[str, Any]:
    """Return the JSON of one triangle whose accessor is spoilt."""
    whole: dict[str, Any] = gltf()["accessors"][0]
    spoilt = {name: value for name, value in {**whole, **changes}.items() if value is not None}
    return gltf(accessors=[spoilt])


def vtp(points: str, *, count: object = 3, before: str = "", attributes: str = "") -> bytes:
    """Return a VTP of one triangle, its points in ASCII."""
    return (
        f'<?xml version="1.0"?>{before}<VTKFile type="PolyData" version="1.0" '
        f'byte_order="LittleEndian" header_type="UInt32" {attributes}><PolyData>'
        f'<Piece NumberOfPoints="{count}" NumberOfPolys="1"><Points>'
        f'<DataArray type="Float32" NumberOfComponents="3" format="ascii">{points}</DataArray>'
        '</Points><Polys><DataArray type="Int32" Name="connectivity" format="ascii">0 1 2'
        '</DataArray><DataArray type="Int32" Name="offsets" format="ascii">3</DataArray></Polys>'
        "</Piece></PolyData></VTKFile>"
    ).encode()


def swelling_vtp() -> bytes:
    """Return a VTP whose points are zeros by the gigabyte, packed small."""
    packed = zlib.compress(b"\0" * (1 << 26), 9)
    head = struct.pack("<4I", 1, 1 << 30, 0, len(packed))
    text = base64.b64encode(head).decode() + base64.b64encode(packed).decode()
    whole = vtp("", attributes='compressor="vtkZLibDataCompressor"').decode()
    return whole.replace('format="ascii"></Data', f'format="binary">{text}</Data').encode()


_LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10))
    + "]>"
)
_POINTS = "0 0 0 30 0 0 0 30 0"
_VTK = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\n"
_BIN = _TRIANGLE.tobytes()

MESHES: dict[str, tuple[str, bytes]] = {
    "stl of ten bytes": ("stl", b"\0" * 10),
    "stl without facets": ("stl", stl(0, 0)),
    "stl of billions": ("stl", stl(2**32 - 1, 1)),
    "stl with one facet less": ("stl", stl(3, 2)),
    "stl with a tail": ("stl", stl(1, 1, tail=b"x" * 49)),
    "stl of NaN": ("stl", stl(1, 1, _NAN)),
    "stl of infinity": ("stl", stl(1, 1, _INF)),
    "stl of one point": ("stl", stl(1, 1, 0.0)[:84] + b"\0" * 50),
    "stl as large as a planet": ("stl", stl(4, 4, 1e30)),
    "stl in words without facets": ("stl", b"solid x\nendsolid x\n"),
    "stl in words cut short": ("stl", b"solid x\nfacet normal 0 0 1\nouter loop\nvertex 0 0"),
    "stl in words with words": ("stl", b"solid x\nfacet normal 0 0 1\nouter loop\nvertex a b c\n"),
    "ply without an end of header": ("ply", b"ply\nformat ascii 1.0\n"),
    "ply of 4e8 vertices": ("ply", ply("", vertices=400_000_000)),
    "ply of 1e30 vertices": ("ply", ply("", vertices=10**30)),
    "ply of minus one vertices": ("ply", ply("", vertices=-1)),
    "ply of some vertices": ("ply", ply("", vertices="some")),
    "ply with an index out of range": ("ply", ply("0 0 0\n9 0 0\n0 9 0\n3 0 1 7\n")),
    "ply with an index below zero": ("ply", ply("0 0 0\n9 0 0\n0 9 0\n3 0 1 -1\n")),
    "ply of NaN": ("ply", ply("nan 0 0\n9 0 0\n0 9 0\n3 0 1 2\n")),
    "ply with a face of 2^31 corners": (
        "ply", ply("0 0 0\n9 0 0\n0 9 0\n2147483648 0 1 2\n", lists="uint int")),
    "ply of an unknown format": ("ply", ply("", kind="binary_middle_endian")),
    "ply cut short": ("ply", ply("xxxx", kind="binary_little_endian")),
    "ply with a type of its own": ("ply", ply("", lists="uchar quaternion")),
    "ply with a name of a megabyte": ("ply", b"ply\nformat ascii 1.0\nelement " + b"a" * (1 << 20)),
    "ply without faces": ("ply", ply("0 0 0\n9 0 0\n0 9 0\n", faces=0)),
    "obj with an index out of range": ("obj", b"v 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 9\n"),
    "obj with index zero": ("obj", b"v 0 0 0\nv 9 0 0\nv 0 9 0\nf 0 1 2\n"),
    "obj of NaN": ("obj", b"v nan 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 3\n"),
    "obj with a face of one corner": ("obj", b"v 0 0 0\nf 1\n"),
    "obj of one line": ("obj", b"v " + b"1 " * 2_000_000),
    "off of a billion": ("off", b"OFF\n1000000000 1 0\n"),
    "off of minus one": ("off", b"OFF\n-1 1 0\n"),
    "off cut short": ("off", b"OFF\n3 1 0\n0 0 0\n9 0"),
    "off with an index out of range": ("off", b"OFF\n3 1 0\n0 0 0\n9 0 0\n0 9 0\n3 0 1 3\n"),
    "glb by name only": ("glb", b"glTX" + b"\0" * 40),
    "glb of version 1": ("glb", glb(gltf(), _BIN, version=1)),
    "glb cut short": ("glb", glb(gltf(), _BIN)[:-20]),
    "glb of no JSON": ("glb", glb(b"{{{{", _BIN)),
    "glb of deep JSON": ("glb", glb(b"[" * 100_000 + b"]" * 100_000, _BIN)),
    "glb that reads a neighbour": (
        "glb", glb(gltf(buffers=[{"byteLength": 36, "uri": "../case.json"}]))),
    "glb that reads an absolute path": (
        "glb", glb(gltf(buffers=[{"byteLength": 36, "uri": "file:///etc/passwd"}]))),
    "glb that reads the web": (
        "glb", glb(gltf(buffers=[{"byteLength": 36, "uri": "http://127.0.0.1:1/x"}]))),
    "glb without a view": ("glb", glb(accessor(bufferView=None), _BIN)),
    "glb with a view that is not there": ("glb", glb(accessor(bufferView=7), _BIN)),
    "glb of a billion points": ("glb", glb(accessor(count=10**9), _BIN)),
    "glb of minus one points": ("glb", glb(accessor(count=-1), _BIN)),
    "glb of points in a row": ("glb", glb(accessor(type="SCALAR"), _BIN)),
    "glb that starts before its view": ("glb", glb(accessor(byteOffset=-12), _BIN)),
    "glb whose view is longer than its bytes": (
        "glb", glb(gltf(bufferViews=[{"buffer": 0, "byteLength": 2**40}]), _BIN)),
    "glb of NaN": ("glb", glb(gltf(), np.full(9, _NAN, "<f4").tobytes())),
    "glb whose node is its own child": (
        "glb", glb(gltf(nodes=[{"mesh": 0, "children": [0]}]), _BIN)),
    "glb of an empty scene": ("glb", glb(gltf(scenes=[{"nodes": []}]), _BIN)),
    "vtp that laughs": ("vtp", vtp("&a9;", before=_LAUGHS)),
    "vtp that reads a file": (
        "vtp", vtp("&f;", before="<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>")),
    "vtp of a trillion points": ("vtp", vtp(_POINTS, count=10**12)),
    "vtp of too few points": ("vtp", vtp("0 0 0")),
    "vtp of NaN": ("vtp", vtp("nan 0 0 30 0 0 0 30 0")),
    "vtp cut short": ("vtp", vtp(_POINTS)[:-40]),
    "vtp that swells": ("vtp", swelling_vtp()),
    "vtk of a trillion points": ("vtk", f"{_VTK}POINTS 1000000000000 float\n".encode()),
    "vtk with an index out of range": (
        "vtk", f"{_VTK}POINTS 3 float\n{_POINTS}\nPOLYGONS 1 4\n3 0 1 9\n".encode()),
    "a zip by the name of a mesh": ("stl", b"PK\3\4" + b"\0" * 200),
    "a picture by the name of a mesh": ("ply", b"\x89PNG\r\n\x1a\n" + b"\0" * 200),
    "a page by the name of a mesh": ("obj", b"<html><script>alert(1)</script></html>"),
}  # fmt: skip

_HEAD = b'{"schema":"trocar/case/1","name":"x","coordinate_system":"LPS","units":"mm","structures":'
_FACE = b'"vertices_mm":[[0,0,0],[30,0,0],[0,30,0]],"faces":'

DOCUMENTS: dict[str, bytes] = {
    "arrays in arrays": b"[" * 200_000,
    "objects in objects": b'{"a":' * 200_000,
    "structures in structures": _HEAD + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a hundred thousand structures": (
        _HEAD + b"[" + b",".join([b'{"name":"a","kind":"skin"}'] * 100_000) + b"]}"),
    "a number of a million digits": _HEAD[:-14] + b'"extra":' + b"9" * 1_000_000 + b"}",
    "an index of 400 digits": (
        _HEAD + b'[{"name":"a","kind":"skin",' + _FACE + b"[[0,1," + b"9" * 400 + b"]]}]}"),
    "an index out of range": (
        _HEAD + b'[{"name":"a","kind":"skin",' + _FACE + b"[[0,1,3]]}]}"),
    "half a character": _HEAD + b'[{"name":"\\ud800","kind":"skin",' + _FACE + b"[[0,1,2]]}]}",
    "a name with a zero": _HEAD + b'[{"name":"a\\u0000b","kind":"skin",' + _FACE + b"[[0,1,2]]}]}",
    "a name that is a path": (
        _HEAD + b'[{"name":"../../a","kind":"skin",' + _FACE + b"[[0,1,2]]}]}"),
    "a name of a megabyte": (
        _HEAD + b'[{"name":"' + b"a" * 1_000_000 + b'","kind":"skin",' + _FACE + b"[[0,1,2]]}]}"),
    "a tube of a million points": (
        _HEAD + b'[{"name":"a","kind":"rod","tube":{"diameter_mm":5,"points_mm":['
        + b",".join([b"[0,0,0]"] * 1_000_000) + b"]}}]}"),
    "a file of the machine": _HEAD + b'[{"name":"a","kind":"skin","file":"/etc/passwd"}]}',
    "a file outside": _HEAD + b'[{"name":"a","kind":"skin","file":"../../keys.json"}]}',
    "a blob that nobody put": _HEAD + b'[{"name":"a","kind":"skin","blob":"' + b"0" * 64 + b'"}]}',
    "a blob spelt otherwise": (
        _HEAD + b'[{"name":"a","kind":"skin","\\u0062lob":"' + b"0" * 64 + b'"}]}'),
}  # fmt: skip
