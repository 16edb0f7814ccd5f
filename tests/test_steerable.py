"""The steerable needle that curved ones are compared with: it bends no tighter, and gets there."""

import numpy as np
import pytest

from benchmarks.steerable import Pose, Steering, steered
from geometry.arrays import Points

START = Pose(at_mm=np.zeros(3), axes=np.eye(3), out_mm=0.0)
RADIUS_MM, MOST_MM, TIP_MM = 20.0, 30.0, 1.0


def _needle(ball: tuple[float, float, float] | None, size_mm: float) -> Steering:
    """Return a needle that must stay out of a ball."""

    def free(points: Points) -> bool:
        apart = np.inf if ball is None else np.linalg.norm(points - np.array(ball), axis=1).min()
        return bool(apart > size_mm)

    return Steering(radius_mm=RADIUS_MM, most_mm=MOST_MM, tip_mm=TIP_MM, free=free)


def _tightest(points: Points) -> float:
    """Return the least radius of the circles through three points in a row."""
    a, b, c = points[:-2], points[1:-1], points[2:]
    sides = [np.linalg.norm(u - v, axis=1) for u, v in ((a, b), (b, c), (c, a))]
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0
    return float((np.prod(sides, axis=0) / np.maximum(4.0 * area, 1e-12)).min())


@pytest.mark.parametrize(
    ("target", "ball"),
    [((20.0, 5.0, 0.0), None), ((26.0, 0.0, 0.0), (13.0, 0.0, 0.0)), ((22.0, 6.0, 6.0), None)],
)
def test_a_target_in_reach_is_reached_round_what_is_in_the_way(
    target: tuple[float, float, float], ball: tuple[float, float, float] | None
) -> None:
    found = steered(START, np.array(target), _needle(ball, 2.0)).points_mm
    assert found is not None
    path = np.vstack([START.at_mm, found[np.linalg.norm(found, axis=1) > 1e-9]])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    path = path[np.append(True, steps > 1e-9)]
    assert np.linalg.norm(path[-1] - target) <= TIP_MM + 1e-9
    assert steps.sum() <= MOST_MM + 1e-9
    assert _tightest(path) >= RADIUS_MM - 0.7, "chords of two arcs meet at a slightly sharper bend"
    if ball is not None:
        assert np.linalg.norm(path - np.array(ball), axis=1).min() > 2.0


@pytest.mark.parametrize("target", [(-5.0, 0.0, 0.0), (3.0, 12.0, 0.0), (60.0, 0.0, 0.0)])
def test_a_target_behind_beside_or_too_far_is_given_up_without_a_search(
    target: tuple[float, float, float],
) -> None:
    found = steered(START, np.array(target), _needle(None, 0.0))
    assert found.points_mm is None
    assert found.exhausted
    assert found.moves == 0
