"""Ray casters: whether a line without any thickness hits anything. An easier question than ours."""

import numpy as np

from benchmarks.peers import library, version_of
from benchmarks.sampled import open3d_scene, polydata
from benchmarks.scenes import Lines, Surroundings
from benchmarks.timing import Engine


def open3d_clear(around: Surroundings) -> Engine:
    """Embree by way of Open3D, all obstacles in one scene."""
    o3d = library("open3d")
    scene = open3d_scene(*around.merged)

    def answer(lines: Lines) -> np.ndarray:
        rays = np.hstack([lines.starts_mm, lines.ends_mm - lines.starts_mm]).astype(np.float32)
        hit: np.ndarray = scene.test_occlusions(o3d.core.Tensor(rays), tfar=1.0).numpy()
        return ~hit

    return Engine(
        name="Open3D test_occlusions (Embree), no radius", version=version_of("open3d"),
        answer=answer,
    )  # fmt: skip


def embree_clear(around: Surroundings) -> Engine:
    """Embree by way of embreex, all obstacles in one scene."""
    scenes, meshes = library("embreex.rtcore_scene"), library("embreex.mesh_construction")
    vertices, faces = around.merged
    scene = scenes.EmbreeScene()
    meshes.TriangleMesh(scene, vertices.astype(np.float32), faces.astype(np.int32))

    def answer(lines: Lines) -> np.ndarray:
        hit = scene.run(
            lines.starts_mm.astype(np.float32),
            (lines.ends_mm - lines.starts_mm).astype(np.float32),
            dists=np.ones(len(lines), dtype=np.float32), query="OCCLUDED",
        )  # fmt: skip
        return np.asarray(hit) != 0

    return Engine(
        name="embreex OCCLUDED (Embree), no radius", version=version_of("embreex"), answer=answer
    )


def vtk_static_clear(around: Surroundings) -> Engine:
    """VTK's static cell locator, all obstacles in one mesh."""
    model = library("vtkmodules.vtkCommonDataModel")
    common = library("vtkmodules.vtkCommonCore")
    locator = model.vtkStaticCellLocator()
    locator.SetDataSet(polydata(*around.merged))
    locator.BuildLocator()
    t, sub, x, inside = common.reference(0.0), common.reference(0), [0.0] * 3, [0.0] * 3

    def answer(lines: Lines) -> np.ndarray:
        return np.array([
            locator.IntersectWithLine(a, b, 1e-9, t, x, inside, sub) == 0
            for a, b in zip(lines.starts_mm, lines.ends_mm, strict=True)
        ])  # fmt: skip

    return Engine(
        name="vtkStaticCellLocator.IntersectWithLine, no radius",
        version=version_of("vtkmodules"), answer=answer,
    )  # fmt: skip


def vtk_obb_clear(around: Surroundings) -> Engine:
    """VTK's oriented-box tree, what Slicer's path planners ask, all obstacles in one mesh."""
    general, common = library("vtkmodules.vtkFiltersGeneral"), library("vtkmodules.vtkCommonCore")
    tree = general.vtkOBBTree()
    tree.SetDataSet(polydata(*around.merged))
    tree.BuildLocator()
    found = common.vtkPoints()

    def answer(lines: Lines) -> np.ndarray:
        return np.array([
            tree.IntersectWithLine(a, b, found, None) == 0
            for a, b in zip(lines.starts_mm, lines.ends_mm, strict=True)
        ])  # fmt: skip

    return Engine(
        name="vtkOBBTree.IntersectWithLine, no radius", version=version_of("vtkmodules"),
        answer=answer,
    )  # fmt: skip
