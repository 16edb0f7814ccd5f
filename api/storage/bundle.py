"""A case as it was handed in over HTTP: case.json and the mesh files it names, byte for byte.

Kept by digest among the contents, never under the names that a client chose; a case's folder holds
only the list of what it is made of, which is all that a worker needs to read it.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import JsonValue

from api.storage.contents import flush_folder, path_of
from api.strict_json import parsed_object

CONTENTS = "contents"
CASES = "cases"
DOCUMENT = ""  # stands for case.json among the names of files
_LIST = "files.json"
_BLOB = re.compile(rb'"blob"\s*:\s*"([0-9a-f]{64})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBundle:
    """The bytes of case.json, and readers of the mesh files by the name case.json gives them."""

    document: bytes
    files: Mapping[str, BinaryIO] = field(default_factory=dict)

    def blobs(self) -> list[str]:
        """Return the digests that case.json may name in place of files.

        Found without reading the document, which may be large and is read by a worker. What only
        looks like one costs a question after a blob that is not there.
        """
        return sorted({found.decode() for found in _BLOB.findall(self.document)})


def write_list(folder: Path, files: Mapping[str, str]) -> None:
    """Write what a case is made of, digests by name, to its folder; whole or not at all."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if (folder / _LIST).exists():
        return
    aside = folder / f"{_LIST}.{secrets.token_hex(4)}"
    with aside.open("w") as written:
        json.dump(dict(files), written)
        written.flush()
        os.fsync(written.fileno())
    aside.rename(folder / _LIST)
    flush_folder(folder)
    flush_folder(folder.parent)


def read_bundle(folder: Path) -> tuple[dict[str, JsonValue], dict[str, bytes]]:
    """Return the document and the files of a case.

    Raises:
        MalformedBodyError: If the document is not JSON.
    """
    contents = folder.parents[1] / CONTENTS
    listed = json.loads((folder / _LIST).read_text())
    read = {name: path_of(contents, sha256).read_bytes() for name, sha256 in listed.items()}
    return parsed_object(read.pop(DOCUMENT), field="case"), read
