"""What the planner measures on vertebrae of every level lies where adults do."""

from pathlib import Path

import numpy as np
import pytest

from phantom.morphometry import PHANTOM_LEVELS, morphometry
from phantom.population import (
    SACRAL_MM,
    Measured,
    Row,
    morphometry_table,
    population,
    read_bones,
    sacra,
    side_difference_mm,
)
from phantom.sacrum import BODY_MM, CANAL_MM
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.pedicle_measures import pedicle_walls, sagittal_angle
from planner.case import Side
from planner.case_io import load_case


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    read = list(population(seeds=(2,), resolution_mm=1.9))
    unread = [found for found in read if isinstance(found, Unavailable)]
    assert unread == []
    return [found for found in read if isinstance(found, Measured)]


@pytest.fixture(scope="module")
def drawn(measured: list[Measured]) -> list[VertebraAnatomy]:
    return [one.anatomy for one in measured]


@pytest.fixture(scope="module")
def table(measured: list[Measured]) -> tuple[Row, ...]:
    return morphometry_table(measured)


def test_every_measure_of_every_drawn_level_is_adult(table: tuple[Row, ...]) -> None:
    assert len(table) == 11 * len(PHANTOM_LEVELS)
    assert all(row.least <= row.ours <= row.most for row in table)
    assert [row for row in table if not row.inside] == []


def test_drawn_measures_are_read_back(table: tuple[Row, ...]) -> None:
    rows = {(row.level, row.measure): row for row in table}
    for level in PHANTOM_LEVELS:
        size = morphometry(level)
        assert rows[level, "pedicle width"].ours == pytest.approx(size.pedicle_width_mm, abs=1.0)
        assert rows[level, "pedicle height"].ours == pytest.approx(size.pedicle_height_mm, abs=1.4)
        angle = np.degrees(size.pedicle_transverse_angle)
        assert rows[level, "convergence"].ours == pytest.approx(angle, abs=5.0)
        assert rows[level, "canal depth"].ours == pytest.approx(size.canal_depth_mm, abs=2.5)


def test_drawn_pedicles_descend_as_published(drawn: list[VertebraAnatomy]) -> None:
    for anatomy in drawn:
        wanted = morphometry(anatomy.level).pedicle_sagittal_angle
        for side in Side:
            pedicle = anatomy.pedicles[side]
            assert isinstance(pedicle, Pedicle)
            assert sagittal_angle(anatomy.frame, pedicle) == pytest.approx(wanted, abs=0.12)


def test_walls_lie_on_the_outline_and_where_their_names_say(drawn: list[VertebraAnatomy]) -> None:
    for anatomy in drawn:
        pedicle = anatomy.pedicles[Side.RIGHT]
        assert isinstance(pedicle, Pedicle)
        walls = pedicle_walls(pedicle)
        wide = pedicle.in_plane(walls.lateral_mm)[0] - pedicle.in_plane(walls.medial_mm)[0]
        tall = pedicle.in_plane(walls.superior_mm)[1] - pedicle.in_plane(walls.inferior_mm)[1]
        assert (wide, tall) == pytest.approx((pedicle.width_mm, pedicle.height_mm))
        x = [anatomy.frame.points(p)[0] for p in (walls.lateral_mm, walls.medial_mm)]
        assert x[0] < x[1] < 0.0


def test_what_is_read_of_a_drawn_sacrum_is_adult_and_as_drawn() -> None:
    table = morphometry_table(sacra(seeds=(2,), resolution_mm=1.9))
    assert [row for row in table if not row.inside] == []
    rows = {row.measure: row for row in table}
    assert set(rows) == set(SACRAL_MM)
    width, depth = CANAL_MM
    assert rows["body width"].ours == pytest.approx(BODY_MM[0], abs=2.0)
    assert rows["canal depth"].ours == pytest.approx(depth, abs=2.5)
    assert rows["canal width"].ours == pytest.approx(width, abs=5.0)  # its walls lean outward


@pytest.mark.parametrize("bundle", ["lumbar-cage", "mid-thoracic", "sacropelvic"])
def test_real_vertebrae_are_adult_and_nearly_symmetric(shared_cases: Path, bundle: str) -> None:
    read = list(read_bones(load_case(shared_cases / bundle)))
    assert [row for row in morphometry_table(read) if not row.inside] == []
    for one in read:
        assert isinstance(one, Measured)
        apart = side_difference_mm(one.anatomy)
        assert apart is not None
        assert apart < 0.5
