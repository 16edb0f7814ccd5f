"""Segmentations of other programs, written by their own libraries, read here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
from highdicom.sr.coding import CodedConcept
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from exchange.labels import NO_TABLE, LabelTable
from exchange.segments import Model, Scan, Segment, lps_affine
from exchange.source import read_sources
from exchange.surface import surface_of
from exchange.totalsegmentator import TABLES
from geometry.frames import lps_from_ras
from geometry.mesh import TriangleMesh
from geometry.mesh_files import write_mesh
from geometry.solids import box
from phantom.voxels import LabelMap
from planner.errors import CaseError

NAMES = ("vertebrae_L3", "vertebrae_L4", "kidney_left", "aorta")


def _read(path: Path, table: LabelTable = NO_TABLE, frame: str | None = None) -> Scan:
    return read_sources([path], table, frame)


def _named(scan: Scan) -> dict[str, Segment]:
    return {p.label: p for p in scan.parts if isinstance(p, Segment)}


def _assert_same(scan: Scan, small: LabelMap) -> None:
    """Compare what was read with the scan that was written, voxel centre by voxel centre."""
    found = _named(scan)
    assert sorted(found) == sorted(NAMES)
    affine = lps_affine(small.ras_from_voxel)
    for name, number in small.names.items():
        one = found[name]
        ours = np.argwhere(one.voxels) @ one.lps_from_voxel[:3, :3].T + one.lps_from_voxel[:3, 3]
        theirs = np.argwhere(small.labels == number) @ affine[:3, :3].T + affine[:3, 3]
        assert len(ours) == len(theirs)
        assert np.allclose(_ordered(ours), _ordered(theirs), atol=2e-3)
        assert one.voxel_mm3 == pytest.approx(0.8 * 0.9 * 1.1, rel=1e-4)


def _ordered(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(np.round(points, 1).T)]


def _nifti(folder: Path, small: LabelMap) -> Path:
    path = folder / "total.nii.gz"
    nibabel.save(nibabel.Nifti1Image(small.labels, small.ras_from_voxel), path)
    return path


def test_a_label_map_is_named_by_a_table(tmp_path: Path, small: LabelMap) -> None:
    table = LabelTable(names={number: name for name, number in small.names.items()}, roles={})
    _assert_same(_read(_nifti(tmp_path, small), table), small)


def test_a_label_map_is_named_by_its_own_header(tmp_path: Path, small: LabelMap) -> None:
    image = nibabel.Nifti1Image(small.labels, small.ras_from_voxel)
    labels = "".join(f'<Label Key="{n}" Red="1">{name}</Label>' for name, n in small.names.items())
    xml = f'<CaretExtension><VolumeInformation Index="0"><LabelTable>{labels}</LabelTable></VolumeInformation></CaretExtension>'
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, xml.encode()))
    nibabel.save(image, tmp_path / "total.nii.gz")
    _assert_same(_read(tmp_path / "total.nii.gz"), small)


def test_a_folder_of_one_mask_per_class_is_named_by_its_files(
    tmp_path: Path, small: LabelMap
) -> None:
    for name, number in small.names.items():
        mask = (small.labels == number).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(mask, small.ras_from_voxel), tmp_path / f"{name}.nii.gz")
    (tmp_path / "statistics.json").write_text("{}")
    scan = _read(tmp_path)
    _assert_same(scan, small)
    assert any("statistics.json" in note for note in scan.notes)


def test_totalsegmentators_versions_number_differently() -> None:
    assert TABLES["totalsegmentator-v1"].names[18] == "vertebrae_L5"
    assert TABLES["totalsegmentator-v2"].names[27] == "vertebrae_L5"
    assert (len(TABLES["totalsegmentator-v1"].names), len(TABLES["totalsegmentator-v2"].names)) == (
        104,
        117,
    )


def _nrrd(path: Path, small: LabelMap, *, layered: bool, space: str) -> Path:
    affine = small.ras_from_voxel if space.startswith("right") else lps_affine(small.ras_from_voxel)
    header: dict[str, Any] = {
        "space": space, "space directions": affine[:3, :3].T, "space origin": affine[:3, 3],
        "kinds": ["domain"] * 3,
    }  # fmt: skip
    data: np.ndarray = small.labels
    if layered:
        data = np.stack([(small.labels == n).astype(np.uint8) for n in small.names.values()])
        nothing = np.full((1, 3), np.nan)
        header["space directions"] = np.concatenate([nothing, affine[:3, :3].T])
        header["kinds"] = ["list", "domain", "domain", "domain"]
    for k, (name, number) in enumerate(small.names.items()):
        header |= {
            f"Segment{k}_Name": name, f"Segment{k}_ID": f"Segment_{k}",
            f"Segment{k}_LabelValue": "1" if layered else str(number),
            f"Segment{k}_Layer": str(k) if layered else "0", f"Segment{k}_Color": "0.5 0.2 0.1",
        }  # fmt: skip
    nrrd.write(str(path), data, header, index_order="F")
    return path


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
def test_slicers_segmentations_are_named_by_their_segments(
    tmp_path: Path, small: LabelMap, layered: bool, space: str
) -> None:
    path = _nrrd(tmp_path / "case.seg.nrrd", small, layered=layered, space=space)
    _assert_same(_read(path), small)


def _source_images(small: LabelMap) -> list[pydicom.Dataset]:
    """Return the CT slices that a segmentation refers to; they hold no picture."""
    affine = lps_affine(small.ras_from_voxel)
    columns, rows, count = small.labels.shape
    uids = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
    }
    slices = []
    for k in range(count):
        one = pydicom.Dataset()
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        for keyword, value in uids.items():
            setattr(one, keyword, value)
        one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, generate_uid()
        one.Modality, one.PatientID, one.PatientName = "CT", "phantom", "phantom^"
        one.PatientBirthDate = one.PatientSex = one.StudyID = one.AccessionNumber = ""
        one.StudyDate, one.StudyTime, one.ReferringPhysicianName = "20261101", "120000", ""
        one.SeriesNumber, one.InstanceNumber = 1, k + 1
        one.Rows, one.Columns = rows, columns
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        one.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        one.SliceThickness = float(spacing[2])
        one.ImageOrientationPatient = [
            *(affine[:3, 0] / spacing[0]).tolist(), *(affine[:3, 1] / spacing[1]).tolist(),
        ]  # fmt: skip
        one.ImagePositionPatient = (affine @ np.array([0, 0, k, 1.0]))[:3].round(6).tolist()
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.SamplesPerPixel, one.PixelRepresentation = 15, 1, 0
        one.PhotometricInterpretation = "MONOCHROME2"
        one.PixelData = bytes(2 * rows * columns)
        slices.append(one)
    return slices


def _segmentation(path: Path, small: LabelMap, kind: str, labels: list[str]) -> Path:
    """Write a DICOM SEG with highdicom."""
    coded = [CodedConcept("36470004", "SCT", "L3"), CodedConcept("11994002", "SCT", "L4"),
             CodedConcept("64033007", "SCT", "Kidney"), CodedConcept("15825003", "SCT", "Aorta")]  # fmt: skip
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number, segment_label=label,
            segmented_property_category=CodedConcept("123037004", "SCT", "Anatomical Structure"),
            segmented_property_type=coded[number - 1], algorithm_type="MANUAL",
        )
        for number, label in enumerate(labels, start=1)
    ]  # fmt: skip
    pixels = small.labels.transpose(2, 1, 0).astype(np.uint8)
    if kind == "FRACTIONAL":
        pixels = np.stack([pixels == n for n in range(1, 5)], axis=-1).astype(np.float32)
    highdicom.seg.Segmentation(
        source_images=_source_images(small), pixel_array=pixels, segmentation_type=kind,
        segment_descriptions=descriptions, series_instance_uid=generate_uid(), series_number=2,
        sop_instance_uid=generate_uid(), instance_number=1, manufacturer="Trocar's tests",
        manufacturer_model_name="none", software_versions="0", device_serial_number="0",
    ).save_as(path)  # fmt: skip
    return path


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_dicom_segmentations_are_read_as_highdicom_wrote_them(
    tmp_path: Path, small: LabelMap, kind: str
) -> None:
    path = _segmentation(tmp_path / "seg.dcm", small, kind, list(NAMES))
    scan = _read(path)
    _assert_same(scan, small)
    assert scan.frame_of_reference == str(pydicom.dcmread(path).FrameOfReferenceUID)


def test_a_segment_without_a_telling_name_goes_by_its_code(tmp_path: Path, small: LabelMap) -> None:
    path = _segmentation(
        tmp_path / "seg.dcm", small, "BINARY", [f"Segment {n}" for n in range(1, 5)]
    )
    assert list(_named(_read(path))) == ["L3", "L4", "Segment 3", "aorta"]


BOX: TriangleMesh = box(np.array([10.0, 20.0, 30.0]), np.array([30.0, 24.0, 20.0]), np.eye(3))


@pytest.mark.parametrize("space", ["LPS", "RAS"])
def test_a_model_lies_where_its_head_says(tmp_path: Path, space: str) -> None:
    mesh = BOX if space == "LPS" else TriangleMesh(
        vertices=lps_from_ras(BOX.vertices), faces=BOX.faces, is_closed=True
    )  # fmt: skip
    data = write_mesh(mesh, "stl")
    (tmp_path / "L3.stl").write_bytes(f"SPACE={space}".encode().ljust(80) + data[80:])
    [model] = _read(tmp_path / "L3.stl").parts
    assert isinstance(model, Model)
    assert np.allclose(model.mesh.vertices.mean(axis=0), [10.0, 20.0, 30.0])


def test_a_model_without_a_frame_is_refused_unless_it_is_stated(tmp_path: Path) -> None:
    (tmp_path / "L3.ply").write_bytes(write_mesh(BOX, "ply"))
    with pytest.raises(CaseError, match="--frame LPS"):
        _read(tmp_path / "L3.ply")
    [model] = _read(tmp_path / "L3.ply", frame="RAS").parts
    assert isinstance(model, Model)
    assert np.allclose(model.mesh.vertices.mean(axis=0), [-10.0, -20.0, 30.0])


def _save(labels: np.ndarray, affine: np.ndarray | None, path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)


def _two_frames(path: Path, small: LabelMap) -> None:
    path.mkdir()
    for name in ("a.dcm", "b.dcm"):
        _segmentation(path / name, small, "BINARY", list(NAMES))


ONES = np.ones((4, 4, 4), np.uint8)
BAD: dict[str, tuple[str, Callable[[Path, LabelMap], object], str]] = {
    "four dimensions": ("x.nii", lambda p, _: _save(np.ones((4, 4, 4, 2), np.uint8), np.eye(4), p), "4 x 4 x 4 x 2"),
    "no affine": ("x.nii", lambda p, _: _save(ONES, None, p), "neither sform nor qform"),
    "empty": ("x.nii", lambda p, _: _save(0 * ONES, np.eye(4), p), "no voxel that is not 0"),
    "a scan": ("x.nii", lambda p, _: _save(ONES.astype(np.int16) * -1000, np.eye(4), p), "instead of the scan"),
    "probabilities": ("x.nii", lambda p, _: _save(0.5 * ONES.astype(np.float32), np.eye(4), p), "threshold"),
    "no names": ("x.nii", lambda p, _: _save(np.arange(64, dtype=np.uint8).reshape(4, 4, 4) % 3, np.eye(4), p), "without a name: 1, 2"),
    "no NIfTI": ("x.nii.gz", lambda p, _: p.write_bytes(b"nothing"), "cannot be read as NIfTI"),
    "no NRRD": ("x.seg.nrrd", lambda p, _: p.write_bytes(b"nothing"), "cannot be read as NRRD"),
    "no place": ("x.nrrd", lambda p, _: nrrd.write(str(p), ONES), "space directions"),
    "a CT slice": ("x.dcm", lambda p, s: _source_images(s)[0].save_as(p, enforce_file_format=True), "neither a Segmentation nor"),
    "another format": ("x.txt", lambda p, _: p.write_text("L3"), "none of the formats"),
    "an empty folder": ("x", lambda p, _: p.mkdir(), "no file that can be read"),
    "two frames": ("x", _two_frames, "2 different frames of reference"),
    "a broken model": ("x.stl", lambda p, _: p.write_bytes(b"SPACE=LPS".ljust(84)), "x.stl"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_trusted_is_refused_with_a_remedy(
    tmp_path: Path, small: LabelMap, name: str
) -> None:
    file, make, said = BAD[name]
    make(tmp_path / file, small)
    with pytest.raises(CaseError, match=said) as refused:
        _read(tmp_path / file)
    assert refused.value.field in {"source", "frame"}


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="there is no"):
        _read(tmp_path / "nowhere")


def test_a_surface_of_what_was_read_is_where_it_was(tmp_path: Path, small: LabelMap) -> None:
    scan = _read(_nrrd(tmp_path / "c.nrrd", small, layered=False, space="left-posterior-superior"))
    mesh = surface_of(_named(scan)["kidney_left"])
    assert np.allclose(mesh.vertices.mean(axis=0), [60.0, 0.0, 10.0], atol=0.8)
