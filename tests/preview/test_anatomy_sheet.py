"""The sheet of what was read: a row per vertebra, outlines where the anatomy says they are."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapely import MultiPolygon, box
from shapely import Point as Dot

from geometry.arrays import frozen
from geometry.frames import frame_from_axes
from planner.anatomy.corridor import Corridor, Place
from planner.anatomy.derived import DerivedAnatomy
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.ilium import IliumAnatomy
from planner.anatomy.model import (
    Body,
    HardwareAnatomy,
    Pedicle,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.case import Case, Side
from preview.anatomy_sheet import (
    Note,
    Panel,
    Shot,
    _body_strokes,
    _panels,
    _pedicle_strokes,
    render_anatomy,
)
from preview.anatomy_words import pedicle_words
from preview.isthmus import Area, isthmus_areas, isthmus_view, overlaid

NOTHING = DerivedAnatomy(structures=(), foramina=(), missing=())
NO_METAL = HardwareAnatomy(screws={}, rods={}, crosslinks={}, cages={}, findings={})


def _pedicle(side: Side) -> Pedicle:
    outward = 1.0 if side is Side.LEFT else -1.0
    return Pedicle(
        side=side, centre_mm=frozen([outward * 14.0, 17.0, 4.0]), axis=frozen([0.0, -1.0, 0.0]),
        lateral=frozen([outward, 0.0, 0.0]), cranial=frozen([0.0, 0.0, 1.0]),
        outline=Dot(0.0, 0.0).buffer(5.0), width_mm=10.0, height_mm=10.0, confidence=1.0, cause="",
    )  # fmt: skip


@pytest.fixture
def anatomy() -> CaseAnatomy:
    body = Body(
        width_mm=44.0, depth_mm=34.0, posterior_height_mm=28.0, anterior_height_mm=28.0,
        superior_mm=frozen([0.0, 0.0, 14.0]), superior_normal=frozen([0.0, 0.6, 0.8]),
        inferior_mm=frozen([0.0, 0.0, -14.0]), inferior_normal=frozen([0.0, 0.0, -1.0]),
        outline=box(-22.0, -17.0, 22.0, 17.0),
    )  # fmt: skip
    vertebra = VertebraAnatomy(
        structure="L3", level="L3",
        frame=frame_from_axes(name="L3", origin_mm=np.zeros(3), axes=np.eye(3)),
        body=body,
        pedicles={Side.LEFT: _pedicle(Side.LEFT), Side.RIGHT: Unavailable(reason="resected")},
        confidence=1.0, cause="",
    )  # fmt: skip
    screw = ScrewAxis(
        structure="screw_L3_L", head_mm=frozen([22.0, 40.0, 0.0]), tip_mm=frozen([8.0, -8.0, 0.0]),
        diameter_mm=6.5, level="L3", side=Side.LEFT,
    )  # fmt: skip
    above = Corridor(
        place=Place.ABOVE, free=MultiPolygon([box(-2.0, 0.5, 2.0, 4.5)]), circle_mm=(0.0, 2.5),
        radius_mm=2.0, preferred_radius_mm=0.0, gauges=(8, 10), preferred_gauges=(),
    )  # fmt: skip
    return CaseAnatomy(
        vertebrae={"L2": Unavailable(reason="broken"), "L3": vertebra},
        heights={}, ilia={}, hardware=replace(NO_METAL, screws={"screw_L3_L": screw}),
        corridors={("L3", Side.LEFT): (above,)}, halos={}, ribs={}, derived=NOTHING,
    )  # fmt: skip


def _only(anatomy: CaseAnatomy) -> VertebraAnatomy:
    vertebra = anatomy.vertebrae["L3"]
    assert isinstance(vertebra, VertebraAnatomy)
    return vertebra


def test_an_isthmus_outline_lies_in_its_plane_about_its_centre(anatomy: CaseAnatomy) -> None:
    outline, axis = _pedicle_strokes(_only(anatomy))
    offsets = outline.points_mm - np.array([14.0, 17.0, 4.0])
    np.testing.assert_allclose(offsets[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), 5.0, atol=0.05)
    np.testing.assert_allclose(axis.points_mm.mean(axis=0), [14.0, 17.0, 4.0])


def test_the_bodys_outline_is_put_onto_both_endplates(anatomy: CaseAnatomy) -> None:
    upper, lower = _body_strokes(_only(anatomy))
    tilted = (upper.points_mm - np.array([0.0, 0.0, 14.0])) @ np.array([0.0, 0.6, 0.8])
    np.testing.assert_allclose(tilted, 0.0, atol=1e-12)
    np.testing.assert_allclose(lower.points_mm[:, 2], -14.0, atol=1e-12)


def _titles(panels: Iterable[Panel]) -> list[str]:
    return [p.heading if isinstance(p, Note) else p.viewpoint.title for p in panels]


def test_a_vertebra_that_was_read_has_two_rows_and_one_that_was_not_a_row(
    small_case: Case, anatomy: CaseAnatomy
) -> None:
    panels = list(_panels(small_case, anatomy))
    assert _titles(panels) == [
        "L2 from behind", "L2 from the left", "L2: what was read",
        "L3 from behind", "L3 from the left", "L3 at its pedicles, from the feet",
        "L3 left isthmus 10.0x10.0 mm", "L3 right isthmus", "L3: what was read",
    ]  # fmt: skip
    shot = panels[3]
    assert isinstance(shot, Shot)
    assert {s.name for s in shot.scene.surfaces} == {"L3", "dural_sac", "screw_L3_L"}


def test_what_was_not_read_is_said_with_its_reason(small_case: Case, anatomy: CaseAnatomy) -> None:
    notes = [p for p in _panels(small_case, anatomy) if isinstance(p, Note)]
    assert notes[0].paragraphs == ("Not read: broken.",)
    assert notes[1].paragraphs == ("Right pedicle not read: resected.",)
    assert "Right pedicle not read: resected." in notes[2].paragraphs
    assert any("4.0 mm (8G) above" in paragraph for paragraph in notes[2].paragraphs)


def test_an_ilium_is_shown_with_its_corridor_or_the_reason(
    small_case: Case, anatomy: CaseAnatomy
) -> None:
    found = IliumAnatomy(
        structure="pleura_L", frame=frame_from_axes(name="i", origin_mm=np.zeros(3), axes=np.eye(3)),
        posterior_mm=frozen([0.0, 60.0, 0.0]), anterior_mm=frozen([0.0, -60.0, 0.0]),
        axis=frozen([0.0, -1.0, 0.0]), radius_mm=5.0, confidence=0.8, cause="wide",
    )  # fmt: skip
    for ilium, said, strokes in ((found, "0.80: wide", 4), (Unavailable(reason="thin"), "thin", 0)):
        only = replace(anatomy, vertebrae={}, ilia={"pleura_L": ilium})
        behind, _, words = _panels(small_case, only)
        assert isinstance(behind, Shot)
        assert isinstance(words, Note)
        assert len(behind.scene.strokes) == strokes
        assert said in words.paragraphs[0]


def test_areas_lie_in_the_plane_of_the_isthmus(small_case: Case, anatomy: CaseAnatomy) -> None:
    vertebra = _only(anatomy)
    pedicle = vertebra.pedicles[Side.LEFT]
    assert isinstance(pedicle, Pedicle)
    view = isthmus_view("L3", pedicle)
    centre = view.on_picture(pedicle.centre_mm[None], (420, 360))[0]
    lateral = view.on_picture((pedicle.centre_mm + pedicle.lateral)[None], (420, 360))[0]
    assert lateral[0] < centre[0]  # the patient's left is on the left, as seen from behind
    dot = Area(shape=Dot(3.0, 0.0).buffer(1.0), colour=(1.0, 0.0, 0.0), opacity=1.0)
    black = np.zeros((360, 420, 3), dtype=np.uint8)
    red = np.argwhere(overlaid(black, view, pedicle, [dot])[:, :, 0] > 127)
    expected = view.on_picture((pedicle.centre_mm + 3.0 * pedicle.lateral)[None], (420, 360))[0]
    np.testing.assert_allclose(red.mean(axis=0)[::-1], expected, atol=1.0)
    scale = 360 / (2.0 * view.half_height_mm)
    assert len(red) == pytest.approx(np.pi * scale**2, rel=0.05)


def test_a_doubtful_pedicle_has_an_outline_but_no_gates(anatomy: CaseAnatomy) -> None:
    vertebra, free = _only(anatomy), anatomy.corridors["L3", Side.LEFT]
    sure = vertebra.pedicles[Side.LEFT]
    assert isinstance(sure, Pedicle)
    doubtful = replace(sure, confidence=0.3, cause="cut off")
    assert len(list(isthmus_areas(vertebra, sure, (), free))) == 5
    (outline,) = isthmus_areas(vertebra, doubtful, (), free)
    assert outline.shape.bounds == pytest.approx((-5.175, -5.175, 5.175, 5.175), abs=0.01)
    assert "doubtful" in isthmus_view("L3", doubtful).title
    assert "too little to plan on: cut off" in pedicle_words(doubtful)


def test_the_hole_of_an_area_is_left_free(anatomy: CaseAnatomy) -> None:
    pedicle = _only(anatomy).pedicles[Side.LEFT]
    assert isinstance(pedicle, Pedicle)
    ring = Area(shape=Dot(0.0, 0.0).buffer(5.0).difference(Dot(0.0, 0.0).buffer(3.0)),
                colour=(0.0, 1.0, 0.0), opacity=0.5)  # fmt: skip
    view = isthmus_view("L3", pedicle)
    black = np.zeros((360, 420, 3), dtype=np.uint8)
    picture = overlaid(black, view, pedicle, [ring])
    across, down = np.round(view.on_picture(pedicle.centre_mm[None], (420, 360))[0]).astype(int)
    assert picture[down, across].tolist() == [0, 0, 0]
    assert picture[:, :, 1].max() == pytest.approx(128, abs=1)


def test_the_sheet_is_written(
    small_case: Case, anatomy: CaseAnatomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preview.anatomy_sheet.PANEL", (210, 180))
    result = render_anatomy(small_case, anatomy, tmp_path / "out")
    if result.unavailable:
        pytest.skip(result.unavailable)
    with Image.open(tmp_path / "out" / "anatomy.png") as page:
        assert page.size[0] > 3 * 210


def test_a_case_without_bones_has_no_sheet(small_case: Case, tmp_path: Path) -> None:
    nothing = CaseAnatomy(
        vertebrae={}, heights={}, ilia={}, hardware=NO_METAL, corridors={}, halos={}, ribs={},
        derived=NOTHING,
    )  # fmt: skip
    result = render_anatomy(small_case, nothing, tmp_path)
    assert result.picture_png is None
    assert "no vertebra" in str(result.unavailable)
