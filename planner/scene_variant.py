"""A scene with other required distances: the same triangles, nothing is built anew."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from geometry import _kernels
from planner.search.scene import Scene

REMOVED_MM = -1e6  # a distance to keep that nothing is near enough to break


def scene_with(scene: Scene, required_mm: Mapping[str, float]) -> Scene:
    """Return a scene in which the named structures require other distances.

    Its field still speaks of the old ones: it serves to climb in, not to bound.

    Args:
        scene: The scene.
        required_mm: Distance to keep by structure; ``REMOVED_MM`` takes a structure out.
    """
    tree = scene.tree
    offset = tree.offset.copy()
    for index, name in enumerate(scene.names):
        if name in required_mm:
            offset[tree.owner == index] = required_mm[name]
    slack = _kernels.node_slack(tree.first, tree.count, offset)
    return replace(scene, tree=tree._replace(offset=np.ascontiguousarray(offset), slack=slack))
