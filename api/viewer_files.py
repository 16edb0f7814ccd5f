"""Where the built planning viewer is, and how to get one."""

from importlib.resources import files
from pathlib import Path

HOW_TO_BUILD = (
    "The planning viewer is not part of this installation. In a checkout, with Node 20.19 or newer "
    "on the PATH, `python3 go.py viewer` builds it; installed wheels carry it."
)


def built_viewer() -> Path | None:
    """Return the folder of the built viewer: beside the code in a checkout, else in the package."""
    package = Path(str(files("api")))
    for folder in (package.parent / "viewer" / "dist", package / "viewer"):
        if (folder / "index.html").is_file():
            return folder
    return None
