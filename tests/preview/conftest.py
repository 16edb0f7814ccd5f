"""A small case and plan: a box of bone with a screw, a canal and skin, and two needles."""

import numpy as np
import pytest
import trimesh

from geometry.arrays import frozen, unit
from geometry.mesh import TriangleMesh, triangle_mesh
from planner.case import Case, Kind, PatientPosition, Side, Structure
from planner.fluoroscopy.catalogue import c_arm_named
from planner.fluoroscopy.views import views_for
from planner.needles.path import Line
from planner.request import Approach, ErrorProfile
from planner.result import (
    BreachProbability,
    Certificate,
    Clearance,
    Outcome,
    Plan,
    Status,
    Trajectory,
)


def _solid(solid: trimesh.Trimesh) -> TriangleMesh:
    return triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


def _box(centre: list[float], extents: list[float]) -> TriangleMesh:
    solid = trimesh.creation.box(extents=extents)
    solid.apply_translation(centre)
    return _solid(solid)


def _rod(start: list[float], end: list[float], diameter: float) -> TriangleMesh:
    return _solid(
        trimesh.creation.cylinder(radius=diameter / 2, segment=np.array([start, end]), sections=24)
    )


@pytest.fixture(scope="package")
def small_case() -> Case:
    def structure(name: str, kind: Kind, mesh: TriangleMesh, level: str | None = None) -> Structure:
        return Structure(name=name, kind=kind, mesh=mesh, level=level)

    return Case(
        name="Box spine",
        structures=(
            structure("L2", Kind.VERTEBRA, _box([0, 0, 40], [44, 34, 28]), "L2"),
            structure("L3", Kind.VERTEBRA, _box([0, 0, 0], [44, 34, 28]), "L3"),
            structure("dural_sac", Kind.CANAL, _rod([0, 26, -60], [0, 26, 80], 15.0)),
            structure("screw_L3_L", Kind.SCREW, _rod([22, 40, 0], [8, -8, 0], 6.5), "L3"),
            structure("pleura_L", Kind.PLEURA, _box([70, 0, 20], [30, 60, 60])),
            structure("skin", Kind.SKIN, _box([0, 0, 10], [220, 160, 160])),
        ),
        digest="0" * 64,
        patient_position=PatientPosition.HFP,
    )


def _trajectory(rank: int, entry: list[float], tip: list[float], side: Side) -> Trajectory:
    line = Line(start_mm=frozen(entry), end_mm=frozen(tip))
    through = Clearance(
        structure="L3", kind=Kind.VERTEBRA, distance_mm=-3.0, required_mm=None, margin_mm=None,
        at_depth_mm=60.0, nearest_point_mm=line.end_mm, path_point_mm=line.end_mm, traversed=True,
    )  # fmt: skip
    unbreached = BreachProbability(
        profile=ErrorProfile.FREEHAND_FLUOROSCOPY, samples=1000, seed=7, total=0.0,
        total_interval=(0.0, 0.0038), by_structure={}, margin_broken=0.0, worst_structure=None,
        p5_clearance_mm={},
    )  # fmt: skip
    return Trajectory(
        rank=rank, approach=Approach.EXTRAPEDICULAR, side=side, technique="standard",
        needle="13G-150", entry_skin_mm=line.start_mm, entry_bone_mm=None, tip_mm=line.end_mm,
        path=(line,), outer_diameter_mm=2.413, length_mm=line.length_mm, depth_to_bone_mm=None,
        clearances=(through,), margin_mm=1.25 / rank, limiting_structure="dural_sac",
        reaches_target=True, obliquity_rad=0.4, reach_mm=2.0, tolerance=None, breach_probability=unbreached,
        views=views_for(unit(line.end_mm - line.start_mm), c_arm=c_arm_named("generic-floor")),
        cautions=(), reasons=(),
    )  # fmt: skip


@pytest.fixture(scope="package")
def small_plan() -> Plan:
    blocked = Certificate(
        approach=Approach.TRANSPEDICULAR, side=Side.LEFT, needle="13G-150",
        status=Status.INFEASIBLE, best_margin_mm=-1.31, upper_bound_mm=-1.12, tolerance_mm=0.25,
        limiting_structures=("screw_L3_L",), boxes_examined=10, statement="blocked",
    )  # fmt: skip
    return Plan(
        case_digest="0" * 64, request_digest="1" * 64, planner_version="0.1.0",
        outcome=Outcome.FOUND, explanation="2 safe trajectories.",
        trajectories=(
            _trajectory(1, [48, 80, 12], [2, -10, 2], Side.LEFT),
            _trajectory(2, [-48, 80, 12], [-2, -10, 2], Side.RIGHT),
        ),
        certificates=(blocked,), warnings=(), timings_s={},
    )  # fmt: skip


@pytest.fixture(scope="package")
def empty_plan() -> Plan:
    return Plan(
        case_digest="0" * 64, request_digest="1" * 64, planner_version="0.1.0",
        outcome=Outcome.NO_SAFE_PATH, explanation="No safe path was found.",
        trajectories=(), certificates=(), warnings=(), timings_s={},
    )  # fmt: skip
