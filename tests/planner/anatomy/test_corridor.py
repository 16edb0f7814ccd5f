"""What metal leaves free of an isthmus: bone only, off the metal, and less for more of it."""

from collections.abc import Callable

import numpy as np
import pytest
import shapely

from geometry.solids import cylinder
from phantom.vertebra import VertebraShape
from planner.anatomy.corridor import METAL, Corridor, Place, corridors
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure
from planner.needles.catalogue import OUTER_DIAMETER_MM

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
Drawer = Callable[..., tuple[VertebraShape, Structure]]
RASTER_MM = 0.05


@pytest.fixture(scope="module")
def lumbar(phantom_vertebra: Drawer) -> Pedicle:
    read = vertebra_anatomy(phantom_vertebra("L4")[1])
    assert isinstance(read, VertebraAnatomy)
    found = read.pedicles[Side.LEFT]
    assert isinstance(found, Pedicle)
    return found


def bar(pedicle: Pedicle, diameter_mm: float, aside_mm: float = 0.0, up_mm: float = 0.0) -> Structure:  # fmt: skip
    middle = pedicle.centre_mm + aside_mm * pedicle.lateral + up_mm * pedicle.cranial
    mesh = cylinder(middle - 20.0 * pedicle.axis, middle + 20.0 * pedicle.axis, diameter_mm)
    return Structure(name="screw", kind=Kind.SCREW, mesh=mesh)


def by_place(found: tuple[Corridor, ...]) -> dict[Place, Corridor]:
    return {corridor.place: corridor for corridor in found}


def test_without_metal_the_whole_isthmus_is_free(lumbar: Pedicle) -> None:
    [whole] = corridors(lumbar, [])
    assert whole.place is Place.WHOLE
    assert whole.area_mm2 == pytest.approx(lumbar.outline.area)
    largest = shapely.maximum_inscribed_circle(lumbar.outline, tolerance=0.001).length
    assert largest - RASTER_MM <= whole.radius_mm <= largest + 1e-6
    assert whole.preferred_radius_mm == pytest.approx(whole.radius_mm - 1.0, abs=RASTER_MM)


@pytest.mark.parametrize(("aside_mm", "up_mm"), [(0.0, 0.0), (3.0, 0.0), (-3.0, 2.0), (0.0, -4.0)])
def test_a_circle_keeps_to_bone_and_off_the_metal(
    lumbar: Pedicle, aside_mm: float, up_mm: float
) -> None:
    middle = shapely.Point(aside_mm, up_mm)
    found = corridors(lumbar, [bar(lumbar, 5.0, aside_mm, up_mm)])
    assert found
    for way in found:
        circle = shapely.Point(way.circle_mm).buffer(way.radius_mm)
        assert circle.difference(lumbar.outline).area < 1e-6
        apart = middle.distance(shapely.Point(way.circle_mm)) - way.radius_mm - 2.5
        assert apart >= (METAL.hard_mm or 0.0) - 0.01
        across = np.array(way.circle_mm) - [aside_mm, up_mm]
        axis, sign = {
            Place.ABOVE: (1, 1.0), Place.BELOW: (1, -1.0),
            Place.LATERAL: (0, 1.0), Place.MEDIAL: (0, -1.0),
        }[way.place]  # fmt: skip
        assert sign * across[axis] >= abs(across[1 - axis]) - 0.05


def test_the_places_share_out_what_the_metal_and_its_margin_leave(lumbar: Pedicle) -> None:
    found = corridors(lumbar, [bar(lumbar, 5.0)])
    assert {way.place for way in found} == set(Place) - {Place.WHOLE}
    taken = np.pi * (2.5 + (METAL.hard_mm or 0.0)) ** 2
    total = sum(way.area_mm2 for way in found)
    assert total == pytest.approx(lumbar.outline.area - taken, abs=0.5)


def test_a_centred_screw_leaves_half_the_rest_of_the_height(lumbar: Pedicle) -> None:
    found = by_place(corridors(lumbar, [bar(lumbar, 6.5)]))
    for place in (Place.ABOVE, Place.BELOW):
        # DOMAIN 2.6, less the margin from metal; an outline is nowhere higher than in its middle
        slit = 0.5 * (lumbar.height_mm - 6.5) - (METAL.hard_mm or 0.0)
        assert 2.0 * found[place].radius_mm == pytest.approx(slit, abs=0.8)


def test_more_metal_never_leaves_more_room(lumbar: Pedicle) -> None:
    before = dict.fromkeys(Place, np.inf)
    for diameter in (2.0, 4.0, 6.0, 8.0, 10.0):
        now = by_place(corridors(lumbar, [bar(lumbar, diameter)]))
        for place, way in now.items():
            assert way.radius_mm <= before[place] + RASTER_MM
        before = {place: now[place].radius_mm if place in now else 0.0 for place in Place}


def test_a_higher_screw_leaves_more_below_and_less_above(lumbar: Pedicle) -> None:
    low, high = (by_place(corridors(lumbar, [bar(lumbar, 5.0, 0.0, up)])) for up in (-2.0, 2.0))
    assert high[Place.BELOW].radius_mm > low[Place.BELOW].radius_mm + 1.0
    assert high[Place.ABOVE].radius_mm < low[Place.ABOVE].radius_mm - 1.0


def test_metal_that_fills_the_pedicle_leaves_nothing(lumbar: Pedicle) -> None:
    assert corridors(lumbar, [bar(lumbar, 40.0)]) == ()


def test_metal_elsewhere_changes_nothing(lumbar: Pedicle) -> None:
    [whole] = corridors(lumbar, [bar(lumbar, 5.0, 30.0)])
    assert whole.place is Place.WHOLE
    assert whole.area_mm2 == pytest.approx(lumbar.outline.area)


def test_needles_that_fit_are_those_no_thicker_than_the_circle(lumbar: Pedicle) -> None:
    for way in corridors(lumbar, [bar(lumbar, 6.0)]):
        fitting = {g for g, d in OUTER_DIAMETER_MM.items() if d <= 2.0 * way.radius_mm}
        assert set(way.gauges) == fitting
        assert set(way.preferred_gauges) <= fitting


def test_beside_thoracic_screws_a_needle_passes_above_or_below_and_at_l5_laterally(
    real_anatomy: Reader,
) -> None:
    thoracic = real_anatomy("mid-thoracic")[1].corridors
    for level in ("T4", "T5"):
        for side in Side:
            found = by_place(thoracic[level, side])
            above, below = found[Place.ABOVE], found[Place.BELOW]
            assert 12 in above.gauges
            assert 12 in below.gauges
            passing = min(above.radius_mm, below.radius_mm)
            beside = [way for place, way in found.items() if place in BESIDE]
            assert beside
            assert all(passing - way.radius_mm > 0.5 and 14 not in way.gauges for way in beside)
    for side in Side:
        found = by_place(real_anatomy("lumbar-cage")[1].corridors["L5", side])
        assert found[Place.LATERAL].gauges[0] == min(OUTER_DIAMETER_MM)


BESIDE = {Place.MEDIAL, Place.LATERAL}
