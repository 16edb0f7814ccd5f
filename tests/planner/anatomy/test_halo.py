"""A lucency is taken as segmented, else modelled within the bone, and said to be modelled."""

import numpy as np
import pytest
import trimesh

from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box, cylinder
from planner.anatomy.halo import (
    OFF_CORTEX_MM,
    THICKNESS_MM,
    ModelledHalo,
    gap_to_bone,
    halo_radius,
    modelled_halo,
)
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.case import Kind, Side, Structure

HEAD, TIP = np.array([0.0, 20.0, 0.0]), np.array([0.0, -22.0, 0.0])
AXIS = ScrewAxis(
    structure="screw", head_mm=HEAD, tip_mm=TIP, diameter_mm=6.0, level="L3", side=Side.LEFT
)


def bone(mesh: TriangleMesh) -> Structure:
    return Structure(name="L3", kind=Kind.VERTEBRA, level="L3", mesh=mesh)


def block(width: float = 40.0, hole: float | None = None) -> Structure:
    """Return a block of bone from y = 15 down to y = -40, with a hole around the shaft."""
    solid = box(np.array([0.0, -12.5, 0.0]), np.array([width, 55.0, width]))
    if hole is None:
        return bone(solid)
    gap = cylinder(np.array([0.0, 14.99, 0.0]), np.array([0.0, -30.0, 0.0]), hole)
    faces = np.concatenate([solid.faces, gap.faces[:, ::-1] + len(solid.vertices)])
    return bone(triangle_mesh(np.concatenate([solid.vertices, gap.vertices]), faces))


def known(found: ModelledHalo | Unavailable) -> ModelledHalo:
    assert isinstance(found, ModelledHalo), found
    return found


def lucency(diameter: float, **labels: str) -> Structure:
    mesh = cylinder(np.array([0.0, 12.0, 0.0]), np.array([0.0, -24.0, 0.0]), diameter)
    return Structure(name="halo", kind=Kind.HALO, mesh=mesh, **labels)  # type: ignore[arg-type]


def test_a_segmented_lucency_is_measured() -> None:
    found = halo_radius(AXIS, [lucency(10.0)], block())
    assert found.radius_mm == pytest.approx(5.0, abs=0.01)
    assert not found.modelled


def test_without_one_the_assumption_is_made_and_said() -> None:
    far = Structure(name="far", kind=Kind.HALO, mesh=lucency(10.0).mesh, level="L5", side=Side.LEFT)
    moved = triangle_mesh(far.mesh.vertices + np.array([30.0, 0.0, 60.0]), far.mesh.faces)
    other = Structure(name="far", kind=Kind.HALO, mesh=moved, level="L5", side=Side.LEFT)
    for halos in ([], [other]):
        found = halo_radius(AXIS, halos, block())
        assert found.radius_mm == pytest.approx(3.0 + THICKNESS_MM)
        assert found.modelled
        assert "assumed" in found.note


@pytest.mark.parametrize("gap", [0.8, 2.0, 3.0])
def test_a_hole_in_the_bone_tells_the_thickness(gap: float) -> None:
    hollow = block(hole=6.0 + 2.0 * gap)
    measured = gap_to_bone(AXIS, hollow)
    assert measured == pytest.approx(gap, abs=0.05)
    assert halo_radius(AXIS, [], hollow).radius_mm == pytest.approx(3.0 + gap, abs=0.05)
    assert "hole" in known(modelled_halo(AXIS, hollow)).assumption


@pytest.mark.parametrize("hole", [None, 6.4, 20.0])
def test_a_gap_that_is_no_lucency_tells_nothing(hole: float | None) -> None:
    assert isinstance(gap_to_bone(AXIS, block(hole=hole)), Unavailable)


@pytest.mark.parametrize("thickness", [1.0, 1.5, 3.0])
def test_a_modelled_halo_has_the_volume_of_its_annulus(thickness: float) -> None:
    """DOMAIN 6.3: pi/4 L ((d + 2h)^2 - d^2), and the round end beyond the tip."""
    halo = known(modelled_halo(AXIS, block(), thickness_mm=thickness))
    assert halo.mesh.is_closed
    outer = 3.0 + thickness
    length = 37.0  # of the shaft inside the block
    expected = np.pi * outer**2 * length + 2.0 / 3.0 * np.pi * outer**2 * thickness
    assert halo.mesh.volume_mm3 == pytest.approx(expected, rel=0.04)
    assert f"{thickness:.1f} mm" in halo.assumption


def test_a_modelled_halo_stays_within_the_bone() -> None:
    narrow = block(width=8.4)
    distance = MeshDistance(narrow.mesh)
    halo = known(modelled_halo(AXIS, narrow, thickness_mm=3.0))
    depths = [distance.point(v)[0] for v in halo.mesh.vertices]
    assert max(depths) < 0.1
    free = known(modelled_halo(AXIS, block(), thickness_mm=3.0))
    assert halo.mesh.volume_mm3 < free.mesh.volume_mm3
    assert OFF_CORTEX_MM > 0.0


def test_a_thicker_halo_holds_more() -> None:
    volumes = [
        known(modelled_halo(AXIS, block(), thickness_mm=t)).mesh.volume_mm3 for t in (1.0, 2.0, 3.5)
    ]
    assert volumes == sorted(volumes)


def test_a_bone_that_does_not_hold_the_screw_gets_no_halo() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=15.0)
    mesh = triangle_mesh(
        np.asarray(ball.vertices) + np.array([0.0, 0.0, 60.0]),
        np.asarray(ball.faces, dtype=np.int64),
    )
    assert isinstance(modelled_halo(AXIS, bone(mesh)), Unavailable)
