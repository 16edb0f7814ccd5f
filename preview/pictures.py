"""Writes a plan's preview: ``preview.png`` for the eye, ``scene.glb`` for other programs."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geometry.arrays import Rotation
from planner.case import Case
from planner.result import Plan, Status, Trajectory, View
from preview.export import write_glb
from preview.looks import LOOKS, TARGET, Colour, needle_colour
from preview.page import Entry, PageText, page_of
from preview.scene import Scene, scene_of
from preview.scene_page import scene_page
from preview.viewpoints import viewpoints_of
from preview.worker import RenderUnavailableError, draw

if TYPE_CHECKING:  # as in ``scene``
    from planner.target import TargetRegion

PREVIEW_PNG = "preview.png"
SCENE_GLB = "scene.glb"
SCENE_HTML = "scene.html"
PANEL = (640, 540)  # pixels
MOST_LISTED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewResult:
    """What was written.

    Attributes:
        scene_glb: The exported scene.
        scene_html: A page that shows it.
        picture_png: The page of pictures; None where this machine cannot draw.
        unavailable: Why there is no picture and what to install; None if there is one.
    """

    scene_glb: Path
    scene_html: Path
    picture_png: Path | None
    unavailable: str | None = None


def render_preview(
    case: Case,
    plan: Plan,
    folder: Path,
    *,
    target: "TargetRegion | None" = None,
    axes: Rotation | None = None,
) -> PreviewResult:
    """Write ``scene.glb``, ``scene.html`` and, where the machine can draw, ``preview.png``.

    Args:
        case: The structures that were planned on.
        plan: The plan to show.
        folder: Where to write; it is made if it is not there.
        target: Where tips must end; without it the first needle's tip is marked.
        axes: Left, posterior and superior unit vectors (rows, LPS) of the target vertebra;
            without them views are true to the patient.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene = scene_of(case, plan, target=target, axes=axes)
    glb, html, png = (folder / name for name in (SCENE_GLB, SCENE_HTML, PREVIEW_PNG))
    write_glb(scene, glb)
    html.write_text(scene_page(glb.read_bytes(), case.name), encoding="utf-8")
    png.unlink(missing_ok=True)  # an older picture would pass for this plan's
    viewpoints = viewpoints_of(scene, plan, PANEL[0] / PANEL[1])
    try:
        pictures = draw(scene, viewpoints, PANEL)
    except RenderUnavailableError as missing:
        return PreviewResult(
            scene_glb=glb, scene_html=html, picture_png=None, unavailable=str(missing)
        )
    page_of(pictures, viewpoints, [scene] * len(pictures), _text(case, plan, scene)).save(png)
    return PreviewResult(scene_glb=glb, scene_html=html, picture_png=png)


def _text(case: Case, plan: Plan, scene: Scene) -> PageText:
    listed = [_entry(trajectory) for trajectory in plan.trajectories[:MOST_LISTED]]
    more = len(plan.trajectories) - len(listed)
    if more > 0:
        listed.append(Entry(heading=f"and {more} more in plan.json"))
    if not listed:
        outcome = plan.outcome.value.replace("_", " ")
        listed.append(Entry(heading=outcome.capitalize(), lines=(plan.explanation,)))
    where = f"{scene.bone}: " if scene.bone else ""
    return PageText(
        title=f"{where}{case.name}",
        subtitle=plan.explanation if plan.trajectories else "",
        entries=(*listed, *_blocked_entry(plan), *_console_entry(plan)),
        legend=_legend(case, scene),
    )


def _blocked_entry(plan: Plan) -> tuple[Entry, ...]:
    """List the approaches and sides that no needle has a safe path for, with their best margin."""
    best: dict[str, tuple[float, str]] = {}
    found = set()
    for certificate in plan.certificates:
        way = f"{certificate.approach} {certificate.side}"
        if certificate.status is Status.FOUND:
            found.add(way)
        margin = certificate.best_margin_mm
        if margin is not None and margin > best.get(way, (-math.inf, ""))[0]:
            best[way] = (margin, ", ".join(certificate.limiting_structures[:2]))
        best.setdefault(way, (-math.inf, ""))
    lines = tuple(
        f"{way}: no path found" + (f", best margin {margin:.2f} mm ({limit})" if limit else "")
        for way, (margin, limit) in best.items()
        if way not in found
    )
    return (Entry(heading="Not possible or not found", lines=lines),) if lines else ()


def _console_entry(plan: Plan) -> tuple[Entry, ...]:
    """Say once what the console angles assume; every view of a plan assumes the same."""
    views = plan.trajectories[0].views if plan.trajectories else ()
    if not views:
        return ()
    position = views[0].assumed_position.value
    return (Entry(heading="", lines=(f"Console angles are for a patient lying {position}.",)),)


def _entry(trajectory: Trajectory) -> Entry:
    way = " ".join(str(part) for part in (trajectory.approach, trajectory.side) if part)
    limit = f", limited by {trajectory.limiting_structure}" if trajectory.limiting_structure else ""
    return Entry(
        number=str(trajectory.rank),
        colour=needle_colour(trajectory.rank),
        heading=(way or "drawn path").capitalize(),
        lines=(
            f"{trajectory.needle}, {trajectory.length_mm:.0f} mm from skin to tip",
            f"margin {trajectory.margin_mm:.2f} mm{limit}",
            *(_view_line(view) for view in trajectory.views[:2]),
        ),
    )


def _view_line(view: View) -> str:
    primary, secondary = (
        round(math.degrees(angle))
        for angle in (view.console_primary_rad, view.console_secondary_rad)
    )
    role = view.role.value.replace("_", " ").replace("bulls eye", "bull's-eye")
    reach = "" if view.reachable else ", out of reach"
    return f"{role} {view.label}; console {primary:+d}/{secondary:+d}{reach}"


def _legend(case: Case, scene: Scene) -> tuple[tuple[str, Colour], ...]:
    """Name the colours that are shown, and say which of them nobody segmented."""
    shown = {surface.kind for surface in scene.surfaces}
    derived = {structure.kind for structure in case.structures if structure.derived is not None}
    rows: dict[str, Colour] = {}
    for kind, look in LOOKS.items():
        if kind in shown:
            name = f"{look.in_legend}, derived" if kind in derived else look.in_legend
            rows.setdefault(name, look.colour)
    if scene.target_mm is not None:
        rows[TARGET.in_legend] = TARGET.colour
    return tuple(rows.items())
