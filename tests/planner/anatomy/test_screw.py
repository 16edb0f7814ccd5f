"""Screws of every make and state are read where they are; what is wrong with them is told."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box, cylinder, tube
from phantom.specimens import CutOff, Head, Make, Thread, errors, made, specimen
from planner.anatomy.holding import solids
from planner.anatomy.model import ScrewAxis, Unavailable
from planner.anatomy.screw import ScrewReading, screw_axis, screw_reading
from planner.case import Kind, Structure

LARGEST_MM, LARGEST_RAD = 0.2, np.radians(0.5)
HEAD, TIP = np.array([20.0, -30.0, 5.0]), np.array([8.0, -70.0, -3.0])
AXIS = (TIP - HEAD) / np.linalg.norm(TIP - HEAD)


def screw(mesh: TriangleMesh, **labels: str) -> Structure:
    return replace(Structure(name="screw", kind=Kind.SCREW, mesh=mesh), **labels)  # type: ignore[arg-type]


def known(found: ScrewAxis | Unavailable) -> ScrewAxis:
    assert isinstance(found, ScrewAxis), found
    return found


def together(*meshes: TriangleMesh) -> TriangleMesh:
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + s for m, s in zip(meshes, starts, strict=False)]
    return triangle_mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces))


def ball(centre: np.ndarray, radius: float, level: str) -> Structure:
    solid = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    mesh = triangle_mesh(
        np.asarray(solid.vertices) + centre, np.asarray(solid.faces, dtype=np.int64)
    )
    return Structure(name=f"bone_{level}", kind=Kind.VERTEBRA, level=level, mesh=mesh)


def headed(bar: TriangleMesh) -> TriangleMesh:
    """Return a shaft that begins at HEAD with a head behind it."""
    return together(bar, cylinder(HEAD - 12.0 * AXIS, HEAD + 0.01 * AXIS, 12.0))


def read(mesh: TriangleMesh) -> ScrewReading:
    return screw_reading(screw(mesh))


@pytest.mark.parametrize("first", range(0, 36, 12))
def test_screws_of_every_make_lie_where_they_were_made(first: int) -> None:
    for number in range(first, first + 12):
        one = specimen(number)
        found = known(screw_axis(screw(one.mesh)))
        head, tip = found.head_mm, found.tip_mm
        if one.make.head is Head.NONE and (tip - head) @ (one.tip_mm - one.head_mm) < 0.0:
            head, tip = tip, head
        off_head, off_tip, off_axis = errors(one, head, tip)
        assert max(off_head, off_tip) < LARGEST_MM, (number, one.make)
        assert off_axis < LARGEST_RAD, (number, one.make)
        assert found.diameter_mm == pytest.approx(one.make.diameter_mm, abs=LARGEST_MM)


@pytest.mark.parametrize("cut", [CutOff.TIP, CutOff.TIP_OPEN])
def test_a_screw_cut_off_by_the_scan_says_so(cut: CutOff) -> None:
    make = Make(
        thread=Thread.SINGLE, head=Head.TULIP, cut=cut, segments=24, rings=10, noise_mm=0.02,
        length_mm=32.0, diameter_mm=6.5,
    )  # fmt: skip
    whole = screw_axis(
        screw(made(replace(make, cut=CutOff.NOTHING), np.random.default_rng(1)).mesh)
    )
    short = screw_axis(screw(made(make, np.random.default_rng(1)).mesh))
    assert known(short).confidence < 0.5 < known(whole).confidence
    assert "cut" in known(short).cause


def test_more_noise_never_means_more_confidence() -> None:
    make = Make(
        thread=Thread.SINGLE, head=Head.TULIP, cut=CutOff.NOTHING, segments=24, rings=10,
        noise_mm=0.0, length_mm=40.0, diameter_mm=6.5,
    )  # fmt: skip
    trust = [
        known(
            screw_axis(screw(made(replace(make, noise_mm=n), np.random.default_rng(2)).mesh))
        ).confidence
        for n in (0.0, 0.2, 0.8)
    ]
    assert trust == sorted(trust, reverse=True)
    assert trust[-1] < trust[0]


def test_a_tulip_alone_is_no_screw_and_tells_the_head_of_the_shaft_next_to_it() -> None:
    tulip = replace(screw(cylinder(HEAD - 13.0 * AXIS, HEAD - AXIS, 12.6)), name="tulip")
    assert isinstance(screw_axis(tulip), Unavailable)
    for start, end in ((HEAD, TIP), (TIP, HEAD)):
        found = known(screw_reading(screw(cylinder(start, end, 6.0)), metal=(tulip,)).axis)
        assert np.linalg.norm(found.head_mm - HEAD) < LARGEST_MM
        assert not found.has_head


def test_the_level_is_that_of_the_bone_that_holds_the_shaft() -> None:
    bones = solids((ball(TIP, 18.0, "L3"), ball(TIP + np.array([0.0, 0.0, 40.0]), 18.0, "L2")))
    bar = screw(headed(cylinder(HEAD, TIP, 6.0)))
    bare = screw_reading(bar, bones=bones)
    right = screw_reading(replace(bar, level="L3"), bones=bones)
    wrong = screw_reading(replace(bar, level="L2"), bones=bones)
    assert known(bare.axis).level == known(right.axis).level == known(wrong.axis).level == "L3"
    assert not bare.findings
    assert not right.findings
    assert [f.code for f in wrong.findings] == ["level-contradicted"]
    assert "L2" in wrong.findings[0].message
    assert known(wrong.axis).confidence < known(right.axis).confidence


def test_a_hole_around_the_shaft_does_not_hide_which_bone_holds_it() -> None:
    bone = ball(TIP, 20.0, "L3")
    hole = cylinder(HEAD, TIP + 4.0 * AXIS, 9.0)
    hollow = replace(
        bone, mesh=together(bone.mesh, triangle_mesh(hole.vertices, hole.faces[:, ::-1]))
    )
    found = screw_reading(screw(headed(cylinder(HEAD, TIP, 6.0))), bones=solids((hollow,)))
    assert known(found.axis).level == "L3"


@pytest.mark.parametrize("sagitta", [1.4, 5.0])
def test_a_bent_shaft_is_told_with_its_bend_and_refused_when_no_line_stands_for_it(
    sagitta: float,
) -> None:
    aside = np.cross(AXIS, [0.0, 0.0, 1.0])
    middle = 0.5 * (HEAD + TIP) + sagitta * aside / np.linalg.norm(aside)
    found = read(headed(tube(np.array([HEAD, middle, TIP]), 6.0)))
    assert [f.code for f in found.findings] == ["screw-bent"]
    told = float(found.findings[0].message.split(" mm off")[0].rsplit(" ", 1)[1])
    assert told == pytest.approx(sagitta, rel=0.3)
    if sagitta < 2.0:
        assert known(found.axis).confidence < 0.5
    else:
        assert isinstance(found.axis, Unavailable)


@pytest.mark.parametrize("gap", [1.0, 4.0])
@pytest.mark.parametrize("kink", [0.0, 12.0])
def test_a_shaft_in_two_pieces_is_told_with_gap_and_kink_and_has_no_axis(
    gap: float, kink: float
) -> None:
    split = HEAD + 22.0 * AXIS
    turn = Rotation.from_rotvec(np.radians(kink) * np.array([0.0, 0.0, 1.0]))
    rest = cylinder(split + gap * AXIS, split + gap * AXIS + turn.apply(20.0 * AXIS), 6.0)
    found = read(together(headed(cylinder(HEAD, split, 6.0)), rest))
    assert isinstance(found.axis, Unavailable)
    assert [f.code for f in found.findings] == ["screw-broken"]
    words = found.findings[0].message
    assert float(words.split(" mm apart")[0].rsplit(" ", 1)[1]) == pytest.approx(gap, abs=1.3)
    assert float(words.split(" degrees")[0].rsplit(" ", 1)[1]) == pytest.approx(kink, abs=1.5)


def test_what_is_no_screw_is_refused() -> None:
    for mesh in (
        box(np.zeros(3), np.array([10.0, 12.0, 9.0])),
        cylinder(np.zeros(3), np.array([0.0, 0.0, 60.0]), 20.0),
        together(cylinder(HEAD, TIP, 6.0), *(
            cylinder(e - 8.0 * AXIS, e + 8.0 * AXIS, 14.0) for e in (HEAD, TIP)
        )),
    ):  # fmt: skip
        assert isinstance(screw_axis(screw(mesh)), Unavailable)
