"""Binary glTF (GLB): everything must be inside the file; nothing outside is ever fetched.

Coordinates are taken as they stand, after the scene's node transforms: the unit and the frame are
the case's, not glTF's metres with y up.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from geometry.arrays import Faces, Points
from geometry.mesh import MeshError, TriangleMesh
from geometry.mesh_files.gltf_buffer import GltfBuffer, entry
from geometry.mesh_files.polygons import strip_faces
from geometry.mesh_files.raw import EXPORT_AGAIN, RawMesh, require_triangles_within_limit

_MAGIC = b"glTF"
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_MAX_NODES = 100_000
_MAX_DEPTH = 64
_FLOAT, _UINT32 = 5126, 5125


def read_glb(data: bytes) -> RawMesh:
    """Read the triangles of a GLB's scene.

    Raises:
        MeshError: ``unknown-format``, ``malformed``, ``truncated``, ``count-mismatch``,
            ``external-reference``, ``unsupported`` and what ``RawMesh`` refuses.
    """
    document, binary = _chunks(data)
    _refuse_outside_references(document)
    buffer = GltfBuffer(document, binary)
    parts: dict[int, list[tuple[Points, Faces]]] = {}
    vertices: list[Points] = []
    faces: list[Faces] = []
    offset = total = 0
    for mesh, matrix in _placed_meshes(document):
        if mesh not in parts:
            parts[mesh] = list(_primitives(document, buffer, mesh))
        for points, triangles in parts[mesh]:
            total += len(triangles)
            require_triangles_within_limit(max(total, (offset + len(points)) // 3))
            vertices.append(points @ matrix[:3, :3].T + matrix[:3, 3])
            mirrored = np.linalg.det(matrix[:3, :3]) < 0.0
            faces.append((triangles[:, ::-1] if mirrored else triangles) + offset)
            offset += len(points)
    if not faces:
        raise MeshError("no-triangles", f"the GLB's scene holds no triangle; {EXPORT_AGAIN}")
    return RawMesh(vertices=np.concatenate(vertices), faces=np.concatenate(faces))


def glb_bytes(mesh: TriangleMesh) -> bytes:
    """Return the mesh as a GLB with one 32-bit float primitive, coordinates as they are."""
    points = mesh.vertices.astype("<f4")
    indices = mesh.faces.astype("<u4")
    binary = points.tobytes() + indices.tobytes()
    document = {
        "asset": {"version": "2.0", "generator": "trocar"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": _FLOAT, "count": len(points), "type": "VEC3",
             "min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()},
            {"bufferView": 1, "componentType": _UINT32, "count": indices.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": points.nbytes, "target": 34962},
            {"buffer": 0, "byteOffset": points.nbytes, "byteLength": indices.nbytes,
             "target": 34963},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }  # fmt: skip
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    body = b"".join(
        np.array([len(chunk), kind], dtype="<u4").tobytes() + chunk
        for kind, chunk in ((_JSON, text), (_BIN, binary))
    )
    return _MAGIC + np.array([2, 12 + len(body)], dtype="<u4").tobytes() + body


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    if data[:4] != _MAGIC:
        raise MeshError("unknown-format", "a GLB file begins with 'glTF'; this one does not")
    if len(data) < 20:
        raise MeshError("truncated", f"{len(data)} bytes are too few for a GLB; {EXPORT_AGAIN}")
    version, length = (int(x) for x in np.frombuffer(data, "<u4", 2, 4))
    if version != 2:
        raise MeshError("unsupported", f"GLB version {version} is not read; export version 2")
    if length != len(data):
        raise MeshError(
            "truncated" if length > len(data) else "count-mismatch",
            f"the GLB declares {length} bytes but has {len(data)}; copy or export it again",
        )
    chunks: list[tuple[int, bytes]] = []
    at = 12
    while at < length:
        if at + 8 > length:
            raise MeshError("truncated", "the last chunk of the GLB is not complete")
        size, kind = (int(x) for x in np.frombuffer(data, "<u4", 2, at))
        if at + 8 + size > length:
            raise MeshError("truncated", f"a chunk of the GLB declares {size} bytes too many")
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size
    kinds = [kind for kind, _ in chunks]
    if kinds[:1] != [_JSON] or kinds.count(_JSON) != 1 or kinds.count(_BIN) > 1:
        raise MeshError(
            "malformed", f"a GLB is one JSON chunk and one binary chunk; {EXPORT_AGAIN}"
        )
    return _document(chunks[0][1]), next((body for kind, body in chunks if kind == _BIN), b"")


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MeshError(
            "malformed", f"the JSON of the GLB cannot be read; {EXPORT_AGAIN}"
        ) from None
    if not isinstance(document, dict):
        raise MeshError("malformed", "the JSON of the GLB is not an object")
    return document


def _refuse_outside_references(document: dict[str, Any]) -> None:
    for section in ("buffers", "images"):
        for item in _listed(document, section):
            if "uri" in item:
                raise MeshError(
                    "external-reference",
                    f"the GLB's {section} refer to a uri; only what is inside the file is read: "
                    "export a self-contained .glb",
                )
    needed = document.get("extensionsRequired", [])
    if needed:
        raise MeshError(
            "unsupported", f"the GLB needs extensions ({str(needed)[:80]}); export it without them"
        )


def _listed(document: dict[str, Any], section: str) -> list[dict[str, Any]]:
    items = document.get(section, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MeshError("malformed", f"{section!r} of the GLB is not a list of objects")
    return items


def _placed_meshes(document: dict[str, Any]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each mesh that the scene shows, with the matrix that places it."""
    nodes = _listed(document, "nodes")
    if not nodes:
        yield from ((i, np.eye(4)) for i in range(len(_listed(document, "meshes"))))
        return
    stack = [(i, np.eye(4), 0) for i in _roots(document, nodes)]
    visited = 0
    while stack:
        index, outer, depth = stack.pop()
        visited += 1
        if visited > _MAX_NODES or depth > _MAX_DEPTH:
            raise MeshError("malformed", "the nodes of the GLB go in a circle or are too many")
        node = entry(nodes, index, "node")
        matrix = outer @ _node_matrix(node)
        if "mesh" in node:
            yield node["mesh"], matrix
        stack += [(child, matrix, depth + 1) for child in _indices(node.get("children", []))]


def _roots(document: dict[str, Any], nodes: list[dict[str, Any]]) -> list[int]:
    scenes = _listed(document, "scenes")
    if scenes:
        return _indices(entry(scenes, document.get("scene", 0), "scene").get("nodes", []))
    children = {c for node in nodes for c in _indices(node.get("children", []))}
    return [i for i in range(len(nodes)) if i not in children]


def _indices(value: object) -> list[int]:
    if not isinstance(value, list) or not all(type(i) is int for i in value):
        raise MeshError("malformed", "the GLB refers to nodes by something other than numbers")
    return value


def _node_matrix(node: dict[str, Any]) -> np.ndarray:
    if "skin" in node:
        raise MeshError("unsupported", "skinned meshes are not read; export the plain surface")
    if "matrix" in node:
        return _numbers(node["matrix"], 16).reshape(4, 4).T
    x, y, z, w = _numbers(node.get("rotation", [0, 0, 0, 1]), 4)
    rotation = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * _numbers(node.get("scale", [1, 1, 1]), 3)
    matrix[:3, 3] = _numbers(node.get("translation", [0, 0, 0]), 3)
    return matrix


def _numbers(value: object, length: int) -> np.ndarray:
    plain = (
        isinstance(value, list)
        and len(value) == length
        and all(type(x) in {int, float} and abs(x) <= 1e9 for x in value)
    )
    if not plain:
        raise MeshError("malformed", f"a node of the GLB needs {length} finite numbers")
    return np.array(value, dtype=np.float64)


def _primitives(
    document: dict[str, Any], buffer: GltfBuffer, mesh: object
) -> Iterator[tuple[Points, Faces]]:
    for primitive in _listed(entry(_listed(document, "meshes"), mesh, "mesh"), "primitives"):
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in {_TRIANGLES, _STRIP, _FAN}:
            continue
        if "targets" in primitive:
            raise MeshError("unsupported", "morph targets are not read; export the plain surface")
        attributes = primitive.get("attributes")
        if not isinstance(attributes, dict) or "POSITION" not in attributes:
            raise MeshError("malformed", "a primitive of the GLB has no positions")
        points = buffer.positions(attributes["POSITION"])
        indices = (
            buffer.indices(primitive["indices"])
            if "indices" in primitive
            else np.arange(len(points))
        )
        if len(indices) and int(indices.max()) >= len(points):
            raise MeshError(
                "index-out-of-range",
                f"vertex {int(indices.max())} is not among the {len(points)} of its primitive",
            )
        yield points, _triangles(indices, mode)


def _triangles(indices: np.ndarray, mode: int) -> Faces:
    if len(indices) < 3 or (mode == _TRIANGLES and len(indices) % 3):
        raise MeshError("count-mismatch", f"{len(indices)} indices do not make triangles")
    if mode == _TRIANGLES:
        return indices.reshape(-1, 3)
    if mode == _STRIP:
        return strip_faces(indices)
    return np.array([[indices[0], b, c] for b, c in pairwise(indices[1:])], dtype=np.int64)
