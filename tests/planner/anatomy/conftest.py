"""Vertebrae of known measures."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from phantom.morphometry import morphometry
from phantom.vertebra import VertebraShape, vertebra_mesh, vertebra_shape
from planner.anatomy.describe import CaseAnatomy, describe_case
from planner.case import Case, Kind, Structure
from planner.case_io import load_case

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


@cache
def _read(folder: Path) -> tuple[Case, CaseAnatomy]:
    case = load_case(folder)
    return case, describe_case(case)


@pytest.fixture
def real_anatomy(shared_cases: Path) -> Callable[[str], tuple[Case, CaseAnatomy]]:
    """Return the reader of real-anatomy bundles: the case and its anatomy, each read once."""
    return lambda bundle: _read(shared_cases / bundle)
