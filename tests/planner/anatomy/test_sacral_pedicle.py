"""S1's pedicles: between canal, foramen and ala where these are seen, refused where not."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import shapely
import trimesh
from scipy.spatial.transform import Rotation

from geometry.arrays import Point
from geometry.exact import MeshDistance
from geometry.frames import PATIENT, RigidTransform, angle_between
from geometry.mesh import triangle_mesh
from phantom.implicit import Capsule, zero_surface
from phantom.sacrum import FORAMEN_MM, SacrumShape, sacrum_mesh, sacrum_shape
from phantom.stability import noisy
from planner.anatomy.corridor import Place, corridors
from planner.anatomy.derived import DerivedAnatomy, derived_anatomy
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.foramina import sacral_foramen
from planner.anatomy.model import SacralPedicle, Unavailable, VertebraAnatomy
from planner.anatomy.sacrum import sacrum_anatomy
from planner.approach import pedicle_gates, windows
from planner.case import HARDWARE, Case, Kind, Side, Structure
from planner.question import LEAST_TRUST
from planner.request import Approach

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
RADIUS_MM = 0.92


@cache
def drawn(
    *, scale: float = 1.0, solid: bool = False, blocked: bool = False
) -> tuple[SacrumShape, Structure]:
    shape = sacrum_shape(seed=1, scale=scale, solid=solid, blocked=blocked)
    mesh = sacrum_mesh(shape, resolution_mm=2.0)
    return shape, Structure(name="sacrum", kind=Kind.SACRUM, mesh=mesh)


@cache
def read(*, scale: float = 1.0, solid: bool = False) -> VertebraAnatomy:
    found = sacrum_anatomy(drawn(scale=scale, solid=solid)[1])
    assert isinstance(found, VertebraAnatomy), found
    return found


def pedicle(bone: VertebraAnatomy, side: Side) -> SacralPedicle:
    found = bone.pedicles[side]
    assert isinstance(found, SacralPedicle), found
    return found


def derived(bone: VertebraAnatomy) -> DerivedAnatomy:
    return derived_anatomy(Case(name="s", structures=(), digest="0" * 64), {"sacrum": bone})


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("scale", [0.92, 1.0])
def test_a_pedicle_lies_between_the_canal_and_the_foramen_that_were_drawn(
    side: Side, scale: float
) -> None:
    shape, bone = read_pair(scale)
    one = pedicle(bone, side)
    medial = one.centre_mm + one.outline.bounds[0] * one.lateral
    assert abs(abs(medial[0]) - shape.canal_half_width_mm) < 3.0
    roof = shape.foramen_mm(side)[2] + FORAMEN_MM * scale
    assert one.centre_mm[2] + one.outline.bounds[1] == pytest.approx(roof, abs=1.5)
    middle = shape.foramen_mm(side)
    assert np.linalg.norm((one.foramen_mm - middle)[[0, 2]]) < 6.0
    assert np.degrees(angle_between(one.axis, np.array([0.0, -1.0, 0.0]))) == pytest.approx(
        25.0, abs=2.0
    )
    assert one.confidence > 0.5


def read_pair(scale: float) -> tuple[SacrumShape, VertebraAnatomy]:
    return drawn(scale=scale)[0], read(scale=scale)


def test_its_gates_are_bone_and_disjoint() -> None:
    bone, mesh = read(), MeshDistance(drawn()[1].mesh)
    for side in Side:
        one = pedicle(bone, side)
        through, ala = (
            windows(one, RADIUS_MM)[a] for a in (Approach.TRANSPEDICULAR, Approach.EXTRAPEDICULAR)
        )
        assert through.intersection(ala).area < 1e-6
        rng = np.random.default_rng(4)
        for window in (through, ala):
            assert window.area > 50.0
            for u, v in _inside(window, rng):
                place = one.centre_mm + u * one.lateral + v * one.cranial
                assert mesh.point(place)[0] < -0.5 * RADIUS_MM


def _inside(window: shapely.MultiPolygon, rng: np.random.Generator) -> np.ndarray:
    low_x, low_y, high_x, high_y = window.bounds
    tried = rng.uniform((low_x, low_y), (high_x, high_y), size=(60, 2))
    return tried[shapely.contains_xy(window, tried[:, 0], tried[:, 1])]


def test_there_is_no_gate_beside_a_wall_that_s1_does_not_have() -> None:
    bone = read()
    gates = pedicle_gates(bone, pedicle(bone, Side.LEFT), [], RADIUS_MM)
    assert set(gates) == {Approach.TRANSPEDICULAR, Approach.EXTRAPEDICULAR}
    assert [g.technique for g in gates.values()] == ["sacral_pedicle", "sacral_ala"]


def test_a_solid_sacrum_is_trusted_less_and_one_without_foramina_not_at_all() -> None:
    solid = read(solid=True)
    for side in Side:
        one = pedicle(solid, side)
        assert one.confidence == 0.5
        assert "no canal" in one.cause
    found = sacrum_anatomy(drawn(solid=True, blocked=True)[1])
    assert isinstance(found, VertebraAnatomy)
    for refused in found.pedicles.values():
        assert isinstance(refused, Unavailable) or refused.confidence < LEAST_TRUST


def test_pedicles_move_and_mirror_with_the_sacrum() -> None:
    bone, structure = read(), drawn()[1]
    by = RigidTransform(
        target=PATIENT, source=PATIENT, rotation=Rotation.from_rotvec([0.3, -0.2, 0.2]).as_matrix(),
        translation_mm=np.array([120.0, -50.0, 900.0]),
    )  # fmt: skip
    moved = sacrum_anatomy(replace(structure, mesh=structure.mesh.moved(by)))
    assert isinstance(moved, VertebraAnatomy)
    flip = np.array([-1.0, 1.0, 1.0])
    mirrored = sacrum_anatomy(
        replace(
            structure,
            mesh=triangle_mesh(structure.mesh.vertices * flip, structure.mesh.faces[:, ::-1]),
        )
    )
    assert isinstance(mirrored, VertebraAnatomy)
    for side, other in ((Side.LEFT, Side.RIGHT), (Side.RIGHT, Side.LEFT)):
        one = pedicle(bone, side)
        assert pedicle(moved, side).centre_mm == pytest.approx(by.points(one.centre_mm), abs=1e-4)
        assert pedicle(mirrored, other).centre_mm == pytest.approx(one.centre_mm * flip, abs=1e-4)


def test_canal_and_first_roots_are_derived_and_the_rest_is_named() -> None:
    bone = read()
    found = derived(bone)
    assert sorted(s.name for s in found.structures) == [
        "derived_canal", "derived_root_S1_left", "derived_root_S1_right",
    ]  # fmt: skip
    mesh = MeshDistance(drawn()[1].mesh)
    for side in Side:
        root = sacral_foramen(bone, side)
        assert not isinstance(root, Unavailable)
        # it runs through the hole that was drawn, and starts in the canal
        assert mesh.segment(root.root_start_mm, root.centre_mm).distance_mm > 1.0
        assert mesh.segment(root.centre_mm, root.root_end_mm).distance_mm > 1.0
        assert abs(root.root_start_mm[0]) < drawn()[0].canal_half_width_mm
    unsaid = {(m.kind, m.side) for m in found.missing if m.levels == ("S2",)}
    assert unsaid == {(Kind.CANAL, None), *((Kind.NERVE_ROOT, side) for side in Side)}


def test_the_derived_canal_lies_in_the_one_that_was_drawn() -> None:
    bone = read()
    [canal] = [s for s in derived(bone).structures if s.kind is Kind.CANAL]
    sacrum = MeshDistance(drawn()[1].mesh)
    low = canal.mesh.vertices[canal.mesh.vertices[:, 2] < 10.0]
    depth = np.array([sacrum.point(p)[0] for p in low])
    assert depth.min() > -2.5  # mm into bone: the drawn back wall is thick and slants


def test_a_hole_that_a_screw_left_is_not_taken_for_a_foramen() -> None:
    shape, structure = drawn()
    one = pedicle(read(), Side.LEFT)
    ends = [one.centre_mm - 40.0 * one.axis, one.centre_mm + 30.0 * one.axis]
    screw = cylinder(ends[0], ends[1], 3.0)
    hole = Capsule(
        start=ends[0], end=ends[1], thin=one.lateral, start_radii=(4.5, 4.5), end_radii=(4.5, 4.5)
    )
    low, high = structure.mesh.bounds
    mesh = zero_surface(
        lambda at: np.maximum(shape.distance(at), -hole.distance(at)), low - 4.0, high + 4.0, 2.0
    )
    metal = Structure(
        name="screw", kind=Kind.SCREW,
        mesh=triangle_mesh(np.asarray(screw.vertices), np.asarray(screw.faces, dtype=np.int64)),
    )  # fmt: skip
    found = sacrum_anatomy(replace(structure, mesh=mesh), metal=(metal,))
    assert isinstance(found, VertebraAnatomy)
    held = pedicle(found, Side.LEFT)
    assert held.height_mm == pytest.approx(one.height_mm, abs=1.0)
    places = {c.place: c for c in corridors(held, [metal])}
    assert {Place.ABOVE, Place.BELOW} <= set(places)
    assert places[Place.ABOVE].radius_mm > 1.5


def cylinder(start: Point, end: Point, radius_mm: float) -> trimesh.Trimesh:
    return trimesh.creation.cylinder(radius=radius_mm, segment=np.stack([start, end]), sections=24)


@pytest.mark.parametrize("side", Side)
def test_a_real_solid_sacrum_has_pedicles_of_adult_size(real_anatomy: Reader, side: Side) -> None:
    case, anatomy = real_anatomy("sacropelvic")
    bone = anatomy.vertebrae["sacrum"]
    assert isinstance(bone, VertebraAnatomy)
    one = pedicle(bone, side)
    assert 18.0 < one.height_mm < 26.0
    assert one.confidence >= 0.5
    beside = corridors(one, case.of_kind(*HARDWARE))
    assert any(c.radius_mm > 1.0 for c in beside)
    names = {s.name for s in anatomy.derived.structures}
    assert {f"derived_root_L5_{side}", f"derived_root_S1_{side}", "derived_canal"} <= names


@pytest.mark.parametrize("seed", [0, 3])  # with 3, dents beside the body look like a canal
def test_noise_of_three_tenths_hardly_moves_the_pedicles_of_a_real_sacrum(
    real_anatomy: Reader, seed: int
) -> None:
    case, anatomy = real_anatomy("sacropelvic")
    [whole], before = case.of_kind(Kind.SACRUM), anatomy.vertebrae["sacrum"]
    metal = case.of_kind(*HARDWARE)
    after = sacrum_anatomy(replace(whole, mesh=noisy(whole.mesh, seed)), metal=metal)
    assert isinstance(before, VertebraAnatomy)
    assert isinstance(after, VertebraAnatomy)
    for side in Side:
        was, now = pedicle(before, side), pedicle(after, side)
        assert np.linalg.norm(now.centre_mm - was.centre_mm) < 1.0
        assert np.degrees(angle_between(now.axis, was.axis)) < 3.0
        assert now.confidence == was.confidence
