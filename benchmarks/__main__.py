"""Measure this project against the libraries a planner could be built on.

    python -m benchmarks [NAME ...] [--quick] [--json FILE]

Nothing here asserts a time, and a peer that is not installed is named as missing. The peers come
with ``python3 go.py bench``, which sets them up and runs this.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its matrices here are tiny

from benchmarks import bars, clearance, cohort, curved, drag, scaling, search, start, throw_off
from benchmarks.report import Section, machine, markdown, written
from benchmarks.scenes import Surroundings, bundled, fine, surroundings
from benchmarks.timing import FULL, QUICK, Pace


class Setting:
    """What the benchmarks share; each part is built when it is first wanted."""

    def __init__(self, *, quick: bool) -> None:
        self.pace: Pace = QUICK if quick else FULL
        self._quick = quick

    @cached_property
    def bundled(self) -> Surroundings:
        """The sample case as it comes."""
        return surroundings(bundled())

    @cached_property
    def fine(self) -> Surroundings:
        """The same case with about 200,000 triangles; as it comes in a quick run."""
        return self.bundled if self._quick else surroundings(fine())


BENCHMARKS: Mapping[str, Callable[[Setting], Section]] = {
    "structures": lambda s: clearance.per_structure(s.fine, s.pace),
    "combined": lambda s: clearance.combined(s.fine, s.pace),
    "threshold": lambda s: clearance.yes_or_no(s.fine, s.pace),
    "search": lambda s: search.proofs(s.fine, s.pace),
    "scaling": lambda s: scaling.scaled(s.bundled.question.prepared.case, s.pace),
    "start": lambda s: start.ready(s.fine, s.pace),
    "drag": lambda s: drag.dragged(s.bundled, s.pace),
    "cohort": lambda s: cohort.scaled(s.pace),
    "curved": lambda s: curved.compared(starts=10 if s.pace is FULL else 3),
    "throw_off": lambda s: throw_off.searched(s.bundled, s.pace),
}


def main(argv: list[str]) -> int:
    """Run the benchmarks that are named, all by default; print tables as they are done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small scene, few repeats")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    setting = Setting(quick=arguments.quick)
    for name, value in machine().items():
        print(f"- {name}: {value}")
    sections: dict[str, Section] = {}
    for name in arguments.names or BENCHMARKS:
        sections[name] = BENCHMARKS[name](setting)
        for table in sections[name].tables:
            print(f"\n{markdown(table)}", flush=True)
    reached = {k: v for section in sections.values() for k, v in section.reached.items()}
    final = bars.final(reached)
    print(f"\n{markdown(final)}")
    if arguments.json:
        written(arguments.json, sections, final)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
