"""``trocar import``: a segmentation to a case, and what was made of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.cli_files import announce, refusals
from api.progress import shown_progress
from exchange.importing import Imported, Stated, import_case
from exchange.labels import NO_TABLE, LabelTable, read_label_table
from exchange.source import read_sources
from exchange.totalsegmentator import TABLES
from planner.case_io.schema import COORDINATE_SYSTEMS, MAX_ERROR_MM
from planner.errors import RequestError

_WIDE = 120  # columns of a table that is not printed to a terminal


@refusals()
def import_segmentation(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help="Label maps (NIfTI, .seg.nrrd), DICOM SEG or Encapsulated STL, models, or folders "
            "of them; several are read together.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="CASE", help="Where to write the case.")],
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="What labels mean: a table (label,name,kind,level,side), or one of "
            f"{', '.join(TABLES)}.",
        ),
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(
            "--error",
            metavar="MM",
            min=0.0,
            max=MAX_ERROR_MM,
            help="How far the segmentation's surfaces may be off; every margin widens by it. "
            "Half of the longest voxel edge where it is not given.",
        ),
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option("--frame", help="Frame of models whose files do not state it: LPS or RAS."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The case's title.")] = "",
) -> None:
    """Make a case of a segmentation: label maps, DICOM SEG, Slicer segmentations and models."""
    if frame is not None and frame not in COORDINATE_SYSTEMS:
        raise RequestError(
            f"{frame[:20]!r} is no frame; use LPS or RAS", field="frame", code="unknown-frame"
        )
    table = _table(labels)
    stated = Stated(labels=table, name=name, error_mm=error, frame=frame)
    with shown_progress() as progress:
        progress("reading the segmentation", 0.0)
        scan = read_sources(sources, table, frame)
        made = import_case(scan, stated, out, told=lambda what: progress(what, 0.5))
    _print(made)
    announce([*made.notes, *(w.message for w in made.case.warnings), f"wrote {out}"])


def _table(labels: str | None) -> LabelTable:
    if labels is None:
        return NO_TABLE
    return TABLES.get(labels) or read_label_table(Path(labels))


def _print(made: Imported) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=_WIDE)
    table = Table("structure", "kind", "level", "side", "triangles", "found in its surface")
    for one in made.case.structures:
        found = "; ".join(dict.fromkeys(problem.code for problem in one.problems))
        table.add_row(
            one.name, one.kind.value, one.level or "", one.side.value if one.side else "",
            str(len(one.mesh.faces)), found,
        )  # fmt: skip
    console.print(table)
