"""The great vessels: aorta and inferior vena cava, and the iliac ones in front of a pelvis.

Where they divide (in front of the disc L4/L5, and of L5) and how they lie to each other follows
anatomy; calibres and the places that the iliac vessels pass, in the sacrum's frame of building, are
drawn by eye. A common and an external iliac vessel are one tube; inner branches are not drawn.
"""

from types import MappingProxyType

import numpy as np

from geometry.arrays import Point, Points
from phantom.loft import Course, course
from phantom.pelvis import ILIUM, S1, Pelvis
from phantom.spine import LEFT, PlacedVertebra, Spine, extended
from planner.case import Side

AORTA_RADIUS_MM = 11.0
CAVA_RADIUS_MM = 10.0
ILIAC_ARTERY_MM, ILIAC_VEIN_MM = 5.0, 6.0
_GAP_MM = 4.0  # to bone
_BEYOND_MM = 45.0
_STEP_MM = 5.0
_HALF_DISC_MM = 5.0
_CAVAL_ANGLE = -0.75  # bearing from straight ahead, rad, positive to the left
# On the left, mm: over the ala, past the sacroiliac joint, along the brim to the groin.
_ARTERY = np.array(
    [
        [14.0, -48.0, 30.0], [24.0, -45.0, 13.0], [41.0, -35.0, 3.0], [50.0, -43.0, -12.0],
        [58.0, -60.0, -26.0], [64.0, -80.0, -42.0],
    ]
)  # fmt: skip
_VEIN = np.array(
    [[33.0, -17.0, -5.0], [43.0, -28.0, -24.0], [50.0, -48.0, -38.0], [57.0, -73.0, -53.0]]
)
# The left vein crosses the midline behind the right artery; the right one goes straight down.
_VEIN_BEGINS = MappingProxyType(
    {
        Side.LEFT: np.array([[-4.0, -36.0, 20.0], [12.0, -33.0, 8.0]]),
        Side.RIGHT: np.array([[29.0, -18.0, 14.0]]),
    }
)


def vessels(column: Spine, pelvis: Pelvis | None) -> dict[str, Course]:
    """Return the great vessels, a few mm off the bones.

    The aorta lies left anterolateral down to T11 and in front from T12 to L4; the vena cava lies
    right in front from L1 down. Above a pelvis they divide; without one they run on.
    """
    aorta = [
        _beside(v, _aortic_angle(v), AORTA_RADIUS_MM) for v in column.vertebrae if v.level != "L5"
    ]
    cava = [
        _beside(v, _CAVAL_ANGLE, CAVA_RADIUS_MM)
        for v in column.vertebrae
        if v.level.startswith("L")
    ]
    below: dict[str, Course] = {}
    if pelvis is not None:
        lowest = column.vertebrae[-1]
        top = 0.5 * lowest.shape.size.posterior_height_mm + _HALF_DISC_MM
        aorta.append(_beside(lowest, _aortic_angle(lowest), AORTA_RADIUS_MM, up_mm=top))
        below = _iliac(column, pelvis, aorta[-1], cava[-1])
    trunks = {
        "aorta": (aorta, (AORTA_RADIUS_MM, AORTA_RADIUS_MM)),
        "ivc": (cava, (1.1 * CAVA_RADIUS_MM, 0.9 * CAVA_RADIUS_MM)),
    }
    found = {
        name: _trunk(np.array(places), radii, runs_on=pelvis is None)
        for name, (places, radii) in trunks.items()
        if len(places) > 1
    }
    return {**found, **below}


def _trunk(places: Points, radii: tuple[float, float], *, runs_on: bool) -> Course:
    drawn = extended(places, _BEYOND_MM)
    drawn = drawn if runs_on else drawn[:-1]
    return course(drawn, np.tile(radii, (len(drawn), 1)), side=LEFT, step_mm=_STEP_MM)


def _iliac(column: Spine, pelvis: Pelvis, aortic: Point, caval: Point) -> dict[str, Course]:
    """Return both sides' arteries and veins from where the trunks divide, patient, mm."""
    found = {}
    for side, letter in ((Side.LEFT, "L"), (Side.RIGHT, "R")):
        veins = np.concatenate([_VEIN_BEGINS[side], _VEIN])
        for name, start, places, radius in (
            ("artery", aortic, _ARTERY, ILIAC_ARTERY_MM),
            ("vein", caval, veins, ILIAC_VEIN_MM),
        ):
            mirror = np.array([1.0 if side is Side.LEFT else -1.0, 1.0, 1.0])
            passed = pelvis.pose.points(pelvis.sacrum.scale * mirror * places)
            through = [_in_front(p, column, pelvis, side, radius) for p in passed]
            drawn = np.array([start, *through])
            radii = np.full((len(drawn), 2), radius)
            found[f"iliac_{name}_{letter}"] = course(drawn, radii, side=LEFT, step_mm=_STEP_MM)
    return found


def _in_front(place: Point, column: Spine, pelvis: Pelvis, side: Side, radius_mm: float) -> Point:
    """Return the first place forward of one at which a vessel keeps its gap from the bones."""
    forward = pelvis.pose.vectors(np.array([0.0, -1.0, 0.0]))
    line = place + np.linspace(0.0, 40.0, 81)[:, None] * forward
    bones = (pelvis.field(S1, side), pelvis.field(ILIUM, side), column.vertebrae[-1].distance)
    room = np.min([bone(line) for bone in bones], axis=0)
    return line[int(np.argmax(room >= radius_mm + _GAP_MM))]


def _aortic_angle(vertebra: PlacedVertebra) -> float:
    """Return the aorta's bearing from straight ahead, rad, positive to the left."""
    return 0.18 + 0.72 * (1.0 - vertebra.shape.size.lumbar_character)


def _beside(
    vertebra: PlacedVertebra, bearing: float, radius_mm: float, *, up_mm: float = 0.0
) -> Point:
    """Return a vessel's centre in front of a body, at its gap from the bone."""
    direction = np.array([np.sin(bearing), -np.cos(bearing), 0.0])
    line = np.linspace(10.0, 70.0, 241)[:, None] * direction + np.array([0.0, 0.0, up_mm])
    field = vertebra.shape.body.distance(line)
    return vertebra.pose.points(line[int(np.argmax(field >= radius_mm + _GAP_MM))])
