"""Object File Format (OFF), ASCII; colours and normals are passed over."""

import numpy as np

from geometry.mesh import MeshError
from geometry.mesh_files.polygons import polygon_mesh
from geometry.mesh_files.raw import EXPORT_AGAIN, RawMesh
from geometry.mesh_files.text import count, decoded, floats, integers, short, surplus

_MAGIC = frozenset({"OFF", "COFF", "NOFF", "CNOFF"})


def read_off(data: bytes) -> RawMesh:
    """Read an OFF file: counts, one line per vertex, one line per face.

    Raises:
        MeshError: ``unknown-format``, ``malformed``, ``truncated``, ``count-mismatch`` and what
            ``RawMesh`` refuses.
    """
    text = decoded(data, "an OFF")
    lines = [words for line in text.splitlines() if (words := line.split("#", 1)[0].split())]
    if not lines or lines[0][0] not in _MAGIC:
        raise MeshError("unknown-format", "an ASCII OFF file begins with the word OFF")
    head = lines[0][1:]
    if not head:
        head, lines = (lines[1] if len(lines) > 1 else []), lines[1:]
    if len(head) not in {2, 3}:
        raise MeshError("malformed", "OFF needs the numbers of vertices, faces and edges")
    vertices, faces = count(head[0], "vertices"), count(head[1], "faces")
    rows = lines[1:]
    if len(rows) < vertices + faces:
        raise short(len(rows), vertices + faces, "lines of vertices and faces")
    if len(rows) > vertices + faces:
        raise surplus(len(rows) - vertices - faces, "lines")
    if any(len(row) < 3 for row in rows[:vertices]):
        raise MeshError("malformed", f"a vertex needs three coordinates; {EXPORT_AGAIN}")
    positions = floats([w for row in rows[:vertices] for w in row[:3]], "a vertex of an OFF")
    return _mesh(positions.reshape(-1, 3), rows[vertices:])


def _mesh(vertices: np.ndarray, rows: list[list[str]]) -> RawMesh:
    lengths = [count(row[0], "corners") for row in rows]
    for row, length in zip(rows, lengths, strict=True):
        if len(row) <= length:
            raise short(len(row) - 1, length, "corners of a face")
    words = [w for row, length in zip(rows, lengths, strict=True) for w in row[1 : 1 + length]]
    return polygon_mesh(
        vertices, integers(words, "a face of an OFF"), np.array(lengths, dtype=np.int64)
    )
