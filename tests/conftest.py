"""Shared fixtures, and shape checking of every annotated function while testing."""

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

from tests.checking import start_anew

ROOT = Path(__file__).parents[1]


def _checked_modules() -> list[str]:
    """List leaf modules of the core packages, without the compiled kernels.

    Numba cannot compile a function that the hook has already wrapped.
    """
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("geometry", "planner", "phantom", "cohort")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.stem != "__init__" and "_kernels" not in path.parts
    ]


install_import_hook(_checked_modules(), "tests.checking.beartyped")


def pytest_runtest_setup() -> None:
    """Check the first calls of this test too."""
    start_anew()


SHARED_CASES = ROOT.parent / "shared" / "cases"


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed; tests never draw from global state."""
    return np.random.default_rng(20240611)


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Return the folder of real-anatomy bundles, which are not part of the project."""
    if not SHARED_CASES.is_dir():
        pytest.skip("needs the real-anatomy bundles, which are licensed apart and not shipped")
    return SHARED_CASES
