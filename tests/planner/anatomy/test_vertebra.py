"""Frames and bodies: true on vertebrae that are known, and moving, mirroring, steady with them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from geometry.frames import RigidTransform, angle_between
from geometry.mesh import triangle_mesh
from phantom.vertebra import VertebraShape, vertebra_mesh, vertebral_axes
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.morphometry import NORMS
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
Drawer = Callable[..., tuple[VertebraShape, Structure]]
BUNDLES = ("lumbar-cage", "thoracolumbar-fracture", "mid-thoracic")
OTHER = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}


def read(bone: Structure, *, canal: Structure | None = None) -> VertebraAnatomy:
    return known(vertebra_anatomy(bone, canal=canal))


def pedicle(anatomy: VertebraAnatomy, side: Side) -> Pedicle:
    found = anatomy.pedicles[side]
    assert isinstance(found, Pedicle), found
    return found


def origin(anatomy: VertebraAnatomy) -> np.ndarray:
    return anatomy.frame.inverse().translation_mm


def motion(axis: np.ndarray, degrees: float = 45.0) -> RigidTransform:
    return RigidTransform(
        target="moved",
        source="patient",
        rotation=Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix(),
        translation_mm=np.array([1234.5, -800.3, 555.1]),
    )


def known(found: VertebraAnatomy | Unavailable) -> VertebraAnatomy:
    assert isinstance(found, VertebraAnatomy), found
    return found


def assert_same(one: VertebraAnatomy, other: VertebraAnatomy, *, mm: float, degrees: float) -> None:
    assert np.linalg.norm(origin(one) - origin(other)) < mm
    for a, b in zip(one.frame.rotation, other.frame.rotation, strict=True):
        assert np.degrees(angle_between(a, b)) < degrees
    for side in Side:
        p, q = pedicle(one, side), pedicle(other, side)
        assert np.linalg.norm(p.centre_mm - q.centre_mm) < mm
        assert np.degrees(angle_between(p.axis, q.axis)) < degrees
        assert (p.width_mm, p.height_mm) == pytest.approx((q.width_mm, q.height_mm), abs=mm)


def carried(anatomy: VertebraAnatomy, by: RigidTransform) -> VertebraAnatomy:
    """Move what was read, so that it can be compared with what is read after the move."""
    back = by.inverse()
    frame = RigidTransform(
        target=anatomy.frame.target,
        source="patient",
        rotation=anatomy.frame.rotation @ back.rotation,
        translation_mm=anatomy.frame.points(back.translation_mm),
    )
    pedicles = {
        side: replace(
            pedicle(anatomy, side),
            centre_mm=by.points(pedicle(anatomy, side).centre_mm),
            axis=by.vectors(pedicle(anatomy, side).axis),
        )
        for side in Side
    }
    return replace(anatomy, frame=frame, pedicles=pedicles)


@pytest.mark.parametrize("level", ["T1", "T4", "T8", "T12", "L3", "L5"])
def test_the_frame_of_a_drawn_vertebra_is_the_one_it_was_drawn_in(
    phantom_vertebra: Drawer, level: str
) -> None:
    shape, bone = phantom_vertebra(level)
    found = read(bone)
    centre, axes = vertebral_axes(shape.body)
    assert np.linalg.norm(found.frame.points(centre)) < 0.8
    for drawn_axis, axis in zip(axes, found.frame.rotation, strict=True):
        assert np.degrees(angle_between(drawn_axis, axis)) < 1.5
    assert found.confidence > 0.8
    assert found.warnings == ()


@pytest.mark.parametrize("level", ["T3", "T10", "L2"])
@pytest.mark.parametrize("loss", [0.3, 0.6])
def test_a_crushed_body_keeps_its_frame_and_is_called_wedged(
    phantom_vertebra: Drawer, level: str, loss: float
) -> None:
    shape, bone = phantom_vertebra(level, loss)
    found = read(bone)
    _, axes = vertebral_axes(shape.body)
    for drawn_axis, axis in zip(axes, found.frame.rotation, strict=True):
        assert np.degrees(angle_between(drawn_axis, axis)) < 3.0
    ratio = found.body.anterior_height_mm / found.body.posterior_height_mm
    assert ratio < 1.0 - 0.6 * loss
    assert any("wedged" in warning for warning in found.warnings)


def test_a_missing_arch_changes_neither_body_nor_frame(phantom_vertebra: Drawer) -> None:
    shape, bone = phantom_vertebra("L3")
    behind = pedicle(read(bone), Side.LEFT).centre_mm[1] + 7.0

    def without_arch(points: np.ndarray) -> np.ndarray:
        return np.maximum(shape.distance(points), points[:, 1] - behind)

    mesh = vertebra_mesh(shape, without_arch, resolution_mm=1.4)
    after, before = read(replace(bone, mesh=mesh)), read(bone)
    assert np.linalg.norm(origin(after) - origin(before)) < 0.3
    for a, b in zip(before.frame.rotation, after.frame.rotation, strict=True):
        assert np.degrees(angle_between(a, b)) < 1.0


@pytest.mark.parametrize("axis", np.eye(3))
@pytest.mark.parametrize("degrees", [45.0, -45.0])
def test_anatomy_moves_with_the_bone(
    phantom_vertebra: Drawer, axis: np.ndarray, degrees: float
) -> None:
    _, bone = phantom_vertebra("L2", 0.0, 2.2)
    by = motion(axis, degrees)
    after = read(replace(bone, mesh=bone.mesh.moved(by)))
    assert_same(carried(read(bone), by), after, mm=1e-6, degrees=1e-6)


@pytest.mark.parametrize(("bundle", "level"), [("lumbar-cage", "L5"), ("mid-thoracic", "T5")])
def test_real_anatomy_moves_with_the_bone(real_anatomy: Reader, bundle: str, level: str) -> None:
    case, anatomy = real_anatomy(bundle)
    bone, canal = case.bone_of_level(level), case.of_kind(Kind.CANAL)[0]
    by = motion(np.array([0.6, -0.64, 0.48]))
    after = read(
        replace(bone, mesh=bone.mesh.moved(by)),
        canal=replace(canal, mesh=canal.mesh.moved(by)),
    )
    before = known(anatomy.of_level(level))
    assert_same(carried(before, by), after, mm=1e-6, degrees=1e-6)


def test_mirroring_the_bone_swaps_left_and_right(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("T8", 0.0, 2.0)
    flip = np.array([-1.0, 1.0, 1.0])
    mirrored = triangle_mesh(bone.mesh.vertices * flip, bone.mesh.faces[:, ::-1])
    before, after = read(bone), read(replace(bone, mesh=mirrored))
    assert origin(after) == pytest.approx(origin(before) * flip, abs=1e-6)
    for side in Side:
        one, other = pedicle(before, side), pedicle(after, OTHER[side])
        assert other.centre_mm == pytest.approx(one.centre_mm * flip, abs=1e-6)
        assert other.axis == pytest.approx(one.axis * flip, abs=1e-8)
        assert other.outline.symmetric_difference(one.outline).area < 1e-5


@pytest.mark.parametrize("level", ["T4", "L1", "L5"])
def test_left_and_right_of_a_symmetric_bone_are_mirror_images(
    phantom_vertebra: Drawer, level: str
) -> None:
    _, bone = phantom_vertebra(level, 0.0, 2.0)
    flip = np.array([-1.0, 1.0, 1.0])
    whole = trimesh.Trimesh(bone.mesh.vertices, bone.mesh.faces, process=False)
    half = whole.slice_plane([0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    other = trimesh.Trimesh(half.vertices * flip, half.faces[:, ::-1], process=False)
    both = trimesh.util.concatenate([half, other])
    both.merge_vertices()
    anatomy = read(replace(bone, mesh=triangle_mesh(both.vertices, both.faces)))
    left, right = pedicle(anatomy, Side.LEFT), pedicle(anatomy, Side.RIGHT)
    assert np.linalg.norm(left.centre_mm - right.centre_mm * flip) < 0.05
    assert np.degrees(angle_between(left.axis, right.axis * flip)) < 0.1
    assert left.width_mm == pytest.approx(right.width_mm, abs=0.02)
    assert left.height_mm == pytest.approx(right.height_mm, abs=0.02)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_tenth_of_a_micron_of_noise_moves_nothing_that_matters(
    phantom_vertebra: Drawer, seed: int
) -> None:
    _, bone = phantom_vertebra("L2", 0.0, 2.2)
    noise = np.random.default_rng(seed).uniform(-1e-4, 1e-4, bone.mesh.vertices.shape)
    rough = triangle_mesh(bone.mesh.vertices + noise, bone.mesh.faces)
    assert_same(read(bone), read(replace(bone, mesh=rough)), mm=0.01, degrees=0.01)


def test_the_order_of_faces_hardly_matters(phantom_vertebra: Drawer) -> None:
    _, bone = phantom_vertebra("L2", 0.0, 2.2)
    order = np.random.default_rng(5).permutation(len(bone.mesh.faces))
    shuffled = triangle_mesh(bone.mesh.vertices, bone.mesh.faces[order])
    assert_same(read(bone), read(replace(bone, mesh=shuffled)), mm=0.3, degrees=1.0)


def test_voxel_steps_hardly_change_what_is_read(real_anatomy: Reader) -> None:
    smooth = known(real_anatomy("lumbar-cage")[1].of_level("L1"))
    stepped = known(real_anatomy("thoracolumbar-fracture")[1].of_level("L1"))
    assert_same(smooth, stepped, mm=0.8, degrees=1.5)
    assert smooth.body.depth_mm == pytest.approx(stepped.body.depth_mm, abs=0.3)
    assert smooth.body.posterior_height_mm == pytest.approx(
        stepped.body.posterior_height_mm, abs=0.3
    )


@pytest.mark.parametrize("bundle", BUNDLES)
def test_real_vertebrae_have_adult_measures(real_anatomy: Reader, bundle: str) -> None:
    for vertebra in real_anatomy(bundle)[1].vertebrae.values():
        found = known(vertebra)
        if found.level == "S1":
            continue
        norm = NORMS[found.level]
        assert found.confidence > 0.8
        assert found.frame.rotation[2, 2] > 0.85
        assert 0.8 < found.body.width_mm / norm.body_width_mm < 1.2
        assert 0.8 < found.body.depth_mm / norm.body_depth_mm < 1.2
        assert 0.8 < found.body.posterior_height_mm / norm.body_height_mm < 1.25
        for side in Side:
            assert pedicle(found, side).confidence > 0.9


@pytest.mark.parametrize(("bundle", "level"), [("lumbar-cage", "L4"), ("mid-thoracic", "T6")])
def test_the_canal_confirms_what_the_bone_says_by_itself(
    real_anatomy: Reader, bundle: str, level: str
) -> None:
    case, anatomy = real_anatomy(bundle)
    alone = read(case.bone_of_level(level))
    assert_same(alone, known(anatomy.of_level(level)), mm=1e-6, degrees=1e-6)


def test_left_is_left_and_up_is_up(real_anatomy: Reader) -> None:
    found = known(real_anatomy("mid-thoracic")[1].of_level("T4"))
    assert np.linalg.det(found.frame.rotation) == pytest.approx(1.0)
    assert found.frame.rotation[0, 0] > 0.99
    assert found.frame.points(pedicle(found, Side.LEFT).centre_mm)[0] > 5.0
    assert found.frame.points(pedicle(found, Side.RIGHT).centre_mm)[0] < -5.0
    assert found.body.superior_normal[2] > 0.9
    assert found.body.inferior_normal[2] < -0.9


def test_what_is_no_vertebra_is_refused_with_a_reason() -> None:
    for source in (
        trimesh.creation.cylinder(radius=1.5, height=80.0, sections=24),
        trimesh.creation.torus(major_radius=25.0, minor_radius=1.0),
    ):
        mesh = triangle_mesh(np.asarray(source.vertices), np.asarray(source.faces, dtype=np.int64))
        found = vertebra_anatomy(Structure(name="no bone", kind=Kind.VERTEBRA, mesh=mesh))
        assert isinstance(found, Unavailable)
        assert len(found.reason) > 20


def test_four_faces_are_no_vertebra() -> None:
    corners = np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 30.0, 0.0], [0.0, 0.0, 30.0]])
    mesh = triangle_mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    bone = Structure(name="L2", kind=Kind.VERTEBRA, level="L2", mesh=mesh)
    assert isinstance(vertebra_anatomy(bone), Unavailable)
