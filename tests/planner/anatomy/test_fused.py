"""Vertebrae in one mesh: told apart with nothing lost and pedicles where they were, or refused."""

from functools import cache

import numpy as np
import pytest

from geometry.frames import angle_between
from geometry.solids import box
from phantom.implicit import smooth_union, zero_surface
from phantom.specimens import fused
from phantom.spine import PlacedVertebra, spine
from planner.anatomy.fused import taken_apart
from planner.anatomy.least_cut import LeastCut, Seed, least_cut
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Kind, Side, Structure

SPACING_MM = 1.8
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])


@cache
def pair(levels: tuple[str, str]) -> tuple[PlacedVertebra, PlacedVertebra]:
    upper, lower = spine(levels, seed=3, scale=1.0, height_loss={}).vertebrae
    return upper, lower


def joined(levels: tuple[str, str], bridge_mm: float) -> Structure:
    """Return two vertebrae whose facets are fused, and a ball of bone in their disc."""
    upper, lower = pair(levels)
    disc = 0.5 * (upper.point(0.0, 0.0, 0.0) + lower.point(0.0, 0.0, 0.0))

    def field(points: np.ndarray) -> np.ndarray:
        both = smooth_union(upper.distance(points), lower.distance(points), 2.0)
        ball = np.linalg.norm(points - disc, axis=1) - bridge_mm
        return smooth_union(both, ball, 1.0) if bridge_mm else both

    corners = []
    for one in (upper, lower):
        low, high = one.shape.bounds
        corners.append(one.pose.points(low + CORNERS * (high - low)))
    around = np.concatenate(corners)
    mesh = zero_surface(field, around.min(axis=0) - 5.0, around.max(axis=0) + 5.0, SPACING_MM)
    return Structure(name="both", kind=Kind.VERTEBRA, mesh=mesh)


def alone(one: PlacedVertebra) -> Structure:
    low, high = one.shape.bounds
    mesh = zero_surface(one.shape.distance, low - 3.0, high + 3.0, SPACING_MM).moved(one.pose)
    return Structure(name=one.level, kind=Kind.VERTEBRA, mesh=mesh, level=one.level)


@pytest.mark.parametrize(("levels", "bridge"), [(("L2", "L3"), 0.0), (("T7", "T8"), 7.0)])
def test_what_is_taken_apart_is_all_there_and_keeps_its_pedicles(
    levels: tuple[str, str], bridge: float
) -> None:
    bone = joined(levels, bridge)
    parts = taken_apart(bone, levels)
    assert not isinstance(parts, Unavailable), parts
    assert [part.level for part in parts] == list(levels)
    assert sum(p.mesh.volume_mm3 for p in parts) == pytest.approx(bone.mesh.volume_mm3)
    for part, truth in zip(parts, pair(levels), strict=True):
        assert part.mesh.is_closed
        assert part.derived is not None
        assert 0.5 <= part.derived.confidence <= 0.8
        assert "mm2 of bone" in part.derived.cause
        read, before = vertebra_anatomy(part), vertebra_anatomy(alone(truth))
        assert isinstance(read, VertebraAnatomy)
        assert isinstance(before, VertebraAnatomy)
        for side in Side:
            now, drawn = read.pedicles[side], before.pedicles[side]
            assert isinstance(now, Pedicle)
            assert isinstance(drawn, Pedicle)
            assert np.linalg.norm(now.centre_mm - drawn.centre_mm) < 1.0
            assert np.degrees(angle_between(now.axis, drawn.axis)) < 3.0


def test_vertebrae_that_grew_into_one_another_stay_whole() -> None:
    found = taken_apart(joined(("T7", "T8"), 12.0), ("T7", "T8"))
    assert isinstance(found, Unavailable)
    assert len(found.reason) > 20


def test_one_vertebra_is_not_two() -> None:
    found = taken_apart(alone(pair(("T7", "T8"))[0]), ("T7", "T8"))
    assert isinstance(found, Unavailable)
    assert "1 bodies are told apart, not 2" in found.reason


def seed(x_mm: float) -> Seed:
    return Seed(centre=np.array([x_mm, 0.0, 0.0]), axes=np.eye(3), half=np.full(3, 4.0))


def test_two_blocks_are_cut_through_the_bar_between_them() -> None:
    blocks = [box(np.array([x, 0.0, 0.0]), np.full(3, 20.0)) for x in (-20.0, 20.0)]
    bar = box(np.zeros(3), np.array([30.0, 6.0, 6.0]))
    mesh = fused([*blocks, bar], spacing_mm=1.0)
    cut = least_cut(mesh, seed(-20.0), seed(20.0))
    assert isinstance(cut, LeastCut)
    assert cut.area_mm2 == pytest.approx(36.0, rel=0.35)
    assert cut.first.volume_mm3 + cut.second.volume_mm3 == pytest.approx(mesh.volume_mm3)
    assert cut.first.vertices[:, 0].max() < 11.0
    assert cut.second.vertices[:, 0].min() > -11.0


def test_there_is_no_cut_where_a_seed_holds_no_bone() -> None:
    block = box(np.zeros(3), np.full(3, 20.0))
    assert isinstance(least_cut(block, seed(0.0), seed(60.0)), Unavailable)
