"""Fields: the proven bound holds everywhere, and signs come out right."""

import numpy as np
import pytest
import trimesh

from geometry import _kernels
from geometry.distance_field import ceiling_field, signed_distance_field, slack_field
from geometry.exact import MeshDistance, triangle_tree
from geometry.mesh import triangle_mesh


def _measured(mesh: trimesh.Trimesh) -> MeshDistance:
    return MeshDistance(
        triangle_mesh(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces))
    )


@pytest.mark.parametrize("spacing_mm", [0.7, 1.5])
def test_the_true_distance_is_within_the_stated_bound(
    rng: np.random.Generator, spacing_mm: float
) -> None:
    measured = _measured(trimesh.creation.capsule(height=12.0, radius=4.0))
    low, high = np.array([-9.0, -9.0, -9.0]), np.array([9.0, 9.0, 20.0])
    field = signed_distance_field(measured.tree, low_mm=low, high_mm=high, spacing_mm=spacing_mm)
    used = []
    # Interpolation is worst where the distance has a crease: on the capsule's own axis.
    crease = rng.uniform([-0.2, -0.2, 0.0], [0.2, 0.2, 12.0], size=(200, 3))
    for point in [*rng.uniform(low, high, size=(200, 3)), *crease]:
        value, bound = field.at(point)
        error = abs(value - measured.point(point)[0])
        assert error <= bound + 1e-9
        used.append(error / max(bound, 1e-9))
    assert max(used) > 0.2, "a bound that is never used would hide a mistake"


def test_nodes_hold_exact_signed_distances() -> None:
    measured = _measured(trimesh.creation.box(extents=(7.0, 7.0, 7.0)))
    field = signed_distance_field(
        measured.tree, low_mm=np.full(3, -5.0), high_mm=np.full(3, 5.0), spacing_mm=1.0
    )
    for index in np.ndindex(*field.values.shape):
        node = field.origin_mm + np.array(index) * field.spacing_mm
        assert field.values[index] == pytest.approx(measured.point(node)[0], abs=1e-9)


def test_neighbouring_nodes_never_differ_by_more_than_the_step() -> None:
    measured = _measured(trimesh.creation.torus(major_radius=8.0, minor_radius=2.0))
    field = signed_distance_field(
        measured.tree, low_mm=np.full(3, -12.0), high_mm=np.full(3, 12.0), spacing_mm=0.8
    )
    for axis in range(3):
        assert np.abs(np.diff(field.values, axis=axis)).max() <= 0.8 + 1e-9


def test_a_ceiling_field_is_never_below_the_truth_and_exact_near_surfaces(
    rng: np.random.Generator,
) -> None:
    measured = _measured(trimesh.creation.capsule(height=12.0, radius=4.0))
    low, high = np.array([-30.0, -20.0, -25.0]), np.array([30.0, 20.0, 40.0])
    field = ceiling_field(measured.tree, low_mm=low, high_mm=high, spacing_mm=1.0)
    for point in rng.uniform(low, high, size=(400, 3)):
        value, bound = field.at(point)
        assert value + bound >= measured.point(point)[0]
    near = far = 0
    for index in rng.integers(0, field.values.shape, size=(6000, 3)):
        node = field.origin_mm + index * field.spacing_mm
        distance = abs(measured.point(node)[0])
        excess = field.values[tuple(index)] - distance
        assert -1e-9 <= excess <= (3e-5 if distance < 1.0 else 6.0 * 0.867)
        near, far = near + (distance < 1.0), far + (excess > 0.1)
    assert min(near, far) > 10, "without exact and interpolated nodes the test shows nothing"


def test_offsets_are_subtracted_and_the_cap_cuts_off() -> None:
    mesh = trimesh.creation.box(extents=(2.0, 2.0, 2.0))
    corners = np.asarray(mesh.triangles, dtype=np.float64)
    count = len(corners)
    tree = triangle_tree(corners, np.full(count, 0.5), np.zeros(count, dtype=np.int32))
    field = slack_field(
        tree, low_mm=np.zeros(3), high_mm=np.full(3, 8.0), spacing_mm=1.0, cap_mm=3.0
    )
    assert field.at(np.array([3.0, 0.0, 0.0]))[0] == pytest.approx(1.5)
    assert field.values.max() == 3.0


def test_a_grid_that_cannot_fit_in_memory_is_refused() -> None:
    tree = triangle_tree(np.eye(3)[None], np.zeros(1), np.zeros(1, dtype=np.int32))
    with pytest.raises(ValueError, match="too large"):
        slack_field(tree, low_mm=np.zeros(3), high_mm=np.full(3, 1e4), spacing_mm=0.1, cap_mm=1.0)


TRACED_MM = (0.8661 + 1.0 / 6.0) * 1.5  # error of interpolation, and half the shortest step


@pytest.fixture(scope="module")
def traced() -> tuple[MeshDistance, _kernels.Grid]:
    measured = _measured(trimesh.creation.torus(major_radius=20.0, minor_radius=6.0))
    field = slack_field(
        measured.tree, low_mm=np.full(3, -30.0), high_mm=np.full(3, 30.0), spacing_mm=1.5,
        cap_mm=_kernels.FAR,
    )  # fmt: skip
    return measured, _kernels.Grid(field.values.astype(np.float32), field.origin_mm, 1.5)


def _traced(grid: _kernels.Grid, lines: np.ndarray, cap: float, floor: float) -> np.ndarray:
    out = np.full(len(lines), np.nan)
    starts, ends = (np.ascontiguousarray(lines[:, k]) for k in range(2))
    _kernels.trace_lines(grid, starts, ends, cap, floor, out)
    return out


def test_a_traced_line_comes_as_near_as_the_exact_one(
    traced: tuple[MeshDistance, _kernels.Grid], rng: np.random.Generator
) -> None:
    measured, grid = traced
    lines = rng.uniform(-29.0, 29.0, (500, 2, 3))
    exact = np.array([_kernels.segment_query(measured.tree, *x, _kernels.FAR)[0] for x in lines])
    error = _traced(grid, lines, _kernels.FAR, -_kernels.FAR) - exact
    assert np.abs(error).max() <= TRACED_MM + 1e-3
    assert np.abs(error).max() > 0.1, "a bound that is never used would hide a mistake"
    keeps = _traced(grid, lines, 2.001, 2.0) >= 2.0
    assert keeps[exact > 2.0 + TRACED_MM].all()
    assert not keeps[exact < 2.0 - TRACED_MM].any()
    assert 20 < keeps.sum() < 480


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100])
def test_a_line_among_many_is_traced_as_if_alone(
    traced: tuple[MeshDistance, _kernels.Grid], rng: np.random.Generator, count: int
) -> None:
    _, grid = traced
    lines = rng.uniform(-40.0, 40.0, (count, 2, 3))  # some leave the grid
    lines[::7, 1] = lines[::7, 0]  # and some have no length
    for limits in ((_kernels.FAR, -_kernels.FAR), (3.001, 3.0)):
        alone = [_traced(grid, lines[i : i + 1], *limits)[0] for i in range(count)]
        assert _traced(grid, lines, *limits).tolist() == alone
