"""Draws what was read from the meshes, so that a person can judge it: two rows per vertebra."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from geometry.arrays import Point, Points, Rotation, Vector
from geometry.frames import RigidTransform
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.ilium import IliumAnatomy
from planner.anatomy.model import Pedicle, ScrewAxis, Unavailable, VertebraAnatomy
from planner.case import HARDWARE, Case, Kind, Side, Structure
from preview.anatomy_words import bone_words, ilium_words, pedicle_words
from preview.isthmus import GAUGE, SIDE_COLOURS, Area, isthmus_areas, isthmus_view, overlaid
from preview.looks import NEEDLE_COLOURS, Colour
from preview.page import PageText, note, page_of
from preview.scene import Scene, Stroke, Surface, surface_of
from preview.viewpoints import Picture, Viewpoint, framed
from preview.worker import RenderUnavailableError, draw_each

ANATOMY_PNG = "anatomy.png"
PANEL = (420, 360)  # pixels
COLUMNS = 3
AXIS_MM = 28.0
NEIGHBOURHOOD_MM = 45.0
TITLE_MM = 7.0  # room for the title above a cut bone
LEGEND = (
    "Axes: red left, green posterior, blue superior. White: body on its endplates; largest circle "
    "beside metal. Blue, yellow: left, right isthmus. Orange: screw axis. "
    f"Gates of a {GAUGE}G needle: green transpedicular, pink parapedicular, violet extrapedicular."
)
_AXIS_COLOURS: tuple[Colour, Colour, Colour] = (
    (0.95, 0.35, 0.30), (0.35, 0.85, 0.40), (0.40, 0.60, 1.00),
)  # fmt: skip
_BODY_COLOUR: Colour = (0.95, 0.95, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetResult:
    """Where the sheet is, or why there is none and what to install."""

    picture_png: Path | None
    unavailable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """A picture to be drawn, and what is laid over it in the plane of an isthmus."""

    scene: Scene
    viewpoint: Viewpoint
    pedicle: Pedicle | None = None
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words in the place of a picture."""

    heading: str
    paragraphs: tuple[str, ...]


Panel: TypeAlias = Shot | Note


def render_anatomy(case: Case, anatomy: CaseAnatomy, folder: Path) -> SheetResult:
    """Write ``anatomy.png`` into ``folder``: every vertebra, sacrum and ilium as it was read.

    Args:
        case: The structures.
        anatomy: What was read from them.
        folder: Where to write; it is made if it is not there.
    """
    if not (anatomy.vertebrae or anatomy.ilia):
        return SheetResult(picture_png=None, unavailable="there is no vertebra to be read")
    folder.mkdir(parents=True, exist_ok=True)
    png = folder / ANATOMY_PNG
    png.unlink(missing_ok=True)  # an older sheet would pass for this case's
    try:
        (page,) = sheets([(case, anatomy)])
    except RenderUnavailableError as missing:
        return SheetResult(picture_png=None, unavailable=str(missing))
    page.save(png)
    return SheetResult(picture_png=png)


def sheets(read: Sequence[tuple[Case, CaseAnatomy]]) -> list[Image.Image]:
    """Draw a sheet for every case, each with a vertebra or ilium at least, all in one go.

    Raises:
        RenderUnavailableError: If this machine cannot draw.
    """
    panels = [
        (index, panel)
        for index, (case, anatomy) in enumerate(read)
        for panel in _panels(case, anatomy)
    ]
    shots = [panel for _, panel in panels if isinstance(panel, Shot)]
    drawn = iter(draw_each([(shot.scene, shot.viewpoint) for shot in shots], PANEL))
    pictures = [(index, panel, _picture(panel, drawn)) for index, panel in panels]
    return [
        _sheet(read[index][0], [(panel, picture) for _, panel, picture in of_case])
        for index, of_case in groupby(pictures, key=lambda row: row[0])
    ]


def _picture(panel: Panel, drawn: Iterator[Picture]) -> Picture:
    if isinstance(panel, Note):
        return note(panel.heading, panel.paragraphs, PANEL)
    picture = next(drawn)
    if panel.pedicle is None:
        return picture
    return overlaid(picture, panel.viewpoint, panel.pedicle, panel.areas)


def _sheet(case: Case, panels: Sequence[tuple[Panel, Picture]]) -> Image.Image:
    shots = [panel if isinstance(panel, Shot) else None for panel, _ in panels]
    return page_of(
        [picture for _, picture in panels],
        [shot.viewpoint if shot else None for shot in shots],
        [shot.scene if shot else None for shot in shots],
        PageText(title=f"Anatomy read from {case.name}", subtitle=LEGEND, entries=(), legend=()),
        columns=COLUMNS,
    )


def _panels(case: Case, anatomy: CaseAnatomy) -> Iterator[Panel]:
    for name in anatomy.vertebrae:
        yield from _vertebra_panels(case, anatomy, name)
    for name, found in anatomy.ilia.items():
        scene = _scene(case, case.structure(name), np.eye(3), _ilium_strokes(found))
        yield from _outside(scene, name)
        yield Note(heading=f"{name}: what was read", paragraphs=(ilium_words(found),))


def _vertebra_panels(case: Case, anatomy: CaseAnatomy, name: str) -> Iterator[Panel]:
    """Yield two rows for a bone that was read, and one for a bone that was not."""
    bone, found = case.structure(name), anatomy.vertebrae[name]
    words = Note(heading=f"{name}: what was read", paragraphs=bone_words(anatomy, name))
    if isinstance(found, Unavailable):
        scene = _scene(case, bone, np.eye(3), ())
        yield from _outside(scene, name)
        yield words
        return
    scene = _scene(case, bone, found.frame.rotation, _strokes(anatomy, found))
    yield from _outside(scene, found.level)
    yield _through_pedicles(scene, found)
    bare = _scene(case, bone, found.frame.rotation, ())
    for side in Side:
        yield _isthmus(case, anatomy, found, side, bare)
    yield words


def _outside(scene: Scene, level: str) -> Iterator[Shot]:
    """Yield a vertebra from behind and from the left."""
    left, posterior, superior = scene.axes
    aspect = PANEL[0] / PANEL[1]
    for title, towards in (("from behind", posterior), ("from the left", left)):
        view = framed(f"{level} {title}", towards, superior, scene.framed_mm, aspect)
        yield Shot(scene=scene, viewpoint=view)


def _through_pedicles(scene: Scene, vertebra: VertebraAnatomy) -> Shot:
    """Return a vertebra cut through its pedicles, or through its body, seen from the feet."""
    _, posterior, superior = scene.axes
    centres = [p.centre_mm for p in vertebra.pedicles.values() if isinstance(p, Pedicle)]
    where = "pedicles" if centres else "body"
    cut = np.mean(centres, axis=0) if centres else vertebra.frame.inverse().translation_mm
    left_over = scene.framed_mm[(scene.framed_mm - cut) @ superior > 0.0]
    below_title = left_over - TITLE_MM * posterior
    view = framed(
        f"{vertebra.level} at its {where}, from the feet", -superior, -posterior,
        np.concatenate([left_over, below_title]), PANEL[0] / PANEL[1], cut_mm=cut,
    )  # fmt: skip
    return Shot(scene=scene, viewpoint=view)


def _isthmus(
    case: Case, anatomy: CaseAnatomy, vertebra: VertebraAnatomy, side: Side, bare: Scene
) -> Panel:
    """Return an isthmus with its gates and what metal leaves free, or why there is none."""
    pedicle = vertebra.pedicles[side]
    if isinstance(pedicle, Unavailable):
        return Note(
            heading=f"{vertebra.level} {side} isthmus",
            paragraphs=(f"{side.capitalize()} {pedicle_words(pedicle)}",),
        )
    free = anatomy.corridors.get((vertebra.structure, side), ())
    return Shot(
        scene=bare,
        viewpoint=isthmus_view(vertebra.level, pedicle),
        pedicle=pedicle,
        areas=tuple(isthmus_areas(vertebra, pedicle, case.of_kind(*HARDWARE), free)),
    )


def _scene(case: Case, bone: Structure, axes: Rotation, strokes: Iterable[Stroke]) -> Scene:
    """Return a bone with the metal and the canal beside it."""
    near = [s for s in case.of_kind(Kind.CANAL, *HARDWARE) if _reaches(s, bone)]
    return Scene(
        surfaces=(surface_of(bone, is_target=True), *(_beside(s) for s in near)),
        needles=(),
        framed_mm=bone.mesh.vertices,
        axes=axes,
        target_mm=None,
        bone=bone.level or bone.name,
        strokes=tuple(strokes),
    )  # fmt: skip


def _beside(structure: Structure) -> Surface:
    """Return metal as it looks, and the canal faint enough for bone to be seen behind it."""
    surface = surface_of(structure, is_target=False)
    if structure.kind is not Kind.CANAL:
        return surface
    return replace(surface, look=replace(surface.look, opacity=0.15, rim_opacity=0.7))


def _strokes(anatomy: CaseAnatomy, vertebra: VertebraAnatomy) -> Iterator[Stroke]:
    """Yield frame, body, isthmuses, and the axes of the screws that a vertebra holds."""
    yield from _frame_strokes(vertebra.frame)
    yield from _body_strokes(vertebra)
    yield from _pedicle_strokes(vertebra)
    for screw in anatomy.hardware.screws.values():
        if isinstance(screw, ScrewAxis) and screw.level == vertebra.level:
            ends = np.stack([screw.head_mm, screw.tip_mm])
            yield Stroke(points_mm=ends, colour=NEEDLE_COLOURS[0])


def _reaches(structure: Structure, bone: Structure) -> bool:
    """Whether a structure's box comes near a bone; a long rod may have no vertex there."""
    centre: Point = np.mean(bone.mesh.bounds, axis=0)
    low, high = structure.mesh.bounds
    gap = np.maximum(0.0, np.maximum(low - centre, centre - high))
    return bool(np.linalg.norm(gap) < NEIGHBOURHOOD_MM)


def _frame_strokes(frame: RigidTransform) -> Iterator[Stroke]:
    """Return a frame's axes: left red, posterior green, superior blue."""
    origin = frame.inverse().translation_mm
    for axis, colour in zip(frame.rotation, _AXIS_COLOURS, strict=True):
        yield Stroke(points_mm=np.stack([origin, origin + AXIS_MM * axis]), colour=colour)


def _ilium_strokes(found: IliumAnatomy | Unavailable) -> Iterator[Stroke]:
    """Yield an ilium's corridor, as thick as it is, and its frame."""
    if isinstance(found, IliumAnatomy):
        ends = np.stack([found.posterior_mm, found.anterior_mm])
        yield Stroke(points_mm=ends, colour=NEEDLE_COLOURS[2], radius_mm=found.radius_mm)
        yield from _frame_strokes(found.frame)


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
        colour = SIDE_COLOURS[side]
        flat = np.array(pedicle.outline.exterior.coords)
        outline = (
            pedicle.centre_mm
            + np.outer(flat[:, 0], pedicle.lateral)
            + np.outer(flat[:, 1], pedicle.cranial)
        )
        ends = pedicle.centre_mm + np.outer([-20.0, 20.0], pedicle.axis)
        yield Stroke(points_mm=outline, colour=colour, radius_mm=0.5)
        yield Stroke(points_mm=ends, colour=colour)
