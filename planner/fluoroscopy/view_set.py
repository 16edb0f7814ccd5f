"""All C-arm views of one path, each with what metal hides in it, and what to be warned of.

Which views there are is in ``views``; the search for the least hidden ones in ``throw_off``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from geometry.arrays import Rotation, Vector, unit
from geometry.exact import MeshDistance
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.case import HARDWARE, PatientPosition, Side
from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.marks import Marks, hidden_by, marks_of
from planner.fluoroscopy.throw_off import (
    STEP_DEG,
    Found,
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
        beside_pedicle: Whether the path runs outside the pedicle, past the foramen.
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
    beside_pedicle: bool
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
    metal = subject.prepared.given.of_kind(*HARDWARE)
    bone = subject.prepared.bone(subject.prepared.given.structure(subject.bone))
    marks = marks_of(subject.path, subject.region, bone, subject.axes)
    views = list(_plain_views(subject))
    nearby: dict[ViewRole, float] = {}
    for true_role, role, found in _thrown_off(subject, marks) if metal else ():
        view = view_along(role, found.beam, subject.c_arm, subject.position)
        views.append(replace(view, resolution_rad=float(np.radians(STEP_DEG))))
        nearby |= {role: found.nearby, true_role: found.true_nearby}
    distances = [subject.prepared.distance(structure) for structure in metal]
    measured = [_measured(subject, distances, marks, v, nearby.get(v.role)) for v in views]
    return tuple(_with_partners(subject, measured))


def _thrown_off(subject: Subject, marks: Marks) -> Iterator[tuple[ViewRole, ViewRole, Found]]:
    """Yield the least hidden views near AP and lateral, with the true view's role and their own.

    What the anatomy's points are blocked by is kept with the case: it is the same for all paths.
    """
    metal = [s.mesh for s in subject.prepared.given.of_kind(*HARDWARE)]
    zones = (ap_zone(subject.axes), lateral_zone(subject.axes))
    key = ("shadows", marks.anatomy_mm.tobytes(), subject.axes.tobytes())
    kept = subject.prepared.kept(
        key, lambda: [shadows_of(metal, marks.anatomy_mm, zone) for zone in zones]
    )
    roles = (
        (ViewRole.TRUE_AP, ViewRole.THROW_OFF_AP),
        (ViewRole.TRUE_LATERAL, ViewRole.THROW_OFF_LATERAL),
    )
    for (true_role, role), zone, anatomy in zip(roles, zones, kept, strict=True):
        found = throw_off(
            zone, marks, (shadows_of(metal, marks.tip_mm, zone), anatomy),
            needle=subject.direction, c_arm=subject.c_arm, position=subject.position,
        )  # fmt: skip
        if found is not None:
            yield true_role, role, found


def _plain_views(subject: Subject) -> Iterator[View]:
    arm, lies = subject.c_arm, subject.position
    yield from views_for(subject.direction, c_arm=arm, position=lies, frame_left=subject.axes[0])
    if subject.screw is not None:
        yield screw_bulls_eye(
            subject.screw, subject.direction, subject.from_side, c_arm=arm, position=lies
        )
    yield from vertebra_views(subject.axes, c_arm=arm, position=lies)
    if subject.beside_pedicle:
        yield foramen_view(subject.axes, subject.from_side, c_arm=arm, position=lies)


def _measured(
    subject: Subject,
    metal: list[MeshDistance],
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


def view_cautions(views: tuple[View, ...]) -> list[str]:
    """Say where the true lateral hides the posterior wall, and which view shows most of it."""
    walls = {
        view.role: view.hidden.posterior_wall
        for view in views
        if view.hidden is not None and view.hidden.posterior_wall is not None
    }
    lost = walls.get(ViewRole.TRUE_LATERAL, 0.0)
    if lost < WALL_MUCH_HIDDEN:
        return []
    said = f"metal hides {lost:.0%} of the posterior wall in the true lateral view"
    instead = next((v for v in views if v.role is ViewRole.THROW_OFF_LATERAL), None)
    if instead is None:
        return [f"{said}, and no view near it is within reach"]
    if walls[instead.role] >= lost:
        return [f"{said}, and no view near it shows more"]
    return [f"{said}; {instead.label} hides {walls[instead.role]:.0%}"]
