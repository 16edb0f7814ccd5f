"""How well screws are read, over many specimens: ``python -m phantom screws --count 1000``."""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from phantom.specimens import Head, Specimen, errors, specimen
from planner.anatomy.model import Unavailable
from planner.anatomy.screw import screw_axis
from planner.case import Kind, Structure

LIMITS = {"head mm": 0.2, "tip mm": 0.2, "axis deg": 0.5, "diameter mm": 0.2}


def measured(one: Specimen) -> tuple[float, ...] | None:
    """Return the errors of a reading in the order of ``LIMITS``; None if there is no reading.

    Which end of a shaft without a head is its tip cannot be told from the shaft alone and does
    not count.
    """
    found = screw_axis(Structure(name="specimen", kind=Kind.SCREW, mesh=one.mesh))
    if isinstance(found, Unavailable):
        return None
    head, tip = found.head_mm, found.tip_mm
    if one.make.head is Head.NONE and (tip - head) @ (one.tip_mm - one.head_mm) < 0.0:
        head, tip = tip, head
    off_head, off_tip, off_axis = errors(one, head, tip)
    thick = abs(found.diameter_mm - one.make.diameter_mm)
    return off_head, off_tip, float(np.degrees(off_axis)), thick


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table of errors; exit status 0 if every screw lies within the limits, else 1."""
    parser = argparse.ArgumentParser(prog="python -m phantom screws", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many screws to make and read")
    parser.add_argument("--seed", type=int, default=0, help="settles sizes, poses and noise")
    arguments = parser.parse_args(argv)
    read = [measured(specimen(n, seed=arguments.seed)) for n in range(arguments.count)]
    found = np.array([r for r in read if r is not None])
    if len(found) == 0:
        sys.stdout.write("no screw was read\n")
        return 1
    within = (found < np.array(list(LIMITS.values()))).all(axis=1)
    sys.stdout.write(f"{'':12}{'median':>9}{'95 %':>9}{'largest':>9}{'limit':>9}\n")
    for (name, limit), column in zip(LIMITS.items(), found.T, strict=True):
        median, most, largest = np.quantile(column, [0.5, 0.95, 1.0])
        sys.stdout.write(f"{name:12}{median:9.3f}{most:9.3f}{largest:9.3f}{limit:9.2f}\n")
    good = int(within.sum())
    sys.stdout.write(
        f"{good} of {arguments.count} within all limits, {len(read) - len(found)} refused\n"
    )
    return 0 if good == arguments.count else 1
