"""Outcomes: found, proved absent, out of reach, or stopped, each with its reason."""

from dataclasses import replace

import numpy as np
import pytest

from planner.case import Kind, Side
from planner.errors import RequestError
from planner.planning import plan
from planner.policy import policy_with
from planner.prepared import PreparedCase
from planner.request import (
    AnteriorBody,
    Approach,
    CageEnd,
    CageInterface,
    FreePoint,
    PlanRequest,
    ScrewHalo,
    ScrewTip,
)
from planner.result import Outcome, Status

TRANSPEDICULAR = (Approach.TRANSPEDICULAR,)


def test_a_needle_too_thick_for_the_pedicle_beside_its_screw_is_proved_out(
    lumbar: PreparedCase,
) -> None:
    request = PlanRequest(
        target=AnteriorBody(level="L3"), approaches=TRANSPEDICULAR, needles=("8G-150",)
    )
    answer = plan(lumbar, request)
    assert answer.outcome is Outcome.NO_SAFE_PATH
    assert answer.trajectories == ()
    for certificate in answer.certificates:
        assert certificate.status is Status.INFEASIBLE
        assert certificate.upper_bound_mm is not None
        assert certificate.upper_bound_mm < 0.0
    assert "proved" in answer.explanation


def test_a_target_that_only_longer_needles_reach_safely_is_out_of_reach(
    lumbar: PreparedCase,
) -> None:
    request = PlanRequest(
        target=AnteriorBody(level="L3"), approaches=TRANSPEDICULAR, needles=("15G-100",)
    )
    answer = plan(lumbar, request)
    assert answer.outcome is Outcome.TARGET_UNREACHABLE
    assert "long enough" in answer.explanation


def test_a_curved_needle_is_planned_bounded_and_measured(lumbar: PreparedCase) -> None:
    request = PlanRequest(
        target=AnteriorBody(level="L3"), approaches=TRANSPEDICULAR, needles=("curved-13G-in-10G",)
    )
    answer = plan(lumbar, request)
    assert answer.outcome is Outcome.FOUND
    for certificate in answer.certificates:
        assert certificate.upper_bound_mm is not None
        assert certificate.tolerance_mm >= 0.5
        assert "curved transpedicular path" in certificate.statement
        if certificate.best_margin_mm is not None:
            assert certificate.best_margin_mm <= certificate.upper_bound_mm
    assert answer.trajectories[0].margin_mm >= 0.0
    assert answer.trajectories[0].reaches_target


def test_every_class_that_was_asked_for_has_one_certificate(lumbar: PreparedCase) -> None:
    request = PlanRequest(
        target=AnteriorBody(level="L4"), approaches=TRANSPEDICULAR, sides=(Side.RIGHT, Side.LEFT),
        needles=("13G-150", "15G-bevel-150"),
    )  # fmt: skip
    answer = plan(lumbar, request)
    classes = [(c.side, c.needle) for c in answer.certificates]
    assert classes == [(s, n) for s in request.sides for n in request.needles]
    for c in answer.certificates:
        if c.status is Status.FOUND:
            assert c.best_margin_mm is not None
            assert c.upper_bound_mm is not None
            assert 0.0 <= c.upper_bound_mm - c.best_margin_mm <= c.tolerance_mm + 1e-6


def test_ranks_count_up_and_paths_are_no_longer_than_their_needle(lumbar: PreparedCase) -> None:
    request = PlanRequest(target=AnteriorBody(level="L3"), approaches=TRANSPEDICULAR)
    answer = plan(lumbar, request)
    assert [t.rank for t in answer.trajectories] == list(range(1, len(answer.trajectories) + 1))
    for t in answer.trajectories:
        usable = float(t.needle.rsplit("-", 1)[1]) - 10.0
        assert t.length_mm <= usable + 1e-6
        skin = lumbar.case.of_kind(Kind.SKIN)[0]
        assert abs(lumbar.distance(skin).point(t.entry_skin_mm)[0]) < 1e-6
        assert (t.entry_skin_mm - t.tip_mm)[1] > 30.0, "paths come in from behind"


def test_a_halo_and_a_screw_tip_are_reached_and_the_tip_is_in_them(
    thoracic: PreparedCase,
) -> None:
    screw = thoracic.screw("screw_T8_L", field="target.screw")
    along = (screw.tip_mm - screw.head_mm) / np.linalg.norm(screw.tip_mm - screw.head_mm)
    for target in (ScrewHalo(screw="screw_T8_L"), ScrewTip(screw="screw_T8_L")):
        request = PlanRequest(target=target, needles=("15G-bevel-150",), approaches=TRANSPEDICULAR)
        answer = plan(thoracic, request)
        assert answer.outcome is Outcome.FOUND
        for t in answer.trajectories:
            offset = t.tip_mm - screw.head_mm
            radial = float(np.linalg.norm(offset - (offset @ along) * along))
            assert radial < 5.0 + screw.diameter_mm / 2.0
            assert t.reaches_target


def test_without_skin_the_entry_lies_on_a_stated_plane_and_this_is_said(
    lumbar: PreparedCase,
) -> None:
    case = lumbar.case
    bare = replace(case, structures=tuple(s for s in case.structures if s.kind is not Kind.SKIN))
    request = PlanRequest(
        target=AnteriorBody(level="L3"), approaches=TRANSPEDICULAR, needles=("15G-bevel-150",)
    )
    answer = plan(bare, request)
    assert answer.trajectories
    assert any("no skin" in warning for warning in answer.warnings)
    assert all(any("no skin" in c for c in t.cautions) for t in answer.trajectories)


@pytest.mark.parametrize(
    ("request_", "field", "code"),
    [
        (PlanRequest(target=AnteriorBody(level="T5")), "target.level", "level-not-in-case"),
        (PlanRequest(target=AnteriorBody(level="L9")), "target.level", "unknown-level"),
        (PlanRequest(target=ScrewHalo(screw="nail")), "target.screw", "unknown-structure"),
        (PlanRequest(target=ScrewTip(screw="rod_L")), "target.screw", "wrong-kind"),
        (
            PlanRequest(target=CageInterface(cage="L3", end=CageEnd.CAUDAL)),
            "target.cage",
            "wrong-kind",
        ),
        (
            PlanRequest(target=AnteriorBody(level="L3"), needles=("15G", )),
            "needles[0]",
            "unknown-needle",
        ),
        (
            PlanRequest(target=AnteriorBody(level="L3"), c_arm="toaster"),
            "c_arm",
            "unknown-c-arm",
        ),
    ],
)  # fmt: skip
def test_a_mistaken_request_is_refused_by_field(
    lumbar: PreparedCase, request_: PlanRequest, field: str, code: str
) -> None:
    with pytest.raises(RequestError) as refused:
        plan(lumbar, request_)
    assert (refused.value.field, refused.value.code) == (field, code)


@pytest.mark.parametrize("kind", [Kind.SKIN, Kind.HALO, Kind.LESION])
def test_what_is_passed_through_on_purpose_takes_no_hard_limit(kind: Kind) -> None:
    with pytest.raises(RequestError, match="on purpose") as refused:
        policy_with({kind: (1.0, 2.0)})
    assert refused.value.field == f"policy.{kind}.hard_mm"
    assert policy_with({kind: (None, 2.0)}).rule(kind).preferred_mm == 2.0


def test_a_free_point_is_reached_within_its_tolerance(lumbar: PreparedCase) -> None:
    frame = lumbar.case.bone_of_level("L3").mesh.vertices.mean(axis=0)
    point = frame + np.array([0.0, -22.0, 0.0])
    request = PlanRequest(
        target=FreePoint(position_mm=point, tolerance_mm=3.0), approaches=TRANSPEDICULAR,
        needles=("15G-bevel-150",),
    )  # fmt: skip
    for t in plan(lumbar, request).trajectories:
        assert np.linalg.norm(t.tip_mm - point) <= 3.0 + 1e-6
