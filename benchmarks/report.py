"""What a run says: tables in Markdown, figures for the final table, all of it as JSON."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.peers import PEERS, version_of

Cell: TypeAlias = str | float | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: a title, columns, rows, and a note below it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One figure that a bar is set for, and what keeps it from being better."""

    value: float
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one benchmark hands back."""

    tables: list[Table]
    reached: dict[str, Reached] = field(default_factory=dict)


def text(cell: Cell) -> str:
    """Return a cell as people read it: three significant figures."""
    if cell is None:
        return "-"
    if isinstance(cell, str | bool):
        return str(cell)
    if isinstance(cell, int | np.integer):
        return f"{cell:,}"
    if abs(cell) >= 1000.0:
        return f"{float(f'{cell:.3g}'):,.0f}"
    return f"{cell:.3g}"


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    rows = [[text(c) for c in row] for row in table.rows]
    lines = [f"### {table.title}", "", _line(table.columns), _line(["---"] * len(table.columns))]
    lines += [_line(row) for row in rows]
    if table.note:
        lines += ["", table.note]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def machine() -> dict[str, Any]:
    """Return what ran the benchmarks: processor, cores, Python, libraries."""
    return {
        "processor": _processor(), "cores": _cores(), "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("trocar", "numba", "numpy")},
        **{distribution: version_of(module) for module, distribution in PEERS.items()},
    }  # fmt: skip


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def written(path: Path, sections: dict[str, Section], bars: Table) -> None:
    """Write everything as JSON."""
    record = {
        "machine": machine(),
        "sections": {name: asdict(section) for name, section in sections.items()},
        "bars": asdict(bars),
    }
    path.write_text(json.dumps(record, indent=1, default=float) + "\n", encoding="utf-8")
