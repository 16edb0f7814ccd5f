"""Surfaces as DICOM Encapsulated STL: in the frame of reference of the scan, LPS, mm.

Nothing about the patient is in a case, so nothing is in these files; who stores them in an archive
adds the patient and the study. The same surface gives the same bytes.
"""

import io

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from exchange.dicom import ENCAPSULATED_STL
from geometry.mesh import TriangleMesh
from geometry.mesh_files import write_mesh
from planner.case import Case

FRAME = "frame_of_reference_uid"
_LONG_STRING = 64  # characters of a DICOM LO or ST that every archive keeps


def frame_of_reference(case: Case) -> str:
    """Return the DICOM frame of reference of a case: as imported, else one made of its digest."""
    stated = case.provenance.get(FRAME)
    return str(stated) if stated else generate_uid(entropy_srcs=[case.digest, "frame"])


def encapsulated_stl(case: Case, name: str, mesh: TriangleMesh, *, number: int) -> bytes:
    """Return a surface as a DICOM file of the class Encapsulated STL.

    Args:
        case: What it belongs to; its digest settles the UIDs of study and series.
        name: What it is; the document's title.
        mesh: Patient LPS, mm.
        number: Its number in the series, from 1.
    """
    data = write_mesh(mesh, "stl")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(ENCAPSULATED_STL)
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[case.digest, name, data.hex()])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SpecificCharacterSet = "ISO_IR 192"
    file.SOPClassUID = meta.MediaStorageSOPClassUID
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _add_context(file, case, number)
    file.DocumentTitle = name[:_LONG_STRING]
    file.ConceptNameCodeSequence = []
    file.BurnedInAnnotation = "NO"
    file.MIMETypeOfEncapsulatedDocument = "model/stl"
    file.EncapsulatedDocumentLength = len(data)
    file.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    millimetre = Dataset()
    millimetre.CodeValue, millimetre.CodingSchemeDesignator = "mm", "UCUM"
    millimetre.CodeMeaning = "millimeter"
    file.MeasurementUnitsCodeSequence = [millimetre]
    file.ModelModification, file.ModelMirroring = "NO", "NO"
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _add_context(file: Dataset, case: Case, number: int) -> None:
    """Add what every instance of the series shares."""
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
        "ReferringPhysicianName", "StudyID", "AccessionNumber", "PositionReferenceIndicator",
        "ContentDate", "ContentTime", "AcquisitionDateTime",
    ):  # fmt: skip
        setattr(file, keyword, "")
    file.StudyInstanceUID = generate_uid(entropy_srcs=[case.digest, "study"])
    file.SeriesInstanceUID = generate_uid(entropy_srcs=[case.digest, "series"])
    file.FrameOfReferenceUID = frame_of_reference(case)
    file.Modality, file.SeriesNumber, file.InstanceNumber = "M3D", 1, number
    file.SeriesDescription = "Trocar: research software, not a medical device"
    file.Manufacturer, file.ManufacturerModelName = "Trocar", "Trocar"
    file.DeviceSerialNumber, file.SoftwareVersions = "none", "none"
