"""The final table: what was aimed for, what was reached, and what stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.report import Cell, Reached, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One aim: a figure that is to be at least, or at most, something.

    Attributes:
        goal: What is measured.
        figure: The key of the figure in a run; empty where nothing measures it.
        least: The figure shall be at least this.
        most: The figure shall be at most this.
        unit: Its unit; "x" for a ratio.
        instead: Why nothing measures it.
    """

    goal: str
    figure: str = ""
    least: float | None = None
    most: float | None = None
    unit: str = "x"
    instead: str = ""

    @property
    def aim(self) -> str:
        """The bar in words."""
        if self.least is not None:
            return f">= {self.least:,g} {self.unit}"
        return f"<= {self.most:,g} {self.unit}" if self.most is not None else "-"

    def met(self, value: float) -> str:
        """Whether a figure clears the bar."""
        low = self.least is None or value >= self.least
        return "yes" if low and (self.most is None or value <= self.most) else "no"


BARS = (
    Bar(goal="per structure, against coal.distance", figure="exact/coal", least=8.0),
    Bar(goal="per structure, against python-fcl", figure="exact/fcl", least=14.0),
    Bar(goal="per structure, against libigl at 1 mm samples", figure="exact/igl", least=45.0),
    Bar(goal="agreement with coal", figure="exact/agreement", most=1e-9, unit="mm"),
    Bar(goal="combined, exact, against coal per structure", figure="combined/coal", least=100.0),
    Bar(goal="combined, field, against scipy map_coordinates", figure="field/scipy", least=25.0),
    Bar(
        goal="combined, field, against warp on the CPU", least=4.0,
        instead="warp is no peer here: 400 MB for one row",
    ),
    Bar(goal="yes or no, against vtkOBBTree", figure="yes/obb", least=4000.0),
    Bar(goal="yes or no, against coal.collide", figure="yes/coal", least=250.0),
    Bar(goal="yes or no, against Embree without radius", figure="yes/embree", least=3.0),
    Bar(goal="a class proved to 0.25 mm", figure="search/answer", most=50.0, unit="core-ms"),
    Bar(
        goal="proof that no path has 0.5 mm more", figure="search/refusal", most=15.0,
        unit="core-ms",
    ),
    Bar(goal="a class, against dense sampling", figure="search/dense", least=300.0),
    Bar(
        goal="five numbers, 0.25 mm", most=0.5, unit="s",
        instead="no such class: depth is solved along each line",
    ),
    Bar(goal="every default class, in single proofs", figure="search/all", most=20.0),
    Bar(goal="a curved class proved to 0.5 mm", figure="search/curved", most=3.0, unit="s"),
    Bar(goal="drag, proved anew, p99 per class", figure="drag/p99", most=5.0, unit="ms"),
    Bar(goal="throw-off view, agreement with pixels", figure="throw_off/agreement", most=0.02,
        unit=""),
    Bar(goal="throw-off view, against counting pixels", figure="throw_off/pixels", least=100.0),
    Bar(goal="meshes to ready, two cores", figure="ready/scene", most=1.2, unit="s"),
    Bar(
        goal="signed distance per node, against Open3D", figure="ready/dense", least=2.5
    ),
    Bar(goal="field per node near surfaces, against Open3D", figure="ready/near", least=15.0),
    Bar(goal="warm start, import to first plan", figure="start/warm", most=1.5, unit="core-s"),
    Bar(goal="cold compile", figure="start/compile", most=30.0, unit="core-s"),
    Bar(
        goal="answers identical for one and two threads", most=None, unit="",
        instead="not a time: the tests assert it",
    ),
)  # fmt: skip


def final(reached: Mapping[str, Reached]) -> Table:
    """Return every bar with what this run reached, including those it did not touch."""
    return Table(
        title="Bars", columns=("goal", "bar", "reached", "met", "what limits it"),
        rows=[_row(bar, reached.get(bar.figure)) for bar in BARS],
    )  # fmt: skip


def _row(bar: Bar, here: Reached | None) -> tuple[Cell, ...]:
    if here is None:
        why = bar.instead or "not run, or its peer is missing"
        return (bar.goal, bar.aim, None, "not measured", why)
    return (bar.goal, bar.aim, here.value, bar.met(here.value), here.limit)
