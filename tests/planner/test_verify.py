"""Every distance of every answer, measured again by another library on dense samples."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import pyvista

from geometry.mesh import TriangleMesh
from planner.case import Case, Kind
from planner.needles.path import Arc, Line, path_chords
from planner.planning import evaluate, plan
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest, ScrewHalo
from planner.result import Trajectory

AGREEMENT_MM = 0.02
ONE_NEEDLE = ("15G-bevel-150",)


def sampled_distance_mm(mesh: TriangleMesh, start: np.ndarray, end: np.ndarray) -> float:
    """Return the least signed distance of a segment's samples to a mesh, by VTK.

    Signed (negative inside) for closed meshes, unsigned for open ones. Samples are 0.4 mm apart,
    then 0.004 mm around the best coarse ones; the result is at most 0.004 mm above the truth
    unless two separate minima lie within 0.4 mm of one another in value.
    """
    other = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    length = float(np.linalg.norm(end - start))
    coarse = np.linspace(0.0, 1.0, max(int(length / 0.4), 2) + 1)
    values = _signed(other, mesh.is_closed, start + coarse[:, None] * (end - start))
    fine = [
        np.linspace(coarse[max(i - 1, 0)], coarse[min(i + 1, len(coarse) - 1)], 201)
        for i in np.argsort(values)[:3]
    ]
    points = start + np.concatenate(fine)[:, None] * (end - start)
    return float(_signed(other, mesh.is_closed, points).min())


def _signed(mesh: pyvista.PolyData, closed: bool, points: np.ndarray) -> np.ndarray:
    at = pyvista.PolyData(np.array(points)).compute_implicit_distance(mesh)
    distance = np.asarray(at["implicit_distance"])
    return distance if closed else np.abs(distance)


def _disagreement_mm(case: Case, t: Trajectory) -> float:
    """Largest difference between stated and sampled distances over all structures."""
    points = path_chords(t.path)
    worst = 0.0
    for stated in t.clearances:
        mesh = case.structure(stated.structure).mesh
        pieces = [sampled_distance_mm(mesh, a, b) for a, b in pairwise(points)]
        worst = max(worst, abs(min(pieces) - t.outer_diameter_mm / 2.0 - stated.distance_mm))
        gap = float(np.linalg.norm(stated.nearest_point_mm - stated.path_point_mm))
        assert gap == pytest.approx(abs(stated.distance_mm + t.outer_diameter_mm / 2.0), abs=1e-6)
    return worst


def test_returned_paths_agree_with_samples(lumbar: PreparedCase) -> None:
    request = PlanRequest(
        target=AnteriorBody(level="L3"), needles=ONE_NEEDLE, max_trajectories=2,
        approaches=(Approach.TRANSPEDICULAR, Approach.EXTRAPEDICULAR),
    )  # fmt: skip
    answer = plan(lumbar, request)
    assert answer.trajectories
    for t in answer.trajectories:
        assert _disagreement_mm(lumbar.case, t) < AGREEMENT_MM


def test_a_drawn_path_through_screw_and_canal_agrees_with_samples(lumbar: PreparedCase) -> None:
    canal = lumbar.case.of_kind(Kind.CANAL)[0].mesh.vertices.mean(axis=0)
    screw = lumbar.case.of_kind(Kind.SCREW)[0].mesh.vertices.mean(axis=0)
    along = (screw - canal) / np.linalg.norm(screw - canal)
    path = (Line(start_mm=screw + 25.0 * along, end_mm=canal - 12.0 * along),)
    drawn = evaluate(lumbar, EvaluationRequest(path=path, needle="11G-120"))
    assert min(c.distance_mm for c in drawn.clearances if c.kind is Kind.CANAL) < 0.0
    assert min(c.distance_mm for c in drawn.clearances if c.kind is Kind.SCREW) < 0.0
    assert _disagreement_mm(lumbar.case, drawn) < AGREEMENT_MM


def test_an_arc_is_measured_along_its_curve(lumbar: PreparedCase) -> None:
    centre = lumbar.case.bone_of_level("L3").mesh.vertices.mean(axis=0)
    start = centre + np.array([20.0, 40.0, 0.0])
    stop = centre + np.array([12.0, 10.0, 0.0])
    direction = (stop - start) / np.linalg.norm(stop - start)
    side = np.cross(direction, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    pivot = stop + 20.0 * side
    end = pivot + 20.0 * (np.sin(0.9) * direction - np.cos(0.9) * side)
    path = (
        Line(start_mm=start, end_mm=stop),
        Arc(start_mm=stop, end_mm=end, centre_mm=pivot, radius_mm=20.0, angle_rad=0.9),
    )
    drawn = evaluate(lumbar, EvaluationRequest(path=path, needle="13G-120"))
    fine = np.linspace(0.0, 0.9, 400)
    curve = pivot + 20.0 * (np.sin(fine)[:, None] * direction - np.cos(fine)[:, None] * side)
    canal = next(c for c in drawn.clearances if c.kind is Kind.CANAL)
    mesh = lumbar.case.structure(canal.structure).mesh
    pieces = [sampled_distance_mm(mesh, start, stop)]
    pieces += [
        sampled_distance_mm(mesh, a, b) for a, b in zip(curve[:-1:57], curve[57::57], strict=False)
    ]
    assert canal.distance_mm <= min(pieces) - drawn.outer_diameter_mm / 2.0 + 0.05
    assert drawn.length_mm == pytest.approx(np.linalg.norm(stop - start) + 18.0, abs=1e-9)


def test_paths_in_real_anatomy_agree_with_samples(
    real_case: Callable[[str], PreparedCase],
) -> None:
    prepared = real_case("mid-thoracic")
    request = PlanRequest(
        target=ScrewHalo(screw="screw_T5_L"), needles=ONE_NEEDLE, max_trajectories=1,
        approaches=(Approach.EXTRAPEDICULAR,),
    )  # fmt: skip
    answer = plan(prepared, request)
    assert answer.trajectories
    assert _disagreement_mm(prepared.case, answer.trajectories[0]) < AGREEMENT_MM
