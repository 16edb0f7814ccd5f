"""The gallery: every level and every operation, each drawn on its own, with its page and picture."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.gallery import WIDTH, write_gallery
from phantom.gallery import LEVELS, PELVIC, VARIANTS, Exhibit
from phantom.morphometry import PHANTOM_LEVELS
from phantom.operated import OPERATIONS
from planner.case import Kind
from preview.worker import RenderUnavailableError

BY_NAME = {exhibit.name: exhibit for exhibit in (*LEVELS, *PELVIC, *VARIANTS)}


def test_every_level_and_every_operation_is_shown_once() -> None:
    names = [exhibit.name for exhibit in (*LEVELS, *PELVIC, *VARIANTS)]
    assert len(set(names)) == len(names)
    assert tuple(exhibit.name for exhibit in LEVELS) == PHANTOM_LEVELS
    assert set(OPERATIONS) <= set(names)


@pytest.mark.parametrize("name", ["T1", "transverse_removed", "transitional", "coarse"])
def test_an_exhibit_is_the_same_case_every_time(name: str) -> None:
    case = BY_NAME[name].case()
    assert case.digest == BY_NAME[name].case().digest
    (bone,) = case.of_kind(Kind.VERTEBRA)
    assert bone.mesh.is_closed
    assert len(case.of_kind(Kind.SCREW)) == (1 if name == "T1" else 0)


def test_bumps_leave_the_bone_closed_beside_its_screw() -> None:
    case = BY_NAME["artefact_bumps"].case()
    assert case.of_kind(Kind.VERTEBRA)[0].mesh.is_closed
    assert len(case.of_kind(Kind.SCREW)) == 1


def test_a_coarse_bone_has_about_a_thousand_triangles() -> None:
    (bone,) = BY_NAME["coarse"].case().structures
    assert len(bone.mesh.faces) == pytest.approx(1000, rel=0.1)


@pytest.fixture(scope="module")
def two() -> list[tuple[str, list[Exhibit]]]:
    return [("Levels", [BY_NAME["T5"]]), ("Others", [BY_NAME["left_pedicle_resected"]])]


def test_page_and_pictures_are_written_and_agree(
    two: list[tuple[str, list[Exhibit]]], tmp_path: Path
) -> None:
    try:
        page = write_gallery(two, tmp_path)
    except RenderUnavailableError as missing:
        pytest.skip(str(missing))
    text = page.read_text(encoding="utf-8")
    assert "not a medical device" in text
    shown = re.findall(r"\]\((gallery/[^)]+)\)", text)
    assert shown == ["gallery/T5.jpg", "gallery/left_pedicle_resected.jpg"]
    assert sorted(shown) == sorted(
        f"gallery/{path.name}" for path in (tmp_path / "gallery").iterdir()
    )
    for name in shown:
        with Image.open(tmp_path / name) as picture:
            assert picture.width == WIDTH
            assert np.asarray(picture).std() > 10.0
    level, resected = text.split("## Others")
    assert "free beside metal" in level
    assert re.search(r"Left pedicle, confidence 0\.\d\d", level)
    assert "Left pedicle not read: " in resected
    assert re.search(r"Right pedicle, confidence 0\.\d\d", resected)
