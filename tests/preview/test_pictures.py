"""The written preview: real pixels from the real renderer, and a clear word where there is none."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Bool
from PIL import Image

from geometry.arrays import unit
from planner.case import Case
from planner.result import Plan
from preview.looks import Colour, needle_colour
from preview.pictures import PANEL, render_preview
from preview.scene import Scene, scene_of
from preview.viewpoints import Picture, Viewpoint, viewpoints_of
from preview.worker import INSTALL, OPENGL_WINDOW, _draw, _prepare

SMALL = (160, 135)


def near(picture: Picture, colour: Colour, within: float = 0.2) -> int:
    """Count the pixels whose chromaticity is near that of ``colour``, shading apart."""
    pixels = picture.reshape(-1, 3) / 255.0
    bright = pixels[pixels.sum(axis=1) > 0.4]
    shares = bright / bright.sum(axis=1, keepdims=True)
    wanted = np.array(colour) / sum(colour)
    return int((np.abs(shares - wanted).max(axis=1) < within / 3.0).sum())


Draw = Callable[[Scene, tuple[Viewpoint, ...]], list[Picture]]


@pytest.fixture(scope="module")
def draw_small() -> Iterator[Draw]:
    """Return a function that draws small pictures, all in one process to save its start."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_prepare) as pool:

        def draw(scene: Scene, viewpoints: tuple[Viewpoint, ...]) -> list[Picture]:
            try:
                return pool.submit(_draw, [(scene, v) for v in viewpoints], SMALL).result()
            except BrokenProcessPool:
                pytest.skip(f"needs an OpenGL library: {INSTALL}")

        yield draw


@pytest.fixture(scope="module")
def scene(small_case: Case, small_plan: Plan) -> Scene:
    return scene_of(small_case, small_plan)


@pytest.fixture(scope="module")
def viewpoints(scene: Scene, small_plan: Plan) -> tuple[Viewpoint, ...]:
    return viewpoints_of(scene, small_plan, SMALL[0] / SMALL[1])


@pytest.fixture(scope="module")
def drawn(draw_small: Draw, scene: Scene, viewpoints: tuple[Viewpoint, ...]) -> list[Picture]:
    return draw_small(scene, viewpoints)


def changed(one: Picture, other: Picture) -> Bool[np.ndarray, "height width"]:
    return np.abs(one.astype(int) - other).max(axis=2) > 6


def without(scene: Scene, *names: str) -> Scene:
    return replace(scene, surfaces=tuple(s for s in scene.surfaces if s.name not in names))


def test_every_viewpoint_gives_a_picture_of_the_asked_size(drawn: list[Picture]) -> None:
    assert [picture.shape for picture in drawn] == [(SMALL[1], SMALL[0], 3)] * 4
    assert all(picture.std() > 8.0 for picture in drawn)


def test_needles_are_seen_in_their_colours(drawn: list[Picture]) -> None:
    for picture in (drawn[0], drawn[3]):
        for rank in (1, 2):
            assert near(picture, needle_colour(rank)) > 20


def test_a_needle_is_where_the_marks_over_the_picture_expect_it(
    scene: Scene, viewpoints: tuple[Viewpoint, ...], drawn: list[Picture]
) -> None:
    needle = scene.needles[0]
    outside = (needle.hub_mm + needle.points_mm[0]) / 2.0
    right, down = viewpoints[3].on_picture(outside[None], SMALL)[0]
    red, _, blue = (int(value) for value in drawn[3][int(down), int(right)])
    assert red > blue + 60  # orange on a blue-grey ground


def test_translucent_bone_is_really_drawn_and_lets_the_needle_through(
    draw_small: Draw, scene: Scene, viewpoints: tuple[Viewpoint, ...]
) -> None:
    lateral = viewpoints[2]
    open_view = without(scene, "screw_L3_L", "pleura_L", "target")
    both = draw_small(open_view, (lateral,))[0]
    bone = changed(both, draw_small(without(open_view, "L3"), (lateral,))[0])
    needles = changed(both, draw_small(replace(open_view, needles=()), (lateral,))[0])

    area = float(np.prod(np.ptp(lateral.on_picture(scene.framed_mm, SMALL), axis=0)))
    assert bone.sum() > 0.8 * area
    tip, before = scene.needles[0].points_mm[-1], scene.needles[0].points_mm[-2]
    inside = tip + 6.0 * unit(before - tip)
    right, down = (int(pixel) for pixel in lateral.on_picture(inside[None], SMALL)[0])
    assert bone[down, right]
    assert needles[down, right]


def test_translucent_things_are_sorted_by_depth_and_not_by_when_they_were_added(
    draw_small: Draw, scene: Scene, viewpoints: tuple[Viewpoint, ...], drawn: list[Picture]
) -> None:
    backwards = draw_small(replace(scene, surfaces=scene.surfaces[::-1]), (viewpoints[2],))[0]
    assert changed(backwards, drawn[2]).mean() < 0.01


def test_the_preview_writes_a_page_and_a_scene(
    small_case: Case, small_plan: Plan, tmp_path: Path
) -> None:
    result = render_preview(small_case, small_plan, tmp_path / "out")
    if result.unavailable:
        pytest.skip(result.unavailable)
    assert result.picture_png == tmp_path / "out" / "preview.png"
    assert result.scene_glb.stat().st_size > 1000
    with Image.open(tmp_path / "out" / "preview.png") as page:
        assert page.size[0] > 2 * PANEL[0]
        assert page.size[1] > 2 * PANEL[1]
        assert len(page.convert("RGB").getcolors(maxcolors=1_000_000) or []) > 1000


def test_a_plan_without_a_path_still_has_its_preview(
    small_case: Case, empty_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preview.pictures.PANEL", SMALL)
    result = render_preview(small_case, empty_plan, tmp_path)
    if result.unavailable:
        pytest.skip(result.unavailable)
    assert (tmp_path / "preview.png").exists()


def test_where_nothing_can_be_drawn_the_scene_is_written_and_the_remedy_named(
    small_case: Case, small_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without OSMesa, asking VTK for it ends the process, as having no OpenGL at all does.
    monkeypatch.setenv(OPENGL_WINDOW, "vtkOSOpenGLRenderWindow")
    (tmp_path / "preview.png").write_bytes(b"of an older plan")
    result = render_preview(small_case, small_plan, tmp_path)
    if result.picture_png is not None:
        pytest.skip("needs a machine without OSMesa, which can draw what this test forbids")
    assert not (tmp_path / "preview.png").exists()
    assert result.scene_glb.exists()
    assert "libegl1 libgl1-mesa-dri" in str(result.unavailable)
