"""Writes the gallery of anatomy: ``python -m api.gallery --out docs``.

One picture for every level and every operated, broken or odd bone, and under it what was read
with which confidence, or why nothing was. Drawn bones need ``phantom`` and pictures ``preview``,
so the command is here, above both.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from api import DISCLAIMER
from phantom.gallery import LEVELS, PELVIC, VARIANTS, Exhibit
from planner.anatomy.describe import CaseAnatomy, describe_case
from planner.case import Case
from preview.anatomy_sheet import LEGEND, sheets
from preview.anatomy_words import bone_words, ilium_words
from preview.worker import RenderUnavailableError

PAGE = "gallery.md"
PICTURES = "gallery"
WIDTH = 1040  # pixels of a picture
QUALITY = 68  # of a JPEG
INTRODUCTION = f"""# Gallery of anatomy

{DISCLAIMER} All bones here are synthetic; written by `python -m api.gallery --out docs`.

What `trocar check CASE --out DIR` draws of a case, for one bone of every level and for operated,
broken and odd ones: from behind, from the left, cut at its pedicles, and both isthmuses seen along
the pedicle from behind. {LEGEND} The circles are the largest that keep to bone
and off metal; what fits through is a needle no thicker. A pedicle of too little confidence is not
planned through and has no gates. Words and frames are those of
[conventions](conventions.md).

A sacrum has pedicles where its first foramina show; an ilium has the corridor of an iliac screw.
Neither is cut or seen along a pedicle where there is none.
"""


def write_gallery(exhibits: Sequence[tuple[str, Sequence[Exhibit]]], folder: Path) -> Path:
    """Write ``gallery.md`` and its pictures into a folder, and return the page.

    Args:
        exhibits: Headings with what is shown under them.
        folder: Where to write; it is made if it is not there.

    Raises:
        RenderUnavailableError: If this machine cannot draw.
    """
    shown = [exhibit for _, below in exhibits for exhibit in below]
    cases = [exhibit.case() for exhibit in shown]
    read = [(case, describe_case(case)) for case in cases]
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    entries = {}
    for exhibit, (case, anatomy), sheet in zip(shown, read, sheets(read), strict=True):
        _save(sheet, folder / PICTURES / f"{exhibit.name}.jpg")
        entries[exhibit.name] = _entry(exhibit, case, anatomy)
    sections = [
        "\n".join([f"## {heading}\n", *(entries[exhibit.name] for exhibit in below)])
        for heading, below in exhibits
    ]
    page = folder / PAGE
    page.write_text("\n".join([INTRODUCTION, *sections]), encoding="utf-8")
    return page


def _save(sheet: Image.Image, path: Path) -> None:
    size = (WIDTH, round(WIDTH * sheet.height / sheet.width))
    sheet.resize(size, Image.Resampling.LANCZOS).save(path, quality=QUALITY, optimize=True)


def _entry(exhibit: Exhibit, case: Case, anatomy: CaseAnatomy) -> str:
    """Return an exhibit's part of the page: title, picture, and what was read."""
    bones = (*anatomy.vertebrae, *anatomy.ilia)
    triangles = sum(len(case.structure(name).mesh.faces) for name in bones)
    lines = []
    for name in anatomy.vertebrae:
        of = f"{case.structure(name).level}: " if len(bones) > 1 else ""
        lines.append(of + " ".join(bone_words(anatomy, name)))
    lines += [f"{_capital(name)}: {ilium_words(found)}" for name, found in anatomy.ilia.items()]
    words = " ".join(lines)
    return (
        f"### {exhibit.title}\n\n![{exhibit.title}]({PICTURES}/{exhibit.name}.jpg)\n\n"
        f"{exhibit.about} {triangles:,} triangles. {words}\n"
    )


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the gallery; return the exit status (1: pictures cannot be drawn here)."""
    parser = argparse.ArgumentParser(
        prog="python -m api.gallery", description="Write the gallery of anatomy."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write, such as docs")
    arguments = parser.parse_args(argv)
    groups = [
        ("Levels", LEVELS),
        ("Sacrum and ilium", PELVIC),
        ("Operated, broken and odd bones", VARIANTS),
    ]
    try:
        page = write_gallery(groups, arguments.out)
    except RenderUnavailableError as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    sys.stdout.write(f"wrote {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
