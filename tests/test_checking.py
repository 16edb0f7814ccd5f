"""Shapes are checked while testing: a wrong one cannot pass unseen."""

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError, jaxtyped

from geometry.frames import lps_from_ras
from tests.checking import CALLS, beartyped, start_anew


@jaxtyped(typechecker=beartyped)
def _sum(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return a + b if a[0, 0] else np.zeros(3)


GOOD, OTHER, ZERO = np.ones((2, 3)), np.ones((4, 3)), np.zeros((2, 3))


def test_the_project_is_checked() -> None:
    with pytest.raises(TypeCheckError, match="lps_from_ras"):
        lps_from_ras(np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("a", "b"), [(GOOD, OTHER), (ZERO, ZERO)], ids=["arguments that differ", "a wrong answer"]
)
def test_a_wrong_shape_is_seen_in_the_first_calls_of_every_test(
    a: np.ndarray, b: np.ndarray
) -> None:
    for _ in range(CALLS - 1):
        _sum(GOOD, GOOD)
    with pytest.raises(TypeCheckError):
        _sum(a, b)
    start_anew()
    with pytest.raises(TypeCheckError):
        _sum(a, b)
