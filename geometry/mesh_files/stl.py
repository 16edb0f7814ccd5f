"""STL, binary and ASCII. The triangles come unconnected; equal corners are joined exactly."""

import re

import numpy as np

from geometry.mesh import MeshError, TriangleMesh
from geometry.mesh_files.raw import (
    EXPORT_AGAIN,
    RawMesh,
    require_triangles_within_limit,
    welded,
)
from geometry.mesh_files.text import decoded, floats

_HEADER = 84
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_SOLID = re.compile(r"^[ \t]*(solid|endsolid)\b.*$", re.MULTILINE | re.IGNORECASE)
_FACET = "facet normal . . . outer loop vertex . . . vertex . . . vertex . . . endloop endfacet"
_WORDS = _FACET.split()
_KEYWORDS = [i for i, word in enumerate(_WORDS) if word != "."]
_COORDINATES = [8, 9, 10, 12, 13, 14, 16, 17, 18]


def read_stl(data: bytes) -> RawMesh:
    """Read an STL file; which of the two kinds it is follows from its length, not its first word.

    Raises:
        MeshError: ``truncated``, ``count-mismatch``, ``malformed``, ``unknown-format`` and what
            ``RawMesh`` refuses.
    """
    declared = _declared(data)
    if declared is not None and len(data) == _HEADER + 50 * declared:
        return _binary(data, declared)
    if data.lstrip()[:5].lower() == b"solid" and b"\0" not in data:
        return _ascii(data)
    if declared is None:
        raise MeshError("truncated", f"{len(data)} bytes are too few for an STL; {EXPORT_AGAIN}")
    needed = _HEADER + 50 * declared
    raise MeshError(
        "truncated" if len(data) < needed else "count-mismatch",
        f"a binary STL of {declared} triangles has {needed} bytes, this file has {len(data)}; "
        "copy or export it again",
    )


def stl_bytes(mesh: TriangleMesh) -> bytes:
    """Return the mesh as a binary STL (32-bit floats)."""
    corners = mesh.corners
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(corners), dtype=_RECORD)
    records["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0.0)
    records["corners"] = corners
    header = b"binary STL, millimetres, patient LPS".ljust(80, b" ")
    return header + np.uint32(len(corners)).astype("<u4").tobytes() + records.tobytes()


def _declared(data: bytes) -> int | None:
    return int.from_bytes(data[80:84], "little") if len(data) >= _HEADER else None


def _binary(data: bytes, count: int) -> RawMesh:
    require_triangles_within_limit(count)
    records = np.frombuffer(data, dtype=_RECORD, count=count, offset=_HEADER)
    return welded(records["corners"].astype(np.float64))


def _ascii(data: bytes) -> RawMesh:
    text = decoded(data, "an ASCII STL")
    words = [match.group(1).lower() for match in _SOLID.finditer(text)]
    if words != ["solid", "endsolid"] * (len(words) // 2):
        raise MeshError("truncated", "an ASCII STL must end with 'endsolid'; the file is cut off")
    tokens = _SOLID.sub(" ", text).split()
    if len(tokens) % len(_WORDS):
        raise MeshError("truncated", f"the last facet is not complete; {EXPORT_AGAIN}")
    require_triangles_within_limit(len(tokens) // len(_WORDS))
    table = np.array(tokens, dtype=object).reshape(-1, len(_WORDS))
    for column in _KEYWORDS:
        odd = next((t for t in table[:, column] if t.lower() != _WORDS[column]), None)
        if odd is not None:
            raise MeshError(
                "malformed", f"{odd[:40]!r} stands where an STL facet has {_WORDS[column]!r}"
            )
    values = floats(list(table[:, _COORDINATES].ravel()), "a vertex of an STL")
    return welded(values.reshape(-1, 3, 3))
