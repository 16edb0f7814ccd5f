"""The same patient elsewhere: a case that is moved, or seen in a mirror."""

from dataclasses import replace

import numpy as np

from geometry.frames import RigidTransform
from geometry.mesh import triangle_mesh
from planner.case import Case, Side

OTHER = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT, None: None}
FLIP = np.array([-1.0, 1.0, 1.0])


def moved(case: Case, transform: RigidTransform) -> Case:
    """Return a case with every mesh moved."""
    structures = tuple(
        replace(s, mesh=s.mesh.moved(transform), primitive=None) for s in case.structures
    )
    return replace(case, structures=structures)


def mirrored(case: Case) -> Case:
    """Return a case with left and right exchanged, in its meshes and in its words."""
    structures = tuple(
        replace(
            s, side=OTHER[s.side], primitive=None,
            mesh=triangle_mesh(s.mesh.vertices * FLIP, s.mesh.faces[:, ::-1]),
        )
        for s in case.structures
    )  # fmt: skip
    return replace(case, structures=structures)
