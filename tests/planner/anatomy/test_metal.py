"""A block of metal comes apart into the instruments that went into it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from exchange.segments import Segment, lps_affine
from exchange.surface import surface_of
from geometry.arrays import frozen, unit
from geometry.frames import angle_between
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import cylinder, tube
from phantom.hardware import Screw, rod_line, rod_mesh, screw_mesh
from phantom.specimens import fused
from phantom.voxels import label_map
from planner.anatomy.metal import Apart, taken_apart
from planner.anatomy.model import RodLine, ScrewAxis, Unavailable
from planner.anatomy.reader import AnatomyReader
from planner.anatomy.slices import capped, part_of
from planner.case import Case, Kind, Side, Structure
from planner.prepared import PreparedCase

LEVELS = ("L2", "L3", "L4")


def placed(level: str, side: Side) -> Screw:
    """Return a screw of a construct that stands upright: L2 on top, heads behind."""
    sign = 1.0 if side is Side.LEFT else -1.0
    row = LEVELS.index(level)
    head = np.array([sign * (19.0 + row), 4.0 * row, -34.0 * row])
    axis = unit([-0.25 * sign, -1.0, -0.1 * row])
    return Screw(
        level=level, side=side, head=frozen(head), tip=frozen(head + 42.0 * axis), diameter_mm=6.5
    )


SCREWS = {(level, side): placed(level, side) for level in LEVELS for side in Side}
RODS = {side: rod_line([SCREWS[level, side] for level in LEVELS]) for side in Side}


def together(meshes: list[TriangleMesh]) -> TriangleMesh:
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + s for m, s in zip(meshes, starts, strict=False)]
    return triangle_mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces))


@cache
def block(spacing_mm: float | None) -> Structure:
    """Return the whole construct as one structure, as voxels or as the meshes themselves."""
    meshes = [*map(screw_mesh, SCREWS.values()), *map(rod_mesh, RODS.values())]
    mesh = together(meshes) if spacing_mm is None else fused(meshes, spacing_mm=spacing_mm)
    return Structure(name="metal", kind=Kind.SCREW, mesh=mesh)


@cache
def opened(spacing_mm: float | None) -> Apart:
    return taken_apart(block(spacing_mm))


def case_of(*structures: Structure) -> Case:
    return Case(name="made", structures=structures, digest="0" * 64)


def axes_of(apart: Apart) -> dict[str, ScrewAxis]:
    read = {name: reading.axis for name, reading in apart.screws.items()}
    assert not [axis for axis in read.values() if isinstance(axis, Unavailable)]
    return {name: axis for name, axis in read.items() if isinstance(axis, ScrewAxis)}


@pytest.mark.parametrize(("spacing", "most"), [(None, 0.8), (0.6, 1.0), (1.0, 2.0)])
def test_every_screw_comes_out_where_it_went_in(spacing: float | None, most: float) -> None:
    found = axes_of(opened(spacing))
    assert len(found) == len(SCREWS)
    for screw in SCREWS.values():
        axis = min(found.values(), key=lambda a: float(np.linalg.norm(a.tip_mm - screw.tip)))
        assert np.linalg.norm(axis.tip_mm - screw.tip) < most
        assert np.linalg.norm(axis.head_mm - screw.head) < most + 0.7
        assert angle_between(axis.tip_mm - axis.head_mm, screw.axis) < np.radians(0.6)
        assert axis.diameter_mm == pytest.approx(screw.diameter_mm, abs=0.3 + 0.5 * (spacing or 0))
        assert axis.confidence < 1.0


@pytest.mark.parametrize("spacing", [None, 0.6, 1.0])
def test_both_rods_run_through_all_their_heads(spacing: float | None) -> None:
    rods = opened(spacing).rods
    assert len(rods) == 2
    for side, line in RODS.items():
        sign = 1.0 if side is Side.LEFT else -1.0
        rod = next(r for r in rods.values() if sign * np.asarray(r.points_mm)[0, 0] > 0.0)
        points = np.asarray(rod.points_mm)
        assert points[0, 2] > points[-1, 2]
        assert np.linalg.norm(points[0] - line[0]) < 4.0
        assert np.linalg.norm(points[-1] - line[-1]) < 4.0
        dense = np.stack(
            [np.interp(np.linspace(0, len(line) - 1, 400), range(len(line)), c) for c in line.T],
            axis=1,
        )
        gaps = np.linalg.norm(points[:, None] - dense, axis=2)
        assert gaps[2:-2].min(axis=1).max() < 1.2
        assert rod.diameter_mm == pytest.approx(5.5, abs=0.3)


def test_names_go_from_cranial_to_caudal_and_left_first() -> None:
    for spacing in (None, 0.6, 1.0):
        apart = opened(spacing)
        assert {*apart.screws, *apart.rods} == {f"metal#{i + 1}" for i in range(8)}
        order = sorted(axes_of(apart).items(), key=lambda item: int(item[0].split("#")[1]))
        heads = [axis.head_mm for _, axis in order]
        expected = [
            SCREWS[level, side].head for level in LEVELS for side in (Side.LEFT, Side.RIGHT)
        ]
        assert np.abs(np.array(heads) - np.array(expected)).max() < 3.0


def test_parts_are_found_by_name_and_listed_with_the_case() -> None:
    whole = block(1.0)
    other = Structure(name="screw", kind=Kind.SCREW, mesh=screw_mesh(SCREWS["L2", Side.LEFT]))
    reader = AnatomyReader(case_of(whole, replace(other, mesh=shifted(other.mesh))))
    hardware = reader.hardware()
    assert {"screw", "metal#3"} <= set(hardware.screws)
    assert "metal" not in hardware.screws
    assert len(hardware.screws) == 7
    assert len(hardware.rods) == 2
    assert reader.screw_named("metal#3") == hardware.screws["metal#3"]
    assert reader.screw_named("metal#9") is None
    assert reader.screw_named("screw") == hardware.screws["screw"]
    several = reader.screw(whole)
    assert isinstance(several, Unavailable)
    assert "metal#3" in several.reason


def shifted(mesh: TriangleMesh) -> TriangleMesh:
    return triangle_mesh(mesh.vertices + np.array([0.0, 0.0, 150.0]), mesh.faces)


def test_one_screw_and_one_rod_stay_whole() -> None:
    screw = Structure(name="s", kind=Kind.SCREW, mesh=screw_mesh(SCREWS["L3", Side.LEFT]))
    rod = Structure(name="r", kind=Kind.ROD, mesh=rod_mesh(RODS[Side.RIGHT]))
    hardware = AnatomyReader(case_of(screw, rod)).hardware()
    assert set(hardware.screws) == {"s"}
    assert set(hardware.rods) == {"r"}


def test_a_rod_given_as_a_screw_is_told() -> None:
    rod = Structure(name="r", kind=Kind.SCREW, mesh=rod_mesh(shifted_line(200.0)))
    reader = AnatomyReader(case_of(rod))
    assert isinstance(reader.screw(rod), Unavailable)
    hardware = reader.hardware()
    assert isinstance(hardware.rods["r"], RodLine)
    assert [f.code for f in hardware.findings["r"]] == ["kind-contradicted"]


def shifted_line(length: float) -> np.ndarray:
    along = np.linspace(0.0, length, 30)
    return np.stack([0.0 * along, 20.0 * np.cos(along / 120.0), -along], axis=1)


@pytest.mark.parametrize("gap", [1.5, 5.0])
def test_a_rod_in_two_pieces_is_told_with_its_gap(gap: float) -> None:
    top = tube(np.array([[0.0, 0.0, 60.0], [0.0, 0.0, 0.0]]), 5.5)
    bottom = tube(np.array([[0.5, 0.0, -gap], [0.5, 0.0, -70.0]]), 5.5)
    for structures in (
        (Structure(name="rod", kind=Kind.ROD, mesh=together([top, bottom])),),
        (
            Structure(name="a", kind=Kind.ROD, mesh=top),
            Structure(name="b", kind=Kind.ROD, mesh=bottom),
        ),
    ):
        findings = AnatomyReader(case_of(*structures)).hardware().findings
        told = [f for problems in findings.values() for f in problems]
        assert {f.code for f in told} == {"rod-broken"}
        words = told[0].message.split(" mm apart")[0]
        assert float(words.rsplit(" ", 1)[1]) == pytest.approx(gap, abs=1.2)


def test_real_hardware_fused_by_an_image_gets_its_levels_and_sides_from_the_bones(
    real_case: Callable[[str], PreparedCase],
) -> None:
    case = real_case("mid-thoracic").given
    metal = case.of_kind(Kind.SCREW, Kind.ROD)
    mesh = fused([s.mesh for s in metal], spacing_mm=0.7)
    block = Structure(name="metal", kind=Kind.ROD, mesh=mesh)
    rest = tuple(s for s in case.structures if s not in metal)
    hardware = AnatomyReader(replace(case, structures=(*rest, block))).hardware()
    assert dict(hardware.findings) == {}
    assert len(hardware.rods) == 2
    screws = [s for s in hardware.screws.values() if isinstance(s, ScrewAxis)]
    given = [s for s in metal if s.kind is Kind.SCREW]
    assert {(s.level, s.side) for s in screws} == {(s.level, s.side) for s in given}


def test_a_rod_bent_in_a_head_that_one_side_cannot_pass_is_one_rod(
    real_case: Callable[[str], PreparedCase],
) -> None:
    """From below it ends in the head, from above it is followed through: it is there once."""
    case = real_case("lumbar-cage").given
    shift = np.array([0.90, -0.38, -0.15])
    given = [case.structure(name).mesh for name in ("rod_R", "screw_L4_R", "screw_L5_R")]
    moved = [triangle_mesh(mesh.vertices + shift, mesh.faces) for mesh in given]
    image = label_map({"metal": moved}, (1.0, 1.0, 1.0))
    affine = lps_affine(image.ras_from_voxel)
    voxels = Segment(label="metal", voxels=image.labels > 0, lps_from_voxel=affine)
    apart = taken_apart(Structure(name="metal", kind=Kind.SCREW, mesh=surface_of(voxels)))
    assert len(axes_of(apart)) == 2
    assert apart.findings == ()
    [rod] = apart.rods.values()
    ends = np.asarray(rod.points_mm)[[0, -1], 2]
    heights = moved[0].vertices[:, 2]
    assert ends == pytest.approx([heights.max(), heights.min()], abs=4.0)


def test_a_crosslink_and_a_broken_screw_in_a_block_are_told_apart() -> None:
    broken = SCREWS["L3", Side.LEFT]
    whole = screw_mesh(broken)
    depth = (whole.corners.mean(axis=1) - broken.head) @ broken.axis
    pieces = [capped(part_of(whole, depth < 20.0)), capped(part_of(whole, depth > 23.0))]
    link = tube(np.array([[22.0, 6.0, -17.0], [-22.0, 6.0, -17.0]]), 4.5)
    sound = [screw_mesh(screw) for screw in SCREWS.values() if screw is not broken]
    mesh = fused([*sound, *pieces, link, *map(rod_mesh, RODS.values())], spacing_mm=0.8)
    apart = taken_apart(Structure(name="metal", kind=Kind.CROSSLINK, mesh=mesh))
    (across,) = apart.crosslinks.values()
    assert across.diameter_mm == pytest.approx(4.5, abs=0.3)
    (finding,) = apart.findings
    assert finding.code == "screw-broken"
    assert float(finding.message.split(" mm")[0].split()[-1]) == pytest.approx(3.0, abs=1.0)
    axes = [reading.axis for reading in apart.screws.values()]
    assert len(axes) == 7
    refused = [axis.reason for axis in axes if isinstance(axis, Unavailable)]
    assert refused == [finding.message] * 2


def test_a_rod_broken_next_to_a_head_is_told() -> None:
    whole, head = rod_mesh(RODS[Side.LEFT]), SCREWS["L3", Side.LEFT].head
    below = head[2] - whole.corners.mean(axis=1)[:, 2]
    pieces = [capped(part_of(whole, below < 6.0)), capped(part_of(whole, below > 10.0))]
    mesh = fused([*map(screw_mesh, SCREWS.values()), *pieces], spacing_mm=0.8)
    apart = taken_apart(Structure(name="metal", kind=Kind.SCREW, mesh=mesh))
    (finding,) = apart.findings
    assert finding.code == "rod-broken"
    # the gap as it is seen: from the head's lower face
    assert 0.5 < float(finding.message.split(" mm apart")[0].rsplit(" ", 1)[1]) < 5.0
    assert len(apart.rods) == 2
    assert not [r for r in apart.screws.values() if isinstance(r.axis, Unavailable)]


def test_a_lump_of_metal_holds_nothing() -> None:
    lump = Structure(
        name="lump", kind=Kind.SCREW, mesh=cylinder(np.zeros(3), np.array([0.0, 0.0, 30.0]), 45.0)
    )
    reader = AnatomyReader(case_of(lump))
    assert isinstance(reader.screw(lump), Unavailable)
    assert isinstance(reader.hardware().screws["lump"], Unavailable)
