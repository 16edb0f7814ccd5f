"""Draws what was read from the meshes, so that a person can judge it: one row per vertebra."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.arrays import Point, Points, Vector
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Pedicle, ScrewAxis, VertebraAnatomy
from planner.case import HARDWARE, Case, Kind, Side, Structure
from preview.looks import NEEDLE_COLOURS, Colour
from preview.page import PageText, page_of
from preview.scene import Scene, Stroke, surface_of
from preview.viewpoints import Viewpoint, framed
from preview.worker import RenderUnavailableError, draw_each

ANATOMY_PNG = "anatomy.png"
PANEL = (420, 360)  # pixels
AXIS_MM = 28.0
NEIGHBOURHOOD_MM = 45.0
_AXIS_COLOURS: tuple[Colour, Colour, Colour] = (
    (0.95, 0.35, 0.30), (0.35, 0.85, 0.40), (0.40, 0.60, 1.00),
)  # fmt: skip
_BODY_COLOUR: Colour = (0.95, 0.95, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetResult:
    """Where the sheet is, or why there is none and what to install."""

    picture_png: Path | None
    unavailable: str | None = None


def render_anatomy(case: Case, anatomy: CaseAnatomy, folder: Path) -> SheetResult:
    """Write ``anatomy.png`` into ``folder``: frames, isthmuses, bodies and hardware as read.

    Args:
        case: The structures.
        anatomy: What was read from them.
        folder: Where to write; it is made if it is not there.
    """
    read = [v for v in anatomy.vertebrae.values() if isinstance(v, VertebraAnatomy)]
    if not read:
        return SheetResult(picture_png=None, unavailable="no vertebra could be read")
    shots = [shot for vertebra in read for shot in _shots(case, anatomy, vertebra)]
    scenes, viewpoints = [scene for scene, _ in shots], [viewpoint for _, viewpoint in shots]
    folder.mkdir(parents=True, exist_ok=True)
    png = folder / ANATOMY_PNG
    png.unlink(missing_ok=True)  # an older sheet would pass for this case's
    try:
        pictures = draw_each(shots, PANEL)
    except RenderUnavailableError as missing:
        return SheetResult(picture_png=None, unavailable=str(missing))
    page_of(pictures, viewpoints, scenes, _text(case, anatomy), columns=3).save(png)
    return SheetResult(picture_png=png)


def _shots(
    case: Case, anatomy: CaseAnatomy, vertebra: VertebraAnatomy
) -> Iterator[tuple[Scene, Viewpoint]]:
    """Return a vertebra from behind, from the left, and cut through its pedicles."""
    scene = _scene(case, anatomy, vertebra)
    left, posterior, superior = scene.axes
    aspect = PANEL[0] / PANEL[1]
    level, points = vertebra.level, scene.framed_mm
    pedicles = [p for p in vertebra.pedicles.values() if isinstance(p, Pedicle)]
    centre = vertebra.frame.inverse().translation_mm
    cut = np.mean([p.centre_mm for p in pedicles], axis=0) if pedicles else centre
    sizes = " ".join(
        f"{p.side.value[0].upper()} {p.width_mm:.1f}x{p.height_mm:.1f}" for p in pedicles
    )
    yield scene, framed(f"{level} from behind", posterior, superior, points, aspect)
    yield scene, framed(f"{level} from the left", left, superior, points, aspect)
    title = f"{level} isthmus {sizes} mm" if sizes else f"{level}: no pedicle read"
    yield scene, framed(title, -superior, -posterior, points, aspect, cut_mm=cut)


def _scene(case: Case, anatomy: CaseAnatomy, vertebra: VertebraAnatomy) -> Scene:
    bone = case.structure(vertebra.structure)
    centre = vertebra.frame.inverse().translation_mm
    near = [s for s in case.of_kind(Kind.CANAL, *HARDWARE) if _reaches(s, centre)]
    screws = [anatomy.hardware.screws.get(s.name) for s in near if s.kind is Kind.SCREW]
    return Scene(
        surfaces=(
            surface_of(bone, is_target=True), *(surface_of(s, is_target=False) for s in near)
        ),
        needles=(),
        framed_mm=bone.mesh.vertices,
        axes=vertebra.frame.rotation,
        target_mm=None,
        bone=vertebra.level,
        strokes=(
            *_frame_strokes(vertebra),
            *_body_strokes(vertebra),
            *_pedicle_strokes(vertebra),
            *(
                Stroke(points_mm=np.stack([s.head_mm, s.tip_mm]), colour=NEEDLE_COLOURS[0])
                for s in screws
                if isinstance(s, ScrewAxis)
            ),
        ),
    )  # fmt: skip


def _reaches(structure: Structure, centre: Point) -> bool:
    """Whether a structure's box comes near a point; a long rod may have no vertex there."""
    low, high = structure.mesh.bounds
    gap = np.maximum(0.0, np.maximum(low - centre, centre - high))
    return bool(np.linalg.norm(gap) < NEIGHBOURHOOD_MM)


def _frame_strokes(vertebra: VertebraAnatomy) -> Iterator[Stroke]:
    """Return the frame's axes: left red, posterior green, superior blue."""
    origin = vertebra.frame.inverse().translation_mm
    for axis, colour in zip(vertebra.frame.rotation, _AXIS_COLOURS, strict=True):
        yield Stroke(points_mm=np.stack([origin, origin + AXIS_MM * axis]), colour=colour)


def _body_strokes(vertebra: VertebraAnatomy) -> Iterator[Stroke]:
    """Return the body's outline, put onto both endplates' mean planes."""
    body, patient = vertebra.body, vertebra.frame.inverse()
    outline = np.array(body.outline.exterior.coords)
    for point, normal in (
        (body.superior_mm, body.superior_normal), (body.inferior_mm, body.inferior_normal),
    ):  # fmt: skip
        yield Stroke(points_mm=patient.points(_lifted(outline, point, normal)), colour=_BODY_COLOUR)


def _lifted(outline: Points, point: Vector, normal: Vector) -> Points:
    """Return (left, posterior) points with the height that a plane has over them."""
    flat = outline[:, :2]
    height = point[2] - (flat - point[:2]) @ normal[:2] / normal[2]
    return np.column_stack([flat, height])


def _pedicle_strokes(vertebra: VertebraAnatomy) -> Iterator[Stroke]:
    """Return each isthmus' outline and axis: left in one colour, right in another."""
    for side, pedicle in vertebra.pedicles.items():
        if not isinstance(pedicle, Pedicle):
            continue
        colour = NEEDLE_COLOURS[1] if side is Side.LEFT else NEEDLE_COLOURS[4]
        flat = np.array(pedicle.outline.exterior.coords)
        outline = (
            pedicle.centre_mm
            + np.outer(flat[:, 0], pedicle.lateral)
            + np.outer(flat[:, 1], pedicle.cranial)
        )
        ends = pedicle.centre_mm + np.outer([-20.0, 20.0], pedicle.axis)
        yield Stroke(points_mm=outline, colour=colour, radius_mm=0.5)
        yield Stroke(points_mm=ends, colour=colour)


def _text(case: Case, anatomy: CaseAnatomy) -> PageText:
    unread = [n for n, v in anatomy.vertebrae.items() if not isinstance(v, VertebraAnatomy)]
    return PageText(
        title=f"Anatomy read from {case.name}",
        subtitle="Axes: red left, green posterior, blue superior. White: body outline on the "
        "endplate planes. Blue and yellow: left and right isthmus with axis. Orange: screw axis."
        + (f" Not read: {', '.join(unread)}." if unread else ""),
        entries=(),
        legend=(),
    )
