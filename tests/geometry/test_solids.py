"""Solids are closed, outward, and as near to the true surface as promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.mesh import MeshError, TriangleMesh
from geometry.mesh_check import check_and_repair
from geometry.mesh_files import RawMesh
from geometry.solids import box, cylinder, ellipsoid, tube

coordinate = st.floats(-500.0, 500.0)
point = st.tuples(coordinate, coordinate, coordinate).map(np.array)


def without_problems(mesh: TriangleMesh) -> bool:
    again, problems = check_and_repair(RawMesh(vertices=mesh.vertices, faces=mesh.faces))
    return problems == () and again.is_closed and mesh.is_closed


def samples(mesh: TriangleMesh) -> np.ndarray:
    """Corners, mid-edges and centres of all faces."""
    corners = mesh.corners
    middles = (corners + np.roll(corners, 1, axis=1)) / 2.0
    return np.concatenate([corners, middles, corners.mean(axis=1, keepdims=True)], axis=1)


@given(start=point, end=point, diameter=st.floats(1.0, 12.0))
def test_a_cylinder_is_within_two_microns_of_the_true_one(
    start: np.ndarray, end: np.ndarray, diameter: float
) -> None:
    length = float(np.linalg.norm(end - start))
    if length < 1.0:
        return
    mesh = cylinder(start, end, diameter)
    axis = (end - start) / length
    offset = samples(mesh)[: -2 * 128] - start  # the flat ends come last
    across = np.linalg.norm(offset - (offset @ axis)[..., None] * axis, axis=-1)
    assert np.abs(across - diameter / 2.0).max() < 0.002
    assert mesh.is_closed
    assert mesh.volume_mm3 == pytest.approx(np.pi * diameter**2 / 4.0 * length, rel=5e-4)


def test_every_solid_passes_the_check_without_a_remark() -> None:
    here, there = np.array([1.0, -90.0, 980.0]), np.array([30.0, -60.0, 990.0])
    assert without_problems(cylinder(here, there, 6.5))
    assert without_problems(tube(np.array([[30, 80, -40], [31, 81, 0], [30, 80, 40.0]]), 5.5))
    assert without_problems(box(here, np.array([10.0, 22.0, 8.0])))
    assert without_problems(ellipsoid(here, np.array([4.0, 5.0, 9.0])))


@given(bend=st.floats(0.0, 2.0), diameter=st.floats(2.0, 8.0))
def test_a_bent_tube_stays_round_on_both_sides_of_its_joint(bend: float, diameter: float) -> None:
    points = np.array([
        [0.0, 0.0, 0.0], [0.0, 0.0, 40.0], [0.0, 40.0 * np.sin(bend), 40.0 + 40.0 * np.cos(bend)]
    ])  # fmt: skip
    mesh = tube(points, diameter)
    assert mesh.is_closed
    rings = mesh.vertices[:-2].reshape(3, -1, 3)
    for a, b, ring in ((0, 1, rings[:2]), (1, 2, rings[1:])):
        axis = (points[b] - points[a]) / 40.0
        offset = ring - points[a]
        across = np.linalg.norm(offset - (offset @ axis)[..., None] * axis, axis=-1)
        assert np.abs(across - diameter / 2.0).max() < 0.002
    assert mesh.volume_mm3 == pytest.approx(np.pi * diameter**2 / 4.0 * 80.0, rel=1e-3)


@given(radii=st.tuples(*[st.floats(1.0, 30.0)] * 3).map(np.array))
def test_an_ellipsoid_has_its_volume_and_lies_on_its_surface(radii: np.ndarray) -> None:
    mesh = ellipsoid(np.array([1.0, 2.0, 3.0]), radii)
    assert mesh.is_closed
    assert mesh.volume_mm3 == pytest.approx(4.0 / 3.0 * np.pi * radii.prod(), rel=2e-3)
    scaled = np.linalg.norm((samples(mesh) - [1.0, 2.0, 3.0]) / radii, axis=-1)
    assert np.abs(scaled - 1.0).max() < 6e-4


def test_a_box_lies_along_its_axes() -> None:
    c, s = np.cos(0.5), np.sin(0.5)
    axes = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    mesh = box(np.array([1.0, 2.0, 3.0]), np.array([4.0, 6.0, 8.0]), axes)
    along = (mesh.vertices - [1.0, 2.0, 3.0]) @ axes.T
    assert np.allclose(np.abs(along), [2.0, 3.0, 4.0])
    assert mesh.is_closed
    assert mesh.volume_mm3 == pytest.approx(192.0)


LINE = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 10.0]])


@pytest.mark.parametrize(
    ("points", "diameter", "code"),
    [
        (LINE, 0.0, "implausible-size"),
        (LINE, -3.0, "implausible-size"),
        (LINE, float("nan"), "implausible-size"),
        (LINE, 1e9, "implausible-size"),
        (LINE * 0.0, 5.0, "coincident-points"),
        (LINE[:1], 5.0, "coincident-points"),
        (np.concatenate([LINE, LINE[1:]]), 5.0, "coincident-points"),
        (np.concatenate([LINE, LINE[:1]]), 5.0, "sharp-bend"),
        (np.concatenate([LINE, [[0.0, 1.0, 10.0]]]), 5.0, "sharp-bend"),
        (LINE * np.nan, 5.0, "non-finite"),
    ],
)
def test_nonsense_is_refused(points: np.ndarray, diameter: float, code: str) -> None:
    with pytest.raises(MeshError) as caught:
        tube(points, diameter)
    assert caught.value.code == code


def test_axes_that_mirror_or_lean_are_refused() -> None:
    for axes in (np.diag([1.0, 1.0, -1.0]), np.array([[1.0, 0.2, 0], [0, 1, 0], [0, 0, 1]])):
        with pytest.raises(MeshError) as caught:
            box(np.zeros(3), np.ones(3), axes)
        assert caught.value.code == "bad-axes"
    with pytest.raises(MeshError):
        ellipsoid(np.zeros(3), np.array([1.0, 0.0, 1.0]))
