"""How true are surfaces drawn round voxels? Ours beside VTK's, on a bone whose surface is known.

    python -m benchmarks.surfaces [--case thoracic-halo] [--bone T8]

A made-up vertebra is voxelised and drawn again. Distances are those of 4,000 points, spread evenly
over the drawn surface, from the true one: outside positive, so that a negative bias is a bone drawn
too small. The pedicles are measured as the planner reads them.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from api.samples import sample_case
from benchmarks.peers import library
from benchmarks.report import Cell, Table, markdown
from exchange.segments import Segment, lps_affine, segment_in
from exchange.surface import surface_of
from geometry.arrays import Points
from geometry.exact import MeshDistance
from geometry.mesh import TriangleMesh, triangle_mesh
from phantom.voxels import label_map
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Side, Structure
from planner.case_io import load_case

VOXELS_MM = ((0.5, 0.5, 1.0), (0.8, 0.8, 0.8), (1.0, 1.0, 2.0))
SAMPLES = 4000
SEED = 9
# 3D Slicer's closed surface: its smoothing factor s gives 20 + 40 s rounds and a band of 10^(-4 s).
SLICER_ROUNDS, SLICER_BAND = 40, 0.01


def marching_cubes(segment: Segment) -> TriangleMesh:
    """Return the surface with all its steps."""
    return surface_of(segment, rounds=0)


def surface_nets(segment: Segment) -> TriangleMesh:
    """Return what vtkSurfaceNets3D draws with its default smoothing."""
    nets = library("vtkmodules.vtkFiltersCore").vtkSurfaceNets3D()
    nets.SetInputData(_image(segment))
    nets.SetValue(0, 1.0)
    nets.SetOutputMeshTypeToTriangles()
    nets.Update()
    return _in_patient(nets.GetOutput(), segment)


def slicers(segment: Segment) -> TriangleMesh:
    """Return what 3D Slicer draws by default: flying edges, then a windowed sinc filter."""
    edges = library("vtkmodules.vtkFiltersGeneral").vtkDiscreteFlyingEdges3D()
    edges.SetInputData(_image(segment))
    edges.SetValue(0, 1.0)
    smooth = library("vtkmodules.vtkFiltersCore").vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(edges.GetOutputPort())
    smooth.SetNumberOfIterations(SLICER_ROUNDS)
    smooth.SetPassBand(SLICER_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    return _in_patient(smooth.GetOutput(), segment)


SURFACES: Mapping[str, Callable[[Segment], TriangleMesh]] = MappingProxyType(
    {
        "ours": surface_of,
        "marching cubes alone": marching_cubes,
        "surface nets": surface_nets,
        "flying edges, windowed sinc": slicers,
    }
)


def _image(segment: Segment) -> Any:
    """Return the voxels with an empty one all round, in mm along their own axes."""
    voxels = np.pad(segment.voxels, 1).astype(np.uint8)
    image = library("pyvista").ImageData(dimensions=voxels.shape, spacing=segment.spacing_mm)
    image.origin = tuple(-segment.spacing_mm)
    image.point_data["inside"] = voxels.ravel(order="F")
    return image


def _in_patient(drawn: Any, segment: Segment) -> TriangleMesh:
    surface = library("pyvista").wrap(drawn).triangulate()
    affine = segment.lps_from_voxel
    steps = np.asarray(surface.points, dtype=np.float64) / segment.spacing_mm
    vertices = steps @ affine[:3, :3].T + affine[:3, 3]
    mesh = triangle_mesh(vertices, surface.regular_faces)
    return mesh if mesh.volume_mm3 > 0.0 else triangle_mesh(vertices, mesh.faces[:, ::-1])


def rows(bone: Structure) -> Iterator[tuple[Cell, ...]]:
    """Yield what each way of drawing makes of a bone, by size of voxels."""
    truth = MeshDistance(bone.mesh)
    yield ("", "the true one", *[""] * 4, _widths(bone, bone.mesh))
    for spacing in VOXELS_MM:
        scan = label_map({bone.name: [bone.mesh]}, spacing)
        segment = segment_in(bone.name, scan.labels == 1, lps_affine(scan.ras_from_voxel))
        if segment is None:
            raise ValueError(f"{bone.name} has no voxel of {spacing} mm")
        for name, drawn in SURFACES.items():
            mesh = drawn(segment)
            off = np.array([_signed(truth, point) for point in _spread(mesh)])
            yield (
                " x ".join(f"{edge:g}" for edge in spacing), name, f"{off.mean():.2f}",
                f"{np.abs(off).mean():.2f}", f"{np.quantile(np.abs(off), 0.95):.2f}",
                f"{100.0 * (mesh.volume_mm3 / bone.mesh.volume_mm3 - 1.0):+.1f} %",
                _widths(bone, mesh),
            )  # fmt: skip


def _signed(truth: MeshDistance, point: Float[np.ndarray, "3"]) -> float:
    distance = abs(truth.point(point)[0])
    return -distance if truth.contains(point) else distance


def _spread(mesh: TriangleMesh) -> Points:
    """Return points spread evenly over a surface, the same for the same mesh."""
    rng = np.random.default_rng(SEED)
    a, b, c = (mesh.corners[:, k] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    face = rng.choice(len(areas), size=SAMPLES, p=areas / areas.sum())
    u, v = rng.random((2, SAMPLES, 1))
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    points: Points = a[face] + u * (b - a)[face] + v * (c - a)[face]
    return points


def _widths(bone: Structure, mesh: TriangleMesh) -> str:
    """Return the width of the left and the right isthmus, mm."""
    again = Structure(name=bone.name, kind=bone.kind, level=bone.level, mesh=mesh)
    read = vertebra_anatomy(again, canal=None)
    if not isinstance(read, VertebraAnatomy):
        return read.reason
    found = (read.pedicles[side] for side in (Side.LEFT, Side.RIGHT))
    return ", ".join(f"{p.width_mm:.2f}" if isinstance(p, Pedicle) else p.reason for p in found)


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.surfaces", description=__doc__)
    parser.add_argument("--case", default="thoracic-halo", help="a sample case")
    parser.add_argument("--bone", default="T8")
    asked = parser.parse_args(argv)
    bone = load_case(sample_case(asked.case)).structure(asked.bone)
    columns = ("voxels, mm", "surface", "bias", "mean", "95 %", "volume", "left, right pedicle")
    note = f"VTK {version('vtk')}; distances in mm."
    table = Table(
        title=f"Surfaces of {asked.bone}", columns=columns, rows=list(rows(bone)), note=note
    )
    print(markdown(table))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
