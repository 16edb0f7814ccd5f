"""The page round the pictures: numbers keep apart, titles are cut, the sidebar comes and goes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from planner.case import Case
from planner.result import Plan
from preview.page import BADGE, Entry, PageText, _cut_to, _free_spot, font, page_of
from preview.scene import scene_of
from preview.viewpoints import viewpoints_of

SIZE = (300, 240)


def _page(case: Case, plan: Plan, entries: tuple[Entry, ...]) -> Image.Image:
    scene = scene_of(case, plan)
    viewpoints = viewpoints_of(scene, plan, SIZE[0] / SIZE[1])
    blank = [np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)] * len(viewpoints)
    text = PageText(title="L3", subtitle="two paths", entries=entries, legend=())
    return page_of(blank, viewpoints, [scene] * len(viewpoints), text)


def test_the_page_holds_its_pictures_and_a_sidebar_only_if_it_says_something(
    small_case: Case, small_plan: Plan
) -> None:
    with_words = _page(small_case, small_plan, (Entry(heading="Transpedicular left"),))
    without = _page(small_case, small_plan, ())
    assert without.size[0] > 2 * SIZE[0]
    assert without.size[1] > 2 * SIZE[1]
    assert with_words.size[0] > without.size[0]
    assert with_words.size[1] == without.size[1]


def test_the_same_page_is_the_same_picture(
    small_case: Case, small_plan: Plan, tmp_path: Path
) -> None:
    for name in ("one.png", "other.png"):
        _page(small_case, small_plan, ()).save(tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_numbers_of_needles_with_one_hub_do_not_cover_each_other() -> None:
    taken: list[np.ndarray] = []
    for _ in range(6):
        spot = _free_spot(np.array([250.0, 120.0]), np.array([50.0, 120.0]), taken, SIZE)
        assert all(np.linalg.norm(spot - other) >= 2.0 * BADGE for other in taken)
        assert (spot >= BADGE).all()
        assert (spot <= np.array(SIZE) - BADGE).all()
        taken.append(spot)


def test_a_crowded_picture_still_gets_every_number() -> None:
    everywhere = [np.array([x, y]) for x in range(0, 301, 20) for y in range(0, 241, 20)]
    hub = np.array([280.0, 120.0])
    spot = _free_spot(hub, np.array([50.0, 120.0]), [s.astype(float) for s in everywhere], SIZE)
    assert np.linalg.norm(spot - hub) < 60.0


def test_a_long_title_is_cut_to_the_page() -> None:
    pen = ImageDraw.Draw(Image.new("RGB", (10, 10)))
    cut = _cut_to(pen, "a case with a very long name " * 5, font(20), 200.0)
    assert cut.endswith("\u2026")
    assert pen.textlength(cut, font=font(20)) <= 200.0
    assert _cut_to(pen, "short", font(20), 200.0) == "short"
