"""The table of techniques is whole: every id has its row, and every test it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "techniques.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"^\| [TKDH]\d+ \|", line)
]
IDS = [
    f"{kind}{n}"
    for kind, most in zip("TKDH", (12, 14, 18, 10), strict=True)
    for n in range(1, most + 1)
]


def test_every_id_of_the_series_has_one_row_in_order() -> None:
    assert [row[0] for row in ROWS] == IDS


def test_every_row_names_tests_that_exist_or_says_why_there_is_none() -> None:
    for name, what, how, *tests, case in ROWS:
        assert what, name
        assert len(tests) == (2 if name.startswith("K") else 1), name
        if how.startswith("not planned"):
            assert re.match(r"not planned: \w+", how), f"{name} gives no reason"
            assert {*tests, case} == {"-"}, name
            continue
        for test in tests:
            path, _, function = test.strip("`").partition("::")
            source = (ROOT / "tests" / "planner" / path).read_text(encoding="utf-8")
            assert f"def {function}(" in source, f"{name}: {test}"
        sample = re.split("[,; :]", case)[0]
        known = (ROOT / "sample_cases" / sample).is_dir() or sample in {"generated", "real"}
        assert known, f"{name}: {case}"


def test_every_technique_of_the_parametrised_tests_is_named_there() -> None:
    source = (ROOT / "tests" / "planner" / "test_technique_cases.py").read_text(encoding="utf-8")
    best, refused = source.split("REFUSED: Mapping")
    for row in ROWS:
        if "test_a_technique_is_the_best_answer" in " ".join(row):
            assert f'"{row[0]}": (' in best, row[0]
            assert f'"{row[0]}": (' in refused, row[0]
