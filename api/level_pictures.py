"""The picture of one level: what was read of its bone, drawn in a worker process."""

import io
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from api.drawing import level_sheet
from api.problems import RenderingUnavailableError, UnknownIdError
from api.work import Recent, case_in
from planner.anatomy.describe import CaseAnatomy, describe_case

_anatomies: Recent[CaseAnatomy] = Recent(2)
_pictures: Recent[bytes] = Recent(32)


def level_png(folder: Path, bone: str) -> bytes:
    """Return the picture of one bone of the case in ``folder``, as PNG.

    Raises:
        RenderingUnavailableError: If this machine cannot draw.
    """
    return _pictures.get((folder.name, bone), lambda: _drawn(folder, bone))


def _drawn(folder: Path, bone: str) -> bytes:
    case = case_in(folder).given
    anatomy = _anatomies.get((folder.name,), lambda: describe_case(case))
    only = MappingProxyType({bone: anatomy.vertebrae[bone]})
    page, unavailable = level_sheet(
        case, replace(anatomy, vertebrae=only, ilia=MappingProxyType({}))
    )
    if page is None:
        raise RenderingUnavailableError(unavailable)
    written = io.BytesIO()
    page.save(written, format="PNG")
    return written.getvalue()


def bone_of_level(description: Mapping[str, Any], level: str) -> str:
    """Return the name of the bone that a described case has at a level.

    Raises:
        UnknownIdError: If it has none; the message lists the levels it has.
    """
    bones = {_level(one): str(one["structure"]) for one in reversed(description["vertebrae"])}
    if level not in bones:
        raise UnknownIdError(
            f"is not a level of this case; it has: {', '.join(reversed(bones)) or 'none'}",
            field="level", code="unknown-level",
        )  # fmt: skip
    return bones[level]


def with_pictures(case_id: str, description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a described case whose vertebrae say where their pictures are."""
    drawn = [
        {**one, "picture": f"/v1/cases/{case_id}/levels/{quote(_level(one), safe='')}.png"}
        for one in description["vertebrae"]
    ]
    return {**description, "vertebrae": drawn}


def picture_tag(digest: str, level: str) -> str:
    """Return the entity tag of a level's picture: the same case, level and version draw alike."""
    said = "\n".join((digest, level, version("trocar")))
    return f'"{sha256(said.encode()).hexdigest()[:32]}"'


def _level(described: Mapping[str, Any]) -> str:
    """Return the level under which a bone is asked for: its name where its level is unknown."""
    return str(described["level"] or described["structure"])
