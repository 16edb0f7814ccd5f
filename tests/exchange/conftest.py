"""A small scan, as other tools write it: two vertebrae, their canal, and a construct."""

import numpy as np
import pytest

from geometry.solids import box, cylinder, ellipsoid
from phantom.voxels import LabelMap, label_map

SPACING_MM = (0.8, 0.9, 1.1)


@pytest.fixture(scope="session")
def small() -> LabelMap:
    """Blocks in place of bones, turned like a tilted scan."""

    def block(z: float) -> list[object]:
        return [box(np.array([3.0, 0.0, z]), np.array([30.0, 24.0, 20.0]), np.eye(3))]

    groups = {
        "vertebrae_L3": block(30.0),
        "vertebrae_L4": block(0.0),
        "kidney_left": [ellipsoid(np.array([60.0, 0.0, 10.0]), np.array([12.0, 9.0, 15.0]), np.eye(3))],
        "aorta": [cylinder(np.array([10.0, -25.0, -15.0]), np.array([10.0, -25.0, 45.0]), 14.0)],
    }  # fmt: skip
    return label_map(groups, SPACING_MM, turned_rad=0.2)  # type: ignore[arg-type]
