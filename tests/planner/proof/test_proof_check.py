"""A true proof is accepted; whatever is changed in it, the sentence that says what is found.

The proofs come from the naive prover of ``conftest``. Whoever changes one here also makes all
numbers agree again that follow from what was changed: bounds of bounds, status and digests.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import shapely

from geometry.mesh import triangle_mesh
from planner.case import Case
from planner.errors import ProofError
from planner.proof import (
    FamilyProof,
    Leaves,
    Proof,
    StructureDigest,
    Why,
    structure_digest,
)
from planner.proof_check import check_proof
from planner.proof_check.rules import boxes_of, region_interval
from planner.request import PlanRequest
from planner.result import Status

Proved = tuple[Case, PlanRequest, Proof]
Prove = Callable[..., Proved]
MakeCase = Callable[..., Case]
Change = Callable[[FamilyProof], FamilyProof]


def _refused(case: Case, request: PlanRequest, proof: Proof, sentence: str) -> None:
    report = check_proof(case, request, proof)
    assert not report.holds
    assert any(sentence in failure for failure in report.failures), report.failures


def _restated(proof: Proof, family: FamilyProof, tolerance_mm: float) -> Proof:
    """Return the proof with another family, and the class said to be what that shows."""
    family = replace(family, upper_bound_mm=float(family.leaves.bound_mm.max()))
    claim = proof.classes[0]
    assert claim.best_margin_mm is not None
    upper = max(family.upper_bound_mm - claim.radius_mm, claim.best_margin_mm)
    status = Status.INFEASIBLE if upper < 0.0 else Status.STOPPED
    if upper - claim.best_margin_mm <= tolerance_mm and claim.best_margin_mm >= 0.0:
        status = Status.FOUND
    claim = replace(claim, upper_bound_mm=upper, status=status)
    return replace(proof, families=(family,), classes=(claim,))


def _with_leaves(family: FamilyProof, **arrays: np.ndarray) -> FamilyProof:
    return replace(family, leaves=replace(family.leaves, **arrays))


def _one(leaves: Leaves, why: Why) -> int:
    return int(np.flatnonzero(leaves.why == why)[0])


def _changed(array: np.ndarray, place: int, value: object) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


def _chosen(family: FamilyProof, chosen: np.ndarray) -> FamilyProof:
    """Return the family with some of its leaves, in this order."""
    leaves = family.leaves
    spans = [np.arange(*leaves.first_witness[i : i + 2]) for i in chosen]
    rows = np.concatenate(spans)
    per_leaf = {k: getattr(leaves, k)[chosen] for k in ("level", "index", "why", "bound_mm", "reach_t")}  # fmt: skip
    per_witness = {k: getattr(leaves, k)[rows] for k in ("t", "weight", "structure", "face", "uv")}
    first = np.cumsum([0, *map(len, spans)])
    return _with_leaves(family, first_witness=first, **per_leaf, **per_witness)


def _without_witnesses(family: FamilyProof, place: int, why: Why) -> FamilyProof:
    """Return the family with a leaf that claims another ``why`` and has no witnesses."""
    leaves = family.leaves
    start, end = leaves.first_witness[place : place + 2]
    first = leaves.first_witness.copy()
    first[place + 1 :] -= end - start
    rest = np.delete(np.arange(len(leaves.t)), np.arange(start, end))
    per_witness = {k: getattr(leaves, k)[rest] for k in ("t", "weight", "structure", "face", "uv")}
    return _with_leaves(
        family, first_witness=first, **per_witness, why=_changed(leaves.why, place, why),
        bound_mm=_changed(leaves.bound_mm, place, -np.inf),
    )  # fmt: skip


def _raised(family: FamilyProof, by_mm: float) -> FamilyProof:
    """Return the family with the largest of its leaves' bounds raised or lowered."""
    bounds = family.leaves.bound_mm
    place = int(np.argmax(bounds))
    return _with_leaves(family, bound_mm=_changed(bounds, place, bounds[place] + by_mm))


def _reaching_further(family: FamilyProof, why: Why, by: float) -> FamilyProof:
    leaves = family.leaves
    return _with_leaves(family, reach_t=np.where(leaves.why == why, leaves.reach_t + by, leaves.reach_t))  # fmt: skip


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


def test_a_true_proof_holds_and_is_reported(proved: Proved) -> None:
    report = check_proof(*proved)
    assert report.failures == ()
    assert report.holds
    [family], [one] = proved[2].families, report.families
    assert one.leaves == len(family.leaves.why) == sum(one.by_why)
    assert one.bound_mm == pytest.approx(family.upper_bound_mm, abs=1e-9)
    assert one.tubes > 0
    assert min(one.by_why[w] for w in (Why.WITNESSES, Why.OUTSIDE_WINDOW, Why.TOO_LONG)) > 0
    first, _ = region_interval(boxes_of(family))
    bounded = family.leaves.why == Why.WITNESSES
    assert np.any((family.leaves.reach_t > first)[bounded]), "some leaves lie in the bone's hollow"
    assert np.any(family.leaves.t < 0.0), "some witnesses lie between skin and gate"
    assert np.any(family.leaves.weight < 1.0), "some leaves need two witnesses"


@pytest.mark.parametrize("world", [{"skin": False}, {"closed": False}])
def test_it_holds_without_skin_and_without_an_inside_of_bone(
    prove: Prove, small_case: MakeCase, request_: PlanRequest, world: dict[str, bool]
) -> None:
    coarse = replace(request_, certificate_tolerance_mm=4.0)
    assert check_proof(*prove(small_case(**world), coarse)).failures == ()


CHANGES: dict[str, tuple[Change, str]] = {
    "a leaf removed": (lambda f: _chosen(f, np.arange(1, len(f.leaves.why))), "leave a part"),
    "a leaf twice": (lambda f: _chosen(f, np.append(0, np.arange(len(f.leaves.why)))), "overlap"),
    "a bound raised": (lambda f: _raised(f, 0.001), "the bound is above its witnesses'"),
    "a bound lowered": (lambda f: _raised(f, -0.001), "the bound is below its witnesses'"),
    "called outside the window": (
        lambda f: _without_witnesses(f, _one(f.leaves, Why.WITNESSES), Why.OUTSIDE_WINDOW),
        "lines may pass the gate within the window",
    ),
    "called outside the cone": (
        lambda f: _without_witnesses(f, _one(f.leaves, Why.WITNESSES), Why.OUTSIDE_CONE),
        "lines may run within the cone",
    ),
    "called off the target": (
        lambda f: _without_witnesses(f, _one(f.leaves, Why.WITNESSES), Why.MISSES_TARGET),
        "lines may hit the target",
    ),
    "called too long": (
        lambda f: _without_witnesses(f, _one(f.leaves, Why.WITNESSES), Why.TOO_LONG),
        "lines may be short enough",
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
        lambda f: _reaching_further(f, Why.WITNESSES, 0.3), "lines may end before reach_t",
    ),
    "reach_t of long lines raised": (
        lambda f: _reaching_further(f, Why.TOO_LONG, 0.3), "lines may end before reach_t",
    ),
    "reach_t lowered": (
        lambda f: _reaching_further(f, Why.WITNESSES, -0.6), "where some path may not be",
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
    "a smaller root box": (
        lambda f: replace(f, low=f.low + np.array([0.0, 0.0, 12.0, 0.0])),
        "its root box does not hold every line",
    ),
    "a smaller root box at the gate": (
        lambda f: replace(f, high=f.high - np.array([0.0, 0.1, 0.0, 0.0])),
        "its root box does not hold every line",
    ),
    "an aim plane behind": (
        lambda f: replace(f, reach_mm=-f.reach_mm), "its aim plane does not lie beyond the gate",
    ),
    "another aim plane": (lambda f: replace(f, reach_mm=f.reach_mm + 0.5), "its witnesses'"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES)
def test_no_change_of_a_family_is_missed(proved: Proved, change: Change, sentence: str) -> None:
    case, request, proof = proved
    changed = change(proof.families[0])
    tolerance = request.certificate_tolerance_mm
    _refused(case, request, _restated(proof, changed, tolerance), sentence)


def test_to_claim_less_of_a_leaf_is_no_failure(proved: Proved) -> None:
    case, request, proof = proved
    leaves = proof.families[0].leaves
    place = _one(leaves, Why.TOO_LONG)
    vague = _with_leaves(
        proof.families[0], why=_changed(leaves.why, place, Why.WITNESSES),
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
    _refused(other, request, restated, "where some path may not be")
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
    ],
)
def test_numbers_out_of_their_range_make_no_leaves(
    proved: Proved, field: str, values: np.ndarray
) -> None:
    leaves = proved[2].families[0].leaves
    row = _one(leaves, Why.WITNESSES)
    if field in {"t", "weight", "uv"}:
        row = int(leaves.first_witness[row])
    with pytest.raises(ProofError) as refused:
        replace(leaves, **{field: _changed(getattr(leaves, field), row, values[0])})
    assert refused.value.field == field


def test_a_class_cannot_name_a_family_that_is_not_there(proved: Proved) -> None:
    with pytest.raises(ProofError) as refused:
        replace(proved[2], families=())
    assert refused.value.field == "classes[0].family"
