"""Each technique of the series where it is the best answer, and where it is honestly refused.

The best paths of the others in docs/techniques.md (one puncture to both sides, a tamp, several
needles) have tests of their own. Every path is measured a second time, by trimesh.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.adversary_space import crossings
from planner.anatomy.model import Pedicle
from planner.case import Side
from planner.needles.path import Line
from planner.planning import evaluate, plan
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import (
    AnteriorBody,
    Approach,
    EvaluationRequest,
    PlanRequest,
    ScrewHalo,
    ScrewTip,
    TargetSpec,
)
from planner.result import Change, Outcome, Plan, Status, Trajectory
from planner.search.along_screw import MOST_ARRIVAL_RAD
from planner.transverse_process import LATERAL_MM
from tests.planner.second_look import margin_mm

LUMBAR, THORACIC = "lumbar-fracture", "thoracic-halo"
THIN, THINNEST, THICK, THICKEST = "15G-bevel-150", "16G-150", "11G-150", "8G-150"
CURVED = "curved-14G-in-11G"
THROUGH, BESIDE = (Approach.TRANSPEDICULAR,), (Approach.PARAPEDICULAR,)
LEFT, RIGHT = (Side.LEFT,), (Side.RIGHT,)
HALO = ScrewHalo(screw="screw_T8_L")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to a sample case."""

    case: str
    target: TargetSpec
    needles: tuple[str, ...]
    approaches: tuple[Approach, ...]
    sides: tuple[Side, ...]


ALONG = Asked(
    case=LUMBAR, target=ScrewHalo(screw="screw_L3_L"), needles=(THIN,), sides=LEFT,
    approaches=(Approach.TRANSPEDICULAR, Approach.ALONG_SCREW),
)  # fmt: skip
BESIDE_THEN_ALONG = Asked(
    case=LUMBAR, target=ScrewHalo(screw="screw_L2_R"), needles=(THIN,), sides=RIGHT,
    approaches=(Approach.ALONG_SCREW,),
)  # fmt: skip
BEST: Mapping[str, tuple[Asked, str]] = {
    "K1": (ALONG, "along_screw"),
    "K2": (
        Asked(
            case=LUMBAR, target=ScrewTip(screw="screw_L4_L"), needles=(THINNEST,), sides=LEFT,
            approaches=(*THROUGH, *BESIDE),
        ),
        "oblique_to_screw_tip",
    ),
    "K3": (
        Asked(
            case=LUMBAR, target=AnteriorBody(level="L3"), needles=(THIN,), sides=RIGHT,
            approaches=(*THROUGH, *BESIDE),
        ),
        "cross_under_screw",
    ),
    "K5": (
        Asked(
            case=THORACIC, target=AnteriorBody(level="T7"), needles=(THIN,), sides=LEFT,
            approaches=(*THROUGH, *BESIDE),
        ),
        "between_pedicle_and_rib_head",
    ),
    "K8": (
        Asked(
            case=LUMBAR, target=AnteriorBody(level="L3"), needles=(THICK,), sides=LEFT,
            approaches=(*THROUGH, *BESIDE),
        ),
        "lateral_parapedicular",
    ),
    "K10": (
        Asked(
            case=THORACIC, target=HALO, needles=(THICK, CURVED), sides=LEFT, approaches=BESIDE,
        ),
        "curved",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def cases(lumbar: PreparedCase, thoracic: PreparedCase) -> dict[str, PreparedCase]:
    return {LUMBAR: lumbar, THORACIC: thoracic}


@pytest.fixture(scope="module")
def plans() -> dict[Asked, Plan]:
    return {}


def _plan(cases: dict[str, PreparedCase], plans: dict[Asked, Plan], asked: Asked) -> Plan:
    if asked not in plans:
        request = PlanRequest(
            target=asked.target, needles=asked.needles, approaches=asked.approaches,
            sides=asked.sides, max_trajectories=1,
        )  # fmt: skip
        plans[asked] = plan(cases[asked.case], request)
    return plans[asked]


def _question(cases: dict[str, PreparedCase], asked: Asked) -> Question:
    return question_of(cases[asked.case], PlanRequest(target=asked.target))


@pytest.mark.parametrize("name", BEST)
def test_a_technique_is_the_best_answer_and_keeps_every_limit(
    cases: dict[str, PreparedCase], plans: dict[Asked, Plan], name: str
) -> None:
    asked, technique = BEST[name]
    [best] = _plan(cases, plans, asked).trajectories
    assert best.technique == technique
    assert best.margin_mm >= 0.0
    told = best.margin_mm if best.slide is None else best.slide.margin_beside_mm
    assert told == pytest.approx(margin_mm(_question(cases, asked), best), abs=2e-3)


# A path beside the transverse process (K4) is one beside the pedicle, what a turned needle does
# (K9) a curved one could, and a tamp (K11) needs 10 G or thicker.
BESIDE_T8 = Asked(case=THORACIC, target=HALO, needles=(THICK,), sides=LEFT, approaches=BESIDE)
THROUGH_T8 = Asked(
    case=THORACIC, target=AnteriorBody(level="T8"), needles=(CURVED,), sides=LEFT,
    approaches=THROUGH,
)  # fmt: skip
THROUGH_L3 = Asked(
    case=LUMBAR, target=AnteriorBody(level="L3"), needles=(THICK,), sides=LEFT, approaches=THROUGH,
)  # fmt: skip
REFUSED: Mapping[str, tuple[Asked, str]] = {
    "K1": (
        Asked(
            case=THORACIC, target=HALO, needles=(THICKEST,), sides=LEFT,
            approaches=(Approach.ALONG_SCREW,),
        ),
        "screw_T8_L",
    ),
    "K2": (
        Asked(
            case=LUMBAR, target=ScrewTip(screw="screw_L3_R"), needles=(THICKEST,), sides=RIGHT,
            approaches=THROUGH,
        ),
        "screw_L3_R",
    ),
    "K3": (THROUGH_L3, "screw_L3_L"),
    "K4": (BESIDE_T8, "screw_T8_L"),
    "K5": (
        Asked(
            case=THORACIC, target=AnteriorBody(level="T8"), needles=(THIN,), sides=RIGHT,
            approaches=(Approach.EXTRAPEDICULAR,),
        ),
        "rib_R08",
    ),
    "K8": (BESIDE_T8, "screw_T8_L"),
    "K9": (THROUGH_T8, "screw_T8_L"),
    "K10": (THROUGH_T8, "screw_T8_L"),
    "K11": (THROUGH_L3, "screw_L3_L"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_technique_is_refused_with_a_proof_and_what_is_in_the_way(
    cases: dict[str, PreparedCase], plans: dict[Asked, Plan], name: str
) -> None:
    asked, in_the_way = REFUSED[name]
    refused = _plan(cases, plans, asked)
    assert refused.outcome is Outcome.NO_SAFE_PATH
    [certificate] = refused.certificates
    assert certificate.status is Status.INFEASIBLE
    assert certificate.upper_bound_mm is not None
    assert certificate.upper_bound_mm < 0.0
    assert in_the_way in certificate.blocked_by
    assert in_the_way in certificate.statement


def test_a_refused_curved_needle_says_what_would_do_in_its_place(
    cases: dict[str, PreparedCase], plans: dict[Asked, Plan]
) -> None:
    asked = THROUGH_T8
    [certificate] = _plan(cases, plans, asked).certificates
    thinner = next(o for o in certificate.openings if o.change is Change.THINNER_NEEDLE)
    line = Line(start_mm=thinner.entry_skin_mm, end_mm=thinner.tip_mm)
    drawn = evaluate(
        cases[asked.case],
        EvaluationRequest(path=(line,), needle=thinner.subject, target=asked.target),
    )
    assert drawn.margin_mm == pytest.approx(thinner.margin_mm)
    assert drawn.margin_mm >= 0.0
    assert drawn.reaches_target


def test_a_path_beside_the_process_is_best_and_says_how_it_passes(
    cases: dict[str, PreparedCase], plans: dict[Asked, Plan]
) -> None:
    target = ScrewTip(screw="screw_L3_R")
    asked = Asked(
        case=LUMBAR, target=target, needles=(THIN,), sides=RIGHT, approaches=(*THROUGH, *BESIDE)
    )
    [best] = _plan(cases, plans, asked).trajectories
    assert best.margin_mm == pytest.approx(margin_mm(_question(cases, asked), best), abs=2e-3)
    assert best.margin_mm >= 0.0
    assert "passes under the transverse process of L3" in best.cautions
    above, below = _bone_above_and_below(_question(cases, asked), best)
    assert above
    assert not below
    [medial] = _plan(cases, plans, BEST["K2"][0]).trajectories
    assert not [said for said in medial.cautions if "transverse process" in said]


def _bone_above_and_below(question: Question, found: Trajectory) -> tuple[bool, bool]:
    """Tell, by rays, what of the bone lies above and below a path lateral of its pedicle."""
    pedicle, line = question.pedicle(Side.RIGHT), found.path[0]
    assert isinstance(pedicle, Pedicle)
    assert isinstance(line, Line)
    _, _, wall, _ = pedicle.outline.bounds
    points = line.start_mm + np.arange(0.0, line.length_mm, 0.5)[:, None] * line.direction
    lateral, _, ahead = np.transpose([pedicle.in_plane(point) for point in points])
    beside = points[(lateral >= wall + LATERAL_MM) & (ahead <= 0.0)]
    upward = np.tile(pedicle.cranial, (len(beside), 1))
    hits = [depths for _, depths in crossings(question.bone.mesh.corners, beside, upward)]
    found_at = np.concatenate(hits)
    return bool((found_at > 0.0).any()), bool((found_at < 0.0).any())


def test_a_way_along_a_screw_enters_lateral_of_its_pedicle_and_cranial_of_the_screw(
    cases: dict[str, PreparedCase], plans: dict[Asked, Plan]
) -> None:
    [best] = _plan(cases, plans, BESIDE_THEN_ALONG).trajectories
    question = _question(cases, BESIDE_THEN_ALONG)
    pedicle, screw = question.pedicle(Side.RIGHT), question.prepared.screw("screw_L2_R", field="")
    assert isinstance(pedicle, Pedicle)
    assert best.entry_bone_mm is not None
    entry, head = pedicle.in_plane(best.entry_bone_mm), pedicle.in_plane(screw.head_mm)
    _, _, wall, _ = pedicle.outline.bounds
    assert entry[0] > wall
    assert entry[1] > head[1]


def test_metal_is_slid_past_by_the_bevel_and_never_met_head_on(
    cases: dict[str, PreparedCase], plans: dict[Asked, Plan]
) -> None:
    [best] = _plan(cases, plans, ALONG).trajectories
    assert best.slide is not None
    assert best.slide.bevel_hour is not None
    assert best.slide.arrival_rad <= MOST_ARRIVAL_RAD
    leg = best.path[0]
    assert isinstance(leg, Line)
    head_on = Line(start_mm=leg.start_mm, end_mm=leg.end_mm + 40.0 * leg.direction)
    request = EvaluationRequest(path=(head_on,), needle=THIN, target=ALONG.target)
    drawn = evaluate(cases[LUMBAR], request)
    assert drawn.slide is None
    screw = next(c for c in drawn.clearances if c.structure == "screw_L3_L")
    assert not screw.contact_allowed
    assert screw.margin_mm is not None
    assert screw.margin_mm < 0.0
