"""Rigid-body libraries: a needle is a capsule, an obstacle a triangle hierarchy."""

from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.peers import library, version_of
from benchmarks.scenes import Lines, Surroundings
from benchmarks.timing import Engine

# fcl wants a radius above zero; it is added to its answers again.
THIN_MM = 1e-6
# At its default of 1e-6 coal is off by up to 3e-7 mm here; this costs it no time.
COAL_TOLERANCE = 1e-12


def turned(step: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """Return a rotation that takes the z axis to a direction."""
    z = step / np.linalg.norm(step)
    across = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = np.cross(across, z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


def coal_trees(around: Surroundings) -> list[Any]:
    """Return one coal hierarchy per obstacle."""
    coal = library("coal")
    trees = []
    for mesh in around.meshes:
        tree = coal.BVHModelOBBRSS()
        tree.beginModel(len(mesh.faces), len(mesh.vertices))
        tree.addVertices(np.asarray(mesh.vertices))
        tree.addTriangles(np.asarray(mesh.faces, dtype=np.int64))
        tree.endModel()
        trees.append(tree)
    return trees


def coal_distance(around: Surroundings) -> Engine:
    """Distance of every obstacle to the axis: a capsule of radius zero."""
    coal, trees = library("coal"), coal_trees(around)
    here, request, result = coal.Transform3s(), coal.DistanceRequest(), coal.DistanceResult()
    request.gjk_tolerance = COAL_TOLERANCE

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty((len(lines), len(trees)))
        for i, (a, b) in enumerate(zip(lines.starts_mm, lines.ends_mm, strict=True)):
            capsule = coal.Capsule(0.0, float(np.linalg.norm(b - a)))
            pose = coal.Transform3s(turned(b - a), 0.5 * (a + b))
            for k, tree in enumerate(trees):
                result.clear()
                out[i, k] = coal.distance(tree, here, capsule, pose, request, result)
        return np.maximum(out, 0.0)

    return Engine(
        name="coal.distance, OBBRSS x capsule", version=version_of("coal"), answer=answer
    )  # fmt: skip


def coal_least(around: Surroundings) -> Engine:
    """The one number over all obstacles: least distance less margin."""
    each = coal_distance(around)

    def answer(lines: Lines) -> np.ndarray:
        least: np.ndarray = (each.answer(lines) - around.margins_mm).min(axis=1)
        return least

    return Engine(name="coal.distance per structure", version=each.version, answer=answer)


def coal_allows(around: Surroundings, radius_mm: float) -> Engine:
    """Whether a needle keeps every margin: capsules thickened by it, the first hit decides."""
    coal, trees = library("coal"), coal_trees(around)
    here = coal.Transform3s()

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty(len(lines), dtype=bool)
        for i, (a, b) in enumerate(zip(lines.starts_mm, lines.ends_mm, strict=True)):
            length = float(np.linalg.norm(b - a))
            pose = coal.Transform3s(turned(b - a), 0.5 * (a + b))
            out[i] = not any(
                coal.collide(
                    tree, here, coal.Capsule(radius_mm + margin, length), pose,
                    coal.CollisionRequest(), coal.CollisionResult(),
                )
                for tree, margin in zip(trees, around.margins_mm, strict=True)
            )  # fmt: skip
        return out

    return Engine(name="coal.collide, capsule", version=version_of("coal"), answer=answer)


def fcl_objects(around: Surroundings) -> list[Any]:
    """Return one fcl object per obstacle."""
    fcl = library("fcl")
    objects = []
    for mesh in around.meshes:
        tree = fcl.BVHModel()
        tree.beginModel(len(mesh.vertices), len(mesh.faces))
        tree.addSubModel(mesh.vertices, mesh.faces)
        tree.endModel()
        objects.append(fcl.CollisionObject(tree))
    return objects


def fcl_distance(around: Surroundings) -> Engine:
    """Distance of every obstacle to the axis: a capsule of a nanometre."""
    fcl, objects = library("fcl"), fcl_objects(around)

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty((len(lines), len(objects)))
        for i, (a, b) in enumerate(zip(lines.starts_mm, lines.ends_mm, strict=True)):
            capsule = fcl.Capsule(THIN_MM, float(np.linalg.norm(b - a)))
            needle = fcl.CollisionObject(capsule, fcl.Transform(turned(b - a), 0.5 * (a + b)))
            for k, obstacle in enumerate(objects):
                out[i, k] = fcl.distance(
                    obstacle, needle, fcl.DistanceRequest(), fcl.DistanceResult()
                )
        return np.maximum(out + THIN_MM, 0.0)

    return Engine(name="fcl.distance, mesh x capsule", version=version_of("fcl"), answer=answer)


def fcl_allows(around: Surroundings, radius_mm: float) -> Engine:
    """Whether a needle keeps every margin, asked of fcl."""
    fcl, objects = library("fcl"), fcl_objects(around)

    def answer(lines: Lines) -> np.ndarray:
        out = np.empty(len(lines), dtype=bool)
        for i, (a, b) in enumerate(zip(lines.starts_mm, lines.ends_mm, strict=True)):
            pose = fcl.Transform(turned(b - a), 0.5 * (a + b))
            length = float(np.linalg.norm(b - a))
            out[i] = not any(
                fcl.collide(
                    obstacle, fcl.CollisionObject(fcl.Capsule(radius_mm + margin, length), pose),
                    fcl.CollisionRequest(), fcl.CollisionResult(),
                )
                for obstacle, margin in zip(objects, around.margins_mm, strict=True)
            )  # fmt: skip
        return out

    return Engine(name="fcl.collide, capsule", version=version_of("fcl"), answer=answer)
