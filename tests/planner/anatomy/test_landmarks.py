"""What the case states about its anatomy stands; what it leaves out is told or stays unknown."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry.frames import angle_between
from phantom.vertebra import VertebraShape
from planner.anatomy.height import height_loss
from planner.anatomy.landmarks import GIVEN
from planner.anatomy.levels import told_levels
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.reader import AnatomyReader
from planner.anatomy.vertebra import vertebra_anatomy
from planner.anatomy.zones import basivertebral_zone, depth_fraction, posterior_wall
from planner.case import Case, Kind, Side, Structure
from planner.case_io import load_case

Drawer = Callable[..., tuple[VertebraShape, Structure]]
SAMPLE = Path(__file__).parents[3] / "sample_cases" / "lumbar-fracture"


def case_of(bones: list[Structure], landmarks: dict[str, dict[str, np.ndarray]]) -> Case:
    return Case(name="", structures=tuple(bones), digest="", landmarks=landmarks)


def read(bone: Structure, landmarks: dict[str, np.ndarray]) -> VertebraAnatomy:
    stated = {str(bone.level): landmarks} if landmarks else {}
    found = AnatomyReader(case_of([bone], stated)).bone(bone)
    assert isinstance(found, VertebraAnatomy)
    return found


def test_a_stated_pedicle_stands_and_keeps_the_bones_axis(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("L3")
    derived = read(bone, {}).pedicles[Side.LEFT]
    assert isinstance(derived, Pedicle)
    stated = derived.centre_mm + 1.0 * derived.lateral
    given = read(bone, {"left_pedicle_mm": stated}).pedicles[Side.LEFT]
    assert isinstance(given, Pedicle)
    assert given.centre_mm == pytest.approx(stated)
    assert (given.confidence, given.cause) == (1.0, GIVEN)
    assert np.degrees(angle_between(given.axis, derived.axis)) < 1.0
    assert given.outline.area == pytest.approx(derived.outline.area, rel=0.02)
    assert given.outline.centroid.x == pytest.approx(-1.0, abs=0.3)


def test_a_pedicle_stated_in_the_air_is_not_one(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("L3")
    found = read(bone, {"right_pedicle_mm": np.array([-200.0, 0.0, 0.0])}).pedicles[Side.RIGHT]
    assert isinstance(found, Unavailable)
    assert "no bone" in found.reason


def test_a_stated_centre_moves_the_origin_and_not_the_body(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("L3")
    derived = read(bone, {})
    stated = derived.frame.inverse().points(np.array([1.0, -2.0, 0.5]))
    given = read(bone, {"body_centre_mm": stated})
    assert given.frame.points(stated) == pytest.approx(np.zeros(3), abs=1e-9)
    assert (given.confidence, given.cause) == (1.0, GIVEN)
    for one in (derived, given):
        top = one.frame.inverse().points(one.body.superior_mm)
        assert top == pytest.approx(derived.frame.inverse().points(derived.body.superior_mm))


def test_a_stated_wall_leaves_the_anterior_cortex(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("L3")
    derived = read(bone, {})
    wall = posterior_wall(derived).origin_mm + 2.0 * derived.frame.rotation[1]
    given = read(bone, {"posterior_wall_mm": wall})
    front = derived.frame.inverse().points(np.array([0.0, -0.5 * derived.body.depth_mm, 0.0]))
    assert given.body.depth_mm == pytest.approx(derived.body.depth_mm + 2.0)
    assert depth_fraction(given, wall) == pytest.approx(0.0, abs=1e-9)
    assert depth_fraction(given, front) == pytest.approx(1.0)


def test_depth_runs_from_the_wall_to_the_cortex(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("L3")
    found = read(bone, {})
    wall = posterior_wall(found)
    assert depth_fraction(found, wall.origin_mm) == pytest.approx(0.0, abs=1e-12)
    assert depth_fraction(found, found.frame.inverse().translation_mm) == pytest.approx(0.5)
    assert wall.normal @ found.frame.rotation[1] == pytest.approx(-1.0)
    assert basivertebral_zone(found).contains(wall.lifted(3.0, 0.0))
    assert not basivertebral_zone(found).contains(wall.lifted(0.0, 6.0))


def test_lost_height_is_found_against_whole_neighbours(phantom_vertebra: Drawer) -> None:
    def anatomy(level: str, loss: float) -> VertebraAnatomy:
        found = vertebra_anatomy(phantom_vertebra(level, loss)[1])
        assert isinstance(found, VertebraAnatomy)
        return found

    whole = [anatomy("L1", 0.0), anatomy("L3", 0.0)]
    intact, crushed = anatomy("L2", 0.0), anatomy("L2", 0.4)
    assert height_loss(intact, whole).anterior < 0.06
    assert 0.25 < height_loss(crushed, whole).anterior < 0.5
    assert height_loss(crushed, whole).source == "L1 and L3"
    assert height_loss(crushed, whole).wedge_rad > height_loss(intact, whole).wedge_rad + 0.1
    assert height_loss(whole[0], [crushed]).source == "the adult mean at L1"


def test_the_level_between_two_labels_is_told() -> None:
    case = load_case(SAMPLE)
    bones = [replace(b, level=None) if b.level == "L3" else b for b in case.of_kind(Kind.VERTEBRA)]
    blank = case_of(bones, {})
    (unlabelled,) = (b for b in bones if b.level is None)
    assert told_levels(blank) == {unlabelled.name: "L3"}
    found = AnatomyReader(blank).bone(unlabelled)
    assert isinstance(found, VertebraAnatomy)
    assert found.level == "L3"
    assert any("leave only L3" in warning for warning in found.warnings)


def test_a_level_at_the_end_of_the_row_is_not_told() -> None:
    bones = [
        replace(b, level=None) if b.level == "L4" else b
        for b in load_case(SAMPLE).of_kind(Kind.VERTEBRA)
    ]
    assert told_levels(case_of(bones, {})) == {}
