"""The corridor of an iliac screw lies in the bone, from its back to above the hip, on either side."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from geometry.exact import MeshDistance
from geometry.mesh import triangle_mesh
from planner.anatomy.ilium import IliumAnatomy, ilium_anatomy
from planner.anatomy.model import Unavailable
from planner.case import Kind, Structure
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
    assert np.degrees(np.arccos(left.axis @ (flip * right.axis))) < 6.0
    assert np.linalg.norm(left.posterior_mm - flip * right.posterior_mm) < 12.0


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
