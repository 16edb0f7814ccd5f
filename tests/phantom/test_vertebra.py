"""A single vertebra: closed, outward, of the table's sizes, and with an open canal."""

import numpy as np
import pytest
import trimesh
from jaxtyping import Float

from geometry.mesh import TriangleMesh
from phantom.morphometry import PHANTOM_LEVELS, morphometry
from phantom.vertebra import (
    VertebraShape,
    endplate_planes,
    vertebra_mesh,
    vertebra_shape,
    vertebral_axes,
)
from planner.case import Side

SAMPLE = ("T1", "T4", "T8", "T12", "L3", "L5")


def _mesh(shape: VertebraShape, resolution_mm: float = 1.4) -> TriangleMesh:
    return vertebra_mesh(shape, shape.distance, resolution_mm=resolution_mm)


def _oracle(mesh: TriangleMesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def _isthmus(shape: VertebraShape, side: Side) -> Float[np.ndarray, "n 2"]:
    """Outline of the mesh's section at the isthmus, sideways and cranial mm."""
    pedicle = shape.pedicles[side]
    section = _oracle(_mesh(shape, 0.9)).section(
        plane_origin=pedicle.centre, plane_normal=pedicle.axis
    )
    assert section is not None
    outlines = [(loop - pedicle.centre) @ pedicle.axes.T for loop in section.discrete]
    return min(outlines, key=lambda loop: float(np.linalg.norm(loop.mean(axis=0))))[:, :2]


@pytest.mark.parametrize("level", PHANTOM_LEVELS)
def test_every_level_is_one_closed_outward_surface(level: str) -> None:
    mesh = _mesh(vertebra_shape(morphometry(level), seed=3))
    assert mesh.is_closed
    assert mesh.volume_mm3 > 0.0
    assert _oracle(mesh).body_count == 1


@pytest.mark.parametrize("level", SAMPLE)
@pytest.mark.parametrize("side", list(Side))
def test_the_isthmus_measures_what_the_table_says(level: str, side: Side) -> None:
    size = morphometry(level)
    outline = _isthmus(vertebra_shape(size, seed=2), side)
    width, height = np.ptp(outline, axis=0)
    assert width == pytest.approx(size.pedicle_width_mm, rel=0.15)
    assert height == pytest.approx(size.pedicle_height_mm, rel=0.15)


@pytest.mark.parametrize("level", ["T6", "L2"])
def test_the_pedicle_is_narrowest_at_its_isthmus(level: str) -> None:
    shape = vertebra_shape(morphometry(level), seed=1)
    pedicle = shape.pedicles[Side.LEFT]
    sideways = np.linspace(-12.0, 12.0, 481)[:, None] * pedicle.axes[0]

    def width(along_mm: float) -> float:
        field = shape.distance(pedicle.centre + along_mm * pedicle.axis + sideways)
        return float((field < 0.0).sum()) * 0.05

    assert width(0.0) <= min(width(4.5), width(-4.5))


@pytest.mark.parametrize("level", SAMPLE)
def test_body_and_canal_keep_their_sizes(level: str) -> None:
    size = morphometry(level)
    shape = vertebra_shape(size, seed=5)
    line = np.linspace(-60.0, 60.0, 2401)
    zero = np.zeros_like(line)
    vertices = _mesh(shape).vertices
    front = vertices[vertices[:, 1] < 0.0]
    assert np.ptp(front[:, 0]) == pytest.approx(size.endplate_width_mm, rel=0.08)
    body = shape.distance(np.stack([zero, line, zero], axis=1))[line < 0.6 * size.endplate_depth_mm]
    assert (body < 0.0).sum() * 0.05 == pytest.approx(size.endplate_depth_mm, rel=0.10)
    opening = shape.distance(np.stack([zero, line, zero - 4.0], axis=1)) > 0.0
    inside = opening & (line > 0.0) & (line < size.endplate_depth_mm / 2 + size.canal_depth_mm + 1)
    assert inside.sum() * 0.05 > 0.85 * size.canal_depth_mm


def test_a_larger_scale_gives_a_larger_bone() -> None:
    volumes = [
        _mesh(vertebra_shape(morphometry("L3", scale=scale), seed=1)).volume_mm3
        for scale in (0.9, 1.0, 1.1)
    ]
    assert volumes[0] < volumes[1] < volumes[2]
    assert volumes[2] / volumes[0] == pytest.approx((1.1 / 0.9) ** 3, rel=0.06)


def test_height_loss_lowers_the_front_and_leaves_the_back() -> None:
    intact = vertebra_shape(morphometry("L1"), seed=1)
    broken = vertebra_shape(morphometry("L1"), seed=1, height_loss=0.4)
    column = np.linspace(-20.0, 20.0, 1601)

    def height(shape: VertebraShape, y: float) -> float:
        points = np.stack([np.zeros_like(column), np.full_like(column, y), column], axis=1)
        return float((shape.body.distance(points) < 0.0).sum()) * 0.025

    front = -0.4 * morphometry("L1").endplate_depth_mm
    assert height(broken, front) == pytest.approx(0.62 * height(intact, front), rel=0.08)
    assert height(broken, 14.0) > 0.90 * height(intact, 14.0)


def test_left_and_right_differ_a_little() -> None:
    shape = vertebra_shape(morphometry("L3"), seed=1)
    mesh = _mesh(shape)
    mirrored = mesh.vertices * np.array([-1.0, 1.0, 1.0])
    off = np.abs(shape.distance(mirrored))
    assert 0.1 < float(np.sqrt((off**2).mean())) < 1.5


def test_vertices_lie_on_the_zero_level() -> None:
    shape = vertebra_shape(morphometry("T10"), seed=4)
    off = np.abs(shape.distance(_mesh(shape).vertices))
    assert float(np.quantile(off, 0.98)) < 0.05


def test_the_same_seed_gives_the_same_bone_and_another_a_different_one() -> None:
    first, again, other = (
        _mesh(vertebra_shape(morphometry("T9"), seed=seed)) for seed in (7, 7, 8)
    )
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert first.vertices.tobytes() != other.vertices.tobytes()


def test_the_frame_is_right_handed_and_bisects_the_endplates() -> None:
    body = vertebra_shape(morphometry("L2"), seed=1, height_loss=0.3).body
    _, axes = vertebral_axes(body)
    superior, inferior = endplate_planes(body)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    assert axes[2] @ superior.normal == pytest.approx(-axes[2] @ inferior.normal)


@pytest.mark.parametrize("level", ["C7", "S1", ""])
def test_a_level_outside_the_table_is_refused_with_the_levels_there_are(level: str) -> None:
    with pytest.raises(ValueError, match="use one of T1, T2"):
        morphometry(level)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_scale_outside_what_the_series_cover_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        morphometry("L3", scale=scale)
