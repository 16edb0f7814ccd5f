"""Rules: one object for every decision rule and hazard of the domain, and when each speaks."""

import copy
import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.anatomy.findings import warning
from planner.case import Kind, PatientPosition
from planner.case_io import load_case
from planner.hazard_margins import MORE_MM, with_hazards
from planner.needles.catalogue import needle_named
from planner.needles.path import Line
from planner.policy import DEFAULT_POLICY
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, Approach, PlanRequest, ScrewHalo
from planner.result import Clearance, Hidden, View, ViewRole
from planner.rules import CLINICAL, RULES, PathFacts, cautions_of, warnings_of

SAMPLES = Path(__file__).parents[2] / "sample_cases"
REQUEST = PlanRequest(target=AnteriorBody(level="L3"))
DOMAIN_IDS = [f"D{i}" for i in range(1, 19)] + [f"H{i}" for i in range(1, 11)]


@pytest.fixture(scope="module")
def lumbar() -> PreparedCase:
    prepared = PreparedCase(load_case(SAMPLES / "lumbar-fracture"))
    assert prepared.hardware.findings == {}  # read once, and shared by the copies below
    return prepared


@pytest.fixture(scope="module")
def question(lumbar: PreparedCase) -> Question:
    return question_of(lumbar, REQUEST)


def _stating(prepared: PreparedCase, findings: Mapping[str, Mapping[str, Any]]) -> PreparedCase:
    """Return the case with other findings; none of them changes what was read of its meshes."""
    other = copy.copy(prepared)
    other.given = replace(prepared.given, findings=findings)
    other.__dict__["case"] = replace(prepared.case, findings=findings)
    return other


def _said(question: Question, findings: Mapping[str, Mapping[str, Any]]) -> set[str]:
    stated = replace(question, prepared=_stating(question.prepared, findings))
    return set(warnings_of(stated))


def _facts(question: Question, **given: object) -> PathFacts:
    tip = question.bone.mesh.vertices.mean(axis=0)
    line = Line(start_mm=tip + np.array([0.0, 90.0, 0.0]), end_mm=tip)
    facts = PathFacts(
        question=question, needle=needle_named("13G-150"), path=(line,),
        approach=Approach.TRANSPEDICULAR, measured=(), views=(),
    )  # fmt: skip
    return replace(facts, **given)  # type: ignore[arg-type]  # any of its fields


def test_every_rule_and_hazard_of_the_domain_is_one_object_with_a_source() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert [rule.id for rule in CLINICAL if rule.id in DOMAIN_IDS] == DOMAIN_IDS
    for rule in CLINICAL:
        assert rule.source.startswith("DOMAIN")
        if rule.acts_in == "planner.rules":
            assert rule.on_case or rule.on_path, f"{rule.id} neither warns nor acts anywhere"
        elif rule.acts_in != "nowhere":
            assert importlib.util.find_spec(rule.acts_in), rule.acts_in


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ({"L3": {"failure_type": 3}}, "does not replace revision [DOMAIN D7]"),
        ({"L3": {"failure_type": 2}}, "stated failure type 2 at L3: pull-out"),
        ({"L2": {"suspected_infection": True}}, "infection at L2: biopsy and culture first"),
        ({"L2": {"suspected_infection": True}}, "active infection excludes"),
        ({"L4": {"uncorrected_coagulopathy": True}}, "coagulopathy excludes"),
        ({"L3": {"height_loss_percent": 71.0}}, "71 % height loss at L3: cement alone"),
        (
            {"L3": {"height_loss_percent": 80.0, "posterior_wall_broken": True}},
            "80 % height loss and a broken posterior wall at L3",
        ),
        ({"L3": {"posterior_wall_broken": True}}, "watch the canal [DOMAIN D12]"),
        ({"L3": {"facets_removed": True}}, "removed facets at L3: to be weighed"),
        ({"L3": {"sins_score": 6}}, "score 6 at L3: stable"),
        ({"L3": {"sins_score": 7}}, "score 7 at L3: potentially unstable"),
        ({"L3": {"sins_score": 13}}, "score 13 at L3: unstable"),
        ({"L2": {"lamina_removed": True}}, "lamina removed at L2: the sac lies unprotected"),
        ({"L3": {"costovertebral_joint_removed": True}}, "the pleura is exposed"),
        ({"L3": {"chest_wall_resected": True}}, "the pleura is exposed"),
        ({"L4": {"paraspinal_fluid": True}}, "fluid stated at L4 but not in the case"),
        ({"L3": {"metal_artefact": True}}, "more distance is kept from metal"),
        ({"L3": {"fusion_mass": True}}, "landmarks mislead"),
    ],
)  # fmt: skip
def test_a_finding_speaks_where_it_was_made_and_only_there(
    question: Question, findings: Mapping[str, Mapping[str, Any]], words: str
) -> None:
    before = _said(question, {})
    assert not any(words in sentence for sentence in before)
    added = _said(question, findings) - before
    assert any(words in sentence for sentence in added)
    elsewhere = {"T12": next(iter(findings.values()))}
    if not {"suspected_infection", "uncorrected_coagulopathy"} & set(elsewhere["T12"]):
        assert _said(question, elsewhere) == before


def test_a_collapse_of_seventy_percent_is_not_yet_much(question: Question) -> None:
    findings = {"L3": {"height_loss_percent": 70.0}}
    assert _said(question, findings) == _said(question, {})


def test_metal_that_was_seen_to_be_broken_is_told_with_every_plan(question: Question) -> None:
    broken = copy.copy(question.prepared)
    found = {
        "rod_L": (warning("rod-broken", "one rod in two pieces"),),
        "rod_R": (warning("head-off-rod", "the head stands 4.0 mm off"),),
    }
    broken.__dict__["hardware"] = replace(question.prepared.hardware, findings=found)
    said = warnings_of(replace(question, prepared=broken))
    assert [s for s in said if "D7" in s] == [
        "rod_L: one rod in two pieces; augmentation does not replace revision [DOMAIN D7]"
    ]
    assert not any("D7" in s for s in warnings_of(question))


def test_a_case_without_provenance_is_told_to_need_a_ct(question: Question) -> None:
    bare = copy.copy(question.prepared)
    bare.__dict__["case"] = replace(question.prepared.case, provenance={})
    assert any("CT" in s for s in warnings_of(replace(question, prepared=bare)))
    known = copy.copy(question.prepared)
    known.__dict__["case"] = replace(question.prepared.case, provenance={"scan": "CT"})
    assert not any("CT" in s for s in warnings_of(replace(question, prepared=known)))


def test_what_is_missing_from_a_case_is_said_of_every_path(question: Question) -> None:
    nothing = copy.copy(question.prepared)
    bones = question.prepared.given.of_kind(Kind.VERTEBRA)
    nothing.__dict__["case"] = replace(question.prepared.case, structures=bones)
    said = " ".join(cautions_of(_facts(replace(question, prepared=nothing), approach=None)))
    for kind in ("nerve roots", "spinal canal", "great vessels", "skin"):
        assert f"no {kind} in the case" in said
    assert "no rod" not in said


def test_screws_without_any_rod_are_told(question: Question) -> None:
    case = question.prepared.case
    loose = copy.copy(question.prepared)
    kept = tuple(s for s in case.structures if s.kind is not Kind.ROD)
    loose.__dict__["case"] = replace(case, structures=kept)
    assert any("no rod" in s for s in warnings_of(replace(question, prepared=loose)))
    assert not any("no rod" in s for s in warnings_of(question))


@pytest.mark.parametrize("level", ["L3", "L4", "L5"])
def test_vessels_beside_the_last_lumbar_levels_are_told_off_the_pedicle(
    question: Question, level: str
) -> None:
    bone = replace(question.bone, level=level)
    for approach in Approach:
        said = cautions_of(_facts(replace(question, bone=bone), approach=approach))
        told = any("vessels are often at risk" in s for s in said)
        assert told == (level in {"L4", "L5"} and approach is not Approach.TRANSPEDICULAR)


def _view(role: ViewRole, at_tip: bool) -> View:
    hidden = Hidden(
        tip=1.0, target=0.0, posterior_wall=0.0, overall=0.5, nearby=None, at_tip=at_tip
    )
    return View(
        role=role, primary_rad=0.0, secondary_rad=0.0, console_primary_rad=0.0,
        console_secondary_rad=0.0, assumed_position=PatientPosition.HFP, label="AP",
        reachable=True, hidden=hidden,
    )  # fmt: skip


def test_cone_beam_ct_is_asked_for_only_where_no_view_shows_the_tip(question: Question) -> None:
    true, off = ViewRole.TRUE_LATERAL, ViewRole.THROW_OFF_LATERAL
    seen = cautions_of(_facts(question, views=(_view(true, True), _view(off, False))))
    hidden = cautions_of(_facts(question, views=(_view(true, True), _view(off, True))))
    assert not any("D15" in s for s in seen)
    assert any("lateral" in s and "D15" in s for s in hidden)


def test_a_distance_is_cautioned_about_only_below_the_preferred(question: Question) -> None:
    canal = Clearance(
        structure="dural_sac", kind=Kind.CANAL, distance_mm=2.9, required_mm=1.0, margin_mm=1.9,
        at_depth_mm=50.0, nearest_point_mm=np.zeros(3), path_point_mm=np.zeros(3),
    )  # fmt: skip
    near = cautions_of(_facts(question, measured=(canal,)))
    far = cautions_of(_facts(question, measured=(replace(canal, distance_mm=3.0),)))
    assert any("2.9 mm from dural_sac" in s for s in near)
    assert not any("dural_sac" in s for s in far)


@pytest.mark.parametrize("finding", sorted(MORE_MM))
def test_a_hazard_widens_only_its_own_kinds_at_its_level_and_the_next(
    lumbar: PreparedCase, finding: str
) -> None:
    for stated, wider in (("L2", True), ("L3", True), ("L4", True), ("T11", False)):
        case = replace(lumbar.given, findings={stated: {finding: True}})
        rules = with_hazards(DEFAULT_POLICY, case, "L3").rules
        for kind in Kind:
            more = MORE_MM[finding].get(kind, 0.0) if wider else 0.0
            before = DEFAULT_POLICY.rule(kind)
            assert rules[kind].preferred_mm == before.preferred_mm + more
            if before.hard_mm is not None:
                assert rules[kind].hard_mm == before.hard_mm + more


def test_a_question_plans_by_the_wider_margin(lumbar: PreparedCase) -> None:
    stated = _stating(lumbar, {"L3": {"lamina_removed": True}})
    wider, plain = question_of(stated, REQUEST), question_of(lumbar, REQUEST)
    assert wider.policy.rule(Kind.CANAL).hard_mm == 2.0
    assert plain.policy.rule(Kind.CANAL).hard_mm == 1.0


def test_a_tip_that_hardly_enters_the_lucency_is_told(question: Question) -> None:
    screw = question.prepared.screw("screw_L3_L", field="screw")
    asked = question_of(question.prepared, PlanRequest(target=ScrewHalo(screw="screw_L3_L")))
    shaft = screw.tip_mm - screw.head_mm
    aside = np.cross(shaft, [0.0, 0.0, 1.0])
    aside = aside / np.linalg.norm(aside)

    def told(beside_mm: float) -> bool:
        tip = screw.head_mm + 0.8 * shaft + (0.5 * screw.diameter_mm + beside_mm) * aside
        along = Line(start_mm=tip - 2.0 * shaft, end_mm=tip)
        said = cautions_of(_facts(asked, needle=needle_named("15G-bevel-150"), path=(along,)))
        return any("lies in the lucency" in s for s in said)

    assert not told(0.9)
    assert told(4.0)
