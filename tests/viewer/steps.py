"""What a reader does on the viewer's page, and how the page is asked what it shows."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trimesh
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


def pull(page: Page, place: str, right_px: float, down_px: float) -> None:
    """Take a handle with the mouse and let it go somewhere else."""
    at = handle(page, place)
    page.mouse.move(at["x"], at["y"])
    page.mouse.down()
    page.mouse.move(at["x"] + right_px, at["y"] + down_px)
    page.mouse.up()


def bad_case(folder: Path) -> list[Path]:
    """Write a case whose only mesh holds nothing."""
    structure = {"name": "L3", "kind": "vertebra", "level": "L3", "file": "L3.stl"}
    document = {"schema": "trocar/case/1", "name": "bad", "coordinate_system": "LPS", "units": "mm"}
    (folder / "case.json").write_text(json.dumps({**document, "structures": [structure]}))
    (folder / "L3.stl").write_bytes(b"\0" * 84)
    return [folder / "case.json", folder / "L3.stl"]


@contextmanager
def uploading_at(page: Page, bytes_per_s: float) -> Iterator[None]:
    """Let nothing leave the browser faster than this."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1,
         "uploadThroughput": bytes_per_s},
    )  # fmt: skip
    yield
    session.detach()


def zipped(*names: str, inside_out: str) -> bytes:
    """Return the sample case with only these structures, one inside out, in a folder in a zip."""
    folder = sample_case("lumbar-fracture")
    document = json.loads((folder / "case.json").read_text())
    document["structures"] = [row for row in document["structures"] if row["name"] in names]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("dropped/case.json", json.dumps(document))
        for row in document["structures"]:
            mesh = trimesh.load(folder / row["file"], process=False)
            if row["name"] == inside_out:
                mesh.invert()
            archive.writestr(f"dropped/{row['file']}", mesh.export(file_type="ply"))
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


def drop_folder(page: Page, folder: Path) -> None:
    """Drop a folder on the page, as from a file manager: Chromium itself walks it."""
    box = page.locator(".drop").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent",
            {"type": step, "x": box["x"] + 5, "y": box["y"] + 5,
             "data": {"items": [], "files": [str(folder)], "dragOperationsMask": 1}},
        )  # fmt: skip
    session.detach()
