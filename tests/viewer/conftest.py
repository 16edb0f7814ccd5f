"""The viewer as it is used: a real Chromium, the real service, a sample case."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from api.viewer_files import built_viewer
from tests.serving import free_port, wait_until_ready

WAIT_MS = 240_000.0
# Pictures are drawn in software, and the browser asks nobody but the service.
CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)  # fmt: skip


@dataclass
class Service:
    """``trocar serve`` in a process of its own, which can be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, data: str) -> None:
        """Start on an own data folder, and wait until it can work."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from api.cli import main; main()", "serve",
             "--port", str(self.port)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TROCAR_DATA_FOLDER": str(self.folder / data)},
        )  # fmt: skip
        wait_until_ready(self.address, self.process)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a browser, or skip with what is missing."""
    if built_viewer() is None:
        pytest.skip("the viewer is not built: python3 go.py viewer")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a running service."""
    running = Service(folder=tmp_path_factory.mktemp("viewer"), port=free_port())
    try:
        running.start("data")
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def page(chromium: Browser, service: Service) -> Iterator[Page]:
    """Return the viewer's page, on which nothing may go wrong unseen."""
    # Waiting for an expression evaluates it in the page, which the page's own policy forbids.
    opened = chromium.new_page(
        viewport={"width": 1366, "height": 640}, accept_downloads=True, bypass_csp=True,
        has_touch=True,
    )  # fmt: skip
    opened.set_default_timeout(WAIT_MS)
    mistakes: list[str] = []
    opened.on("pageerror", lambda error: mistakes.append(str(error)))
    opened.goto(service.address)
    yield opened
    opened.close()
    assert not mistakes


@pytest.fixture(scope="module")
def case(page: Page) -> Page:
    """Return the page with the sample case open and all of it drawn."""
    page.get_by_role("button", name="L3 fracture").click()
    page.wait_for_function(
        "trocar.model.state.opened && trocar.model.state.busy === null && trocar.scene.frames > 0"
    )
    return page


@pytest.fixture(scope="module")
def planned(case: Page) -> Page:
    """Return the page with a plan for one class that has a path and one that is closed."""
    case.get_by_label("Target", exact=True).select_option("anterior third of L3")
    case.evaluate(
        "trocar.model.watch(s => [s.progress], s => (window.told ??= []).push(s.progress))"
    )
    for name in ("parapedicular", "extrapedicular", "right"):
        case.get_by_label(name, exact=True).uncheck()
    case.get_by_text("Needles", exact=True).first.click()
    for name in ("13G-150",):
        case.get_by_label(name, exact=True).uncheck()
    case.get_by_role("button", name="Plan", exact=True).click()
    case.wait_for_function("trocar.model.state.plan !== null")
    return case
