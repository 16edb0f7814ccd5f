"""Surfaces of voxels: closed, true to volume, right in LPS, and thin walls kept."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from exchange.segments import Segment, lps_affine, segment_in
from exchange.surface import FREE, surface_of
from exchange.voxels import coarser, filled, united
from geometry.exact import MeshDistance
from geometry.mesh import triangle_mesh
from geometry.mesh_check import check_and_repair
from geometry.mesh_files import read_mesh
from phantom.voxels import LabelMap, label_map
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Kind, Side, Structure

SAMPLES = Path(__file__).parents[2] / "sample_cases"


def _segment(voxels: np.ndarray, affine: np.ndarray | None = None) -> Segment:
    found = segment_in("one", voxels, np.eye(4) if affine is None else affine)
    assert found is not None
    return found


@settings(max_examples=25, deadline=None)
@given(
    arrays(bool, (4, 5, 3), elements=st.booleans()).filter(np.any),
    st.sampled_from([(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (-1, -1, -1)]),
)
def test_a_surface_parts_the_voxels_inside_from_those_outside(
    voxels: np.ndarray, signs: tuple[int, int, int]
) -> None:
    affine = np.diag([0.7 * signs[0], 0.7 * signs[1], 1.4 * signs[2], 1.0])
    segment = _segment(voxels, affine)
    distance = MeshDistance(surface_of(segment, rounds=0))
    for index in np.ndindex(segment.voxels.shape):
        centre = affine[:3, :3] @ np.array(index) + segment.lps_from_voxel[:3, 3]
        assert distance.contains(centre) == segment.voxels[index]


def test_four_voxels_crosswise_about_a_face_have_a_closed_surface() -> None:
    voxels = np.zeros((2, 3, 3), dtype=bool)
    for place in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 2, 1)):
        voxels[place] = True
    assert surface_of(_segment(voxels)).is_closed


def test_a_wall_of_one_voxel_keeps_its_place_and_most_of_its_thickness() -> None:
    wall = np.zeros((9, 9, 9), dtype=bool)
    wall[4, 1:8, 1:8] = True
    mesh = surface_of(_segment(wall))
    assert mesh.is_closed
    assert mesh.volume_mm3 > 0.8 * wall.sum()
    assert np.ptp(mesh.vertices[:, 0]) > 0.9


def test_no_point_leaves_its_voxel(small: LabelMap) -> None:
    segment = segment_in("L3", small.labels == 1, lps_affine(small.ras_from_voxel))
    assert segment is not None
    steps, smooth = (surface_of(segment, rounds=n).vertices for n in (0, 30))
    back = np.linalg.inv(segment.lps_from_voxel[:3, :3])
    assert np.abs((smooth - steps) @ back.T).max() <= FREE + 1e-9


def test_the_surface_lies_where_the_scan_says(small: LabelMap) -> None:
    affine = lps_affine(small.ras_from_voxel)
    for number, (low, high) in enumerate(
        [((-12, -12, 20), (18, 12, 40)), ((-12, -12, -10), (18, 12, 10))], start=1
    ):
        segment = segment_in("one", small.labels == number, affine)
        assert segment is not None
        mesh = surface_of(segment)
        assert np.allclose(mesh.bounds[0], low, atol=1.0)
        assert np.allclose(mesh.bounds[1], high, atol=1.0)
        assert mesh.volume_mm3 == pytest.approx(30 * 24 * 20, rel=0.02)


def test_blocks_of_voxels_hold_all_of_them_and_only_grow(rng: np.random.Generator) -> None:
    voxels = rng.random((7, 8, 5)) > 0.7
    fine = _segment(voxels, np.diag([0.5, 0.5, 1.0, 1.0]))
    coarse = coarser(fine, at_most_mm=1.5)
    assert np.allclose(coarse.spacing_mm, [1.5, 1.5, 1.0])
    back = np.linalg.inv(coarse.lps_from_voxel)
    for index in np.argwhere(fine.voxels):
        centre = fine.lps_from_voxel @ np.array([*index, 1.0])
        block = np.rint((back @ centre)[:3]).astype(int)
        assert coarse.voxels[tuple(block)]
    assert coarse.voxels.sum() <= fine.voxels.sum()


def test_segments_of_one_grid_unite_and_others_stay_apart(rng: np.random.Generator) -> None:
    voxels = rng.random((6, 6, 6)) > 0.5
    whole = _segment(voxels)
    low, high = voxels.copy(), voxels.copy()
    low[:, :, 3:] = False
    high[:, :, :3] = False
    [both] = united([_segment(low), _segment(high)])
    assert np.array_equal(both.voxels, whole.voxels)
    assert np.array_equal(both.lps_from_voxel, whole.lps_from_voxel)
    shifted = np.eye(4)
    shifted[0, 3] = 0.5
    assert len(united([_segment(low), _segment(high, shifted)])) == 2


def test_a_skin_is_filled_where_other_labels_were_cut_out_of_it() -> None:
    body = np.ones((6, 6, 3), dtype=bool)
    body[2:4, 2:4] = False
    assert filled(_segment(body)).voxels.all()


@pytest.fixture(scope="module")
def thoracic() -> Structure:
    data = (SAMPLES / "thoracic-halo" / "meshes" / "T8.ply").read_bytes()
    mesh, _ = check_and_repair(read_mesh(data, "ply"))
    return Structure(name="T8", kind=Kind.VERTEBRA, level="T8", mesh=mesh)


def _pedicles(bone: Structure) -> dict[Side, Pedicle]:
    read = vertebra_anatomy(bone, canal=None)
    assert isinstance(read, VertebraAnatomy)
    found = {side: p for side, p in read.pedicles.items() if isinstance(p, Pedicle)}
    assert len(found) == 2
    return found


def test_thin_pedicles_keep_their_size_through_voxels(thoracic: Structure) -> None:
    spacing = (0.8, 0.8, 0.8)
    scan = label_map({"T8": [thoracic.mesh]}, spacing)
    segment = segment_in("T8", scan.labels == 1, lps_affine(scan.ras_from_voxel))
    assert segment is not None
    mesh = surface_of(segment)
    assert mesh.volume_mm3 == pytest.approx(thoracic.mesh.volume_mm3, rel=0.015)
    again = Structure(name="T8", kind=Kind.VERTEBRA, level="T8", mesh=mesh)
    before, after = _pedicles(thoracic), _pedicles(again)
    for side in Side:
        assert abs(after[side].width_mm - before[side].width_mm) < 0.5
        assert np.linalg.norm(after[side].centre_mm - before[side].centre_mm) < 1.5


def test_a_made_up_case_is_filled_as_it_is(thoracic: Structure) -> None:
    scan = label_map({"T8": [thoracic.mesh]}, (1.0, 1.0, 1.5), turned_rad=0.3)
    distance = MeshDistance(triangle_mesh(thoracic.mesh.vertices, thoracic.mesh.faces))
    affine = lps_affine(scan.ras_from_voxel)
    for index in np.argwhere(scan.labels >= 0)[:: scan.labels.size // 400]:
        centre = (affine @ np.array([*index, 1.0]))[:3]
        assert distance.contains(centre) == bool(scan.labels[tuple(index)])
