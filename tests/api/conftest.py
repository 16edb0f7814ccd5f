"""A running service for all tests of HTTP, the bundled case, and a small case to spoil."""

import copy
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient

from api.main import create_app
from api.samples import DEMO_CASE, sample_case
from api.settings import Settings
from geometry.mesh import TriangleMesh
from geometry.mesh_files import write_mesh
from geometry.solids import box

LOCALHOST = "http://127.0.0.1"


def block(low: Sequence[float], high: Sequence[float]) -> TriangleMesh:
    """Return a closed box between two corners, mm."""
    corners = np.array([low, high])
    return box(corners.mean(axis=0), np.ptp(corners, axis=0))


@dataclass
class Bundle:
    """A case as a client has it: the document and its files."""

    document: dict[str, Any]
    files: dict[str, bytes]

    def parts(self) -> list[tuple[str, tuple[str, bytes]]]:
        """Return it as parts of a multipart body."""
        case = ("case", ("case.json", json.dumps(self.document).encode()))
        return [case, *((name, (name, data)) for name, data in self.files.items())]

    def copy(self) -> "Bundle":
        """Return one that can be spoilt."""
        return Bundle(copy.deepcopy(self.document), dict(self.files))

    def write(self, folder: Path) -> Path:
        """Write it as a folder, as the command line reads it."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "case.json").write_text(json.dumps(self.document))
        return folder


SMALL = Bundle(
    {
        "schema": "trocar/case/1",
        "name": "two boxes",
        "coordinate_system": "LPS",
        "units": "mm",
        "structures": [
            {"name": "L3", "kind": "vertebra", "level": "L3", "file": "meshes/L3.ply"},
            {"name": "sac", "kind": "canal", "file": "meshes/sac.stl"},
        ],
    },
    {
        "meshes/L3.ply": write_mesh(block((-22.0, -15.0, -14.0), (22.0, 15.0, 14.0)), "ply"),
        "meshes/sac.stl": write_mesh(block((-8.0, 18.0, -40.0), (8.0, 30.0, 40.0)), "stl"),
    },
)


@pytest.fixture
def small() -> Bundle:
    """Return a case of two boxes: readable, though no vertebra."""
    return SMALL.copy()


@pytest.fixture(scope="session")
def demo_folder() -> Path:
    """Return the folder of the bundled instrumented case."""
    return sample_case(DEMO_CASE)


@pytest.fixture(scope="session")
def demo_bundle(demo_folder: Path) -> Bundle:
    """Return the bundled instrumented case."""
    document = json.loads((demo_folder / "case.json").read_text())
    names = [row["file"] for row in document["structures"] if "file" in row]
    return Bundle(document, {name: (demo_folder / name).read_bytes() for name in names})


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """Return a client of a service with one worker and small limits."""
    settings = Settings(max_case_bytes=40_000_000, max_json_bytes=30_000_000)
    app = create_app(settings)
    with TestClient(app, LOCALHOST, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def served(client: TestClient) -> Iterator[str]:
    """Return the address of the running service over real HTTP; its lifespan is the fixture's."""
    config = uvicorn.Config(client.app, port=0, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def demo_case_id(client: TestClient, demo_bundle: Bundle) -> str:
    """Return the id of the bundled case in the running service."""
    reply = client.post("/v1/cases", files=demo_bundle.parts())
    assert reply.status_code == 201, reply.text
    case_id: str = reply.json()["case_id"]
    return case_id


@pytest.fixture(scope="session")
def trocar() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return the command line in a process of its own, as it is installed."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from api.cli import main; main()", *map(str, words)],
            capture_output=True, text=True, timeout=600, check=False,
            cwd=Path(__file__).parents[2], env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip

    return run
