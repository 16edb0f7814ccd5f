"""From finished searches to a proof that stands without them (``planner.proof``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8, UInt16, UInt32

from planner.case import Case
from planner.needles.path import Path, path_chords
from planner.proof import (
    ClassProof,
    FaceProof,
    FamilyProof,
    Leaves,
    Proof,
    StructureDigest,
    Unsearched,
    Why,
    structure_digest,
)
from planner.proof.model import LENGTH_RULE
from planner.result import Certificate, Plan
from planner.search import leaves as searched
from planner.search.branch_and_bound import SearchResult
from planner.search.classes import ClassSearch
from planner.search.family import LineFamily

NO_BOUND_MM = 1e200  # beyond it a bound means that there is no path, or no bound


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedClass:
    """A class that was searched, its certificate, and the path behind its best margin, if any."""

    search: ClassSearch
    certificate: Certificate
    best: Path | None


def proof_of(
    case: Case, plan: Plan, classes: Sequence[ProvedClass], unsearched: Sequence[Unsearched]
) -> Proof:
    """Return the proof of a plan's certificates.

    Args:
        case: The case.
        plan: The plan, for what it says it is about.
        classes: Every class of straight paths that was searched, or whose window is empty.
        unsearched: The others.
    """
    families: dict[int, int] = {}
    proofs: list[FamilyProof] = []
    claims = []
    for one in classes:
        place = None
        if one.search.straight is not None:
            family, result = one.search.straight
            key = id(result)
            if key not in families:
                families[key] = len(proofs)
                proofs.append(_family(case, family, result))
            place = families[key]
        slack = -np.inf if place is None else proofs[place].upper_bound_mm
        claims.append(_class(one, place, slack))
    return Proof(
        case_digest=plan.case_digest, request_digest=plan.request_digest,
        planner_version=plan.planner_version,
        structures=tuple(
            StructureDigest(name=s.name, digest=structure_digest(s.mesh)) for s in case.structures
        ),
        families=tuple(proofs), classes=tuple(claims), unsearched=tuple(unsearched),
    )  # fmt: skip


def _class(one: ProvedClass, family: int | None, slack_mm: float) -> ClassProof:
    needle, gate, best = one.search.needle, one.search.gate, one.certificate.best_margin_mm
    upper = slack_mm - needle.radius_mm
    if best is not None:
        upper = max(upper, best)
    return ClassProof(
        approach=gate.approach, side=gate.side, needle=needle.name, radius_mm=needle.radius_mm,
        family=family, status=one.certificate.status,
        best_margin_mm=best, upper_bound_mm=upper,
        best_path=None if one.best is None else path_chords(one.best)[[0, -1]],
    )  # fmt: skip


def _family(case: Case, family: LineFamily, result: SearchResult) -> FamilyProof:
    gate, leaves = family.gate, _leaves(case, family, result.leaves)
    return FamilyProof(
        origin_mm=gate.origin_mm, axes=gate.axes, window=gate.window,
        lateral_slopes=gate.lateral_slopes, cranial_slopes=gate.cranial_slopes,
        normals=family.arrays.normals @ gate.axes,
        offsets=family.arrays.offsets + family.arrays.normals @ (gate.axes @ gate.origin_mm),
        reach_mm=family.arrays.reach, usable_length_mm=family.arrays.usable,
        faces=tuple(
            FaceProof(
                plane=face.plane, origin_mm=gate.origin_mm + face.origin @ gate.axes,
                axes=face.axes @ gate.axes, low=face.low, high=face.high, rules=face.rules,
            )
            for face in family.faces
        ),
        upper_bound_mm=float(leaves.bound_mm.max(initial=-np.inf)), leaves=leaves,
    )  # fmt: skip


def _leaves(case: Case, family: LineFamily, found: searched.Leaves) -> Leaves:
    level, index = _cells(family, found)
    leaf_of_row = np.repeat(np.arange(len(found.why)), np.diff(found.first))
    is_point = found.row >= 0
    point = found.row[is_point]
    structure, face, uv = _on_triangles(case, family, found, point)
    counts = np.bincount(leaf_of_row[is_point], minlength=len(found.why))
    rules = np.bincount(leaf_of_row[~is_point], minlength=len(found.why))
    rule = np.where(found.row == searched.LENGTH, LENGTH_RULE, -2 - found.row)[~is_point]
    by_length = found.why == Why.TOO_LONG
    by_length[leaf_of_row[found.row == searched.LENGTH]] = True
    bound = np.where(found.bound_mm < -NO_BOUND_MM, -np.inf, found.bound_mm)
    return Leaves(
        face_of=found.face, level=level, index=index, why=found.why,
        bound_mm=np.where(bound > NO_BOUND_MM, np.inf, bound),
        reach_t=found.run[:, 0], back_t=found.run[:, 1],
        beyond_t=np.where(by_length, found.run[:, 2], 0.0),
        plane=_in_patient(family, found.run[:, 3:] * by_length[:, None]),
        first_witness=np.concatenate([[0], np.cumsum(counts)]),
        t=found.at[is_point], weight=found.weight[is_point], structure=structure, face=face, uv=uv,
        first_rule=np.concatenate([[0], np.cumsum(rules)]),
        rule=rule.astype(np.uint16), mu=found.weight[~is_point],
    )  # fmt: skip


def _in_patient(family: LineFamily, planes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Return planes (normal, offset) of the scene's frame in patient LPS."""
    patient = family.scene.from_patient.inverse()
    normals = patient.vectors(planes[:, :3])
    laid = np.any(normals != 0.0, axis=1)
    return np.column_stack([normals, (planes[:, 3] + normals @ patient.points(np.zeros(3))) * laid])


def _cells(
    family: LineFamily, found: searched.Leaves
) -> tuple[UInt8[np.ndarray, "n 4"], UInt32[np.ndarray, "n 4"]]:
    """Return how often each leaf's face was halved along each number, and which part it is."""
    roots = family.roots[found.face]
    width = roots[:, 4:]
    level = np.rint(np.log2(width / found.box[:, 4:])).astype(np.int64)
    below = found.box[:, :4] - found.box[:, 4:] - (roots[:, :4] - width)
    index = np.rint(below / (2.0 * found.box[:, 4:])).astype(np.int64)
    return level.astype(np.uint8), index.astype(np.uint32)


def _on_triangles(
    case: Case, family: LineFamily, found: searched.Leaves, point: Int[np.ndarray, " m"]
) -> tuple[UInt16[np.ndarray, " m"], UInt32[np.ndarray, " m"], Float[np.ndarray, "m 2"]]:
    """Return structure, triangle and barycentric coordinates of surface points."""
    scene, names = family.scene, [s.name for s in case.structures]
    owner, leaf = found.owner[point, 0], found.owner[point, 1]
    place = np.array([names.index(name) for name in scene.names], dtype=np.int64)
    sizes = [len(case.structure(name).mesh.faces) for name in scene.names]
    start = np.concatenate([[0], np.cumsum(sizes)])
    face = scene.tree.face[leaf] - start[owner]
    corners = scene.tree.corners[leaf]
    arrays = family.arrays
    axes = np.stack([arrays.lateral, arrays.cranial, arrays.axis])
    q = arrays.origin + found.points[point, :3] @ axes
    uv = _barycentric(
        q - corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    )
    return place[owner].astype(np.uint16), face.astype(np.uint32), uv


def _barycentric(
    offset: Float[np.ndarray, "m 3"],
    first: Float[np.ndarray, "m 3"],
    second: Float[np.ndarray, "m 3"],
) -> Float[np.ndarray, "m 2"]:
    """Return the coordinates (u, v) of points along two edges, put back within the triangle."""
    uu, vv = (first * first).sum(axis=1), (second * second).sum(axis=1)
    uv = (first * second).sum(axis=1)
    pu, pv = (offset * first).sum(axis=1), (offset * second).sum(axis=1)
    area = np.maximum(uu * vv - uv * uv, 1e-300)
    found = np.clip(
        np.column_stack([vv * pu - uv * pv, uu * pv - uv * pu]) / area[:, None], 0.0, 1.0
    )
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1.0)
