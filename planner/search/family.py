"""The four numbers of a line, and what they mean in the patient.

``x = (a, b, c, d)``: the line pierces the gate plane at (a lateral, b cranial) mm and the aim
plane, parallel to it through the target, at (c, d) mm (see ``_kernels``).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import HalfspaceIntersection

from geometry._kernels import FAR
from geometry.arrays import Point, Points, frozen
from planner.approach import Gate
from planner.needles.path import Line, Path
from planner.search import _kernels
from planner.search.faces import Face, faces_of
from planner.search.scene import Scene
from planner.target import TargetRegion

Numbers = Float[np.ndarray, " 4"]
LEAST_REACH_MM = 5.0  # the aim plane lies at least this far beyond the gate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineFamily:
    """All straight paths through one gate to one target, no longer than a needle.

    Attributes:
        gate: The gate.
        scene: Obstacles and skin.
        arrays: The same for compiled code, in the scene's frame.
        aim_low: Least (lateral, cranial) at which a line that hits the target meets the aim plane.
        aim_high: Greatest of the same.
        faces: The same lines by the face of the target through which they enter it.
        preferred: The line that equally safe ones lean towards: mid-window to mid-target.
        corners: Corners of the target region, gate coordinates.
    """

    gate: Gate
    scene: Scene
    arrays: _kernels.Family
    aim_low: Float[np.ndarray, " 2"]
    aim_high: Float[np.ndarray, " 2"]
    faces: tuple[Face, ...]
    preferred: Numbers
    corners: Points

    def slack(self, x: Numbers) -> float:
        """Return the slack of line ``x``; hugely negative where it is no path of the family."""
        value, *_ = _kernels.line_slack(self.arrays, self.scene.space, x, -FAR)
        return float(value)

    def ends(self, x: Numbers) -> tuple[Point, Point] | None:
        """Return skin entry and tip of line ``x``, scene frame, or None if it is no path."""
        value, t_tip, t_skin, _ = _kernels.line_slack(self.arrays, self.scene.space, x, -FAR)
        if value <= -FAR:
            return None
        start, step = _kernels.line_points(self.arrays, x)
        return start + t_skin * step, start + t_tip * step

    def path(self, x: Numbers) -> Path | None:
        """Return line ``x`` as a path in patient LPS, skin to tip."""
        ends = self.ends(x)
        if ends is None:
            return None
        entry, tip = self.scene.from_patient.inverse().points(np.stack(ends))
        return (Line(start_mm=entry, end_mm=tip),)

    @property
    def face_arrays(self) -> _kernels.Faces:
        """The faces for compiled code."""
        counts = np.cumsum([0, *(len(face.rules) for face in self.faces)])
        return _kernels.Faces(
            np.array([face.origin for face in self.faces]).reshape(-1, 3),
            np.array([face.axes for face in self.faces]).reshape(-1, 2, 3),
            np.array([face.tip for face in self.faces]),
            np.concatenate([np.empty((0, 5)), *(face.rules for face in self.faces)]),
            counts,
        )

    @property
    def roots(self) -> Float[np.ndarray, "n 8"]:
        """Return a box (centre, then half-widths) of each face that holds all of its lines."""
        low = np.array([face.low for face in self.faces]).reshape(-1, 4)
        high = np.array([face.high for face in self.faces]).reshape(-1, 4)
        return np.hstack([(low + high) / 2.0, (high - low) / 2.0])

    def root_box(self) -> Float[np.ndarray, " 8"]:
        """Return a box (centre, then half-widths) that holds every line of the family."""
        low_a, low_b, high_a, high_b = self.gate.window.bounds
        low = np.array([low_a, low_b, *self.aim_low])
        high = np.array([high_a, high_b, *self.aim_high])
        return np.concatenate([(low + high) / 2.0, (high - low) / 2.0])


def line_family(
    gate: Gate, scene: Scene, target: TargetRegion, usable_length_mm: float
) -> LineFamily:
    """Gather a gate, a target and a needle's length for the compiled search."""
    frame = scene.from_patient
    axes = frame.vectors(gate.axes)
    normals = np.ascontiguousarray(target.normals @ gate.axes.T)
    offsets = np.ascontiguousarray(target.offsets - target.normals @ gate.origin_mm)
    centre = gate.coordinates(target.centre_mm)
    reach = max(float(centre[2]), LEAST_REACH_MM)
    cone = np.array([gate.lateral_slopes, gate.cranial_slopes])
    corners = _corners(normals, offsets, centre)
    low, high = _aims(corners, reach, cone)
    held = scene.held(
        frame.points(gate.origin_mm + corners @ gate.axes), frame.vectors(target.normals),
        target.offsets - target.normals @ frame.inverse().points(np.zeros(3)),
    )  # fmt: skip
    arrays = _kernels.Family(
        frame.points(gate.origin_mm), axes[0].copy(), axes[1].copy(), axes[2].copy(), reach, cone,
        np.ascontiguousarray(gate.edges), normals, offsets, scene.skin.present,
        frozen(scene.skin.plane_normal), float(scene.skin.plane_offset_mm), float(usable_length_mm),
        scene.holders or scene.tree, held.field.grid, held.everywhere,
    )  # fmt: skip
    middle = np.array(gate.uncut.centroid.coords[0])
    return LineFamily(
        gate=gate, scene=scene, arrays=arrays, aim_low=low, aim_high=high,
        faces=faces_of(gate.window, cone, normals, offsets, corners, reach),
        preferred=np.concatenate([middle, centre[:2]]), corners=corners,
    )  # fmt: skip


def _corners(
    normals: Float[np.ndarray, "k 3"], offsets: Float[np.ndarray, " k"], inner: Point
) -> Points:
    """Return the corners of the target region, gate coordinates."""
    return HalfspaceIntersection(np.hstack([normals, -offsets[:, None]]), inner).intersections


def _aims(
    corners: Points, reach: float, cone: Float[np.ndarray, "2 2"]
) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
    """Bound where lines of the cone that touch the region's box meet the aim plane."""
    depth = reach - np.array([max(corners[:, 2].min(), 0.0), corners[:, 2].max()])
    shifts = np.array([[d * slope for d in depth for slope in cone[k]] for k in range(2)])
    low = corners[:, :2].min(axis=0) + np.minimum(shifts.min(axis=1), 0.0)
    high = corners[:, :2].max(axis=0) + np.maximum(shifts.max(axis=1), 0.0)
    return low, high
