"""The pages for people: every code block of every page runs, in the page's order."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.main import get_command

from api.cli import app
from api.cli_cohort import CohortDocument
from api.main import create_app
from api.schemas import PlanRequestDocument, checked
from api.settings import Settings
from exchange.labels import read_label_table
from planner.case_io.schema import CaseDocument
from tests.pages import blocks, command_ended, program_ended

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SAMPLE = ROOT / "sample_cases" / "lumbar-fracture"
SERVICE = "http://127.0.0.1:8000"
GO = runpy.run_path(str(ROOT / "go.py"))
# Run by other tests, or for ever: here it is only seen that there are such commands and options.
ELSEWHERE = {"demo", "serve", "cohort", "node"}
DRAWING = "--out plan"  # pictures are drawn by the test of the demonstration
ENDED: dict[tuple[str, ...], tuple[int, str]] = {}
ASSIGNED = re.compile(r"[A-Z_]+=")


PAGES = [page for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))) if blocks(page)]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a page is tried: an empty folder with the sample cases, a service, and a process.

    The files of one sample lie in the folder too, for pages that say "in the folder of a case".
    """

    folder: Path
    service: str
    process: Executor
    settings: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def stand(tmp_path: Path, served: str, process: Executor, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.chdir(tmp_path)  # nothing that a page's block writes may land in the work tree
    (tmp_path / "sample_cases").symlink_to(ROOT / "sample_cases")
    for name in ("case.json", "meshes"):
        (tmp_path / name).symlink_to(SAMPLE / name)
    return Stand(tmp_path, served, process)


@pytest.fixture(scope="module")
def process() -> Iterator[Executor]:
    """Start one process for the commands and programs of all pages."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Run one real service for all pages."""
    server = uvicorn.Server(uvicorn.Config(create_app(), port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30.0)


def _commands(text: str, stand: Stand) -> None:
    """Run lines of a shell: this program's commands, and settings for those that follow."""
    for line in text.replace("\\\n", " ").splitlines():
        command, _, otherwise = line.partition(" || ")
        words = shlex.split(command, comments=True)
        exported = words[:1] == ["export"]
        words = words[exported:]
        while words and ASSIGNED.match(words[0]):
            _set(words.pop(0), stand, keep=exported)
        match words:
            case []:
                continue
            case ["python3", "go.py", "run", *rest] | ["trocar", *rest]:
                _trocar(tuple(rest), stand, refused=bool(otherwise))
            case ["python3", "go.py", name, *_]:
                assert name in GO["COMMANDS"]
            case ["dask", "scheduler", *rest]:
                _read_by_dask(rest)
            case _:
                pytest.fail(f"nothing here runs {line!r}")


def _set(assignment: str, stand: Stand, *, keep: bool) -> None:
    name, value = assignment.split("=", 1)
    setting = name.removeprefix("TROCAR_").lower()
    assert name.startswith("DASK_") or setting in Settings.model_fields, name
    if (
        keep and "$PWD" in value
    ):  # a folder of the page's own; other values belong to other machines
        stand.settings[name] = value.replace("$PWD", str(stand.folder))


def _trocar(words: tuple[str, ...], stand: Stand, *, refused: bool) -> None:
    if (words[0] in ELSEWHERE or DRAWING in " ".join(words)) and not refused:
        _understood(get_command(app), list(words))
        return
    if words not in ENDED:  # what several pages show is run once
        ended = stand.process.submit(command_ended, stand.folder, stand.settings, words)
        ENDED[words] = ended.result()
    status, said = ENDED[words]
    assert status == (2 if refused else 0), said


def _understood(command: Any, words: list[str]) -> None:  # noqa: ANN401  typer has a click of its own
    """See that a command has these options, without running it."""
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


def _read_by_dask(words: list[str]) -> None:
    cli = pytest.importorskip("distributed.cli.dask_scheduler")
    for word in words:
        if word.endswith((".pem", ".key")):
            Path(word).touch()
    _understood(cli.main, words)


def _python(text: str, stand: Stand) -> None:
    text = text.replace(SERVICE, stand.service)
    stand.process.submit(program_ended, stand.folder, text).result()


def _program(*program: str) -> Callable[[str, Stand], None]:
    def run(text: str, stand: Stand) -> None:
        if shutil.which(program[0]) is None:
            pytest.skip(f"{program[0]} is not installed, and the page's later blocks need this one")
        done = subprocess.run(
            [*program, text.replace(SERVICE, stand.service)], cwd=stand.folder, check=False,
            text=True, capture_output=True, env=dict(os.environ), timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return run


def _document(text: str, _: Stand) -> None:
    document = json.loads(text)
    match document:
        case {"schema": "trocar/case/1"}:
            CaseDocument.model_validate(document)
        case {"schema": "trocar/cohort/1"}:
            assert checked(CohortDocument, document).spec().size == 33 * 31
        case {"id": int(), "request": request}:
            checked(PlanRequestDocument, request)
        case {"target": _}:
            checked(PlanRequestDocument, document)
        case {"margin_mm": _} | {"upper_bound_mm": _}:
            pass  # of the demonstration's answer: tests/api/test_cli.py
        case _:
            pytest.fail(f"nothing here reads {text[:60]!r}")


def _label_table(text: str, stand: Stand) -> None:
    path = stand.folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    assert len(read_label_table(path).roles) > 0


RUN: Mapping[str, Callable[[str, Stand], Any]] = {
    "sh": _commands, "bash": _program("bash", "-eu", "-c"), "python": _python,
    "js": _program("node", "--input-type=module", "--eval"), "json": _document,
    "csv": _label_table,
}  # fmt: skip
OUTPUT = "text"  # what a program says, or a formula


def test_every_block_says_what_it_is() -> None:
    assert len(PAGES) >= 12
    assert {b.language for page in PAGES for b in blocks(page)} == {*RUN, OUTPUT}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_runs_in_its_order(page: Path, stand: Stand) -> None:
    for block in blocks(page):
        if block.language != OUTPUT:
            RUN[block.language](block.text, stand)
    left = stand.folder / "plan.json"
    assert not left.exists() or json.loads(left.read_text())["outcome"] == "found"


def test_every_page_that_the_site_names_is_there_and_every_guide_is_named() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"[\w/-]+\.md", nav))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert named <= there
    assert {page for page in there if page.startswith(("tutorials/", "how-to/"))} <= named
