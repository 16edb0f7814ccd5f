"""Writes a scene as binary glTF: metres, +Y up, one named node per structure and needle.

For browsers, Blender and augmented reality; trajectories are called ``trajectory_1`` and so on.
Needs no OpenGL.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.visual import material, texture

from geometry.arrays import Faces, Points, unit
from geometry.frames import lps_from_ras
from preview.looks import Look
from preview.scene import DrawnNeedle, Scene

# Trimesh annotates these only in part.
_SCENE: Any = trimesh.Scene
_MATERIAL: Any = material.PBRMaterial
_VISUAL: Any = texture.TextureVisuals

ROOT = "patient_LPS_mm"
RAS_ROOT = "patient_RAS_mm"
SIDES = 24  # of a needle's cross-section

# x = left, y = superior, z = anterior: a patient who stands facing glTF's viewer.
_GLTF_FROM_LPS_MM = np.array([
    [1e-3, 0.0, 0.0, 0.0],
    [0.0, 0.0, 1e-3, 0.0],
    [0.0, -1e-3, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip


def write_glb(scene: Scene, path: Path, *, frame: str = "LPS") -> None:
    """Write the scene to ``path``.

    Args:
        scene: What to write.
        path: Where to.
        frame: ``LPS`` or ``RAS``: of the vertices under the root node, whose transform makes both
            look the same.
    """
    root, matrix = ROOT, _GLTF_FROM_LPS_MM
    if frame == "RAS":
        root, matrix = RAS_ROOT, _GLTF_FROM_LPS_MM @ np.diag([-1.0, -1.0, 1.0, 1.0])
    exported = _SCENE(base_frame="world")
    exported.graph.update(frame_from="world", frame_to=root, matrix=matrix)
    for name, mesh in _named_meshes(scene):
        if frame == "RAS":
            mesh.vertices = lps_from_ras(mesh.vertices)
        exported.add_geometry(mesh, node_name=name, geom_name=name, parent_node_name=root)
    path.write_bytes(exported.export(file_type="glb"))


def _named_meshes(scene: Scene) -> Iterator[tuple[str, trimesh.Trimesh]]:
    for surface in scene.surfaces:
        yield surface.name, _mesh(surface.name, surface.vertices, surface.faces, surface.look)
    for needle in scene.needles:
        name, look = f"trajectory_{needle.label}", Look(colour=needle.colour, opacity=1.0)
        yield name, _mesh(name, *needle_tube(needle), look)


def _mesh(name: str, vertices: Points, faces: Faces, look: Look) -> trimesh.Trimesh:
    translucent = look.opacity < 1.0
    finish = _MATERIAL(
        name=name,
        baseColorFactor=[round(255 * share) for share in (*look.colour, look.opacity)],
        metallicFactor=0.9 if look.metallic else 0.0,
        roughnessFactor=0.35 if look.metallic else 0.8,
        alphaMode="BLEND" if translucent else "OPAQUE",
        doubleSided=translucent,
    )
    return trimesh.Trimesh(
        vertices=vertices, faces=faces, visual=_VISUAL(material=finish), process=False
    )


def needle_tube(needle: DrawnNeedle) -> tuple[Points, Faces]:
    """Return a needle as a closed tube of its true radius, wound outward, with flat ends."""
    points = needle.points_mm
    steps = np.diff(points, axis=0)
    tangents = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    tangents = tangents / np.linalg.norm(tangents, axis=1, keepdims=True)
    across = np.eye(3)[int(np.argmin(np.abs(tangents[0])))]
    turn = 2.0 * np.pi * np.arange(SIDES) / SIDES
    rings = []
    for point, tangent in zip(points, tangents, strict=True):
        # Carried along from ring to ring, so that the tube does not twist.
        across = unit(across - float(across @ tangent) * tangent)
        beside = np.cross(tangent, across)
        circle = np.outer(np.cos(turn), across) + np.outer(np.sin(turn), beside)
        rings.append(point + needle.radius_mm * circle)
    vertices = np.concatenate([*rings, points[:1], points[-1:]])
    return vertices, _tube_faces(len(points))


def _tube_faces(rings: int) -> Faces:
    here = np.arange(SIDES)
    there = (here + 1) % SIDES
    first, last = rings * SIDES, rings * SIDES + 1
    end = (rings - 1) * SIDES
    walls = [
        np.concatenate([
            np.column_stack([a + here, a + there, a + SIDES + there]),
            np.column_stack([a + here, a + SIDES + there, a + SIDES + here]),
        ])
        for a in range(0, end, SIDES)
    ]  # fmt: skip
    caps = [
        np.column_stack([there, here, np.full(SIDES, first)]),
        np.column_stack([end + here, end + there, np.full(SIDES, last)]),
    ]
    return np.concatenate([*walls, *caps])
