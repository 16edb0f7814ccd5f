"""How loops are compiled, and where the machine code is kept between runs.

Numba keeps machine code by the file a function stands in, and does not see that a function which
it calls has changed in another file. Proofs must not rest on stale code, so the folder is named
after the digest of all compiled modules: any change to one of them starts a new folder.
"""

import hashlib
import shutil
import time
from pathlib import Path

import numba

PACKAGES = ("geometry", "planner")
FORGOTTEN_S = 7 * 86_400.0
OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


def kernel_digest(root: Path) -> str:
    """Return a short digest over all compiled modules below ``root``."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for folder in sorted((root / package).rglob("_kernels")):
            for path in sorted(folder.glob("*.py")):
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _use_own_folder() -> None:
    """Keep machine code beside the sources, unless the caller or the file system says otherwise."""
    if numba.config.CACHE_DIR:
        return
    root = Path(__file__).parents[2]
    kept = Path(__file__).parent / "__pycache__" / "machine-code"
    folder = kept / kernel_digest(root)
    try:
        for other in kept.glob("*"):
            # Not at once: another process may still be running the code of before a change.
            if time.time() - other.stat().st_mtime > FORGOTTEN_S and other != folder:
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # read-only: numba falls back to the user's own cache folder
    numba.config.CACHE_DIR = str(folder)


_use_own_folder()
