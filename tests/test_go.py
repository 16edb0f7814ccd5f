"""The set-up file: readable by old Pythons, clear about what it cannot do, pinned like the rest."""

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GO = ROOT / "go.py"
SOURCE = GO.read_text(encoding="utf-8")


def _run(*arguments: str, before: str = "") -> "subprocess.CompletedProcess[str]":
    """Run go.py in a fresh interpreter, with some code run before it."""
    code = (
        f"import runpy, sys; {before or 'pass'}; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    started = f"import sys; sys.argv = {[str(GO), *arguments]!r}; exec({code!r})"
    return subprocess.run(
        [sys.executable, "-c", started], check=False, capture_output=True, text=True
    )


def test_an_old_python_can_read_it_far_enough_to_be_told() -> None:
    ast.parse(SOURCE, feature_version=(3, 7))


def test_it_uses_the_standard_library_only() -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("version", [(3, 8, 18), (3, 10, 1), (3, 16, 0)])
def test_a_python_that_does_not_fit_is_refused_with_the_range(version: tuple[int, ...]) -> None:
    done = _run("demo", before=f"sys.version_info = {version!r}")
    assert done.returncode == 1
    assert "Python 3.11 to 3.15" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("unheard-of",)])
def test_an_unknown_command_shows_the_known_ones(arguments: tuple[str, ...]) -> None:
    done = _run(*arguments)
    assert done.returncode == 2
    assert "python3 go.py demo" in done.stderr
    assert not done.stdout


def test_help_is_not_an_error() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert "python3 go.py test" in done.stdout


def test_every_command_is_explained_and_what_it_needs_is_a_group_of_the_project() -> None:
    go = runpy.run_path(str(GO))
    for command in go["COMMANDS"]:
        assert f"python3 go.py {command} " in go["__doc__"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(go["UV_GROUPS"]) - {""} == set(project["dependency-groups"])
    assert set(go["GROUPS"]) <= set(go["COMMANDS"])
    assert set(go["GROUPS"].values()) <= set(go["UV_GROUPS"])


def test_the_python_range_is_the_one_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'requires-python = ">=3.11,<3.16"' in project
    assert "OLDEST, NEWEST = (3, 11), (3, 15)" in SOURCE


def test_uv_is_pinned_to_one_version_everywhere() -> None:
    pinned = re.search(r'UV_VERSION = "([\d.]+)"', SOURCE)
    assert pinned is not None
    container = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"uv==([\d.]+)", container) == [pinned[1]]
