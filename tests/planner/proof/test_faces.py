"""The lines of a family fall into faces: none is left out, and every rule holds for all of them."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from planner.checker.check import check_proof
from planner.checker.faces import face_failures
from planner.proof import FaceProof, FamilyProof, Leaves
from planner.request import FreePoint, PlanRequest
from tests.planner.proof.prover import Proved, Prover, proof_of, prover_of
from tests.planner.proof.world import REQUEST, small_case

LINES = 3000
AT_THE_GATE = replace(
    REQUEST, certificate_tolerance_mm=3.5,
    target=FreePoint(position_mm=np.array([9.0, 18.0, 1.0]), tolerance_mm=3.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def proved_at_gate() -> Proved:
    """Return a proof about a target that the gate's plane runs through."""
    return proof_of(small_case(), AT_THE_GATE, budget=300)


def test_it_holds_for_a_target_that_the_gate_runs_through(proved_at_gate: Proved) -> None:
    assert check_proof(*proved_at_gate).failures == ()
    inside = [face.plane is None for face in proved_at_gate[2].families[0].faces]
    assert inside.count(True) == 1
    assert inside.count(False) > 3


def _random_lines(prover: Prover, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points about the target, beyond the gate, and where lines in the cone come from."""
    gate, cone = prover.gate, (prover.gate.lateral_slopes, prover.gate.cranial_slopes)
    radius_mm = (prover.region.offsets - prover.region.normals @ prover.region.centre_mm).max()
    offsets = rng.uniform(-radius_mm, radius_mm, (LINES, 3))
    targets = gate.axes @ (prover.region.centre_mm + offsets - gate.origin_mm).T
    steps = np.stack([*(rng.uniform(*slopes, LINES) for slopes in cone), np.ones(LINES)])
    firsts = (targets - targets[2] * steps)[:, targets[2] > 0.01]
    seconds = targets[:, targets[2] > 0.01]
    return firsts.T @ gate.axes + gate.origin_mm, seconds.T @ gate.axes + gate.origin_mm


def _entered(family: FamilyProof, first: np.ndarray, second: np.ndarray) -> tuple[int | None, np.ndarray]:  # fmt: skip
    """Return the plane by which a line that hits the region enters it, and where it does."""
    heights, step = family.normals @ first - family.offsets, second - first
    if np.all(heights <= 0.0):
        return None, first + step * family.reach_mm / (step @ family.axes[2])
    crossed = np.where(heights > 0.0, -heights / np.minimum(family.normals @ step, -1e-12), 0.0)
    plane = int(np.argmax(crossed))
    return plane, first + crossed[plane] * step


@pytest.mark.parametrize("request_", [REQUEST, AT_THE_GATE], ids=["far", "at the gate"])
def test_no_path_has_more_slack_than_the_leaf_it_is_in(
    request_: PlanRequest, proved: Proved, proved_at_gate: Proved, rng: np.random.Generator
) -> None:
    case, _, proof = proved if request_ is REQUEST else proved_at_gate
    prover, _ = prover_of(case, request_)
    [family] = proof.families
    leaves, found = family.leaves, 0
    planes = [face.plane for face in family.faces]
    for first, second in zip(*_random_lines(prover, rng), strict=True):
        path = prover.path(first, second)
        if path is None:
            continue
        found += 1
        plane, to = _entered(family, first, second)
        face = family.faces[planes.index(plane)]
        across = family.axes[:2] @ (first - family.origin_mm), face.axes @ (to - face.origin_mm)
        x = np.concatenate(across)
        assert np.all(face.rules[:, :4] @ x <= face.rules[:, 4] + 1e-9)
        bound = _bound_of(face, leaves, leaves.face_of == planes.index(plane), x)
        assert prover.slack(path) <= bound + 1e-9
    assert found > 100


def _bound_of(face: FaceProof, leaves: Leaves, own: np.ndarray, x: np.ndarray) -> float:
    """Return the bound of the leaf that holds a line; leaves share their borders."""
    width = np.ldexp(face.high - face.low, -leaves.level[own].astype(np.int64))
    low = face.low + width * leaves.index[own]
    holding = np.all((low <= x + 1e-9) & (x <= low + width + 1e-9), axis=1)
    assert holding.any()
    return float(leaves.bound_mm[own][holding].max())


Change = Callable[[FaceProof], FaceProof]


def _limited(face: FaceProof, rule: int, by: float) -> FaceProof:
    rules = face.rules.copy()
    rules[rule, 4] += by
    return replace(face, rules=rules)


def _tilted(face: FaceProof, rule: int) -> FaceProof:
    rules = face.rules.copy()
    rules[rule, :4] += [0.0, 3.0, 0.0, -3.0]
    return replace(face, rules=rules)


def _with_rule(face: FaceProof, rule: list[float]) -> FaceProof:
    return replace(face, rules=np.vstack([face.rules, [rule]]))


# The prover states edges first, then the window's hull, then that lines enter, then the cone.
CHANGES: dict[str, tuple[Change, str]] = {
    "a smaller root box": (
        lambda f: replace(f, low=f.low + np.eye(4)[2] * 0.1), "does not hold all of its lines",
    ),
    "a smaller root box at the gate": (
        lambda f: replace(f, high=f.high - np.eye(4)[1] * 0.1), "does not hold all of its lines",
    ),
    "a plane shifted": (
        lambda f: replace(f, origin_mm=f.origin_mm + 1e-4 * np.cross(*f.axes)), "in its plane",
    ),
    "axes that are not square": (
        lambda f: replace(f, axes=f.axes @ np.diag([1.0, 1.001, 1.0])), "in its plane",
    ),
    "no such plane": (lambda f: replace(f, plane=99), "the target has no plane 99"),
    "another plane": (lambda f: replace(f, plane=0), "in its plane"),
    "a tighter edge": (lambda f: _limited(f, 0, -1e-4), "rule 0 does not hold"),
    "a tighter cone": (lambda f: _limited(f, -1, -60.0), "does not hold for all of its lines"),
    "a tilted cone": (lambda f: _tilted(f, -2), "does not hold for all of its lines"),
    "lines that enter elsewhere": (
        lambda f: _limited(f, -5, -60.0), "does not hold for all of its lines",
    ),
    "a tighter window": (lambda f: _limited(f, -6, -1e-4), "does not hold for all of its lines"),
    "a rule made up": (
        lambda f: _with_rule(f, [1.0, 1.0, 1.0, 1.0, 0.0]), "does not hold for all of its lines",
    ),
    "a rule that nothing keeps": (
        lambda f: _with_rule(f, [0.0, 0.0, 0.0, 0.0, -1.0]), "does not hold for all of its lines",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES)
def test_no_change_of_a_face_is_missed(proved: Proved, change: Change, sentence: str) -> None:
    [family] = proved[2].families
    assert list(face_failures(family)) == []
    faces = (change(family.faces[0]), *family.faces[1:])
    said = list(face_failures(replace(family, faces=faces)))
    assert any(sentence in failure for failure in said), said


@pytest.mark.parametrize(
    "change",
    [
        lambda f: replace(f, low=f.low - 1.0, high=f.high + 2.0),
        lambda f: _limited(f, 0, 1.0),
        lambda f: _limited(f, -1, 1.0),
        lambda f: replace(f, rules=f.rules[::-1] * 3.0),
        lambda f: replace(f, rules=f.rules[:0]),
        lambda f: _with_rule(f, [0.0, 0.0, 0.0, 0.0, 0.0]),
    ],
    ids=["larger root", "looser edge", "looser cone", "other scale", "none", "no rule"],
)
def test_a_face_may_say_less_than_it_could(proved: Proved, change: Change) -> None:
    [family] = proved[2].families
    faces = tuple(change(face) for face in family.faces)
    assert list(face_failures(_with_faces(family, faces))) == []


@pytest.mark.parametrize("at_gate", [False, True])
def test_no_face_can_be_left_out_or_be_there_twice(
    proved: Proved, proved_at_gate: Proved, at_gate: bool
) -> None:
    [family] = (proved_at_gate if at_gate else proved)[2].families
    for k, face in enumerate(family.faces):
        others = (*family.faces[:k], *family.faces[k + 1 :])
        for faces, times in ((others, 0), ((*family.faces, face), 2)):
            changed = _with_faces(family, faces)
            assert f"plane {face.plane} has {times} faces, not 1" in list(face_failures(changed))


def _with_faces(family: FamilyProof, faces: tuple[FaceProof, ...]) -> FamilyProof:
    """Return the family with other faces and no leaves."""
    nothing = {f.name: getattr(family.leaves, f.name)[:0] for f in fields(Leaves)}
    first = np.zeros(1, dtype=np.int64)
    leaves = replace(family.leaves, **{**nothing, "first_witness": first, "first_rule": first})
    return replace(family, faces=faces, leaves=leaves)
