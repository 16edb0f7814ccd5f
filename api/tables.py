"""Plans, paths and cases as tables for a person at a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console, RenderableType
from rich.table import Table

from api import DISCLAIMER
from api.documents import angle_deg, primary_deg
from geometry.mesh import Problem
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import Pedicle, Unavailable, VertebraAnatomy
from planner.case import Case, Side
from planner.result import Certificate, Clearance, Plan, Trajectory, View, ViewRole
from planner.why_not import told


def print_plan(console: Console, plan: Plan) -> None:
    """Print a plan: ranked trajectories, what was searched, the explanation, what would open ways.

    The explanation ends with what it must not be used for.
    """
    if plan.trajectories:
        console.print(_ranking(plan.trajectories, "Trajectories, best first"))
    console.print(_certificates(plan.certificates))
    console.print(f"\n[bold]{plan.outcome.value.replace('_', ' ')}[/bold]: ", end="")
    console.print(plan.explanation, markup=False)
    for c in plan.certificates:
        if c.openings:
            way = f"{c.approach.value} {c.side.value} {c.needle}"
            console.print(f"  {way}: {told(c.openings)}", markup=False)
    for trajectory in plan.trajectories:
        for caution in trajectory.cautions:
            console.print(f"  {trajectory.rank}: {caution}", markup=False)
    for warning in plan.warnings:
        console.print(f"  warning: {warning}", markup=False)


def print_trajectory(console: Console, trajectory: Trajectory) -> None:
    """Print one measured path with every clearance, nearest first."""
    console.print(_ranking((trajectory,), "The path as it was drawn"))
    console.print(_clearances(trajectory.clearances))
    for caution in trajectory.cautions:
        console.print(f"  {caution}", markup=False)
    _print_disclaimer(console)


def print_case(console: Console, case: Case, anatomy: CaseAnatomy) -> None:
    """Print what was read: structures with their problems, and the derived anatomy."""
    console.print(_structures(case))
    console.print(_vertebrae(anatomy.vertebrae))
    for warning in case.warnings:
        console.print(f"  {_sentence(warning)}", markup=False)
    for name, vertebra in anatomy.vertebrae.items():
        for sentence in () if isinstance(vertebra, Unavailable) else vertebra.warnings:
            console.print(f"  {name}: {sentence}", markup=False)
    _print_disclaimer(console)


def _print_disclaimer(console: Console) -> None:
    console.print(f"\n[dim]{DISCLAIMER}[/dim]")


def _table(title: str, columns: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table


def _ranking(trajectories: Sequence[Trajectory], title: str) -> RenderableType:
    numbers = ("rank", "margin mm", "length mm")
    table = _table(
        title,
        ("rank", "approach", "side", "needle", "margin mm", "limited by", "length mm",
         "bull's-eye, DICOM", "on the console"),
        numbers,
    )  # fmt: skip
    for trajectory in trajectories:
        view = next((v for v in trajectory.views if v.role is ViewRole.BULLS_EYE), None)
        table.add_row(
            str(trajectory.rank or "-"),
            trajectory.approach.value if trajectory.approach else "none of the known",
            trajectory.side.value if trajectory.side else "-",
            trajectory.needle,
            f"{trajectory.margin_mm:.2f}",
            trajectory.limiting_structure or "-",
            f"{trajectory.length_mm:.1f}",
            *(_angles(view) if view else ("-", "-")),
        )
    return table


def _angles(view: View) -> tuple[str, str]:
    reach = "" if view.reachable else " (out of reach)"
    return (
        f"{_pair(view.primary_rad, view.secondary_rad)}  {view.label}",
        f"{_pair(view.console_primary_rad, view.console_secondary_rad)}{reach}",
    )


def _pair(primary_rad: float, secondary_rad: float) -> str:
    return f"{primary_deg(primary_rad):.1f} / {angle_deg(secondary_rad):.1f}"


def _certificates(certificates: Sequence[Certificate]) -> RenderableType:
    table = _table(
        "What was searched",
        ("approach", "side", "needle", "status", "best margin mm", "upper bound mm", "limited by"),
        ("best margin mm", "upper bound mm"),
    )
    for certificate in certificates:
        table.add_row(
            certificate.approach.value,
            certificate.side.value,
            certificate.needle,
            certificate.status.value,
            _millimetres(certificate.best_margin_mm),
            _millimetres(certificate.upper_bound_mm),
            ", ".join(certificate.limiting_structures) or "-",
        )
    return table


def _clearances(clearances: Sequence[Clearance]) -> RenderableType:
    table = _table(
        "Distances, surface to surface",
        ("structure", "kind", "distance mm", "required mm", "margin mm", "at depth mm", ""),
        ("distance mm", "required mm", "margin mm", "at depth mm"),
    )
    for clearance in sorted(clearances, key=lambda c: c.distance_mm):
        table.add_row(
            clearance.structure,
            clearance.kind.value,
            _millimetres(clearance.distance_mm),
            _millimetres(clearance.required_mm),
            _millimetres(clearance.margin_mm),
            _millimetres(clearance.at_depth_mm),
            _part(clearance),
        )
    return table


def _part(clearance: Clearance) -> str:
    """Say why a structure counts otherwise than by its margin."""
    if clearance.traversed:
        return "entered on purpose"
    if clearance.contact_allowed:
        return "may be touched"
    return "advisory" if clearance.advisory else ""


def _structures(case: Case) -> RenderableType:
    table = _table(
        "Structures",
        ("structure", "kind", "level", "side", "triangles", "problems"),
        ("triangles",),
    )
    for structure in case.structures:
        table.add_row(
            structure.name,
            structure.kind.value,
            structure.level or "-",
            structure.side.value if structure.side else "-",
            str(len(structure.mesh.faces)),
            "\n".join(_sentence(problem) for problem in structure.problems) or "none",
        )
    return table


def _sentence(problem: Problem) -> str:
    return f"{problem.severity.value}: {problem.message}"


def _vertebrae(vertebrae: Mapping[str, VertebraAnatomy | Unavailable]) -> RenderableType:
    table = _table(
        "Pedicles at their isthmus",
        ("vertebra", "level", "left, width x height mm", "right, width x height mm"),
    )
    for name, vertebra in vertebrae.items():
        if isinstance(vertebra, Unavailable):
            table.add_row(name, "-", vertebra.reason, "-")
        else:
            sides = (_isthmus(vertebra.pedicles.get(side)) for side in Side)
            table.add_row(name, vertebra.level, *sides)
    return table


def _isthmus(pedicle: Pedicle | Unavailable | None) -> str:
    if pedicle is None:
        return "-"
    if isinstance(pedicle, Unavailable):
        return pedicle.reason
    return f"{pedicle.width_mm:.1f} x {pedicle.height_mm:.1f}"


def _millimetres(value: float | None) -> str:
    if value is None:
        return "-"
    # A bound a hair below zero decides between found and infeasible: it is not shown as zero.
    return f"{value:.2f}" if value == 0.0 or abs(value) >= 0.005 else f"{value:.4f}"
