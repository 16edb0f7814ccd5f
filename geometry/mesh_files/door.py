"""The door itself: which reader a file goes to, and what it may be written as."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from geometry.mesh import MeshError, TriangleMesh
from geometry.mesh_files.glb import glb_bytes, read_glb
from geometry.mesh_files.obj import read_obj
from geometry.mesh_files.off import read_off
from geometry.mesh_files.ply import ply_bytes, read_ply
from geometry.mesh_files.raw import EXPORT_AGAIN, RawMesh
from geometry.mesh_files.stl import read_stl, stl_bytes
from geometry.mesh_files.vtk import read_vtk
from geometry.mesh_files.vtp import read_vtp

_Format = TypeVar("_Format")

MAX_FILE_BYTES = 512 * 1024 * 1024

READABLE: Mapping[str, Callable[[bytes], RawMesh]] = MappingProxyType({
    "ply": read_ply,
    "stl": read_stl,
    "obj": read_obj,
    "off": read_off,
    "glb": read_glb,
    "vtp": read_vtp,
    "vtk": read_vtk,
})  # fmt: skip

WRITABLE: Mapping[str, Callable[[TriangleMesh], bytes]] = MappingProxyType({
    "ply": ply_bytes,
    "stl": stl_bytes,
    "glb": glb_bytes,
})  # fmt: skip


def read_mesh(data: bytes, suffix: str) -> RawMesh:
    """Read the triangles of a file.

    Args:
        data: The whole file.
        suffix: What the name ends in, with or without the dot, such as ``.ply``.

    Returns:
        Its triangles, in the file's own unit and frame.

    Raises:
        MeshError: With one of the codes ``unknown-format``, ``empty-file``, ``too-large``,
            ``truncated``, ``count-mismatch``, ``malformed``, ``unsupported``, ``bad-face``,
            ``no-triangles``, ``index-out-of-range``, ``non-finite``, ``external-reference``,
            ``unsafe-xml``.
    """
    read = _lookup(READABLE, suffix, "read")
    if not data:
        raise MeshError("empty-file", f"the file has no bytes; {EXPORT_AGAIN}")
    if len(data) > MAX_FILE_BYTES:
        raise MeshError(
            "too-large", f"{len(data)} bytes are more than {MAX_FILE_BYTES}; decimate the surface"
        )
    # Numbers that are not finite are refused by name below; numpy need not warn of them too.
    with np.errstate(invalid="ignore", over="ignore"):
        return read(data)


def write_mesh(mesh: TriangleMesh, suffix: str) -> bytes:
    """Return a mesh as a file: ``ply`` (64-bit), ``stl`` or ``glb`` (both 32-bit).

    Raises:
        MeshError: ``unknown-format`` for any other suffix.
    """
    return _lookup(WRITABLE, suffix, "written")(mesh)


def sniffed_suffix(data: bytes) -> str:
    """Tell the format of a file without a name from how it begins.

    Raises:
        MeshError: ``unknown-format`` if it is none of those that can be read.
    """
    head = data[:512].lstrip()
    words = head[:20].split()
    first = words[0] if words else b""
    binary_stl = len(data) >= 84 and len(data) == 84 + 50 * int.from_bytes(data[80:84], "little")
    signs = {
        "ply": data[:4] in {b"ply\n", b"ply\r"},
        "glb": data[:4] == b"glTF",
        "vtk": data.startswith(b"# vtk DataFile"),
        "vtp": b"<VTKFile" in head,
        "off": first in {b"OFF", b"COFF", b"NOFF", b"CNOFF"},
        "stl": binary_stl or head[:5].lower() == b"solid",
        "obj": first in {b"v", b"#", b"o", b"g", b"mtllib"} and b"\0" not in head,
    }
    for suffix, present in signs.items():
        if present:
            return suffix
    raise MeshError(
        "unknown-format", f"this is none of the formats that are read: {', '.join(READABLE)}"
    )


def _lookup(table: Mapping[str, _Format], suffix: str, done: str) -> _Format:
    name = suffix.lower().removeprefix(".")
    if name not in table:
        raise MeshError(
            "unknown-format", f"{suffix[:20]!r} cannot be {done}; use one of {', '.join(table)}"
        )
    return table[name]
