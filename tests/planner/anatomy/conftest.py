"""Vertebrae of known measures."""

from collections.abc import Callable
from functools import cache

import pytest

from phantom.morphometry import morphometry
from phantom.vertebra import VertebraShape, vertebra_mesh, vertebra_shape
from planner.anatomy.describe import CaseAnatomy, describe_case
from planner.case import Case, Kind, Structure
from planner.prepared import PreparedCase

Drawn = tuple[VertebraShape, Structure]


@cache
def drawn(level: str, height_loss: float = 0.0, spacing_mm: float = 1.4) -> Drawn:
    shape = vertebra_shape(morphometry(level), seed=3, height_loss=height_loss)

    mesh = vertebra_mesh(shape, shape.distance, resolution_mm=spacing_mm)
    return shape, Structure(name=level, kind=Kind.VERTEBRA, mesh=mesh, level=level)


@pytest.fixture(scope="session")
def phantom_vertebra() -> Callable[..., Drawn]:
    """Return the drawer of phantom vertebrae: their exact shape, and the bone as a structure."""
    return drawn


@pytest.fixture(scope="session")
def real_anatomy(
    real_case: Callable[[str], PreparedCase],
) -> Callable[[str], tuple[Case, CaseAnatomy]]:
    """Return the reader of real-anatomy bundles: the case and its anatomy, each read once."""

    def read(bundle: str) -> tuple[Case, CaseAnatomy]:
        case = real_case(bundle).given
        return case, describe_case(case)

    return cache(read)
