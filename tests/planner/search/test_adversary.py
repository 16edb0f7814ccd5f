"""Certificates are attacked from outside: by paths that other libraries draw, breed and measure."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from api.schemas import PlanRequestDocument
from api.targets import target_from_short_form
from benchmarks.adversary import Attacked, Attacker, Effort, attack_target
from benchmarks.adversary_screen import ceiling_of, highest, spread
from benchmarks.adversary_space import NO_PATH, PathSpace, path_space, surroundings_of
from planner.case import Side
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import question_of
from planner.request import BY_WINDOW, Approach, PlanRequest
from planner.result import Plan, Status
from planner.target import TargetRegion

NEEDLES = ["11G-150"]
BRIEF = Effort(paths=20_000, lineages=1, generations=100, simplex=15, spacing_mm=2.0)
# One target of every bundle of real anatomy: halo, narrow pedicles, no skin, ilium, fracture.
REAL = {
    "lumbar-cage": "screw_halo:screw_L5_R",
    "mid-thoracic": "anterior_body:T5",
    "one-screw-minimal": "anterior_body:L3",
    "sacropelvic": "screw_halo:screw_ilium_R",
    "thoracolumbar-fracture": "anterior_body:T12",
}


def _request(target: str) -> PlanRequest:
    document = {"target": target_from_short_form(target), "needles": NEEDLES}
    return PlanRequestDocument.model_validate(document).request()


@pytest.fixture(scope="module")
def request_() -> PlanRequest:
    return _request("anterior_body:L3")


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module")
def planned(prepared: PreparedCase, request_: PlanRequest) -> Plan:
    return plan(prepared, request_)


@pytest.fixture(scope="module")
def spaces(
    prepared: PreparedCase, request_: PlanRequest
) -> dict[tuple[Approach | None, Side | None, str], PathSpace]:
    question = question_of(prepared, request_)
    assert isinstance(question.region, TargetRegion)
    around = surroundings_of(question, question.region)
    needles = [needle_named(name) for name in NEEDLES]
    gates, _ = gates_for(question, request_.approaches, request_.sides, needles)
    return {
        (gate.approach, gate.side, needle.name): path_space(around, gate, needle.usable_length_mm)
        for gate, needle in gates
        if not gate.window.is_empty
    }


def _broken(attacks: list[Attacked]) -> list[Attacked]:
    return [attacked for attacked in attacks if attacked.broken]


def test_no_attack_breaks_a_certificate(
    prepared: PreparedCase, request_: PlanRequest, planned: Plan
) -> None:
    attacks = list(attack_target(prepared, request_, planned.certificates, BRIEF))
    assert not _broken(attacks)
    assert len(attacks) == len(planned.certificates)
    assert min(attacked.drawn for attacked in attacks) > 1000
    # An attack that comes nowhere near what there is would say nothing.
    for attacked in attacks:
        best = attacked.certificate.best_margin_mm
        assert best is not None
        assert attacked.evolved_mm is not None
        assert attacked.evolved_mm > best - 1.0


@pytest.mark.parametrize("approach", BY_WINDOW)
def test_a_bound_below_the_best_path_is_broken(
    prepared: PreparedCase, request_: PlanRequest, planned: Plan, approach: Approach
) -> None:
    claim = next(
        c for c in planned.certificates if c.approach is approach and c.status is Status.FOUND
    )
    assert claim.best_margin_mm is not None
    lowered = replace(claim, upper_bound_mm=claim.best_margin_mm - 0.3)
    hard = replace(BRIEF, paths=50_000, lineages=3)
    assert _broken(list(attack_target(prepared, request_, [lowered], hard)))


def test_planned_paths_measure_the_same_by_another_library(
    planned: Plan, spaces: dict[tuple[Approach | None, Side | None, str], PathSpace]
) -> None:
    assert planned.trajectories
    for t in planned.trajectories:
        space = spaces[t.approach, t.side, t.needle]
        slack = space.slack(space.through(t.entry_skin_mm, t.tip_mm))
        assert slack - needle_named(t.needle).radius_mm == pytest.approx(t.margin_mm, abs=1e-8)


def test_no_path_is_screened_out_that_measures_better(
    spaces: dict[tuple[Approach | None, Side | None, str], PathSpace], rng: np.random.Generator
) -> None:
    ceiling = ceiling_of(next(iter(spaces.values())).around, BRIEF.spacing_mm)
    measured = 0
    for space in spaces.values():
        attacker = Attacker(space=space, ceiling=ceiling, claimed_mm=0.0, effort=BRIEF, rng=rng)
        lines = attacker.draw(60)
        slack = np.array([space.slack(line) for line in lines])
        lines, slack = lines[slack > NO_PATH], slack[slack > NO_PATH]
        start, step = space.placed(lines)
        depths = spread(space.entries(start, step), space.tips(start, step), 50)
        fine = highest(ceiling.fine, start, step, depths)
        assert (slack <= fine + 1e-9).all()
        assert (fine <= highest(ceiling.rough, start, step, depths) + 1e-9).all()
        measured += len(lines)
    assert measured > 50


@pytest.mark.parametrize("bundle", REAL)
def test_no_attack_breaks_a_certificate_in_real_anatomy(
    real_case: Callable[[str], PreparedCase], bundle: str
) -> None:
    prepared = real_case(bundle)
    request = replace(_request(REAL[bundle]), max_trajectories=1)  # the certificates are the same
    certificates = plan(prepared, request).certificates
    attacks = list(attack_target(prepared, request, certificates, BRIEF))
    assert attacks
    assert not _broken(attacks)
