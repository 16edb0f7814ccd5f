"""A label map that a case.json names: its labels are structures, where its own affine says."""

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from exchange.label_map import label_surfaces
from exchange.segments import lps_affine, segment_in
from exchange.surface import surface_of
from phantom.voxels import LabelMap
from planner.case import Case
from planner.case_io import case_from_document
from planner.errors import CaseError

NAME = "labels.nii.gz"
STRUCTURES: list[dict[str, Any]] = [
    {"name": "L3", "kind": "vertebra", "level": "L3", "label": 1},
    {"name": "vessel", "kind": "vessel", "label": 4, "segmentation_error_mm": 0.0},
]


@pytest.fixture(scope="module")
def data(small: LabelMap, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    rows = "".join(f'<Label Key="{n}">{name}</Label>' for name, n in small.names.items())
    image = nibabel.Nifti1Image(small.labels, small.ras_from_voxel)
    text = f"<CaretExtension><VolumeInformation><LabelTable>{rows}</LabelTable>"
    image.header.extensions.append(
        nibabel.nifti1.Nifti1Extension(0, f"{text}</VolumeInformation></CaretExtension>".encode())
    )
    path: Path = tmp_path_factory.mktemp("scan") / NAME
    nibabel.save(image, path)
    return path.read_bytes()


def _document(**changed: object) -> dict[str, Any]:
    return {
        "schema": "trocar/case/1", "coordinate_system": "LPS", "units": "mm", "labelmap": NAME,
        "structures": STRUCTURES, **changed,
    }  # fmt: skip


def _case(data: bytes, **changed: object) -> Case:
    return case_from_document(_document(**changed), {NAME: data}, label_maps=label_surfaces)


def test_a_label_is_the_surface_that_an_import_draws(data: bytes, small: LabelMap) -> None:
    bone = _case(data).structure("L3").mesh
    segment = segment_in("L3", small.labels == 1, lps_affine(small.ras_from_voxel))
    assert segment is not None
    drawn = surface_of(segment)
    assert bone.is_closed
    assert bone.volume_mm3 == pytest.approx(drawn.volume_mm3)
    np.testing.assert_allclose(bone.bounds, drawn.bounds, atol=1e-5)


def test_a_label_goes_by_its_number_or_its_name_in_the_file(data: bytes) -> None:
    named = [{**STRUCTURES[0], "label": "vertebrae_L3"}, STRUCTURES[1]]
    assert _case(data, structures=named).digest == _case(data).digest


def test_the_frame_and_unit_of_other_meshes_do_not_move_it(data: bytes) -> None:
    moved = _case(data, coordinate_system="RAS", units="m")
    assert moved.digest == _case(data).digest


def test_its_voxels_may_hide_half_their_longest_edge_unless_an_error_is_stated(data: bytes) -> None:
    errors = [s.segmentation_error_mm for s in _case(data).structures]
    assert errors == pytest.approx([0.55, 0.0])


@pytest.mark.parametrize(
    ("changed", "field", "code", "said"),
    [
        ({"labelmap": "labels.stl"}, "labelmap", "unknown-format", "trocar import reads others"),
        ({"labelmap": "missing.nii"}, "labelmap", "missing-file", "missing.nii"),
        ({"structures": [{**STRUCTURES[0], "label": 9}]}, "structures[0].label", "unknown-label",
         "it has 1, 2, 3, 4"),
        ({"structures": [{**STRUCTURES[0], "label": "L3"}]}, "structures[0].label",
         "unknown-label", "vertebrae_L3"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_with_what_there_is(
    data: bytes, changed: dict[str, Any], field: str, code: str, said: str
) -> None:
    files = {NAME: data, "labels.stl": data}
    with pytest.raises(CaseError) as refused:
        case_from_document(_document(**changed), files, label_maps=label_surfaces)
    assert (refused.value.field, refused.value.code) == (field, code)
    assert said in str(refused.value)


def test_bytes_that_are_no_scan_are_refused(data: bytes) -> None:
    for broken in (b"", b"no scan", data[: len(data) // 2]):
        with pytest.raises(CaseError) as refused:
            _case(broken)
        assert refused.value.code == "unreadable-file"
        assert json.dumps(str(refused.value))
