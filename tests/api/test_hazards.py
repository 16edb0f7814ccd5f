"""Every control in docs/hazards.md is shown by something that is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    row.strip("| \n").split(" | ")
    for row in (ROOT / "docs" / "hazards.md").read_text().splitlines()
    if row.startswith("| ") and "::" in row
]


def _named(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Assign)
    found = [node for node in ast.parse(path.read_text()).body if isinstance(node, kinds)]
    return {
        name
        for node in found
        for name in (
            [t.id for t in node.targets if isinstance(t, ast.Name)]
            if isinstance(node, ast.Assign)
            else [node.name]
        )
    }


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_every_control_is_shown_by_a_test_that_is_there(row: list[str]) -> None:
    hazard, cause, control, shown_by = row
    assert all((hazard, cause, control))
    shown = re.findall(r"`([^`]+)`", shown_by)
    assert any("::" in one for one in shown)
    for one in shown:
        file, _, name = one.partition("::")
        assert (ROOT / file).is_file(), one
        assert not name or name in _named(ROOT / file), one


def test_every_hazard_is_in_the_table_once() -> None:
    hazards = [row[0] for row in ROWS]
    assert len(hazards) == len(set(hazards)) > 15
