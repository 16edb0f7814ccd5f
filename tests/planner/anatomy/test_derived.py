"""What is derived for a case: where the real thing lies, only where it lacks, and with a cause."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from geometry.exact import MeshDistance
from geometry.frames import PATIENT, RigidTransform
from phantom.vertebra import VertebraShape
from planner.anatomy.canal import CanalLevel, canal_level, derived_canals
from planner.anatomy.derived import DerivedAnatomy, derived_anatomy
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.foramina import ROOT_RADIUS_MM, Foramen, foramen
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.anatomy.vertebra import vertebra_anatomy
from planner.case import Case, Kind, Side, Structure
from planner.policy import DEFAULT_POLICY, WIDENED_MM

Reader = Callable[[str], tuple[Case, CaseAnatomy]]
Drawer = Callable[..., tuple[VertebraShape, Structure]]
BUNDLES = ("lumbar-cage", "thoracolumbar-fracture", "mid-thoracic", "one-screw-minimal")


def without(case: Case, *kinds: Kind) -> Case:
    return replace(case, structures=tuple(s for s in case.structures if s.kind not in kinds))


def of_kind(found: DerivedAnatomy, kind: Kind) -> list[Structure]:
    return [s for s in found.structures if s.kind is kind]


def read(anatomy: CaseAnatomy) -> list[VertebraAnatomy]:
    return [b for b in anatomy.vertebrae.values() if isinstance(b, VertebraAnatomy)]


@pytest.fixture(scope="module")
def lone(phantom_vertebra: Drawer) -> VertebraAnatomy:
    found = vertebra_anatomy(phantom_vertebra("L3")[1])
    assert isinstance(found, VertebraAnatomy)
    return found


def resected(bone: VertebraAnatomy, *sides: Side) -> VertebraAnatomy:
    gone = dict.fromkeys(sides, Unavailable(reason="it was resected"))
    return replace(bone, pedicles=MappingProxyType({**bone.pedicles, **gone}))


def lowered(bone: VertebraAnatomy, level: str, down_mm: float) -> VertebraAnatomy:
    """Return the same vertebra further down its own axis, as another level."""
    step = -down_mm * bone.frame.rotation[2]
    moved = {
        side: replace(p, centre_mm=p.centre_mm + step) if isinstance(p, Pedicle) else p
        for side, p in bone.pedicles.items()
    }
    up = np.array([0.0, 0.0, down_mm])
    frame = replace(bone.frame, translation_mm=bone.frame.translation_mm + up)
    return replace(
        bone, structure=level, level=level, frame=frame, pedicles=MappingProxyType(moved)
    )


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_derived_canal_and_its_margin_hold_the_true_one(
    real_anatomy: Reader, bundle: str
) -> None:
    case, anatomy = real_anatomy(bundle)
    [tube] = of_kind(derived_anatomy(without(case, Kind.CANAL), anatomy.vertebrae), Kind.CANAL)
    bones = sorted(read(anatomy), key=lambda b: -b.frame.inverse().translation_mm[2])
    bones = [b for b in bones if isinstance(canal_level(b), CanalLevel) and b.level != "S1"]
    corners = case.of_kind(Kind.CANAL)[0].mesh.corners
    middles = corners.mean(axis=1)
    between = (bones[0].frame.points(middles)[:, 2] < 0.5 * bones[0].body.posterior_height_mm) & (
        bones[-1].frame.points(middles)[:, 2] > -0.5 * bones[-1].body.posterior_height_mm
    )
    corners, middles = corners[between], middles[between]
    sides = corners[:, 1:] - corners[:, :1]
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    surface = MeshDistance(tube.mesh)
    outside = np.array([surface.point(middle)[0] for middle in middles])
    more = WIDENED_MM[Kind.CANAL]
    assert areas[outside <= more].sum() / areas.sum() > 0.98
    assert outside.max() < more + (DEFAULT_POLICY.rule(Kind.CANAL).hard_mm or 0.0)
    # and it is no barn: the true one is nowhere far below its surface
    true = MeshDistance(case.of_kind(Kind.CANAL)[0].mesh)
    low = bones[-1].frame.inverse().points(bones[-1].body.inferior_mm)
    above = tube.mesh.vertices[(tube.mesh.vertices - low) @ bones[-1].frame.rotation[2] > -10.0]
    assert np.mean([true.point(vertex)[0] for vertex in above]) < 3.0


@pytest.mark.parametrize("bundle", BUNDLES)
def test_derived_canals_leave_the_pedicles_free(real_anatomy: Reader, bundle: str) -> None:
    case, anatomy = real_anatomy(bundle)
    [tube] = of_kind(derived_anatomy(without(case, Kind.CANAL), anatomy.vertebrae), Kind.CANAL)
    surface = MeshDistance(tube.mesh)
    for bone in read(anatomy):
        for pedicle in bone.pedicles.values():
            if isinstance(pedicle, Pedicle):
                least = min(
                    surface.point(pedicle.centre_mm + x * pedicle.lateral + y * pedicle.cranial)[0]
                    for x, y in np.asarray(pedicle.outline.exterior.coords)
                )
                assert least > 0.5


@pytest.mark.parametrize("bundle", BUNDLES)
def test_derived_roots_run_between_the_bones_and_miss_the_ribs(
    real_anatomy: Reader, bundle: str
) -> None:
    case, anatomy = real_anatomy(bundle)
    found = anatomy.derived
    assert len(of_kind(found, Kind.NERVE_ROOT)) == len(found.foramina) >= 2
    for one in found.foramina:
        line = one.root_start_mm, one.root_end_mm
        if one.level == "S1":
            continue  # these sacra are solid: the root starts in a canal that is drawn as bone
        for bone in read(anatomy):
            surface = MeshDistance(case.structure(bone.structure).mesh)
            assert surface.segment(*line).distance_mm > 0.0, "runs through bone"
        for rib in case.of_kind(Kind.RIB):
            assert MeshDistance(rib.mesh).segment(*line).distance_mm > 1.0


def test_a_root_starts_in_the_canal_and_leaves_below_its_pedicle(real_anatomy: Reader) -> None:
    _, anatomy = real_anatomy("lumbar-cage")
    [canal] = derived_canals(
        [c for b in read(anatomy) if isinstance(c := canal_level(b), CanalLevel)]
    )
    surface = MeshDistance(canal.mesh)
    for one in anatomy.derived.foramina:
        bone = anatomy.of_level(one.level)
        assert isinstance(bone, VertebraAnatomy)
        pedicle = bone.pedicles[one.side]
        assert isinstance(pedicle, Pedicle)
        assert surface.point(one.root_start_mm)[0] < ROOT_RADIUS_MM
        start, end = pedicle.in_plane(one.root_start_mm), pedicle.in_plane(one.root_end_mm)
        low, high = pedicle.outline.bounds[1], pedicle.outline.bounds[2]
        assert start[1] < low - ROOT_RADIUS_MM
        if one.level == "S1":
            assert end[2] > 10.0  # forward, through the foramen
            continue
        assert end[0] > high + 5.0
        assert end[1] < start[1]  # lumbar roots descend


def test_a_root_tube_holds_its_cylinder_and_hardly_more(real_anatomy: Reader) -> None:
    one = real_anatomy("one-screw-minimal")[1].derived.foramina[0]
    line = one.root_end_mm - one.root_start_mm
    outer = one.root.vertices[:-2] - one.root_start_mm
    across = outer - (outer @ line)[:, None] * line / (line @ line)
    radii = np.linalg.norm(across, axis=1)
    assert one.root.is_closed
    assert radii.min() * np.cos(np.pi / 32) >= ROOT_RADIUS_MM - 1e-9
    assert radii.max() < 1.01 * ROOT_RADIUS_MM


def test_only_what_a_case_lacks_is_derived(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("one-screw-minimal")
    whole = anatomy.derived.added_to(case)
    assert not of_kind(anatomy.derived, Kind.CANAL)
    assert derived_anatomy(whole, anatomy.vertebrae).structures == ()
    bare = derived_anatomy(without(case, Kind.CANAL), anatomy.vertebrae)
    assert {s.kind for s in bare.structures} == {Kind.CANAL, Kind.NERVE_ROOT}
    assert whole.digest == case.digest
    for structure in bare.structures:
        assert structure.derived is not None
        assert 0.0 < structure.derived.confidence < 0.9
        assert structure.derived.cause
        assert structure.mesh.is_closed


def test_what_cannot_be_derived_is_named_with_its_reason(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("sacropelvic")
    missing = derived_anatomy(without(case, Kind.CANAL), anatomy.vertebrae).missing
    said = {(m.kind, m.levels, m.side): m.reason for m in missing}
    assert "no vertebra above L4" in said[Kind.NERVE_ROOT, ("L4",), Side.RIGHT]
    assert "first sacral segment" in said[Kind.CANAL, ("S2",), None]
    unread = Unavailable(reason="it was cut off")
    bones = {**anatomy.vertebrae, "L5": unread}
    missing = derived_anatomy(without(case, Kind.CANAL), bones).missing
    assert (Kind.NERVE_ROOT, ("S1",), Side.LEFT) in {(m.kind, m.levels, m.side) for m in missing}


def test_a_name_that_the_case_uses_is_not_used_again(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("one-screw-minimal")
    skin = replace(case.structures[0], name="derived_canal", kind=Kind.SKIN)
    odd = replace(case, structures=(*without(case, Kind.CANAL).structures, skin))
    names = [s.name for s in derived_anatomy(odd, anatomy.vertebrae).added_to(odd).structures]
    assert len(set(names)) == len(names)


def test_lungs_stand_for_a_pleura_that_is_not_there(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("mid-thoracic")
    lungs = tuple(
        replace(s, name=f"lung_{s.side}", kind=Kind.ORGAN) if s.kind is Kind.PLEURA else s
        for s in case.structures
    )
    found = of_kind(derived_anatomy(replace(case, structures=lungs), anatomy.vertebrae), Kind.PLEURA)  # fmt: skip
    assert {s.side for s in found} == set(Side)
    given = {s.side: s.mesh for s in case.of_kind(Kind.PLEURA)}
    assert all(s.mesh is given[s.side] for s in found)
    assert not of_kind(anatomy.derived, Kind.PLEURA)


def test_derived_anatomy_moves_with_the_bones(lone: VertebraAnatomy) -> None:
    turn = RigidTransform(
        target=PATIENT, source=PATIENT, translation_mm=np.array([10.0, -4.0, 300.0]),
        rotation=np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]),
    )  # fmt: skip

    def moved(bone: VertebraAnatomy) -> VertebraAnatomy:
        pedicles = {
            side: replace(
                p, centre_mm=turn.points(p.centre_mm), axis=turn.vectors(p.axis),
                lateral=turn.vectors(p.lateral), cranial=turn.vectors(p.cranial),
            )
            for side, p in bone.pedicles.items()
            if isinstance(p, Pedicle)
        }  # fmt: skip
        frame = bone.frame @ turn.inverse()
        return replace(bone, frame=frame, pedicles=MappingProxyType(pedicles))

    pair = (lone, lowered(lone, "L4", 34.0))
    turned = (moved(pair[0]), moved(pair[1]))
    for side in Side:
        before, after = foramen(*pair, side), foramen(*turned, side)
        assert isinstance(before, Foramen)
        assert isinstance(after, Foramen)
        assert after.root.vertices == pytest.approx(turn.points(before.root.vertices), abs=1e-9)
    canals = [
        derived_canals([c for b in bones if isinstance(c := canal_level(b), CanalLevel)])
        for bones in (pair, turned)
    ]
    [[before_canal], [after_canal]] = canals
    expected = turn.points(before_canal.mesh.vertices)
    assert after_canal.mesh.vertices == pytest.approx(expected, abs=1e-9)


def test_one_pedicle_serves_for_both_and_none_for_no_canal(lone: VertebraAnatomy) -> None:
    whole, half = canal_level(lone), canal_level(resected(lone, Side.LEFT))
    assert isinstance(whole, CanalLevel)
    assert isinstance(half, CanalLevel)
    assert half.half_width_mm == pytest.approx(whole.half_width_mm, abs=0.5)
    assert half.confidence < whole.confidence
    none = canal_level(resected(lone, *Side))
    assert isinstance(none, Unavailable)
    assert "no pedicle of L3" in none.reason


def test_a_pedicle_that_is_gone_takes_its_foramen_with_it(lone: VertebraAnatomy) -> None:
    below = lowered(lone, "L4", 34.0)
    for pair in ((resected(lone, Side.LEFT), below), (lone, resected(below, Side.LEFT))):
        gone = foramen(*pair, Side.LEFT)
        assert isinstance(gone, Unavailable)
        assert "resected" in gone.reason
        assert isinstance(foramen(*pair, Side.RIGHT), Foramen)


@pytest.mark.parametrize("down_mm", [10.0, 70.0])
def test_bones_too_near_or_too_far_have_no_foramen(lone: VertebraAnatomy, down_mm: float) -> None:
    gone = foramen(lone, lowered(lone, "L4", down_mm), Side.LEFT)
    assert isinstance(gone, Unavailable)
    assert "mm apart" in gone.reason


def test_levels_that_do_not_follow_each_other_share_no_root_but_a_canal(
    lone: VertebraAnatomy,
) -> None:
    bones = {"L3": lone, "L5": lowered(lone, "L5", 68.0)}
    case = Case(name="gap", structures=(), digest="0" * 64)
    found = derived_anatomy(case, bones)
    assert [s.kind for s in found.structures] == [Kind.CANAL]
    reasons = " ".join(m.reason for m in found.missing)
    for words in ("above L3", "below L3", "above L5", "below L5"):
        assert f"no vertebra {words}" in reasons
    far = {"L1": lone, "L5": lowered(lone, "L5", 140.0)}
    assert len(of_kind(derived_anatomy(case, far), Kind.CANAL)) == 2


@pytest.fixture(scope="module")
def pair(lone: VertebraAnatomy) -> dict[str, VertebraAnatomy]:
    return {"L3": lone, "L4": lowered(lone, "L4", 34.0)}


def case_of(*structures: Structure) -> Case:
    return Case(name="given", structures=structures, digest="0" * 64)


def test_one_given_root_leaves_the_others_to_be_derived(pair: dict[str, VertebraAnatomy]) -> None:
    both = {s.side: s for s in of_kind(derived_anatomy(case_of(), pair), Kind.NERVE_ROOT)}
    assert set(both) == set(Side)
    given = replace(both[Side.LEFT], name="traced", level=None, side=None, derived=None)
    found = derived_anatomy(case_of(given), pair)
    assert [s.side for s in of_kind(found, Kind.NERVE_ROOT)] == [Side.RIGHT]
    # where it lies counts, not what it is called
    wrong = replace(given, level="T5", side=Side.RIGHT)
    again = of_kind(derived_anatomy(case_of(wrong), pair), Kind.NERVE_ROOT)
    assert [s.side for s in again] == [Side.RIGHT]
    far = replace(given, mesh=given.mesh.moved(shift(0.0, 0.0, 400.0)))
    assert len(of_kind(derived_anatomy(case_of(far), pair), Kind.NERVE_ROOT)) == 2


def shift(x: float, y: float, z: float) -> RigidTransform:
    return RigidTransform(
        target=PATIENT, source=PATIENT, rotation=np.eye(3), translation_mm=np.array([x, y, z])
    )


def test_a_root_is_not_missing_where_one_is_given(pair: dict[str, VertebraAnatomy]) -> None:
    gone = {**pair, "L4": resected(pair["L4"], Side.LEFT)}
    both = {s.side: s for s in of_kind(derived_anatomy(case_of(), pair), Kind.NERVE_ROOT)}
    bare, traced = (
        {(m.levels, m.side) for m in derived_anatomy(case, gone).missing}
        for case in (case_of(), case_of(replace(both[Side.LEFT], derived=None)))
    )
    assert bare - traced == {(("L3", "L4"), Side.LEFT)}


def test_a_canal_is_derived_at_the_levels_that_lack_it(pair: dict[str, VertebraAnatomy]) -> None:
    [upper] = derived_canals([c for c in [canal_level(pair["L3"])] if isinstance(c, CanalLevel)])
    given = Structure(name="traced", kind=Kind.CANAL, mesh=upper.mesh)
    [lower] = of_kind(derived_anatomy(case_of(given), pair), Kind.CANAL)
    assert lower.derived is not None
    assert "L4" in lower.derived.cause
    assert "L3" not in lower.derived.cause
    [whole] = of_kind(derived_anatomy(case_of(), pair), Kind.CANAL)
    everywhere = replace(given, mesh=whole.mesh)
    assert not of_kind(derived_anatomy(case_of(everywhere), pair), Kind.CANAL)


def test_only_what_is_derived_is_kept_further_away_from(pair: dict[str, VertebraAnatomy]) -> None:
    left, right = of_kind(derived_anatomy(case_of(), pair), Kind.NERVE_ROOT)
    given = DEFAULT_POLICY.rule_of(replace(left, derived=None))
    assert given == DEFAULT_POLICY.rule(Kind.NERVE_ROOT)
    assert DEFAULT_POLICY.rule_of(right).preferred_mm == given.preferred_mm + 1.0


def test_a_lung_stands_for_the_pleura_of_its_side_only(real_anatomy: Reader) -> None:
    case, _ = real_anatomy("mid-thoracic")
    lungs = tuple(
        replace(s, name=f"lung_{s.side}", kind=Kind.ORGAN) for s in case.of_kind(Kind.PLEURA)
    )
    left = tuple(s for s in case.of_kind(Kind.PLEURA) if s.side is Side.LEFT)
    found = derived_anatomy(case_of(*lungs, *left), {})
    assert [s.side for s in of_kind(found, Kind.PLEURA)] == [Side.RIGHT]


def test_a_canal_lies_between_the_pedicles_and_behind_the_body(lone: VertebraAnatomy) -> None:
    level = canal_level(lone)
    assert isinstance(level, CanalLevel)
    [tube] = derived_canals([level])
    local = lone.frame.points(tube.mesh.vertices)
    walls = [
        abs(lone.frame.points(p.centre_mm + p.outline.bounds[0] * p.lateral)[0])
        for p in lone.pedicles.values()
        if isinstance(p, Pedicle)
    ]
    assert np.abs(local[:, 0]).max() < max(walls)
    assert local[:, 1].min() > 0.5 * lone.body.depth_mm
    assert np.ptp(local[:, 2]) > lone.body.posterior_height_mm


def test_a_policy_keeps_more_from_what_is_derived_and_only_from_that(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("one-screw-minimal")
    bare = without(case, Kind.CANAL)
    whole = derived_anatomy(bare, anatomy.vertebrae).added_to(bare)
    for one in whole.structures:
        before, after = DEFAULT_POLICY.rule(one.kind), DEFAULT_POLICY.rule_of(one)
        if one.derived:
            assert after.hard_mm == (before.hard_mm or 0.0) + WIDENED_MM[one.kind]
            assert after.preferred_mm == before.preferred_mm + WIDENED_MM[one.kind]
            assert "derived" in after.source
        else:
            assert after == before


def test_ribs_are_measured_at_their_level_and_on_their_side(real_anatomy: Reader) -> None:
    case, anatomy = real_anatomy("mid-thoracic")
    for bone in read(anatomy):
        gaps = anatomy.ribs[bone.structure]
        assert {g.side for g in gaps} == set(Side)
        for gap in gaps:
            rib = case.structure(gap.rib)
            assert (rib.level, rib.side) == (bone.level, gap.side)
            local = bone.frame.points(gap.head_mm)
            assert abs(local[0]) < bone.body.width_mm
            assert -3.0 < gap.gap_mm < 6.0
    assert not any(real_anatomy("lumbar-cage")[1].ribs.values())  # its ribs are thoracic
