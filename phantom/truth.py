"""What is known of a synthetic case by construction, as plain values: mm, patient LPS."""

from typing import Any

import numpy as np

from phantom.hardware import Screw
from phantom.spine import PlacedVertebra, vertebral_frame
from phantom.torso import pedicle_entry


def screw_truth(screw: Screw) -> dict[str, Any]:
    """Return where a screw lies and how thick it is."""
    return {
        "level": screw.level,
        "side": screw.side.value,
        "head_mm": _listed(screw.head),
        "tip_mm": _listed(screw.tip),
        "diameter_mm": screw.diameter_mm,
    }


def vertebra_truth(vertebra: PlacedVertebra) -> dict[str, Any]:
    """Return a vertebra's frame and its pedicles."""
    frame = vertebral_frame(vertebra)
    pedicles = {}
    for side, pedicle in vertebra.shape.pedicles.items():
        pedicles[side.value] = {
            "centre_mm": _listed(vertebra.pose.points(pedicle.centre)),
            "axis": _listed(vertebra.pose.vectors(pedicle.axis)),
            "width_mm": round(pedicle.width_mm, 6),
            "height_mm": round(pedicle.height_mm, 6),
            "entry_mm": _listed(pedicle_entry(vertebra, side)),
        }
    return {
        "level": vertebra.level,
        "origin_mm": _listed(frame.translation_mm),
        "axes": [_listed(column) for column in frame.rotation.T],
        "pedicles": pedicles,
    }


def _listed(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
