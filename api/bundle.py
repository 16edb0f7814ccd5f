"""A case as it was handed in over HTTP: case.json and the mesh files it names, byte for byte.

Files are kept under numbers, never under the names that a client chose.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import JsonValue

from api.strict_json import parsed_object

_DOCUMENT = "case.json"
_NAMES = "names.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBundle:
    """The bytes of case.json, and readers of the mesh files by the name case.json gives them."""

    document: bytes
    files: Mapping[str, BinaryIO] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the bundle to ``folder``, which must not exist yet."""
        folder.mkdir(mode=0o700)
        (folder / _DOCUMENT).write_bytes(self.document)
        for number, source in enumerate(self.files.values()):
            with (folder / str(number)).open("wb") as copy:
                shutil.copyfileobj(source, copy)
        (folder / _NAMES).write_text(json.dumps(list(self.files)))


def read_bundle(folder: Path) -> tuple[dict[str, JsonValue], dict[str, bytes]]:
    """Return the document and the files of a written bundle.

    Raises:
        MalformedBodyError: If the document is not JSON.
    """
    names = json.loads((folder / _NAMES).read_text())
    files = {name: (folder / str(number)).read_bytes() for number, name in enumerate(names)}
    return parsed_object((folder / _DOCUMENT).read_bytes(), field="case"), files
