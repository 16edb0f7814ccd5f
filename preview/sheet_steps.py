"""The needle's way in, in words for the sheet: check-points by depth, the clock, the bevel."""

import math
from collections.abc import Iterator

from geometry.arrays import Vector, unit
from planner.case import HARDWARE
from planner.check_points import HOURS, CheckPoint, Place, arcs_of, check_points, clock_hour
from planner.needles.catalogue import needle_named
from planner.needles.path import path_chords
from planner.question import Question
from planner.result import Clearance, Slide, Trajectory

BEVEL_MM = 5.0  # metal nearer than this may be met [A]
BEVEL = "bevel"


def hour_of(trajectory: Trajectory, clearance: Clearance) -> float | None:
    """Return where round the needle a structure comes nearest to it, as ``clock_hour`` does."""
    return clock_hour(_aimed(trajectory), clearance.nearest_point_mm - clearance.path_point_mm)


def whole_hour(hour: float | None) -> str:
    """Return the nearest hour of a clock face, 1 to 12, or a dash."""
    return "-" if hour is None else str(round(hour) % HOURS or HOURS)


def _aimed(trajectory: Trajectory) -> Vector:
    """Return the direction of the needle's first piece, along which the hub is looked at."""
    entry, after = path_chords(trajectory.path)[:2]
    return unit(after - entry)


def bevel_words(trajectory: Trajectory) -> tuple[str, ...]:
    """Say which way to turn a bevel, and which way a curve bends (DOMAIN 1.3 K1, K7, K10)."""
    if trajectory.slide is not None:
        return tuple(_along(trajectory, trajectory.slide))
    bends = tuple(_curve(trajectory))
    metal = [c for c in trajectory.clearances if c.kind in HARDWARE]
    nearest = min(metal, key=lambda c: c.distance_mm, default=None)
    if nearest is None or nearest.distance_mm > BEVEL_MM:
        return (*bends, f"No metal within {BEVEL_MM:.0f} mm of the needle.")
    hour = whole_hour(hour_of(trajectory, nearest))
    said = (
        f"Nearest metal: {nearest.structure}, {nearest.distance_mm:.1f} mm off at {hour} "
        f"o'clock, {nearest.at_depth_mm:.0f} mm deep."
    )
    if needle_named(trajectory.needle).tip != BEVEL:
        return (*bends, said)
    slide = f"If it is met, turn the bevel's face to {hour} o'clock: the tip then slides off it."
    return (*bends, said, f"{slide} Never drive on head-on.")


def _along(trajectory: Trajectory, slide: Slide) -> Iterator[str]:
    """Say how to slide along a screw: where it is met, how the bevel lies, how far (DOMAIN K1)."""
    depth = trajectory.length_mm - slide.slide_mm
    yield (
        f"Meets {slide.screw} {depth:.0f} mm deep, {slide.contact_share:.0%} down its shaft from "
        f"the head, at {math.degrees(slide.arrival_rad):.0f}\u00b0: touch it slantwise, never "
        "head-on."
    )
    if slide.bevel_hour is not None:
        hour = whole_hour(slide.bevel_hour)
        yield f"Bevel's face to {hour} o'clock, at the metal: the tip turns away from it."
    bend = "unbent"
    if math.isfinite(slide.bend_radius_mm):
        bend = (
            f"bent to a radius of {slide.bend_radius_mm:.0f} mm (it springs back down to "
            f"{slide.elastic_radius_mm:.0f} mm)"
        )
    yield f"Then {slide.slide_mm:.0f} mm along the shaft, {bend}."
    if slide.plastic:
        yield "The needle STAYS BENT: draw it back along its own way."
    beside = f" at {slide.limiting_beside}" if slide.limiting_beside else ""
    yield f"All but that shaft is {slide.margin_beside_mm:.2f} mm or more beyond its limit{beside}."


def _curve(trajectory: Trajectory) -> Iterator[str]:
    """Say where a cannula stops, how the needle inside it is rolled, and how far it goes out."""
    path = trajectory.path
    curved = needle_named(trajectory.needle).curved is not None
    for depth, arc in arcs_of(path):
        hour = whole_hour(clock_hour(_aimed(trajectory), arc.centre_mm - arc.start_mm))
        shape = f"radius {arc.radius_mm:.0f} mm, {math.degrees(arc.angle_rad):.0f}\u00b0"
        if curved:
            yield (
                f"Stop the cannula {depth:.0f} mm deep. Roll the inner needle so that its curve "
                f"opens to {hour} o'clock; send it {arc.length_mm:.0f} mm out ({shape})."
            )
        else:
            yield f"The path bends towards {hour} o'clock {depth:.0f} mm deep: {shape}."
    if trajectory.second_arc is not None:
        turn = math.degrees(trajectory.second_arc.turn_rad)
        yield (
            f"For the other side: draw the inner needle back, turn it {turn:+.0f}\u00b0 (clockwise "
            f"+), send it out again; margin {trajectory.second_arc.margin_mm:.2f} mm."
        )


def steps(question: Question, trajectory: Trajectory) -> tuple[str, ...]:
    """Return what to do and to see, from the skin to the tip."""
    return (
        "Skin: bull's-eye view, entry centred; needle point, shaft and hub over each other.",
        *(_step(at, _where(at.place, trajectory)) for at in check_points(question, trajectory)),
    )


def _step(at: CheckPoint, where: str) -> str:
    said = f"{at.depth_mm:.0f} mm: {where}."
    if at.left_mm is None or at.past_wall_mm is None or at.through_body is None:
        return f"{said} The bone could not be read: what AP and lateral must show is unknown."
    in_ap = [beside_midline(at.left_mm)]
    if at.place in {Place.ISTHMUS, Place.POSTERIOR_WALL} and at.off_medial_wall_mm is not None:
        in_ap.append(_off_wall(at.off_medial_wall_mm))
    return f"{said} AP: {', '.join(in_ap)}. Lateral: {_past(at.past_wall_mm, at.through_body)}."


_WHERE = {
    Place.BONE: "at bone",
    Place.ISTHMUS: "level of the pedicle's isthmus",
    Place.POSTERIOR_WALL: "level of the posterior wall",
    Place.CURVE: "here the path bends",
    Place.TIP: "tip",
}


def _where(place: Place, trajectory: Trajectory) -> str:
    if place is Place.CURVE and needle_named(trajectory.needle).curved is not None:
        return "the cannula STOPS, the curve begins"
    return _WHERE[place]


def beside_midline(left_mm: float) -> str:
    """Say how far to which side of the midline something is."""
    if abs(left_mm) < 0.5:
        return "on the midline"
    return f"{abs(left_mm):.0f} mm {'left' if left_mm > 0.0 else 'right'} of the midline"


def _off_wall(off_mm: float) -> str:
    if off_mm >= 0.0:
        return f"still {off_mm:.1f} mm lateral of the pedicle's medial wall"
    return f"{-off_mm:.1f} mm MEDIAL of the pedicle's medial wall, as planned: watch the canal"


def _past(past_wall_mm: float, through: float) -> str:
    if abs(past_wall_mm) < 0.5:
        return "at the posterior wall"
    if past_wall_mm < 0.0:
        return f"{-past_wall_mm:.0f} mm behind the posterior wall"
    return f"{through:.0%} of the way from posterior wall to anterior cortex"
