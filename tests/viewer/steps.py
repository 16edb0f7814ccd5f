"""What a reader does on the viewer's page, and how the page is asked what it shows."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from api.samples import sample_case

AXE = Path(__file__).parents[2] / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
WAIT_MS = 240_000.0


def state(page: Page, expression: str) -> Any:  # noqa: ANN401  whatever the page answers
    return page.evaluate(f"(s => {expression})(trocar.model.state)")


def assert_nothing_breaks_wcag_aa(page: Page) -> None:
    """Check every rule of WCAG 2.1 AA that a program can check, with axe-core."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
    assert not [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert len(found["passes"]) > 10


def taken(page: Page, name: str) -> bytes:
    """Return the file that a button of Take away gives."""
    with page.expect_download() as waited:
        page.get_by_role("button", name=name).click()
    return Path(waited.value.path()).read_bytes()


# Where in the window a point of the patient is.
ON_SCREEN = (
    "p => { const box = trocar.scene.canvas.getBoundingClientRect();"
    " const at = trocar.scene.onScreen(trocar.scene.camera.position.clone().set(...p));"
    " return { x: at.x + box.left, y: at.y + box.top } }"
)


def handle(page: Page, place: str) -> dict[str, float]:
    """Return where in the window a place of the model is."""
    where: dict[str, float] = page.evaluate(ON_SCREEN, state(page, f"s.{place}"))
    return where


def zipped(*names: str) -> bytes:
    """Return the sample case with only these structures, in a folder in a zip file."""
    folder = sample_case("lumbar-fracture")
    document = json.loads((folder / "case.json").read_text())
    document["structures"] = [row for row in document["structures"] if row["name"] in names]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("dropped/case.json", json.dumps(document))
        for row in document["structures"]:
            archive.write(folder / row["file"], f"dropped/{row['file']}")
    return written.getvalue()


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop a file on the page, as from a file manager."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const t = new DataTransfer();"
        " const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));"
        " t.items.add(new File([bytes], name)); return t }",
        [name, base64.b64encode(data).decode()],
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
