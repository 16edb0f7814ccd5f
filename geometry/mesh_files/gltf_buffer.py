"""The binary half of a GLB: accessors and views, checked against the bytes that are there."""

from typing import Any

import numpy as np

from geometry.arrays import Points
from geometry.mesh import MeshError
from geometry.mesh_files.raw import EXPORT_AGAIN

_INDEX_TYPES = {5121: "<u1", 5123: "<u2", 5125: "<u4"}
_FLOAT = 5126


def entry(items: list[dict[str, Any]], index: object, what: str) -> dict[str, Any]:
    """Return ``items[index]`` of a glTF list.

    Raises:
        MeshError: ``malformed`` if there is none.
    """
    if type(index) is not int or not 0 <= index < len(items):
        raise MeshError("malformed", f"the GLB has no {what} {str(index)[:40]}; {EXPORT_AGAIN}")
    return items[index]


class GltfBuffer:
    """Reads positions and indices out of the one embedded buffer."""

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        self._binary = binary
        self._accessors = self._list(document, "accessors")
        self._views = self._list(document, "bufferViews")
        buffers = self._list(document, "buffers")
        if len(buffers) > 1:
            raise MeshError("external-reference", "a GLB has one embedded buffer, not several")
        declared = _size(buffers[0], "byteLength") if buffers else 0
        if not declared <= len(binary) <= declared + 3:
            raise MeshError(
                "truncated" if declared > len(binary) else "count-mismatch",
                f"the GLB's buffer declares {declared} bytes, the chunk has {len(binary)}",
            )

    def positions(self, accessor: object) -> Points:
        """Return the positions of an accessor, float64, shape (n, 3)."""
        found = entry(self._accessors, accessor, "accessor")
        if found.get("componentType") != _FLOAT or found.get("type") != "VEC3":
            raise MeshError("unsupported", "positions must be three 32-bit floats each")
        return self._rows(found, "<f4", 3).astype(np.float64)

    def indices(self, accessor: object) -> np.ndarray:
        """Return the vertex indices of an accessor, int64, shape (n,)."""
        found = entry(self._accessors, accessor, "accessor")
        kind = found.get("componentType")
        if not isinstance(kind, int) or kind not in _INDEX_TYPES or found.get("type") != "SCALAR":
            raise MeshError("malformed", "indices must be unsigned whole numbers, one each")
        return self._rows(found, _INDEX_TYPES[kind], 1)[:, 0].astype(np.int64)

    def _rows(self, accessor: dict[str, Any], kind: str, width: int) -> np.ndarray:
        if "sparse" in accessor:
            raise MeshError("unsupported", "sparse accessors are not read; export them plainly")
        view = entry(self._views, accessor.get("bufferView"), "bufferView")
        entry([{}], view.get("buffer"), "buffer")
        start, length = _size(view, "byteOffset", 0), _size(view, "byteLength")
        offset, rows = _size(accessor, "byteOffset", 0), _size(accessor, "count")
        row = np.dtype(kind).itemsize * width
        stride = _size(view, "byteStride", row)
        needed = offset + stride * (rows - 1) + row if rows else 0
        if start + length > len(self._binary) or needed > length or stride < row:
            raise MeshError(
                "truncated", f"an accessor of the GLB reaches beyond its {length} bytes"
            )
        raw = np.frombuffer(self._binary, dtype=np.uint8, count=length, offset=start)[offset:]
        strided = np.lib.stride_tricks.as_strided(raw, (rows, row), (stride, 1), writeable=False)
        return np.ascontiguousarray(strided).view(kind).reshape(rows, width)

    @staticmethod
    def _list(document: dict[str, Any], section: str) -> list[dict[str, Any]]:
        items = document.get(section, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise MeshError("malformed", f"{section!r} of the GLB is not a list of objects")
        return items


def _size(item: dict[str, Any], key: str, default: int | None = None) -> int:
    value = item.get(key, default)
    if type(value) is not int or not 0 <= value < 2**40:
        raise MeshError("malformed", f"{key!r} of the GLB must be a whole number of at least 0")
    return value
