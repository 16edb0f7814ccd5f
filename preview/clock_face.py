"""A clock face of what lies round a needle, beside the map of its views.

The face is seen from the hub, 12 to the patient's head, as in the bull's-eye picture.
"""

import math
from collections.abc import Sequence

from PIL import Image
from reportlab.lib import colors
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable

from preview.sheet_tables import ClearanceRow

RADIUS = 11.5 * mm
SHOWN_MM = 10.0  # off the needle at the rim; what is farther is not on the face
LEGEND = (
    f"Clock: seen from the hub, 12 to the patient's head; rings {SHOWN_MM / 2:.0f} and "
    f"{SHOWN_MM:.0f} mm off the needle's surface, grey is metal, numbers as above."
)
_FACE_WIDTH = 34.0 * mm
_HOURS_OFF, _BADGE = 2.2 * mm, 1.7 * mm
_METAL, _OTHER = colors.HexColor("#4a5560"), colors.HexColor("#b35c00")
_LINE = colors.HexColor("#9aa3ad")


class ClockAndMap(Flowable):
    """The face on the left, with the table's numbers on it; a picture in the rest of the width."""

    def __init__(self, rows: Sequence[ClearanceRow], chart: Image.Image, font: str) -> None:
        super().__init__()
        self._rows = [r for r in rows if r.hour is not None and r.distance_mm <= SHOWN_MM]
        self._chart, self._font = chart, font

    def wrap(self, width: float, _height: float) -> tuple[float, float]:
        """Take the whole width, and the height of the higher of the two."""
        self.width = width
        self._chart_width = width - _FACE_WIDTH
        self._chart_height = self._chart_width * self._chart.height / self._chart.width
        self.height = max(self._chart_height, 2.0 * RADIUS + 8.0 * mm)
        return self.width, self.height

    def draw(self) -> None:
        """Draw the picture, rings, hours and numbers."""
        pen = self.canv
        pen.drawImage(
            ImageReader(self._chart), _FACE_WIDTH, 0.5 * (self.height - self._chart_height),
            self._chart_width, self._chart_height,
        )  # fmt: skip
        x, y = 0.47 * _FACE_WIDTH, 0.5 * self.height
        pen.setStrokeColor(_LINE)
        for share in (0.5, 1.0):
            pen.circle(x, y, share * RADIUS)
        pen.setFont(self._font, 7.0)
        for hour in range(1, 13):
            across, up = _at(hour, RADIUS + _HOURS_OFF)
            pen.drawCentredString(x + across, y + up - 2.5, str(hour))
        pen.circle(x, y, 0.6 * mm, fill=1)
        for row in reversed(self._rows):
            self._number(row, x, y)

    def _number(self, row: ClearanceRow, x: float, y: float) -> None:
        away = max(row.distance_mm, 0.0) / SHOWN_MM * RADIUS
        across, up = _at(row.hour or 0.0, away)
        self.canv.setFillColor(_METAL if row.is_metal else _OTHER)
        self.canv.circle(x + across, y + up, _BADGE, stroke=0, fill=1)
        self.canv.setFillColor(colors.white)
        self.canv.drawCentredString(x + across, y + up - 2.4, str(row.number))


def _at(hour: float, away: float) -> tuple[float, float]:
    """Return how far to the right and up an hour is, at a distance from the middle."""
    turn = math.radians(30.0 * hour)
    return away * math.sin(turn), away * math.cos(turn)
