"""Voxelises a case, imports it again, and compares the plans: what does segmentation cost?

    python -m benchmarks.round_trip [CASE] [--target anterior_body:L3] [--needle 15G-bevel-150 ...]
                                    [--spacing 0.5,0.5,1] [--error 0.5] [--over]
                                    [--only NAME ...]

The metal is one mask, which the import splits again. With --over the metal is cut out of the bone,
as in a single label map. The imported case states an error, by which every limit is wider; so that
only the voxels are left to tell the two apart, the same error is stated of the original. Plans are
compared class by class: whether it has a safe path, its best margin, and what its best path has in
the other case. The exit status is 1 if a class is safe in one of them only, or a margin differs by
more than the longest edge of a voxel.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import nibabel
import numpy as np
from jaxtyping import Float

from api.samples import sample_case
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form
from exchange.importing import Stated, import_case
from exchange.labels import NO_TABLE, LabelTable
from exchange.source import read_sources
from phantom.voxels import LabelMap, scanned
from planner.case import Case
from planner.case_io import load_case
from planner.needles.catalogue import DEFAULT_NEEDLES
from planner.needles.path import Line
from planner.planning import evaluate, plan_with_proof
from planner.prepared import PreparedCase
from planner.proof import Proof
from planner.request import EvaluationRequest, PlanRequest
from planner.result import Plan

Ends: TypeAlias = Float[np.ndarray, "2 3"]  # skin entry and tip, patient LPS, mm


def imported(
    case: Case, spacing_mm: tuple[float, float, float], error_mm: float, *, over: bool = False
) -> Case:
    """Return a case as it comes back from voxels."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        anatomy, metal = scanned(case, spacing_mm)
        names = {number: name for name, number in anatomy.names.items()}
        labels = anatomy.labels.copy()
        if metal is not None and over:
            number = len(names) + 1
            labels[metal.labels > 0], names[number] = number, "metal"
        files = [_saved(folder / "anatomy.nii", labels, anatomy)]
        if metal is not None and not over:
            files.append(_saved(folder / "metal.nii", metal.labels, metal))
        table = LabelTable(names=names, roles={})
        scans = [read_sources([file], table if k == 0 else NO_TABLE, None)
                 for k, file in enumerate(files)]  # fmt: skip
        scan = type(scans[0])(parts=tuple(part for one in scans for part in one.parts))
        stated = Stated(labels=NO_TABLE, error_mm=error_mm)
        made_case = import_case(scan, stated, folder / "case")
        for note in made_case.notes:
            print(f"- {note}")
        return made_case.case


def _saved(path: Path, labels: np.ndarray, grid: LabelMap) -> Path:
    nibabel.save(nibabel.Nifti1Image(labels, grid.ras_from_voxel), path)
    return path


def stating(case: Case, error_mm: float) -> Case:
    """Return a case whose surfaces are said to be off by up to so much."""
    said = tuple(replace(s, segmentation_error_mm=error_mm) for s in case.structures)
    return replace(case, structures=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One class in a case and in its import, the same error stated of both.

    Attributes:
        name: Approach, side and needle.
        ended: The statements of its certificates.
        best_mm: Its best margins; None where no path ends in the target.
        elsewhere_mm: The margin of each case's best path, measured in the other case.
        moved_mm: How far skin entry and tip of the best path lie from each other in the two.
    """

    name: str
    ended: tuple[str, str]
    best_mm: tuple[float | None, float | None]
    elsewhere_mm: tuple[float | None, float | None]
    moved_mm: tuple[float, float] | None

    @property
    def off_mm(self) -> float:
        """The largest change of a margin: of the best, or of a path carried over."""
        (was, now), (there, back) = self.best_mm, self.elsewhere_mm
        pairs = ((was, now), (was, there), (now, back))
        return max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0)

    @property
    def is_safe(self) -> bool:
        """Whether the case has a safe path of this class."""
        return _is_safe(self.best_mm[0])

    @property
    def is_alike(self) -> bool:
        """Whether both have a safe path, or neither."""
        return self.is_safe == _is_safe(self.best_mm[1])


def _is_safe(best_mm: float | None) -> bool:
    return best_mm is not None and best_mm >= 0.0


def compared(
    before: Case, after: Case, request: PlanRequest
) -> tuple[Plan, Plan, tuple[Compared, ...]]:
    """Plan in a case and in its import and compare all classes; straight paths only.

    Args:
        before: The case, with the error that the import states.
        after: Its import.
        request: What is asked of both; its target has to be in both under one name.
    """
    cases = PreparedCase(before), PreparedCase(after)
    (plan, proof), (again, proof_again) = (plan_with_proof(case, request) for case in cases)
    first, second = (_best_paths(one) for one in (proof, proof_again))

    def rows() -> Iterator[Compared]:
        for was, now in zip(plan.certificates, again.certificates, strict=True):
            name = f"{was.approach} {was.side} {was.needle}"
            mine, theirs = first.get(name), second.get(name)
            yield Compared(
                name=name, ended=(was.statement, now.statement),
                best_mm=(was.best_margin_mm, now.best_margin_mm),
                elsewhere_mm=(
                    None if mine is None else _margin(cases[1], mine, was.needle, request),
                    None if theirs is None else _margin(cases[0], theirs, was.needle, request),
                ),
                moved_mm=_moved(mine, theirs),
            )  # fmt: skip

    return plan, again, tuple(rows())


def _best_paths(proof: Proof) -> dict[str, Ends]:
    """Return skin entry and tip of the best path of each class that has one."""
    paths = ((f"{c.approach} {c.side} {c.needle}", c.best_path) for c in proof.classes)
    return {name: path for name, path in paths if path is not None}


def _margin(case: PreparedCase, ends: Ends, needle: str, request: PlanRequest) -> float:
    """Return what a path has in a case, mm."""
    entry, tip = ends
    asked = EvaluationRequest(
        path=(Line(start_mm=entry, end_mm=tip),), needle=needle, target=request.target,
        policy=request.policy,
    )  # fmt: skip
    return evaluate(case, asked).margin_mm


def _moved(was: Ends | None, now: Ends | None) -> tuple[float, float] | None:
    if was is None or now is None:
        return None
    entry, tip = np.linalg.norm(now - was, axis=1)
    return float(entry), float(tip)


def main(argv: list[str]) -> int:
    """Make the round trip of one case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", type=Path)
    parser.add_argument("--target", default="anterior_body:L3")
    parser.add_argument("--needle", nargs="*", default=DEFAULT_NEEDLES)
    parser.add_argument("--spacing", default="0.5,0.5,1")
    parser.add_argument("--error", type=float, default=0.5)
    parser.add_argument("--over", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of the structures to keep; all by default")
    asked = parser.parse_args(argv)
    a, b, c = (float(edge) for edge in asked.spacing.split(","))
    case = load_case(asked.case or sample_case("lumbar-fracture"))
    if asked.only:
        kept = tuple(s for s in case.structures if s.name in asked.only)
        case = replace(case, structures=kept)
    start = time.perf_counter()
    again = imported(case, (a, b, c), asked.error, over=asked.over)
    print(f"- voxels {asked.spacing} mm; imported in {time.perf_counter() - start:.0f} s")
    print(f"- structures: {', '.join(f'{s.name} ({s.kind})' for s in again.structures)}")
    target = target_from_short_form(asked.target)
    document = {"target": target, "needles": list(asked.needle)}
    request = checked(PlanRequestDocument, document).request()
    before, after, rows = compared(stating(case, asked.error), again, request)
    print(f"- {before.explanation}\n- {after.explanation}")
    return _told(before, after, rows, max(a, b, c))


def _told(before: Plan, after: Plan, rows: tuple[Compared, ...], voxel_mm: float) -> int:
    """Print the comparison; return the exit status."""
    columns = (
        "class", "best margin", "imported", "its path there", "and back", "off",
        "entry moved", "tip moved",
    )  # fmt: skip
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for one in rows:
        figures = (*one.best_mm, *one.elsewhere_mm, one.off_mm, *(one.moved_mm or (None, None)))
        cells = ("-" if f is None else f"{f:.2f}" for f in figures)
        print(f"| {one.name} | {' | '.join(cells)} |")
    for plan, name in ((before, "before"), (after, "imported")):
        for t in plan.trajectories[:3]:
            ends = f"{_rounded(t.path[0].start_mm)} to {_rounded(t.path[-1].end_mm)}"
            way = f"{t.approach} {t.side} {t.needle}"
            print(f"- {name} {t.rank}: {way}, margin {t.margin_mm:.2f}, {ends}")
    apart = [one.name for one in rows if not one.is_alike]
    for one in rows:
        if not one.is_alike:
            print(f"- {one.name}: before: {one.ended[0]} Imported: {one.ended[1]}")
    off_mm = max((one.off_mm for one in rows), default=0.0)
    print(f"- {len(rows)} classes; safe in one case only: {', '.join(apart) or 'none'}")
    print(f"- margins differ by {off_mm:.2f} mm at most; a voxel's longest edge is {voxel_mm:g} mm")
    return int(bool(apart) or off_mm > voxel_mm)


def _rounded(point_mm: Float[np.ndarray, "3"]) -> str:
    return np.array2string(point_mm, precision=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
