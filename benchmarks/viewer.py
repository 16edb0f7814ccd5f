"""How the viewer keeps up on a large case, in a real Chromium against a real service.

    python -m benchmarks.viewer [--times N] [--drags N]

Prints the seconds from opening the case to its first whole picture, pictures per second while the
scene turns, and the time from moving the target to the new path (median, 95th percentile). The
case is the sample, every triangle cut into four N times: 2 gives about a million. Without a
graphics card the browser draws in software, so a picture costs far more than at a workstation.
"""

import argparse
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import trimesh
from playwright.sync_api import Error, Page, sync_playwright

from api.samples import DEMO_CASE, sample_case

FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)  # fmt: skip
WINDOW = {"width": 1366, "height": 768}
WAIT_MS = 900_000.0
TURNS = 30


def refined(times: int, into: Path) -> int:
    """Write the sample case as a zip, every triangle cut into four ``times`` times; count them."""
    folder = sample_case(DEMO_CASE)
    document = json.loads((folder / "case.json").read_text())
    triangles = 0
    with zipfile.ZipFile(into, "w") as archive:
        for row in document["structures"]:
            mesh = trimesh.load(folder / row["file"], process=False)
            for _ in range(times):
                mesh = mesh.subdivide()
            triangles += len(mesh.faces)
            written = io.BytesIO()
            mesh.export(written, file_type="ply")
            archive.writestr(row["file"], written.getvalue())
        archive.writestr("case.json", json.dumps(document))
    return triangles


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run the service in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", str(port)],
        env={**os.environ, "TROCAR_DATA_FOLDER": str(folder / "data")},
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def opened(page: Page, archive: Path) -> float:
    """Open the case and return the seconds to its first whole picture."""
    begin = time.perf_counter()
    page.get_by_label("or choose files").set_input_files([archive])
    page.wait_for_function(
        "trocar.model.state.opened && trocar.model.state.busy === null"
        " && trocar.model.state.meshes.size >= 15"
    )
    page.evaluate("trocar.scene.finished()")
    return time.perf_counter() - begin


def turned(page: Page) -> float:
    """Turn the scene and return pictures per second, each of them drawn to its end."""
    seconds: float = page.evaluate(
        "n => { const begin = performance.now();"
        " for (let i = 0; i < n; i++) { trocar.scene.orbit(6, 0); trocar.scene.finished() }"
        " return (performance.now() - begin) / 1000 }",
        TURNS,
    )
    return TURNS / seconds


def dragged(page: Page, drags: int) -> list[float]:
    """Plan one class, drag its target, and return the time to each new path, ms."""
    for name in ("parapedicular", "extrapedicular", "left"):
        page.get_by_label(name, exact=True).uncheck()
    page.get_by_role("button", name="Plan", exact=True).click()
    page.wait_for_function("trocar.model.state.plan !== null")
    page.get_by_role("button", name="Move the target").click()
    page.wait_for_function("trocar.model.state.live !== null")
    x, y, z = page.evaluate("trocar.model.state.aim")
    for i in range(drags):
        turn = 2.0 * np.pi * i / drags
        page.evaluate(
            "aim => trocar.actions.dragTarget(aim, false)",
            [x + 2.0 * float(np.cos(turn)), y, z + 2.0 * float(np.sin(turn))],
        )
        page.wait_for_function(
            "trocar.model.state.live.request.target.position_mm === trocar.model.state.aim"
        )
    times: list[float] = page.evaluate("trocar.actions.live.roundTripsMs.slice(1)")
    return times


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewer", description=__doc__)
    parser.add_argument("--times", type=int, default=2, help="cuts of every triangle into four")
    parser.add_argument("--drags", type=int, default=40, help="places of the dragged target")
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("there is no Chromium on this machine")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print(f"{refined(asked.times, folder / 'case.zip'):,} triangles")
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]  # its own dict type
            page.set_default_timeout(WAIT_MS)
            while not answers(page, address):
                time.sleep(0.2)
            print(f"first picture after {opened(page, folder / 'case.zip'):.1f} s")
            print(f"{turned(page):.1f} pictures per second while turning")
            times = dragged(page, asked.drags)
            print(
                f"new path after {np.median(times):.0f} ms (median), "
                f"{np.percentile(times, 95):.0f} ms (95 %), of {len(times)}"
            )
            browser.close()
    return 0


def answers(page: Page, address: str) -> bool:
    """Tell whether the service is up and its page is there."""
    try:
        return bool(page.request.get(f"{address}/readyz").ok and page.goto(address))
    except Error:  # nobody listens yet
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
