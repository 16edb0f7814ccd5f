"""What the pages for people show: their code blocks, how these run, and parts of answers.

Commands and programs run in a process of their own, as those of the pages' readers do: without the
shape checking of the tests, which would make them twice as long.
"""

import os
import re
import runpy
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from api.cli import app
from planner.needles import catalogue


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in their order."""
    fenced = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = fenced.findall(page.read_text(encoding="utf-8"))
    return [Block(language, text) for language, text in found]


def command_ended(
    folder: Path, settings: Mapping[str, str], words: tuple[str, ...]
) -> tuple[int, str]:
    """Run a command in a folder; return its exit status and all that it said."""
    with chdir(folder), patch.dict(os.environ, settings):
        done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def program_ended(folder: Path, text: str) -> None:
    """Run a Python program in a folder; what it adds to the catalogue goes with it."""
    program = folder / "block.py"
    program.write_text(text, encoding="utf-8")
    with chdir(folder), patch.dict(catalogue.CATALOGUE):
        runpy.run_path(str(program), run_name="__main__")


def is_part(shown: object, whole: object) -> bool:
    """Tell whether what a page shows is an answer with some of its members left out."""
    match shown, whole:
        case dict(), dict():
            return all(k in whole and is_part(v, whole[k]) for k, v in shown.items())
        case [dict(), *_], list():
            return all(any(is_part(one, other) for other in whole) for one in shown)
        case _:
            return shown == whole
