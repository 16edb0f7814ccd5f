"""The simulated picture: what is dark in it, where it is, and what stands on it."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
import trimesh
from jaxtyping import Float
from PIL import ImageDraw

from geometry.arrays import Vector, frozen, unit
from geometry.mesh import TriangleMesh, triangle_mesh
from geometry.projection import ConeBeam
from planner.case import Case, Kind, Structure
from planner.result import Plan
from preview.attenuation import (
    CORTEX_MM,
    CORTEX_PER_MM,
    MARROW_PER_MM,
    SOFT_PER_MM,
    TITANIUM_PER_MM,
    attenuation,
    left_out,
)
from preview.fluoro_image import NOTICE, SIZE, FluoroShot, fluoro_image, grey

PIXEL_MM = 0.5
FIELD = (160, 160)


def beam_along(direction: list[float]) -> ConeBeam:
    return ConeBeam(
        direction=frozen(unit(direction)), isocentre_mm=frozen([0.0, 0.0, 0.0]),
        source_to_isocentre_mm=750.0, source_to_detector_mm=1050.0,
    )  # fmt: skip


def through_middle(case: Case, beam: ConeBeam) -> float:
    return float(attenuation(case.structures, [], beam, (1, 1), 1e-3)[0, 0])


def only(case: Case, *names: str) -> Case:
    return replace(case, structures=tuple(s for s in case.structures if s.name in names))


def shot(plan: Plan, direction: list[float]) -> FluoroShot:
    first = plan.trajectories[0]
    return FluoroShot(
        beam=replace(beam_along(direction), isocentre_mm=first.tip_mm), path=first.path,
        radius_mm=first.outer_diameter_mm / 2.0, rank=1, target=None, title="PA", lines=("a line",),
    )  # fmt: skip


def cast(mesh: TriangleMesh, beam: ConeBeam) -> Float[np.ndarray, "h w"]:
    """Length inside a convex mesh along every pixel's ray, by slabs of its faces' planes."""
    x = (np.arange(FIELD[0]) + 0.5 - FIELD[0] / 2.0) * PIXEL_MM
    rays = (
        beam.source_to_detector_mm * beam.direction
        + x[None, :, None] * beam.right
        - x[:, None, None] * beam.up
    )
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    normals = np.cross(
        mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0]
    )
    over: Vector = np.einsum("ij,ij->i", normals, mesh.corners[:, 0] - beam.source_mm)
    slope = rays @ normals.T
    with np.errstate(divide="ignore"):
        at = over / slope
    enter = np.where(slope < 0.0, at, -np.inf).max(axis=-1)
    leave = np.where(slope > 0.0, at, np.inf).min(axis=-1)
    outside = np.any((slope == 0.0) & (over < 0.0), axis=-1)
    return np.where(outside, 0.0, np.maximum(leave - enter, 0.0))


@pytest.mark.parametrize("direction", [[0, 1, 0], [1, 0, 0], [0.4, 0.8, 0.3]])
def test_metal_is_where_ray_casting_finds_it_and_as_thick(
    small_case: Case, direction: list[float]
) -> None:
    screw = only(small_case, "screw_L3_L")
    beam = beam_along(direction)
    nowhere = attenuation((), [], beam, FIELD, PIXEL_MM)
    taken = attenuation(screw.structures, [], beam, FIELD, PIXEL_MM) - nowhere
    expected = cast(screw.structures[0].mesh, beam) * (TITANIUM_PER_MM - SOFT_PER_MM)
    np.testing.assert_allclose(taken, expected, atol=1e-6)


def test_bone_counts_its_shell_and_its_marrow(small_case: Case) -> None:
    beam = beam_along([0.0, 1.0, 0.0])
    bone = through_middle(only(small_case, "L3"), beam) - through_middle(only(small_case), beam)
    marrow = 34.0 - 2.0 * CORTEX_MM
    expected = 2.0 * CORTEX_MM * CORTEX_PER_MM + marrow * MARROW_PER_MM - 34.0 * SOFT_PER_MM
    assert bone == pytest.approx(expected, abs=1e-6)


def test_skin_says_how_much_soft_tissue_there_is(small_case: Case) -> None:
    beam = beam_along([1.0, 0.0, 0.0])
    assert through_middle(only(small_case, "skin"), beam) == pytest.approx(220.0 * SOFT_PER_MM)


def test_air_in_the_lung_lets_more_through(small_case: Case) -> None:
    with_lung, without = only(small_case, "skin", "pleura_L"), only(small_case, "skin")
    beam = beam_along([1.0, 0.0, 0.0])
    assert through_middle(with_lung, beam) < through_middle(without, beam)


def test_what_has_no_inside_is_left_out_and_named(small_case: Case) -> None:
    closed = small_case.structure("L3").mesh
    torn = Structure(
        name="torn", kind=Kind.VERTEBRA, mesh=triangle_mesh(closed.vertices, closed.faces[1:])
    )
    case = replace(small_case, structures=(*small_case.structures, torn))
    beam = beam_along([0.0, 1.0, 0.0])
    assert through_middle(case, beam) == through_middle(small_case, beam)
    assert left_out(case.structures) == ("torn",)
    assert left_out(small_case.structures) == ()


def test_metal_is_darker_than_bone_and_bone_darker_than_tissue(small_case: Case) -> None:
    shown = grey(
        attenuation(small_case.structures, [], beam_along([0.0, 1.0, 0.0]), FIELD, PIXEL_MM)
    )
    # Seen from behind: the left screw on the left, bone of L3 beside it on the right.
    metal, bone, disc_space = shown[80, 38], shown[80, 122], shown[24, 122]
    assert metal < bone < disc_space


def test_the_picture_says_what_it_is_and_which_way_is_which(
    small_case: Case, small_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[tuple[float, str]] = []
    write = ImageDraw.ImageDraw.text

    def noted(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, **how: object) -> None:
        words.append((at[0], text))
        write(pen, at, text, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    picture = fluoro_image(small_case, shot(small_plan, [0.0, 1.0, 0.0]))
    assert picture.size == SIZE
    said = [text for _, text in words]
    assert NOTICE in said
    assert "not a medical device" in NOTICE
    assert {"PA", "a line", "L", "R", "H", "F"} <= set(said)
    at = {text: x for x, text in words}
    assert at["L"] < at["R"]


def test_the_needle_is_drawn_from_its_hub_to_its_tip_in_the_middle(
    small_case: Case, small_plan: Plan
) -> None:
    asked = shot(small_plan, [1.0, 0.0, 0.0])
    bare = replace(small_case, structures=())
    picture = np.asarray(fluoro_image(bare, asked)).astype(int)
    coloured = np.ptp(picture, axis=2) > 60
    coloured[:100, :] = coloured[-100:, :] = False
    rows, columns = np.nonzero(coloured)
    reach = shapely.MultiPoint(np.column_stack([columns, rows])).convex_hull
    assert reach.distance(shapely.Point(SIZE[0] / 2, SIZE[1] / 2)) < 1.0
    assert columns.max() - columns.min() > 150


def test_a_thicker_needle_takes_more_away(small_plan: Plan) -> None:
    beam = beam_along([1.0, 0.0, 0.0])
    taken = []
    for radius in (0.9, 1.6):
        solid = trimesh.creation.cylinder(radius, segment=[[0, 60, 0], [0, 0, 0]], sections=24)
        mesh = triangle_mesh(np.asarray(solid.vertices), np.asarray(solid.faces))
        taken.append(attenuation((), [mesh], beam, FIELD, PIXEL_MM).sum())
    assert taken[0] < taken[1]
