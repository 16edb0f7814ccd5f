"""The isthmus of a pedicle seen along its axis from behind: gates, and what metal leaves free.

The bone and the metal are drawn as cut by the plane of the isthmus; the areas in that plane are
laid over the picture in colours.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw
from shapely import LineString, MultiPolygon, Polygon
from shapely import Point as Dot

from geometry.arrays import Points
from planner.anatomy.corridor import Corridor
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.approach import pedicle_gates
from planner.case import Side, Structure
from planner.needles.catalogue import OUTER_DIAMETER_MM
from planner.question import LEAST_TRUST
from planner.request import Approach
from preview.looks import NEEDLE_COLOURS, Colour
from preview.page import ink
from preview.viewpoints import Picture, Viewpoint

GAUGE = 13  # of the needle that the gates are drawn for
HALF_HEIGHT_MM = 22.0
OUTWARD_MM = 7.0  # from the isthmus' centre to the middle of the picture
FINER = 3  # areas are drawn so many times larger, and averaged
LINE_MM = 0.35
SIDE_COLOURS: Mapping[Side, Colour] = MappingProxyType(
    {Side.LEFT: NEEDLE_COLOURS[1], Side.RIGHT: NEEDLE_COLOURS[4]}
)
GATE_LOOKS: Mapping[Approach, tuple[Colour, float]] = MappingProxyType(
    {
        Approach.TRANSPEDICULAR: (NEEDLE_COLOURS[2], 0.55),
        Approach.PARAPEDICULAR: (NEEDLE_COLOURS[3], 0.45),
        Approach.EXTRAPEDICULAR: (NEEDLE_COLOURS[5], 0.25),
    }
)  # colour and opacity
_WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """A part of the plane of an isthmus, (lateral, cranial) mm, and how it is filled."""

    shape: Polygon | MultiPolygon
    colour: Colour
    opacity: float


def isthmus_view(level: str, pedicle: Pedicle) -> Viewpoint:
    """Return the view along a pedicle from behind, cut at its isthmus."""
    size = f"{pedicle.width_mm:.1f}x{pedicle.height_mm:.1f} mm"
    if pedicle.confidence < LEAST_TRUST:
        size = "is doubtful: no gates"
    return Viewpoint(
        title=f"{level} {pedicle.side} isthmus {size}",
        towards=-pedicle.axis,
        up=pedicle.cranial,
        centre_mm=pedicle.centre_mm + OUTWARD_MM * pedicle.lateral,
        half_height_mm=HALF_HEIGHT_MM,
        cut_mm=pedicle.centre_mm,
    )


def isthmus_areas(
    anatomy: VertebraAnatomy,
    pedicle: Pedicle,
    hardware: Iterable[Structure],
    corridors: Sequence[Corridor],
) -> Iterator[Area]:
    """Yield what is to be seen in the plane of an isthmus, the lowest layer first.

    A pedicle that is not planned through has neither gates nor circles, only its outline.

    Args:
        anatomy: The vertebra.
        pedicle: Its pedicle.
        hardware: Metal that may cross the isthmus.
        corridors: The ways past that metal; each is shown by its largest circle.
    """
    if pedicle.confidence < LEAST_TRUST:
        yield _edge(pedicle.outline, SIDE_COLOURS[pedicle.side])
        return
    radius = 0.5 * OUTER_DIAMETER_MM[GAUGE]
    for approach, gate in pedicle_gates(anatomy, pedicle, hardware, radius).items():
        colour, opacity = GATE_LOOKS[approach]
        yield Area(shape=gate.window, colour=colour, opacity=opacity)
    yield _edge(pedicle.outline, SIDE_COLOURS[pedicle.side])
    for corridor in corridors:
        if corridor.radius_mm > LINE_MM:
            yield _edge(Dot(corridor.circle_mm).buffer(corridor.radius_mm), _WHITE)


def _edge(outline: Polygon, colour: Colour) -> Area:
    line = LineString(outline.exterior.coords).buffer(0.5 * LINE_MM)
    return Area(shape=line, colour=colour, opacity=1.0)


def overlaid(
    picture: Picture, viewpoint: Viewpoint, pedicle: Pedicle, areas: Iterable[Area]
) -> Picture:
    """Return the picture with areas of the plane of an isthmus laid over it."""
    page = Image.fromarray(picture)
    large = (FINER * page.width, FINER * page.height)
    for area in areas:
        mask = Image.new("L", large, 0)
        pen = ImageDraw.Draw(mask)
        shapes = area.shape.geoms if isinstance(area.shape, MultiPolygon) else (area.shape,)
        for shape in shapes:
            rings = [
                (shape.exterior, round(255 * area.opacity)),
                *((r, 0) for r in shape.interiors),
            ]
            for ring, value in rings:
                spots = viewpoint.on_picture(_lifted(pedicle, np.array(ring.coords)), large)
                pen.polygon([(float(x), float(y)) for x, y in spots], fill=value)
        page.paste(ink(area.colour), mask=mask.resize(page.size, Image.Resampling.BOX))
    return np.asarray(page)


def _lifted(pedicle: Pedicle, corners: np.ndarray) -> Points:
    """Return in-plane points in patient LPS, mm."""
    return pedicle.centre_mm + corners[:, :2] @ np.stack([pedicle.lateral, pedicle.cranial])
