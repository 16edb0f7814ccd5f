"""Legacy VTK files of polygonal data, ASCII and big-endian binary, versions 1 to 5."""

import numpy as np

from geometry.mesh import MeshError
from geometry.mesh_files.polygons import polygon_mesh, strip_faces
from geometry.mesh_files.raw import EXPORT_AGAIN, RawMesh
from geometry.mesh_files.text import count, decoded, floats, integers, short

_TYPES = {
    "float": ">f4", "double": ">f8", "int": ">i4", "unsigned_int": ">u4", "long": ">i8",
    "unsigned_long": ">u8", "short": ">i2", "unsigned_short": ">u2", "vtktypeint64": ">i8",
    "vtktypeint32": ">i4", "vtkidtype": ">i4", "char": ">i1", "unsigned_char": ">u1",
}  # fmt: skip
_CELLS = frozenset({"VERTICES", "LINES", "POLYGONS", "TRIANGLE_STRIPS"})
_ATTRIBUTES = frozenset({"POINT_DATA", "CELL_DATA", "FIELD", "METADATA"})


def read_vtk(data: bytes) -> RawMesh:
    """Read the points, polygons and strips of a legacy VTK file; attributes are passed over.

    Raises:
        MeshError: ``unknown-format``, ``unsupported``, ``malformed``, ``truncated`` and what
            ``RawMesh`` refuses.
    """
    if not data.startswith(b"# vtk DataFile Version"):
        raise MeshError(
            "unknown-format", "a legacy VTK file begins with '# vtk DataFile'; this one does not"
        )
    head = data.split(b"\n", 3)
    if len(head) < 4:
        raise MeshError("truncated", f"the header of the VTK file is not complete; {EXPORT_AGAIN}")
    encoding = head[2].strip().upper()
    if encoding not in {b"ASCII", b"BINARY"}:
        raise MeshError("malformed", "the third line of a VTK file is ASCII or BINARY")
    if encoding == b"ASCII":
        return _mesh(_Text(decoded(head[3], "an ASCII VTK").split()))
    return _mesh(_Binary(head[3]))


class _Text:
    """Words and numbers of an ASCII file, front to back."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0

    def word(self) -> str:
        """Return the next word, '' at the end."""
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def numbers(self, number: int, kind: str) -> np.ndarray:
        left = len(self._tokens) - self._at
        if number > left:
            raise short(max(left, 0), number, "numbers")
        tokens = self._tokens[self._at : self._at + number]
        self._at += number
        return (floats if "f" in kind else integers)(tokens, "a VTK file")


class _Binary:
    """Words and big-endian numbers of a binary file, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def word(self) -> str:
        """Return the next word, '' at the end; one white space after it is passed over."""
        while self._data[self._at : self._at + 1].isspace():
            self._at += 1
        start = self._at
        while self._at < len(self._data) and not self._data[self._at : self._at + 1].isspace():
            self._at += 1
            if self._at - start > 256:
                raise MeshError(
                    "malformed", f"numbers where the VTK file needs a keyword; {EXPORT_AGAIN}"
                )
        word = self._data[start : self._at].decode("ascii", errors="replace")
        self._at += 1
        return word

    def peek(self) -> str:
        at = self._at
        word = self.word()
        self._at = at
        return word

    def numbers(self, number: int, kind: str) -> np.ndarray:
        size = np.dtype(kind).itemsize * number
        left = max(len(self._data) - self._at, 0)
        if size > left:
            raise short(left, size, "bytes")
        values = np.frombuffer(self._data, dtype=kind, count=number, offset=self._at)
        self._at += size
        return values.astype(np.float64 if "f" in kind else np.int64)


def _mesh(body: _Text | _Binary) -> RawMesh:
    if (body.word().upper(), body.word().upper()) != ("DATASET", "POLYDATA"):
        raise MeshError("unsupported", "only DATASET POLYDATA is read; save the surface as that")
    points = np.zeros((0, 3))
    corners: list[np.ndarray] = []
    lengths: list[np.ndarray] = []
    while (keyword := body.word().upper()) not in _ATTRIBUTES | {""}:
        if keyword == "POINTS":
            number = count(body.word(), "points")
            points = body.numbers(3 * number, _type(body.word())).reshape(-1, 3)
        elif keyword in _CELLS:
            entries, sizes = _cells(body)
            if keyword == "POLYGONS":
                corners.append(entries)
                lengths.append(sizes)
            elif keyword == "TRIANGLE_STRIPS":
                faces = strips_to_faces(entries, sizes)
                corners.append(faces.ravel())
                lengths.append(np.full(len(faces), 3, dtype=np.int64))
        else:
            raise MeshError(
                "malformed", f"{keyword[:40]!r} is not understood in VTK polygonal data"
            )
        _pass_over_metadata(body)
    none = np.zeros(0, dtype=np.int64)
    return polygon_mesh(
        points.astype(np.float64),
        np.concatenate([none, *corners]),
        np.concatenate([none, *lengths]),
    )


def _pass_over_metadata(body: _Text | _Binary) -> None:
    """Skip a METADATA block, which ends with an empty line, up to the next keyword."""
    if body.peek().upper() != "METADATA":
        return
    while body.peek().upper() not in _CELLS | _ATTRIBUTES - {"METADATA"} | {"POINTS", ""}:
        body.word()


def _type(word: str) -> str:
    if word.lower() not in _TYPES:
        raise MeshError("malformed", f"VTK type {word[:40]!r} is not read")
    return _TYPES[word.lower()]


def _cells(body: _Text | _Binary) -> tuple[np.ndarray, np.ndarray]:
    """Return corner indices and lengths of a block of cells, in the old or the new layout."""
    first, second = count(body.word(), "cells"), count(body.word(), "entries")
    if body.peek().upper() == "OFFSETS":
        body.word()
        offsets = body.numbers(first, _type(body.word()))
        if body.word().upper() != "CONNECTIVITY":
            raise MeshError("malformed", "OFFSETS of a VTK file must be followed by CONNECTIVITY")
        entries = body.numbers(second, _type(body.word()))
        return entries, lengths_from_offsets(offsets, second)
    values = body.numbers(second, ">i4")
    return _unpacked(values, first)


def lengths_from_offsets(offsets: np.ndarray, total: int) -> np.ndarray:
    """Return cell lengths from offsets that begin with 0 and end with ``total``.

    Raises:
        MeshError: ``count-mismatch`` if they do not.
    """
    if len(offsets) == 0:
        return np.zeros(0, dtype=np.int64)
    lengths = np.diff(offsets)
    if offsets[0] != 0 or offsets[-1] != total or (lengths < 0).any():
        raise MeshError("count-mismatch", f"the cells' offsets do not fit; {EXPORT_AGAIN}")
    return lengths


def _unpacked(values: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Split ``n i0 .. in-1`` records."""
    mismatch = MeshError("count-mismatch", f"the cells do not fill their block; {EXPORT_AGAIN}")
    if cells and len(values) and len(values) == cells * (values[0] + 1):
        table = values.reshape(cells, -1)
        if (table[:, 0] == table[0, 0]).all():
            return table[:, 1:].ravel(), table[:, 0].copy()
    starts = np.zeros(cells, dtype=np.int64)
    at = 0
    for cell in range(cells):
        if at >= len(values) or values[at] < 0:
            raise mismatch
        starts[cell] = at
        at += int(values[at]) + 1
    if at != len(values):
        raise mismatch
    return np.delete(values, starts), values[starts]


def strips_to_faces(entries: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the triangles of all strips, shape (m, 3)."""
    if len(lengths) and int(lengths.min()) < 3:
        raise MeshError("bad-face", f"a triangle strip needs three points; {EXPORT_AGAIN}")
    strips = np.split(entries, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return np.concatenate([np.zeros((0, 3), dtype=np.int64), *map(strip_faces, strips)])
