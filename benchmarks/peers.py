"""The libraries we are measured against: found or named as missing, never silently left out.

They are imported by name, so that a machine without one still measures the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from benchmarks.scenes import Surroundings
from benchmarks.timing import Engine

# Module and distribution of each.
PEERS: Mapping[str, str] = {
    "coal": "coal",
    "fcl": "python-fcl",
    "igl": "libigl",
    "open3d": "open3d",
    "embreex": "embreex",
    "vtkmodules": "vtk",
    "trimesh": "trimesh",
    "scipy": "scipy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A peer that could not be measured here, and why."""

    name: str
    why: str


def library(module: str) -> ModuleType:
    """Import a peer.

    Raises:
        ImportError: If it, or something it needs, is not installed.
    """
    return import_module(module)


def version_of(module: str) -> str:
    """Return the installed version of a peer, or why it cannot be used."""
    try:
        library(module)
        return version(PEERS[module])
    except PackageNotFoundError:
        return "installed, version unknown"
    except ImportError as problem:
        return f"missing: {problem}"


def assembled(
    makers: Mapping[str, Callable[[Surroundings], Engine]], around: Surroundings
) -> tuple[list[Engine], list[Missing]]:
    """Make every engine that can be made here, and list those that cannot."""
    engines: list[Engine] = []
    missing: list[Missing] = []
    for name, make in makers.items():
        try:
            engines.append(make(around))
        except ImportError as problem:
            missing.append(Missing(name=name, why=str(problem)))
    return engines, missing
