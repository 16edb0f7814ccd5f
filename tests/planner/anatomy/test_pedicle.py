"""The isthmus: where it was drawn, of the size it was drawn, and less by what metal takes."""

from collections.abc import Callable

import numpy as np
import pytest
import shapely

from geometry.frames import angle_between
from geometry.sections import Plane, section
from geometry.solids import cylinder
from phantom.vertebra import VertebraShape
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
Drawer = Callable[..., tuple[VertebraShape, Structure]]


def pedicles(bone: Structure) -> dict[Side, Pedicle]:
    return both_of(vertebra_anatomy(bone))


def both_of(found: VertebraAnatomy | Unavailable) -> dict[Side, Pedicle]:
    assert isinstance(found, VertebraAnatomy), found
    good = {side: p for side, p in found.pedicles.items() if isinstance(p, Pedicle)}
    assert set(good) == set(Side), found.pedicles
    return good


def rod_through(pedicle: Pedicle, diameter_mm: float, aside_mm: float = 0.0) -> Structure:
    middle = pedicle.centre_mm + aside_mm * pedicle.lateral
    mesh = cylinder(middle - 20.0 * pedicle.axis, middle + 20.0 * pedicle.axis, diameter_mm)
    return Structure(name="screw", kind=Kind.SCREW, mesh=mesh)


@pytest.mark.parametrize("level", ["T1", "T2", "T4", "T6", "T9", "T12", "L1", "L3", "L4", "L5"])
def test_a_drawn_pedicle_is_found_with_its_axis_and_its_size(
    phantom_vertebra: Drawer, level: str
) -> None:
    shape, bone = phantom_vertebra(level)
    for side, found in pedicles(bone).items():
        drawn = shape.pedicles[side]
        lateral, cranial, along = found.in_plane(drawn.centre)
        assert abs(lateral) < 0.5
        assert abs(cranial) < 0.5
        assert abs(along) < 3.0  # drawn pedicles are nearly as thin for several millimetres
        assert np.degrees(angle_between(found.axis, drawn.axis)) < 6.0
        assert found.width_mm == pytest.approx(drawn.width_mm, abs=0.9)
        assert found.height_mm == pytest.approx(drawn.height_mm, abs=0.9)
        assert found.confidence > 0.9


def test_the_outline_is_the_section_of_the_bone_in_the_axes_that_are_given(
    phantom_vertebra: Drawer,
) -> None:
    _, bone = phantom_vertebra("L3")
    for found in pedicles(bone).values():
        plane = Plane(origin_mm=found.centre_mm, x_axis=found.lateral, y_axis=found.cranial)
        piece = section(bone.mesh, plane).at(0.0, 0.0)
        # on the right the axes are left-handed, so the section looks from the other side
        assert piece is not None
        assert found.outline.symmetric_difference(piece).area < 1e-6 * piece.area
        assert found.outline.centroid.distance(shapely.Point(0.0, 0.0)) < 1e-6
        axes = np.stack([found.lateral, found.cranial, found.axis])
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)


def test_lateral_points_away_from_the_midline_and_cranial_up(real_anatomy: Reader) -> None:
    for bundle in ("lumbar-cage", "mid-thoracic"):
        case, anatomy = real_anatomy(bundle)
        for bone in case.of_kind(Kind.VERTEBRA):
            both = both_of(anatomy.vertebrae[bone.name])
            for side, found in both.items():
                other = both[Side.RIGHT if side is Side.LEFT else Side.LEFT]
                assert (found.centre_mm - other.centre_mm) @ found.lateral > 15.0
                assert found.cranial[2] > 0.7
                assert found.axis[1] < -0.7


def test_no_parallel_section_nearby_is_smaller(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("lumbar-cage")
    for level in ("L1", "L3", "L4"):
        bone = case.bone_of_level(level)
        for found in both_of(anatomy.of_level(level)).values():
            for along in (-3.0, -1.5, 1.5, 3.0):
                plane = Plane(
                    origin_mm=found.centre_mm + along * found.axis,
                    x_axis=found.lateral,
                    y_axis=found.cranial,
                )
                piece = section(bone.mesh, plane).at(0.0, 0.0)
                assert piece is not None
                assert piece.area > 0.985 * found.outline.area


def test_an_unusual_size_lowers_the_confidence_and_says_so(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("T4")
    called_l5 = Structure(name="odd", kind=Kind.VERTEBRA, mesh=bone.mesh, level="L5")
    for found in pedicles(called_l5).values():
        assert found.confidence < 0.5
        assert "adult range at L5" in found.cause
