"""A map of C-arm angles: what is in reach, all beams square to the needle, and the plan's views.

Angles are the console's, in which a C-arm's reach is a rectangle: primary across, secondary up.
"""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from planner.fluoroscopy.c_arm import CArm, beam_from_angles, console_angles
from planner.result import CurvePoint, View, ViewRole
from preview.looks import needle_colour
from preview.page import font, ink

SIZE = (1020, 590)  # pixels
_PLOT = (85, 20, 980, 530)  # left, top, right, bottom
_HALF_DEG = (180.0, 90.0)  # shown either way of nought
_GRID_DEG = 45
_PAPER, _REACH, _GRID, _INK = "#ffffff", "#d9ead3", "#c4c9cf", "#1c2430"
_LETTERS = {
    ViewRole.SCREW_BULLS_EYE: "S",
    ViewRole.TRUE_AP: "A",
    ViewRole.TRUE_LATERAL: "L",
    ViewRole.THROW_OFF_AP: "a",
    ViewRole.THROW_OFF_LATERAL: "l",
    ViewRole.POSTERIOR_WALL: "W",
    ViewRole.FORAMEN: "F",
    ViewRole.PROGRESS: "P",
    ViewRole.BULLS_EYE: "N",
}
LEGEND = (
    "Map: console angles, primary across, secondary up; green is in reach. N down the needle, S "
    "down the screw, A and L true AP and lateral, a and l thrown off, W posterior wall, F foramen. "
    "Dots: every view square to the needle, filled where in reach; P is the one chosen."
)

Pixel = tuple[float, float]


def angle_map(views: Sequence[View], c_arm: CArm, rank: int) -> Image.Image:
    """Return the map of a needle's views.

    Args:
        views: The needle's, all for one patient position.
        c_arm: The C-arm whose reach is shown.
        rank: The needle's, for its colour.
    """
    picture = Image.new("RGB", SIZE, _PAPER)
    pen = ImageDraw.Draw(picture)
    for plane in c_arm.planes:
        (left, right), (low, high) = plane.primary_rad, plane.secondary_rad
        pen.rectangle((*_place(left, high), *_place(right, low)), fill=_REACH)
    _grid(pen)
    colour = ink(needle_colour(rank))
    for view in views:
        for point in view.curve:
            _dot(pen, _console(view, point), colour, filled=point.reachable)
    shown = {view.role: view for view in views}
    for role, letter in _LETTERS.items():
        if role in shown:
            view = shown[role]
            spot = _place(view.console_primary_rad, view.console_secondary_rad)
            _letter(pen, spot, letter, colour if role is ViewRole.PROGRESS else _INK)
    return picture


def _console(view: View, point: CurvePoint) -> Pixel:
    beam = beam_from_angles(point.primary_rad, point.secondary_rad)
    return _place(*console_angles(beam, view.assumed_position))


def _place(primary_rad: float, secondary_rad: float) -> Pixel:
    left, top, right, bottom = _PLOT
    across = 0.5 + 0.5 * math.degrees(primary_rad) / _HALF_DEG[0]
    down = 0.5 - 0.5 * math.degrees(secondary_rad) / _HALF_DEG[1]
    return left + across * (right - left), top + down * (bottom - top)


def _grid(pen: ImageDraw.ImageDraw) -> None:
    left, top, right, bottom = _PLOT
    for across in range(-180, 181, _GRID_DEG):
        x, _ = _place(math.radians(across), 0.0)
        pen.line((x, top, x, bottom), fill=_GRID, width=3 if across == 0 else 1)
        pen.text((x, bottom + 8), f"{across}", font=font(34), fill=_INK, anchor="ma")
    for up in range(-90, 91, _GRID_DEG):
        _, y = _place(0.0, math.radians(up))
        pen.line((left, y, right, y), fill=_GRID, width=3 if up == 0 else 1)
        pen.text((left - 8, y), f"{up}", font=font(34), fill=_INK, anchor="rm")


def _dot(
    pen: ImageDraw.ImageDraw, spot: Pixel, colour: tuple[int, int, int], *, filled: bool
) -> None:
    x, y = spot
    pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=colour if filled else _PAPER, outline=colour)


def _letter(
    pen: ImageDraw.ImageDraw, spot: Pixel, letter: str, colour: tuple[int, int, int] | str
) -> None:
    x, y = spot
    pen.ellipse((x - 27, y - 27, x + 27, y + 27), fill=colour, outline=_PAPER, width=3)
    pen.text((x, y), letter, font=font(40, bold=True), fill=_PAPER, anchor="mm")
