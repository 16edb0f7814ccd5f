"""Cases that several test files look at, built once and a little coarser than the samples."""

from dataclasses import replace

import pytest

from phantom.recipe import PhantomCase, build_case, recipe_named


@pytest.fixture(scope="session")
def lumbar() -> PhantomCase:
    return build_case(replace(recipe_named("lumbar-fracture"), resolution_mm=1.7))


@pytest.fixture(scope="session")
def thoracic() -> PhantomCase:
    return build_case(replace(recipe_named("thoracic-halo"), resolution_mm=1.4))
