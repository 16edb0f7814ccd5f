"""True proofs of a small world, by the naive prover."""

import pytest

from tests.planner.proof.prover import Proved, proof_of
from tests.planner.proof.world import small_case


@pytest.fixture(scope="session")
def proved() -> Proved:
    """Return the small world, the request and a true proof that found a safe path."""
    return proof_of(small_case())


@pytest.fixture(scope="session")
def proved_far() -> Proved:
    """Return the same with a skin so far out that most lines are too long for the needle."""
    return proof_of(small_case(skin_mm=70.0), budget=350)
