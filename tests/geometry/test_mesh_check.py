"""Every defect is found with its number; mending changes nothing that was right."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.frames import RigidTransform
from geometry.mesh import MeshError, Problem, Severity, TriangleMesh
from geometry.mesh_check import check_and_repair
from geometry.mesh_check.crossings import crossing_faces
from geometry.mesh_check.winding import winding_number
from geometry.mesh_files import RawMesh
from geometry.solids import box, cylinder

ORIGIN = np.zeros(3)


def ball(radius: float = 20.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> RawMesh:
    source = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return RawMesh(
        vertices=np.asarray(source.vertices) + np.array(at),
        faces=np.asarray(source.faces, dtype=np.int64),
    )


def together(*meshes: RawMesh | TriangleMesh) -> RawMesh:
    offsets = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return RawMesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        faces=np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=False)]),
    )


def raw_of(mesh: RawMesh | TriangleMesh, faces: np.ndarray | None = None) -> RawMesh:
    return RawMesh(vertices=mesh.vertices, faces=mesh.faces if faces is None else faces)


def found(problems: tuple[Problem, ...]) -> dict[str, tuple[Severity, int | None]]:
    return {p.code: (p.severity, p.count) for p in problems}


def test_a_sound_surface_passes_untouched() -> None:
    mesh, problems = check_and_repair(ball())
    assert problems == ()
    assert mesh.is_closed
    assert np.array_equal(mesh.vertices, ball().vertices)
    assert np.array_equal(mesh.faces, ball().faces)


def test_unconnected_triangles_are_joined() -> None:
    source = ball()
    soup = RawMesh(
        vertices=source.vertices[source.faces].reshape(-1, 3),
        faces=np.arange(3 * len(source.faces)).reshape(-1, 3),
    )
    mesh, problems = check_and_repair(soup)
    merged = 3 * len(source.faces) - len(source.vertices)
    assert found(problems) == {"duplicate-vertices": (Severity.REPAIRED, merged)}
    assert mesh.is_closed
    assert len(mesh.vertices) == len(source.vertices)


def test_a_seam_as_wide_as_32_bit_rounding_is_closed() -> None:
    source = ball(at=(10.0, -90.0, 980.0))
    soup = source.vertices[source.faces].reshape(-1, 3)
    noise = np.random.default_rng(3).uniform(-3e-5, 3e-5, soup.shape)
    mesh, problems = check_and_repair(
        RawMesh(vertices=soup + noise, faces=np.arange(len(soup)).reshape(-1, 3))
    )
    assert mesh.is_closed
    assert set(found(problems)) == {"duplicate-vertices"}


def test_surfaces_that_touch_along_an_edge_stay_closed() -> None:
    cubes = together(box(ORIGIN, np.ones(3)), box(np.array([1.0, 1.0, 0.0]), np.ones(3)))
    mesh, problems = check_and_repair(cubes)
    assert mesh.is_closed
    assert mesh.volume_mm3 == pytest.approx(2.0)
    assert found(problems)["non-manifold-edges"] == (Severity.WARNING, 1)


def test_two_boxes_with_a_wall_between_them_become_one() -> None:
    cubes = together(box(ORIGIN, np.ones(3)), box(np.array([0.0, 0.0, 1.0]), np.ones(3)))
    mesh, problems = check_and_repair(cubes)
    assert mesh.is_closed
    assert mesh.volume_mm3 == pytest.approx(2.0)
    assert "non-manifold-edges" not in found(problems)


def test_degenerate_repeated_and_unused_elements_are_dropped_and_counted() -> None:
    source = ball()
    extra = np.array([[0, 0, 1], [5, 6, 5], [7, 7, 7]])
    faces = np.concatenate([source.faces, extra, source.faces[:4], source.faces[9:10, ::-1]])
    vertices = np.concatenate([source.vertices, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    mesh, problems = check_and_repair(RawMesh(vertices=vertices, faces=faces))
    assert found(problems) == {
        "degenerate-faces": (Severity.REPAIRED, 3),
        "duplicate-faces": (Severity.REPAIRED, 5),
        "unreferenced-vertices": (Severity.REPAIRED, 2),
    }
    assert mesh.is_closed
    assert np.array_equal(mesh.faces, source.faces)


def test_a_surface_given_twice_in_opposite_directions_is_kept_once() -> None:
    source = ball()
    both = raw_of(source, np.concatenate([source.faces, source.faces[:, ::-1]]))
    mesh, _ = check_and_repair(both)
    assert mesh.is_closed
    assert len(mesh.faces) == len(source.faces)


def test_a_flat_face_that_closes_the_surface_stays() -> None:
    middle = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 2.0, 0.0],
                       [1.0, 1.0, 2.0]])  # fmt: skip
    # the bottom's long edge 0-1 is met by the flat face 0-1-2
    faces = np.array([[0, 3, 2], [2, 3, 1], [0, 2, 1], [0, 1, 4], [1, 3, 4], [3, 0, 4]])
    mesh, problems = check_and_repair(RawMesh(vertices=middle, faces=faces))
    assert mesh.is_closed
    assert found(problems) == {"flat-faces": (Severity.NOTE, 1)}
    assert mesh.volume_mm3 > 0.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), part=st.floats(0.01, 0.99))
def test_faces_turned_at_random_are_turned_back(seed: int, part: float) -> None:
    source = ball()
    turned = np.random.default_rng(seed).random(len(source.faces)) < part
    faces = source.faces.copy()
    faces[turned] = faces[turned][:, ::-1]
    mesh, problems = check_and_repair(raw_of(source, faces))
    assert mesh.is_closed
    assert mesh.volume_mm3 == pytest.approx(trimesh_volume(source))
    assert set(found(problems)) <= {"inconsistent-winding", "inside-out"}


def trimesh_volume(mesh: RawMesh) -> float:
    return float(trimesh.Trimesh(mesh.vertices, mesh.faces).volume)


def test_an_inside_out_surface_is_turned_and_said_so() -> None:
    source = ball()
    mesh, problems = check_and_repair(raw_of(source, source.faces[:, ::-1]))
    assert found(problems) == {"inside-out": (Severity.REPAIRED, len(source.faces))}
    assert mesh.volume_mm3 > 0.0


def test_each_part_is_turned_by_itself() -> None:
    one, other = ball(10.0), ball(8.0, at=(40.0, 0.0, 0.0))
    mesh, problems = check_and_repair(together(one, raw_of(other, other.faces[:, ::-1])))
    assert mesh.volume_mm3 == pytest.approx(trimesh_volume(one) + trimesh_volume(other))
    assert found(problems)["inside-out"] == (Severity.REPAIRED, len(other.faces))
    assert found(problems)["several-parts"] == (Severity.NOTE, 2)


@pytest.mark.parametrize("inside_out", [False, True])
def test_a_cavity_stays_a_cavity(inside_out: bool) -> None:
    shell, hollow = ball(20.0), ball(8.0, at=(3.0, 0.0, 0.0))
    both = together(shell, raw_of(hollow, hollow.faces[:, ::-1]))
    if inside_out:
        both = raw_of(both, both.faces[:, ::-1])
    mesh, _ = check_and_repair(both)
    assert mesh.volume_mm3 == pytest.approx(trimesh_volume(shell) - trimesh_volume(hollow))


def test_one_missing_triangle_is_put_back() -> None:
    source = ball(10.0)
    mesh, problems = check_and_repair(raw_of(source, source.faces[1:]))
    assert mesh.is_closed
    assert found(problems) == {"small-holes": (Severity.REPAIRED, 1)}
    assert mesh.volume_mm3 == pytest.approx(trimesh_volume(source))


def test_a_missing_patch_is_closed_without_moving_a_vertex() -> None:
    source = ball(10.0)
    around = (source.faces == 0).any(axis=1)
    mesh, problems = check_and_repair(raw_of(source, source.faces[~around]))
    assert mesh.is_closed
    assert found(problems)["small-holes"] == (Severity.REPAIRED, 1)
    assert {tuple(v) for v in mesh.vertices.tolist()} <= {
        tuple(v) for v in source.vertices.tolist()
    }


def test_the_rim_of_a_lone_triangle_is_no_hole() -> None:
    source = ball(10.0)
    _, problems = check_and_repair(raw_of(source, source.faces[:1]))
    assert found(problems)["open-edges"] == (Severity.WARNING, 3)
    assert "small-holes" not in found(problems)


def test_a_large_opening_is_reported_and_left_open() -> None:
    source = ball()
    upper = (source.vertices[source.faces][:, :, 2] > 0.0).all(axis=1)
    mesh, problems = check_and_repair(raw_of(source, source.faces[upper]))
    rim = np.asarray(trimesh.Trimesh(source.vertices, source.faces[upper]).edges_sorted)
    open_edges = int((np.unique(rim, axis=0, return_counts=True)[1] == 1).sum())
    assert not mesh.is_closed
    assert found(problems)["open-edges"] == (Severity.WARNING, open_edges)
    assert found(problems).keys() & {"small-holes"} == set()


def test_an_edge_of_three_faces_is_reported() -> None:
    source = ball()
    fin = np.array([[*source.faces[0, :2], len(source.vertices)]])
    vertices = np.concatenate([source.vertices, [[60.0, 0.0, 0.0]]])
    mesh, problems = check_and_repair(
        RawMesh(vertices=vertices, faces=np.concatenate([source.faces, fin]))
    )
    assert not mesh.is_closed
    assert found(problems)["non-manifold-edges"] == (Severity.WARNING, 1)
    assert found(problems)["open-edges"] == (Severity.WARNING, 2)


def test_a_one_sided_surface_is_reported() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn), 0.0 * turn], axis=1) * 30.0
    half = np.stack(
        [np.cos(turn) * np.cos(turn / 2), np.sin(turn) * np.cos(turn / 2), np.sin(turn / 2)], axis=1
    )
    vertices = np.concatenate([ring + 8.0 * half, ring - 8.0 * half])
    here, after = np.arange(40), np.arange(1, 41)
    top, low = after.copy(), after + 40
    top[-1], low[-1] = 40, 0
    faces = np.concatenate([
        np.stack([here, here + 40, top], axis=1), np.stack([here + 40, low, top], axis=1)
    ])  # fmt: skip
    _, problems = check_and_repair(RawMesh(vertices=vertices, faces=faces))
    assert found(problems)["one-sided"] == (Severity.WARNING, 80)


def test_crossing_faces_are_counted_as_another_method_counts_them() -> None:
    source = trimesh.creation.icosphere(subdivisions=2, radius=7.0)
    one = RawMesh(vertices=np.asarray(source.vertices), faces=np.asarray(source.faces))
    bar = cylinder(np.array([-9.0, 0.3, 0.1]), np.array([9.0, 0.2, 1.0]), 6.0)
    both = together(one, bar)
    count, complete = crossing_faces(both.vertices, both.faces)
    assert complete
    assert count == _crossings_pair_by_pair(both)
    assert count > 100
    _, problems = check_and_repair(both)
    assert found(problems)["self-intersections"] == (Severity.WARNING, count)


def _crossings_pair_by_pair(mesh: RawMesh) -> int:
    """Every edge against every face, by signed volumes; slow and plain."""
    corners = mesh.vertices[mesh.faces]
    pairs: set[tuple[int, int]] = set()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for at in range(len(corners)):
        for k in range(3):
            start, end = corners[at, k], corners[at, (k + 1) % 3]
            below = np.einsum("ij,ij->i", start - corners[:, 0], normals)
            above = np.einsum("ij,ij->i", end - corners[:, 0], normals)
            hit = np.flatnonzero(below * above < 0.0)
            share = below[hit] / (below[hit] - above[hit])
            point = start + share[:, None] * (end - start)
            inside = np.ones(len(hit), dtype=bool)
            for e in range(3):
                a, b = corners[hit, e], corners[hit, (e + 1) % 3]
                inside &= np.einsum("ij,ij->i", np.cross(b - a, point - a), normals[hit]) > 0.0
            for other in hit[inside]:
                if not set(mesh.faces[other]) & set(mesh.faces[at]):
                    pairs.add((min(at, int(other)), max(at, int(other))))
    return len(pairs)


def test_parts_that_only_touch_do_not_cross() -> None:
    cubes = together(box(ORIGIN, np.ones(3)), box(np.array([1.0, 0.2, 0.3]), np.ones(3)))
    assert crossing_faces(cubes.vertices, cubes.faces) == (0, True)


def test_a_count_that_was_cut_short_says_so() -> None:
    both = together(ball(20.0), ball(20.0, at=(5.0, 0.0, 0.0)))
    whole, _ = crossing_faces(both.vertices, both.faces)
    some, complete = crossing_faces(both.vertices, both.faces, max_pairs=500)
    assert not complete
    assert some <= whole


@given(distance=st.floats(0.0, 3.0))
def test_the_winding_number_tells_inside_from_outside(distance: float) -> None:
    source = ball(1.0)
    direction = np.array([0.6, -0.48, 0.64])
    number = winding_number(distance * direction, source.vertices[source.faces])
    if distance < 0.98:
        assert number == pytest.approx(1.0)
    if distance > 1.02:
        assert number == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("factor", "code"), [(1e-4, "too-small"), (1e3, "too-large")])
def test_surfaces_of_impossible_size_are_refused_with_the_remedy(factor: float, code: str) -> None:
    with pytest.raises(MeshError, match="unit") as caught:
        check_and_repair(RawMesh(vertices=ball().vertices * factor, faces=ball().faces))
    assert caught.value.code == code


def test_a_surface_of_only_degenerate_triangles_is_refused() -> None:
    with pytest.raises(MeshError, match="all 2 triangles") as caught:
        check_and_repair(RawMesh(vertices=ball().vertices, faces=np.array([[0, 0, 1], [2, 3, 3]])))
    assert caught.value.code == "no-triangles"


def test_a_place_far_from_the_origin_is_reported() -> None:
    _, problems = check_and_repair(ball(at=(2e4, 0.0, 0.0)))
    assert "far-from-origin" in found(problems)


def test_vertices_that_are_not_finite_are_refused_with_their_number() -> None:
    vertices = ball().vertices.copy()
    vertices[:3] = np.inf
    with pytest.raises(MeshError, match="3 of 642") as caught:
        RawMesh(vertices=vertices, faces=ball().faces)
    assert caught.value.code == "non-finite"


@st.composite
def damaged(draw: st.DrawFn) -> RawMesh:
    source = ball(10.0)
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    faces = source.faces[rng.random(len(source.faces)) < draw(st.floats(0.3, 1.0))]
    turned = rng.random(len(faces)) < draw(st.floats(0.0, 0.4))
    faces[turned] = faces[turned][:, ::-1]
    extra = rng.integers(0, len(source.vertices), (draw(st.integers(0, 6)), 3))
    again = faces[rng.integers(0, len(faces), draw(st.integers(0, 5)))]
    return raw_of(source, np.concatenate([faces, extra, again]))


@settings(max_examples=40, deadline=None)
@given(mesh=damaged())
def test_mending_what_was_mended_changes_nothing(mesh: RawMesh) -> None:
    once, problems = check_and_repair(mesh)
    twice, again = check_and_repair(raw_of(once))
    assert twice.is_closed == once.is_closed
    assert np.array_equal(once.vertices, twice.vertices)
    assert np.array_equal(once.faces, twice.faces)
    left = {c: f for c, f in found(problems).items() if f[0] is not Severity.REPAIRED}
    assert found(again) == left
    assert len(once.faces) > 0


@settings(max_examples=20, deadline=None)
@given(mesh=damaged(), angle=st.floats(-0.8, 0.8), shift=st.floats(-500.0, 500.0))
def test_moving_a_surface_moves_its_repair_with_it(
    mesh: RawMesh, angle: float, shift: float
) -> None:
    c, s = np.cos(angle), np.sin(angle)
    move = RigidTransform(
        target="patient", source="patient", translation_mm=np.array([shift, 3.0, -shift]),
        rotation=np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]),
    )  # fmt: skip
    here, problems = check_and_repair(mesh)
    there, moved = check_and_repair(RawMesh(vertices=move.points(mesh.vertices), faces=mesh.faces))
    assert np.array_equal(here.faces, there.faces)
    assert np.allclose(move.points(here.vertices), there.vertices, atol=1e-9)
    assert found(problems) == found(moved)


def test_where_parts_are_too_many_to_test_their_winding_stays_as_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geometry.mesh_check.winding._MAX_CONTAINMENT_WORK", 0)
    shell, hollow = ball(20.0), ball(8.0, at=(3.0, 0.0, 0.0))
    mesh, problems = check_and_repair(together(shell, raw_of(hollow, hollow.faces[:, ::-1])))
    assert "inside-out" not in found(problems)
    assert mesh.volume_mm3 == pytest.approx(trimesh_volume(shell) - trimesh_volume(hollow))


def test_a_hopeless_tangle_is_counted_no_further_than_needed() -> None:
    rng = np.random.default_rng(1)
    corners = (rng.random((3000, 1, 3)) * 50.0 + rng.normal(0.0, 40.0, (3000, 3, 3))).reshape(-1, 3)
    _, problems = check_and_repair(
        RawMesh(vertices=corners, faces=np.arange(len(corners)).reshape(-1, 3))
    )
    (tangle,) = [p for p in problems if p.code == "self-intersections"]
    assert "at least" in tangle.message
