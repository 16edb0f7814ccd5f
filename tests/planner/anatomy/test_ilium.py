"""The corridor of an iliac screw lies in the bone, from its back to above the hip, on either side."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from geometry.arrays import unit
from geometry.exact import MeshDistance
from geometry.frames import angle_between
from geometry.mesh import triangle_mesh
from phantom.ilium import ilium_mesh, ilium_shape
from phantom.sacrum import sacrum_shape
from phantom.stability import noisy
from planner.anatomy.ilium import IliumAnatomy, ilium_anatomy
from planner.anatomy.model import Unavailable
from planner.case import Kind, Side, Structure
from planner.prepared import PreparedCase


def test_a_real_corridor_lies_in_the_bone_and_is_mirrored(
    real_case: Callable[[str], PreparedCase],
) -> None:
    found = []
    for bone in real_case("sacropelvic").given.of_kind(Kind.ILIUM):
        corridor = ilium_anatomy(bone)
        assert isinstance(corridor, IliumAnatomy)
        inside = MeshDistance(bone.mesh).segment(corridor.posterior_mm, corridor.anterior_mm)
        assert inside.distance_mm < -2.0
        for share in np.linspace(0.0, 1.0, 15):
            point = corridor.posterior_mm + share * (corridor.anterior_mm - corridor.posterior_mm)
            depth = -MeshDistance(bone.mesh).point(point)[0]
            assert depth > corridor.radius_mm - 0.7  # the search's grid is 2 mm
        assert 100.0 < corridor.length_mm < 150.0
        assert corridor.axis[1] < -0.6
        assert corridor.axis[2] < -0.3
        assert np.linalg.det(corridor.frame.rotation) == pytest.approx(1.0)
        found.append(corridor)
    left, right = found
    flip = np.array([-1.0, 1.0, 1.0])
    assert np.degrees(angle_between(left.axis, flip * right.axis)) < 2.5
    assert np.linalg.norm(left.posterior_mm - flip * right.posterior_mm) < 4.0


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_of_three_tenths_hardly_moves_a_real_corridor(
    real_case: Callable[[str], PreparedCase], seed: int
) -> None:
    for bone in real_case("sacropelvic").given.of_kind(Kind.ILIUM):
        before = ilium_anatomy(bone)
        after = ilium_anatomy(replace(bone, mesh=noisy(bone.mesh, seed)))
        assert isinstance(before, IliumAnatomy)
        assert isinstance(after, IliumAnatomy)
        assert np.degrees(angle_between(before.axis, after.axis)) < 1.5
        moved = after.frame.inverse().translation_mm - before.frame.inverse().translation_mm
        along = moved @ before.axis  # where it ends is not sharp
        assert abs(along) < 2.0
        assert np.linalg.norm(moved - along * before.axis) < 1.0


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("scale", [0.92, 1.08])
def test_a_drawn_corridor_runs_between_the_spines_that_were_drawn(side: Side, scale: float) -> None:
    shape = ilium_shape(side, seed=1, scale=scale)
    field = shape.beside(sacrum_shape(seed=1, scale=scale).distance)
    mesh = ilium_mesh(shape, field, resolution_mm=2.5)
    found = ilium_anatomy(Structure(name="ilium", kind=Kind.ILIUM, mesh=mesh))
    assert isinstance(found, IliumAnatomy)
    back, front = shape.spines
    axis = unit(front - back)
    assert np.degrees(angle_between(found.axis, axis)) < 1.0
    assert found.radius_mm >= 5.0
    offset = found.posterior_mm - back
    assert np.linalg.norm(offset - (offset @ axis) * axis) < 1.0


def ilium(source: trimesh.Trimesh) -> Structure:
    mesh = triangle_mesh(np.asarray(source.vertices), np.asarray(source.faces, dtype=np.int64))
    return Structure(name="no ilium", kind=Kind.ILIUM, mesh=mesh)


def test_what_has_no_corridor_is_refused_with_a_reason() -> None:
    ball = ilium(trimesh.creation.icosphere(subdivisions=2, radius=30.0))
    plate = ilium(trimesh.creation.box(extents=(3.0, 150.0, 150.0)))
    opened = replace(plate, mesh=triangle_mesh(plate.mesh.vertices, plate.mesh.faces[1:]))
    for bone in (ball, plate, opened):
        found = ilium_anatomy(bone)
        assert isinstance(found, Unavailable)
        assert len(found.reason) > 20
