"""How safe the best path from each place of the skin is: a map to choose an entry from.

Entries lie in a fan of directions from the target's middle. From each, lines to a lattice on the
aim plane are tried, the most promising measured exactly, and those near the best of them too. So
every margin is that of a path which is named with it: an achieved value and no bound, and a better
path from there is not excluded. Proofs are for plans.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from geometry._kernels import FAR
from geometry.arrays import Point, Points
from planner.anatomy.model import Unavailable
from planner.approach import CONVERGENCE_RAD, TILT_RAD
from planner.case import Side
from planner.errors import RequestError
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.planning import scene_of
from planner.policy import meant_to_pass
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import Approach, PlanRequest
from planner.search import _kernels
from planner.search.family import LineFamily, Numbers, line_family
from planner.search.scene import Scene
from planner.verify import clearances, least_margin

LATTICE_MM = 4.0  # between the lines that are tried, on the aim plane
FINER = 3  # the lattice about the best line has this many steps between two of the first
MEASURED = 4  # of the lines from one place, so many are measured exactly in each round
SAME_ENTRY_MM = 1.0  # a line that leaves the skin further away enters elsewhere


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EntryPoint:
    """One place of the skin, and the best path that was found from it.

    Attributes:
        entry_mm: The place, patient LPS.
        margin_mm: The path's smallest (distance - required distance), needle's surface to
            structures with a hard limit, negative where it breaks one; None where no path of any
            way that was asked for leads from here to the target.
        limiting_structure: What that margin is to; None without a path.
        tip_mm: Where the path ends, patient LPS; None without a path.
        approach: Its approach; None without a path.
        side: Its side; None without a path.
        needle: The name of its needle; None without a path.
    """

    entry_mm: Point
    margin_mm: float | None = None
    limiting_structure: str | None = None
    tip_mm: Point | None = None
    approach: Approach | None = None
    side: Side | None = None
    needle: str | None = None


class _Found(NamedTuple):
    """The best line of a place so far; ``room_mm`` is its margin, but for depths inside others."""

    family: LineFamily
    needle: Needle
    line: Numbers
    room_mm: float


def skin_map(
    prepared: PreparedCase, request: PlanRequest, step_rad: float
) -> tuple[EntryPoint, ...]:
    """Find the best straight path from places all over the skin behind a target.

    Args:
        prepared: The case.
        request: The target, and the approaches, sides, needles and policy to reach it with. Curved
            needles and paths along screws are left out; of needles, those that another one is as
            thin and as long as.
        step_rad: Angle between neighbouring entries, seen from the target's middle.

    Returns:
        Every place where a direction of the fan meets the skin, in the fan's order.

    Raises:
        RequestError: If the request names what the case or the catalogues do not have, or the
            target's region cannot be derived.
    """
    question = question_of(prepared, request)
    region = question.region
    if isinstance(region, Unavailable):
        raise RequestError(
            f"cannot be mapped: {region.reason}", field="target", code="anatomy-unavailable"
        )
    needles = [needle_named(n, field=f"needles[{i}]") for i, n in enumerate(request.needles)]
    scene = scene_of(question, region)
    classes, _ = gates_for(question, request.approaches, request.sides, _least_hindered(needles))
    families = [
        (needle, line_family(gate, scene, region, needle.usable_length_mm))
        for gate, needle in classes
        if gate.contact is None and not gate.window.is_empty
    ]
    middle = scene.from_patient.points(region.centre_mm[None])[0]
    if not families:
        return ()
    entries = np.array(list(_entries(families[0][1], scene, middle, step_rad))).reshape(-1, 3)
    best: list[_Found | None] = [None] * len(entries)
    for needle, family in families:
        for i, line in enumerate(_best_lines(family, entries)):
            if line is None:
                continue
            found = _Found(family, needle, line, family.slack(line) - needle.radius_mm)
            known = best[i]
            best[i] = found if known is None or found.room_mm > known.room_mm else known
    places = scene.from_patient.inverse().points(entries)
    return tuple(_measured(question, p, one) for p, one in zip(places, best, strict=True))


def _least_hindered(needles: Sequence[Needle]) -> list[Needle]:
    """Return the straight needles that no other is both as thin and as long as."""
    straight = [n for n in needles if n.curved is None]
    order = sorted(straight, key=lambda n: (n.radius_mm, -n.usable_length_mm))
    return [
        n
        for i, n in enumerate(order)
        if all(other.usable_length_mm < n.usable_length_mm for other in order[:i])
    ]


def _entries(family: LineFamily, scene: Scene, middle: Point, step_rad: float) -> Iterator[Point]:
    """Yield where a fan of directions from the target's middle leaves the body, scene frame."""
    most = CONVERGENCE_RAD[1]
    for lateral in _angles(most, step_rad):
        for cranial in _angles(TILT_RAD, step_rad):
            step = np.array([-math.tan(lateral), -1.0, -math.tan(cranial)])
            t = _kernels.skin_exit(family.arrays, scene.skin.tree, middle, step)
            if t <= 0.0:
                yield middle + t * step


def _angles(most: float, step: float) -> Float[np.ndarray, " n"]:
    """Return angles a step apart, the same to both sides of 0, none beyond ``most``."""
    count = math.floor(most / step + 1e-9)
    return step * np.arange(-count, count + 1)


def _best_lines(family: LineFamily, entries: Points) -> list[Numbers | None]:
    """Return the best line found from each entry (scene frame), None where there is none."""
    at = _in_gate(family, entries)
    steps = [_lattice(a, b) for a, b in zip(family.aim_low, family.aim_high, strict=True)]
    everywhere = _pairs(*steps)
    finer = LATTICE_MM / FINER * np.arange(1 - FINER, FINER)
    near = _pairs(finer, finer)
    found = []
    for entry, seen in zip(entries, at, strict=True):
        line = _best_line(family, entry, _lines(family, seen, everywhere))
        if line is not None:
            line = _best_line(family, entry, _lines(family, seen, line[2:] + near))
        found.append(line)
    return found


def _pairs(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "k 2"]:
    """Return every pair of two rows of numbers."""
    return np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)


def _in_gate(family: LineFamily, points: Points) -> Points:
    """Return scene points in gate coordinates (lateral, cranial, along), mm."""
    arrays = family.arrays
    axes = np.stack([arrays.lateral, arrays.cranial, arrays.axis])
    return (points - arrays.origin) @ axes.T


def _lattice(low: float, high: float) -> Float[np.ndarray, " n"]:
    return np.linspace(low, high, max(2, math.ceil((high - low) / LATTICE_MM) + 1))


def _lines(
    family: LineFamily, entry: Point, aims: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "m 4"]:
    """Return the lines from an entry (gate coordinates) to places on the aim plane.

    Only those through the window's box, in the cone; none if the entry is not behind the gate.
    """
    if entry[2] >= 0.0:
        return np.empty((0, 4))
    reach = family.arrays.reach
    share = -entry[2] / (reach - entry[2])
    gates = entry[:2] + share * (aims - entry[:2])
    slopes = (aims - gates) / reach
    low_a, low_b, high_a, high_b = family.gate.window.bounds
    cone = family.arrays.cone
    fits = (
        ((gates >= [low_a, low_b]) & (gates <= [high_a, high_b])).all(axis=1)
        & ((slopes >= cone[:, 0]) & (slopes <= cone[:, 1])).all(axis=1)
    )  # fmt: skip
    return np.ascontiguousarray(np.hstack([gates, aims])[fits])


def _best_line(family: LineFamily, entry: Point, lines: Float[np.ndarray, "n 4"]) -> Numbers | None:
    """Return the line with the most slack that enters at ``entry`` (scene frame)."""
    space = family.scene.space
    likely = np.empty(len(lines))
    _kernels.estimate(family.arrays, space.grid, space.skin, lines, likely)
    order = np.argsort(-likely, kind="stable")[:MEASURED]
    chosen = lines[order[likely[order] > -FAR]]
    slack = np.empty(len(chosen))
    _kernels.sample(family.arrays, space, chosen, slack)
    for i in np.argsort(-slack, kind="stable"):
        ends = family.ends(chosen[i])
        if ends is not None and float(np.linalg.norm(ends[0] - entry)) < SAME_ENTRY_MM:
            line: Numbers = chosen[i]
            return line
    return None


def _measured(question: Question, entry: Point, found: _Found | None) -> EntryPoint:
    """Measure what was found from a place on the original meshes, as a plan's paths are."""
    path = None if found is None else found.family.path(found.line)
    if found is None or path is None:
        return EntryPoint(entry_mm=entry)
    prepared, gate = question.prepared, found.family.gate
    through = meant_to_pass(prepared.case, question.bone)
    measured = clearances(prepared, path, found.needle, question.policy, through)
    margin, limiting = least_margin(measured)
    return EntryPoint(
        entry_mm=entry, margin_mm=margin, limiting_structure=limiting, tip_mm=path[-1].end_mm,
        approach=gate.approach, side=gate.side, needle=found.needle.name,
    )  # fmt: skip
