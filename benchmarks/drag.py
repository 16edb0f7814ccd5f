"""Dragging a point target: every answer proved anew."""

from importlib.util import find_spec

from benchmarks.report import Section, Table
from benchmarks.scenes import Surroundings
from benchmarks.timing import Pace


def dragged(_around: Surroundings, _pace: Pace) -> Section:
    """Measure replanning of a moving target."""
    there = "there" if find_spec("planner.live") else "not there"
    return Section(tables=[Table(title="g. Drag", columns=("planner.live",), rows=[(there,)])])
