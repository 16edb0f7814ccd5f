"""S1: its endplate faces L5, and its frame moves and mirrors with the bone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from geometry.frames import RigidTransform, angle_between
from geometry.mesh import triangle_mesh
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Unavailable, VertebraAnatomy
from planner.anatomy.sacrum import sacrum_anatomy
from planner.case import Case, Kind, Structure

Reader = Callable[[str], tuple[Case, CaseAnatomy]]


def known(found: VertebraAnatomy | Unavailable) -> VertebraAnatomy:
    assert isinstance(found, VertebraAnatomy), found
    return found


def sacrum(real_anatomy: Reader) -> tuple[Structure, VertebraAnatomy]:
    case, anatomy = real_anatomy("sacropelvic")
    return case.of_kind(Kind.SACRUM)[0], known(anatomy.vertebrae["sacrum"])


def test_the_endplate_faces_l5_and_has_adult_measures(real_anatomy: Reader) -> None:
    _, s1 = sacrum(real_anatomy)
    l5 = known(real_anatomy("sacropelvic")[1].of_level("L5"))
    facing = -l5.frame.inverse().vectors(l5.body.inferior_normal)
    assert np.degrees(angle_between(facing, s1.frame.rotation[2])) < 25.0
    below = l5.frame.inverse().points(l5.body.inferior_mm)
    gap = s1.frame.points(below) - s1.body.superior_mm
    assert 3.0 < gap[2] < 15.0
    assert abs(gap[0]) < 2.0
    assert s1.body.width_mm == pytest.approx(50.0, abs=6.0)
    assert s1.body.depth_mm == pytest.approx(32.0, abs=5.0)
    assert s1.level == "S1"
    assert s1.warnings == ()


def test_what_the_mesh_does_not_show_is_said(real_anatomy: Reader) -> None:
    _, s1 = sacrum(real_anatomy)
    assert s1.confidence <= 0.5
    assert "canal" in s1.cause
    for pedicle in s1.pedicles.values():
        assert not isinstance(pedicle, Unavailable)
        assert pedicle.confidence <= s1.confidence
        assert "canal" in pedicle.cause


def test_the_frame_moves_with_the_sacrum(real_anatomy: Reader) -> None:
    bone, s1 = sacrum(real_anatomy)
    by = RigidTransform(
        target="moved",
        source="patient",
        rotation=Rotation.from_rotvec([0.4, -0.5, 0.4]).as_matrix(),
        translation_mm=np.array([1234.5, -800.3, 555.1]),
    )
    after = known(sacrum_anatomy(replace(bone, mesh=bone.mesh.moved(by))))
    origin = s1.frame.inverse().translation_mm
    assert after.frame.points(by.points(origin)) == pytest.approx(np.zeros(3), abs=1e-6)
    assert after.frame.rotation @ by.rotation == pytest.approx(s1.frame.rotation, abs=1e-9)


def test_the_frame_is_mirrored_with_the_sacrum(real_anatomy: Reader) -> None:
    bone, s1 = sacrum(real_anatomy)
    flip = np.array([-1.0, 1.0, 1.0])
    mesh = triangle_mesh(bone.mesh.vertices * flip, bone.mesh.faces[:, ::-1])
    after = known(sacrum_anatomy(replace(bone, mesh=mesh)))
    assert after.frame.inverse().translation_mm == pytest.approx(
        s1.frame.inverse().translation_mm * flip, abs=1e-6
    )


def test_noise_hardly_moves_it(real_anatomy: Reader) -> None:
    bone, s1 = sacrum(real_anatomy)
    noise = np.random.default_rng(0).uniform(-1e-4, 1e-4, bone.mesh.vertices.shape)
    mesh = triangle_mesh(bone.mesh.vertices + noise, bone.mesh.faces)
    after = known(sacrum_anatomy(replace(bone, mesh=mesh)))
    offset = after.frame.points(s1.frame.inverse().translation_mm)
    assert offset == pytest.approx(np.zeros(3), abs=0.01)


def test_a_ball_has_no_promontory() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=3.0)
    mesh = triangle_mesh(np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int64))
    found = sacrum_anatomy(Structure(name="ball", kind=Kind.SACRUM, mesh=mesh))
    assert isinstance(found, Unavailable)
