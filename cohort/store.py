"""The folder of a cohort: what was asked, and one file for every spine that is done.

A file appears whole or not at all, so a run that was stopped goes on where it was.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cohort.spec import Spec, spine_name
from planner.errors import RequestError

SCHEMA = "trocar/cohort/1"
ASKED, SPINES = "cohort.json", "spines"


def open_folder(folder: Path, spec: Spec) -> None:
    """Make a cohort's folder, or find it as it was left.

    Raises:
        RequestError: If it holds another cohort, or one of another version of the planner.
    """
    (folder / SPINES).mkdir(parents=True, exist_ok=True)
    asked = {"schema": SCHEMA, **asdict(spec), "planner_version": version("trocar")}
    path = folder / ASKED
    if not path.exists():
        write_whole(path, _text(asked))
    elif json.loads(path.read_text(encoding="utf-8")) != asked:
        raise RequestError(
            f"{folder} holds another cohort, or one of another version; give an empty folder",
            field="out", code="another-cohort",
        )  # fmt: skip


def missing(folder: Path, spec: Spec) -> list[int]:
    """Return the numbers of the spines that are not done."""
    return [n for n in range(spec.size) if not _path(folder, spine_name(n)).exists()]


def keep(folder: Path, record: dict[str, Any]) -> None:
    """Write the record of a spine."""
    write_whole(_path(folder, record["spine"]), _text(record))


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the records that are done, in the order of the spines."""
    for path in sorted((folder / SPINES).glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def write_whole(path: Path, text: str) -> None:
    """Write a file aside, flush it, and move it into its place."""
    aside = path.with_suffix(path.suffix + ".part")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _path(folder: Path, spine: str) -> Path:
    return folder / SPINES / f"{spine}.json"


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
