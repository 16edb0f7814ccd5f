"""Screws, rods and cages: true axes from any tessellation, and moving with their meshes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from skimage.measure import marching_cubes

from geometry.frames import RigidTransform, angle_between
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import cylinder, tube
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.hardware import cage_ends, rod_line, screw_axis
from planner.anatomy.model import CageEnds, RodLine, ScrewAxis, Unavailable
from planner.case import Case, Cylinder, Kind, Side, Structure

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
BUNDLES = (
    "lumbar-cage",
    "thoracolumbar-fracture",
    "mid-thoracic",
    "one-screw-minimal",
    "sacropelvic",
)
HEAD, TIP = np.array([20.0, -30.0, 5.0]), np.array([8.0, -70.0, -3.0])
MOTION = RigidTransform(
    target="moved",
    source="patient",
    rotation=Rotation.from_rotvec(np.radians(45.0) * np.array([0.6, -0.64, 0.48])).as_matrix(),
    translation_mm=np.array([1234.5, -800.3, 555.1]),
)


def screw(mesh: TriangleMesh) -> Structure:
    return Structure(name="screw", kind=Kind.SCREW, mesh=mesh)


def known(found: ScrewAxis | Unavailable) -> ScrewAxis:
    assert isinstance(found, ScrewAxis), found
    return found


def of_revolution(radii: list[tuple[float, float]], sides: int) -> TriangleMesh:
    """Return a turned part from (radius, distance along) pairs, from HEAD towards TIP."""
    solid = trimesh.creation.revolve(np.array(radii), sections=sides)
    axis = (TIP - HEAD) / np.linalg.norm(TIP - HEAD)
    turn, _ = Rotation.align_vectors(axis[None, :], np.array([[0.0, 0.0, 1.0]]))
    solid.apply_transform(np.pad(turn.as_matrix(), ((0, 1), (0, 1))) + np.diag([0, 0, 0, 1]))
    solid.apply_translation(HEAD)
    solid.fix_normals()
    return triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces, dtype=np.int64))


def turned_screw(sides: int) -> TriangleMesh:
    length = float(np.linalg.norm(TIP - HEAD))
    outline = [(0.0, -12.0), (6.0, -12.0), (6.0, 0.0), (3.0, 0.0), (3.0, length - 6.0)]
    return of_revolution([*outline, (1.0, length), (0.0, length)], sides)


def voxel_screw(spacing: float = 0.6) -> TriangleMesh:
    """Return the turned screw as a thresholded image would give it."""
    length, axis = float(np.linalg.norm(TIP - HEAD)), (TIP - HEAD) / np.linalg.norm(TIP - HEAD)
    low = np.minimum(HEAD, TIP) - 16.0
    high = np.maximum(HEAD, TIP) + 16.0
    axes = [np.arange(a, b, spacing) for a, b in zip(low, high, strict=True)]
    offset = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - HEAD
    along = offset @ axis
    across = np.linalg.norm(offset - along[..., None] * axis, axis=-1)
    shaft = (
        (along >= 0.0) & (along < length) & (across < np.minimum(3.0, 1.0 + (length - along) / 3.0))
    )
    head = (along >= -12.0) & (along < 0.0) & (across < 6.0)
    inside = (shaft | head).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(inside, 0.5, spacing=(spacing,) * 3)  # type: ignore[no-untyped-call]
    mesh = triangle_mesh(vertices.astype(np.float64) + low, faces.astype(np.int64))
    return mesh if mesh.volume_mm3 > 0.0 else triangle_mesh(mesh.vertices, mesh.faces[:, ::-1])


def truths(shared_cases: Path, bundle: str) -> list[dict[str, Any]]:
    stated = json.loads((shared_cases / bundle / "truth.json").read_text())
    return stated["screws"] if isinstance(stated, dict) else stated


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_real_screw_is_found_where_it_was_put(
    shared_cases: Path, real_anatomy: Reader, bundle: str
) -> None:
    anatomy = real_anatomy(bundle)[1]
    for truth in truths(shared_cases, bundle):
        found = known(anatomy.hardware.screws[truth["name"]])
        tip = np.array(truth.get("tip_mm", truth.get("tip")))
        neck = np.array(truth.get("neck_mm", truth.get("entry")))
        assert np.linalg.norm(found.tip_mm - tip) < 1.0
        assert np.linalg.norm(found.head_mm - neck) < 1.0
        assert np.degrees(angle_between(found.tip_mm - found.head_mm, tip - neck)) < 0.2
        diameter = truth.get("diameter_mm", truth.get("diameter"))
        assert found.diameter_mm == pytest.approx(diameter, abs=0.3)
        assert found.side is (Side.LEFT if truth["side"] == "L" else Side.RIGHT)


@pytest.mark.parametrize("sides", [8, 12, 64])
def test_a_turned_screw_is_found_at_any_tessellation(sides: int) -> None:
    found = known(screw_axis(screw(turned_screw(sides))))
    assert np.linalg.norm(found.tip_mm - TIP) < 0.2
    assert np.linalg.norm(found.head_mm - HEAD) < 0.2
    assert found.diameter_mm == pytest.approx(6.0, abs=0.2)


def test_a_voxel_screw_is_found_within_a_voxel() -> None:
    found = known(screw_axis(screw(voxel_screw())))
    assert np.linalg.norm(found.tip_mm - TIP) < 1.0
    assert np.linalg.norm(found.head_mm - HEAD) < 1.0
    assert np.degrees(angle_between(found.tip_mm - found.head_mm, TIP - HEAD)) < 0.5
    assert found.diameter_mm == pytest.approx(6.0, abs=0.8)


def test_a_primitive_is_taken_as_it_is() -> None:
    given = Cylinder(head_mm=HEAD, tip_mm=TIP, diameter_mm=6.5)
    found = known(screw_axis(replace(screw(cylinder(HEAD, TIP, 6.5)), primitive=given)))
    assert found.head_mm == pytest.approx(HEAD)
    assert found.tip_mm == pytest.approx(TIP)
    assert found.diameter_mm == 6.5


def test_a_headless_screw_points_into_bone() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=15.0)
    for end, other in ((TIP, HEAD), (HEAD, TIP)):
        vertices = np.asarray(ball.vertices) + end
        bone = Structure(
            name="L3",
            kind=Kind.VERTEBRA,
            level="L3",
            mesh=triangle_mesh(vertices, np.asarray(ball.faces, dtype=np.int64)),
        )
        found = known(screw_axis(screw(cylinder(HEAD, TIP, 6.0)), bones=(bone,)))
        assert np.linalg.norm(found.tip_mm - end) < 0.1
        assert np.linalg.norm(found.head_mm - other) < 0.1
        assert found.level == "L3"


def test_a_screw_moves_with_its_mesh() -> None:
    mesh = turned_screw(24)
    before, after = known(screw_axis(screw(mesh))), known(screw_axis(screw(mesh.moved(MOTION))))
    assert after.tip_mm == pytest.approx(MOTION.points(before.tip_mm), abs=1e-6)
    assert after.head_mm == pytest.approx(MOTION.points(before.head_mm), abs=1e-5)
    assert after.diameter_mm == pytest.approx(before.diameter_mm, abs=1e-6)


def test_a_bent_screw_and_a_lump_are_refused() -> None:
    bend = np.array([HEAD, [14.0, -50.0, 12.0], TIP])
    ball = trimesh.creation.icosphere(subdivisions=2, radius=8.0)
    lump = triangle_mesh(np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int64))
    for mesh in (tube(bend, 6.0), lump):
        assert isinstance(screw_axis(screw(mesh)), Unavailable)


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_bent_rod_is_followed_from_end_to_end(
    shared_cases: Path, real_anatomy: Reader, side: str
) -> None:
    stated = json.loads((shared_cases / "lumbar-cage" / "truth.json").read_text())
    truth = next(r for r in stated["rods"] if r["name"] == f"rod_{side}")
    line = np.array(truth["centreline"])
    found = real_anatomy("lumbar-cage")[1].hardware.rods[f"rod_{side}"]
    assert isinstance(found, RodLine)
    points = np.asarray(found.points_mm)
    assert np.linalg.norm(points[0] - line[0]) < 0.1
    assert np.linalg.norm(points[-1] - line[-1]) < 0.1
    path = trimesh.load_path(line)
    start, step = line[:-1, None], np.diff(line, axis=0)[:, None]
    share = np.clip(((points - start) * step).sum(2) / (step**2).sum(2), 0.0, 1.0)
    gaps = np.linalg.norm(start + share[..., None] * step - points, axis=2).min(axis=0)
    assert gaps.max() < 0.1
    assert found.diameter_mm == pytest.approx(truth["diameter"], abs=0.1)
    assert path.length == pytest.approx(
        np.linalg.norm(np.diff(points, axis=0), axis=1).sum(), abs=0.2
    )


def test_a_rod_moves_with_its_mesh() -> None:
    turns = np.linspace(0.0, 1.2, 40)
    line = np.stack([0.0 * turns, 60.0 * np.cos(turns), 60.0 * np.sin(turns)], axis=1)
    rod = Structure(name="rod", kind=Kind.ROD, mesh=tube(line, 5.5))
    before = rod_line(rod)
    after = rod_line(
        replace(rod, mesh=rod.mesh.moved(MOTION)), up=MOTION.vectors(np.array([0.0, 0.0, 1.0]))
    )
    assert isinstance(before, RodLine)
    assert isinstance(after, RodLine)
    assert np.asarray(after.points_mm) == pytest.approx(
        MOTION.points(np.asarray(before.points_mm)), abs=1e-6
    )


def test_cages_bear_on_the_ends_they_were_drawn_with(
    shared_cases: Path, real_anatomy: Reader
) -> None:
    stated = json.loads((shared_cases / "lumbar-cage" / "truth.json").read_text())
    anatomy = real_anatomy("lumbar-cage")[1]
    for truth in stated["cages"]:
        found = anatomy.hardware.cages[truth["name"]]
        assert isinstance(found, CageEnds)
        middle = 0.5 * (found.cranial_mm + found.caudal_mm)
        assert middle == pytest.approx(np.array(truth["centre"]), abs=0.05)
        height = (found.cranial_mm - found.caudal_mm) @ found.axis
        assert height == pytest.approx(truth["size"][2], abs=0.3)
        assert found.axis[2] > 0.9


@pytest.mark.parametrize("tilt_degrees", [0.0, 20.0])
def test_a_box_cage_is_found_although_the_spine_leans(tilt_degrees: float) -> None:
    solid = trimesh.creation.box(extents=(12.0, 24.0, 10.0))
    mesh = triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces, dtype=np.int64))
    tilt = np.radians(tilt_degrees)
    up = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    found = cage_ends(Structure(name="cage", kind=Kind.CAGE, mesh=mesh), up=up)
    assert isinstance(found, CageEnds)
    assert found.cranial_mm == pytest.approx([0.0, 0.0, 5.0], abs=1e-9)
    assert found.caudal_mm == pytest.approx([0.0, 0.0, -5.0], abs=1e-9)
    assert found.outline.area == pytest.approx(12.0 * 24.0)
    assert found.posterior == pytest.approx([0.0, 1.0, 0.0], abs=1e-9)


def test_a_case_is_described_whole(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("lumbar-cage")
    assert {s.name for s in case.of_kind(Kind.SCREW)} == set(anatomy.hardware.screws)
    assert {s.name for s in case.of_kind(Kind.ROD)} == set(anatomy.hardware.rods)
    assert {s.name for s in case.of_kind(Kind.CAGE)} == set(anatomy.hardware.cages)
    assert {s.name for s in case.of_kind(Kind.VERTEBRA)} <= set(anatomy.vertebrae)
    assert isinstance(anatomy.of_level("T1"), Unavailable)


def test_screws_without_level_or_side_get_those_of_the_bone_they_are_in(
    real_anatomy: Reader,
) -> None:
    case, _ = real_anatomy("thoracolumbar-fracture")
    holders = case.of_kind(Kind.VERTEBRA)
    for given in case.of_kind(Kind.SCREW):
        bare = replace(given, level=None)
        assert known(screw_axis(bare, bones=holders)).level == given.level


def test_how_far_rods_and_cages_are_trusted_falls_with_their_state() -> None:
    line = np.stack([np.zeros(30), np.zeros(30), np.linspace(0.0, 80.0, 30)], axis=1)
    rod = Structure(name="rod", kind=Kind.ROD, mesh=tube(line, 5.5))
    swollen = rod.mesh.vertices * np.where(rod.mesh.vertices[:, 2:] > 40.0, 1.0, 1.6) ** [1, 1, 0]
    rough = replace(rod, mesh=triangle_mesh(swollen, rod.mesh.faces))
    sound, worn = rod_line(rod), rod_line(rough)
    assert isinstance(sound, RodLine)
    assert isinstance(worn, RodLine)
    assert worn.confidence < 0.5 < sound.confidence
    solid = trimesh.creation.box(extents=(12.0, 24.0, 10.0))
    square = np.asarray(solid.vertices)
    trust = []
    for wedge in (0.0, 0.5):
        lean = square + np.outer(square[:, 1] * np.sign(square[:, 2]) * wedge, [0.0, 0.0, 1.0]) / 2
        mesh = triangle_mesh(lean, np.asarray(solid.faces, dtype=np.int64))
        found = cage_ends(Structure(name="cage", kind=Kind.CAGE, mesh=mesh))
        assert isinstance(found, CageEnds)
        trust.append(found.confidence)
    assert trust[1] < trust[0] == 1.0
