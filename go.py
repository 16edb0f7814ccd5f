#!/usr/bin/env python3
"""Set Trocar up in this folder and run it. Needs Python 3.11 or newer and nothing else.

    python3 go.py demo [--out DIR]     plan a bundled case; write its plan and pictures
    python3 go.py test [pytest args]   run the tests
    python3 go.py run ARGS...          any trocar command, such as: run serve --port 8000
    python3 go.py lint                 formatting, types, layers, lock files
    python3 go.py check                lint, then test
    python3 go.py bench [NAME ...]     measure against other libraries (1.5 GB more on disk)
    python3 go.py docs                 build the site of the pages in docs/ into site/
    python3 go.py viewer               build the planning viewer (needs Node 20.19 or newer)
    python3 go.py lock                 solve the dependencies anew, export the hashed files
    python3 go.py sbom                 print what it is made of, from the lock file (CycloneDX)

The packages go into .venv/: by the uv on the PATH, else by a pinned uv fetched into .uv/, else by
pip from the hashed requirements files. Nothing is put outside this folder (but for the
installers' caches), and no Python is ever downloaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PIP_MARK = ENVIRONMENT / "made-by-pip"
UV_HOME = ROOT / ".uv"
UV_VERSION = "0.13.8"
OLDEST, NEWEST = (3, 11), (3, 15)
COMMANDS = ("demo", "test", "run", "lint", "check", "bench", "docs", "viewer", "lock", "sbom")
# What a command needs beyond the program itself, and how uv is told.
GROUPS = {"test": "dev", "lint": "dev", "check": "dev", "docs": "dev", "bench": "bench"}
UV_GROUPS = {
    "": ("--no-dev", "--inexact"),
    "dev": (),
    "bench": ("--no-dev", "--inexact", "--group", "bench"),
}
# Outside any environment: one that is being rebuilt cannot be built from itself.
PYTHON: str = getattr(sys, "_base_executable", None) or sys.executable

NO_VENV = """\
This Python ({python}) cannot make virtual environments, and there is no uv on the PATH.
Install either of them and run the same command again:
    Debian, Ubuntu:  sudo apt-get install python3-venv
    elsewhere:       a Python from python.org, or uv (https://docs.astral.sh/uv/)"""
NO_NODE = """\
The planning viewer is built with Node.js 20.19 or newer and its npm, and there is none on the PATH.
Everything else works without it; an installed wheel carries the viewer ready-made."""
NO_PACKAGES = """\
The packages could not be installed; the reason stands above. They come from the Python package
index, so this machine must reach it once (HTTPS_PROXY, UV_DEFAULT_INDEX and PIP_INDEX_URL are
heeded). Nothing outside this folder was changed."""


def say(message: str) -> None:
    """Tell what is about to happen; on standard error, which keeps piped output clean."""
    print(f"go.py: {message}", file=sys.stderr, flush=True)


def program(environment: Path, name: str) -> str:
    """Return the path of a program inside a virtual environment."""
    windows = os.name == "nt"
    return str(environment / ("Scripts" if windows else "bin") / (name + ".exe" * windows))


def succeeds(*command: str) -> bool:
    """Run a command in the project's folder, its output shown; tell whether it ended well."""
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    except OSError as error:
        say(f"{command[0]} cannot be run: {error}")
        return False


def output(*command: str) -> str:
    """Return what a command prints in the project's folder, or nothing if it fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, check=False, text=True, encoding="utf-8", stdout=subprocess.PIPE
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def become(*command: str) -> NoReturn:
    """Hand over to a command in the caller's folder, so that signals reach it and not us."""
    if os.name == "nt":
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606 - a list, so no shell is wanted


def can_make_environments() -> bool:
    """Tell whether this Python has what ``python -m venv`` needs (Debian splits it off)."""
    return importlib.util.find_spec("ensurepip") is not None


def pinned_uv() -> str | None:
    """Return the pinned uv in .uv/, fetched there if need be; None if that did not work."""
    uv = program(UV_HOME, "uv")
    if Path(uv).exists() and f"uv {UV_VERSION}" in output(uv, "--version"):
        return uv
    if not can_make_environments():
        return None
    say(f"fetching uv {UV_VERSION} into .uv/ (about 25 MB, once)")
    made = succeeds(PYTHON, "-m", "venv", "--clear", str(UV_HOME)) and succeeds(
        program(UV_HOME, "python"), "-m", "pip", "install", "--quiet",
        "--disable-pip-version-check", f"uv=={UV_VERSION}",
    )  # fmt: skip
    return uv if made else None


def uvs() -> Iterator[str]:
    """Yield the uvs worth trying: the one on the PATH, which may be too old, then the pinned."""
    on_path = shutil.which("uv")
    if on_path:
        yield on_path
    pinned = pinned_uv()
    if pinned:
        yield pinned


def sync_with_uv(uv: str, group: str) -> bool:
    """Bring .venv/ in step with uv.lock; only for ``dev`` is what else is there taken out."""
    return succeeds(uv, "sync", "--frozen", *UV_GROUPS[group], "--python", PYTHON)


def requirements_digest(name: str) -> str:
    """Return what .venv/ is to be marked with once pip has installed these requirements."""
    facts = (ROOT / name).read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(facts + sys.version.encode()).hexdigest()


def is_synced_by_pip(*, dev: bool) -> bool:
    """Tell whether pip made .venv/ from today's requirements; test tools do no harm."""
    enough = ("requirements-dev.lock",) if dev else ("requirements.lock", "requirements-dev.lock")
    mark = PIP_MARK.read_text(encoding="utf-8") if PIP_MARK.exists() else ""
    return mark in {requirements_digest(name) for name in enough}


def sync_with_pip(*, dev: bool) -> bool:
    """Make .venv/ anew from the exported requirements, every hash checked."""
    say("installing with pip instead, into .venv/ (some minutes, once)")
    name = "requirements-dev.lock" if dev else "requirements.lock"
    pip = (program(ENVIRONMENT, "python"), "-m", "pip", "--disable-pip-version-check", "install")
    done = (
        succeeds(PYTHON, "-m", "venv", "--clear", str(ENVIRONMENT))
        and succeeds(*pip, "--require-hashes", "-r", str(ROOT / name))
        and succeeds(*pip, "--quiet", "--no-deps", "--editable", str(ROOT))
    )
    if done:
        PIP_MARK.write_text(requirements_digest(name), encoding="utf-8")
    return done


def set_up(group: str) -> None:
    """Make .venv/ ready, or exit saying what is missing. Peers to measure against need uv."""
    dev = group == "dev"
    if is_synced_by_pip(dev=dev):
        return
    if not ENVIRONMENT.exists():
        say("setting up .venv/: about 300 MB to fetch, 1.2 GB on disk, a minute or two, once")
    for uv in uvs():
        if sync_with_uv(uv, group):
            PIP_MARK.unlink(missing_ok=True)
            return
        say(f"{uv} did not manage")
    if not can_make_environments():
        sys.exit(NO_VENV.format(python=PYTHON))
    if not sync_with_pip(dev=dev):
        sys.exit(NO_PACKAGES)


def export(uv: str, requirements: str) -> str:
    """Return what a requirements file must say: the lock's versions and hashes, no index."""
    groups = () if "-dev" in requirements else ("--no-dev",)
    options = ("--frozen", "--quiet", "--no-emit-project", "--no-header", "--no-annotate")
    return output(uv, "export", *options, *groups)


def lock() -> int:
    """Solve the dependencies anew and write uv.lock and both requirements files."""
    uv = pinned_uv()
    if uv is None or not succeeds(uv, "lock"):
        say("the lock files are unchanged: they need the pinned uv and the package index")
        return 1
    for name in ("requirements.lock", "requirements-dev.lock"):
        (ROOT / name).write_text(export(uv, name), encoding="utf-8")
    return 0


def sbom() -> int:
    """Print the software bill of materials: every package, its version and what needs it."""
    uv = pinned_uv()
    options = ("--frozen", "--quiet", "--format", "cyclonedx1.5", "--no-dev", "--all-extras")
    bill = "" if uv is None else output(uv, "export", *options)
    print(bill, end="")
    return 0 if bill else 1


def locks_agree() -> bool:
    """Tell whether pyproject.toml, uv.lock and the requirements files say the same."""
    uv = pinned_uv()
    if uv is None:
        say("the lock files were not compared: that needs uv")
        return True
    if not succeeds(uv, "lock", "--check"):
        return False
    stale = [
        name
        for name in ("requirements.lock", "requirements-dev.lock")
        if (ROOT / name).read_text(encoding="utf-8") != export(uv, name)
    ]
    if stale:
        say(f"out of step with uv.lock: {', '.join(stale)}; run: python3 go.py lock")
    return not stale


def lint() -> int:
    """Run every check that runs no code of ours; all of them, even when one fails."""
    checks = {
        "ruff check": (program(ENVIRONMENT, "ruff"), "check"),
        "ruff format": (program(ENVIRONMENT, "ruff"), "format", "--check"),
        "mypy": (program(ENVIRONMENT, "mypy"),),
        "import-linter": (program(ENVIRONMENT, "lint-imports"), "--no-logo"),
    }
    failed = []
    for name, command in checks.items():
        say(name)
        if not succeeds(*command):
            failed.append(name)
    say("lock files")
    if not locks_agree():
        failed.append("lock files")
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def viewer() -> int:
    """Build the planning viewer into viewer/dist/, where the service finds it."""
    npm = shutil.which("npm")
    if npm is None:
        say(NO_NODE)
        return 1
    folder = ("--prefix", str(ROOT / "viewer"))
    fetched = succeeds(npm, "ci", *folder, "--ignore-scripts", "--no-audit", "--no-fund")
    return 0 if fetched and succeeds(npm, "run", "build", *folder) else 1


def main(command: str, arguments: list[str]) -> int:
    """Set up what ``command`` needs and run it; return the exit status."""
    os.environ.pop("VIRTUAL_ENV", None)
    os.environ.update(UV_PROJECT_ENVIRONMENT=str(ENVIRONMENT), UV_PYTHON_DOWNLOADS="never")
    os.environ.setdefault("UV_HTTP_TIMEOUT", "120")
    without_packages = {"lock": lock, "viewer": viewer, "sbom": sbom}
    if command in without_packages:
        return without_packages[command]()
    set_up(GROUPS.get(command, ""))
    if command == "demo":
        become(program(ENVIRONMENT, "trocar"), "demo", *arguments)
    if command == "run":
        become(program(ENVIRONMENT, "trocar"), *arguments)
    if command == "bench":
        become(program(ENVIRONMENT, "python"), "-m", "benchmarks", *arguments)
    if command == "lint":
        return lint()
    if command == "check" and lint():
        return 1
    os.chdir(ROOT)
    if command == "docs":
        os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
        become(program(ENVIRONMENT, "mkdocs"), "build", "--strict", *arguments)
    # All cores, with one thread each in the linear algebra: its matrices are tiny.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    become(
        program(ENVIRONMENT, "python"), "-m", "pytest", "--numprocesses=auto", "--dist=loadscope",
        *arguments,
    )  # fmt: skip


if __name__ == "__main__":
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(
            "Trocar needs Python 3.11 to 3.15; this is "
            f"{sys.version.split()[0]} at {sys.executable}. Start go.py with another one, "
            "such as: python3.12 go.py demo"
        )
    if sys.argv[1:2] in (["-h"], ["--help"], ["help"]):
        print(__doc__)
        sys.exit()
    if not sys.argv[1:] or sys.argv[1] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
