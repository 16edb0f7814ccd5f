"""Wavefront OBJ: positions and faces; normals, texture and groups are passed over.

Nothing that an OBJ refers to (``mtllib``) is ever opened.
"""

import numpy as np

from geometry.mesh import MeshError
from geometry.mesh_files.polygons import polygon_mesh
from geometry.mesh_files.raw import RawMesh
from geometry.mesh_files.text import decoded, floats

_PASSED_OVER = frozenset({"vn", "vt", "vp", "o", "g", "s", "mg", "usemtl", "mtllib", "l", "p"})


def read_obj(data: bytes) -> RawMesh:
    """Read an OBJ file.

    Raises:
        MeshError: ``unknown-format``, ``malformed``, ``external-reference`` and what ``RawMesh``
            refuses.
    """
    text = decoded(data, "an OBJ").replace("\\\r\n", " ").replace("\\\n", " ")
    positions: list[str] = []
    corners: list[int] = []
    lengths: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words or words[0] in _PASSED_OVER:
            continue
        if words[0] == "v" and len(words) >= 4:
            positions += words[1:4]
        elif words[0] == "f" and len(words) >= 4:
            corners += [_corner(word, len(positions) // 3, number) for word in words[1:]]
            lengths.append(len(words) - 1)
        else:
            raise _refusal(words[0], number)
    vertices = floats(positions, "a vertex of an OBJ").reshape(-1, 3)
    return polygon_mesh(
        vertices, np.array(corners, dtype=np.int64), np.array(lengths, dtype=np.int64)
    )


def _corner(word: str, so_far: int, line: int) -> int:
    """Return the zero-based vertex of ``7``, ``7/1``, ``7//2`` or ``-1`` (the latest)."""
    try:
        index = int(word.split("/", 1)[0])
    except ValueError:
        raise MeshError(
            "malformed", f"{word[:40]!r} is no corner of a face (line {line})"
        ) from None
    if index == 0 or abs(index) > 2**40:
        raise MeshError("index-out-of-range", f"OBJ vertices count from 1, not {index} ({line=})")
    return index - 1 if index > 0 else so_far + index


def _refusal(keyword: str, line: int) -> MeshError:
    if keyword in {"v", "f"}:
        return MeshError("malformed", f"line {line} of the OBJ: {keyword!r} needs three entries")
    if keyword in {"call", "csh"}:
        return MeshError("external-reference", f"line {line} runs something outside: {keyword!r}")
    return MeshError(
        "unknown-format", f"line {line}: {keyword[:40]!r} is not understood in an OBJ of triangles"
    )
