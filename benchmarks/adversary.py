"""Attack the planner's certificates: is there a path that one of them says there is not?

    python -m benchmarks.adversary [CASE ...] [--target TARGET ...] [--needle NAME ...] [--paths N]

A certificate claims that no path of its class has a margin above its bound. Here other means look
for one: random paths, scipy's differential evolution, and Nelder and Mead's simplex from the best
of both. What they find is measured by trimesh (``adversary_space``). The bundled cases are attacked
unless others are named; a case's targets stand in its README.md, else its bones and halos are
taken. Exit status 1 says that a certificate was broken. ``--approach`` names other ways than the
usual three; bent paths are attacked by ``adversary_bent``.
"""

import argparse
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import shapely
from jaxtyping import Float
from scipy.optimize import differential_evolution, minimize

from api.samples import DEMO_CASE, sample_case
from api.schemas import PlanRequestDocument
from api.targets import target_from_short_form
from benchmarks.adversary_bent import Breeding, best_bent
from benchmarks.adversary_screen import Ceiling, ceiling_of, highest, spread
from benchmarks.adversary_space import (
    NO_PATH,
    Depths,
    Numbers,
    PathSpace,
    path_space,
    surroundings_of,
)
from geometry.arrays import Points
from planner.approach import Gate
from planner.case import Case, Kind
from planner.case_io import load_case
from planner.gates import gates_for
from planner.needles.catalogue import needle_named
from planner.needles.model import Needle
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.question import Question, question_of
from planner.request import Approach, PlanRequest
from planner.result import Certificate
from planner.target import TargetRegion

ROUNDING_MM = 1e-6
BATCH = 50_000
PROPOSALS = 100  # per path, before a cone is called too narrow to draw from
WORTH_A_LOOK = (1000, 200, 16)  # best of a batch kept at each look, beaten certificate or not
BENT_COST = 50  # a bent path is drawn for so many straight ones
MEMBERS = 40  # of the evolving population
CLIMBING_MM = 1e-3  # how exactly a climb measures on its way
NOWHERE_MM = -10.0  # below any slack that matters: a line that breaks a rule
HEADING = (
    f"{'case':24}{'target':30}{'class':46}{'drawn':>9}{'random':>9}{'evolved':>9}{'planner':>9}"
    f"{'bound':>9}  verdict"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to attack.

    Attributes:
        paths: Random paths for one target, shared out among its classes.
        lineages: Evolutions for each class, each from random lines of its own.
        generations: Of each of them.
        simplex: Exact measurements of each climb.
        spacing_mm: Grid on which paths are screened.
    """

    paths: int = 1_000_000
    lineages: int = 3
    generations: int = 250
    simplex: int = 150
    spacing_mm: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """What became of one certificate; margins in mm, None where no path was found.

    Attributes:
        certificate: It.
        drawn: Random lines through its window to its target.
        random_mm: Largest margin of a random path.
        evolved_mm: Largest margin that was bred or climbed to.
    """

    certificate: Certificate
    drawn: int
    random_mm: float | None
    evolved_mm: float | None

    @property
    def broken(self) -> bool:
        """Whether a path was found that the certificate says there is not."""
        found = [m for m in (self.random_mm, self.evolved_mm) if m is not None]
        bound = self.certificate.upper_bound_mm
        return bound is not None and any(m > bound + ROUNDING_MM for m in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker:
    """Attacks the lines of one class.

    Attributes:
        space: The lines.
        ceiling: Quick upper bounds of their slack.
        claimed_mm: The slack that none is said to exceed.
        effort: How hard to try.
        rng: Where chance comes from.
    """

    space: PathSpace
    ceiling: Ceiling
    claimed_mm: float
    effort: Effort
    rng: np.random.Generator

    def draw(self, count: int) -> Numbers:
        """Return random lines through the window, within the cone, that touch the target.

        Fewer than ``count`` where few random points of window and target make such a line.
        """
        kept: list[Numbers] = []
        wanted, left = count, PROPOSALS
        while wanted > 0 and left > 0:
            left -= 1
            lines = self._proposed(count)
            kept.append(lines[self.space.passes(lines)][:wanted])
            wanted -= len(kept[-1])
        return np.concatenate([np.empty((0, 4)), *kept])

    def _proposed(self, count: int) -> Numbers:
        """Return lines from points of the target back to the window's bounds, in the cone."""
        space, around = self.space, self.space.around
        low, high = around.corners.min(axis=0), around.corners.max(axis=0)
        ends = self.rng.uniform(low, high, size=(count, 3))
        ends = ends[(ends @ around.region.normals.T <= around.region.offsets).all(axis=1)]
        ends = (ends - space.gate.origin_mm) @ space.gate.axes.T
        ends = ends[ends[:, 2] > 0.0]
        cone = np.array([space.gate.lateral_slopes, space.gate.cranial_slopes])
        first = np.maximum(space.low[:2], ends[:, :2] - ends[:, 2:] * cone[:, 1])
        last = np.minimum(space.high[:2], ends[:, :2] - ends[:, 2:] * cone[:, 0])
        possible = (first <= last).all(axis=1)
        ends, first, last = ends[possible], first[possible], last[possible]
        gates = self.rng.uniform(first, last)
        far = space.reach_mm / ends[:, 2:]
        return np.hstack([gates, gates + (ends[:, :2] - gates) * far])

    def best_random(self, lines: Numbers) -> tuple[float, Numbers]:
        """Return the largest slack of some lines, and the line (one row; none if no path)."""
        start, step = self.space.placed(lines)
        first, _ = self.space.targeted(start, step)
        look = spread(np.zeros_like(first), first, 24)
        lines = lines[self._promising(highest(self.ceiling.rough, start, step, look), 0)]
        start, step = self.space.placed(lines)
        entry, first = self.space.entries(start, step), self.space.targeted(start, step)[0]
        lines = lines[self._promising(self._over(start, step, entry, first, 64), 1)]
        start, step = self.space.placed(lines)
        entry, tip = self.space.entries(start, step), self.space.tips(start, step)
        best, at = NO_PATH, np.empty((0, 4))
        for i in self._promising(self._over(start, step, entry, tip, 128), 2):
            slack = self.space.slack(lines[i])
            if slack > best:
                best, at = slack, lines[i : i + 1]
            if best > self.claimed_mm + ROUNDING_MM:
                break
        return best, at

    def _over(self, start: Points, step: Points, entry: Depths, end: Depths, count: int) -> Depths:
        """Return upper bounds of the slack from entry to end; minus infinity for no path."""
        length = (end - entry) * np.linalg.norm(step, axis=1)
        some = np.flatnonzero(length <= self.space.usable_mm)
        bound = np.full(len(start), NO_PATH)
        if len(some):
            look = spread(entry[some], end[some], count)
            bound[some] = highest(self.ceiling.fine, start[some], step[some], look)
        return bound

    def _promising(self, bounds: Depths, look: int) -> np.ndarray:
        """Return, best first, what might break the certificate, and the best few anyway."""
        order = np.argsort(-bounds)
        order = order[bounds[order] > NO_PATH]
        breaks = int((bounds > self.claimed_mm).sum())
        return order[: max(breaks, WORTH_A_LOOK[look])]

    def fitness(self, lines: Numbers) -> Depths:
        """Return about the slack of each line, or far less the more rules it breaks."""
        space = self.space
        start, step = space.placed(lines)
        entry = space.entries(start, step)
        first, last = space.targeted(start, step)
        inside = np.isfinite(first) & (first <= last)
        tips = spread(np.where(inside, first, 0.0), np.where(inside, last, 0.0), 32)
        points = start[:, None] + tips[:, :, None] * step[:, None]
        held = self.ceiling.holds(points.reshape(-1, 3)).reshape(tips.shape)
        tip = tips[np.arange(len(tips)), held.argmax(axis=1)]
        bound = self._over(
            start, step, entry, np.where(inside & held.any(axis=1), tip, np.nan), 192
        )
        return np.where(space.passes(lines) & np.isfinite(bound), bound, NOWHERE_MM - self._astray(
            lines, np.nan_to_num(first - last, nan=100.0, posinf=100.0), tip - entry
        ))  # fmt: skip

    def _astray(self, lines: Numbers, missed: Depths, depth: Depths) -> Depths:
        """Return how far lines are from keeping the rules, mm."""
        space = self.space
        slopes = (lines[:, 2:] - lines[:, :2]) / space.reach_mm
        cone = np.array([space.gate.lateral_slopes, space.gate.cranial_slopes])
        steep = np.maximum(cone[:, 0] - slopes, slopes - cone[:, 1]).clip(0.0).sum(axis=1)
        outside = shapely.distance(space.gate.window, shapely.points(lines[:, :2]))
        long = np.nan_to_num(depth, nan=space.usable_mm) - space.usable_mm
        return outside + space.reach_mm * steep + missed.clip(0.0) + long.clip(0.0)

    def evolve(self) -> Float[np.ndarray, " 4"]:
        """Return the fittest line that differential evolution breeds from random ones."""
        first = self.draw(MEMBERS)
        more = self.rng.uniform(self.space.low, self.space.high, size=(MEMBERS - len(first), 4))
        found = differential_evolution(
            lambda x: -self.fitness(x.T), np.column_stack([self.space.low, self.space.high]),
            vectorized=True, updating="deferred", strategy="rand1bin", polish=False, tol=0.0,
            init=np.concatenate([first, more]), maxiter=self.effort.generations, rng=self.rng,
        )  # fmt: skip
        return np.asarray(found.x)

    def climb(self, start: Float[np.ndarray, " 4"]) -> float:
        """Return the largest slack that a simplex reaches from a line, measured exactly."""
        best, at = NO_PATH, start

        def short_of(x: Float[np.ndarray, " 4"]) -> float:
            nonlocal best, at
            slack = self.space.slack(x, CLIMBING_MM)
            best, at = max((best, at), (slack, x.copy()), key=itemgetter(0))
            return -slack if slack > NO_PATH else -float(self.fitness(x[None])[0]) - NOWHERE_MM

        simplex = start + 0.3 * np.vstack([np.zeros(4), np.eye(4)])
        minimize(
            short_of, start, method="Nelder-Mead",
            options={"maxfev": self.effort.simplex, "initial_simplex": simplex},
        )  # fmt: skip
        return self.space.slack(at)


def attack_target(
    prepared: PreparedCase,
    request: PlanRequest,
    certificates: Sequence[Certificate],
    effort: Effort,
) -> Iterator[Attacked]:
    """Attack the certificates of one plan that claim a number.

    Args:
        prepared: The case.
        request: What was asked.
        certificates: What was claimed.
        effort: How hard to try.
    """
    question = question_of(prepared, request)
    region = question.region
    claims = [c for c in certificates if c.upper_bound_mm is not None]
    if not isinstance(region, TargetRegion) or not claims:
        return
    around = surroundings_of(question, region)
    ceiling = ceiling_of(around, effort.spacing_mm)
    needles = [needle_named(name) for name in request.needles]
    gates, _ = gates_for(question, request.approaches, request.sides, needles)
    classes = {(g.approach, g.side, n.name): (g, n) for g, n in gates}
    for claim in claims:
        gate, needle = classes[claim.approach, claim.side, claim.needle]
        if gate.window.is_empty or claim.upper_bound_mm is None:
            yield Attacked(certificate=claim, drawn=0, random_mm=None, evolved_mm=None)
            continue
        if needle.curved is not None or gate.contact is not None:
            yield _attacked_bent(question, claim, (gate, needle), ceiling, effort)
            continue
        attacker = Attacker(
            space=path_space(around, gate, needle.usable_length_mm), ceiling=ceiling,
            claimed_mm=claim.upper_bound_mm + needle.radius_mm, effort=effort,
            rng=np.random.default_rng(zlib.crc32(claim.statement.encode())),
        )  # fmt: skip
        yield _attacked(claim, attacker, needle.radius_mm, effort.paths // len(claims))


def _attacked(claim: Certificate, attacker: Attacker, radius_mm: float, paths: int) -> Attacked:
    best, at, drawn = NO_PATH, np.empty((0, 4)), 0
    for wanted in [BATCH] * (paths // BATCH) + [paths % BATCH]:
        lines = attacker.draw(wanted)
        drawn += len(lines)
        slack, line = attacker.best_random(lines)
        best, at = (slack, line) if slack > best else (best, at)
    bred = max(
        (attacker.evolve() for _ in range(attacker.effort.lineages)), key=attacker.space.slack
    )
    evolved = max(attacker.climb(start) for start in (bred, *at))
    return Attacked(
        certificate=claim, drawn=drawn, random_mm=_margin(best, radius_mm),
        evolved_mm=_margin(evolved, radius_mm),
    )  # fmt: skip


def _attacked_bent(
    question: Question,
    claim: Certificate,
    way: tuple[Gate, Needle],
    ceiling: Ceiling,
    effort: Effort,
) -> Attacked:
    drawn, radius = effort.paths // BENT_COST, way[1].radius_mm
    breeding = Breeding(drawn=drawn, generations=effort.generations, simplex=effort.simplex)
    rng = np.random.default_rng(zlib.crc32(claim.statement.encode()))
    random, evolved = best_bent(question, *way, ceiling, breeding, rng)
    return Attacked(
        certificate=claim, drawn=drawn, random_mm=_margin(random, radius),
        evolved_mm=_margin(evolved, radius),
    )  # fmt: skip


def _margin(slack: float, radius_mm: float) -> float | None:
    return slack - radius_mm if slack > NO_PATH else None


def targets_of(folder: Path, case: Case) -> list[str]:
    """Return the targets that a bundle's README.md names, else its bones and halos, in short."""
    readme = folder / "README.md"
    named = re.findall(r"`({[^`]*})`", readme.read_text("utf-8")) if readme.is_file() else []
    if named:
        return [":".join(json.loads(target).values()) for target in named]
    loose = {(halo.level, halo.side) for halo in case.of_kind(Kind.HALO)}
    screws = [s.name for s in case.of_kind(Kind.SCREW) if (s.level, s.side) in loose]
    bones = [f"anterior_body:{b.level}" for b in case.of_kind(Kind.VERTEBRA) if b.level]
    return [*bones, *(f"screw_halo:{name}" for name in screws)]


def row(case: str, target: str, attacked: Attacked) -> str:
    """Return what became of one certificate, as a line under ``HEADING``."""
    claim = attacked.certificate
    verdict = "BROKEN" if attacked.broken else f"holds ({claim.status})"
    margins = (attacked.random_mm, attacked.evolved_mm, claim.best_margin_mm, claim.upper_bound_mm)
    numbers = "".join(f"{'none':>9}" if m is None else f"{m:9.3f}" for m in margins)
    way = f"{claim.approach} {claim.side} {claim.needle}"
    return f"{case:24}{target:30}{way:46}{attacked.drawn:9d}{numbers}  {verdict}"


def main(argv: Sequence[str]) -> int:
    """Attack cases and print what became of their certificates; 1 if one was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adversary", description=__doc__)
    parser.add_argument("cases", nargs="*", type=Path, metavar="CASE", help="folder of a bundle")
    parser.add_argument("--target", action="append", metavar="TARGET", help="anterior_body:L3 ...")
    parser.add_argument("--needle", action="append", metavar="NAME", help="the default ones else")
    parser.add_argument("--paths", type=int, default=Effort().paths, help="random, for a target")
    parser.add_argument("--approach", action="append", type=Approach, help="along_screw ...")
    arguments = parser.parse_args(argv)
    effort = Effort(paths=arguments.paths)
    needles = {"needles": arguments.needle} if arguments.needle else {}
    bundled = sorted(f.parent for f in sample_case(DEMO_CASE).parent.glob("*/case.json"))
    print(HEADING)
    broken = 0
    for folder in arguments.cases or bundled:
        prepared = PreparedCase(load_case(folder))
        for target in arguments.target or targets_of(folder, prepared.case):
            document = {"target": target_from_short_form(target), **needles}
            request = PlanRequestDocument.model_validate(document).request()
            if arguments.approach:
                request = replace(request, approaches=tuple(arguments.approach))
            certificates = plan(prepared, request).certificates
            for attacked in attack_target(prepared, request, certificates, effort):
                print(row(folder.name, target, attacked), flush=True)
                broken += attacked.broken
    print(f"{broken} certificates broken" if broken else "every certificate holds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
