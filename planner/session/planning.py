"""Several needles in one session: a plan for each target, chosen together so that none collide.

Each target is planned by itself, with all its proofs. What is chosen here is which of its paths
to take: one, or one from either side where one would leave a side of the body without cement.
"""

import time
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from itertools import combinations, product

from planner.anatomy.model import Unavailable
from planner.case import LEVELS, Case, Side
from planner.explanation import DISCLAIMER
from planner.guidance.cement import cement_guidance
from planner.guidance.told import tips_of
from planner.needles.catalogue import needle_named
from planner.planning import Progress, plan
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import AnteriorBody, Lesion, PlanRequest
from planner.result import Plan, Trajectory
from planner.session.joint_choice import joint_choice
from planner.session.spacing import Bar, Nearness, bars, collide, nearness
from planner.treatment import CementGuidance

BALANCED = 0.5  # least balance at which one needle serves both sides of a body [A]
NEAR_MM = 30.0  # needles no farther apart than this are told of
_TWO_SIDED = AnteriorBody | Lesion  # targets that a needle from either side may serve


class Bilateral(StrEnum):
    """Whether a body or lesion gets a needle from either side."""

    AS_NEEDED = "as_needed"
    ALWAYS = "always"
    NEVER = "never"


class SessionOutcome(StrEnum):
    """How a session ended; each is a result, none an error."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """Several targets, each a request of its own, for one session.

    Attributes:
        requests: One for each target.
        bilateral: When a body or lesion gets two needles.
        digest: Of all of it.
    """

    requests: tuple[PlanRequest, ...]
    bilateral: Bilateral = Bilateral.AS_NEEDED
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen for one target.

    Attributes:
        request: What was asked for it.
        label: The target in words.
        plan: Its own plan, every path of it.
        ranks: Of the paths that were chosen; empty if none could be.
        reason: Why these.
        cement: Guidance for all of its needles together.
    """

    request: PlanRequest
    label: str
    plan: Plan
    ranks: tuple[int, ...]
    reason: str
    cement: CementGuidance | None

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        """The paths that were chosen."""
        return tuple(t for t in self.plan.trajectories if t.rank in self.ranks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Two chosen needles that lie near each other, each (target's number, rank)."""

    first: tuple[int, int]
    second: tuple[int, int]
    near: Nearness


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """The answer for several targets.

    Attributes:
        chosen: One for each target, as asked.
        order: Numbers of the targets that have a needle, from the most cranial level down.
        neighbours: Chosen needles that lie near each other, nearest first.
    """

    case_digest: str
    request_digest: str
    planner_version: str
    outcome: SessionOutcome
    explanation: str
    chosen: tuple[Chosen, ...]
    order: tuple[int, ...]
    neighbours: tuple[Neighbours, ...]
    warnings: tuple[str, ...]
    timings_s: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Option:
    """One way to serve a target: a path, or one from either side."""

    paths: tuple[Trajectory, ...]
    balance: float | None
    bodies: tuple[tuple[Bar, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Planned:
    """A target with its plan and its options, best first.

    ``unpaired``: a needle from either side was asked for, and no two paths make such a pair.
    """

    question: Question
    request: PlanRequest
    plan: Plan
    options: tuple[_Option, ...]
    unpaired: bool


def plan_session(
    case: Case | PreparedCase, request: SessionRequest, *, progress: Progress | None = None
) -> SessionPlan:
    """Plan every target, then choose among their paths so that no two needles collide.

    The choice is exact: as few targets as possible go without a needle, and then the sum of the
    places of what is chosen is least.

    Raises:
        RequestError: If a request names what the case or the catalogues do not have.
    """
    started, tell = time.perf_counter(), progress or (lambda _message, _share: None)
    prepared = case if isinstance(case, PreparedCase) else PreparedCase(case)
    planned = []
    for i, asked in enumerate(request.requests):
        tell(f"planning target {i + 1}", i / len(request.requests))
        planned.append(_planned(prepared, asked, request.bilateral))
    middle = time.perf_counter()
    places = joint_choice([len(p.options) for p in planned], lambda a, b: _clash(planned, a, b))
    chosen = tuple(_chosen(i, planned, places) for i in range(len(planned)))
    served = [i for i, one in enumerate(chosen) if one.ranks]
    return SessionPlan(
        case_digest=prepared.given.digest, request_digest=request.digest,
        planner_version=version("trocar"),
        outcome=(
            SessionOutcome.NONE if not served
            else SessionOutcome.ALL if len(served) == len(chosen) else SessionOutcome.SOME
        ),
        explanation=_explanation(chosen), chosen=chosen,
        order=tuple(sorted(served, key=lambda i: (_height(planned[i].question), i))),
        neighbours=_neighbours(chosen),
        warnings=tuple(dict.fromkeys(w for one in chosen for w in one.plan.warnings)),
        timings_s={"plan": middle - started, "choose": time.perf_counter() - middle},
    )  # fmt: skip


def _planned(prepared: PreparedCase, asked: PlanRequest, bilateral: Bilateral) -> _Planned:
    made, question = plan(prepared, asked), question_of(prepared, asked)
    options = _options(question, made.trajectories, bilateral)
    two_sided = bilateral is Bilateral.ALWAYS and isinstance(question.target, _TWO_SIDED)
    return _Planned(
        question=question, request=asked, plan=made, options=options,
        unpaired=two_sided and all(len(option.paths) == 1 for option in options),
    )  # fmt: skip


def _options(
    question: Question, paths: tuple[Trajectory, ...], bilateral: Bilateral
) -> tuple[_Option, ...]:
    """Return the ways to serve a target, best first.

    Where coverage can be told, ways that serve both sides come first, those of one needle before
    those of two; among the others the better balanced. Then the ranks decide.
    """
    ways = [(t,) for t in paths]
    pairs: list[tuple[Trajectory, ...]] = []
    if bilateral is not Bilateral.NEVER and isinstance(question.target, _TWO_SIDED):
        left, right = ([t for t in paths if t.side is side] for side in Side)
        pairs = [pair for pair in product(left, right) if not _touch(pair)]
    wanted = pairs if bilateral is Bilateral.ALWAYS and pairs else [*ways, *pairs]
    options = [_option(question, way) for way in wanted]
    return tuple(sorted(options, key=_key))


def _option(question: Question, way: tuple[Trajectory, ...]) -> _Option:
    guidance = cement_guidance(question, [tip for t in way for tip in tips_of(t)])
    covered = None if guidance is None else guidance.coverage
    body = isinstance(question.target, AnteriorBody) and covered is not None
    return _Option(
        paths=way, balance=covered.balance if body and covered is not None else None,
        bodies=tuple(_body(t) for t in way),
    )  # fmt: skip


def _key(option: _Option) -> tuple[float, int, int]:
    ranks = sum(t.rank for t in option.paths)
    if option.balance is None or option.balance >= BALANCED:
        return 0.0, len(option.paths), ranks
    return 1.0 - option.balance, len(option.paths), ranks


def _touch(pair: tuple[Trajectory, ...]) -> bool:
    first, second = (_body(t) for t in pair)
    return collide(first, second)


def _body(t: Trajectory) -> tuple[Bar, ...]:
    """Return what a needle takes up, wherever it is turned to."""
    needle = needle_named(t.needle)
    second = () if t.second_arc is None else bars(needle, t.second_arc.path)[:1]
    return (*bars(needle, t.path), *second)


def _clash(planned: list[_Planned], a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether needles of two options, each (target, place), collide."""
    first, second = (planned[target].options[place] for target, place in (a, b))
    return any(collide(x, y) for x, y in product(first.bodies, second.bodies))


def _chosen(
    number: int, planned: list[_Planned], places: tuple[int | None, ...]
) -> Chosen:  # fmt: skip
    """Tell what was chosen for a target, and why."""
    one, place = planned[number], places[number]
    region = one.question.region
    label = "target" if isinstance(region, Unavailable) else region.label
    option = None if place is None else one.options[place]
    paths = () if option is None else option.paths
    tips = [tip for t in paths for tip in tips_of(t)]
    return Chosen(
        request=one.request, label=label, plan=one.plan, ranks=tuple(t.rank for t in paths),
        reason=_reason(number, planned, places),
        cement=cement_guidance(one.question, tips) if tips else None,
    )  # fmt: skip


def _reason(number: int, planned: list[_Planned], places: tuple[int | None, ...]) -> str:
    one, place = planned[number], places[number]
    if place is None:
        if not one.options:
            return f"no safe path of its own ({one.plan.outcome})"
        return f"every way collides with the needles to {_others(number, planned, places)}"
    option = one.options[place]
    said = "one needle" if len(option.paths) == 1 else "one needle from either side"
    if option.balance is not None:
        enough = "covers" if option.balance >= BALANCED else "does not cover"
        said += f", which {enough} both sides evenly (balance {option.balance:.2f})"
    if one.unpaired:
        said += "; no two safe paths, one from either side, go together"
    if place > 0:
        said += (
            f"; its first choice collides with the needles to {_others(number, planned, places)}"
        )
    return said


def _others(number: int, planned: list[_Planned], places: tuple[int | None, ...]) -> str:
    """Name the targets whose chosen needles exclude a target's first choice."""
    names = [
        _label(planned[i])
        for i, place in enumerate(places)
        if i != number and place is not None and _clash(planned, (number, 0), (i, place))
    ]
    return ", ".join(names) or "other targets"


def _label(one: _Planned) -> str:
    region = one.question.region
    return "a target" if isinstance(region, Unavailable) else region.label


def _neighbours(chosen: tuple[Chosen, ...]) -> tuple[Neighbours, ...]:
    needles = [(i, t) for i, one in enumerate(chosen) for t in one.trajectories]
    bodies = {(i, t.rank): _body(t) for i, t in needles}
    pairs = [
        Neighbours(first=a, second=b, near=nearness(bodies[a], bodies[b]))
        for a, b in combinations(bodies, 2)
    ]
    near = [pair for pair in pairs if pair.near.distance_mm <= NEAR_MM]
    return tuple(sorted(near, key=lambda pair: pair.near.distance_mm))


def _height(question: Question) -> int:
    level = question.bone.level
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _explanation(chosen: tuple[Chosen, ...]) -> str:
    needles = sum(len(one.ranks) for one in chosen)
    served = sum(1 for one in chosen if one.ranks)
    head = f"{needles} needles for {served} of {len(chosen)} targets, none colliding."
    return " ".join([head, *(f"{one.label}: {one.reason}." for one in chosen), DISCLAIMER])
