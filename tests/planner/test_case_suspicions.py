"""Mirrored, turned or misnumbered cases raise suspicion; tilted ones do not."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import ellipsoid, tube
from planner.case import Kind, Side, Structure
from planner.case_io.suspicions import case_warnings
from planner.prepared import PreparedCase

FLIPS = {
    "x": [-1.0, 1.0, 1.0],
    "y": [1.0, -1.0, 1.0],
    "z": [1.0, 1.0, -1.0],
    "xy": [-1.0, -1.0, 1.0],
}
SAYS = {"x": "sides are exchanged", "y": "front to back", "z": "upside down", "xy": "LPS and RAS"}


def spine() -> tuple[Structure, ...]:
    parts = []
    for row, level in enumerate(["L2", "L3", "L4"]):
        z = -36.0 * row
        body = ellipsoid(np.array([0.0, -4.0 * row, z]), np.array([24.0, 17.0, 14.0]))
        parts.append(Structure(name=level, kind=Kind.VERTEBRA, level=level, mesh=body))
        for side, x in ((Side.LEFT, 14.0), (Side.RIGHT, -14.0)):
            points = np.array([[x, -10.0, z], [1.5 * x, 35.0, z]])
            parts.append(Structure(
                name=f"screw_{level}_{side}", kind=Kind.SCREW, level=level, side=side,
                mesh=tube(points, 6.0),
            ))  # fmt: skip
    canal = tube(np.array([[0.0, 28.0, 30.0], [0.0, 18.0, -100.0]]), 15.0)
    rod = tube(np.array([[22.0, 40.0, 10.0], [22.0, 30.0, -80.0]]), 5.5)
    return (
        *parts,
        Structure(name="sac", kind=Kind.CANAL, mesh=canal),
        Structure(name="rod", kind=Kind.ROD, side=Side.LEFT, mesh=rod),
    )


def moved(structures: Sequence[Structure], matrix: np.ndarray) -> tuple[Structure, ...]:
    return tuple(
        replace(s, mesh=TriangleMesh(
            vertices=s.mesh.vertices @ matrix.T, faces=s.mesh.faces, is_closed=s.mesh.is_closed))
        for s in structures
    )  # fmt: skip


def test_a_sound_case_raises_nothing() -> None:
    assert case_warnings(spine(), {}) == ()


@pytest.mark.parametrize("axes", FLIPS)
def test_a_flipped_case_is_suspected_for_what_it_is(axes: str) -> None:
    (problem,) = case_warnings(moved(spine(), np.diag(FLIPS[axes])), {})
    assert problem.code == "mirror-suspicion"
    assert SAYS[axes] in problem.message


@settings(max_examples=60)
@given(axis=st.integers(0, 2), degrees=st.floats(-45.0, 45.0))
def test_a_tilted_case_raises_nothing(axis: int, degrees: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[[i, i, j, j], [i, j, i, j]] = [c, -s, s, c]
    assert case_warnings(moved(spine(), turn), {}) == ()


@pytest.mark.parametrize("axes", FLIPS)
def test_a_flipped_shared_case_is_suspected(
    real_case: Callable[[str], PreparedCase], axes: str
) -> None:
    structures = real_case("sacropelvic").given.structures
    problems = case_warnings(moved(structures, np.diag(FLIPS[axes])), {})
    assert [p.code for p in problems] == ["mirror-suspicion"]
    assert SAYS[axes] in problems[0].message


def test_exchanged_labels_alone_are_suspected() -> None:
    other = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
    exchanged = [replace(s, side=other[s.side]) if s.side else s for s in spine()]
    (problem,) = case_warnings(exchanged, {})
    assert SAYS["x"] in problem.message


def test_a_file_named_twice_and_a_level_given_twice_are_told() -> None:
    first = spine()[0]
    again = replace(first, name="copy")
    codes = {p.code: p.message for p in case_warnings((*spine(), again), {})}
    assert set(codes) == {"repeated-surface", "repeated-level"}
    assert "L2 and copy" in codes["repeated-surface"]


def row(**levels: float) -> tuple[Structure, ...]:
    """Return bones of these levels at these heights, mm, on a slanting line."""
    return tuple(
        Structure(
            name=f"bone_{level}", kind=Kind.VERTEBRA, level=level,
            mesh=ellipsoid(np.array([0.1 * z, -0.3 * z, z]), np.array([24.0, 17.0, 14.0])),
        )
        for level, z in levels.items()
    )  # fmt: skip


def doubts(**levels: float) -> list[str]:
    return [w.message for w in case_warnings(row(**levels), {}) if w.code == "doubtful-level"]


def test_bones_that_lie_as_they_are_numbered_raise_nothing() -> None:
    assert not doubts(T12=60.0, L1=30.0, L2=0.0, L3=-31.0)
    assert not doubts(L1=62.0, L4=-30.0)  # those between were not segmented
    assert not doubts(T5=0.0, T6=-14.0)  # a crushed neighbour


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        ({"L1": 60.0, "L2": 0.0, "L3": 30.0, "L4": -30.0}, "(L2) lies caudal to bone_L3 (L3)"),
        ({"L2": 60.0, "L3": -5.0}, "too far"),
        ({"L2": 30.0, "L4": 0.0}, "too near"),
        ({"T5": 20.0, "T8": 0.0}, "too near for 3 steps"),
    ],
)
def test_levels_that_do_not_fit_how_bones_lie_are_told(levels: dict[str, float], says: str) -> None:
    assert any(says in said for said in doubts(**levels))


def beside(kind: Kind, z: float) -> Structure:
    """Return a sacrum or a rib that begins next to the bone of ``row`` at a height, mm."""
    size = np.array([40.0, 25.0, 20.0]) if kind is Kind.SACRUM else np.array([50.0, 5.0, 5.0])
    off = np.array([0.0, 10.0, -40.0]) if kind is Kind.SACRUM else np.array([74.0, 0.0, 0.0])
    mesh = ellipsoid(np.array([0.1 * z, -0.3 * z, z]) + off, size)
    return Structure(name=f"a {kind}", kind=kind, mesh=mesh)


@pytest.mark.parametrize(
    ("kind", "levels", "says"),
    [
        (Kind.SACRUM, ("L2", "L3", "L4"), "bone_L4 (L4) lies next to a sacrum"),
        (Kind.SACRUM, ("L3", "L4", "L5"), None),
        (Kind.SACRUM, ("L4", "L5", "L6"), None),
        (Kind.RIB, ("T12", "L1", "L2"), "a rib lies on bone_L2 (L2)"),
        (Kind.RIB, ("T10", "T11", "T12"), None),
    ],
)
def test_levels_all_shifted_are_told_by_sacrum_and_ribs(
    kind: Kind, levels: tuple[str, ...], says: str | None
) -> None:
    bones = row(**dict(zip(levels, (30.0, 0.0, -31.0), strict=True)))
    said = [w.message for w in case_warnings([*bones, beside(kind, -31.0)], {})]
    doubted = [one for one in said if "shifted" in one]
    assert len(doubted) == (says is not None)
    assert all(says in one for one in doubted if says)


def test_a_real_sacrum_doubts_only_shifted_levels(
    real_case: Callable[[str], PreparedCase],
) -> None:
    structures = real_case("sacropelvic").given.structures
    up = {"L4": "L3", "L5": "L4"}
    shifted = [replace(s, level=up.get(s.level or "", s.level)) for s in structures]
    for case, count in ((structures, 0), (shifted, 1)):
        said = [w.message for w in case_warnings(case, {}) if "shifted" in w.message]
        assert len(said) == count


@pytest.mark.parametrize("case", ["lumbar-cage", "mid-thoracic", "thoracolumbar-fracture"])
def test_real_spines_raise_no_doubt_until_a_label_is_wrong(
    real_case: Callable[[str], PreparedCase], case: str
) -> None:
    structures = real_case(case).given.of_kind(Kind.VERTEBRA)
    assert not case_warnings(structures, {})
    first, second = structures[0], structures[1]
    swapped = [replace(first, level=second.level), replace(second, level=first.level)]
    assert case_warnings([*swapped, *structures[2:]], {})


def test_findings_for_a_level_that_is_not_there_are_told() -> None:
    (problem,) = case_warnings(spine(), {"T9": {"lamina_removed": True}})
    assert problem.code == "findings-elsewhere"
    assert "T9" in problem.message


def test_an_open_sheet_can_be_judged_too() -> None:
    sheet = triangle_mesh(np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0]]), np.array([[0, 1, 2]]))
    assert case_warnings([Structure(name="skin", kind=Kind.SKIN, mesh=sheet)], {}) == ()
