"""Lays out the pages A4 for the angio suite: ``sheet_words`` says what stands on them.

The same plan makes the same bytes: no clock is read, and fonts and pictures are embedded. What
finds no room is counted on the page, never dropped in silence.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib as mpl
from PIL import Image
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Table, TableStyle

from planner.fluoroscopy.views import beam_of
from planner.question import Question
from planner.result import Plan, Trajectory, View, ViewRole
from preview.angle_map import LEGEND as MAP
from preview.angle_map import angle_map
from preview.clock_face import LEGEND as CLOCK
from preview.clock_face import ClockAndMap
from preview.fluoro_image import shot_of, thumbnail
from preview.sheet_tables import ROLES, console_pair
from preview.sheet_words import Fact, Sheet, refusal_of, sheet_of

NOTICE = "Research software, not a medical device. Not for clinical use without verification."
EDGE, GAP = 9.0 * mm, 2.2 * mm
WIDTH = A4[0] - 2.0 * EDGE
PICTURE_WIDTH = 560  # pixels of a thumbnail on the page
QUALITY = 80  # of a JPEG
FONT, BOLD = "Sheet", "Sheet-Bold"
_PICTURES = (
    ViewRole.BULLS_EYE, ViewRole.TRUE_AP, ViewRole.TRUE_LATERAL, ViewRole.POSTERIOR_WALL,
    ViewRole.THROW_OFF_LATERAL,
    ViewRole.PROGRESS,
)  # fmt: skip
_MOST_PICTURES = 4
_SAME_VIEW = math.cos(math.radians(3.0))  # two views nearer than this are one picture [A]
_STATES = {
    "ok": colors.HexColor("#1f7a3a"),
    "may touch": colors.HexColor("#1f7a3a"),
    "near": colors.HexColor("#b35c00"),
    "BREACH": colors.HexColor("#b00020"),
}
_LINE, _SHADE = colors.HexColor("#9aa3ad"), colors.HexColor("#eef1f4")
_RED = colors.HexColor("#b00020")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """One page: what it says, its pictures with their captions, and the map of its angles."""

    sheet: Sheet
    pictures: Sequence[tuple[str, Image.Image]] = ()
    chart: Image.Image | None = None


def sheet_pdf(question: Question, plan: Plan, trajectory: Trajectory | None, digest: str) -> bytes:
    """Return the sheet of one of a plan's trajectories as PDF; without one, why there is none."""
    return pdf_of([page_of(question, plan, trajectory, digest)])


def page_of(question: Question, plan: Plan, trajectory: Trajectory | None, digest: str) -> Page:
    """Return the page of one of a plan's trajectories; without one, why there is none.

    Args:
        question: What was planned for.
        plan: The plan.
        trajectory: The one of it that is to be carried out; None for a plan that has none.
        digest: Of the plan's document; it stands on the page.
    """
    if trajectory is None:
        return Page(sheet=refusal_of(question, plan, digest))
    return Page(
        sheet=sheet_of(question, plan, trajectory, digest),
        pictures=_thumbnails(question, trajectory),
        chart=angle_map(trajectory.views, question.c_arm, trajectory.rank),
    )


def _thumbnails(question: Question, trajectory: Trajectory) -> Sequence[tuple[str, Image.Image]]:
    """Return the pictures that the needle is followed by, each with its caption."""
    shown = {view.role: view for view in trajectory.views}
    chosen: list[View] = []
    for view in (shown[role] for role in _PICTURES if role in shown):
        beams = [beam_of(other) for other in chosen]
        if all(float(beam_of(view) @ beam) < _SAME_VIEW for beam in beams):
            chosen.append(view)
    case = question.prepared.given
    return [
        (_caption(view), thumbnail(case, shot_of(question, trajectory, view)))
        for view in chosen[:_MOST_PICTURES]
    ]


def _caption(view: View) -> str:
    return f"{ROLES[view.role]}: {console_pair(view)}"


def pdf_of(pages: Sequence[Page]) -> bytes:
    """Return pages as one PDF, titled as the first."""
    _register()
    written = io.BytesIO()
    pen = Canvas(written, pagesize=A4, invariant=1, pageCompression=1)
    pen.setTitle(pages[0].sheet.title)
    pen.setSubject(NOTICE)
    for page in pages:
        _lay_out(pen, page)
        pen.showPage()
    pen.save()
    return written.getvalue()


def _lay_out(pen: Canvas, page: Page) -> None:
    """Lay everything out from the top and the assumptions from the bottom; columns get the rest."""
    sheet = page.sheet
    top = _header(pen, sheet)
    if sheet.device:
        half = (WIDTH - GAP) / 2.0
        below = _put(pen, _facts(sheet.device, half), EDGE, top, half)
        top = min(below, _put(pen, _facts(sheet.entry, half), EDGE + half + GAP, top, half)) - GAP
    if sheet.angles:
        top = _put(pen, _angles(sheet), EDGE, top, WIDTH) - GAP
    if page.pictures:
        top = _row(pen, page.pictures, top) - GAP
    bottom = _footer(pen, sheet)
    _columns(pen, sheet, page.chart, (top, bottom))


@cache
def _register() -> None:
    """Make DejaVu Sans known, which comes with matplotlib and has every sign that is used."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont(FONT, folder / "DejaVuSans.ttf"))
    pdfmetrics.registerFont(TTFont(BOLD, folder / "DejaVuSans-Bold.ttf"))


def _text(
    words: str,
    size: float = 7.0,
    *,
    bold: bool = False,
    ink: colors.Color = colors.black,
    shade: colors.Color | None = None,
) -> Paragraph:
    style = ParagraphStyle(
        "sheet", fontName=BOLD if bold else FONT, fontSize=size, leading=1.2 * size,
        textColor=ink, backColor=shade,
    )  # fmt: skip
    return Paragraph(escape(words), style)


def _put(pen: Canvas, flowable: Flowable, left: float, top: float, width: float) -> float:
    """Draw something below ``top`` and return where it ends."""
    _, height = flowable.wrapOn(pen, width, A4[1])
    flowable.drawOn(pen, left, top - height)
    return float(top - height)


def _header(pen: Canvas, sheet: Sheet) -> float:
    top = A4[1] - 7.0 * mm
    top = _put(pen, _text(NOTICE, 8.0, bold=True, ink=_RED), EDGE, top, WIDTH) - 0.5 * GAP
    top = _put(pen, _text(sheet.title, 15.0, bold=True), EDGE, top, WIDTH)
    return _put(pen, _text(sheet.subtitle, 8.0), EDGE, top, WIDTH) - GAP


def _facts(facts: Sequence[Fact], width: float) -> Table:
    rows = [[_text(name, bold=True), _text(value)] for name, value in facts]
    return _table(rows, (0.27 * width, 0.73 * width))


def _table(
    rows: Sequence[list[Paragraph]], widths: Sequence[float], *, headed: bool = False
) -> Table:
    style = TableStyle([
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, _LINE),
        *((f"{side}PADDING", (0, 0), (-1, -1), 1.6) for side in ("LEFT", "RIGHT")),
        *((f"{side}PADDING", (0, 0), (-1, -1), 0.7) for side in ("TOP", "BOTTOM")),
    ])  # fmt: skip
    if headed:
        style.add("BACKGROUND", (0, 0), (-1, 0), _SHADE)
    return Table(rows, colWidths=widths, style=style)


def _angles(sheet: Sheet) -> Table:
    heads = (
        "View", "Patient-referenced", "DICOM P / S", "CONSOLE",
        "Metal hides, %: end / target / wall", "",
    )  # fmt: skip
    rows = [[_text(head, 6.5, bold=True) for head in heads]]
    for row in sheet.angles:
        ink = colors.black if row.reachable else _RED
        rows.append([
            _text(row.role, 8.0, bold=True),
            _text(row.label, 11.0, bold=True, ink=ink),
            _text(row.dicom, 8.0),
            _text(row.console, 12.0, bold=True, ink=ink),
            _text(row.hides, 9.0, ink=ink),
            _text(row.note, 6.5, ink=ink),
        ])  # fmt: skip
    shares = (0.22, 0.2, 0.13, 0.15, 0.13, 0.17)
    return _table(rows, [share * WIDTH for share in shares], headed=True)


def _row(pen: Canvas, pictures: Sequence[tuple[str, Image.Image]], top: float) -> float:
    side = (WIDTH - (_MOST_PICTURES - 1) * GAP) / _MOST_PICTURES
    below = top
    for index, (caption, picture) in enumerate(pictures):
        left = EDGE + index * (side + GAP)
        small = picture.resize((PICTURE_WIDTH, PICTURE_WIDTH), Image.Resampling.LANCZOS)
        pen.drawImage(_jpeg(small), left, top - side, side, side)
        below = min(below, _put(pen, _text(caption, 6.5, bold=True), left, top - side, side))
    return below


def _jpeg(picture: Image.Image) -> ImageReader:
    written = io.BytesIO()
    picture.save(written, format="JPEG", quality=QUALITY)
    written.seek(0)
    return ImageReader(written)


def _footer(pen: Canvas, sheet: Sheet) -> float:
    """Draw the assumptions at the page's foot and return where they begin."""
    lines = [_text(line, 6.0) for line in sheet.assumptions]
    heights = [line.wrapOn(pen, WIDTH, A4[1])[1] for line in lines]
    top = bottom = 7.0 * mm + sum(heights)
    for line in lines:
        bottom = _put(pen, line, EDGE, bottom, WIDTH)
    pen.setStrokeColor(_LINE)
    pen.line(EDGE, top + 2.0, EDGE + WIDTH, top + 2.0)
    return float(top + 4.0)


def _columns(
    pen: Canvas, sheet: Sheet, chart: Image.Image | None, limits: tuple[float, float]
) -> None:
    """Fill the rest of the page: tables, charts and cautions on the left, words on the right."""
    width = (WIDTH - GAP) / 2.0
    words = [part for heading, lines in sheet.blocks for part in _block(heading, lines)]
    cautions = _block("Cautions", sheet.cautions) if sheet.cautions else []
    if not sheet.clearances:
        _last_column(pen, [*words, *cautions], (EDGE, WIDTH), limits)
        return
    left: list[Flowable] = [_clearances(sheet, width)]
    if chart is not None:
        left += [ClockAndMap(sheet.clearances, chart, FONT), _text(f"{CLOCK} {MAP}", 6.0)]
    left += cautions
    shown, _ = _column(pen, left, (EDGE, width), limits)
    over = [_heading("Cautions, continued"), *left[shown:]] if shown < len(left) else []
    _last_column(pen, [*words, *over], (EDGE + width + GAP, width), limits)


def _block(heading: str, lines: Sequence[str]) -> list[Flowable]:
    return [
        _heading(heading),
        *(_text(f"\u2022 {line}", 6.5) for line in lines),
    ]


def _heading(words: str) -> Paragraph:
    return _text(words, 7.5, bold=True, shade=_SHADE)


def _column(
    pen: Canvas,
    parts: Sequence[Flowable],
    across: tuple[float, float],
    limits: tuple[float, float],
    reserved: float = 0.0,
) -> tuple[int, float]:
    """Draw parts below each other; return how many found room, and where they end.

    Room is ``reserved`` below every part but the last.
    """
    (left, width), (top, bottom) = across, limits
    for index, part in enumerate(parts):
        height = part.wrapOn(pen, width, A4[1])[1]
        if top - height < bottom + (reserved if index < len(parts) - 1 else 0.0):
            return index, top
        top = _put(pen, part, left, top, width) - 0.6
    return len(parts), top


def _last_column(
    pen: Canvas,
    parts: Sequence[Flowable],
    across: tuple[float, float],
    limits: tuple[float, float],
) -> None:
    """Draw parts below each other; say how many found no room."""
    shown, top = _column(pen, parts, across, limits, reserved=8.5)
    if shown < len(parts):
        count = len(parts) - shown
        lines = "line" if count == 1 else "lines"
        missing = f"{count} more {lines} found no room: read the plan itself."
        _put(pen, _text(missing, 7.0, bold=True, ink=_RED), across[0], top, across[1])


def _clearances(sheet: Sheet, width: float) -> Table:
    heads = ("", "Near the needle", "mm", "limit", "depth", "p5", "o'clock", "")
    rows = [[_text(head, 6.0, bold=True) for head in heads]]
    for row in sheet.clearances:
        cells = [_text(cell, 6.8) for cell in row.cells]
        state = _text(row.state, 6.8, bold=True, ink=_STATES[row.state])
        rows.append([_text(str(row.number), 6.8, bold=True), *cells, state])
    shares = (0.05, 0.36, 0.09, 0.09, 0.1, 0.09, 0.11, 0.11)
    return _table(rows, [share * width for share in shares], headed=True)
