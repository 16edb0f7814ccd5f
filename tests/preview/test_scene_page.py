"""The page that shows a plan in three dimensions: whole in itself, and run by a browser."""

import base64
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from planner.case import Case
from planner.result import Plan
from preview.export import write_glb
from preview.scene import scene_of
from preview.scene_page import NOTICE, scene_page

FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
ODD = 'a <b> & "c" ${x} $$'


@pytest.fixture(scope="module")
def glb(small_case: Case, small_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("scene") / "scene.glb"
    write_glb(scene_of(small_case, small_plan), path)
    return path.read_bytes()


def test_the_page_carries_its_scene_fetches_nothing_and_says_what_it_is_not(glb: bytes) -> None:
    page = scene_page(glb, ODD)
    [carried] = re.findall(r'<script type="text/plain" id="glb">([^<]*)</script>', page)
    assert base64.b64decode(carried) == glb
    assert NOTICE in page
    assert "a &lt;b&gt; &amp; &quot;c&quot; ${x} $$" in page
    assert not re.search(r"https?://|\bsrc=|\bhref=|fetch\(|import\s", page)


def test_a_browser_draws_every_part_and_hides_what_is_unticked(glb: bytes, tmp_path: Path) -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    file = tmp_path / "scene.html"
    file.write_text(scene_page(glb, ODD), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 400, "height": 300})
        mistakes: list[str] = []
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_selector("nav label")
        names = page.locator("nav label").all_inner_texts()
        assert any(name.startswith("trajectory") for name in names)
        shown = page.locator("canvas").screenshot()
        for box in page.locator("nav input").all():
            box.uncheck()
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        emptied = page.locator("canvas").screenshot()
        browser.close()
    assert not mistakes
    assert len(shown) > len(emptied), "an empty picture packs smaller"
