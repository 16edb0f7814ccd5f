"""From where a picture is taken: parallel projections, and where points fall on them.

All pictures are parallel projections, so a length means the same everywhere in one picture and
marks can be placed over it without asking the renderer.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from geometry.arrays import Point, Points, Vector, frozen, unit
from planner.fluoroscopy.c_arm import beam_from_angles
from planner.result import Plan, View, ViewRole
from preview.scene import DrawnNeedle, Scene

Picture: TypeAlias = UInt8[np.ndarray, "height width 3"]

# What is framed, enlarged: more upwards, where a title lies over the picture.
MARGIN_ACROSS = 1.08
MARGIN_UP = 1.22
SMALLEST_HALF_HEIGHT_MM = 35.0
SECTION_DEPTH_MM = 45.0  # how much is shown behind a cut
_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))  # positive and negative of x, y, z
_LEAST_SHARE = 0.38  # of a direction that an axis must have to be named (22.5 degrees)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Viewpoint:
    """One parallel projection.

    Attributes:
        title: What the picture is, in a few words.
        towards: Unit vector from the anatomy to the viewer, LPS.
        up: Unit vector up on the picture, LPS, square to ``towards``.
        centre_mm: Point in the picture's middle, LPS.
        half_height_mm: From the middle to the upper edge.
        cut_mm: A point on the plane, square to ``towards``, in front of which anatomy is cut
            away; None for no cut.
    """

    title: str
    towards: Vector
    up: Vector
    centre_mm: Point
    half_height_mm: float
    cut_mm: Point | None = None

    @property
    def right(self) -> Vector:
        """Unit vector to the right on the picture, LPS."""
        return np.cross(self.up, self.towards)

    def on_picture(self, points: Points, size: tuple[int, int]) -> Float[np.ndarray, "n 2"]:
        """Return pixel positions (right, down) of points on a picture of ``size`` pixels."""
        width, height = size
        scale = height / (2.0 * self.half_height_mm)
        offset = points - self.centre_mm
        return np.column_stack([
            width / 2.0 + scale * (offset @ self.right),
            height / 2.0 - scale * (offset @ self.up),
        ])  # fmt: skip

    def edge_letters(self) -> dict[str, str]:
        """Return the patient's directions at the picture's edges, such as ``{"left": "RA"}``."""
        return {
            "left": direction_letters(-self.right),
            "right": direction_letters(self.right),
            "top": direction_letters(self.up),
            "bottom": direction_letters(-self.up),
        }


def direction_letters(direction: Vector) -> str:
    """Name a patient direction by L R A P H F, the larger share first, as DICOM does."""
    shares = unit(direction)
    largest_first = sorted(range(3), key=lambda axis: -abs(float(shares[axis])))
    named = [axis for axis in largest_first if abs(float(shares[axis])) >= _LEAST_SHARE]
    return "".join(_LETTERS[axis][0 if shares[axis] > 0.0 else 1] for axis in named[:2])


def viewpoints_of(scene: Scene, plan: Plan | None, aspect: float) -> tuple[Viewpoint, ...]:
    """Return the four viewpoints of a page: oblique, bull's-eye, lateral, and section.

    Args:
        scene: What is shown.
        plan: For the bull's-eye as planned; without needles a view from behind takes its place.
        aspect: Width over height of a picture.
    """
    left, posterior, superior = scene.axes
    first = scene.needles[0] if scene.needles else None
    side = _hub_side(scene, first)
    oblique = unit(0.80 * posterior + 0.52 * side * left + 0.42 * superior)
    everything = _everything(scene)
    return (
        framed("Posterior oblique", oblique, superior, everything, aspect),
        _barrel(scene, plan, aspect),
        framed(
            f"Lateral, seen from the {'left' if side > 0 else 'right'}",
            side * left, superior, everything, aspect,
        ),
        _section(scene, first, aspect),
    )  # fmt: skip


def _everything(scene: Scene) -> Points:
    return np.concatenate([scene.framed_mm, *(n.drawn_mm for n in scene.needles)])


def _hub_side(scene: Scene, needle: DrawnNeedle | None) -> float:
    """Return +1 if the needle comes in from the patient's left (or there is none), else -1."""
    if needle is None:
        return 1.0
    inward = needle.points_mm[-1] - needle.points_mm[0]
    return -1.0 if float(inward @ scene.axes[0]) > 0.0 else 1.0


def _barrel(scene: Scene, plan: Plan | None, aspect: float) -> Viewpoint:
    _, posterior, superior = scene.axes
    view = _planned_view(plan, ViewRole.BULLS_EYE)
    if view is None or not scene.needles:
        return framed("From behind", posterior, superior, scene.framed_mm, aspect)
    beam = beam_from_angles(view.primary_rad, view.secondary_rad)
    points = np.concatenate([scene.framed_mm, scene.needles[0].drawn_mm])
    title = f"Bull's-eye of needle {scene.needles[0].rank}: {view.label}"
    return framed(title, beam, superior, points, aspect)


def _planned_view(plan: Plan | None, role: ViewRole) -> View | None:
    views = plan.trajectories[0].views if plan and plan.trajectories else ()
    return next((view for view in views if view.role is role), None)


def _section(scene: Scene, needle: DrawnNeedle | None, aspect: float) -> Viewpoint:
    """Return the cut that holds the needle and runs from side to side, seen from the feet."""
    left, posterior, superior = scene.axes
    everything = _everything(scene)
    if needle is None:
        middle = scene.framed_mm.mean(axis=0) if scene.target_mm is None else scene.target_mm
        return framed("Section, seen from the feet", -superior, -posterior, everything, aspect,
                       cut_mm=middle)  # fmt: skip
    along = unit(needle.points_mm[-1] - needle.points_mm[0])
    across = left - float(left @ along) * along
    normal = superior if float(np.linalg.norm(across)) < 1e-6 else unit(np.cross(along, across))
    towards = normal if float(normal @ superior) < 0.0 else -normal
    title = f"Section along needle {needle.rank}, seen from the feet"
    return framed(title, towards, -posterior, everything, aspect, cut_mm=needle.points_mm[-1])


def framed(
    title: str, towards: Vector, up: Vector, points: Points, aspect: float,
    *, cut_mm: Point | None = None,
) -> Viewpoint:  # fmt: skip
    """Return the viewpoint that shows all ``points``, with ``up`` made square to ``towards``.

    Args:
        title: What the picture is.
        towards: From the anatomy to the viewer, LPS.
        up: Roughly up on the picture, LPS.
        points: What must be seen, shape (n, 3), LPS mm.
        aspect: Width over height of the picture.
        cut_mm: A point to cut at, if the picture is a section.
    """
    towards = unit(towards)
    upward = unit(up - float(up @ towards) * towards)
    right = np.cross(upward, towards)
    flat = np.column_stack([points @ right, points @ upward, points @ towards])
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    return Viewpoint(
        title=title,
        towards=frozen(towards),
        up=frozen(upward),
        centre_mm=frozen(middle[0] * right + middle[1] * upward + middle[2] * towards),
        half_height_mm=max(
            SMALLEST_HALF_HEIGHT_MM, MARGIN_UP * half[1], MARGIN_ACROSS * half[0] / aspect
        ),
        cut_mm=None if cut_mm is None else frozen(cut_mm),
    )
