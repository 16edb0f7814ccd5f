"""A true proof is accepted; whatever is changed in it, the sentence that says what is found.

The proofs come from the naive ``prover``. Whoever changes one here also makes all
numbers agree again that follow from what was changed: bounds of bounds, status and digests.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from geometry.mesh import triangle_mesh
from planner.case import Case
from planner.checker.check import check_proof
from planner.errors import ProofError
from planner.proof import (
    LENGTH_RULE,
    FamilyProof,
    Leaves,
    Proof,
    StructureDigest,
    Why,
    structure_digest,
)
from planner.request import PlanRequest
from planner.result import Status
from tests.planner.proof.prover import Proved, proof_of
from tests.planner.proof.world import REQUEST, small_case

Change = Callable[[FamilyProof], FamilyProof]


def _refused(case: Case, request: PlanRequest, proof: Proof, sentence: str) -> None:
    report = check_proof(case, request, proof)
    assert not report.holds
    assert any(sentence in failure for failure in report.failures), report.failures


def _restated(proof: Proof, family: FamilyProof, tolerance_mm: float) -> Proof:
    """Return the proof with another family, and the class said to be what that shows."""
    family = replace(family, upper_bound_mm=float(family.leaves.bound_mm.max()))
    best = proof.classes[0].best_margin_mm
    upper = family.upper_bound_mm - proof.classes[0].radius_mm
    status = Status.INFEASIBLE if upper < 0.0 else Status.STOPPED
    if best is not None and best >= 0.0 and upper - best <= tolerance_mm:
        status = Status.FOUND
    claim = replace(proof.classes[0], upper_bound_mm=upper, status=status)
    return replace(proof, families=(family,), classes=(claim,))


def _with_leaves(family: FamilyProof, **arrays: np.ndarray) -> FamilyProof:
    return replace(family, leaves=replace(family.leaves, **arrays))


def _one(leaves: Leaves, why: Why) -> int:
    return int(np.flatnonzero(leaves.why == why)[0])


def _changed(array: np.ndarray, place: int, value: object) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


PER_LEAF = (
    "face_of", "level", "index", "why", "bound_mm", "reach_t", "back_t", "beyond_t", "plane",
)  # fmt: skip
PER_WITNESS = ("t", "weight", "structure", "face", "uv")
PER_RULE = ("rule", "mu")


def _chosen(family: FamilyProof, chosen: np.ndarray) -> FamilyProof:
    """Return the family with some of its leaves, in this order."""
    leaves = family.leaves
    arrays = {name: getattr(leaves, name)[chosen] for name in PER_LEAF}
    for first, names in (("first_witness", PER_WITNESS), ("first_rule", PER_RULE)):
        spans = [np.arange(*getattr(leaves, first)[i : i + 2]) for i in chosen]
        rows = np.concatenate(spans)
        arrays |= {name: getattr(leaves, name)[rows] for name in names}
        arrays[first] = np.cumsum([0, *map(len, spans)])
    return _with_leaves(family, **arrays)


def _emptied(family: FamilyProof, place: int, why: Why) -> FamilyProof:
    """Return the family with a leaf that claims another ``why``, without witnesses and rules."""
    arrays: dict[str, np.ndarray] = {}
    for first, names in (("first_witness", PER_WITNESS), ("first_rule", PER_RULE)):
        starts = getattr(family.leaves, first).copy()
        gone = np.arange(*starts[place : place + 2])
        starts[place + 1 :] -= len(gone)
        arrays[first] = starts
        arrays |= {name: np.delete(getattr(family.leaves, name), gone, axis=0) for name in names}
    return _with_leaves(
        family, **arrays, why=_changed(family.leaves.why, place, why),
        bound_mm=_changed(family.leaves.bound_mm, place, -np.inf),
    )  # fmt: skip


def _raised(family: FamilyProof, by_mm: float) -> FamilyProof:
    """Return the family with the largest of its leaves' bounds raised or lowered."""
    bounds = family.leaves.bound_mm
    place = int(np.argmax(bounds))
    return _with_leaves(family, bound_mm=_changed(bounds, place, bounds[place] + by_mm))


def _running_further(family: FamilyProof, why: Why, **by: float) -> FamilyProof:
    """Return the family with reach_t or back_t of the leaves with one ``why`` moved."""
    [(name, step)] = by.items()
    t = getattr(family.leaves, name)
    return _with_leaves(family, **{name: np.where(family.leaves.why == why, t + step, t)})


def _plane_moved(family: FamilyProof, by_mm: float) -> FamilyProof:
    """Return the family with all planes before the skin moved outwards."""
    plane = family.leaves.plane
    moved = plane + np.where(plane.any(axis=1), by_mm, 0.0)[:, None] * [0.0, 0.0, 0.0, 1.0]
    return _with_leaves(family, plane=moved)


def _witness_moved(family: FamilyProof, name: str) -> FamilyProof:
    """Return the family with the first witness of its best bounded leaf changed in one array."""
    leaves = family.leaves
    paired = np.flatnonzero(leaves.weight < 1.0)[0]
    match name:
        case "weight":
            weight = _changed(leaves.weight, paired, leaves.weight[paired + 1])
            array = _changed(weight, paired + 1, leaves.weight[paired])
            array[paired], array[paired + 1] = array[paired] * 0.5, 1.0 - array[paired] * 0.5
        case "uv":
            array = _changed(leaves.uv, paired, 1.0 / 3.0)
        case "face":
            array = _changed(leaves.face, paired, (leaves.face[paired] + 5) % 12)
        case "structure":
            array = _changed(leaves.structure, paired, (leaves.structure[paired] % 3) + 1)
        case _:
            array = _changed(leaves.t, paired, leaves.t[paired] - 0.01)
    return _with_leaves(family, **{name: array})


def test_a_true_proof_holds_and_is_reported(proved: Proved, proved_far: Proved) -> None:
    for case, request, proof in (proved, proved_far):
        report = check_proof(case, request, proof)
        assert report.failures == ()
        assert report.holds
        [family], [one] = proof.families, report.families
        assert one.leaves == len(family.leaves.why) == sum(one.by_why)
        assert one.bound_mm == pytest.approx(family.upper_bound_mm, abs=1e-9)
        assert one.tubes > 0


def test_the_proofs_of_these_tests_use_all_that_a_proof_may_use(proved_far: Proved) -> None:
    [family] = proved_far[2].families
    leaves = family.leaves
    assert set(leaves.why) == set(Why)
    assert np.any(leaves.reach_t[leaves.why == Why.BOUNDED] > 1.0), "tips beyond the bone's hollow"
    assert np.any(leaves.t < 0.0), "witnesses between skin and gate"
    assert np.any(leaves.weight < 1.0), "leaves with two witnesses"
    assert np.any(leaves.rule == LENGTH_RULE), "the needle's length as a rule"
    assert np.any(leaves.plane[leaves.rule_owner[leaves.rule == LENGTH_RULE]]), "by a plane"
    assert np.any(leaves.rule < LENGTH_RULE), "rules of faces"


@pytest.mark.parametrize("world", [{"skin_mm": None}, {"closed": False}], ids=str)
def test_it_holds_without_skin_and_without_an_inside_of_bone(world: dict[str, Any]) -> None:
    coarse = replace(REQUEST, certificate_tolerance_mm=4.0)
    assert check_proof(*proof_of(small_case(**world), coarse)).failures == ()


def _bare(family: FamilyProof) -> Leaves:
    return _chosen(family, np.flatnonzero(family.leaves.face_of != 2)).leaves


CHANGES: dict[str, tuple[Change, str]] = {
    "a leaf removed": (lambda f: _chosen(f, np.arange(1, len(f.leaves.why))), "leave a part"),
    "a face without leaves": (lambda f: replace(f, leaves=_bare(f)), "leave a part"),
    "a leaf twice": (lambda f: _chosen(f, np.append(0, np.arange(len(f.leaves.why)))), "overlap"),
    "a bound raised": (lambda f: _raised(f, 0.001), "the bound is above its witnesses'"),
    "a bound lowered": (lambda f: _raised(f, -0.001), "the bound is below its witnesses'"),
    "the largest bound lowered a little": (
        lambda f: _raised(f, -1e-7), "its upper bound is below what its leaves show",
    ),
    "called outside the window": (
        lambda f: _emptied(f, _one(f.leaves, Why.BOUNDED), Why.OUTSIDE_WINDOW),
        "lines may pass the gate within the window",
    ),
    "called out of rule": (
        lambda f: _emptied(f, _one(f.leaves, Why.BOUNDED), Why.BREAKS_RULE),
        "lines may keep all rules",
    ),
    "called without a tip": (
        lambda f: _emptied(f, _one(f.leaves, Why.BOUNDED), Why.NO_TIP),
        "lines may go on in the target",
    ),
    "called too long": (
        lambda f: _emptied(f, _one(f.leaves, Why.BOUNDED), Why.TOO_LONG),
        "paths may be short enough",
    ),
    "multipliers": (
        lambda f: _with_leaves(f, mu=f.leaves.mu * 1.1),
        "its witnesses'",
    ),
    "a weighed rule": (
        lambda f: _with_leaves(f, rule=_changed(f.leaves.rule, 0, (f.leaves.rule[0] + 3) % 9)),
        "its witnesses'",
    ),
    "the length for a rule": (
        lambda f: _with_leaves(f, rule=_changed(f.leaves.rule, 0, LENGTH_RULE)), "its witnesses'",
    ),
    "weights": (lambda f: _witness_moved(f, "weight"), "its witnesses'"),
    "a place on a face": (lambda f: _witness_moved(f, "uv"), "its witnesses'"),
    "a face": (lambda f: _witness_moved(f, "face"), "its witnesses'"),
    "an obstacle": (lambda f: _witness_moved(f, "structure"), "its witnesses'"),
    "a place on the line": (lambda f: _witness_moved(f, "t"), "its witnesses'"),
    "bone for an obstacle": (
        lambda f: _with_leaves(f, structure=np.zeros_like(f.leaves.structure)),
        "the bound is below its witnesses'",
    ),
    "no such face": (
        lambda f: _with_leaves(f, face=f.leaves.face + 100_000),
        "the bound is below its witnesses'",
    ),
    "no such structure": (
        lambda f: _with_leaves(f, structure=f.leaves.structure + 500),
        "the bound is below its witnesses'",
    ),
    "reach_t raised": (
        lambda f: _running_further(f, Why.BOUNDED, reach_t=0.3), "paths may end before reach_t",
    ),
    "reach_t of long lines raised": (
        lambda f: _running_further(f, Why.TOO_LONG, reach_t=0.5), "paths may end before reach_t",
    ),
    "reach_t of lines without a tip raised": (
        lambda f: _running_further(f, Why.NO_TIP, reach_t=0.5), "paths may end before reach_t",
    ),
    "reach_t of lines without a tip lowered": (
        lambda f: _running_further(f, Why.NO_TIP, reach_t=-0.1), "lines may go on in the target",
    ),
    "reach_t lowered": (
        lambda f: _running_further(f, Why.BOUNDED, reach_t=-0.6), "where some path may not be",
    ),
    "back_t lowered": (
        lambda f: _running_further(f, Why.BOUNDED, back_t=-1.0), "paths may start after back_t",
    ),
    "back_t of long lines lowered": (
        lambda f: _running_further(f, Why.TOO_LONG, back_t=-1.0), "paths may start after back_t",
    ),
    "the plane raised": (lambda f: _plane_moved(f, 0.01), "paths may enter before the plane"),
    "the plane lowered": (lambda f: _plane_moved(f, -0.01), "the bound is below its witnesses'"),
    "beyond_t raised": (
        lambda f: _running_further(f, Why.BOUNDED, beyond_t=0.5),
        "paths may enter before the plane",
    ),
    "a witness before the skin": (
        lambda f: _with_leaves(f, t=np.where(f.leaves.t < 0.0, -2.5, f.leaves.t)),
        "where some path may not be",
    ),
    "the window widened": (
        lambda f: replace(f, window=shapely.MultiPolygon([f.window.buffer(0.01)])),
        "the window in its family is not what the case implies",
    ),
    "the window narrowed": (
        lambda f: replace(f, window=shapely.MultiPolygon([f.window.buffer(-0.01)])),
        "the window in its family is not what the case implies",
    ),
    "a hole in the window": (
        lambda f: replace(
            f, window=shapely.MultiPolygon([f.window.difference(shapely.Point(5, 5).buffer(1e-3))])
        ),
        "the window in its family is not what the case implies",
    ),
    "the cone narrowed sideways": (
        lambda f: replace(f, lateral_slopes=(f.lateral_slopes[0], f.lateral_slopes[1] - 1e-5)),
        "the cone's lateral slopes in its family",
    ),
    "the cone narrowed lengthways": (
        lambda f: replace(f, cranial_slopes=(f.cranial_slopes[0] + 1e-5, f.cranial_slopes[1])),
        "the cone's cranial slopes in its family",
    ),
    "the target moved": (
        lambda f: replace(f, offsets=f.offsets + f.normals @ np.array([0.0, 0.0, 1e-4])),
        "the target's offsets in its family",
    ),
    "a target's face left out": (
        lambda f: replace(f, normals=f.normals[1:], offsets=f.offsets[1:]),
        "the target's normals in its family",
    ),
    "the target turned": (
        lambda f: replace(f, normals=f.normals[:, [1, 2, 0]]), "the target's normals in its family",
    ),
    "the gate moved": (
        lambda f: replace(f, origin_mm=f.origin_mm + 1e-4), "the gate's origin in its family",
    ),
    "the gate turned": (
        lambda f: replace(f, axes=f.axes[[1, 0, 2]]), "the gate's axes in its family",
    ),
    "a shorter needle": (
        lambda f: replace(f, usable_length_mm=f.usable_length_mm - 1.0), "the usable length in its",
    ),
    "an aim plane behind": (
        lambda f: replace(f, reach_mm=-f.reach_mm), "its aim plane does not lie beyond the gate",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES)
def test_no_change_of_a_family_is_missed(proved_far: Proved, change: Change, sentence: str) -> None:
    case, request, proof = proved_far
    changed = change(proof.families[0])
    tolerance = request.certificate_tolerance_mm
    _refused(case, request, _restated(proof, changed, tolerance), sentence)


def test_to_claim_less_of_a_leaf_is_no_failure(proved_far: Proved) -> None:
    case, request, proof = proved_far
    leaves = proof.families[0].leaves
    place = _one(leaves, Why.TOO_LONG)
    vague = _with_leaves(
        proof.families[0], why=_changed(leaves.why, place, Why.BOUNDED),
        bound_mm=_changed(leaves.bound_mm, place, np.inf),
    )  # fmt: skip
    restated = _restated(proof, vague, request.certificate_tolerance_mm)
    assert check_proof(case, request, restated).holds
    assert restated.classes[0].upper_bound_mm == np.inf
    assert restated.classes[0].status is Status.STOPPED


@pytest.mark.parametrize("name", ["screw", "canal", "vessel"])
def test_an_obstacle_that_moved_is_found_though_all_digests_agree(
    proved: Proved, name: str
) -> None:
    case, request, proof = proved
    place = [s.name for s in case.structures].index(name)
    obstacle, leaves = case.structures[place], proof.families[0].leaves
    used = leaves.face[(leaves.structure == place) & (leaves.uv.sum(axis=1) < 1.0)][0]
    vertices = obstacle.mesh.vertices.copy()
    vertices[obstacle.mesh.faces[used, 0]] += np.array([0.3, 0.4, 0.0])
    moved = replace(obstacle, mesh=triangle_mesh(vertices, obstacle.mesh.faces))
    structures = [moved if s is obstacle else s for s in case.structures]
    digests = [StructureDigest(name=s.name, digest=structure_digest(s.mesh)) for s in structures]
    other = replace(case, structures=tuple(structures))
    _refused(other, request, proof, f"the case's structures are not the proof's: {name}")
    _refused(other, request, replace(proof, structures=tuple(digests)), "its witnesses'")


def test_a_skin_that_moved_inwards_is_found_though_all_digests_agree(proved: Proved) -> None:
    case, request, proof = proved
    skin = case.structures[-1]
    nearer = replace(
        skin, mesh=triangle_mesh(skin.mesh.vertices * [1.0, 0.5, 1.0], skin.mesh.faces)
    )
    other = replace(case, structures=(*case.structures[:-1], nearer))
    digests = [StructureDigest(name=s.name, digest=structure_digest(s.mesh)) for s in other.structures]  # fmt: skip
    restated = replace(proof, structures=tuple(digests))
    _refused(other, request, restated, "paths may start after back_t")
    _refused(other, request, restated, "its best path does not start at the skin")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("level", np.full((1, 4), 200, dtype=np.uint8)),
        ("index", np.full((1, 4), 2**31, dtype=np.uint32)),
        ("why", np.full(1, 5, dtype=np.uint8)),
        ("reach_t", np.full(1, np.nan)),
        ("reach_t", np.full(1, -0.1)),
        ("bound_mm", np.full(1, np.nan)),
        ("bound_mm", np.full(1, -np.inf)),
        ("t", np.full(1, np.inf)),
        ("weight", np.full(1, -0.5)),
        ("weight", np.full(1, 0.9)),
        ("uv", np.full((1, 2), 0.6)),
        ("uv", np.array([[-1e-9, 0.5]])),
        ("back_t", np.full(1, 0.1)),
        ("mu", np.full(1, -0.1)),
        ("mu", np.full(1, np.nan)),
        ("mu", np.full(1, 1e300)),
        ("back_t", np.full(1, -1e300)),
        ("plane", np.full((1, 4), 0.3)),
        ("reach_t", np.full(1, np.inf)),
    ],
)
def test_numbers_out_of_their_range_make_no_leaves(
    proved: Proved, field: str, values: np.ndarray
) -> None:
    leaves = proved[2].families[0].leaves
    row = _one(leaves, Why.BOUNDED)
    if field in {"t", "weight", "uv", "mu"}:
        row = int((leaves.first_rule if field == "mu" else leaves.first_witness)[row])
    with pytest.raises(ProofError) as refused:
        replace(leaves, **{field: _changed(getattr(leaves, field), row, values[0])})
    assert refused.value.field == field


def test_a_class_cannot_name_a_family_that_is_not_there(proved: Proved) -> None:
    with pytest.raises(ProofError) as refused:
        replace(proved[2], families=())
    assert refused.value.field == "classes[0].family"
