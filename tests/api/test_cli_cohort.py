"""``trocar cohort``: what is asked is checked before anything is drawn."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from cohort.spec import Spec
from cohort.store import keep, open_folder

RUN = CliRunner()


def _file(folder: Path, **changes: object) -> str:
    asked: dict[str, object] = {
        "schema": "trocar/cohort/1", "name": "mine", "series": "bilateral", "seed": 7, **changes,
    }  # fmt: skip
    path = folder / "mine.json"
    path.write_text(json.dumps(asked), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"series": "other"}, "series"), ({"copies": 0}, "copies"), ({"name": "a/b"}, "name"),
        ({"patients": 3}, "patients"), ({"schema": "trocar/case/1"}, "schema"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_and_the_field_named(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    done = RUN.invoke(app, ["cohort", "run", _file(tmp_path, **changes), "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert field in done.output


def test_what_is_no_cohort_is_refused_with_those_there_are(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["cohort", "run", "published", "--out", str(tmp_path / "o")])
    assert done.exit_code == 2
    assert "published-72" in done.output
    assert not (tmp_path / "o").exists()


def test_a_finished_cohort_is_only_reported_again(tmp_path: Path) -> None:
    spec = Spec(name="mine", series="bilateral", seed=7)
    out = tmp_path / "out"
    open_folder(out, spec)
    for number in range(spec.size):
        spine = f"{number + 1:06d}"
        keep(out, {"spine": spine, "not drawn": "no room", "targets": [], "times_s": {}})
    done = RUN.invoke(app, ["cohort", "run", _file(tmp_path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"{spec.size} of {spec.size} spines" in done.output
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"{spec.size} spines had no room for their screws" in page
