"""Angles, projection and silhouettes against VTK's camera and ray casts, and SciPy's rotations."""

import math
from pathlib import Path

import numpy as np
import pytest
import pyvista
import shapely
from jaxtyping import Bool
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.spatial.transform import Rotation
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator
from vtkmodules.vtkRenderingCore import vtkCamera

from geometry.arrays import Points, frozen
from geometry.mesh import TriangleMesh
from geometry.projection import ConeBeam, chord_lengths, outlined, silhouette, together
from planner.case import HARDWARE, PatientPosition, Structure
from planner.case_io import load_case
from planner.fluoroscopy.c_arm import beam_from_angles
from planner.fluoroscopy.catalogue import C_ARMS
from preview.attenuation import attenuation

SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
SIZE, PIXEL_MM = 64, 3.5
VIEWS = [(180.0, 6.0), (90.0, 0.0), (-152.0, 11.0), (85.0, 38.0)]  # DICOM degrees
views = pytest.mark.parametrize("angles_deg", VIEWS, ids=["PA", "lateral", "oblique", "steep"])
Mask = Bool[np.ndarray, "h w"]


@pytest.fixture(scope="module")
def structures() -> dict[str, Structure]:
    return {structure.name: structure for structure in load_case(SAMPLE).structures}


def beam_at(angles_deg: tuple[float, float], isocentre: Points) -> ConeBeam:
    primary, secondary = (math.radians(angle) for angle in angles_deg)
    return ConeBeam(
        direction=frozen(beam_from_angles(primary, secondary)), isocentre_mm=frozen(isocentre),
        source_to_isocentre_mm=750.0, source_to_detector_mm=1050.0,
    )  # fmt: skip


def seen_by_vtk(beam: ConeBeam, points: Points) -> Points:
    """Where VTK's camera at the source puts points on the detector, mm, as seen from behind it."""
    camera = vtkCamera()
    camera.SetPosition(*beam.source_mm)
    camera.SetFocalPoint(*(beam.source_mm + beam.source_to_detector_mm * beam.direction))
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.SetViewAngle(math.degrees(2.0 * math.atan(1.0 / beam.source_to_detector_mm)))
    camera.SetClippingRange(1.0, 2.0 * beam.source_to_detector_mm)
    matrix = camera.GetCompositeProjectionTransformMatrix(1.0, -1.0, 1.0)
    four = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    flat = np.column_stack([points, np.ones(len(points))]) @ four.T
    across, up = flat[:, 0] / flat[:, 3], flat[:, 1] / flat[:, 3]
    return np.column_stack([-across, up])  # the camera looks along the rays, a person against them


def hit_by_vtk(mesh: TriangleMesh, beam: ConeBeam) -> tuple[Mask, NDArray[np.float64]]:
    """Which pixels' rays meet a mesh, and how much of each lies in it, by VTK's own ray caster."""
    faces = np.column_stack([np.full(len(mesh.faces), 3), mesh.faces]).ravel()
    locator = vtkStaticCellLocator()
    locator.SetDataSet(pyvista.PolyData(np.array(mesh.vertices), faces))
    locator.BuildLocator()
    source = tuple(beam.source_mm.tolist())
    middle = beam.source_mm + beam.source_to_detector_mm * beam.direction
    steps = (np.arange(SIZE) + 0.5 - SIZE / 2.0) * PIXEL_MM
    hit, inside = np.zeros((SIZE, SIZE), dtype=np.bool_), np.zeros((SIZE, SIZE))
    found = vtkPoints()
    found.SetDataTypeToDouble()
    for row, column in np.ndindex(SIZE, SIZE):
        end = middle + steps[column] * beam.right - steps[row] * beam.up
        locator.IntersectWithLine(source, tuple(end.tolist()), 1e-9, found, None)
        points = np.array([found.GetPoint(i) for i in range(found.GetNumberOfPoints())])
        if len(points) > 0:
            away = np.sort(np.linalg.norm(points - beam.source_mm, axis=1))
            hit[row, column] = True
            inside[row, column] = np.diff(away)[::2].sum() if len(away) % 2 == 0 else np.nan
    return hit, inside


def within_a_pixel(ours: Mask, theirs: Mask) -> bool:
    """Whether two silhouettes differ nowhere but along their border, by one pixel."""
    widest, narrowest = binary_dilation(theirs), binary_erosion(theirs)
    return bool(np.all(ours <= widest) and np.all(narrowest <= ours))


def test_points_fall_where_vtks_camera_puts_them(rng: np.random.Generator) -> None:
    for _ in range(200):
        primary, secondary = rng.uniform(-180.0, 180.0), rng.uniform(-85.0, 85.0)
        arm = list(C_ARMS.values())[rng.integers(len(C_ARMS))]
        direction = beam_from_angles(math.radians(primary), math.radians(secondary))
        beam = arm.cone(direction, rng.uniform(-300.0, 300.0, 3), PatientPosition.HFP)
        points = beam.isocentre_mm + rng.uniform(-120.0, 120.0, (20, 3))
        np.testing.assert_allclose(beam.project(points), seen_by_vtk(beam, points), atol=1e-6)


def test_beams_are_those_of_scipys_rotations(rng: np.random.Generator) -> None:
    for primary, secondary in rng.uniform([-180.0, -90.0], [180.0, 90.0], (200, 2)):
        turned = Rotation.from_euler("ZX", [primary, -secondary], degrees=True)
        beam = beam_from_angles(math.radians(primary), math.radians(secondary))
        np.testing.assert_allclose(beam, turned.apply([0.0, -1.0, 0.0]), atol=1e-12)


@views
@pytest.mark.parametrize("name", ["L3", "screw_L3_R"])
def test_silhouette_and_thickness_are_those_of_vtks_rays(
    structures: dict[str, Structure], name: str, angles_deg: tuple[float, float]
) -> None:
    mesh = structures[name].mesh
    beam = beam_at(angles_deg, mesh.vertices.mean(axis=0))
    hit, inside = hit_by_vtk(mesh, beam)
    assert 25 < hit.sum() < 0.8 * SIZE**2
    chord, _ = chord_lengths([mesh], beam, (SIZE, SIZE), PIXEL_MM)
    assert within_a_pixel(chord > 0.0, hit)
    steps = (np.arange(SIZE) + 0.5 - SIZE / 2.0) * PIXEL_MM
    outline = silhouette(outlined(mesh), beam)
    assert within_a_pixel(shapely.contains_xy(outline, *np.meshgrid(steps, -steps)), hit)
    # Rays that VTK says run along an edge have no length there; they are few.
    known = ~np.isnan(inside)
    assert known.mean() > 0.995
    off = np.abs(chord - inside)[known]
    assert np.quantile(off, 0.999) < 1e-6


@views
def test_the_simulated_view_shows_metal_where_vtks_rays_meet_it(
    structures: dict[str, Structure], angles_deg: tuple[float, float]
) -> None:
    metal = [s for s in structures.values() if s.kind in HARDWARE]
    beam = beam_at(angles_deg, structures["L3"].mesh.vertices.mean(axis=0))
    nothing = attenuation((), (), beam, (SIZE, SIZE), PIXEL_MM)
    shown = attenuation(metal, (), beam, (SIZE, SIZE), PIXEL_MM) - nothing > 1e-9
    vertices, faces = together([s.mesh for s in metal])
    hit, _ = hit_by_vtk(TriangleMesh(vertices=vertices, faces=faces, is_closed=True), beam)
    assert 150 < hit.sum() < 0.8 * SIZE**2
    assert within_a_pixel(shown, hit)
