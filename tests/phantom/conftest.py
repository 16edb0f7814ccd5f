"""Cases that several test files look at, built once."""

import pytest

from phantom.recipe import PhantomCase, build_case, recipe_named


@pytest.fixture(scope="session")
def lumbar() -> PhantomCase:
    return build_case(recipe_named("lumbar-fracture"))
