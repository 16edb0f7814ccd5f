"""How the viewer keeps up on a large case, in a real Chromium against a real service.

    python -m benchmarks.viewer [--triangles N] [--turns N] [--drags N]

Prints the seconds from opening the case to its first whole picture, pictures per second while the
scene turns, and the time from moving the target to the new path (median, 95th percentile). The
case is the sample, the triangles of its coarsest structure cut into four until there are N.
Without a graphics card the browser draws in software, so a picture costs far more than at a
workstation; the load of the machine is printed, because it counts as much.
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
from playwright.sync_api import Error, Page, ViewportSize, sync_playwright

from api.samples import DEMO_CASE, sample_case

FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)  # fmt: skip
WINDOW: ViewportSize = {"width": 1366, "height": 768}
WAIT_MS = 900_000.0


def refined(wanted: int, into: Path) -> int:
    """Write the sample case as a zip, refined to ``wanted`` triangles or more; count them."""
    folder = sample_case(DEMO_CASE)
    document = json.loads((folder / "case.json").read_text())
    meshes = {
        row["file"]: trimesh.load(folder / row["file"], process=False)
        for row in document["structures"]
    }
    while sum(len(mesh.faces) for mesh in meshes.values()) < wanted:
        coarsest = max(meshes, key=lambda name: meshes[name].area / len(meshes[name].faces))
        meshes[coarsest] = meshes[coarsest].subdivide()
    with zipfile.ZipFile(into, "w") as archive:
        for name, mesh in meshes.items():
            written = io.BytesIO()
            mesh.export(written, file_type="ply")
            archive.writestr(name, written.getvalue())
        archive.writestr("case.json", json.dumps(document))
    return sum(len(mesh.faces) for mesh in meshes.values())


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


def turned(page: Page, turns: int) -> float:
    """Turn the scene and return pictures per second, each of them drawn to its end."""
    seconds: float = page.evaluate(
        "n => { const begin = performance.now();"
        " for (let i = 0; i < n; i++) { trocar.scene.orbit(6, 0); trocar.scene.finished() }"
        " return (performance.now() - begin) / 1000 }",
        turns,
    )
    return turns / seconds


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
            "aim => trocar.actions.editing.dragTarget(aim, false)",
            [x + 2.0 * float(np.cos(turn)), y, z + 2.0 * float(np.sin(turn))],
        )
        page.wait_for_function(
            "trocar.model.state.live.request.target.position_mm === trocar.model.state.aim"
        )
    times: list[float] = page.evaluate("trocar.actions.editing.live.roundTripsMs.slice(1)")
    return times


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewer", description=__doc__)
    parser.add_argument("--triangles", type=int, default=1_000_000, help="of the case, at least")
    parser.add_argument("--turns", type=int, default=30, help="pictures while turning")
    parser.add_argument("--drags", type=int, default=40, help="places of the dragged target")
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("there is no Chromium on this machine")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        count = refined(asked.triangles, folder / "case.zip")
        waiting = os.getloadavg()[0]
        print(f"{count:,} triangles; {os.cpu_count()} processors, load {waiting:.1f}")
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            # Waiting for an expression evaluates it in the page, which its own policy forbids.
            context = browser.new_context(viewport=WINDOW, bypass_csp=True)
            page = context.new_page()
            page.set_default_timeout(WAIT_MS)
            while not answers(page, address):
                time.sleep(0.2)
            print(f"first picture after {opened(page, folder / 'case.zip'):.1f} s")
            print(f"{turned(page, asked.turns):.2f} pictures per second while turning")
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
