"""What a proof must be about: the statement that a case and a request imply, derived anew.

Everything here is compared with the proof, to ``EQUAL_MM``; that what is stated also holds for
every line is shown in ``check``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import shapely
from jaxtyping import Float
from numpy.typing import ArrayLike

from geometry.arrays import Point, Points, Vector
from geometry.exact import MeshDistance
from planner.anatomy.model import Unavailable
from planner.approach import Gate
from planner.case import Case, Kind, Side
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.policy import meant_to_pass
from planner.prepared import PreparedCase
from planner.proof import ClassProof, FamilyProof, Leaves, Proof, Unsearched, structure_digest
from planner.question import STAND_OFF_MM, Question, question_of
from planner.request import Approach, PlanRequest
from planner.result import Status
from planner.target import TargetRegion

EQUAL_MM = 1e-6
EQUAL = 1e-8  # of directions and slopes
ROUNDING_MM = 1e-9  # what float64 may make of the same number on two ways
Key = tuple[Approach, Side, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """The surfaces of a case as one question sees them, patient LPS.

    Attributes:
        question: The question.
        corners: Corners of the faces of every structure, in the case's order, mm.
        required_mm: Required distance of every structure; nan where it is no obstacle.
        obstacles: The obstacles and their required distances, mm.
        holders: Where a needle may end; empty where the bone has no inside.
        skins: Where a path enters.
        behind: Where there is no skin, a path enters at the plane ``posterior @ p = offset``.
    """

    question: Question
    corners: tuple[Float[np.ndarray, "_ 3 3"], ...]
    required_mm: Float[np.ndarray, " k"]
    obstacles: tuple[tuple[MeshDistance, float], ...]
    holders: tuple[MeshDistance, ...]
    skins: tuple[MeshDistance, ...]
    behind: tuple[Vector, float]

    def surface_points(self, leaves: Leaves) -> tuple[Points, Float[np.ndarray, " m"]]:
        """Return each witness's point, and what its obstacle requires, mm; nan if there is none."""
        counts = np.array([len(corners) for corners in self.corners])
        structure = np.minimum(leaves.structure, len(counts) - 1)
        there = (leaves.structure == structure) & (leaves.face < counts[structure])
        place = np.where(there, (np.cumsum(counts) - counts)[structure] + leaves.face, 0)
        v0, v1, v2 = np.moveaxis(np.concatenate(self.corners)[place], 1, 0)
        points = v0 + leaves.uv[:, :1] * (v1 - v0) + leaves.uv[:, 1:] * (v2 - v0)
        return points, np.where(there, self.required_mm[structure], np.nan)


def space_of(prepared: PreparedCase, request: PlanRequest) -> Space:
    """Return the surfaces that a request is about.

    Raises:
        RequestError: If it names what the case or the catalogues do not have.
    """
    case, question = prepared.case, question_of(prepared, request)
    bone, posterior = question.bone, question.axes[1]
    through = meant_to_pass(case, bone)
    hard = [
        None if s.name in through else question.policy.rule_of(s).hard_mm
        for s in case.structures
    ]  # fmt: skip
    measured = zip(case.structures, hard, strict=True)
    holders = [bone, *case.of_kind(Kind.HALO, Kind.LESION)] if bone.mesh.is_closed else []
    return Space(
        question=question,
        corners=tuple(s.mesh.corners for s in case.structures),
        required_mm=np.array([np.nan if h is None else h for h in hard]),
        obstacles=tuple((prepared.distance(s), h) for s, h in measured if h is not None),
        holders=tuple(prepared.distance(s) for s in holders if s.mesh.is_closed),
        skins=tuple(prepared.distance(s) for s in case.of_kind(Kind.SKIN)),
        behind=(posterior, float((bone.mesh.vertices @ posterior).max()) + STAND_OFF_MM),
    )


def identity_failures(case: Case, request: PlanRequest, proof: Proof) -> Iterator[str]:
    """Say where case, request or a surface is not the one that the proof is about."""
    if proof.case_digest != case.digest:
        yield "the proof is about another case: its digest differs"
    if proof.request_digest != request.digest:
        yield "the proof is about another request: its digest differs"
    there = [(s.name, structure_digest(s.mesh)) for s in case.structures]
    proved = [(s.name, s.digest) for s in proof.structures]
    if there != proved:
        names = sorted({name for name, _ in {*there} ^ {*proved}})
        yield f"the case's structures are not the proof's: {', '.join(names) or 'their order'}"


def statement_failures(space: Space, request: PlanRequest, proof: Proof) -> Iterator[str]:
    """Say which class is not stated once, or not as case and request imply it."""
    gates, gateless = _asked(space.question, request)
    claims = {_key(claim): claim for claim in proof.classes}
    stated = [*map(_key, proof.classes), *map(_key, proof.unsearched)]
    for key in sorted({*gates, *gateless, *stated}):
        name, times = " ".join(key), 1 if key in gates or key in gateless else 0
        if stated.count(key) != times:
            yield f"{name}: is in the proof {stated.count(key)} times, not {times}"
        elif (key in claims) != (key in gates):
            wrong = "has a gate but is unsearched" if key in gates else "has no gate, or is bent"
            yield f"{name}: {wrong}"
        elif key in claims:
            gate, needle = gates[key]
            family = _family_of(claims[key], proof)
            said = [*_class_failures(claims[key], family, gate, needle)]
            said += _status_failures(claims[key], request.certificate_tolerance_mm)
            said += _path_failures(space, claims[key], gate, needle)
            if family is not None:
                said += _family_failures(family, space.question, gate, needle)
            yield from (f"{name}: {failure}" for failure in said)
    for k in {*range(len(proof.families))} - {c.family for c in proof.classes}:
        yield f"family {k}: belongs to no class"


def _key(one: ClassProof | Unsearched) -> Key:
    return one.approach, one.side, one.needle


def _asked(
    question: Question, request: PlanRequest
) -> tuple[dict[Key, tuple[Gate, Needle]], set[Key]]:
    """Return the classes that were asked for: those that are proved, and the others.

    The others have no gate, or paths that are bent, which proofs do not hold.
    """
    if isinstance(question.region, Unavailable):
        return {}, {*product(request.approaches, request.sides, request.needles)}
    needles = [needle_named(name, field="needles") for name in request.needles]
    classes, _ = gates_for(question, request.approaches, request.sides, needles)
    gates = {
        (gate.approach, gate.side, n.name): (gate, n)
        for gate, n in classes
        if not n.curved and gate.contact is None
    }
    return gates, {*product(request.approaches, request.sides, request.needles)} - {*gates}


def _family_of(claim: ClassProof, proof: Proof) -> FamilyProof | None:
    return None if claim.family is None else proof.families[claim.family]


def _class_failures(
    claim: ClassProof, family: FamilyProof | None, gate: Gate, needle: Needle
) -> Iterator[str]:
    """A margin is at most the family's slack less the radius; an empty window has no path."""
    if family is None and not gate.window.is_empty:
        yield "its window is not empty, but no family is named"
    if abs(claim.radius_mm - needle.radius_mm) > EQUAL_MM:
        yield f"the needle's radius is {needle.radius_mm} mm, not {claim.radius_mm}"
    slack = -np.inf if family is None else family.upper_bound_mm
    best = -np.inf if claim.best_margin_mm is None else claim.best_margin_mm
    shown, upper = max(slack - needle.radius_mm, best), claim.upper_bound_mm
    if upper < shown - ROUNDING_MM or (upper > shown + EQUAL_MM and shown > -np.inf):
        yield f"its upper bound is {upper} mm, but its family and best margin give {shown}"


def _status_failures(claim: ClassProof, tolerance_mm: float) -> Iterator[str]:
    """The status follows from best margin and upper bound."""
    best, upper, status = claim.best_margin_mm, claim.upper_bound_mm, Status.STOPPED
    if upper < 0.0:
        status = Status.INFEASIBLE
    elif best is not None and best >= 0.0 and upper - best <= tolerance_mm + EQUAL_MM:
        status = Status.FOUND
    if claim.status is not status:
        yield f"its status is {claim.status}, but its numbers say {status}"


def _family_failures(
    family: FamilyProof, question: Question, gate: Gate, needle: Needle
) -> Iterator[str]:
    """The family is that of the gate, the target and the needle's length."""
    region = question.region
    assert isinstance(region, TargetRegion)  # noqa: S101  gates are found for a region only
    stated: list[tuple[str, ArrayLike, ArrayLike, float]] = [
        ("gate's origin", family.origin_mm, gate.origin_mm, EQUAL_MM),
        ("gate's axes", family.axes, gate.axes, EQUAL),
        ("cone's lateral slopes", family.lateral_slopes, gate.lateral_slopes, EQUAL),
        ("cone's cranial slopes", family.cranial_slopes, gate.cranial_slopes, EQUAL),
        ("target's normals", family.normals, region.normals, EQUAL),
        ("target's offsets", family.offsets, region.offsets, EQUAL_MM),
        ("usable length", family.usable_length_mm, needle.usable_length_mm, EQUAL_MM),
    ]
    for what, said, implied, equal in stated:
        if np.shape(said) != np.shape(implied) or not np.allclose(said, implied, 0.0, equal):
            yield f"the {what} in its family is not what the case implies"
    # No disc of this radius lies in one window and not in the other.
    if not family.window.symmetric_difference(gate.window).buffer(-EQUAL_MM).is_empty:
        yield "the window in its family is not what the case implies"


def _path_failures(space: Space, claim: ClassProof, gate: Gate, needle: Needle) -> Iterator[str]:
    """The best path is one of the class, and its margin on the meshes is the one stated."""
    if claim.best_path is None or claim.best_margin_mm is None:
        if claim.best_path is not None or claim.best_margin_mm is not None:
            yield "it has a best margin without a path, or a path without a margin"
        return
    entry, tip = claim.best_path
    distances = [surface.segment(entry, tip).distance_mm - h for surface, h in space.obstacles]
    margin = min(distances, default=np.inf) - needle.radius_mm
    if margin != claim.best_margin_mm and not abs(margin - claim.best_margin_mm) <= EQUAL_MM:
        yield f"its best path has a margin of {margin} mm, not {claim.best_margin_mm}"
    if not _through_gate(gate, entry, tip):
        yield "its best path does not run through the window, within the cone"
    if not _starts_at_skin(space, entry):
        yield "its best path does not start at the skin"
    if not _ends_in_target(space, tip):
        yield "its best path does not end in the target"
    if np.linalg.norm(tip - entry) > needle.usable_length_mm + EQUAL_MM:
        yield "its best path is longer than the needle"


def _through_gate(gate: Gate, entry: Point, tip: Point) -> bool:
    start, end = gate.coordinates(entry), gate.coordinates(tip)
    if start[2] > EQUAL_MM or end[2] < -EQUAL_MM or start[2] >= end[2]:
        return False
    step = (end - start) / (end[2] - start[2])
    pierced = shapely.Point(*(start - start[2] * step)[:2])
    low, high = np.transpose([gate.lateral_slopes, gate.cranial_slopes])
    slopes = np.all((low - EQUAL <= step[:2]) & (step[:2] <= high + EQUAL))
    return bool(slopes) and gate.window.distance(pierced) <= EQUAL_MM


def _starts_at_skin(space: Space, entry: Point) -> bool:
    posterior, offset = space.behind
    off = [abs(skin.point(entry)[0]) for skin in space.skins] or [abs(posterior @ entry - offset)]
    return bool(min(off) <= EQUAL_MM)


def _ends_in_target(space: Space, tip: Point) -> bool:
    region = space.question.region
    if not isinstance(region, TargetRegion) or not region.contains(tip, tolerance_mm=EQUAL_MM):
        return False
    return not space.holders or any(h.point(tip)[0] <= EQUAL_MM for h in space.holders)
