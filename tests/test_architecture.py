"""The rules that keep the house in order: names, layers, size, and files that must agree."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = sorted(path.parent.name for path in ROOT.glob("[a-z]*/__init__.py"))
LONGEST_FILE = 400


def _files(pattern: str) -> list[Path]:
    """Return our files matching ``pattern``, leaving hidden folders and fetched packages out."""
    top = [p for p in ROOT.glob("[a-z]*") if p.is_dir()]
    found = [*ROOT.glob(pattern), *(f for folder in top for f in folder.rglob(pattern))]
    return sorted(f for f in found if "node_modules" not in f.parts)


def _requirements(name: str) -> list[tuple[str, str, set[str]]]:
    """Return package, version and hashes of every entry of an exported requirements file."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
    parsed = []
    for entry in entries:
        pinned = re.match(r"([\w.-]+)==([^\s;]+)", entry)
        assert pinned, f"{name}: not a pinned package: {entry.splitlines()[0]}"
        parsed.append((pinned[1], pinned[2], set(re.findall(r"--hash=(\S+)", entry))))
    return parsed


def _locked() -> dict[str, list[tuple[str, set[str]]]]:
    """Return the versions and hashes by package in uv.lock (a package may have several)."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    found: dict[str, list[tuple[str, set[str]]]] = {}
    for package in lock["package"]:
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        hashes = {file["hash"] for file in files if "hash" in file}
        found.setdefault(package["name"], []).append((package["version"], hashes))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_an_import_name_is_ours_alone(package: str) -> None:
    owners = set(packages_distributions().get(package, [])) - {PROJECT["project"]["name"]}
    assert not owners, f"{package!r} is also provided by {owners}"
    assert package not in sys.stdlib_module_names
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin == str(ROOT / package / "__init__.py")


def test_every_package_is_built_checked_and_layered() -> None:
    tool = PROJECT["tool"]
    assert sorted(tool["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    assert sorted(set(tool["mypy"]["files"]) - {"tests", "benchmarks"}) == PACKAGES
    assert sorted(tool["importlinter"]["root_packages"]) == PACKAGES
    assert sorted(tool["ruff"]["lint"]["isort"]["known-first-party"]) == PACKAGES
    assert sorted(tool["coverage"]["run"]["source"]) == PACKAGES
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{package}/" for package in PACKAGES} <= set(sent), "not sent to the image's build"


def test_imports_keep_to_the_layers() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(linter), "--no-cache", "--no-logo"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_holds_more_than_one_screenful_of_ideas() -> None:
    lines = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in _files("*.py")}
    long = {str(p.relative_to(ROOT)): n for p, n in lines.items() if n > LONGEST_FILE}
    assert not long, f"longer than {LONGEST_FILE} lines: {long}"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_requirements_for_pip_say_what_uv_lock_says(name: str) -> None:
    locked = _locked()
    for package, version, hashes in _requirements(name):
        assert hashes, f"{package} has no hash"
        assert (version, hashes) in locked[package], f"{package} {version}: run python3 go.py lock"
    assert "://" not in (ROOT / name).read_text(encoding="utf-8"), f"{name} names an index"


def test_requirements_for_pip_hold_every_declared_dependency() -> None:
    def declared(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w.-]", r, maxsplit=1)[0].lower() for r in requirements}

    def pinned(name: str) -> set[str]:
        return {package for package, _, _ in _requirements(name)}

    runtime = declared(PROJECT["project"]["dependencies"])
    dev = declared(PROJECT["dependency-groups"]["dev"])
    assert runtime <= pinned("requirements.lock")
    assert runtime | dev <= pinned("requirements-dev.lock")


def test_links_between_our_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {link}"
        for page in _files("*.md")
        for link in re.findall(r"\[[^\]]*\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert not broken


def test_every_figure_cited_from_the_domain_page_is_there() -> None:
    page = (ROOT / "docs" / "domain.md").read_text(encoding="utf-8")
    there = set(re.findall(r"^#+ ([\d.]+) ", page, re.MULTILINE)) | set(
        re.findall(r"^\| (D\d+) \|", page, re.MULTILINE)
    )
    cited = {
        (str(path.relative_to(ROOT)), place)
        for path in _files("*.py")
        for place in re.findall(r"DOMAIN (\d+(?:\.\d+)?|D\d+)", path.read_text(encoding="utf-8"))
    }
    missing = {
        (path, place)
        for path, place in cited
        if place not in there and not any(known.startswith(f"{place}.") for known in there)
    }
    assert not missing
