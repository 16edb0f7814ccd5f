"""A scene as VTP for 3D Slicer and ParaView: surfaces with their names, in LPS or RAS, mm."""

import base64
from collections.abc import Mapping

import numpy as np

from geometry.frames import lps_from_ras
from geometry.mesh import TriangleMesh, merged

FRAMES = ("LPS", "RAS")


def vtp_bytes(surfaces: Mapping[str, TriangleMesh], frame: str) -> bytes:
    """Return surfaces as one VTP file that states its frame as 3D Slicer reads it (``SPACE``).

    Args:
        surfaces: By name, patient LPS, mm. Each triangle has the number of its surface, from 0, in
            the cell array ``structure``; the names stand in the field array ``names``.
        frame: ``LPS`` or ``RAS``.
    """
    whole = merged(list(surfaces.values()))
    points = whole.vertices if frame == "LPS" else lps_from_ras(whole.vertices)
    owner = np.repeat(np.arange(len(surfaces)), [len(m.faces) for m in surfaces.values()])
    offsets = 3 * np.arange(1, len(whole.faces) + 1)
    header = _strings("SPACE", [frame]) + _strings("UNITS", ["mm"])
    polygons = _array("connectivity", whole.faces, "<i8", 1) + _array("offsets", offsets, "<i8", 1)
    counts = "".join(f' NumberOf{kind}="0"' for kind in ("Verts", "Lines", "Strips"))
    return "\n".join([
        '<?xml version="1.0"?>',
        '<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        f"<PolyData><FieldData>{header}{_strings('names', list(surfaces))}</FieldData>",
        f'<Piece NumberOfPoints="{len(points)}" NumberOfPolys="{len(whole.faces)}"{counts}>',
        f"<Points>{_array('Points', points, '<f8', 3)}</Points>",
        f'<CellData Scalars="structure">{_array("structure", owner, "<i4", 1)}</CellData>',
        f"<Polys>{polygons}</Polys>",
        "</Piece></PolyData></VTKFile>\n",
    ]).encode("ascii")  # fmt: skip


def _array(name: str, values: np.ndarray, kind: str, components: int) -> str:
    data = np.ascontiguousarray(values, dtype=kind).tobytes()
    coded = base64.b64encode(len(data).to_bytes(8, "little") + data).decode("ascii")
    vtk = {"<f8": "Float64", "<i4": "Int32", "<i8": "Int64"}[kind]
    return (
        f'<DataArray type="{vtk}" Name="{name}" NumberOfComponents="{components}" '
        f'format="binary">{coded}</DataArray>'
    )


def _strings(name: str, texts: list[str]) -> str:
    """Return an array of strings as VTK writes them: characters by number, each ended by 0."""
    codes = " ".join(str(code) for text in texts for code in (*text.encode(), 0))
    return (
        f'<DataArray type="String" Name="{name}" NumberOfTuples="{len(texts)}" format="ascii">'
        f"{codes}</DataArray>"
    )
