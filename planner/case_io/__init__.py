"""Cases in and out: case.json with its mesh files, as a folder, a zip or a document.

The border where units and frames are converted and everything is checked; what is inside is
patient LPS and millimetres. The only rooms of ``planner`` that know pydantic.
"""

from planner.case_io.reading import case_from_document, load_case
from planner.case_io.surfaces import LabelMaps, LabelSurface, LabelSurfaces
from planner.case_io.writing import save_case

__all__ = [
    "LabelMaps", "LabelSurface", "LabelSurfaces", "case_from_document", "load_case", "save_case",
]  # fmt: skip
