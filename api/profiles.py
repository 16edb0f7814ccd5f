"""Clearance along a path as JSON; measured in a worker process."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from api import work
from api.documents import dump, length_mm
from api.schemas import Document, NeedleName, PathDocument
from planner.needles.catalogue import needle_named
from planner.profile import distance_profile


class ProfileDocument(Document):
    """A path, and in how long stretches it is measured."""

    path: PathDocument
    needle: NeedleName
    step_mm: Annotated[float, Field(strict=True, ge=0.25, le=10.0)] = 1.0


def profile_of(folder: Path, asked: ProfileDocument) -> str:
    """Return the text of the profile for a checked request."""
    prepared = work.case_in(folder)
    needle = needle_named(asked.needle, field="needle")
    path = tuple(piece.segment() for piece in asked.path)
    measured = distance_profile(prepared, path, needle, asked.step_mm)
    return dump({
        "depths_mm": [length_mm(depth) for depth in measured.depths_mm],
        "structures": [
            {
                "structure": structure.name,
                "kind": structure.kind.value,
                "distance_mm": [length_mm(d) for d in measured.distances_mm[structure.name]],
            }
            for structure in prepared.case.structures
        ],
    })  # fmt: skip
