"""What a proof is about must be what the case and the request imply, class by class."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from planner.case import Case, Kind
from planner.checker.check import check_proof
from planner.policy import policy_with
from planner.proof import ClassProof, Proof, StructureDigest, Unsearched, structure_digest
from planner.request import PlanRequest
from planner.result import Status
from tests.planner.proof.prover import Proved, proof_of
from tests.planner.proof.world import REQUEST, small_case

ClassChange = Callable[[ClassProof], ClassProof]


def _refused(case: Case, request: PlanRequest, proof: Proof, sentence: str) -> None:
    report = check_proof(case, request, proof)
    assert not report.holds
    assert any(sentence in failure for failure in report.failures), report.failures


def test_it_holds_that_no_path_is_safe() -> None:
    strict = replace(REQUEST, policy=policy_with({Kind.SCREW: (13.0, 13.0)}))
    case, request, proof = proof_of(small_case(), strict)
    assert proof.classes[0].status is Status.INFEASIBLE
    assert check_proof(case, request, proof).failures == ()
    _refused(case, replace(request, policy=REQUEST.policy), proof, "below its witnesses'")
    falsely = replace(proof, classes=(replace(proof.classes[0], status=Status.FOUND),))
    _refused(case, request, falsely, "its status is found, but its numbers say infeasible")


def test_a_window_that_hardware_fills_needs_no_family(proved: Proved) -> None:
    case = small_case(shaft_mm=32.0)
    nothing = replace(
        proved[2].classes[0], family=None, status=Status.INFEASIBLE, best_margin_mm=None,
        best_path=None, upper_bound_mm=-1.0,
    )  # fmt: skip
    proof = replace(proved[2], families=(), classes=(nothing,))
    digests = [StructureDigest(name=s.name, digest=structure_digest(s.mesh)) for s in case.structures]  # fmt: skip
    assert check_proof(case, REQUEST, replace(proof, structures=tuple(digests))).holds
    _refused(proved[0], REQUEST, proof, "its window is not empty, but no family is named")


CLASS_CHANGES: dict[str, tuple[ClassChange, str]] = {
    "a thinner needle": (
        lambda c: replace(c, radius_mm=c.radius_mm - 0.01), "the needle's radius is",
    ),
    "a lower upper bound": (
        lambda c: replace(c, upper_bound_mm=c.upper_bound_mm - 0.01), "its upper bound is",
    ),
    "a higher upper bound": (
        lambda c: replace(c, upper_bound_mm=c.upper_bound_mm + 0.01), "its upper bound is",
    ),
    "another status": (lambda c: replace(c, status=Status.STOPPED), "its status is stopped"),
    "a better best": (
        lambda c: replace(c, best_margin_mm=(c.best_margin_mm or 0.0) + 0.01),
        "its best path has a margin of",
    ),
    "a best without a path": (lambda c: replace(c, best_path=None), "a best margin without a path"),
    "a path beside the window": (
        lambda c: replace(c, best_path=_moved(c, [30.0, 0.0, 0.0])), "through the window",
    ),
    "a path that starts in the air": (
        lambda c: replace(c, best_path=_stretched(c, -0.01, 1.0)), "does not start at the skin",
    ),
    "a path that stops short": (
        lambda c: replace(c, best_path=_stretched(c, 0.0, 0.9)), "does not end in the target",
    ),
    "a path that is too long": (
        lambda c: replace(c, best_path=_stretched(c, 0.0, 3.0)), "longer than the needle",
    ),
}  # fmt: skip


def _moved(claim: ClassProof, by_mm: list[float]) -> np.ndarray:
    assert claim.best_path is not None
    return claim.best_path + np.array(by_mm)


def _stretched(claim: ClassProof, start: float, end: float) -> np.ndarray:
    assert claim.best_path is not None
    entry, tip = claim.best_path
    return np.stack([entry + start * (tip - entry), entry + end * (tip - entry)])


@pytest.mark.parametrize(("change", "sentence"), CLASS_CHANGES.values(), ids=CLASS_CHANGES)
def test_no_change_of_a_claim_is_missed(proved: Proved, change: ClassChange, sentence: str) -> None:
    case, request, proof = proved
    _refused(case, request, replace(proof, classes=(change(proof.classes[0]),)), sentence)


def test_a_lower_bound_of_the_family_than_of_its_leaves_is_found(proved: Proved) -> None:
    case, request, proof = proved
    family = replace(proof.families[0], upper_bound_mm=proof.families[0].upper_bound_mm - 0.1)
    claim = replace(proof.classes[0], upper_bound_mm=proof.classes[0].upper_bound_mm - 0.1)
    lower = replace(proof, families=(family,), classes=(claim,))
    _refused(case, request, lower, "its upper bound is not the largest of its leaves'")


def test_every_class_that_was_asked_for_must_be_there_once(proved: Proved) -> None:
    case, request, proof = proved
    [claim] = proof.classes
    silent = Unsearched(approach=claim.approach, side=claim.side, needle=claim.needle, reason="")
    name = f"{claim.approach} {claim.side} {claim.needle}"
    first, *others = proof.unsearched
    loud = replace(claim, approach=first.approach, side=first.side, needle=first.needle)
    for changed, sentence in [
        (replace(proof, classes=()), f"{name}: is in the proof 0 times, not 1"),
        (replace(proof, classes=(claim, claim)), f"{name}: is in the proof 2 times, not 1"),
        (replace(proof, unsearched=proof.unsearched[1:]), "is in the proof 0 times, not 1"),
        (
            replace(proof, classes=(), unsearched=(*proof.unsearched, silent)),
            f"{name}: has a gate but is unsearched",
        ),
        (
            replace(proof, classes=(claim, loud), unsearched=tuple(others)),
            "has no gate",
        ),
        (
            replace(proof, classes=(claim, replace(claim, needle="13G-150"))),
            "is in the proof 1 times, not 0",
        ),
        (replace(proof, families=proof.families * 2), "family 1: belongs to no class"),
    ]:  # fmt: skip
        _refused(case, request, changed, sentence)


def test_a_proof_is_about_one_case_and_one_request(proved: Proved) -> None:
    case, request, proof = proved
    _refused(replace(case, digest="d" * 64), request, proof, "about another case")
    _refused(case, replace(request, digest="s" * 64), proof, "about another request")
    fewer = replace(case, structures=case.structures[:-1])
    _refused(fewer, request, proof, "the case's structures are not the proof's: skin")
    swapped = replace(case, structures=case.structures[::-1])
    _refused(swapped, request, proof, "the case's structures are not the proof's: their order")
