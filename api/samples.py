"""Where the bundled cases are: beside the code in a checkout, inside the package once installed."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

DEMO_CASE = "lumbar-fracture"
DEMO_TARGET = "anterior_body:L3"
SAMPLES: Mapping[str, str] = MappingProxyType({
    "lumbar-fracture": "L3 fracture within a construct from L2 to L4",
    "thoracic-halo": "Loose left T8 screw in a construct from T7 to T9",
})  # fmt: skip


def sample_case(name: str) -> Path:
    """Return the folder of a bundled case.

    Raises:
        FileNotFoundError: If it is in neither place, which is a fault of the installation.
    """
    package = Path(str(files("phantom")))
    for folder in (package.parent / "sample_cases", package / "sample_cases"):
        if (folder / name / "case.json").is_file():
            return folder / name
    raise FileNotFoundError(f"the bundled case {name!r} is missing from this installation")
