"""The sample and real cases, each read once for all tests: nothing that is read of one changes."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from planner.case_io import load_case
from planner.prepared import PreparedCase
from tests.planner.elsewhere import mirrored

SAMPLES = Path(__file__).parents[2] / "sample_cases"


@pytest.fixture(scope="session")
def lumbar() -> PreparedCase:
    """Return the lumbar sample: screws on both sides of L2 to L4."""
    return PreparedCase(load_case(SAMPLES / "lumbar-fracture"))


@pytest.fixture(scope="session")
def mirrored_lumbar(lumbar: PreparedCase) -> PreparedCase:
    """Return the lumbar sample with left and right exchanged."""
    return PreparedCase(mirrored(lumbar.given))


@pytest.fixture(scope="session")
def thoracic() -> PreparedCase:
    """Return the thoracic sample: screws on both sides of T7 to T9, one of them loose."""
    return PreparedCase(load_case(SAMPLES / "thoracic-halo"))


@pytest.fixture(scope="session")
def real_case(shared_cases: Path) -> Callable[[str], PreparedCase]:
    """Return the reader of real-anatomy bundles, each prepared once."""
    return cache(lambda bundle: PreparedCase(load_case(shared_cases / bundle)))
