"""How the viewer keeps up on a large case, in a real Chromium against a real service.

    python -m benchmarks.viewer [--triangles N] [--turns N] [--drags N]

Builds the viewer, and prints how long the parts of opening the case take, from handing it in to
the first whole picture and to all that the service says of it; pictures per second while the scene
turns; and the time from moving the target to its new path, answered and drawn (median, 95th
percentile). The case is the sample, the triangles of its coarsest structure cut into four until
there are N. Without a graphics card the browser draws in software, so a picture costs far more
than at a workstation; the load of the machine is printed, because it counts as much.
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
WAIT_MS = 3_600_000.0
# No longer than this is the scene turned, however slow its pictures are.
TURNING_S = 60.0


def refined(wanted: int, into: Path) -> tuple[int, int]:
    """Write the sample as a zip with ``wanted`` triangles or more; count structures, triangles."""
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
    return len(meshes), sum(len(mesh.faces) for mesh in meshes.values())


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run the service in a process of its own; what it logs goes to a file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "service.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from api.cli import main; main()", "serve",
             "--port", str(port)],
            env={**os.environ, "TROCAR_DATA_FOLDER": str(folder / "data")},
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


# Notes when a stage of opening the case begins, and when all its given meshes were first drawn.
STAGES = """() => {
  const { model, scene } = window.trocar;
  const noted = (window.noted = {});
  const note = name => (noted[name] ??= performance.now());
  note('begin');
  model.watch(s => [s.busy, s.opened], ({ busy, opened }) => {
    if (busy?.startsWith('Handing in')) note('sending');
    if (busy?.startsWith('Its meshes')) note('sent');
    if (opened) note('read');
    if (opened && busy === null) note('whole');
  });
  model.watch(s => [s.handedIn, s.meshes], ({ handedIn, meshes }) => {
    if (Math.max(handedIn.size, meshes.size) < GIVEN || noted.drawn) return;
    setTimeout(() => { scene.finished(); note('drawn'); }, 0);
  });
}"""


def opened(page: Page, archive: Path, given: int) -> dict[str, float]:
    """Open the case and return when its stages were reached, s after its file was given."""
    page.evaluate(STAGES.replace("GIVEN", str(given)))
    page.get_by_label("or choose files").set_input_files([archive])
    page.wait_for_function("window.noted.whole && window.noted.drawn", polling=200)
    noted: dict[str, float] = page.evaluate("window.noted")
    return {name: (at - noted["begin"]) / 1000.0 for name, at in noted.items()}


def stages(at: dict[str, float]) -> str:
    """Tell the stages of opening a case."""
    return (
        f"first picture after {at['drawn']:.1f} s; "
        f"unpacked {at['sending']:.1f} s, sent {at.get('sent', at['sending']):.1f} s, "
        f"read by the service {at['read']:.1f} s, its meshes fetched {at['whole']:.1f} s"
    )


def turned(page: Page, turns: int) -> tuple[int, float]:
    """Turn the scene, each picture drawn to its end; return how many were, and the seconds."""
    drawn: list[float] = page.evaluate(
        "([turns, limit]) => { const begin = performance.now(); let n = 0;"
        " const seconds = () => (performance.now() - begin) / 1000;"
        " while (n < turns && seconds() < limit) {"
        " trocar.scene.orbit(6, 0); trocar.scene.finished(); n += 1 }"
        " return [n, seconds()] }",
        [turns, TURNING_S],
    )
    return int(drawn[0]), drawn[1]


# Moves the target and returns when the path for just that place was answered, and when drawn, ms.
DRAG = """async aim => {
  const { model, scene, actions } = window.trocar;
  const begin = performance.now();
  actions.editing.dragTarget(aim, false);
  const answered = () => model.state.live?.request.target.position_mm === model.state.aim;
  while (!answered()) await new Promise(done => setTimeout(done, 2));
  const at = performance.now();
  scene.finished();
  return [at - begin, performance.now() - begin];
}"""


def dragged(page: Page, drags: int) -> tuple[float, list[list[float]]]:
    """Drag the target of one way with one needle; return the first answer, s, and the others."""
    for name in ("parapedicular", "extrapedicular", "left"):
        page.get_by_label(name, exact=True).uncheck()
    begin = time.perf_counter()
    page.get_by_role("button", name="Move the target").click()
    page.wait_for_function("trocar.model.state.live !== null", polling=50)
    first = time.perf_counter() - begin
    x, y, z = page.evaluate("trocar.model.state.aim")
    turns = 2.0 * np.pi * np.arange(drags) / drags
    places = [[x + 2.0 * np.cos(t), y - 5.0, z + 2.0 * np.sin(t)] for t in turns]
    return first, [page.evaluate(DRAG, place) for place in places]


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
    subprocess.run([sys.executable, "go.py", "viewer"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        given, count = refined(asked.triangles, folder / "case.zip")
        told(f"{count:,} triangles; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            # Waiting for an expression evaluates it in the page, which its own policy forbids.
            context = browser.new_context(viewport=WINDOW, bypass_csp=True)
            page = context.new_page()
            page.set_default_timeout(WAIT_MS)
            while not answers(page, address):
                time.sleep(0.2)
            told(stages(opened(page, folder / "case.zip", given)))
            pictures, seconds = turned(page, asked.turns)
            told(f"{pictures / seconds:.2f} pictures per second while turning, of {pictures}")
            first, times = dragged(page, asked.drags)
            told(f"first path for the moved target after {first:.1f} s; then, of {len(times)}:")
            for name, column in (("answered", 0), ("drawn", 1)):
                took = [row[column] for row in times]
                told(
                    f"  new path {name} after {np.median(took):.0f} ms (median), "
                    f"{np.percentile(took, 95):.0f} ms (95 %)"
                )
            told(f"load at the end {os.getloadavg()[0]:.1f}")
            browser.close()
    return 0


def told(line: str) -> None:
    """Print a line at once, so that what was measured is there whatever comes after it."""
    print(line, flush=True)


def answers(page: Page, address: str) -> bool:
    """Tell whether the service is up and its page is there."""
    try:
        return bool(page.request.get(f"{address}/readyz").ok and page.goto(address))
    except Error:  # nobody listens yet
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
