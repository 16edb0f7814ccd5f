"""Mesh files: one strict door in, and three formats out.

A file is read completely or refused with a reason; it never becomes an empty or partial surface.
Coordinates stay in the file's own unit and frame.
"""

from geometry.mesh_files.door import (
    MAX_FILE_BYTES,
    READABLE,
    WRITABLE,
    read_mesh,
    sniffed_suffix,
    write_mesh,
)
from geometry.mesh_files.raw import MAX_TRIANGLES, RawMesh

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_TRIANGLES",
    "READABLE",
    "WRITABLE",
    "RawMesh",
    "read_mesh",
    "sniffed_suffix",
    "write_mesh",
]
