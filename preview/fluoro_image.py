"""A simulated fluoroscopic picture: bone, metal and needle as X-rays would show them, marked.

The picture is what one sees from the detector looking back at the source, superior up: of a prone
patient with the detector above, left is on the left. Consoles may show it mirrored or turned,
which is why the patient's directions stand on every edge.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from geometry.arrays import Points, frozen
from geometry.mesh import TriangleMesh
from geometry.projection import ConeBeam, outlined, silhouette
from planner.anatomy.model import Unavailable
from planner.case import Case
from planner.fluoroscopy.views import beam_of
from planner.needles.path import Path, path_chords
from planner.result import Trajectory, View
from preview.attenuation import attenuation, left_out
from preview.export import needle_tube
from preview.looks import needle_colour
from preview.page import PAGE, RULER_MM, TEXT, font, ink
from preview.scene import DrawnNeedle, target_surface
from preview.viewpoints import direction_letters

if TYPE_CHECKING:  # as in ``scene``
    from planner.question import Question
    from planner.target import TargetRegion

SIZE = (640, 640)  # pixels
FIELD_MM = 170.0  # side of the picture in a plane through the isocentre [A]
NEAR_MM = 110.0  # the same of a thumbnail
BLUR_PIXELS = 0.8  # of focal spot and detector [A]
# Of the attenuation in the middle of the picture, where a C-arm meters: what is light grey, and
# what has fallen to 1/e of that [A].
METERED_PERCENTILES = (1.0, 75.0)
LIGHT = 215.0
NOTICE = "Simulated from meshes. Research software, not a medical device."
MARK = "#ffe08a"
TARGET_INK = "#ff5f87"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettering:
    """Sizes of what stands on a picture, and how far from its edges, pixels."""

    letters: int
    ruler: int
    ruler_says: str
    top: int
    bottom: int
    line: int


_AMONG_WORDS = Lettering(
    letters=24, ruler=13, ruler_says=f"{RULER_MM:g} mm at the tip", top=84, bottom=40, line=2
)
_ALONE = Lettering(letters=52, ruler=34, ruler_says=f"{RULER_MM:g} mm", top=10, bottom=10, line=5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluoroShot:
    """What one picture shows.

    Attributes:
        beam: From where; the isocentre is in the picture's middle.
        path: The needle's, skin to tip.
        radius_mm: The needle's.
        rank: The needle's, for its colour.
        target: Where the tip must end, if that is known.
        title: The view's name and angles.
        lines: What else to say, one line each.
    """

    beam: ConeBeam
    path: Path
    radius_mm: float
    rank: int
    target: "TargetRegion | None"
    title: str
    lines: tuple[str, ...] = ()

    @property
    def needle(self) -> DrawnNeedle:
        """The needle as it is drawn everywhere."""
        return DrawnNeedle(
            rank=self.rank, colour=needle_colour(self.rank), radius_mm=self.radius_mm,
            points_mm=frozen(path_chords(self.path)),
        )  # fmt: skip


def shot_of(
    question: "Question", trajectory: Trajectory, view: View, lines: tuple[str, ...] = ()
) -> FluoroShot:
    """Return what to picture of a planned needle in one of its views, the tip at the isocentre."""
    region = question.region
    return FluoroShot(
        beam=question.c_arm.cone(beam_of(view), trajectory.tip_mm, question.position),
        path=trajectory.path, radius_mm=trajectory.outer_diameter_mm / 2.0, rank=trajectory.rank,
        target=None if isinstance(region, Unavailable) else region, title=view.label, lines=lines,
    )  # fmt: skip


def fluoro_image(case: Case, shot: FluoroShot) -> Image.Image:
    """Return the picture of a case, its needle in place, and what it is in words."""
    picture = _marked(case, shot, FIELD_MM, _AMONG_WORDS)
    missing = left_out(case.structures)
    lines = (*shot.lines, f"not closed, left out: {', '.join(missing)}") if missing else shot.lines
    _say(picture, shot, lines)
    return picture


def thumbnail(case: Case, shot: FluoroShot) -> Image.Image:
    """Return a nearer picture without words, its marks large, to be shown small."""
    return _marked(case, shot, NEAR_MM, _ALONE)


def _marked(case: Case, shot: FluoroShot, field_mm: float, lettering: Lettering) -> Image.Image:
    """Return the picture of a case with target, needle axis, directions and ruler on it."""
    pixel_mm = field_mm * shot.beam.magnification / SIZE[0]
    vertices, faces = needle_tube(shot.needle)
    needle = TriangleMesh(vertices=vertices, faces=faces, is_closed=True)
    exposed = attenuation(case.structures, [needle], shot.beam, SIZE, pixel_mm)
    picture = Image.fromarray(grey(exposed)).convert("RGB")
    pen = ImageDraw.Draw(picture, "RGBA")
    _outline(pen, shot, pixel_mm, lettering)
    _orient(pen, shot.beam, pixel_mm, lettering)
    return picture


def grey(exposed: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Return the picture of an attenuation: dark where much is taken away, metal darkest.

    Grey falls exponentially, as the rays do, but to a scale set by the picture's middle.
    """
    blurred = gaussian_filter(exposed, BLUR_PIXELS)
    height, width = blurred.shape
    middle = blurred[height // 4 : -height // 4, width // 4 : -width // 4]
    light, fallen = np.percentile(middle, METERED_PERCENTILES)
    share = np.exp(-(blurred - light) / max(fallen - light, 1e-9))
    return np.round(np.minimum(LIGHT * share, 255.0)).astype(np.uint8)


def _outline(
    pen: ImageDraw.ImageDraw, shot: FluoroShot, pixel_mm: float, lettering: Lettering
) -> None:
    """Draw the target's outline and the needle's axis with its tip."""
    surface = target_surface((), shot.target)
    if surface is not None:
        solid = TriangleMesh(vertices=surface.vertices, faces=surface.faces, is_closed=True)
        outline = silhouette(outlined(solid), shot.beam)
        for part in getattr(outline, "geoms", [outline]):
            ring = _places(np.array(part.exterior.coords), pixel_mm)
            pen.line(ring, fill=TARGET_INK, width=lettering.line)
    axis = _places(shot.beam.project(shot.needle.drawn_mm), pixel_mm)
    colour = ink(needle_colour(shot.needle.rank))
    pen.line(axis, fill=(*colour, 200), width=lettering.line)
    (x, y), radius = axis[-1], 3 + lettering.line
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour,
                width=lettering.line)  # fmt: skip


def _orient(
    pen: ImageDraw.ImageDraw, beam: ConeBeam, pixel_mm: float, lettering: Lettering
) -> None:
    """Write the patient's directions on the edges, and draw the ruler."""
    width, height = SIZE
    for direction, spot, anchor in (
        (-beam.right, (10, height // 2), "lm"),
        (beam.right, (width - 10, height // 2), "rm"),
        (beam.up, (width // 2, lettering.top), "ma"),
        (-beam.up, (width // 2, height - lettering.bottom), "md"),
    ):
        pen.text(spot, direction_letters(direction), font=font(lettering.letters, bold=True),
                 fill=MARK, anchor=anchor, stroke_width=2, stroke_fill=PAGE)  # fmt: skip
    length, down = RULER_MM * beam.magnification / pixel_mm, height - lettering.bottom - 6
    pen.line((width - 16 - length, down, width - 16, down), fill=MARK, width=lettering.line + 1)
    pen.text((width - 16, down - 6), lettering.ruler_says, font=font(lettering.ruler),
             fill=MARK, anchor="rd", stroke_width=2, stroke_fill=PAGE)  # fmt: skip


def _say(picture: Image.Image, shot: FluoroShot, lines: tuple[str, ...]) -> None:
    """Write the view's name above, and what the picture is not below."""
    pen = ImageDraw.Draw(picture, "RGBA")
    width, height = SIZE
    pen.rectangle((0, 0, width, 30 + 18 * len(lines)), fill=(11, 14, 19, 190))
    pen.text((10, 5), shot.title, font=font(18, bold=True), fill=TEXT)
    for row, line in enumerate(lines):
        pen.text((10, 29 + 18 * row), line, font=font(13), fill=TEXT)
    pen.rectangle((0, height - 32, width, height), fill=(11, 14, 19, 220))
    pen.text((10, height - 16), NOTICE, font=font(15, bold=True), fill=TEXT, anchor="lm")


def _places(flat: Points | Float[np.ndarray, "n 2"], pixel_mm: float) -> list[tuple[float, float]]:
    """Return detector millimetres (right, up) as places on the picture (right, down)."""
    return [
        (SIZE[0] / 2.0 + float(x) / pixel_mm, SIZE[1] / 2.0 - float(y) / pixel_mm) for x, y in flat
    ]
