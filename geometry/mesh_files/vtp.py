"""VTK's XML files of polygonal data (VTP): ASCII, base64 or raw, plain or zlib-compressed."""

import binascii
import zlib
from dataclasses import dataclass

import numpy as np

from geometry.mesh import MeshError
from geometry.mesh_files.polygons import polygon_mesh
from geometry.mesh_files.raw import (
    EXPORT_AGAIN,
    MAX_TRIANGLES,
    RawMesh,
    require_triangles_within_limit,
)
from geometry.mesh_files.text import count, floats, integers, short, surplus
from geometry.mesh_files.vtk import lengths_from_offsets, strips_to_faces
from geometry.mesh_files.xml_tree import Element, parsed_xml

_TYPES = {
    "Float32": "f4", "Float64": "f8", "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2",
    "Int32": "i4", "UInt32": "u4", "Int64": "i8", "UInt64": "u8",
}  # fmt: skip
_ORDERS = {"LittleEndian": "<", "BigEndian": ">"}
_HEADERS = {"UInt32": "u4", "UInt64": "u8"}
_COMPRESSORS = ("", "vtkZLibDataCompressor")
_MAX_ARRAY_BYTES = 8 * 3 * MAX_TRIANGLES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoding:
    """How the arrays of one file are written."""

    order: str
    header: np.dtype[np.uint64]
    compressed: bool
    appended: bytes
    appended_is_raw: bool


def read_vtp(data: bytes) -> RawMesh:
    """Read the points, polygons and strips of a VTP file.

    Raises:
        MeshError: ``unknown-format``, ``unsafe-xml``, ``unsupported``, ``malformed``,
            ``truncated``, ``count-mismatch`` and what ``RawMesh`` refuses.
    """
    head, appended = _without_raw_block(data)
    root = parsed_xml(head)
    if root.tag != "VTKFile" or root.attributes.get("type") != "PolyData":
        raise MeshError("unknown-format", "a VTP file is a VTKFile of type PolyData; this is not")
    encoding = _encoding(root, appended)
    pieces = [piece for data_set in root.named("PolyData") for piece in data_set.named("Piece")]
    points: list[np.ndarray] = []
    corners: list[np.ndarray] = []
    lengths: list[np.ndarray] = []
    offset = 0
    for piece in pieces:
        positions, entries, sizes = _piece(piece, encoding)
        if len(entries) and (entries.min() < 0 or entries.max() >= len(positions)):
            raise MeshError(
                "index-out-of-range", f"a polygon refers to a point beyond {len(positions)}"
            )
        points.append(positions)
        corners.append(entries + offset)
        lengths.append(sizes)
        offset += len(positions)
    none = np.zeros(0, dtype=np.int64)
    return polygon_mesh(
        np.concatenate([np.zeros((0, 3)), *points]),
        np.concatenate([none, *corners]),
        np.concatenate([none, *lengths]),
    )


def _without_raw_block(data: bytes) -> tuple[bytes, bytes | None]:
    """Cut the raw appended block out, so that what is left is XML."""
    start = data.find(b"<AppendedData")
    if start < 0:
        return data, None
    inside = data.find(b">", start)
    if b'"raw"' not in data[start : max(inside, start)]:
        return data, None
    mark = data.find(b"_", inside)
    end = data.rfind(b"</AppendedData>")
    if mark < 0 or end < mark:
        raise MeshError("truncated", "the appended data has no end; the file is cut off")
    return data[: inside + 1] + data[end:], data[mark + 1 : end]


def _encoding(root: Element, raw: bytes | None) -> _Encoding:
    order = _choice(root, "byte_order", _ORDERS, "LittleEndian")
    header = _choice(root, "header_type", _HEADERS, "UInt32")
    compressor = root.attributes.get("compressor", "")
    if compressor not in _COMPRESSORS:
        raise MeshError(
            "unsupported", f"compressor {compressor[:60]!r} is not read; save it with zlib or none"
        )
    text = "".join(block.text for block in root.named("AppendedData")).strip()
    if raw is None and text and not text.startswith("_"):
        raise MeshError("malformed", f"the appended data must begin with '_'; {EXPORT_AGAIN}")
    return _Encoding(
        order=order,
        header=np.dtype(order + header),
        compressed=bool(compressor),
        appended=raw if raw is not None else text[1:].encode("ascii", errors="replace"),
        appended_is_raw=raw is not None,
    )


def _choice(element: Element, key: str, choices: dict[str, str], default: str) -> str:
    value = element.attributes.get(key, default)
    if value not in choices:
        raise MeshError("malformed", f"{key} {value[:40]!r} is not one of {', '.join(choices)}")
    return choices[value]


def _piece(piece: Element, encoding: _Encoding) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points, corner indices and polygon lengths of one piece."""
    number = _declared(piece, "NumberOfPoints")
    array = _only(piece.named("Points"), "Points").named("DataArray")
    if not array or array[0].attributes.get("NumberOfComponents") != "3":
        raise MeshError("malformed", "the points need one array of three components")
    points = _array(array[0], 3 * number, encoding).astype(np.float64).reshape(-1, 3)
    corners, lengths = _cells(piece, "Polys", encoding)
    strip_corners, strip_lengths = _cells(piece, "Strips", encoding)
    faces = strips_to_faces(strip_corners, strip_lengths)
    return (
        points,
        np.concatenate([corners, faces.ravel()]),
        np.concatenate([lengths, np.full(len(faces), 3, dtype=np.int64)]),
    )


def _declared(piece: Element, key: str) -> int:
    number = count(piece.attributes.get(key, "0").strip(), key)
    require_triangles_within_limit(number)
    return number


def _only(elements: list[Element], what: str) -> Element:
    if len(elements) != 1:
        raise MeshError("malformed", f"a piece of polygonal data needs {what} exactly once")
    return elements[0]


def _cells(piece: Element, tag: str, encoding: _Encoding) -> tuple[np.ndarray, np.ndarray]:
    none = np.zeros(0, dtype=np.int64)
    number = _declared(piece, f"NumberOf{tag}")
    if number == 0:
        return none, none
    arrays = {a.attributes.get("Name", ""): a for a in _only(piece.named(tag), tag).children}
    if not {"connectivity", "offsets"} <= set(arrays):
        raise MeshError("malformed", f"{tag} needs the arrays connectivity and offsets")
    ends = _array(arrays["offsets"], number, encoding).astype(np.int64)
    offsets = np.concatenate([[0], ends])
    lengths = lengths_from_offsets(offsets, int(ends[-1]))
    require_triangles_within_limit(int(ends[-1]) // 3)
    return _array(arrays["connectivity"], int(ends[-1]), encoding).astype(np.int64), lengths


def _array(element: Element, number: int, encoding: _Encoding) -> np.ndarray:
    """Return ``number`` values of a DataArray; more or fewer are refused."""
    kind = np.dtype(encoding.order + _choice(element, "type", _TYPES, ""))
    size = kind.itemsize * number
    if size > _MAX_ARRAY_BYTES:
        raise MeshError("too-large", f"an array of {size} bytes is too large; decimate the surface")
    form = element.attributes.get("format", "ascii")
    if form == "ascii":
        tokens = element.text.split()
        if len(tokens) != number:
            shorter = len(tokens) < number
            raise (
                short(len(tokens), number, "numbers")
                if shorter
                else surplus(len(tokens) - number, "numbers")
            )
        return (floats if kind.kind == "f" else integers)(tokens, "a VTP file")
    if form == "binary":
        text = "".join(element.text.split()).encode("ascii", errors="replace")
        return np.frombuffer(_block(_Base64(text), size, encoding), dtype=kind)
    if form == "appended":
        start = count(element.attributes.get("offset", ""), "bytes of offset")
        source = (_Raw if encoding.appended_is_raw else _Base64)(encoding.appended[start:])
        return np.frombuffer(_block(source, size, encoding), dtype=kind)
    raise MeshError("malformed", f"array format {form[:40]!r} is not ascii, binary or appended")


class _Raw:
    """Bytes as they are."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise short(len(part), size, "bytes")
        self._at += size
        return part

    def restart(self) -> None:
        """Say that what follows was encoded apart from what came before."""


class _Base64(_Raw):
    """Bytes written as base64; header and body may have been encoded apart."""

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes, counted from the last restart."""
        first, last = self._at // 3 * 4, -(-(self._at + size) // 3) * 4
        text = self._data[first:last]
        try:
            decoded = binascii.a2b_base64(text, strict_mode=True) if text else b""
        except binascii.Error:
            raise MeshError("malformed", f"base64 data cannot be read; {EXPORT_AGAIN}") from None
        part = decoded[self._at % 3 : self._at % 3 + size]
        if len(part) < size:
            raise short(len(part), size, "bytes")
        self._at += size
        return part

    def restart(self) -> None:
        """Go on at the next group of four characters."""
        self._data, self._at = self._data[-(-self._at // 3) * 4 :], 0


def _block(source: _Raw, size: int, encoding: _Encoding) -> bytes:
    """Return the ``size`` bytes of one array."""
    if not encoding.compressed:
        (declared,) = _numbers(source, 1, encoding)
        if declared != size:
            raise MeshError(
                "count-mismatch", f"an array declares {declared} bytes where {size} belong"
            )
        return source.take(size)
    blocks, block_size, last = _numbers(source, 3, encoding)
    whole = blocks * block_size if last == 0 else (blocks - 1) * block_size + last
    if (blocks == 0 and size) or (blocks and whole != size) or blocks > max(size, 1):
        raise MeshError("count-mismatch", f"compressed blocks declare {whole} bytes, not {size}")
    sizes = _numbers(source, blocks, encoding)
    source.restart()
    parts = []
    for i, packed in enumerate(sizes):
        expected = last if last and i == blocks - 1 else block_size
        parts.append(_inflated(source.take(packed), expected))
    return b"".join(parts)


def _numbers(source: _Raw, number: int, encoding: _Encoding) -> list[int]:
    data = source.take(encoding.header.itemsize * number)
    return [int(value) for value in np.frombuffer(data, dtype=encoding.header)]


def _inflated(data: bytes, size: int) -> bytes:
    """Inflate one block that must become ``size`` bytes, and never more than that."""
    engine = zlib.decompressobj()
    try:
        block = engine.decompress(data, size + 1)
    except zlib.error as error:
        raise MeshError("malformed", f"compressed data cannot be read: {error}") from None
    if len(block) != size or not engine.eof or engine.unused_data:
        raise MeshError("count-mismatch", f"a compressed block is not the {size} bytes declared")
    return block
