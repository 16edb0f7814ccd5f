"""PLY: ASCII, little and big endian; triangles or polygons."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from geometry.arrays import Points
from geometry.mesh import MeshError, TriangleMesh
from geometry.mesh_files.polygons import polygon_mesh
from geometry.mesh_files.raw import EXPORT_AGAIN, RawMesh
from geometry.mesh_files.text import count, decoded, floats, short, surplus, whole

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_CORNER_LISTS = ("vertex_indices", "vertex_index")
_MAX_HEADER_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Property:
    name: str
    type: str
    count_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]

    @property
    def has_lists(self) -> bool:
        return any(p.count_type for p in self.properties)

    def record(self, order: str, length: int = 0) -> np.dtype[np.void]:
        """Return the layout of one record whose lists all have ``length`` entries."""
        fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
        for i, p in enumerate(self.properties):
            if p.count_type:
                fields += [
                    (f"count{i}", order + p.count_type),
                    (f"list{i}", order + p.type, (length,)),
                ]
            else:
                fields.append((f"{i}", order + p.type))
        return np.dtype(fields)


def read_ply(data: bytes) -> RawMesh:
    """Read a PLY file.

    Raises:
        MeshError: ``unknown-format``, ``malformed``, ``truncated``, ``count-mismatch`` and what
            ``RawMesh`` refuses.
    """
    order, elements, body = _header(data)
    names = [element.name for element in elements]
    if names.count("vertex") != 1 or names.count("face") != 1:
        raise MeshError(
            "no-triangles",
            f"a PLY surface needs the elements vertex and face once each; here: {', '.join(names)}",
        )
    if order:
        return _mesh(_BinaryBody(body, order), elements)
    return _mesh(_TextBody(decoded(body, "an ASCII PLY").split()), elements)


def ply_bytes(mesh: TriangleMesh) -> bytes:
    """Return the mesh as a little-endian PLY with 64-bit coordinates."""
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment millimetres, patient LPS\n"
        f"element vertex {len(mesh.vertices)}\n"
        "property double x\nproperty double y\nproperty double z\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    faces = np.zeros(len(mesh.faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    faces["count"] = 3
    faces["corners"] = mesh.faces
    return header.encode("ascii") + mesh.vertices.astype("<f8").tobytes() + faces.tobytes()


class _BinaryBody:
    """Reads elements from bytes, front to back; sizes are checked before anything is made."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order, self.at = data, order, 0

    def scalars(self, element: _Element) -> dict[str, np.ndarray]:
        layout = element.record(self.order)
        self._require(element, layout.itemsize)
        table = np.frombuffer(self.data, dtype=layout, count=element.count, offset=self.at)
        self.at += layout.itemsize * element.count
        return {p.name: table[str(i)] for i, p in enumerate(element.properties)}

    def lists(self, element: _Element, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the entries and the lengths of the ``wanted``-th property, a list."""
        self._require(element, element.record(self.order).itemsize)
        length = self._first_length(element)
        layout = element.record(self.order, length)
        if layout.itemsize * element.count <= len(self.data) - self.at:
            table = np.frombuffer(self.data, dtype=layout, count=element.count, offset=self.at)
            if all(
                (table[f"count{i}"] == length).all()
                for i, p in enumerate(element.properties)
                if p.count_type
            ):
                self.at += layout.itemsize * element.count
                entries = table[f"list{wanted}"].reshape(-1)
                return entries, np.full(element.count, length, dtype=np.int64)
        return self._ragged(element, wanted)

    def finish(self) -> None:
        if self.at != len(self.data):
            raise surplus(len(self.data) - self.at, "bytes")

    def _require(self, element: _Element, size: int) -> None:
        left = len(self.data) - self.at
        if size * element.count > left:
            raise short(left, size * element.count, f"bytes of element {element.name}")

    def _first_length(self, element: _Element) -> int:
        """Guess that all lists are as long as the first one, when it is the first property."""
        first = element.properties[0]
        if element.count == 0 or first.count_type is None:
            return 3
        width = np.dtype(first.count_type).itemsize
        length = self._number(self.at, first.count_type, width)
        needed, left = length * np.dtype(first.type).itemsize, len(self.data) - self.at - width
        if needed > left:
            raise short(left, needed, f"bytes of a list of {length} entries")
        return length

    def _number(self, at: int, kind: str, size: int) -> int:
        if at + size > len(self.data):
            raise short(len(self.data) - at, size, "bytes of a list's length")
        value = int(np.frombuffer(self.data, dtype=self.order + kind, count=1, offset=at)[0])
        if value < 0 or value > len(self.data):
            raise MeshError("malformed", f"a list of {value} entries cannot be in this file")
        return value

    def _ragged(self, element: _Element, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        entries: list[np.ndarray] = []
        lengths = np.zeros(element.count, dtype=np.int64)
        for row in range(element.count):
            for i, p in enumerate(element.properties):
                size, repeat = np.dtype(p.type).itemsize, 1
                if p.count_type:
                    width = np.dtype(p.count_type).itemsize
                    repeat = self._number(self.at, p.count_type, width)
                    self.at += width
                if self.at + size * repeat > len(self.data):
                    raise short(len(self.data) - self.at, size * repeat, "bytes of a list")
                if i == wanted:
                    lengths[row] = repeat
                    entries.append(np.frombuffer(self.data, self.order + p.type, repeat, self.at))
                self.at += size * repeat
        return np.concatenate(entries) if entries else np.zeros(0), lengths


class _TextBody:
    """Reads elements from tokens, front to back."""

    def __init__(self, tokens: list[str]) -> None:
        self.values, self.at = floats(tokens, "an ASCII PLY"), 0

    def scalars(self, element: _Element) -> dict[str, np.ndarray]:
        width = len(element.properties)
        table = self._take(width * element.count, element).reshape(element.count, width)
        return {p.name: table[:, i] for i, p in enumerate(element.properties)}

    def lists(self, element: _Element, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the entries and the lengths of the ``wanted``-th property, a list."""
        if len(element.properties) * element.count > len(self.values) - self.at:
            have = len(self.values) - self.at
            raise short(have, len(element.properties) * element.count, "numbers")
        if len(element.properties) == 1 and element.count:
            width = 1 + int(self.values[self.at]) if self.values[self.at] < 2.0**20 else 1
            table = self.values[self.at : self.at + width * element.count]
            if width > 1 and len(table) == width * element.count:
                table = table.reshape(element.count, width)
                if (table[:, 0] == width - 1).all():
                    self.at += table.size
                    lengths = np.full(element.count, width - 1, dtype=np.int64)
                    return table[:, 1:].reshape(-1), lengths
        return self._ragged(element, wanted)

    def finish(self) -> None:
        if self.at != len(self.values):
            raise surplus(len(self.values) - self.at, "numbers")

    def _take(self, number: int, element: _Element) -> np.ndarray:
        left = len(self.values) - self.at
        if number > left:
            raise short(left, number, f"numbers of element {element.name}")
        self.at += number
        return self.values[self.at - number : self.at]

    def _ragged(self, element: _Element, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        entries: list[np.ndarray] = []
        lengths = np.zeros(element.count, dtype=np.int64)
        for row in range(element.count):
            for i, p in enumerate(element.properties):
                repeat = 1
                if p.count_type:
                    repeat = int(whole(self._take(1, element), "a list's length")[0])
                if repeat < 0:
                    raise MeshError("malformed", "a list cannot have a negative length")
                taken = self._take(repeat, element)
                if i == wanted:
                    lengths[row] = repeat
                    entries.append(taken)
        return np.concatenate(entries) if entries else np.zeros(0), lengths


def _mesh(body: _BinaryBody | _TextBody, elements: tuple[_Element, ...]) -> RawMesh:
    vertices: Points = np.zeros((0, 3))
    corners: np.ndarray = np.zeros(0)
    lengths: Int[np.ndarray, " p"] = np.zeros(0, dtype=np.int64)
    for element in elements:
        if element.name == "face":
            corners, lengths = body.lists(element, _corner_list(element))
        elif element.has_lists:
            listed = next(i for i, p in enumerate(element.properties) if p.count_type)
            body.lists(element, listed)
        else:
            columns = body.scalars(element)
            if element.name == "vertex":
                vertices = _positions(columns)
    body.finish()
    indices = whole(corners.astype(np.float64), "a face")
    return polygon_mesh(vertices, indices, lengths)


def _positions(columns: dict[str, np.ndarray]) -> Points:
    missing = [axis for axis in "xyz" if axis not in columns]
    if missing:
        raise MeshError("malformed", f"the vertices have no property {', '.join(missing)}")
    return np.stack([columns[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _corner_list(element: _Element) -> int:
    for i, p in enumerate(element.properties):
        if p.count_type and p.name in _CORNER_LISTS:
            return i
    raise MeshError(
        "no-triangles", "the faces have no list vertex_indices, so there is no surface in it"
    )


def _header(data: bytes) -> tuple[str, tuple[_Element, ...], bytes]:
    """Return the byte order ('' for text), the elements and what follows the header."""
    if data[:3] != b"ply" or data[3:4] not in {b"\n", b"\r"}:
        raise MeshError(
            "unknown-format", "a PLY file begins with the line 'ply'; this one does not"
        )
    lines: list[list[str]] = []
    at = 0
    while len(lines) < _MAX_HEADER_LINES:
        end = data.find(b"\n", at)
        if end < 0:
            break
        words = data[at:end].decode("ascii", errors="replace").split()
        at = end + 1
        if words == ["end_header"]:
            return _order(lines), _elements(lines), data[at:]
        lines.append(words)
    raise MeshError("truncated", f"the PLY header has no 'end_header'; {EXPORT_AGAIN}")


def _order(lines: list[list[str]]) -> str:
    formats = [words for words in lines if words[:1] == ["format"]]
    if len(formats) != 1 or len(formats[0]) != 3 or formats[0][1] not in _FORMATS:
        raise MeshError("malformed", f"the PLY header needs one 'format': {', '.join(_FORMATS)}")
    return _FORMATS[formats[0][1]]


def _elements(lines: list[list[str]]) -> tuple[_Element, ...]:
    found: list[_Element] = []
    for words in lines[1:]:
        match words:
            case [] | ["format" | "comment" | "obj_info", *_]:
                continue
            case ["element", name, number]:
                found.append(
                    _Element(name=name, count=count(number, f"{name} elements"), properties=())
                )
            case ["property", *rest] if found:
                last = found.pop()
                properties = (*last.properties, _property(rest))
                found.append(_Element(name=last.name, count=last.count, properties=properties))
            case _:
                raise MeshError("malformed", f"PLY header line not understood: {' '.join(words)!r}")
    bare = [element.name for element in found if not element.properties]
    if bare:
        raise MeshError("malformed", f"PLY element {bare[0]!r} has no property")
    return tuple(found)


def _property(words: list[str]) -> _Property:
    match words:
        case ["list", length, kind, name] if kind in _TYPES and _TYPES.get(length, "f")[0] in "iu":
            return _Property(name=name, type=_TYPES[kind], count_type=_TYPES[length])
        case [kind, name] if kind in _TYPES:
            return _Property(name=name, type=_TYPES[kind], count_type=None)
        case _:
            raise MeshError("malformed", f"PLY property not understood: {' '.join(words)!r}")
