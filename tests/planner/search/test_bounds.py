"""Bounds are attacked: no line that anybody draws through a window may beat what was certified."""

import numpy as np
import pytest

from geometry._kernels import FAR
from geometry.frames import frame_from_axes
from planner.anatomy.model import Pedicle, VertebraAnatomy
from planner.approach import Gate, pedicle_gates
from planner.case import HARDWARE, Side
from planner.policy import DEFAULT_POLICY
from planner.prepared import PreparedCase
from planner.request import BY_WINDOW, AnteriorBody, Approach
from planner.search import _kernels
from planner.search.branch_and_bound import search_family
from planner.search.faces import Face
from planner.search.family import LineFamily, line_family
from planner.search.scene import Scene, build_scene
from planner.target import TargetRegion, bone_of, region_of

RADIUS_MM = 0.9145
LENGTH_MM = 140.0


@pytest.fixture(scope="module")
def prepared(lumbar: PreparedCase) -> PreparedCase:
    return lumbar


@pytest.fixture(scope="module")
def anatomy(prepared: PreparedCase) -> VertebraAnatomy:
    found = prepared.bone(prepared.case.bone_of_level("L3"))
    assert isinstance(found, VertebraAnatomy)
    return found


@pytest.fixture(scope="module")
def target(prepared: PreparedCase, anatomy: VertebraAnatomy) -> TargetRegion:
    spec = AnteriorBody(level="L3")
    region = region_of(prepared, spec, bone_of(prepared, spec), anatomy.frame.rotation)
    assert isinstance(region, TargetRegion)
    return region


@pytest.fixture(scope="module")
def scene(prepared: PreparedCase, anatomy: VertebraAnatomy, target: TargetRegion) -> Scene:
    frame = frame_from_axes(name="scene", origin_mm=target.centre_mm, axes=anatomy.frame.rotation)
    return build_scene(prepared.case, DEFAULT_POLICY, target.bone, frame, 15.0)


def _gates(prepared: PreparedCase, anatomy: VertebraAnatomy, side: Side) -> dict[Approach, Gate]:
    pedicle = anatomy.pedicles[side]
    assert isinstance(pedicle, Pedicle)
    return pedicle_gates(anatomy, pedicle, prepared.case.of_kind(*HARDWARE), RADIUS_MM)


def _slacks(family: LineFamily, lines: np.ndarray) -> np.ndarray:
    slack = np.empty(len(lines))
    _kernels.sample(family.arrays, family.scene.space, lines, slack)
    return slack


@pytest.fixture(scope="module", params=[(a, s) for a in BY_WINDOW for s in Side], ids=str)
def family(
    request: pytest.FixtureRequest,
    prepared: PreparedCase,
    anatomy: VertebraAnatomy,
    target: TargetRegion,
    scene: Scene,
) -> LineFamily:
    approach, side = request.param
    return line_family(_gates(prepared, anatomy, side)[approach], scene, target, LENGTH_MM)


def test_no_random_or_climbing_line_beats_the_certified_bound(
    family: LineFamily, rng: np.random.Generator
) -> None:
    result = search_family(family, radius_mm=RADIUS_MM, tolerance_mm=0.25)
    box = family.root_box()
    lines = box[:4] + box[4:] * rng.uniform(-1.0, 1.0, size=(20_000, 4))
    slack = _slacks(family, lines)
    assert slack.max() <= result.upper_bound_mm
    best = lines[np.argsort(-slack)[:10]]
    for reach in (2.0, 0.5, 0.1):
        near = (best[:, None, :] + reach * rng.normal(size=(10, 300, 4))).reshape(-1, 4)
        slack = _slacks(family, near)
        assert slack.max() <= result.upper_bound_mm
        best = near[np.argsort(-slack)[:10]]
    if result.optima:
        assert max(o.slack_mm for o in result.optima) <= result.upper_bound_mm + 1e-9
        assert slack.max() <= max(o.slack_mm for o in result.optima) + 0.25


def test_a_box_bounds_every_line_in_it(family: LineFamily, rng: np.random.Generator) -> None:
    bounded, settled = 0, set()
    for face, root in zip(family.faces, family.roots, strict=True):
        for _ in range(400):
            half = root[4:] * 0.5 ** rng.integers(1, 7, size=4)
            centre = root[:4] + (root[4:] - half) * rng.uniform(-1.0, 1.0, size=4)
            enough = rng.choice([-1e9, 2.0, 1e9])
            why, bound, _ = _examined(family, family.faces.index(face), centre, half, float(enough))
            settled.add(why)
            boxed = centre + half * rng.uniform(-1.0, 1.0, size=(60, 4))
            # The others pierce the face's plane too, but enter the target elsewhere.
            here = (boxed @ face.rules[:, :4].T <= face.rules[:, 4]).all(axis=1)
            slack = _slacks(family, _aimed(family, face, boxed[here])).max(initial=-FAR)
            if why == _kernels.BOUNDED:
                assert slack <= bound
                bounded += slack > -FAR / 2.0
            else:
                assert slack == -FAR
    assert bounded > 10, "boxes without a single path would prove nothing"
    assert len(settled) > 1


def _examined(
    family: LineFamily, face: int, centre: np.ndarray, half: np.ndarray, enough: float
) -> tuple[int, float, np.ndarray]:
    """Return why a box is settled, its bound, from surface points found at first, and its run."""
    points, info = np.empty((8, 4)), np.empty((8, 2), np.int32)
    number = np.uint8(face)  # as the search has it, for which it is compiled already
    kept = np.full(_kernels.POINTS, -1, np.int32)
    result, work, count = np.ones(7), _kernels.new_scratch(), 0
    why = -1
    for _ in range(3):
        why, count = _kernels.examine(
            family.arrays, family.face_arrays, family.scene.space, points, info, count, number,
            centre, half, kept, enough, enough, result, work,
        )  # fmt: skip
    return int(why), float(result[0]), work.run.copy()


def _aimed(family: LineFamily, face: Face, boxed: np.ndarray) -> np.ndarray:
    """Return lines of a face's box by where they pierce the gate and the aim plane."""
    on_face = face.origin + boxed[:, 2:] @ face.axes
    scale = (family.arrays.reach / on_face[:, 2])[:, None]
    return np.hstack([boxed[:, :2], boxed[:, :2] + (on_face[:, :2] - boxed[:, :2]) * scale])


@pytest.mark.parametrize("approach", [Approach.EXTRAPEDICULAR, Approach.TRANSPEDICULAR])
def test_no_path_that_is_short_enough_enters_before_the_plane_of_its_box(
    prepared: PreparedCase, anatomy: VertebraAnatomy, target: TargetRegion, scene: Scene,
    rng: np.random.Generator, approach: Approach,
) -> None:  # fmt: skip
    gate = _gates(prepared, anatomy, Side.RIGHT)[approach]
    wide = line_family(gate, scene, target, LENGTH_MM)
    ends = [wide.ends(x) for x in _drawn(wide, 2000, rng)]
    usable = float(np.median([np.linalg.norm(e[1] - e[0]) for e in ends if e is not None]))
    family = line_family(gate, scene, target, usable)
    planes = paths = 0
    for k, (face, root) in enumerate(zip(family.faces, family.roots, strict=True)):
        for _ in range(150):
            half = root[4:] * 0.5 ** rng.integers(2, 8, size=4)
            centre = root[:4] + (root[4:] - half) * rng.uniform(-1.0, 1.0, size=4)
            why, bound, run = _examined(family, k, centre, half, -1e9)
            boxed = centre + half * rng.uniform(-1.0, 1.0, size=(60, 4))
            here = (boxed @ face.rules[:, :4].T <= face.rules[:, 4]).all(axis=1)
            entered = [(family.slack(x), family.ends(x)) for x in _aimed(family, face, boxed[here])]
            planes += why != _kernels.NO_WINDOW and bool(run[3:].any())
            for slack, way in entered:
                if way is not None:
                    assert why == _kernels.BOUNDED
                    assert slack <= bound
                    assert way[0] @ run[3:6] >= run[6] if run[3:].any() else True
                    paths += bool(run[3:].any())
    assert min(planes, paths) > 20, "planes that no path meets would prove nothing"


def _drawn(family: LineFamily, count: int, rng: np.random.Generator) -> np.ndarray:
    box = family.root_box()
    return box[:4] + box[4:] * rng.uniform(-1.0, 1.0, size=(count, 4))


def test_windows_of_one_side_do_not_overlap(
    prepared: PreparedCase, anatomy: VertebraAnatomy
) -> None:
    for side in Side:
        windows = [g.window for g in _gates(prepared, anatomy, side).values()]
        for i, one in enumerate(windows):
            for other in windows[i + 1 :]:
                assert one.intersection(other).area < 1e-6
