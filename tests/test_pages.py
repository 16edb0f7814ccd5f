"""The pages for people: every code block of theirs runs, and every page is on the site."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from api.cli import app
from api.cli_cohort import CohortDocument
from api.main import create_app
from api.schemas import PlanRequestDocument, checked
from planner.case_io.schema import CaseDocument

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.glob("tutorials/*.md")),
    *sorted(DOCS.glob("how-to/*.md")),
    DOCS / "cohort.md",
]
SERVICE = "http://127.0.0.1:8000"
TROCAR = ["python3", "go.py", "run"]
# Run by other tests, or for ever.
ELSEWHERE = {"demo", "serve", "cohort"}


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page."""

    page: Path
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    fenced = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = fenced.findall(page.read_text(encoding="utf-8"))
    return [Block(page, language, text) for language, text in found]


def of(*languages: str) -> list[object]:
    return [
        pytest.param(block, id=f"{block.page.stem}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page))
        if block.language in languages
    ]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that has the sample cases and nothing else of the project."""
    (tmp_path / "sample_cases").symlink_to(ROOT / "sample_cases")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_says_what_it_is() -> None:
    known = {"sh", "bash", "python", "js", "json", "text"}
    assert len(PAGES) >= 5
    assert {b.language for page in PAGES for b in blocks(page)} <= known


def test_commands_of_the_set_up_file_are_there() -> None:
    go = runpy.run_path(str(ROOT / "go.py"))
    lines = [line for page in PAGES for b in blocks(page) for line in b.text.splitlines()]
    asked = [shlex.split(line)[2] for line in lines if line.startswith("python3 go.py")]
    assert len(asked) > 5
    assert set(asked) <= set(go["COMMANDS"])


@cache
def ended(*words: str) -> Result:
    """Return how a command ends; one that several pages show is run once."""
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize("block", of("sh"))
def test_commands_end_as_the_page_tells(
    block: Block, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in block.text.splitlines():
        if line.startswith("export "):
            name, value = line.removeprefix("export ").split("=", 1)
            monkeypatch.setenv(name, value.strip('"').replace("$PWD", str(here)))
            continue
        command, _, otherwise = line.partition(" || ")
        words = shlex.split(command, comments=True)
        refused = bool(otherwise)
        if words[2] in ELSEWHERE or (words[3] in ELSEWHERE and not refused):
            continue
        assert words[:3] == TROCAR
        done = ended(*words[3:])
        assert done.exit_code == (2 if refused else 0), done.output


@pytest.mark.parametrize("block", of("json"))
def test_documents_are_taken(block: Block) -> None:
    document = json.loads(block.text)
    match document.get("schema"):
        case "trocar/case/1":
            CaseDocument.model_validate(document)
        case "trocar/cohort/1":
            assert checked(CohortDocument, document).spec().size == 33 * 31
        case _:
            checked(PlanRequestDocument, document)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Run one real service for all blocks that talk to one."""
    server = uvicorn.Server(uvicorn.Config(create_app(), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30.0)


PROGRAMS = {"bash": ["bash", "-eu", "-c"], "python": [sys.executable, "-c"],
            "js": ["node", "--input-type=module", "--eval"]}  # fmt: skip


@pytest.mark.parametrize("block", of("bash", "python", "js"))
def test_programs_run(block: Block, served: str, here: Path) -> None:
    program = PROGRAMS[block.language]
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    done = subprocess.run(
        [*program, block.text.replace(SERVICE, served)], cwd=here, check=False, text=True,
        capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_page_that_the_site_names_is_there_and_every_guide_is_named() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"[\w/-]+\.md", nav))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert named <= there
    assert {page for page in there if page.startswith(("tutorials/", "how-to/"))} <= named
