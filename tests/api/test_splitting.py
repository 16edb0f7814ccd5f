"""``trocar split``: fused vertebrae become structures of their own, or the reason is told."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api import cli
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.solids import box
from phantom.spine import bone_meshes, spine
from planner.case import Case, Kind, Structure
from planner.case_io import load_case, save_case


def case_of(**meshes: tuple[Kind, str | None, TriangleMesh]) -> Case:
    structures = tuple(
        Structure(name=name, kind=kind, level=level, mesh=mesh)
        for name, (kind, level, mesh) in meshes.items()
    )
    return Case(name="made", structures=structures, digest="0" * 64)


def split(case: Case, folder: Path, bone: str, levels: str) -> Result:
    save_case(case, folder / "case")
    words = ["split", str(folder / "case"), "--bone", bone, "--levels", levels]
    return CliRunner().invoke(
        cli.app, [*words, "--out", str(folder / "made")], catch_exceptions=False
    )


def test_two_vertebrae_in_one_mesh_become_two_structures(tmp_path: Path) -> None:
    column = spine(("T11", "T12"), seed=3, scale=1.0, height_loss={})
    upper, lower = bone_meshes(column, resolution_mm=2.0).values()
    both = triangle_mesh(
        np.concatenate([upper.vertices, lower.vertices]),
        np.concatenate([upper.faces, lower.faces + len(upper.vertices)]),
    )
    canal = box(np.array([0.0, 200.0, 0.0]), np.full(3, 10.0))
    case = case_of(both=(Kind.VERTEBRA, None, both), sac=(Kind.CANAL, None, canal))
    done = split(case, tmp_path, "both", "T11,T12")
    assert done.exit_code == 0, done.output
    assert "confidence 0.80" in done.stderr
    made = load_case(tmp_path / "made")
    assert [(s.name, s.level) for s in made.structures] == [
        ("both_T11", "T11"), ("both_T12", "T12"), ("sac", None),
    ]  # fmt: skip
    assert "confidence 0.80" in made.provenance["split both"]
    for mesh, part in zip((upper, lower), made.structures, strict=False):
        assert part.mesh.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=1e-3)


@pytest.mark.parametrize(
    ("bone", "levels", "said"),
    [
        ("L2", "L2", "two or more neighbours"),
        ("L2", "L2,L4", "two or more neighbours"),
        ("L2", "L2,L1", "two or more neighbours"),
        ("L2", "L2,K3", "two or more neighbours"),
        ("L2", "L3,L4", "another bone carries L4"),
        ("sac", "L2,L3", "only a vertebra is split"),
        ("L9", "L2,L3", "the case has no structure 'L9'"),
        ("L2", "L2,L3", "L2 stays whole"),
    ],
)
def test_what_is_not_split_is_refused_with_the_reason(
    tmp_path: Path, bone: str, levels: str, said: str
) -> None:
    block = (Kind.VERTEBRA, "L2", box(np.zeros(3), np.full(3, 30.0)))
    other = (Kind.VERTEBRA, "L4", box(np.array([0.0, 0.0, -80.0]), np.full(3, 30.0)))
    sac = (Kind.CANAL, None, box(np.array([0.0, 40.0, 0.0]), np.full(3, 10.0)))
    done = split(case_of(L2=block, L4=other, sac=sac), tmp_path, bone, levels)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "made").exists()
