"""What the one-page sheet says, part by part in the order in which it is needed (DOMAIN 9).

Only words and figures; ``sheet`` lays them out and ``sheet_steps`` follows the needle in. All is
taken from the plan or measured on the same anatomy; what is not known is said to be unknown.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from planner.anatomy.model import ScrewAxis, Unavailable, VertebraAnatomy
from planner.anatomy.zones import midline_offset_mm
from planner.case import HARDWARE
from planner.fluoroscopy.views import ct_assumption
from planner.guidance.cement import stop_surfaces
from planner.needles.catalogue import needle_named
from planner.needles.model import HUB_STAND_OFF_MM
from planner.question import Question
from planner.result import Plan, Status, Trajectory, View, ViewRole
from planner.treatment import CementGuidance, Goal
from planner.why_not import told
from preview.sheet_steps import beside_midline, bevel_words, steps
from preview.sheet_tables import (
    AngleRow,
    ClearanceRow,
    angle_rows,
    clearance_rows,
    console_pair,
)

MOST_STOPS = 4
MUCH_HIDDEN = 0.5  # share of the needle's end from which a view does not show it [A]

_EVIDENCE = re.compile(r" \[(?:DOMAIN [^\]]*|[SADMP]\d*(?::[^\]]*)?)\]")

Fact = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that is written on one sheet.

    Attributes:
        title: Level, side, approach, needle.
        subtitle: The case and the target.
        device: What to take, and how sure the plan is.
        entry: Where to enter.
        angles: The views, the most needed first.
        clearances: What is nearest to being too near.
        blocks: Headings with their lines, in the order in which they are needed.
        cautions: What to be warned of.
        assumptions: What must hold, and what identifies the plan.
    """

    title: str
    subtitle: str
    device: tuple[Fact, ...] = ()
    entry: tuple[Fact, ...] = ()
    angles: tuple[AngleRow, ...] = ()
    clearances: tuple[ClearanceRow, ...] = ()
    blocks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cautions: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def sheet_of(question: Question, plan: Plan, trajectory: Trajectory, digest: str) -> Sheet:
    """Return what the sheet of one of a plan's trajectories says.

    Args:
        question: What was planned for.
        plan: The plan.
        trajectory: The one of it that is to be carried out.
        digest: Of the plan's document.
    """
    return Sheet(
        title=_title(question, trajectory),
        subtitle=_subtitle(question),
        device=tuple(_device(trajectory)),
        entry=tuple(_entry(question, trajectory)),
        angles=tuple(angle_rows(trajectory)),
        clearances=tuple(clearance_rows(question, trajectory)),
        blocks=(
            ("Steps; depths from the skin along the needle", steps(question, trajectory)),
            ("Bevel and clock, seen from the hub, 12 to the head", bevel_words(trajectory)),
            (f"Plan B, and why not first (this is plan {trajectory.rank})",
             tuple(_plan_b(plan, trajectory))),
            ("Cement: goal, stop and watch", tuple(map(_plain, _cement(question, trajectory)))),
        ),
        cautions=tuple(map(_plain, dict.fromkeys((*trajectory.cautions, *plan.warnings)))),
        assumptions=(*_assumptions(question), _identity(plan, digest)),
    )  # fmt: skip


def refusal_of(question: Question, plan: Plan, digest: str) -> Sheet:
    """Return the sheet of a plan without a path: why there is none, and what would open one."""
    opened = tuple(
        f"{c.approach} {c.side} {c.needle}: {told(c.openings)}"
        for c in plan.certificates
        if c.openings
    )
    return Sheet(
        title=f"{_level(question)}: {plan.outcome.replace('_', ' ')}",
        subtitle=_subtitle(question),
        blocks=(
            ("Why", (plan.explanation,)),
            ("What would open a way", opened or ("nothing that was tried, one thing at a time",)),
            ("What was searched", tuple(c.statement for c in plan.certificates)),
        ),
        cautions=plan.warnings,
        assumptions=(*_assumptions(question), _identity(plan, digest)),
    )  # fmt: skip


def _level(question: Question) -> str:
    return question.bone.level or question.bone.name


def _title(question: Question, trajectory: Trajectory) -> str:
    way = (trajectory.side, trajectory.approach, trajectory.needle)
    return " \u00b7 ".join([_level(question), *(str(part) for part in way if part is not None)])


def _subtitle(question: Question) -> str:
    region = question.region
    target = "not given" if isinstance(region, Unavailable) else region.label
    return f"{question.prepared.given.name}. Target: {target}."


def _device(trajectory: Trajectory) -> Iterator[Fact]:
    needle = needle_named(trajectory.needle)
    yield "Needle", f"{needle.gauge} G, {needle.outer_diameter_mm:.2f} mm, {needle.tip} tip"
    if needle.curved is not None:
        inner = needle.curved
        yield "Curve", f"{inner.outer_diameter_mm:.2f} mm inside, radius {inner.radius_mm:.0f} mm"
    least = trajectory.length_mm + HUB_STAND_OFF_MM
    yield "Length", f"at least {least:.0f} mm; this one has {needle.length_mm:.0f} mm"
    if trajectory.cement is not None:
        goal = trajectory.cement.goal
        yield "Cement", f"{_volume(goal)}, guidance only (below)"
    yield "Technique", trajectory.technique.replace("_", " ")
    limit = trajectory.limiting_structure
    spare = f"{trajectory.margin_mm:.2f} mm" + (f", at {limit}" if limit else "")
    yield "Least margin", spare
    if trajectory.tolerance is not None:
        both = trajectory.tolerance.together
        turn = f"{math.degrees(both.angle_rad):.1f}\u00b0"
        yield "May be off by", f"{both.entry_mm:.1f} mm and {turn} at once (proved)"
    breach = trajectory.breach_probability
    guided = breach.profile.replace("_", " ")
    worst = f", most often {breach.worst_structure}" if breach.worst_structure else ""
    yield "Breach", f"{breach.total:.1%} of needles led by {guided}{worst}"


def _entry(question: Question, trajectory: Trajectory) -> Iterator[Fact]:
    entry, anatomy = trajectory.entry_skin_mm, question.prepared.bone(question.bone)
    if isinstance(anatomy, VertebraAnatomy):
        offset = anatomy.frame.points(entry)
        level = _level(question)
        yield "From midline", beside_midline(midline_offset_mm(anatomy, entry))
        yield "From level", f"{_along(float(offset[2]))} the middle of {level}'s body"
    else:
        yield "From midline", "unknown: the bone could not be read"
    head = _nearest_head(question, trajectory)
    if head is not None:
        across, _, along = question.axes @ (entry - head.head_mm)
        side = "left" if across > 0.0 else "right"
        yield (
            "From screw",
            (
                f"{abs(across):.0f} mm {side} of and {_along(float(along))} the head of "
                f"{head.structure}"
            ),
        )
    depth = trajectory.depth_to_bone_mm
    yield "Depth to bone", "bone is not met" if depth is None else f"{depth:.0f} mm"
    yield "Depth to tip", f"{trajectory.length_mm:.0f} mm"
    x, y, z = entry
    yield "Entry, LPS", f"{x:.1f}, {y:.1f}, {z:.1f} mm"


def _along(cranial_mm: float) -> str:
    return f"{abs(cranial_mm):.0f} mm {'cranial' if cranial_mm >= 0.0 else 'caudal'} of"


def _nearest_head(question: Question, trajectory: Trajectory) -> ScrewAxis | None:
    """Return the screw whose head is nearest to the entry; heads show where bone was removed."""
    heads = [
        screw
        for screw in question.prepared.hardware.screws.values()
        if isinstance(screw, ScrewAxis) and screw.has_head
    ]
    return min(
        heads,
        key=lambda screw: float(np.linalg.norm(screw.head_mm - trajectory.entry_skin_mm)),
        default=None,
    )


def _plan_b(plan: Plan, trajectory: Trajectory) -> Iterator[str]:
    other = next((t for t in plan.trajectories if t.rank != trajectory.rank), None)
    if other is None:
        closed = sum(c.status is Status.INFEASIBLE for c in plan.certificates)
        yield f"There is none: no other path worth showing; {closed} ways are proved closed."
    else:
        limit = f" at {other.limiting_structure}" if other.limiting_structure else ""
        eye = next(view for view in other.views if view.role is ViewRole.BULLS_EYE)
        yield (
            f"{other.rank}: {other.approach} {other.side}, {other.needle}, margin "
            f"{other.margin_mm:.2f} mm{limit}, {other.length_mm:.0f} mm; bull's-eye {eye.label}, "
            f"console {console_pair(eye)}."
        )
        for t in (trajectory, other):
            if t.reasons:
                yield f"For {t.rank}: {', '.join(t.reasons)}."
    yield _cone_beam(trajectory.views)


def _cone_beam(views: Sequence[View]) -> str:
    """Say when to take a cone-beam CT: when position is unclear (DOMAIN 1.4 D15)."""
    told_by = (
        ViewRole.TRUE_LATERAL, ViewRole.THROW_OFF_LATERAL, ViewRole.POSTERIOR_WALL,
        ViewRole.PROGRESS,
    )  # fmt: skip
    clear = [
        view
        for view in views
        if view.role in told_by and view.reachable and view.hidden is not None
        and not view.hidden.at_tip and view.hidden.tip < MUCH_HIDDEN
    ]  # fmt: skip
    if clear:
        return "Cone-beam CT where tip or cement is not clear in two views."
    return "Cone-beam CT before cement: metal hides the needle's end in every side view."


def _cement(question: Question, trajectory: Trajectory) -> Iterator[str]:
    guidance, region = trajectory.cement, question.region
    goal = "the target" if isinstance(region, Unavailable) else region.label
    if guidance is None:
        yield f"Goal: {goal}; no volume can be told."
        stops = stop_surfaces(question, (trajectory.tip_mm,))
    else:
        aim = guidance.goal
        yield (f"Goal: {goal}, {aim.aim_ml:.1f} ml (of {_volume(aim)}): {aim.source}.")
        if guidance.cap_ml is not None and guidance.cap_by != aim.source:
            yield f"At most {guidance.cap_ml:.1f} ml: then the fill is at the {guidance.cap_by}."
        yield from _covered(guidance)
        stops = guidance.stops
    for word, wanted in (("STOP at", True), ("Watch", False)):
        near = [s for s in stops if s.stops is wanted][:MOST_STOPS]
        if near:
            places = "; ".join(f"{s.name} {s.distance_mm:.0f} mm" for s in near)
            yield f"{word} (from the tip): {places}."
    for check in () if guidance is None else guidance.checks:
        yield f"{check[0].upper()}{check[1:]}."
    if trajectory.tamp is not None and trajectory.tamp.eligible:
        yield f"Bone tamp: {trajectory.tamp.size}, {trajectory.tamp.reason}."


def _volume(goal: Goal) -> str:
    least, most = (f"{volume:.1f}" for volume in (goal.least_ml, goal.most_ml))
    return f"{least} ml" if least == most else f"{least} to {most} ml"


def _covered(guidance: CementGuidance) -> Iterator[str]:
    """Say what the expected fill covers; of the body's anterior two-thirds."""
    part = guidance.coverage
    if part is not None:
        yield (
            f"{guidance.expected_ml:.1f} ml would cover {part.left:.0%} of the left and "
            f"{part.right:.0%} of the right half, if it spread evenly."
        )
    if guidance.ring_gap_mm is not None:
        yield f"The farthest point of the lucency is {guidance.ring_gap_mm:.0f} mm from the tip."


def _assumptions(question: Question) -> Iterator[str]:
    arm, lies = question.c_arm, question.position
    yield (
        f"Angles: patient-referenced (DICOM), and as a console shows them that takes the patient "
        f"for head-first supine; the patient lies {lies}. Centre the entry: 25 mm off the "
        "isocentre turns a view by 2\u00b0."
    )
    yield f"{_scanned(question)} Anatomy {ct_assumption(lies)}."
    yield (
        f"C-arm {arm.name} ({_plain(arm.source)}); collisions and table edges are not modelled. "
        "Metal hides: shares of the needle's last 15 mm, of the target and of the posterior wall."
    )
    derived = [s.name for s in question.prepared.case.structures if s.derived is not None]
    metal = question.prepared.given.of_kind(*HARDWARE)
    if derived:
        yield f"Derived, not segmented: {', '.join(derived[:8])}" + (
            f" and {len(derived) - 8} more." if len(derived) > 8 else "."
        )
    if not metal:
        yield "The case holds no metal."


def _plain(words: str) -> str:
    """Return words without the tags of their evidence, which are for readers of the domain page."""
    return _EVIDENCE.sub("", words)


def _scanned(question: Question) -> str:
    """Say when the case was scanned: whatever its origin calls a date."""
    told = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in question.prepared.given.provenance.items()
        if "date" in key.lower()
    ]
    return f"CT: {', '.join(told)}." if told else "CT: the case tells no DATE; check it."


def _identity(plan: Plan, digest: str) -> str:
    return (
        f"Plan {digest}, case {plan.case_digest[:16]}, request {plan.request_digest[:16]}, "
        f"Trocar {plan.planner_version}."
    )
