"""All C-arm views of one path, each with what metal hides in it, and what to be warned of.

Which views there are is in ``views``; the search for the least hidden ones in ``throw_off``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from geometry.arrays import Rotation, Vector, unit
from geometry.exact import MeshDistance
from geometry.projection import Shadows
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.case import HARDWARE, PatientPosition, Side
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.marks import WALL_ALONE, Marks, hidden_by, marks_of
from planner.fluoroscopy.throw_off import (
    STEP_DEG,
    Found,
    Screen,
    Zone,
    ap_zone,
    lateral_zone,
    shadows_of,
    throw_off,
)
from planner.fluoroscopy.views import (
    beam_of,
    foramen_view,
    screw_bulls_eye,
    vertebra_views,
    view_along,
    views_for,
)
from planner.needles.path import Path, path_chords
from planner.prepared import PreparedCase
from planner.result import View, ViewRole
from planner.target import TargetRegion

ZoneAbout: TypeAlias = Callable[[Rotation], Zone]
WALL_MUCH_HIDDEN = 0.25  # share of the posterior wall from which a person is warned [A]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is to be seen, and with what.

    Attributes:
        prepared: The case.
        path: Entry to tip.
        region: Where the tip must end, if that is known.
        bone: Name of the bone the needle is meant to enter.
        axes: Left, posterior and superior of the bone, rows, patient LPS.
        side: The side the needle comes from; None where it is not known.
        screw: The screw beside the path, if there is one.
        past_foramen: Whether the path runs outside the pedicle, past a foramen.
        c_arm: The C-arm whose reach counts.
        position: How the patient lies.
    """

    prepared: PreparedCase
    path: Path
    region: TargetRegion | Unavailable
    bone: str
    axes: Rotation
    side: Side | None
    screw: ScrewAxis | None
    past_foramen: bool
    c_arm: CArm
    position: PatientPosition

    @property
    def direction(self) -> Vector:
        """Unit vector of the needle's first piece, which is aimed: a curved needle's cannula."""
        entry, after = path_chords(self.path)[:2]
        return unit(after - entry)

    @property
    def from_side(self) -> Side:
        """The side the needle comes from; that of its hub where no approach was recognised."""
        if self.side is not None:
            return self.side
        return Side.RIGHT if float(self.direction @ self.axes[0]) > 0.0 else Side.LEFT


def views_of(subject: Subject) -> tuple[View, ...]:
    """Return every view of a path: along and across it, along the screw, true, and thrown off."""
    metal = _metal(subject.prepared)
    bone = subject.prepared.bone(subject.prepared.given.structure(subject.bone))
    marks = marks_of(subject.path, subject.region, bone, subject.axes)

    def measured(view: View, nearby: float | None = None) -> View:
        return _measured(subject, metal, marks, view, nearby)

    thrown = list(_thrown_off(subject, marks)) if metal else []
    nearby = {true_role: found.true_nearby for true_role, _, found in thrown}
    views = [measured(view, nearby.get(view.role)) for view in _plain_views(subject)]
    views += [measured(_searched(subject, role, f), f.nearby) for _, role, f in thrown]
    if any(v.role is ViewRole.TRUE_LATERAL and wall_hidden(v) >= WALL_MUCH_HIDDEN for v in views):
        wall = _least_hidden(subject, replace(marks, worth=WALL_ALONE), lateral_zone)
        if wall is not None:
            views.append(measured(_searched(subject, ViewRole.POSTERIOR_WALL, wall)))
    return tuple(_with_partners(subject, views))


def _thrown_off(subject: Subject, marks: Marks) -> Iterator[tuple[ViewRole, ViewRole, Found]]:
    """Yield the least hidden views near AP and lateral, with the true view's role and their own."""
    for true_role, role, zone_about in (
        (ViewRole.TRUE_AP, ViewRole.THROW_OFF_AP, ap_zone),
        (ViewRole.TRUE_LATERAL, ViewRole.THROW_OFF_LATERAL, lateral_zone),
    ):
        found = _least_hidden(subject, marks, zone_about)
        if found is not None:
            yield true_role, role, found


def _least_hidden(subject: Subject, marks: Marks, zone_about: ZoneAbout) -> Found | None:
    """Return the view of a zone that hides least of the marks, by what they are worth.

    What the anatomy's points are blocked by is kept with the case: it is the same for all paths.
    """
    metal = _metal(subject.prepared)
    key = ("shadows", marks.anatomy_mm.tobytes(), subject.axes.tobytes())

    def blocked() -> dict[ZoneAbout, Shadows]:
        both: tuple[ZoneAbout, ...] = (ap_zone, lateral_zone)
        return {about: shadows_of(metal, marks.anatomy_mm, about(subject.axes)) for about in both}

    zone, anatomy = zone_about(subject.axes), subject.prepared.kept(key, blocked)
    screen = Screen(
        metal=metal, tip=shadows_of(metal, marks.tip_mm, zone), anatomy=anatomy[zone_about]
    )
    return throw_off(
        zone, marks, screen,
        needle=subject.direction, c_arm=subject.c_arm, position=subject.position,
    )  # fmt: skip


def _metal(prepared: PreparedCase) -> tuple[MeshDistance, ...]:
    return tuple(prepared.distance(structure) for structure in prepared.given.of_kind(*HARDWARE))


def _searched(subject: Subject, role: ViewRole, found: Found) -> View:
    view = view_along(role, found.beam, subject.c_arm, subject.position)
    return replace(view, resolution_rad=float(np.radians(STEP_DEG)))


def _plain_views(subject: Subject) -> Iterator[View]:
    arm, lies = subject.c_arm, subject.position
    yield from views_for(subject.direction, c_arm=arm, position=lies, frame_left=subject.axes[0])
    if subject.screw is not None:
        yield screw_bulls_eye(
            subject.screw, subject.direction, subject.from_side, c_arm=arm, position=lies
        )
    yield from vertebra_views(subject.axes, c_arm=arm, position=lies)
    if subject.past_foramen:
        yield foramen_view(subject.axes, subject.from_side, c_arm=arm, position=lies)


def _measured(
    subject: Subject,
    metal: tuple[MeshDistance, ...],
    marks: Marks,
    view: View,
    nearby: float | None,
) -> View:
    """Return the view with what metal hides in it, seen from the plane that reaches it."""
    beam = beam_of(view)
    cone = subject.c_arm.cone(beam, marks.tip_mm[-1], subject.position)
    return replace(
        view,
        needle_length_share=float(np.linalg.norm(np.cross(beam, subject.direction))),
        hidden=hidden_by(metal, marks, cone, nearby),
    )


def _with_partners(subject: Subject, views: list[View]) -> Iterator[View]:
    """Add to every view those that the other plane can hold at the same time."""
    arm, lies = subject.c_arm, subject.position
    for view in views:
        partners = tuple(
            other.role for other in views if arm.holds_both(beam_of(view), beam_of(other), lies)
        )
        yield replace(view, together_with=partners)


def wall_hidden(view: View) -> float:
    """Return the share of the posterior wall that metal hides in a view; 0 where it is unknown."""
    hidden = view.hidden
    return 0.0 if hidden is None or hidden.posterior_wall is None else hidden.posterior_wall


def view_cautions(views: tuple[View, ...]) -> list[str]:
    """Say where the true lateral hides the posterior wall, and in which view it is seen best."""
    shown = {view.role: view for view in views}
    lateral = shown.get(ViewRole.TRUE_LATERAL)
    lost = 0.0 if lateral is None else wall_hidden(lateral)
    if lost < WALL_MUCH_HIDDEN:
        return []
    said = f"metal hides {lost:.0%} of the posterior wall in the true lateral view"
    instead = shown.get(ViewRole.POSTERIOR_WALL)
    if instead is None:
        return [f"{said}, and no view near it is within reach"]
    if wall_hidden(instead) >= lost:
        return [f"{said}, and no view near it is better"]
    return [f"{said}; it is seen best in {instead.label}, which hides {wall_hidden(instead):.0%}"]
