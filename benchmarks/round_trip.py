"""Voxelises a case, imports it again, and compares the plans: what does segmentation cost?

    python -m benchmarks.round_trip [CASE] [--target anterior_body:L3] [--spacing 0.5,0.5,1]
                                    [--error 0.5] [--over]

The metal is one mask, which the import splits again. With --over the metal is cut out of the bone,
as in a single label map. Plans are compared class by class: the best margin of each, which must
have fallen by the stated error, give or take a voxel.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np

from api.samples import sample_case
from api.schemas import PlanRequestDocument, checked
from api.targets import target_from_short_form
from exchange.importing import Stated, import_case
from exchange.labels import NO_TABLE, LabelTable
from exchange.source import read_sources
from phantom.voxels import LabelMap, scanned
from planner.case import Case
from planner.case_io import load_case
from planner.planning import plan
from planner.prepared import PreparedCase
from planner.request import PlanRequest
from planner.result import Plan


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


def compared(before: Plan, after: Plan, error_mm: float) -> list[tuple[str, float, float, float]]:
    """Return each class of both plans with its best margins, and by how much more they differ.

    The difference is (after + error) - before, mm: 0 if the import changed nothing.
    """
    found = {(c.approach, c.side, c.needle): c.best_margin_mm for c in after.certificates}
    rows = []
    for c in before.certificates:
        margin = found.get((c.approach, c.side, c.needle))
        if c.best_margin_mm is not None and margin is not None:
            rows.append((
                f"{c.approach} {c.side} {c.needle}", c.best_margin_mm, margin,
                margin + error_mm - c.best_margin_mm,
            ))  # fmt: skip
    return rows


def main(argv: list[str]) -> int:
    """Make the round trip of one case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", type=Path)
    parser.add_argument("--target", default="anterior_body:L3")
    parser.add_argument("--spacing", default="0.5,0.5,1")
    parser.add_argument("--error", type=float, default=0.5)
    parser.add_argument("--over", action="store_true")
    asked = parser.parse_args(argv)
    a, b, c = (float(edge) for edge in asked.spacing.split(","))
    case = load_case(asked.case or sample_case("lumbar-fracture"))
    start = time.perf_counter()
    again = imported(case, (a, b, c), asked.error, over=asked.over)
    print(f"- voxels {asked.spacing} mm; imported in {time.perf_counter() - start:.0f} s")
    print(f"- structures: {', '.join(f'{s.name} ({s.kind})' for s in again.structures)}")
    target = target_from_short_form(asked.target)
    request = checked(PlanRequestDocument, {"target": target}).request()
    before, after = (_planned(one, request) for one in (case, again))
    print(f"- {before.explanation}\n- {after.explanation}")
    print("\n| class | before | imported | difference beyond the error |\n|---|---|---|---|")
    for name, was, now, off in compared(before, after, asked.error):
        print(f"| {name} | {was:.2f} | {now:.2f} | {off:+.2f} |")
    for one, name in ((before, "before"), (after, "imported")):
        for t in one.trajectories[:3]:
            entry, tip = t.path[0].start_mm, t.path[-1].end_mm
            print(f"- {name} {t.rank}: {t.approach} {t.side} {t.needle}, margin {t.margin_mm:.2f}, "
                  f"entry {np.round(entry, 1)}, tip {np.round(tip, 1)}")  # fmt: skip
    return 0


def _planned(case: Case, request: PlanRequest) -> Plan:
    return plan(PreparedCase(case), request)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
