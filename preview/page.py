"""Lays pictures out on one page: marks on each, ranked needles and colours beside them."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from preview.looks import Colour
from preview.scene import Scene
from preview.viewpoints import Picture, Viewpoint

GAP = 8
HEADER = 92
FOOTER = 40
SIDEBAR = 470
PAGE = "#0b0e13"
TEXT = "#f2f2ee"
FAINT = "#a9b3bf"
FOOTNOTE = (
    "Research software, not a medical device. View names refer to the patient; verify endplate "
    "squareness and centre the entry point before using an angle."
)
RULER_MM = 20.0
BADGE = 15  # radius of a needle's number with its free border, pixels
NOTE = "#171c24"
NOTE_LETTER, NOTE_LINE = 8, 19  # width of a letter and height of a line in a note, pixels
END_ON = 40.0  # a needle shorter than this on a picture is seen along its axis, pixels

Pixel: TypeAlias = Float[np.ndarray, "2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One block of the sidebar: an optional numbered colour, a heading, and lines under it."""

    heading: str
    lines: tuple[str, ...] = ()
    number: str = ""
    colour: Colour | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """What a page says beside its pictures."""

    title: str
    subtitle: str
    entries: tuple[Entry, ...]
    legend: tuple[tuple[str, Colour], ...]
    footer: str = FOOTNOTE


def page_of(
    pictures: Sequence[Picture],
    viewpoints: Sequence[Viewpoint | None],
    scenes: Sequence[Scene | None],
    text: PageText,
    *,
    columns: int = 2,
) -> Image.Image:
    """Return the page: pictures in rows, and the sidebar to their right if it says anything.

    A picture without viewpoint and scene, such as a ``note``, gets no marks.
    """
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sidebar = SIDEBAR if text.entries or text.legend else 0
    size = (
        GAP + columns * (width + GAP) + sidebar,
        HEADER + rows * (height + GAP) + FOOTER,
    )
    page = Image.new("RGB", size, PAGE)
    for index, (picture, viewpoint, scene) in enumerate(
        zip(pictures, viewpoints, scenes, strict=True)
    ):
        panel = Image.fromarray(picture)
        if viewpoint is not None and scene is not None:
            _mark(panel, viewpoint, scene)
        down, across = divmod(index, columns)
        page.paste(panel, (GAP + across * (width + GAP), HEADER + down * (height + GAP)))
    pen = ImageDraw.Draw(page)
    _words(pen, size, text)
    _sidebar(pen, size[0] - sidebar + GAP, text)
    return page


def note(heading: str, paragraphs: Sequence[str], size: tuple[int, int]) -> Picture:
    """Return a picture of words, ``size`` pixels (width, height), cut short if they are many."""
    panel = Image.new("RGB", size, NOTE)
    pen = ImageDraw.Draw(panel)
    pen.text((12, 9), _cut_to(pen, heading, font(17, bold=True), size[0] - 24),
             font=font(17, bold=True), fill=TEXT)  # fmt: skip
    rows = [
        row
        for text in paragraphs
        for row in textwrap.wrap(text, (size[0] - 24) // NOTE_LETTER, subsequent_indent="  ")
    ]
    most = (size[1] - 50) // NOTE_LINE
    shown = rows if len(rows) <= most else [*rows[: most - 1], "\u2026"]
    for index, row in enumerate(shown):
        pen.text((12, 40 + index * NOTE_LINE), row, font=font(14), fill=TEXT)
    return np.asarray(panel)


def _words(pen: ImageDraw.ImageDraw, size: tuple[int, int], text: PageText) -> None:
    """Write title and subtitle above the pictures, and the footer below."""
    heading, small = font(28, bold=True), font(15)
    pen.text(
        (GAP + 6, 12), _cut_to(pen, text.title, heading, size[0] - 30), font=heading, fill=TEXT
    )
    subtitle = _wrapped(text.subtitle, size[0] // 9)[:2]
    pen.text((GAP + 6, 50), "\n".join(subtitle), font=small, fill=FAINT, spacing=3)
    pen.text((GAP + 6, size[1] - FOOTER + 10), text.footer, font=small, fill=FAINT)


def _mark(panel: Image.Image, viewpoint: Viewpoint, scene: Scene) -> None:
    """Put title, directions, ruler and needle numbers on one picture."""
    pen = ImageDraw.Draw(panel, "RGBA")
    width, height = panel.size
    box = pen.textbbox((12, 9), viewpoint.title, font=font(17, bold=True))
    pen.rectangle((0, 0, box[2] + 12, box[3] + 9), fill=(11, 14, 19, 190))
    pen.text((12, 9), viewpoint.title, font=font(17, bold=True), fill=TEXT)
    letters = viewpoint.edge_letters()
    for edge, spot, anchor in (
        ("left", (12, height // 2), "lm"),
        ("right", (width - 12, height // 2), "rm"),
        ("top", (width // 2, 40), "ma"),
        ("bottom", (width // 2, height - 10), "md"),
    ):
        pen.text(spot, letters[edge], font=font(22, bold=True), fill="#ffe08a", anchor=anchor,
                 stroke_width=2, stroke_fill=PAGE)  # fmt: skip
    _ruler(pen, viewpoint, panel.size)
    _numbers(pen, viewpoint, scene, panel.size)


def _ruler(pen: ImageDraw.ImageDraw, viewpoint: Viewpoint, size: tuple[int, int]) -> None:
    length = RULER_MM * size[1] / (2.0 * viewpoint.half_height_mm)
    right, down = size[0] - 16.0, size[1] - 16.0
    for colour, thick in ((PAGE, 5), (TEXT, 2)):
        pen.line((right - length, down, right, down), fill=colour, width=thick)
        for end in (right - length, right):
            pen.line((end, down - 5, end, down + 5), fill=colour, width=thick)
    pen.text((right - length / 2, down - 6), f"{RULER_MM:g} mm", font=font(14), fill=TEXT,
             anchor="md", stroke_width=2, stroke_fill=PAGE)  # fmt: skip


def _numbers(
    pen: ImageDraw.ImageDraw, viewpoint: Viewpoint, scene: Scene, size: tuple[int, int]
) -> None:
    """Number each needle at its outer end, where nothing else stands, with a line to it."""
    # The edge letters' and the ruler's places are taken.
    taken = [
        np.array(spot)
        for spot in (
            (BADGE, size[1] / 2.0), (size[0] - BADGE, size[1] / 2.0), (size[0] / 2.0, 50.0),
            (size[0] / 2.0, size[1] - BADGE), (size[0] - 50.0, size[1] - 25.0),
        )
    ]  # fmt: skip
    for needle in scene.needles:
        if needle.turned:  # its cannula is numbered
            continue
        hub, tip = viewpoint.on_picture(np.stack([needle.hub_mm, needle.points_mm[-1]]), size)
        spot = _free_spot(hub, tip, taken, size)
        taken.append(spot)
        pen.line((*hub, *spot), fill=ink(needle.colour), width=2)
        _badge(pen, (float(spot[0]), float(spot[1])), str(needle.rank), needle.colour)


def _free_spot(hub: Pixel, tip: Pixel, taken: Sequence[Pixel], size: tuple[int, int]) -> Pixel:
    """Return where a needle's number goes: beyond its hub, or the nearest free place beside it."""
    length = float(np.linalg.norm(hub - tip))
    # A needle seen end-on has no outer end on the picture: its number goes up and aside.
    seen_end_on = length < END_ON
    along = np.array([0.7071, -0.7071]) if seen_end_on else (hub - tip) / length
    across = np.array([-along[1], along[0]])
    low, high = np.array([BADGE, 36.0 + BADGE]), np.array(size) - BADGE
    spots = [
        np.clip(hub + step * along + aside * across, low, high)
        for aside in (0.0, 30.0, -30.0, 60.0, -60.0, 90.0, -90.0)
        for step in ((34.0, 60.0) if seen_end_on else (20.0, -15.0, -50.0))
    ]
    free = (s for s in spots if all(np.linalg.norm(s - other) >= 2.0 * BADGE for other in taken))
    return next(free, spots[0])


def _badge(
    pen: ImageDraw.ImageDraw, centre: tuple[float, float], number: str, colour: Colour
) -> None:
    x, y = centre
    radius = BADGE - 2
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink(colour),
                outline=PAGE, width=2)  # fmt: skip
    pen.text((x, y), number, font=font(17, bold=True), fill=PAGE, anchor="mm")


def _sidebar(pen: ImageDraw.ImageDraw, left: int, text: PageText) -> None:
    down = HEADER + 4
    for entry in text.entries:
        indent = 0
        if entry.colour is not None:
            _badge(pen, (left + 15, down + 13), entry.number, entry.colour)
            indent = 40
        if entry.heading:
            pen.text((left + indent, down), entry.heading, font=font(18, bold=True), fill=TEXT)
            down += 26
        for line in entry.lines:
            for row in _wrapped(line, 52):
                pen.text((left + indent, down), row, font=font(15), fill=FAINT)
                down += 20
        down += 12
    down += 4
    for index, (name, colour) in enumerate(text.legend):
        x, y = left + 225 * (index % 2), down + 26 * (index // 2)
        pen.rectangle((x, y + 3, x + 16, y + 19), fill=ink(colour), outline=FAINT)
        pen.text((x + 24, y), name, font=font(15), fill=TEXT)


def ink(colour: Colour) -> tuple[int, int, int]:
    """Return a colour as Pillow takes it."""
    red, green, blue = (round(255 * share) for share in colour)
    return red, green, blue


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def _cut_to(pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """Return the text, shortened with an ellipsis if it is wider than ``width`` pixels."""
    if pen.textlength(text, font=font) <= width:
        return text
    kept = text
    while kept and pen.textlength(kept + "\u2026", font=font) > width:
        kept = kept[:-1]
    return kept + "\u2026"


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib, which comes with pyvista."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)
