"""The sheet of what was read: a row per vertebra, outlines where the anatomy says they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapely import Point as Dot
from shapely import box

from geometry.arrays import frozen
from geometry.frames import frame_from_axes
from planner.anatomy.derived import DerivedAnatomy
from planner.anatomy.describe import CaseAnatomy
from planner.anatomy.model import (
    Body,
    HardwareAnatomy,
    Pedicle,
    ScrewAxis,
    Unavailable,
    VertebraAnatomy,
)
from planner.case import Case, Side
from preview.anatomy_sheet import _body_strokes, _pedicle_strokes, _shots, render_anatomy

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
    return CaseAnatomy(
        vertebrae={"L2": Unavailable(reason="broken"), "L3": vertebra},
        heights={}, ilia={}, hardware=replace(NO_METAL, screws={"screw_L3_L": screw}),
        corridors={}, ribs={}, derived=NOTHING,
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


def test_each_vertebra_that_was_read_is_shown_three_times(
    small_case: Case, anatomy: CaseAnatomy
) -> None:
    shots = list(_shots(small_case, anatomy, _only(anatomy)))
    assert [viewpoint.title for _, viewpoint in shots] == [
        "L3 from behind", "L3 from the left", "L3 isthmus L 10.0x10.0 mm",
    ]  # fmt: skip
    assert {s.name for s in shots[0][0].surfaces} == {"L3", "dural_sac", "screw_L3_L"}


def test_the_sheet_is_written(
    small_case: Case, anatomy: CaseAnatomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preview.anatomy_sheet.PANEL", (210, 180))
    result = render_anatomy(small_case, anatomy, tmp_path / "out")
    if result.unavailable:
        pytest.skip(result.unavailable)
    with Image.open(tmp_path / "out" / "anatomy.png") as page:
        assert page.size[0] > 3 * 210


def test_without_a_readable_vertebra_the_sheet_says_why_it_is_not_there(
    small_case: Case, tmp_path: Path
) -> None:
    nothing = CaseAnatomy(
        vertebrae={"L3": Unavailable(reason="broken")}, heights={}, ilia={}, hardware=NO_METAL,
        corridors={}, ribs={}, derived=NOTHING,
    )  # fmt: skip
    result = render_anatomy(small_case, nothing, tmp_path)
    assert result.picture_png is None
    assert "no vertebra" in str(result.unavailable)
