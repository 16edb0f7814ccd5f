"""Pull-out, breaks across structures, sunken cages and contradicted labels are told in numbers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from geometry.mesh import Problem, TriangleMesh, triangle_mesh
from geometry.solids import box, cylinder, tube
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.failures import heads_off_rods, pull_out, screws_in_two
from planner.anatomy.holding import solids
from planner.anatomy.implants import Implants
from planner.anatomy.interspace import contradicted
from planner.anatomy.model import CageEnds, HardwareAnatomy, ScrewAxis, VertebraAnatomy
from planner.anatomy.reader import AnatomyReader
from planner.case import Case, Kind, Side, Structure

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
ALONG = np.array([0.0, -1.0, 0.0])


def shaft(name: str, head_y: float, tip_y: float, *, has_head: bool = True) -> ScrewAxis:
    return ScrewAxis(
        structure=name, head_mm=np.array([0.0, head_y, 0.0]), tip_mm=np.array([0.0, tip_y, 0.0]),
        diameter_mm=6.0, level=None, side=None, has_head=has_head,
    )  # fmt: skip


def bone(y_back: float, y_front: float, name: str = "L3") -> Structure:
    depth = y_back - y_front
    mesh = box(np.array([0.0, y_front + depth / 2.0, 0.0]), np.array([30.0, depth, 30.0]))
    return Structure(name=name, kind=Kind.VERTEBRA, level=name, mesh=mesh)


def number_before(problem: Problem, unit: str = " mm") -> float:
    return float(problem.message.split(unit)[0].split()[-1])


def moved(mesh: TriangleMesh, by: np.ndarray) -> TriangleMesh:
    return triangle_mesh(mesh.vertices + by, mesh.faces)


@pytest.mark.parametrize(("head_y", "tip_y", "codes", "measured"), [
    (3.0, -38.0, [], None),
    (12.0, -30.0, ["head-off-bone"], 12.0),
    (2.0, -44.5, ["tip-out-of-bone"], 4.5),
    (70.0, 30.0, ["shaft-out-of-bone"], 30.0),
])  # fmt: skip
def test_a_shaft_that_stands_out_of_bone_is_told(
    head_y: float, tip_y: float, codes: list[str], measured: float | None
) -> None:
    found = pull_out(shaft("s", head_y, tip_y), solids((bone(0.0, -40.0),)))
    assert [f.code for f in found] == codes
    if measured is not None:
        assert (
            number_before(found[0]) == pytest.approx(measured, abs=0.2) or "L3" in found[0].message
        )


def test_a_shaft_outside_bone_between_its_ends_is_told() -> None:
    holders = solids((bone(0.0, -12.0, "arch"), bone(-20.0, -40.0, "body")))
    found = pull_out(shaft("s", 2.0, -38.0), holders)
    assert [f.code for f in found] == ["shaft-leaves-bone"]
    assert number_before(found[0]) == pytest.approx(8.0, abs=0.1)


def test_nothing_is_said_of_bone_without_bones() -> None:
    assert pull_out(shaft("s", 10.0, -50.0), ()) == []


@pytest.mark.parametrize("gap", [0.0, 5.0, 12.0])
def test_a_head_off_the_rod_is_told_only_where_other_heads_hold_it(gap: float) -> None:
    rod = Structure(
        name="rod", kind=Kind.ROD,
        mesh=tube(np.array([[0.0, 12.0, 50.0], [0.0, 12.0, -90.0]]), 5.5),
    )  # fmt: skip
    screws = {}
    for name, z, off in (("a", 40.0, 0.0), ("b", 0.0, gap), ("c", -40.0, 0.0)):
        start = np.array([0.0, 2.0 - off, z])
        axis = replace(shaft(name, 0.0, -1.0), head_mm=start, tip_mm=start + 40.0 * ALONG)
        mesh = cylinder(start - 14.0 * ALONG, start + 40.0 * ALONG, 6.0)
        screws[name] = (axis, Structure(name=name, kind=Kind.SCREW, mesh=mesh))
    found = heads_off_rods(screws, (rod,))
    alone = heads_off_rods({"b": screws["b"]}, (rod,))
    assert alone == {}
    if gap < 3.0 + 6.7:
        assert set(found) <= {"b"}
    if gap == 12.0:
        # the head ends at y = 2 - 12 + 14 = 4, the rod begins at 12 - 2.75
        assert number_before(found["b"][0]) == pytest.approx(5.25, abs=0.3)


def test_a_piece_without_a_head_that_goes_on_from_a_screw_is_one_broken_shaft() -> None:
    whole = shaft("s", 0.0, -20.0)
    rest = shaft("rest", -23.0, -40.0, has_head=False)
    beside = replace(rest, head_mm=rest.head_mm + np.array([12.0, 0.0, 0.0]),
                     tip_mm=rest.tip_mm + np.array([12.0, 0.0, 0.0]))  # fmt: skip
    found = screws_in_two({"s": whole, "rest": rest})
    assert set(found) == {"s", "rest"}
    assert number_before(found["s"][0], " mm apart") == pytest.approx(3.0, abs=0.1)
    assert screws_in_two({"s": whole, "rest": beside}) == {}
    assert screws_in_two({"s": whole, "rest": replace(rest, has_head=True)}) == {}


def _implants(case: Case, anatomy: CaseAnatomy) -> Implants:
    """Return the reader of a case's metal on the anatomy that was read before."""
    read = [v for v in anatomy.vertebrae.values() if isinstance(v, VertebraAnatomy)]

    def nearest(point: np.ndarray, count: int) -> list[VertebraAnatomy]:
        return sorted(read, key=lambda v: float(np.linalg.norm(v.frame.points(point))))[:count]

    return Implants(
        case, bones_near=nearest, axes_near=lambda point: nearest(point, 1)[0].frame.rotation
    )


def _with(case: Case, changed: Structure) -> Case:
    rest = [changed if s.name == changed.name else s for s in case.structures]
    return replace(case, structures=tuple(rest))


@pytest.fixture
def lumbar(real_anatomy: Reader) -> tuple[Case, CaseAnatomy]:
    return real_anatomy("lumbar-cage")


def told(case: Case, anatomy: CaseAnatomy) -> HardwareAnatomy:
    return _implants(case, anatomy).everything()


def test_sound_hardware_raises_nothing(lumbar: tuple[Case, CaseAnatomy]) -> None:
    assert dict(told(*lumbar).findings) == {}


def test_a_wrong_side_and_a_wrong_level_are_told_and_the_geometry_is_taken(
    lumbar: tuple[Case, CaseAnatomy],
) -> None:
    case, anatomy = lumbar
    given = case.structure("screw_L3_L")
    for wrong, code in (
        (replace(given, side=Side.RIGHT), "side-contradicted"),
        (replace(given, level="L4"), "level-contradicted"),
    ):
        found = told(_with(case, wrong), anatomy)
        assert [f.code for f in found.findings["screw_L3_L"]] == [code]
        axis = found.screws["screw_L3_L"]
        assert isinstance(axis, ScrewAxis)
        assert (axis.level, axis.side) == ("L3", Side.LEFT)


def test_cages_are_placed_between_the_bones_and_on_the_side_that_they_face(
    lumbar: tuple[Case, CaseAnatomy],
) -> None:
    for side, letter in ((Side.LEFT, "L"), (Side.RIGHT, "R")):
        found = lumbar[1].hardware.cages[f"cage_L4_L5_{letter}"]
        assert isinstance(found, CageEnds)
        assert (found.above, found.below, found.side) == ("L4", "L5", side)


def test_a_wrong_label_of_a_cage_is_told(lumbar: tuple[Case, CaseAnatomy]) -> None:
    case, anatomy = lumbar
    cage, ends = case.structure("cage_L4_L5_L"), anatomy.hardware.cages["cage_L4_L5_L"]
    assert isinstance(ends, CageEnds)
    assert not contradicted(ends, replace(cage, level="L5", side=Side.LEFT))
    wrong = contradicted(ends, replace(cage, level="L2", side=Side.RIGHT))
    assert [p.code for p in wrong] == ["level-contradicted", "side-contradicted"]
    assert "between L4 and L5" in wrong[0].message


def test_a_sunken_cage_is_told_with_its_depth(lumbar: tuple[Case, CaseAnatomy]) -> None:
    case, anatomy = lumbar
    cage = case.structure("cage_L4_L5_L")
    ends = anatomy.hardware.cages["cage_L4_L5_L"]
    assert isinstance(ends, CageEnds)
    for rise in (5.0, 9.0):
        up = rise * ends.axis
        found = told(_with(case, replace(cage, mesh=moved(cage.mesh, up))), anatomy)
        sunk = [f for f in found.findings[cage.name] if f.code == "cage-sunk"]
        assert len(sunk) == 1
        assert "L4" in sunk[0].message
        assert rise - 5.0 < number_before(sunk[0]) < rise + 1.0


def test_a_cage_that_went_backwards_is_told(lumbar: tuple[Case, CaseAnatomy]) -> None:
    case, anatomy = lumbar
    cage = case.structure("cage_L4_L5_L")
    back = anatomy.hardware.cages["cage_L4_L5_L"].posterior  # type: ignore[union-attr]
    found = told(_with(case, replace(cage, mesh=moved(cage.mesh, 25.0 * back))), anatomy)
    assert "cage-behind-wall" in [f.code for f in found.findings[cage.name]]


def test_a_pulled_screw_is_off_bone_and_rod(lumbar: tuple[Case, CaseAnatomy]) -> None:
    case, anatomy = lumbar
    given = case.structure("screw_L4_L")
    axis = anatomy.hardware.screws["screw_L4_L"]
    assert isinstance(axis, ScrewAxis)
    out = axis.head_mm - axis.tip_mm
    pulled = moved(given.mesh, 25.0 * out / np.linalg.norm(out))
    found = told(_with(case, replace(given, mesh=pulled)), anatomy)
    assert "head-off-bone" in [f.code for f in found.findings["screw_L4_L"]]


def test_a_reader_without_bones_says_no_more_than_it_knows() -> None:
    mesh = tube(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -80.0]]), 5.5)
    rod = Structure(name="rod", kind=Kind.ROD, mesh=mesh)
    found = AnatomyReader(Case(name="x", structures=(rod,), digest="0")).hardware()
    assert dict(found.findings) == {}
    assert not found.screws
