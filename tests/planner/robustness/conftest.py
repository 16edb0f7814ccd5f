"""Paths and scenes to err in: the sample case, real anatomy, and obstacles about one needle."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from geometry.arrays import unit
from geometry.mesh import TriangleMesh
from geometry.solids import box
from planner.anatomy.model import Unavailable
from planner.case import Case, Kind, PatientPosition, Structure
from planner.fluoroscopy.catalogue import c_arm_named
from planner.needles.path import Arc, Line
from planner.needles.path import Path as NeedlePath
from planner.policy import DEFAULT_POLICY
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import DEFAULT_C_ARM, AnteriorBody, ErrorProfile, EvaluationRequest


def line(start: list[float], end: list[float]) -> NeedlePath:
    return (Line(start_mm=np.array(start), end_mm=np.array(end)),)


# Safe paths to the third lumbar vertebra of the sample case, transpedicular and beside the pedicle.
LUMBAR_PATHS = (
    line([-54.031, 84.060, 7.436], [-0.675, -4.647, -6.553]),
    line([51.916, 84.378, 6.482], [1.960, -4.689, -6.119]),
    line([-55.546, 84.078, 4.950], [-9.594, -9.705, -7.426]),
    line([55.546, 84.078, 7.950], [9.594, -9.705, -7.426]),
)


def asked(prepared: PreparedCase, path: NeedlePath, level: str) -> Question:
    target = AnteriorBody(level=level)
    return question_of(
        prepared, EvaluationRequest(path=path, needle="15G-bevel-150", target=target)
    )


@pytest.fixture(scope="package")
def lumbar_paths() -> tuple[NeedlePath, ...]:
    return LUMBAR_PATHS


@pytest.fixture(scope="package", params=LUMBAR_PATHS, ids=["TP-R", "TP-L", "PP-R", "PP-L"])
def lumbar_path(request: pytest.FixtureRequest) -> NeedlePath:
    path: NeedlePath = request.param
    return path


@pytest.fixture(scope="package")
def curved_path() -> NeedlePath:
    """A straight cannula, then an arc of radius 20 over half a radian."""
    [straight] = LUMBAR_PATHS[2]
    assert isinstance(straight, Line)
    stop = straight.start_mm + 95.0 * straight.direction
    side = unit(np.cross(straight.direction, [0.0, 0.0, 1.0]))
    centre = stop + 20.0 * side
    end = centre + 20.0 * (math.sin(0.5) * straight.direction - math.cos(0.5) * side)
    return (
        Line(start_mm=straight.start_mm, end_mm=stop),
        Arc(start_mm=stop, end_mm=end, centre_mm=centre, radius_mm=20.0, angle_rad=0.5),
    )


@pytest.fixture(scope="package")
def lumbar(lumbar: PreparedCase) -> Question:
    return asked(lumbar, LUMBAR_PATHS[0], "L3")


@pytest.fixture(scope="package")
def thoracic_path() -> NeedlePath:
    """A safe path to the halo of a screw in real anatomy."""
    return line([-81.04, 42.364, 1283.334], [4.093, -60.618, 1275.267])


@pytest.fixture
def thoracic(real_case: Callable[[str], PreparedCase], thoracic_path: NeedlePath) -> Question:
    return asked(real_case("mid-thoracic"), thoracic_path, "T5")


@pytest.fixture(scope="package")
def needle() -> NeedlePath:
    """From behind to the front, through the origin, 100 mm long."""
    return line([0.0, 50.0, 0.0], [0.0, -50.0, 0.0])


@pytest.fixture(scope="package")
def scene() -> Callable[[Kind, TriangleMesh], Question]:
    """Makes questions about one obstacle; the bone is far off, and the axes are the patient's."""

    def scene_of(kind: Kind, mesh: TriangleMesh) -> Question:
        far = box(np.array([0.0, 0.0, -500.0]), np.full(3, 10.0))
        bone = Structure(name="bone", kind=Kind.OTHER_BONE, mesh=far)
        obstacle = Structure(name="obstacle", kind=kind, mesh=mesh)
        case = Case(name="scene", structures=(bone, obstacle), digest="0" * 64)
        return Question(
            prepared=PreparedCase(case), bone=bone, region=Unavailable(reason="a drawn path"),
            axes=np.eye(3), policy=DEFAULT_POLICY, c_arm=c_arm_named(DEFAULT_C_ARM),
            position=PatientPosition.HFP, error_profile=ErrorProfile.FREEHAND_FLUOROSCOPY,
        )  # fmt: skip

    return scene_of
