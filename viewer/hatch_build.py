"""Puts the built planning viewer into wheels, so that whoever installs one needs no Node."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ViewerHook(BuildHookInterface):
    """Builds ``viewer/dist`` if it is not there, and packs it as ``api/viewer``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the viewer to a wheel; one made where there is no Node goes without, and says so."""
        if version == "editable":  # finds viewer/dist beside the code
            return
        viewer = Path(self.root) / "viewer"
        if not (viewer / "dist" / "index.html").is_file() and not self._built(viewer):
            self.app.display_warning("this wheel goes without the planning viewer")
            return
        build_data["force_include"][str(viewer / "dist")] = "api/viewer"

    def _built(self, viewer: Path) -> bool:
        npm = shutil.which("npm")
        if npm is None:
            self.app.display_warning("the viewer is built with Node 20.19 or newer; there is none")
            return False
        commands = (
            (npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"), (npm, "run", "build"),
        )  # fmt: skip
        return all(subprocess.run(c, cwd=viewer, check=False).returncode == 0 for c in commands)
