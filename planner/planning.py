"""The planner's two questions: the best paths to a target, and how good a drawn path is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise, product

from geometry.frames import frame_from_axes
from planner.anatomy.model import Unavailable
from planner.candidates import MeasuredClass, measured_classes
from planner.case import Case, Kind
from planner.explanation import explanation
from planner.gates import gates_for
from planner.guidance.told import guided
from planner.needles.catalogue import needle_named
from planner.prepared import PreparedCase
from planner.proof import Proof, Unsearched
from planner.proving import ProvedClass, proof_of
from planner.question import STAND_OFF_MM, Question, question_of
from planner.ranking import Choice, Order, ranked
from planner.request import EvaluationRequest, PlanRequest
from planner.result import Certificate, Outcome, Plan, Status, Trajectory
from planner.rules import warnings_of
from planner.search.branch_and_bound import climbed
from planner.search.certificate import blocked, certificate, claimed_without_file, unsearched
from planner.search.classes import ClassSearch, search_classes
from planner.search.family import line_family
from planner.search.scene import Scene, build_scene
from planner.target import TargetRegion
from planner.trajectory import drawn_trajectory, trajectory
from planner.turned import ONE_SIDED
from planner.why_not import explained
from planner.witness import Site, needed_by

ENDLESS_MM = 400.0
Progress = Callable[[str, float], None]


def plan(
    case: Case | PreparedCase, request: PlanRequest, *, progress: Progress | None = None
) -> Plan:
    """Find the best paths to a target, with certificates for every class that was asked for.

    Args:
        case: The case; a prepared one is not read anew.
        request: The question.
        progress: Told what is being done and the share done, 0 to 1.

    Raises:
        RequestError: If the request names what the case or the catalogues do not have.
    """
    return _planned(case, request, progress)[0]


def plan_with_proof(
    case: Case | PreparedCase, request: PlanRequest, *, progress: Progress | None = None
) -> tuple[Plan, Proof]:
    """Return what ``plan`` returns, and the proof of its certificates."""
    made, proved, unknown = _planned(case, request, progress)
    prepared = case if isinstance(case, PreparedCase) else PreparedCase(case)
    return made, proof_of(prepared.case, made, proved, unknown)


def _planned(
    case: Case | PreparedCase, request: PlanRequest, progress: Progress | None
) -> tuple[Plan, list[ProvedClass], list[Unsearched]]:
    """Return a plan, the classes behind its certificates, and those that were not searched."""
    tell = progress or (lambda _message, _share: None)
    prepared = case if isinstance(case, PreparedCase) else PreparedCase(case)
    clock = [time.perf_counter()]
    needles = [needle_named(n, field=f"needles[{i}]") for i, n in enumerate(request.needles)]
    tell("reading the anatomy", 0.05)
    question = question_of(prepared, request)
    tolerance = request.certificate_tolerance_mm
    region = question.region
    if isinstance(region, Unavailable):
        certificates = [
            unsearched(a, s, n, region, tolerance)
            for a, s, n in product(request.approaches, request.sides, needles)
        ]
        stopped = _answer(question, request, Outcome.STOPPED, (), certificates, clock)
        return stopped, [], [_unknown(c, region.reason) for c in certificates]
    tell("measuring the space around the target", 0.15)
    scene = scene_of(question, region)
    classes, gateless = gates_for(question, request.approaches, request.sides, needles)
    missing = [unsearched(g.approach, g.side, g.needle, g.why, tolerance) for g in gateless]
    clock.append(time.perf_counter())
    searched = search_classes(
        classes, scene, region, tolerance, lambda share: tell("searching", 0.2 + 0.7 * share)
    )
    clock.append(time.perf_counter())
    tell("verifying on the meshes", 0.92)
    found = measured_classes(question, searched)
    order = Order(level=question.bone.level, side=region.screw.side if region.screw else None)
    candidates = [c for measured in found for c in measured.candidates]
    best = _trajectories(question, ranked(candidates, order, request.max_trajectories))
    site = Site(
        question=question, region=region, scene=scene, classes=found,
        needed=needed_by(question, request.target),
    )  # fmt: skip
    proved = [
        ProvedClass(search=m.search, certificate=_certificate(site, m, tolerance), best=m.best_path)
        for m in found
    ]
    certificates = [*(one.certificate for one in proved), *missing]
    clock.append(time.perf_counter())
    outcome = _outcome(best, certificates)
    if outcome is not Outcome.FOUND and _longer_would_do(question, searched, scene, region):
        outcome = Outcome.TARGET_UNREACHABLE
    made = _answer(question, request, outcome, best, _in_order(certificates, request), clock)
    unknown = [_unknown(c, g.why.reason) for c, g in zip(missing, gateless, strict=True)]
    bent = [p for p in proved if not p.search.in_proofs]
    unknown += [_unknown(p.certificate, claimed_without_file(p.certificate)) for p in bent]
    return made, [p for p in proved if p not in bent], unknown


def _unknown(certificate: Certificate, reason: str) -> Unsearched:
    return Unsearched(
        approach=certificate.approach, side=certificate.side, needle=certificate.needle,
        reason=reason,
    )  # fmt: skip


def evaluate(case: Case | PreparedCase, request: EvaluationRequest) -> Trajectory:
    """Measure a path that somebody drew, negative margins included.

    Raises:
        RequestError: If the request names what the case or the catalogues do not have.
    """
    prepared = case if isinstance(case, PreparedCase) else PreparedCase(case)
    needle = needle_named(request.needle, field="needle")
    question = question_of(prepared, request)
    return guided(question, drawn_trajectory(question, needle, request.path))


def scene_of(question: Question, region: TargetRegion) -> Scene:
    """Return the space around the target, in the bone's directions; kept with the case."""
    prepared, policy, bone = question.prepared, question.policy, question.bone
    frame = frame_from_axes(name="scene", origin_mm=region.centre_mm, axes=question.axes)
    limits = tuple(policy.rule(kind).hard_mm for kind in Kind)
    key = (bone.name, limits, region.centre_mm.tobytes(), question.axes.tobytes())
    return prepared.kept(key, lambda: build_scene(prepared.case, policy, bone, frame, STAND_OFF_MM))


def _trajectories(question: Question, choices: Sequence[Choice]) -> tuple[Trajectory, ...]:
    """Measure in full what is shown."""
    shown = [choice.candidate for choice in choices]
    measured = [trajectory(question, c.gate, c.needle, c.path, c.second) for c in shown]
    return tuple(
        replace(guided(question, t), rank=rank, reasons=choice.reasons)
        for rank, (t, choice) in enumerate(zip(measured, choices, strict=True), start=1)
    )


def _certificate(site: Site, measured: MeasuredClass, tolerance_mm: float) -> Certificate:
    """Return what was proved about a class, and if it is closed, what would open it."""
    search = measured.search
    proved = (
        blocked(search.gate, search.needle, tolerance_mm)
        if search.result is None
        else certificate(
            search.gate, search.needle, search.result, measured.best_margin_mm, tolerance_mm
        )
    )
    if measured.one_sided:
        proved = replace(proved, statement=f"{proved.statement} {ONE_SIDED}")
    return explained(site, measured, proved) if proved.status is Status.INFEASIBLE else proved


def _in_order(certificates: list[Certificate], request: PlanRequest) -> list[Certificate]:
    """Sort certificates as the request lists approaches, sides and needles."""
    return sorted(
        certificates,
        key=lambda c: (
            request.approaches.index(c.approach), request.sides.index(c.side),
            request.needles.index(c.needle),
        ),
    )  # fmt: skip


def _longer_would_do(
    question: Question, searched: tuple[ClassSearch, ...], scene: Scene, region: TargetRegion
) -> bool:
    """Whether some class has a safe path for a needle of the same width and any length."""
    for s in searched:
        if s.straight is not None:
            endless = line_family(s.gate, scene, region, ENDLESS_MM)
            result = replace(s.straight[1], optima=climbed(endless))
            longer = replace(s, family=endless, result=result)
            [measured] = measured_classes(question, [longer])
            if measured.candidates:
                return True
    return False


def _outcome(trajectories: tuple[Trajectory, ...], certificates: list[Certificate]) -> Outcome:
    if trajectories:
        return Outcome.FOUND
    closed = all(c.status is Status.INFEASIBLE for c in certificates)
    return Outcome.NO_SAFE_PATH if closed else Outcome.STOPPED


def _answer(
    question: Question,
    request: PlanRequest,
    outcome: Outcome,
    trajectories: tuple[Trajectory, ...],
    certificates: list[Certificate],
    clock: list[float],
) -> Plan:
    steps = [b - a for a, b in pairwise([*clock, time.perf_counter()])]
    return Plan(
        case_digest=question.prepared.case.digest, request_digest=request.digest,
        planner_version=version("trocar"), outcome=outcome,
        explanation=explanation(question, outcome, trajectories, certificates),
        trajectories=trajectories,
        certificates=tuple(certificates), warnings=warnings_of(question),
        timings_s=dict(zip(("prepare", "search", "verify"), steps, strict=False)),
    )  # fmt: skip
