"""Writes the gallery of views: ``python -m api.view_gallery --out docs``.

One simulated picture for every view of a needle through the bundled case, the map of its angles,
and the sheet that goes with it. Simulated from meshes: no X-ray was taken of anybody.
"""

import argparse
import importlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from api import DISCLAIMER
from api.drawing import draw_sheet
from api.samples import DEMO_CASE, DEMO_TARGET, sample_case
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form
from planner.case_io import load_case
from planner.fluoroscopy.views import console_assumes
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import question_of
from planner.result import Trajectory, View, ViewRole

PAGE = "views.md"
PICTURES = "gallery"
NEEDLE = "15G-bevel-150"
WIDTH, QUALITY = 480, 70  # pixels of a picture; of a JPEG
INTRODUCTION = f"""# Gallery of views

{DISCLAIMER} Synthetic anatomy; written by `python -m api.view_gallery --out docs`.

The views of the first needle to `{DEMO_TARGET}` in the bundled case `{DEMO_CASE}`, as simulated
from the meshes, the tip at the isocentre. Seen from the detector; letters on the edges are the
patient's directions. What the roles mean, how views are searched and how hidden shares are
counted is in [conventions](conventions.md#c-arm-angles); what was compared with other programs is
in [fluoroscopy](fluoroscopy.md). The sheet for the room is [sheet.pdf]({PICTURES}/sheet.pdf).
"""


def write_views(folder: Path) -> Path:
    """Write ``views.md``, its pictures and the sheet into a folder, and return the page."""
    prepared = PreparedCase(load_case(sample_case(DEMO_CASE)))
    asked = {"target": target_from_short_form(DEMO_TARGET), "needles": [NEEDLE]}
    request = checked(PlanRequestDocument, asked).request()
    question, made = question_of(prepared, request), plan(prepared, request)
    shown = {
        view.role: (trajectory, view)
        for trajectory in reversed(made.trajectories)
        for view in trajectory.views
    }
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    drawing = importlib.import_module("preview.fluoro_image")
    entries = []
    for role in (role for role in ViewRole if role in shown):
        trajectory, view = shown[role]
        lines = (console_assumes(view), f"needle {trajectory.rank}, {trajectory.needle}")
        shot = drawing.shot_of(question, trajectory, view, lines)
        _save(drawing.fluoro_image(prepared.given, shot), pictures / f"view_{role}.jpg")
        entries.append(_entry(trajectory, view))
    first = made.trajectories[0]
    chart = importlib.import_module("preview.angle_map")
    _save(chart.angle_map(first.views, question.c_arm, first.rank), pictures / "view_angles.jpg")
    picture = f"![Map of angles]({PICTURES}/view_angles.jpg)"
    entries.append(f"## All angles\n\n{picture}\n\n{chart.LEGEND}\n")
    (pictures / "sheet.pdf").write_bytes(draw_sheet(prepared, request, made))
    page = folder / PAGE
    page.write_text("\n".join([INTRODUCTION, *entries]), encoding="utf-8")
    return page


def _save(picture: Image.Image, path: Path) -> None:
    size = (WIDTH, round(WIDTH * picture.height / picture.width))
    picture.resize(size, Image.Resampling.LANCZOS).save(path, quality=QUALITY, optimize=True)


def _entry(trajectory: Trajectory, view: View) -> str:
    """Return a view's part of the page: title, picture, angles, and what metal hides."""
    primary, secondary = (
        math.degrees(a) for a in (view.console_primary_rad, view.console_secondary_rad)
    )
    words = (
        f"{view.label}; console {primary:.0f} / {secondary:.0f} ({console_assumes(view)}); needle "
        f"{trajectory.rank}, {trajectory.approach} {trajectory.side}."
    )
    if view.hidden is not None:
        parts = {
            "needle's end": view.hidden.tip,
            "target": view.hidden.target,
            "posterior wall": view.hidden.posterior_wall,
        }
        shares = [f"{part:.0%} of the {name}" for name, part in parts.items() if part is not None]
        words += f" Metal hides {', '.join(shares)}."
    title = view.role.replace("_", " ")
    return f"## {title}\n\n![{title}]({PICTURES}/view_{view.role}.jpg)\n\n{words}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the gallery; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m api.view_gallery", description="Write the gallery of views."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write, such as docs")
    page = write_views(parser.parse_args(argv).out)
    sys.stdout.write(f"wrote {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
