"""The best path along a screw, and a bound that none exceeds.

A straight needle meets the shaft, bends as tightly as it may, and slides on it: four numbers (see
``_kernels.along``), searched together. Where no elastic bend is safe, a plastic one is tried. The
slack is that to everything but the bar that the needle slides on.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial import HalfspaceIntersection

from geometry import _kernels as mesh_kernels
from geometry.arrays import Point, Points, Rotation, unit
from geometry.distance_field import ceiling_field
from geometry.exact import triangle_tree
from geometry.frames import angle_between
from planner.approach import Gate
from planner.contact import Contact
from planner.needles.model import Needle
from planner.needles.path import Arc, Line, Path
from planner.search import _kernels
from planner.search.curved import CurvedResult
from planner.search.polish import Optimum
from planner.search.scene import REGION_HIGH_MM, REGION_LOW_MM, SPACING_MM, Scene
from planner.target import TargetRegion

AlongNumbers = Float[np.ndarray, " 4"]
MOST_ARRIVAL_RAD = math.radians(20.0)  # DOMAIN 1.3 K7: incidence on metal [A]
MOST_ASKEW_RAD = math.radians(45.0)  # of the bend from the plane through the shaft's axis [A]
CONTACT_TO = 2.0 / 3.0  # of the shaft: proximal or middle (DOMAIN 1.3 K1)
LEAST_SLIDE_MM = 10.0  # beyond the contact point; less is no way along a screw [A]
LEAST_PARALLEL_MM = 2.0  # of needle that lies along the shaft, beyond its bend [A]
PLASTIC = 0.5  # of the tightest elastic radius: how tightly a needle is bent for good [A]
TOLERANCE_MM = 0.25  # gap at which a class counts as closed, unless less is enough
BUDGET_BOXES = 60_000
BATCH = 256
BETTER_MM = 0.02
FLOOR_GAP_MM = 1e-3
SAMPLES, STARTS = 2_000, 3
CLIMBS, CLIMB_WIDTH = 40, 12
SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlongFamily:
    """All paths of one needle along one screw to one target, bent to one radius.

    Attributes:
        gate: The gate; its ``contact`` is the screw.
        scene: Obstacles, the screw's head among them and its shaft not, and skin.
        axes: Of the screw's frame (rows), LPS: outward, cranial, along the shaft.
        arrays: Target, window, skin and length for compiled code.
        along: Screw and bend for compiled code.
        root: A box (centre, then half-widths) that holds every path.
    """

    gate: Gate
    scene: Scene
    axes: Rotation
    arrays: _kernels.Family
    along: _kernels.Along
    root: Float[np.ndarray, " 8"]

    @property
    def contact(self) -> Contact:
        """The screw."""
        return contact_of(self.gate)

    def slacks(
        self, paths: Float[np.ndarray, "n 4"], worth_mm: float = -mesh_kernels.FAR
    ) -> Float[np.ndarray, " n"]:
        """Return the slack of each path; hugely negative where it is no path of the family.

        Slacks of at most ``worth_mm`` may be too large.
        """
        found = np.empty(len(paths))
        _kernels.along_sample(
            self.arrays, self.scene.space, self.along, np.ascontiguousarray(paths), worth_mm, found
        )
        return found

    def path(self, x: AlongNumbers) -> Path | None:
        """Return path ``x`` in patient LPS, skin to tip: line, arc and line."""
        slack, tip = _kernels.along_slack(
            self.arrays, self.scene.space, self.along, x, -mesh_kernels.FAR
        )
        if slack <= -mesh_kernels.FAR:
            return None
        begin, theta = float(x[1]), float(x[2])
        bent = begin - self.along.bend * math.sin(theta)
        back, bend, slide, end = (self._at(x, w) for w in (bent - 30.0, bent, begin, tip))
        entry = self._entry(bend, unit(bend - back))
        last = Line(start_mm=slide, end_mm=end)
        if self.along.bend * theta < 1e-3:
            return Line(start_mm=entry, end_mm=bend), last
        out = bend - slide
        outward = unit(out - (out @ self.axes[2]) * self.axes[2])
        arc = Arc(
            start_mm=bend, end_mm=slide, centre_mm=slide + self.along.bend * outward,
            radius_mm=self.along.bend, angle_rad=theta,
        )  # fmt: skip
        return Line(start_mm=entry, end_mm=bend), arc, last

    def _at(self, x: AlongNumbers, station: float) -> Point:
        point = np.empty(3)
        _kernels.at_station(self.along, x, station, point)
        patient: Point = self.contact.screw.head_mm + point @ self.axes
        return patient

    def _entry(self, within: Point, ahead: Point) -> Point:
        frame = self.scene.from_patient
        start, step = frame.points(within), frame.vectors(ahead)
        t = float(_kernels.skin_exit(self.arrays, self.scene.skin.tree, start, step))
        return within + t * ahead


def contact_of(gate: Gate) -> Contact:
    """Return the screw of a gate whose paths slide along one.

    Raises:
        ValueError: If they do not.
    """
    if gate.contact is None:
        raise ValueError(f"{gate.approach} paths slide along no screw")
    return gate.contact


def scene_at(scene: Scene, contact: Contact) -> Scene:
    """Return a scene in which a screw may be touched: without its shaft, its head at no distance.

    Args:
        scene: Obstacles and skin, the whole screw among them.
        contact: The screw.
    """
    tree, own = scene.tree, scene.names.index(contact.screw.structure)
    others = tree.owner != own
    head = np.empty((0, 3, 3))
    if contact.head is not None:
        head = contact.head.mesh.moved(scene.from_patient).corners
    apart = triangle_tree(
        np.concatenate([tree.corners[others], head]),
        np.concatenate([tree.offset[others], np.zeros(len(head))]),
        np.concatenate([tree.owner[others], np.full(len(head), own)]),
    )
    field = ceiling_field(
        apart, low_mm=REGION_LOW_MM, high_mm=REGION_HIGH_MM, spacing_mm=SPACING_MM
    )
    return replace(scene, tree=apart, field=field)


def along_family(
    gate: Gate, scene: Scene, target: TargetRegion, needle: Needle, bend_mm: float
) -> AlongFamily:
    """Gather screw, gate, target and needle for the compiled search.

    Args:
        gate: Its ``contact`` is the screw.
        scene: ``scene_at`` it.
        target: Where the tip must end.
        needle: The needle.
        bend_mm: Radius that it is bent to.

    Raises:
        ValueError: If the gate's paths slide along no screw.
    """
    contact = contact_of(gate)
    axes = _screw_axes(gate, contact)
    head, frame = contact.screw.head_mm, scene.from_patient
    normals = np.ascontiguousarray(target.normals @ axes.T)
    offsets = np.ascontiguousarray(target.offsets - target.normals @ head)
    corners = _corners(normals, offsets, axes @ (target.centre_mm - head))
    held = scene.held(
        frame.points(head + corners @ axes), frame.vectors(target.normals),
        target.offsets - target.normals @ frame.inverse().points(np.zeros(3)),
    )  # fmt: skip
    placed, unused = frame.vectors(axes), np.zeros((2, 2))
    arrays = _kernels.Family(
        frame.points(head), placed[0].copy(), placed[1].copy(), placed[2].copy(), 0.0, unused,
        np.ascontiguousarray(gate.edges), normals, offsets, scene.skin.present,
        scene.skin.plane_normal, float(scene.skin.plane_offset_mm), float(needle.usable_length_mm),
        scene.holders or scene.tree, held.field.grid, held.everywhere,
    )  # fmt: skip
    lean = angle_between(gate.axes[2], axes[2]) + MOST_ARRIVAL_RAD
    along = _kernels.Along(
        contact.radius_mm + needle.radius_mm, float(bend_mm), 0.0,
        CONTACT_TO * contact.length_mm, LEAST_SLIDE_MM, LEAST_PARALLEL_MM,
        MOST_ARRIVAL_RAD, MOST_ASKEW_RAD,
        np.ascontiguousarray(axes @ (gate.origin_mm - head)),
        np.ascontiguousarray(gate.axes @ axes.T), 1.0 + 1.0 / math.cos(lean),
    )  # fmt: skip
    low = np.array([-math.pi, along.first, 0.0, -MOST_ASKEW_RAD])
    high = np.array([math.pi, 2.0 * contact.length_mm, MOST_ARRIVAL_RAD, MOST_ASKEW_RAD])
    return AlongFamily(
        gate=gate, scene=scene, axes=axes, arrays=arrays, along=along,
        root=np.concatenate([(low + high) / 2.0, (high - low) / 2.0]),
    )  # fmt: skip


def _screw_axes(gate: Gate, contact: Contact) -> Rotation:
    """Return outward, cranial and along-the-shaft axes; like the gate's, mirrored by side."""
    along = contact.along
    outward = unit(gate.axes[0] - (gate.axes[0] @ along) * along)
    cranial = np.cross(along, outward)
    return np.stack([outward, cranial if cranial @ gate.axes[1] > 0.0 else -cranial, along])


def _corners(
    normals: Float[np.ndarray, "k 3"], offsets: Float[np.ndarray, " k"], inner: Point
) -> Points:
    return HalfspaceIntersection(np.hstack([normals, -offsets[:, None]]), inner).intersections


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlongSearch:
    """What was found along a screw: the family that the best path belongs to, and the result."""

    family: AlongFamily
    result: CurvedResult


def search_along(
    gate: Gate, scene: Scene, target: TargetRegion, needle: Needle, *, budget: int = BUDGET_BOXES
) -> AlongSearch:
    """Search the paths along a gate's screw: elastic ones, and plastic ones if none is safe.

    Args:
        gate: Its ``contact`` is the screw.
        scene: ``scene_at`` it.
        target: Where the tip must end.
        needle: The needle.
        budget: Largest number of boxes, for either.

    Raises:
        ValueError: If the gate's paths slide along no screw.
    """
    found: list[AlongSearch] = []
    for share in (1.0, PLASTIC):
        family = along_family(gate, scene, target, needle, share * needle.elastic_radius_mm)
        result = search_bent(family, radius_mm=needle.radius_mm, budget=budget)
        found.append(AlongSearch(family=family, result=result))
        if _best(result) >= needle.radius_mm:
            break
    safest = max(found, key=lambda one: _best(one.result))
    settled: dict[str, int] = {}
    for one in found:
        for name, count in one.result.settled_by.items():
            settled[name] = settled.get(name, 0) + count
    return replace(
        safest,
        result=replace(
            safest.result, settled_by=settled,
            upper_bound_mm=max(one.result.upper_bound_mm for one in found),
            closed=all(one.result.closed for one in found),
            boxes_examined=sum(one.result.boxes_examined for one in found),
        ),
    )  # fmt: skip


def _best(result: CurvedResult) -> float:
    return result.optima[0].slack_mm if result.optima else -mesh_kernels.FAR


def search_bent(
    family: AlongFamily, *, radius_mm: float, budget: int = BUDGET_BOXES
) -> CurvedResult:
    """Search one family for the largest slack by branch and bound, a batch of boxes at a time.

    Args:
        family: The paths.
        radius_mm: Radius of the needle: slack below it is infeasible, and proving that is enough.
        budget: Largest number of boxes.
    """
    names = family.scene.names
    best, incumbent = _started(family)
    owners = np.zeros(max(len(names), 1), dtype=np.int64)
    boxes, bound = family.root[None], np.array([mesh_kernels.FAR])
    axis, kept = np.zeros(1, dtype=np.int64), np.full((1, _kernels.KEPT, 6), -1.0)
    examined, dropped = 0, -mesh_kernels.FAR
    while True:
        floor = radius_mm - FLOOR_GAP_MM
        enough = best + TOLERANCE_MM if best >= floor else floor
        done = bound <= enough
        dropped = max(dropped, float(bound[done].max(initial=-mesh_kernels.FAR)))
        boxes, bound, axis, kept = boxes[~done], bound[~done], axis[~done], kept[~done]
        if len(bound) == 0 or examined >= budget:
            break
        order = np.argsort(-bound, kind="stable")
        now, later = order[:BATCH], order[BATCH:]
        halves, above = _halved(boxes[now], axis[now]), np.repeat(bound[now], 2)
        told, handed = np.empty((len(halves), 4)), np.repeat(kept[now], 2, axis=0)
        _kernels.examine_many_along(
            family.arrays, family.scene.space, family.along, halves, enough, handed, told
        )
        examined += len(halves)
        here = told[:, 0] > -mesh_kernels.FAR
        settled = told[here, 3]
        np.add.at(owners, settled[settled >= 0.0].astype(np.int64), 1)
        best, incumbent = _improved(family, halves, told[:, 1] * here, best, incumbent)
        boxes = np.concatenate([boxes[later], halves[here]])
        kept = np.concatenate([kept[later], handed[here]])
        bound = np.concatenate([bound[later], np.minimum(told[here, 0], above[here])])
        axis = np.concatenate([axis[later], told[here, 2].astype(np.int64)])
    upper = max(dropped, best, float(bound.max(initial=-mesh_kernels.FAR)))
    found = Optimum(line=incumbent, slack_mm=best, worth_mm=best)
    return CurvedResult(
        optima=(found,) if best > -mesh_kernels.FAR else (), upper_bound_mm=upper,
        closed=len(bound) == 0, boxes_examined=examined,
        settled_by={n: int(c) for n, c in zip(names, owners, strict=False) if c > 0},
    )  # fmt: skip


def _halved(boxes: Float[np.ndarray, "n 8"], axis: np.ndarray) -> Float[np.ndarray, "m 8"]:
    """Return both halves of each box along its axis, one after the other."""
    halves = np.repeat(boxes, 2, axis=0)
    row, along = np.arange(len(halves)), np.repeat(axis, 2)
    halves[row, 4 + along] *= 0.5
    halves[row, along] += np.where(row % 2 == 0, -1.0, 1.0) * halves[row, 4 + along]
    return halves


def _improved(
    family: AlongFamily,
    halves: Float[np.ndarray, "n 8"],
    middle: Float[np.ndarray, " n"],
    best: float,
    incumbent: AlongNumbers,
) -> tuple[float, AlongNumbers]:
    """Return a better path from among the middles of boxes, climbed from, if one is better."""
    likely = np.argsort(-middle, kind="stable")[:STARTS]
    likely = likely[middle[likely] > best + BETTER_MM]
    slack = family.slacks(halves[likely, :4])
    if len(slack) == 0 or slack.max() <= best + BETTER_MM:
        return best, incumbent
    return _climbed(family, halves[likely[int(slack.argmax())], :4])


def _started(family: AlongFamily) -> tuple[float, AlongNumbers]:
    """Return the best path that climbing from the best of a random sample finds."""
    rng = np.random.default_rng(SEED)
    middle, half = family.root[:4], family.root[4:]
    some = middle + half * rng.uniform(-1.0, 1.0, (SAMPLES, 4))
    slack = family.slacks(some)
    order = np.argsort(-slack, kind="stable")[:STARTS]
    climbed = [_climbed(family, some[i]) for i in order if slack[i] > -mesh_kernels.FAR]
    return max(climbed, key=lambda one: one[0], default=(-mesh_kernels.FAR, middle))


def _climbed(family: AlongFamily, start: AlongNumbers) -> tuple[float, AlongNumbers]:
    """Climb from a path by random steps that grow finer; return where it leads, and its slack."""
    rng, width = np.random.default_rng(SEED), 0.1 * family.root[4:]
    where, best = start, float(family.slacks(start[None])[0])
    for _ in range(CLIMBS):
        tried = where + width * rng.normal(size=(CLIMB_WIDTH, 4))
        slack = family.slacks(tried, best)
        i = int(slack.argmax())
        if slack[i] > best:
            where, best = tried[i], float(slack[i])
        else:
            width = 0.6 * width
    return best, where
