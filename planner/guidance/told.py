"""What is told about a measured path beside its safety: cement, a tamp, the tip in a lucency."""

from dataclasses import replace

from geometry.arrays import Point
from planner.guidance.cement import cement_guidance
from planner.guidance.tamp import tamp_advice
from planner.needles.catalogue import needle_named
from planner.question import Question
from planner.result import Trajectory
from planner.tip_overlap import halo_overlap


def guided(question: Question, path: Trajectory) -> Trajectory:
    """Return a trajectory with what its target asks for to be told."""
    return replace(
        path,
        cement=cement_guidance(question, tips_of(path)),
        tamp=tamp_advice(question, path),
        halo_overlap=halo_overlap(question, needle_named(path.needle), path.path),
    )


def tips_of(path: Trajectory) -> tuple[Point, ...]:
    """Return where a needle's tip comes to lie: once, or twice if it is turned."""
    second = () if path.second_arc is None else (path.second_arc.path[-1].end_mm,)
    return (path.tip_mm, *second)
