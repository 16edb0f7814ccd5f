"""From the geometry of one structure, however it was given, to a checked surface in LPS mm."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np

from geometry import solids
from geometry.arrays import Point, Points, frozen
from geometry.frames import lps_from_ras
from geometry.mesh import MeshError, Problem, TriangleMesh
from geometry.mesh_check import check_and_repair
from geometry.mesh_files import RawMesh, read_mesh, sniffed_suffix
from planner.case import Cylinder, Kind, Side, Structure, Tube
from planner.case_io.extents import require_plausible_extent
from planner.case_io.grid import mesh_on_grid, on_grid
from planner.case_io.schema import UNITS, BoxDocument, EllipsoidDocument, StructureDocument
from planner.errors import CaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFrame:
    """The unit of a case's files and the frame of all its coordinates."""

    units: str
    coordinate_system: str

    def lps(self, points_mm: Points) -> Points:
        """Return points or directions of the case's frame in LPS."""
        return lps_from_ras(points_mm) if self.coordinate_system == "RAS" else points_mm

    def point(self, point_mm: list[float]) -> Point:
        """Return one point of the document in LPS, read-only."""
        return frozen(self.lps(np.array([point_mm], dtype=np.float64))[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSurface:
    """The surface of a label map's label.

    Attributes:
        surface: Patient LPS, mm.
        error_mm: How far it may be off for the size of its voxels alone.
    """

    surface: RawMesh
    error_mm: float


LabelSurfaces: TypeAlias = Callable[[int | str, Kind], LabelSurface]
LabelMaps: TypeAlias = Callable[[str, bytes], LabelSurfaces]  # by a file's path and bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    mesh: TriangleMesh
    problems: tuple[Problem, ...] = ()
    primitive: Cylinder | Tube | None = None
    error_mm: float = 0.0


def structure_from(
    document: StructureDocument,
    place: str,
    frame: CaseFrame,
    files: Callable[[str], bytes],
    labels: LabelSurfaces | None = None,
) -> Structure:
    """Return a structure with its surface read, converted, checked and mended.

    Args:
        document: Its entry in case.json.
        place: Where that is, such as ``structures[3]``.
        frame: The case's unit and frame.
        files: Gives the bytes of a file by its path, or of a blob by its SHA-256.
        labels: Gives the surfaces of the case's label map, if it has one.

    Raises:
        CaseError: Naming the structure and the field.
    """
    given = document.geometry
    field = f"{place}.{given}"
    try:
        if document.label is None:
            shape = _shape(document, field, frame, files)
        else:
            shape = _labelled(document, document.label, field, labels)
    except MeshError as error:
        raise CaseError(
            f"{document.name} ({document.kind}, {given}): {error}", field=field, code=error.code
        ) from error
    except CaseError as error:
        if error.field.startswith("structures["):
            raise
        raise CaseError(f"{document.name}: {error}", field=field, code=error.code) from error
    return Structure(
        name=document.name,
        kind=Kind(document.kind),
        mesh=shape.mesh,
        level=document.level,
        side=Side(document.side) if document.side else None,
        primitive=shape.primitive,
        problems=shape.problems,
        source=document.file or ("inline" if given == "vertices_mm" else given),
        segmentation_error_mm=shape.error_mm
        if document.segmentation_error_mm is None
        else document.segmentation_error_mm,
    )


def _shape(
    document: StructureDocument, field: str, frame: CaseFrame, files: Callable[[str], bytes]
) -> _Shape:
    name = document.file or document.blob
    if name is not None:
        data = files(name)
        suffix = PurePosixPath(name).suffix if document.file else sniffed_suffix(data)
        raw = read_mesh(data, suffix)
        return _surface(document, field, frame, raw)
    if document.vertices_mm is not None and document.faces is not None:
        raw = RawMesh(
            vertices=np.array(document.vertices_mm, dtype=np.float64).reshape(-1, 3),
            faces=_indices(document.faces),
        )
        return _surface(document, field, CaseFrame(
            units="mm", coordinate_system=frame.coordinate_system), raw)  # fmt: skip
    shape = _solid(document, frame)
    require_plausible_extent(shape.mesh.vertices, document.name, document.kind, field, None)
    return shape


def _labelled(
    document: StructureDocument, label: int | str, field: str, labels: LabelSurfaces | None
) -> _Shape:
    if labels is None:
        raise CaseError(
            "a label needs a label map; name its file in labelmap, at the top of case.json",
            field=field, code="missing-labelmap",
        )  # fmt: skip
    drawn = labels(label, Kind(document.kind))
    own = CaseFrame(units="mm", coordinate_system="LPS")
    return replace(_surface(document, field, own, drawn.surface), error_mm=drawn.error_mm)


def _indices(faces: list[list[int]]) -> np.ndarray:
    try:
        return np.array(faces, dtype=np.int64).reshape(-1, 3)
    except OverflowError:
        raise MeshError("index-out-of-range", "a face refers to an impossible vertex") from None


def _surface(document: StructureDocument, field: str, frame: CaseFrame, raw: RawMesh) -> _Shape:
    stated = frame.units if document.vertices_mm is None else None
    used = raw.vertices[np.unique(raw.faces)] * UNITS[frame.units]
    require_plausible_extent(used, document.name, document.kind, field, stated)
    # On a grid, so that the rounding of a unit conversion leaves no trace.
    vertices = on_grid(frame.lps(raw.vertices * UNITS[frame.units]))
    millimetres = RawMesh(vertices=vertices, faces=raw.faces)
    mesh, problems = check_and_repair(millimetres)
    return _Shape(mesh=mesh, problems=problems)


def _solid(document: StructureDocument, frame: CaseFrame) -> _Shape:
    if document.cylinder is not None:
        bar = Cylinder(
            head_mm=frame.point(document.cylinder.head_mm),
            tip_mm=frame.point(document.cylinder.tip_mm),
            diameter_mm=document.cylinder.diameter_mm,
        )
        mesh = solids.cylinder(bar.head_mm, bar.tip_mm, bar.diameter_mm)
        return _Shape(mesh=mesh_on_grid(mesh), primitive=bar)
    if document.tube is not None:
        line = np.array(document.tube.points_mm, dtype=np.float64)
        tube = Tube(points_mm=frozen(frame.lps(line)), diameter_mm=document.tube.diameter_mm)
        mesh = solids.tube(tube.points_mm, tube.diameter_mm)
        return _Shape(mesh=mesh_on_grid(mesh), primitive=tube)
    if document.box is not None:
        size = np.array(document.box.size_mm)
        centre = frame.point(document.box.centre_mm)
        mesh = solids.box(centre, size, _axes(document.box, frame))
        return _Shape(mesh=mesh_on_grid(mesh))
    if document.ellipsoid is not None:
        radii = np.array(document.ellipsoid.radii_mm)
        centre = frame.point(document.ellipsoid.centre_mm)
        mesh = solids.ellipsoid(centre, radii, _axes(document.ellipsoid, frame))
        return _Shape(mesh=mesh_on_grid(mesh))
    raise AssertionError(document.geometry)


def _axes(document: BoxDocument | EllipsoidDocument, frame: CaseFrame) -> np.ndarray:
    if document.axes is None:
        return np.eye(3)
    return frame.lps(np.array(document.axes, dtype=np.float64))
