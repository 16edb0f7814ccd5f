"""Libraries that measure points: an axis becomes points 1 mm apart, whatever lies between."""

from typing import Any

import numpy as np

from benchmarks.peers import library, version_of
from benchmarks.scenes import Lines, Surroundings
from benchmarks.timing import Engine
from geometry.arrays import Points
from geometry.mesh import TriangleMesh

STEP_MM = 1.0


def polydata(vertices: Points, faces: np.ndarray) -> Any:
    """Return a triangle mesh as VTK holds it."""
    return library("pyvista").PolyData.from_regular_faces(np.asarray(vertices), np.asarray(faces))


def _per_structure(name: str, module: str, point_distances: list[Any]) -> Engine:
    """Return an engine from one function per obstacle: points (n, 3) to distances (n,)."""

    def answer(lines: Lines) -> np.ndarray:
        points, begins = lines.samples(STEP_MM)
        columns = [np.minimum.reduceat(measure(points), begins) for measure in point_distances]
        return np.column_stack(columns)

    return Engine(name=f"{name}, 1 mm samples", version=version_of(module), answer=answer)


def igl_distance(around: Surroundings) -> Engine:
    """Distances from libigl's box hierarchy."""
    igl = library("igl")

    def one(mesh: TriangleMesh) -> Any:
        vertices, faces = np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int64)
        tree = igl.AABB()
        tree.init(vertices, faces)
        return lambda points: np.sqrt(tree.squared_distance(vertices, faces, points)[0])

    return _per_structure("igl.AABB", "igl", [one(m) for m in around.meshes])


def open3d_distance(around: Surroundings) -> Engine:
    """Distances from Open3D's ray-casting scene (Embree)."""
    o3d = library("open3d")

    def one(mesh: TriangleMesh) -> Any:
        scene = open3d_scene(mesh.vertices, mesh.faces)
        return lambda points: scene.compute_distance(
            o3d.core.Tensor(points.astype(np.float32))
        ).numpy()

    return _per_structure(
        "Open3D RaycastingScene.compute_distance", "open3d", [one(m) for m in around.meshes]
    )


def open3d_scene(vertices: Points, faces: np.ndarray) -> Any:
    """Return a ray-casting scene of one mesh."""
    o3d = library("open3d")
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(np.asarray(vertices, dtype=np.float32)),
        o3d.core.Tensor(np.asarray(faces, dtype=np.uint32)),
    )
    return scene


def vtk_implicit(around: Surroundings) -> Engine:
    """Distances from the function that Slicer-style code uses; unsigned here."""
    core = library("vtkmodules.vtkFiltersCore")
    support = library("vtkmodules.util.numpy_support")

    def one(mesh: TriangleMesh) -> Any:
        function = core.vtkImplicitPolyDataDistance()
        function.SetInput(polydata(mesh.vertices, mesh.faces))

        def measure(points: Points) -> np.ndarray:
            values = support.numpy_to_vtk(np.zeros(len(points)))
            function.FunctionValue(support.numpy_to_vtk(np.ascontiguousarray(points)), values)
            return np.abs(support.vtk_to_numpy(values))

        return measure

    return _per_structure(
        "vtkImplicitPolyDataDistance", "vtkmodules", [one(m) for m in around.meshes]
    )


def vtk_locator(around: Surroundings) -> Engine:
    """Distances from VTK's newest locator."""
    model = library("vtkmodules.vtkCommonDataModel")
    vtk_common = library("vtkmodules.vtkCommonCore")

    def one(mesh: TriangleMesh) -> Any:
        locator = model.vtkStaticCellLocator()
        locator.SetDataSet(polydata(mesh.vertices, mesh.faces))
        locator.BuildLocator()
        closest, squared = [0.0, 0.0, 0.0], vtk_common.reference(0.0)
        cell, sub = vtk_common.reference(0), vtk_common.reference(0)

        def measure(points: Points) -> np.ndarray:
            found = np.empty(len(points))
            for i, point in enumerate(points):
                locator.FindClosestPoint(point, closest, cell, sub, squared)
                found[i] = float(squared)
            return np.sqrt(found)

        return measure

    return _per_structure(
        "vtkStaticCellLocator.FindClosestPoint", "vtkmodules", [one(m) for m in around.meshes]
    )


def trimesh_distance(around: Surroundings) -> Engine:
    """Distances from trimesh's proximity queries (an R-tree of triangle boxes)."""
    trimesh, proximity = library("trimesh"), library("trimesh.proximity")
    library("rtree")

    def one(mesh: TriangleMesh) -> Any:
        held = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        return lambda points: proximity.closest_point(held, points)[1]

    return _per_structure("trimesh.proximity", "trimesh", [one(m) for m in around.meshes])


def scipy_map(around: Surroundings) -> Engine:
    """The one number over all obstacles, from the sampled distance map of map-based planners."""
    ndimage = library("scipy.ndimage")
    field = around.scene.field
    values = np.ascontiguousarray(field.values)

    def answer(lines: Lines) -> np.ndarray:
        points, begins = lines.samples(STEP_MM)
        nodes = ((points - field.origin_mm) / field.spacing_mm).T
        read = ndimage.map_coordinates(values, nodes, order=1, mode="nearest")
        return np.minimum.reduceat(read, begins)

    return Engine(
        name="scipy map_coordinates, 1 mm samples", version=version_of("scipy"), answer=answer
    )
