"""Bundles on disk: complete, byte-identical for a seed, and the committed ones reproducible."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry.mesh_files import read_mesh
from phantom.__main__ import main
from phantom.bundle import write_bundle
from phantom.recipe import RECIPES, PhantomCase, recipe_named
from planner.case_io import load_case

SAMPLES = Path(__file__).parents[2] / "sample_cases"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    recipe = replace(recipe_named("thoracic-halo", seed=4), resolution_mm=2.5)
    for folder in ("a", "b"):
        write_bundle(recipe, tmp_path / folder)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


def test_the_bundle_lists_every_mesh_it_has(tmp_path: Path) -> None:
    assert main(["--recipe", "lumbar-fracture", "--resolution", "2", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "case.json").read_text())
    listed = {entry["file"] for entry in record["structures"]}
    assert listed == {f"meshes/{path.name}" for path in (tmp_path / "meshes").iterdir()}
    assert record["provenance"]["generator"].endswith("--seed 1 --resolution 2")
    assert (record["coordinate_system"], record["units"]) == ("LPS", "mm")


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_committed_sample_is_what_its_recipe_gives(name: str, tmp_path: Path) -> None:
    write_bundle(recipe_named(name), tmp_path)
    made, kept = _files(tmp_path), _files(SAMPLES / name)
    assert made.keys() == kept.keys()
    assert made["case.json"] == kept["case.json"]
    for path in made:
        if path.endswith(".ply"):
            ours, theirs = read_mesh(made[path], ".ply"), read_mesh(kept[path], ".ply")
            # Other processors' sine and exponential differ in the last bits.
            assert ours.vertices.shape == theirs.vertices.shape, path
            assert np.abs(ours.vertices - theirs.vertices).max() < 1e-3, path


def test_the_bundle_reads_back_as_the_case_that_was_built(tmp_path: Path) -> None:
    recipe = replace(recipe_named("lumbar-fracture"), resolution_mm=1.7)
    built = write_bundle(recipe, tmp_path)
    read = load_case(tmp_path)
    assert read.digest == built.case.digest
    for ours, theirs in zip(built.case.structures, read.structures, strict=True):
        assert np.array_equal(ours.mesh.vertices, theirs.mesh.vertices), ours.name
    assert not [p for structure in read.structures for p in structure.problems]
    assert not read.warnings


def test_samples_are_small_enough_to_ship() -> None:
    for name in RECIPES:
        size = sum(len(content) for content in _files(SAMPLES / name).values())
        assert size < 3.3e6, name


def test_the_command_lists_recipes_and_refuses_unknown_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--list"]) == 0
    assert "lumbar-fracture" in capsys.readouterr().out
    assert main(["--recipe", "nothing"]) == 2
    assert "there are: lumbar-fracture" in capsys.readouterr().err


def test_the_truth_is_plain_json(lumbar: PhantomCase) -> None:
    assert json.loads(json.dumps(lumbar.truth)) == lumbar.truth
