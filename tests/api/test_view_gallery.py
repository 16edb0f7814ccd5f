"""The gallery of views in the docs is the one that its command writes."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from api.view_gallery import PAGE, PICTURES, write_views
from planner.result import ViewRole

DOCS = Path(__file__).parents[2] / "docs"
_PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")


def _without_figures(page: Path) -> list[str]:
    """The page's lines but those that tell angles and shares, which move with every plan."""
    return [line for line in page.read_text().splitlines() if "; console " not in line]


def test_the_page_in_the_docs_is_the_one_that_the_command_writes(tmp_path: Path) -> None:
    written = write_views(tmp_path)
    committed = DOCS / PAGE
    assert _without_figures(committed) == _without_figures(written), (
        "write it anew: python -m api.view_gallery --out docs"
    )
    shown = _PICTURE.findall(committed.read_text())
    assert {f"{PICTURES}/view_{role}.jpg" for role in ViewRole} < set(shown)
    for name in shown:
        with Image.open(DOCS / name) as old, Image.open(tmp_path / name) as new:
            assert old.size == new.size
            assert np.asarray(old.convert("L")).max() > 150, "not empty"
    assert (DOCS / PICTURES / "sheet.pdf").read_bytes().startswith(b"%PDF")
