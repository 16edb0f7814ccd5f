"""What would open a closed class: every opening is held against the case with the change made."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from geometry.mesh import triangle_mesh
from geometry.solids import cylinder, ellipsoid
from planner.anatomy.model import Unavailable
from planner.case import HARDWARE, Case, Kind, Side, Structure
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.planning import evaluate, plan
from planner.policy import DEFAULTS, policy_with
from planner.prepared import PreparedCase
from planner.request import AnteriorBody, Approach, EvaluationRequest, PlanRequest, ScrewTip
from planner.result import Certificate, Change, Opening, Plan, Status, Trajectory
from planner.why_not import LIMIT_STEP_MM, REMOVABLE
from tests.planner.elsewhere import OTHER

Asked = tuple[PreparedCase, PlanRequest]
TRANSPEDICULAR = (Approach.TRANSPEDICULAR,)
L3 = AnteriorBody(level="L3")
L3_LEFT = PlanRequest(
    target=L3, approaches=(Approach.TRANSPEDICULAR, Approach.PARAPEDICULAR), needles=("11G-120",)
)


def _with(case: Case, *structures: Structure) -> Case:
    """Return a case with structures added, or put in the place of those of the same name."""
    names = {s.name for s in structures}
    kept = (s for s in case.structures if s.name not in names)
    return replace(case, structures=(*kept, *structures))


def _plugged(prepared: PreparedCase) -> PreparedCase:
    """Put cement into the left pedicle of L4."""
    pedicle = _pedicle(prepared, "L4", Side.LEFT)
    plug = ellipsoid(pedicle, np.array([9.0, 6.0, 9.0]))
    cement = Structure(name="plug", kind=Kind.CEMENT, mesh=plug)
    return PreparedCase(_with(prepared.given, cement))


def _filled(prepared: PreparedCase) -> PreparedCase:
    """Let the left screw of L3 fill its pedicle."""
    case, axis = prepared.given, prepared.screw("screw_L3_L", field="screw")
    thick = cylinder(axis.head_mm, axis.tip_mm, 26.0)
    return PreparedCase(
        _with(case, replace(case.structure("screw_L3_L"), mesh=thick, primitive=None))
    )


def _pedicle(prepared: PreparedCase, level: str, side: Side) -> np.ndarray:
    anatomy = prepared.bone(prepared.case.bone_of_level(level))
    assert not isinstance(anatomy, Unavailable)
    pedicle = anatomy.pedicles[side]
    assert not isinstance(pedicle, Unavailable)
    return pedicle.centre_mm


@pytest.fixture(scope="module")
def questions(lumbar: PreparedCase, thoracic: PreparedCase) -> dict[str, Asked]:
    return {
        "a screw beside a thick needle": (lumbar, L3_LEFT),
        "a very thick needle and a short one": (
            lumbar,
            PlanRequest(target=L3, approaches=TRANSPEDICULAR, needles=("8G-150", "15G-100")),
        ),
        "the target's own screw": (
            thoracic,
            PlanRequest(
                target=ScrewTip(screw="screw_T8_L"), approaches=TRANSPEDICULAR, sides=(Side.LEFT,),
                needles=("15G-bevel-150", "13G-150", "8G-150"),
            ),
        ),
        "cement in the pedicle": (
            _plugged(lumbar),
            PlanRequest(
                target=AnteriorBody(level="L4"), approaches=TRANSPEDICULAR, sides=(Side.LEFT,),
                needles=("15G-150",),
            ),
        ),
        "a screw that fills the pedicle": (
            _filled(lumbar),
            PlanRequest(
                target=L3, approaches=TRANSPEDICULAR, sides=(Side.LEFT,), needles=("15G-150",)
            ),
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def plans(questions: dict[str, Asked]) -> dict[str, Plan]:
    return {name: plan(*asked) for name, asked in questions.items()}


@cache
def _without(prepared: PreparedCase, name: str) -> PreparedCase:
    """Return a case without one of its structures."""
    case = prepared.given
    return PreparedCase(
        replace(case, structures=tuple(s for s in case.structures if s.name != name))
    )


def _closed(answer: Plan) -> list[Certificate]:
    return [c for c in answer.certificates if c.status is Status.INFEASIBLE]


def _openings(
    questions: dict[str, Asked], plans: dict[str, Plan]
) -> Iterator[tuple[Asked, Certificate, Opening]]:
    for name, asked in questions.items():
        for certificate in _closed(plans[name]):
            for opening in certificate.openings:
                yield asked, certificate, opening


def _measured(
    asked: Asked, o: Opening, hard_mm: float | None = None, *, without: str | None = None
) -> Trajectory:
    """Measure a witness path, with another hard limit for the kind it names if given."""
    prepared, request = asked
    path = (Line(start_mm=o.entry_skin_mm, end_mm=o.tip_mm),)
    drawn = EvaluationRequest(path=path, needle=o.needle, target=request.target)
    if hard_mm is not None:
        kind = Kind(o.subject)
        drawn = replace(drawn, policy=policy_with({kind: (hard_mm, DEFAULTS[kind].preferred_mm)}))
    return evaluate(_without(prepared, without) if without else prepared, drawn)


def test_every_witness_is_safe_once_the_change_is_made(
    questions: dict[str, Asked], plans: dict[str, Plan]
) -> None:
    seen = set()
    for asked, certificate, o in _openings(questions, plans):
        removed = o.subject if o.change is Change.REMOVE_STRUCTURE else None
        witness = _measured(asked, o, o.hard_mm, without=removed)
        assert witness.margin_mm == pytest.approx(o.margin_mm, abs=1e-9)
        assert witness.margin_mm >= 0.0
        assert witness.reaches_target
        assert witness.length_mm <= needle_named(o.needle).usable_length_mm + 1e-6
        assert (witness.approach, witness.side) == (o.approach, o.side)
        elsewhere = o.change in {Change.OTHER_SIDE, Change.OTHER_APPROACH}
        here = (certificate.approach, certificate.side) == (o.approach, o.side)
        assert here is not elsewhere
        seen.add(o.change)
    assert seen == set(Change)


def test_only_metal_and_cement_are_taken_away_and_they_were_in_the_way(
    questions: dict[str, Asked], plans: dict[str, Plan]
) -> None:
    for asked, certificate, o in _openings(questions, plans):
        if o.change is Change.REMOVE_STRUCTURE:
            assert asked[0].given.structure(o.subject).kind in REMOVABLE
            assert o.subject in certificate.blocked_by
            before = _measured(asked, o)
            assert before.margin_mm < 0.0
            assert [c.structure for c in before.clearances if (c.margin_mm or 0.0) < 0.0] == [
                o.subject
            ]


def test_the_screw_that_the_target_is_told_by_stays(plans: dict[str, Plan]) -> None:
    closed = _closed(plans["the target's own screw"])
    assert closed
    for certificate in closed:
        assert "screw_T8_L" in certificate.blocked_by
        assert "screw_T8_L" not in [o.subject for o in certificate.openings]


def test_a_limit_is_lowered_no_further_than_its_path_needs(
    questions: dict[str, Asked], plans: dict[str, Plan]
) -> None:
    for asked, certificate, o in _openings(questions, plans):
        if o.change is Change.LOWER_LIMIT:
            assert o.hard_mm is not None
            hard = DEFAULTS[Kind(o.subject)].hard_mm
            assert hard is not None
            assert 0.0 <= o.hard_mm < hard
            assert o.hard_mm == round(o.hard_mm, 2)
            assert _measured(asked, o).margin_mm < 0.0
            raised = _measured(asked, o, o.hard_mm + LIMIT_STEP_MM)
            assert raised.margin_mm < 0.0 or o.hard_mm + LIMIT_STEP_MM >= hard
            assert certificate.blocked_by


def test_a_larger_limit_is_proved_to_have_no_path(
    lumbar: PreparedCase, plans: dict[str, Plan]
) -> None:
    [certificate] = _closed(plans["a screw beside a thick needle"])
    [lowered] = [o for o in certificate.openings if o.change is Change.LOWER_LIMIT]
    assert lowered.hard_mm is not None
    stricter = policy_with({Kind.SCREW: (lowered.hard_mm + 0.05, 1.0)})
    harder = replace(
        L3_LEFT, approaches=TRANSPEDICULAR, sides=(Side.LEFT,), policy=stricter,
        certificate_tolerance_mm=0.02,
    )  # fmt: skip
    assert len(_closed(plan(lumbar, harder))) == 1


def test_the_thinner_needle_is_the_thickest_that_fits(
    questions: dict[str, Asked], plans: dict[str, Plan]
) -> None:
    prepared, request = questions["a very thick needle and a short one"]
    [o] = [
        o
        for c in _closed(plans["a very thick needle and a short one"])
        for o in c.openings
        if (c.side, c.needle, o.change) == (Side.LEFT, "8G-150", Change.THINNER_NEEDLE)
    ]
    assert o.needle == "12G-150"
    thicker = replace(request, needles=("10G-150", "11G-150"), sides=(Side.LEFT,))
    answer = plan(prepared, thicker)
    assert len(_closed(answer)) == 2


def test_a_window_that_metal_fills_says_so_and_opens_without_it(plans: dict[str, Plan]) -> None:
    [certificate] = _closed(plans["a screw that fills the pedicle"])
    assert "hardware fills the whole window" in certificate.statement
    assert "screw_L3_L" in certificate.blocked_by
    assert [o.subject for o in certificate.openings] == ["screw_L3_L"]


def test_a_pedicle_narrower_than_the_needle_says_so_and_a_thinner_one_fits(
    thoracic: PreparedCase,
) -> None:
    adult = thoracic.given
    structures = tuple(
        replace(s, primitive=None, mesh=triangle_mesh(0.65 * s.mesh.vertices, s.mesh.faces))
        for s in adult.structures
        if s.kind not in HARDWARE
    )
    request = PlanRequest(
        target=AnteriorBody(level="T8"), approaches=TRANSPEDICULAR, sides=(Side.RIGHT,),
        needles=("8G-150",),
    )  # fmt: skip
    [certificate] = _closed(plan(replace(adult, structures=structures), request))
    assert "largest inscribed circle" in certificate.statement
    assert certificate.blocked_by == ()
    assert [o.change for o in certificate.openings] == [Change.THINNER_NEEDLE]


def test_nothing_is_said_of_classes_that_are_open(plans: dict[str, Plan]) -> None:
    for answer in plans.values():
        for c in answer.certificates:
            if c.status is not Status.INFEASIBLE:
                assert c.blocked_by == ()
                assert c.openings == ()


def test_what_would_open_a_closed_way_is_said(plans: dict[str, Plan]) -> None:
    answer = plans["a screw beside a thick needle"]
    [certificate] = _closed(answer)
    assert certificate.blocked_by == ("screw_L3_L",)
    [thinner] = [o for o in certificate.openings if o.change is Change.THINNER_NEEDLE]
    said = f"with {thinner.subject} (margin {thinner.margin_mm:.2f} mm)"
    assert said in certificate.statement
    assert "without screw_L3_L" in certificate.statement
    assert f"it would be safe {said}" in answer.explanation


def test_a_mirrored_case_is_opened_by_the_mirrored_changes(
    mirrored_lumbar: PreparedCase, plans: dict[str, Plan]
) -> None:
    mirrored = plan(mirrored_lumbar, L3_LEFT)
    [before], [after] = _closed(plans["a screw beside a thick needle"]), _closed(mirrored)
    assert after.blocked_by == before.blocked_by
    for o, m in zip(before.openings, after.openings, strict=True):
        assert (o.change, o.needle, o.hard_mm, OTHER[o.side]) == (
            m.change,
            m.needle,
            m.hard_mm,
            m.side,
        )
        assert m.margin_mm == pytest.approx(o.margin_mm, abs=1e-3)
