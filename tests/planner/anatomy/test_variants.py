"""Operated, broken and badly segmented vertebrae: pedicles are right, or not claimed."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.frames import PATIENT, RigidTransform, angle_between
from phantom.gallery import VARIANTS
from phantom.implicit import Field, smooth_union, zero_surface
from phantom.morphometry import morphometry
from phantom.operated import OPERATIONS, beyond, channel, without
from phantom.stability import RESECTED, noisy
from phantom.vertebra import VertebraShape, vertebra_shape
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
LEVELS = ("T5", "L2")


@cache
def shape_of(level: str) -> VertebraShape:
    return vertebra_shape(morphometry(level), seed=3)


def bone(level: str, field: Field, spacing_mm: float = 1.7) -> Structure:
    low, high = shape_of(level).bounds
    mesh = zero_surface(field, low - 12.0, high + 12.0, spacing_mm)
    return Structure(name=level, kind=Kind.VERTEBRA, mesh=mesh, level=level)


@cache
def intact(level: str) -> VertebraAnatomy:
    found = vertebra_anatomy(bone(level, shape_of(level).distance))
    assert isinstance(found, VertebraAnatomy)
    return found


@cache
def operated(level: str, name: str) -> VertebraAnatomy | Unavailable:
    return vertebra_anatomy(bone(level, OPERATIONS[name](shape_of(level))))


def claimed(found: VertebraAnatomy | Unavailable, side: Side) -> Pedicle | None:
    """Return the pedicle that is claimed with some confidence; what is not must say why."""
    if isinstance(found, Unavailable):
        assert len(found.reason) > 15
        return None
    pedicle = found.pedicles[side]
    if isinstance(pedicle, Unavailable):
        assert len(pedicle.reason) > 15
        return None
    assert pedicle.cause
    return pedicle if pedicle.confidence >= 0.5 else None


def assert_not_wrong(found: Pedicle | None, truth: Pedicle | Unavailable) -> None:
    if found is None:
        return
    assert isinstance(truth, Pedicle)
    assert np.linalg.norm(found.centre_mm - truth.centre_mm) < 1.0
    assert np.degrees(angle_between(found.axis, truth.axis)) < 3.0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_pedicle_is_found_where_it_was_or_not_claimed(level: str, name: str) -> None:
    found = operated(level, name)
    for side in Side:
        pedicle = claimed(found, side)
        if side in RESECTED.get(name, ()):
            assert pedicle is None
        else:
            assert_not_wrong(pedicle, intact(level).pedicles[side])


@pytest.mark.parametrize("level", ["T5", "L2"])
@pytest.mark.parametrize("name", ["lamina_removed", "facets_removed", "fusion_mass", "cement_void"])
def test_what_leaves_the_pedicles_alone_leaves_them_found(level: str, name: str) -> None:
    found = operated(level, name)
    for side in Side:
        assert_steady(claimed(found, side), intact(level).pedicles[side])


def drilled(level: str, *, share: float, noise: int | None = None) -> VertebraAnatomy:
    """Read a bone with a channel through the left pedicle, as wide as a share of it."""
    shape = vertebra_shape(morphometry(level), seed=5)
    pedicle = shape.pedicles[Side.LEFT]
    start = pedicle.centre + np.array([0.8, 0.0, 0.0]) - 30.0 * pedicle.axis
    hole = channel(start, pedicle.axis, 56.0, 0.5 * share * pedicle.width_mm)
    low, high = shape.bounds
    mesh = zero_surface(without(shape, hole), low, high, 1.5)
    mesh = mesh if noise is None else noisy(mesh, noise)
    found = vertebra_anatomy(Structure(name=level, kind=Kind.VERTEBRA, mesh=mesh, level=level))
    assert isinstance(found, VertebraAnatomy)
    return found


@pytest.mark.parametrize("noise", [None, 5])
@pytest.mark.parametrize("level", ["L1", "L3", "L5"])
def test_a_channel_between_whole_walls_leaves_a_pedicle_where_it_was(
    level: str, noise: int | None
) -> None:
    before, after = drilled(level, share=0.0), drilled(level, share=0.4, noise=noise)
    assert_steady(claimed(after, Side.LEFT), before.pedicles[Side.LEFT])


@pytest.mark.parametrize("noise", [None, 5])
@pytest.mark.parametrize(("level", "share"), [("L1", 0.6), ("T11", 0.6), ("T11", 0.8), ("L3", 0.8)])
def test_a_pedicle_whose_walls_a_channel_opens_is_shown_but_not_claimed(
    level: str, share: float, noise: int | None
) -> None:
    found = drilled(level, share=share, noise=noise)
    left = found.pedicles[Side.LEFT]
    assert claimed(found, Side.LEFT) is None
    if isinstance(left, Pedicle):
        assert "the neck " in left.cause or "channels" in left.cause
    assert claimed(found, Side.RIGHT) is not None


@pytest.mark.parametrize("level", ["L2"])
@pytest.mark.parametrize(("axis", "sign"), [(2, 1.0), (2, -1.0), (0, 1.0), (1, -1.0)])
def test_a_bone_cut_off_at_the_edge_of_the_scan_is_not_trusted(
    level: str, axis: int, sign: float
) -> None:
    field = without(shape_of(level), beyond(axis, sign, 3.0))
    found = vertebra_anatomy(bone(level, field))
    for side in Side:
        assert_not_wrong(claimed(found, side), intact(level).pedicles[side])
    if isinstance(found, VertebraAnatomy):
        assert found.confidence < 0.5
        assert "cut off" in found.cause


@pytest.mark.parametrize("bridged", [True, False])
def test_two_vertebrae_in_one_mesh_are_told_from_one(bridged: bool) -> None:
    shape = shape_of("L2")
    up = np.array([0.0, 0.0, shape.body.posterior_height_mm + 8.0])

    def fused(points: np.ndarray) -> np.ndarray:
        both = np.minimum(shape.distance(points), shape.distance(points - up))
        disc = np.linalg.norm(points - 0.5 * up, axis=1) - 9.0
        return smooth_union(both, disc, 1.0) if bridged else both

    low, high = shape.bounds
    mesh = zero_surface(fused, low - 2.0, high + up + 2.0, 1.6)
    found = vertebra_anatomy(Structure(name="both", kind=Kind.VERTEBRA, mesh=mesh, level="L2"))
    assert isinstance(found, Unavailable)
    assert "two or more vertebrae" in found.reason


@pytest.mark.parametrize("loss", [0.5, 0.7])
def test_a_crushed_body_keeps_its_pedicles(loss: float) -> None:
    shape = vertebra_shape(morphometry("T11"), seed=3, height_loss=loss)
    found = vertebra_anatomy(bone("T11", shape.distance))
    for side in Side:
        pedicle = claimed(found, side)
        assert pedicle is not None
        assert_not_wrong(pedicle, intact("T11").pedicles[side])


@pytest.mark.parametrize("level", ["T8", "L5"])
def test_a_fragment_in_the_canal_is_no_part_of_the_body(level: str) -> None:
    whole, burst = intact(level), operated(level, "burst_wall")
    assert isinstance(burst, VertebraAnatomy)
    assert burst.body.depth_mm == pytest.approx(whole.body.depth_mm, abs=1.5)
    assert np.degrees(angle_between(burst.frame.rotation[0], whole.frame.rotation[0])) < 2.0
    assert burst.confidence < 0.5
    assert "posterior wall is broken" in burst.cause
    assert any("behind its rims" in warning for warning in burst.warnings)
    assert not any("rims" in warning for warning in whole.warnings)


@pytest.mark.parametrize("name", ["lamina_removed", "left_pedicle_resected", "burst_wall"])
def test_an_operated_l5_is_right_or_not_claimed(name: str) -> None:
    for side in Side:
        pedicle = claimed(operated("L5", name), side)
        if side in RESECTED.get(name, ()):
            assert pedicle is None
        elif pedicle is not None:
            assert_steady(pedicle, intact("L5").pedicles[side])


def test_a_sixth_lumbar_vertebra_with_one_broad_process_is_read_without_a_norm() -> None:
    (bone_of_six,) = next(e for e in VARIANTS if e.name == "transitional").draw()
    found = vertebra_anatomy(bone_of_six)
    assert isinstance(found, VertebraAnatomy)
    assert found.level == "L6"
    assert "no adult norm" in found.cause
    for side in Side:
        assert_not_wrong(claimed(found, side), intact("L5").pedicles[side])
        assert claimed(found, side) is not None


def test_scoliosis_with_rotation_and_noise_moves_no_pedicle() -> None:
    turned = RigidTransform(
        target="turned",
        source=PATIENT,
        rotation=Rotation.from_euler("yz", [25.0, 20.0], degrees=True).as_matrix(),
        translation_mm=np.array([40.0, -10.0, 300.0]),
    )
    straight = bone("T10", shape_of("T10").distance)
    found = vertebra_anatomy(replace(straight, mesh=noisy(straight.mesh.moved(turned), seed=1)))
    for side in Side:
        pedicle = claimed(found, side)
        assert pedicle is not None
        back = turned.inverse()
        moved = replace(
            pedicle, centre_mm=back.points(pedicle.centre_mm), axis=back.vectors(pedicle.axis)
        )
        assert_steady(moved, intact("T10").pedicles[side])


@pytest.mark.parametrize(("name", "triangles"), [("coarse", 1_000), ("dense", 500_000)])
def test_coarse_and_dense_meshes_are_read_alike(name: str, triangles: int) -> None:
    (mesh,) = next(e for e in VARIANTS if e.name == name).draw()
    assert len(mesh.mesh.faces) == pytest.approx(triangles, rel=0.1)
    found = vertebra_anatomy(mesh)
    for side in Side:
        assert claimed(found, side) is not None
        assert_not_wrong(claimed(found, side), intact("L2").pedicles[side])


@pytest.mark.parametrize("level", ["T6", "L1", "L5"])
def test_noise_of_three_tenths_hardly_moves_a_drawn_isthmus(level: str) -> None:
    drawn = bone(level, shape_of(level).distance)
    found = vertebra_anatomy(replace(drawn, mesh=noisy(drawn.mesh, seed=0)))
    for side in Side:
        assert_steady(claimed(found, side), intact(level).pedicles[side])


def assert_steady(found: Pedicle | None, truth: Pedicle | Unavailable) -> None:
    assert found is not None
    assert isinstance(truth, Pedicle)
    assert np.linalg.norm(found.centre_mm - truth.centre_mm) < 1.0
    assert np.degrees(angle_between(found.axis, truth.axis)) < 3.0


@pytest.mark.parametrize("level", ["T1", "T8", "L4"])
@pytest.mark.parametrize("change", ["coarse", "dense", "unlabelled"])
def test_the_isthmus_is_steady(level: str, change: str) -> None:
    spacing = {"coarse": 2.2, "dense": 1.2}.get(change, 1.7)
    drawn = bone(level, shape_of(level).distance, spacing)
    found = vertebra_anatomy(replace(drawn, level=None) if change == "unlabelled" else drawn)
    for side in Side:
        assert_steady(claimed(found, side), intact(level).pedicles[side])


@pytest.mark.parametrize(
    ("bundle", "level", "seed"),
    [
        ("mid-thoracic", "T4", 0),
        ("lumbar-cage", "L1", 2),  # a tilt spills into the lamina, and the plane swings
        ("lumbar-cage", "L5", 0),
        ("thoracolumbar-fracture", "T12", 7),  # a section beside it just touches the lamina
        ("thoracolumbar-fracture", "T12", 11),  # the peaks of noise look like a notch
        ("thoracolumbar-fracture", "L1", 0),
    ],
)
def test_noise_of_three_tenths_hardly_moves_a_real_isthmus(
    real_anatomy: Reader, bundle: str, level: str, seed: int
) -> None:
    case, anatomy = real_anatomy(bundle)
    whole, before = case.bone_of_level(level), anatomy.of_level(level)
    assert isinstance(before, VertebraAnatomy)
    after = vertebra_anatomy(replace(whole, mesh=noisy(whole.mesh, seed=seed)))
    for side in Side:
        assert_steady(claimed(after, side), before.pedicles[side])
