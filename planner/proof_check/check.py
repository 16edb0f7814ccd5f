"""Checks a proof against the case and the request, without the search that made it.

``statement`` compares what the proof is about with what case and request imply, ``faces`` shows
that every line is in a root box, and ``rules`` that the leaves of these boxes prove the bounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from planner.case import Case
from planner.prepared import PreparedCase
from planner.proof import FamilyProof, Proof, Why
from planner.proof_check.faces import face_failures
from planner.proof_check.rules import (
    Boxes,
    Holds,
    PerLeaf,
    Tubes,
    boxes_of,
    breaks_rule,
    has_left,
    in_body,
    outside_window,
    tiling_failures,
    tips_beyond,
    too_long,
    weighed_bounds,
    witnesses_reached,
)
from planner.proof_check.statement import (
    EQUAL,
    EQUAL_MM,
    ROUNDING_MM,
    Space,
    identity_failures,
    space_of,
    statement_failures,
)
from planner.question import question_of
from planner.request import PlanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyReport:
    """What was checked of one family.

    Attributes:
        leaves: How many boxes it has.
        by_why: How many of them claim each ``Why``, in its order.
        tubes: How many tubes were measured against a surface.
        bound_mm: What the leaves show: no path has more slack.
    """

    leaves: int
    by_why: tuple[int, ...]
    tubes: int
    bound_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What was checked, and each way in which the proof fails, as a sentence."""

    families: tuple[FamilyReport, ...]
    failures: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the proof proves what it claims."""
        return not self.failures


# What these leaves claim rests on how far their paths run.
RUNNING = {Why.BOUNDED, Why.NO_TIP, Why.TOO_LONG}


def check_proof(case: Case | PreparedCase, request: PlanRequest, proof: Proof) -> CheckReport:
    """Check that a proof is about this case and request, and that it proves what it claims.

    Raises:
        RequestError: If the request names what the case or the catalogues do not have.
    """
    prepared = case if isinstance(case, PreparedCase) else PreparedCase(case)
    failures = list(identity_failures(prepared.case, request, proof))
    if failures:  # what its witnesses lie on is then not known
        return CheckReport(families=(), failures=tuple(failures))
    space = space_of(question_of(prepared, request))
    failures += statement_failures(space, request, proof)
    reports = []
    for k, family in enumerate(proof.families):
        tubes, bounds = Tubes(), weighed_bounds(space, family.leaves, boxes_of(family))
        wrong = family_failures(space, family, tubes, bounds)
        failures += [f"family {k}: {failure}" for failure in wrong]
        whys = np.bincount(family.leaves.why, minlength=len(Why))
        reports.append(
            FamilyReport(
                leaves=len(bounds), by_why=tuple(whys.tolist()), tubes=tubes.measured,
                bound_mm=float(bounds.max(initial=-np.inf)),
            )
        )  # fmt: skip
    return CheckReport(families=tuple(reports), failures=tuple(failures))


def family_failures(
    space: Space, family: FamilyProof, tubes: Tubes, bounds: PerLeaf
) -> Iterator[str]:
    """Say where the leaves do not hold every line of a family, or claim what they do not show.

    ``bounds`` are what their witnesses show.
    """
    leaves, boxes = family.leaves, boxes_of(family)
    if family.reach_mm <= 0.0:
        yield "its aim plane does not lie beyond the gate"
        return
    yield from face_failures(family)
    yield from tiling_failures(leaves, len(family.faces))
    claims: list[tuple[set[Why], Callable[[Boxes], Holds], str]] = [
        ({Why.OUTSIDE_WINDOW}, outside_window, "lines may pass the gate within the window"),
        ({Why.NO_TIP}, has_left, "lines may go on in the target"),
        ({Why.TOO_LONG}, too_long, "paths may be short enough"),
        (RUNNING, lambda some: tips_beyond(space, tubes, some), "paths may end before reach_t"),
        (RUNNING, lambda some: in_body(space, tubes, some), "paths may start after back_t"),
    ]
    for whys, rule, failure in claims:
        claiming = np.isin(leaves.why, list(whys))
        holds = np.ones(len(claiming), dtype=np.bool_)
        holds[claiming] = rule(boxes[claiming])
        yield from _told(holds, failure)
    breaking = breaks_rule(boxes, leaves) | (leaves.why != Why.BREAKS_RULE)
    yield from _told(breaking, "lines may keep all rules")
    yield from _told(witnesses_reached(leaves), "a witness lies where some path may not be")
    # Boxes that no line keeps to can have bounds far below zero, from which many digits are lost.
    near = EQUAL_MM + EQUAL * np.abs(np.where(np.isfinite(bounds), bounds, 0.0))
    yield from _told(leaves.bound_mm >= bounds - near, "the bound is below its witnesses'")
    yield from _told(leaves.bound_mm <= bounds + near, "the bound is above its witnesses'")
    if family.upper_bound_mm != leaves.bound_mm.max(initial=-np.inf):
        yield "its upper bound is not the largest of its leaves'"
    if family.upper_bound_mm < bounds.max(initial=-np.inf) - ROUNDING_MM:
        yield f"its upper bound is below what its leaves show, {bounds.max()} mm"


def _told(holds: Bool[np.ndarray, " n"], failure: str) -> Iterator[str]:
    """Say of how many leaves something does not hold, and of which first."""
    wrong = np.flatnonzero(~holds)
    if len(wrong):
        yield f"{len(wrong)} of its leaves fail: {failure} (leaf {wrong[0]} is the first)"
