"""A case through voxels and back: the same plan within a voxel, with margins for the error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.round_trip import Compared, compared, stating
from exchange.importing import Imported, Stated, import_case
from exchange.labels import NO_TABLE
from exchange.segments import Affine, Model, Scan, Segment, lps_affine, segment_in
from geometry.mesh_files import RawMesh
from geometry.solids import box, cylinder
from phantom.voxels import LabelMap, label_map, scanned
from planner.anatomy.derived import DerivedAnatomy
from planner.case import HARDWARE, Case, Kind, Side
from planner.case_io import load_case
from planner.errors import CaseError
from planner.planning import evaluate
from planner.policy import DEFAULT_POLICY
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest
from planner.result import Plan

SAMPLE = Path(__file__).parents[2] / "sample_cases" / "lumbar-fracture"
SPACING_MM = (0.5, 0.5, 1.0)
ERROR_MM = 0.4
KEPT = {"L3", "dural_sac", "screw_L3_L", "screw_L3_R", "rod_L", "rod_R"}
REQUEST = PlanRequest(
    target=AnteriorBody(level="L3"), approaches=(Approach.TRANSPEDICULAR,), needles=("11G-120",),
    max_trajectories=1,
)  # fmt: skip


def _scan(*maps: LabelMap) -> Scan:
    parts: list[Segment | Model] = []
    for one in maps:
        affine: Affine = lps_affine(one.ras_from_voxel)
        found = (segment_in(name, one.labels == n, affine) for name, n in one.names.items())
        parts += [segment for segment in found if segment is not None]
    return Scan(parts=tuple(parts))


@pytest.fixture(scope="module")
def original() -> Case:
    case = load_case(SAMPLE)
    kept = tuple(s for s in case.structures if s.name in KEPT)
    return replace(case, structures=kept)


@pytest.fixture(scope="module")
def made(original: Case, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    anatomy, metal = scanned(original, SPACING_MM)
    assert metal is not None
    stated = Stated(labels=NO_TABLE, error_mm=ERROR_MM)
    return import_case(_scan(anatomy, metal), stated, tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def trip(original: Case, made: Imported) -> tuple[Plan, Plan, tuple[Compared, ...]]:
    return compared(stating(original, ERROR_MM), made.case, REQUEST)


def test_one_mask_of_metal_becomes_the_screws_and_rods_that_it_was(
    original: Case, made: Imported
) -> None:
    def facts(case: Case) -> set[tuple[str, str | None, str | None]]:
        return {
            (s.kind.value, s.level, s.side.value if s.side else None)
            for s in case.structures
            if s.kind in HARDWARE
        }

    assert facts(made.case) == facts(original)
    before, after = PreparedCase(original), PreparedCase(made.case)
    for name in ("screw_L3_L", "screw_L3_R"):
        was, now = (one.screw(name, field="screw") for one in (before, after))
        assert np.linalg.norm(now.tip_mm - was.tip_mm) < 1.5
        assert abs(now.diameter_mm - was.diameter_mm) < 0.5


def test_nothing_of_the_metal_is_lost(original: Case, made: Imported) -> None:
    volume = sum(s.mesh.volume_mm3 for s in made.case.of_kind(*HARDWARE))
    _, metal = scanned(original, SPACING_MM)
    assert metal is not None
    assert volume == pytest.approx(0.25 * float((metal.labels > 0).sum()), rel=0.06)


def test_every_class_of_the_plan_is_the_same_within_a_voxel(
    trip: tuple[Plan, Plan, tuple[Compared, ...]],
) -> None:
    """Also where it has no safe path: the import opens and closes no way."""
    before, after, classes = trip
    assert [one.is_safe for one in classes] == [False, True]
    for one in classes:
        assert one.is_alike, one.name
        assert one.off_mm < max(SPACING_MM), one
    first, again = (plan.trajectories[0] for plan in (before, after))
    assert (again.approach, again.side, again.needle) == (first.approach, first.side, first.needle)
    assert again.limiting_structure == first.limiting_structure


def test_every_limit_is_wider_by_the_stated_error(
    original: Case, trip: tuple[Plan, Plan, tuple[Compared, ...]]
) -> None:
    plans = trip[:2]
    for plan in plans:
        for one in plan.trajectories[0].clearances:
            hard = DEFAULT_POLICY.rule(one.kind).hard_mm
            if one.required_mm is not None and not one.derived:
                assert one.required_mm == pytest.approx((hard or 0.0) + ERROR_MM)
        assert any("off by up to 0.4 mm" in said for said in plan.warnings)
    first = plans[0].trajectories[0]
    asked = EvaluationRequest(path=first.path, needle=first.needle, target=REQUEST.target)
    unstated = evaluate(original, asked)
    assert unstated.margin_mm == pytest.approx(first.margin_mm + ERROR_MM)


def test_what_is_derived_is_as_far_off_as_what_it_is_derived_from(
    original: Case, made: Imported
) -> None:
    assert {s.segmentation_error_mm for s in made.case.structures} == {ERROR_MM}
    derived = replace(original.structures[0], name="derived", derived=None)
    case = DerivedAnatomy(structures=(derived,), foramina=(), missing=()).added_to(made.case)
    assert case.structures[-1].segmentation_error_mm == ERROR_MM


def _blocks(*, metal: bool = True) -> LabelMap:
    """Return two vertebrae drawn as blocks, and between them a cage in the mask of metal."""
    axes = np.eye(3)
    groups = {
        "vertebrae_L4": [box(np.array([0.0, 0.0, 20.0]), np.array([44.0, 34.0, 28.0]), axes)],
        "vertebrae_L5": [box(np.array([0.0, 0.0, -20.0]), np.array([44.0, 34.0, 28.0]), axes)],
    }
    cage = box(np.array([12.0, 0.0, 0.0]), np.array([10.0, 24.0, 11.6]), axes)
    speck = box(np.array([30.0, 30.0, 0.0]), np.array([1.6, 1.6, 1.6]), axes)
    return label_map({**groups, "metal": [cage, speck]} if metal else groups, (0.8, 0.8, 0.8))


def test_metal_between_two_bodies_is_a_cage_and_specks_are_told(tmp_path: Path) -> None:
    found = import_case(_scan(_blocks()), Stated(labels=NO_TABLE), tmp_path)
    [cage] = found.case.of_kind(Kind.CAGE)
    assert (cage.name, cage.side) == ("cage_L4_L5_L", Side.LEFT)
    assert any("1 specks" in note for note in found.notes)
    assert any("no segmentation error was stated: 0.4 mm" in note for note in found.notes)


def test_a_lucency_that_was_cut_out_of_a_bone_is_part_of_it_too(tmp_path: Path) -> None:
    axes = np.eye(3)
    groups = {
        "vertebrae_L4": [box(np.array([0.0, 0.0, 20.0]), np.array([44.0, 34.0, 28.0]), axes)],
        "vertebrae_L5": [box(np.array([0.0, 0.0, -20.0]), np.array([44.0, 34.0, 28.0]), axes)],
        "halo L4 left": [cylinder(np.array([10.0, -9.0, 20.0]), np.array([10.0, 25.0, 20.0]), 9.0)],
    }
    scan = _scan(label_map(groups, (0.8, 0.8, 0.8)))
    found = import_case(scan, Stated(labels=NO_TABLE), tmp_path)
    above, below = (found.case.structure(level).mesh.volume_mm3 for level in ("L4", "L5"))
    [halo] = found.case.of_kind(Kind.HALO)
    outside = 0.25 * np.pi * 9.0**2 * 8.0
    assert below == pytest.approx(44.0 * 34.0 * 28.0, rel=0.02)
    assert above == pytest.approx(below + outside, rel=0.01)
    assert halo.mesh.volume_mm3 > outside
    assert any("counts as part of L4 too" in note for note in found.notes)


def test_unknown_labels_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    scan = _scan(_blocks(metal=False))
    strange = tuple(
        replace(part, label=f"Segment_{k}")
        for k, part in enumerate(scan.parts)
        if isinstance(part, Segment)
    )
    with pytest.raises(CaseError, match=r"'Segment_0', 'Segment_1'.*vertebra") as refused:
        import_case(Scan(parts=strange), Stated(labels=NO_TABLE), tmp_path / "case")
    assert refused.value.code == "unknown-labels"
    assert not (tmp_path / "case").exists()


def test_a_scan_without_a_vertebra_is_refused(tmp_path: Path) -> None:
    raw = cylinder(np.zeros(3), np.array([0.0, 0.0, 60.0]), 18.0)
    aorta = Model(label="aorta", mesh=RawMesh(vertices=raw.vertices, faces=raw.faces))
    with pytest.raises(CaseError, match="no label is a vertebra"):
        import_case(Scan(parts=(aorta,)), Stated(labels=NO_TABLE), tmp_path)


def test_thick_slices_are_warned_of(tmp_path: Path) -> None:
    block = box(np.zeros(3), np.array([44.0, 34.0, 28.0]), np.eye(3))
    thick = _scan(label_map({"vertebrae_L4": [block]}, (0.7, 0.7, 3.0)))
    found = import_case(thick, Stated(labels=NO_TABLE, error_mm=1.0), tmp_path)
    assert any("0.7 x 0.7 x 3 mm hide walls thinner than 3 mm" in note for note in found.notes)


def test_the_frame_of_reference_stays_with_the_case(tmp_path: Path) -> None:
    scan = replace(_scan(_blocks(metal=False)), frame_of_reference="1.2.3.4")
    found = import_case(scan, Stated(labels=NO_TABLE), tmp_path)
    assert found.case.provenance["frame_of_reference_uid"] == "1.2.3.4"
    assert load_case(tmp_path).digest == found.case.digest
